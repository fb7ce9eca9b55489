"""Several numbers per case: one after the other, before a redial is used; rules go by the one that is dialled."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute
from tests.support.factories import add_case, add_project, add_retry, add_trunk
from worker.db import Database
from worker.db.database import reason
from worker.db.routines.numbers import Numbers

HOME, WORK, MOBILE = "+493011", "+493022", "+493033"


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()


def add_number(db: Database, case: int, place: int, number: str) -> None:
    execute(
        db,
        "INSERT INTO dialer_case_numbers (case_id, place, phone_number) VALUES (:case, :place, :number)",
        case=case,
        place=place,
        number=number,
    )


def case_of(db: Database, *further: str, **columns: object) -> int:
    """A case with HOME as its first number; its id."""
    case = add_case(db, **{"phone_number": HOME, **columns})
    for place, number in enumerate(further, 2):
        add_number(db, case, place, number)
    return case


def standing(caller: Caller, case: int) -> tuple[str, int, bool, int]:
    """Which number is next, its place, is the case used up, redials done."""
    row = caller.case(case)
    return row["number"], row["number_place"], bool(row["used"]), row["redials_done"]


def effect(caller: Caller, attempt: int) -> str:
    return str(caller.attempt(attempt)["effect"])


def forbid(db: Database, number: str) -> None:
    execute(db, "INSERT INTO dialer_dnc (number) VALUES (:number)", number=number)


def look(caller: Caller) -> None:
    """Have a worker look at what has changed, and at nothing else."""
    while caller.db.value("dialer_screen", 500, caller.now):
        pass


def opt_out(caller: Caller, attempt: int) -> None:
    caller.db.value("dialer_opt_out", json.dumps([{"attempt_id": attempt, "key": "9", "ago": 0}]), caller.now)


# --- the order -----------------------------------------------------------------------------------------------------


def test_the_numbers_are_dialled_one_after_the_other_and_moves_use_no_redial(caller: Caller) -> None:
    case = case_of(caller.db, WORK, call_back=True, call_back_period="30")
    add_number(caller.db, case, 5, MOBILE)
    tried = []
    for outcome in ("BUSY", "NOANSWER", "UNAVAILABLE"):
        attempt = caller.call(case, outcome)
        row = caller.attempt(attempt)
        tried.append((row["number"], row["number_place"], row["channel"], row["redials_done"], row["effect"]))
        assert row["phone_number"] == HOME, "what a case is known by"
    assert tried == [
        (HOME, 1, f"PJSIP/{HOME}@carrier", 0, "moved"),
        (WORK, 2, f"PJSIP/{WORK}@carrier", 0, "moved"),
        (MOBILE, 5, f"PJSIP/{MOBILE}@carrier", 0, "redial"),
    ]
    assert standing(caller, case) == (HOME, 1, False, 1)
    assert caller.why(case)["own_until_at"] == NOON + timedelta(minutes=30)
    caller.forward(minutes=30)
    assert [effect(caller, caller.call(case, "BUSY")) for _ in range(3)] == ["moved", "moved", "used"]
    assert standing(caller, case) == (HOME, 1, True, 1)
    stat = caller.stat(case)
    assert stat is not None
    assert stat["dial_count"] == 6
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_without_redials_each_number_is_dialled_once(caller: Caller) -> None:
    case = case_of(caller.db, WORK)
    assert effect(caller, caller.call(case, "NOANSWER")) == "moved"
    assert caller.case(case)["deferred_time"] == NOON, "at once"
    assert effect(caller, caller.call(case, "NOANSWER")) == "used"
    assert caller.claim() == []


def test_the_ledger_and_readers_show_which_number(caller: Caller) -> None:
    case = case_of(caller.db, WORK)
    caller.call(case, "BUSY")
    assert caller.db.call("dialer_next", "p", caller.now, 10)[0]["number"] == WORK
    assert caller.db.call("dialer_next", "p", caller.now, 10)[0]["phone_number"] == HOME
    assert caller.why(case)["number"] == WORK
    caller.dial(case)
    rows = caller.db.query("SELECT number, number_place FROM dialer_stat_attempt ORDER BY attempt_id")
    assert [tuple(row.values()) for row in rows] == [(HOME, 1), (WORK, 2)]


def test_answered_ends_it_as_always(caller: Caller) -> None:
    case = case_of(caller.db, WORK, MOBILE, call_back=True, call_back_period="1,1")
    caller.call(case, "BUSY")
    assert effect(caller, caller.call(case, "ANSWERED", answered=1)) == "used"
    assert standing(caller, case) == (WORK, 2, True, 0)


def test_invalid_moves_on_however_often(caller: Caller) -> None:
    case = case_of(caller.db, "+493020", "+493021", "+493022")
    assert [effect(caller, caller.call(case, "INVALID")) for _ in range(4)] == ["moved", "moved", "moved", "used"]


def test_a_number_that_leads_nowhere_does_not_take_the_others_redials(caller: Caller) -> None:
    case = case_of(caller.db, WORK, call_back=True, call_back_period="30")
    first = caller.call(case, "BUSY")
    caller.forward(minutes=1)
    assert effect(caller, caller.call(case, "INVALID")) == "redial"
    assert standing(caller, case) == (HOME, 1, False, 1)
    assert caller.case(case)["deferred_time"] == caller.attempt(first)["ended_at"] + timedelta(minutes=30)
    caller.forward(hours=1)
    caller.call(case, "BUSY")
    assert effect(caller, caller.call(case, "INVALID")) == "used", "the list is used up"


def test_most_of_a_retry_rule_counts_rounds(caller: Caller) -> None:
    add_retry(caller.db, outcome="BUSY", period_minutes=5, most=2)
    case = case_of(caller.db, WORK)
    effects = []
    for _ in range(3):
        effects.append([effect(caller, caller.call(case, "BUSY")) for _ in range(2)])
        caller.forward(minutes=5)
    assert effects == [["moved", "redial"], ["moved", "redial"], ["moved", "used"]]


def test_most_of_a_retry_rule_ends_where_the_last_number_leads_nowhere(caller: Caller) -> None:
    add_retry(caller.db, outcome="BUSY", period_minutes=5, most=1)
    case = case_of(caller.db, WORK)
    effects = []
    for _ in range(2):
        effects.append([effect(caller, caller.call(case, outcome)) for outcome in ("BUSY", "INVALID")])
        caller.forward(minutes=5)
    assert effects == [["moved", "redial"], ["moved", "used"]]


def test_most_attempts_counts_every_call(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET most_attempts = 2")
    case = case_of(caller.db, WORK, MOBILE, call_back=True, call_back_period="1,1")
    assert [effect(caller, caller.call(case, "BUSY")) for _ in range(2)] == ["moved", "used"]


def test_a_call_that_goes_back_stays_on_its_number(caller: Caller) -> None:
    case = case_of(caller.db, WORK)
    for outcome in ("CANCELLED", "FAILED"):
        assert effect(caller, caller.call(case, outcome)) == "back"
        assert standing(caller, case)[:2] == (HOME, 1)
        caller.forward(hours=1)


def test_a_failing_trunk_takes_the_moves_back(caller: Caller) -> None:
    cases = [case_of(caller.db, f"+49302{n:03}", f"+49303{n:03}", phone_number=f"+49301{n:03}") for n in range(7)]
    for case in (cases * 3)[:20]:
        caller.call(case, "CONGESTION")
    assert [standing(caller, case) for case in cases] == [(f"+49301{n:03}", 1, False, 0) for n in range(7)]
    assert {row["effect"] for row in caller.db.query("SELECT effect FROM dialer_attempts")} == {"back"}
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


# --- promises, bring-back, edits -----------------------------------------------------------------------------------


def test_a_callback_stays_on_the_number_that_it_was_promised_on(caller: Caller) -> None:
    case = case_of(caller.db, WORK, MOBILE)
    caller.call(case, "BUSY")
    attempt = caller.dial(case)
    execute(caller.db, "UPDATE dialer_clients SET deferred_time = :at", at=NOON + timedelta(hours=2))
    caller.finish(attempt, "ANSWERED", answered=1)
    assert standing(caller, case)[:3] == (WORK, 2, False)
    caller.forward(hours=2)
    assert caller.attempt(caller.call(case, "NOANSWER"))["number"] == WORK
    assert standing(caller, case)[:2] == (MOBILE, 3), "then those after it"


def test_a_callback_promised_after_the_talk_goes_to_the_number_of_the_talk(caller: Caller) -> None:
    case = case_of(caller.db, WORK)
    caller.call(case, "BUSY")
    caller.call(case, "ANSWERED", answered=1)
    execute(caller.db, "UPDATE dialer_clients SET deferred_time = :at", at=NOON + timedelta(hours=2))
    assert standing(caller, case)[:3] == (WORK, 2, False)


@pytest.mark.parametrize("during", [False, True])
def test_bring_back_begins_with_the_first_number(caller: Caller, during: bool) -> None:
    case = case_of(caller.db, WORK)
    caller.call(case, "BUSY")
    attempt = caller.dial(case)
    if not during:
        caller.finish(attempt, "ANSWERED", answered=1)
    execute(caller.db, "UPDATE dialer_clients SET used = true")
    execute(caller.db, "UPDATE dialer_clients SET used = false")
    caller.finish(attempt, "ANSWERED", answered=1)
    assert standing(caller, case) == (HOME, 1, False, 0)
    assert caller.attempt(caller.call(case, "BUSY"))["number"] == HOME


def test_a_changed_phone_number_is_dialled_at_place_1_alone(caller: Caller) -> None:
    first, second = case_of(caller.db, WORK), case_of(caller.db, MOBILE, phone_number="+493012")
    caller.call(second, "BUSY")
    execute(caller.db, "UPDATE dialer_clients SET phone_number = '+493099'")
    assert standing(caller, first)[:2] == ("+493099", 1)
    assert standing(caller, second)[:2] == (MOBILE, 3 - 1)


@pytest.mark.parametrize("looked", [False, True])
def test_the_number_follows_its_row(caller: Caller, looked: bool) -> None:
    case = case_of(caller.db, WORK)
    caller.call(case, "BUSY")
    execute(caller.db, "UPDATE dialer_case_numbers SET phone_number = :number WHERE place = 2", number=MOBILE)
    if looked:
        look(caller)
        assert standing(caller, case)[0] == MOBILE
    else:
        caller.claim()
        assert caller.refusals([case]) == ["number_in_call"], "never under a number that the rules were not asked about"
    assert caller.attempt(caller.dial(case))["channel"] == f"PJSIP/{MOBILE}@carrier"


@pytest.mark.parametrize("looked", [False, True])
def test_a_row_that_is_gone_is_passed_over(caller: Caller, looked: bool) -> None:
    case = case_of(caller.db, WORK, MOBILE)
    caller.call(case, "BUSY")
    execute(caller.db, "DELETE FROM dialer_case_numbers WHERE place = 2")
    if looked:
        look(caller)
    else:
        caller.claim()
        assert caller.refusals([case]) == ["number_in_call"]
    assert caller.attempt(caller.dial(case))["number"] == MOBILE


def test_numbers_are_in_one_form_by_the_project_s_country(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET country = 'RU'")
    caller.screen()
    case = case_of(caller.db, "89161234567", phone_number="89031234567")
    caller.call(case, "BUSY")
    row = caller.attempt(caller.dial(case))
    assert (row["number"], row["channel"]) == ("+79161234567", "PJSIP/89161234567@carrier")
    execute(caller.db, "UPDATE dialer_params SET country = NULL")
    caller.screen()
    rows = caller.db.query("SELECT number FROM dialer_case_numbers WHERE place = 2")
    assert [row["number"] for row in rows] == ["89161234567"]


# --- rules go by the number that is dialled ------------------------------------------------------------------------


def test_a_number_in_a_call_is_not_dialled_by_another_case(caller: Caller) -> None:
    first, second = case_of(caller.db, WORK), case_of(caller.db, WORK, phone_number="+493012")
    caller.call(first, "BUSY")
    caller.dial(first)
    caller.call(second, "BUSY")
    assert caller.why(second)["own_reason"] == "number_in_call"
    assert caller.db.query("SELECT number FROM dialer_live")[0]["number"] == WORK


def test_the_dialled_number_is_the_one_that_was_abandoned(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET type = 'predictive'")
    case = case_of(caller.db, WORK)
    caller.call(case, "BUSY")
    attempt = caller.dial(case)
    caller.forward(seconds=10)
    caller.finish(attempt, "ABANDONED", answered=8)
    assert [row["number"] for row in caller.db.query("SELECT number FROM dialer_abandoned")] == [WORK]


def test_limits_and_pauses_count_the_dialled_number(caller: Caller) -> None:
    execute(caller.db, "INSERT INTO dialer_limits (most, period_minutes) VALUES (1, 60)")
    execute(caller.db, "INSERT INTO dialer_pauses (outcome, period_minutes) VALUES ('NOANSWER', 90)")
    case = case_of(caller.db, WORK, call_back=True, call_back_period="1")
    other = add_case(caller.db, phone_number=WORK)
    caller.call(case, "BUSY")
    assert caller.why(case)["own_reason"] is None, "another number"
    caller.call(case, "NOANSWER")
    assert caller.why(other)["own_reason"] == "number_limit"
    caller.forward(minutes=61)
    assert caller.why(other)["own_reason"] == "number_pause"
    assert caller.why(case)["own_reason"] is None


def test_hours_go_by_where_the_dialled_number_is(caller: Caller) -> None:
    case = case_of(caller.db, "+12125550100", utc=None)
    caller.call(case, "BUSY")
    assert caller.case(case)["zones"] == "America/New_York"
    execute(caller.db, "UPDATE dialer_clients SET used = true")
    execute(caller.db, "UPDATE dialer_clients SET used = false")
    assert caller.case(case)["zones"] == "Europe/Berlin"


def test_a_move_passes_over_numbers_that_must_not_be_called(caller: Caller) -> None:
    case = case_of(caller.db, WORK, MOBILE)
    forbid(caller.db, "+493022*")
    caller.call(case, "BUSY")
    assert standing(caller, case)[:2] == (MOBILE, 3)
    forbid(caller.db, HOME)
    execute(caller.db, "UPDATE dialer_clients SET call_back = true, call_back_period = '1'")
    caller.call(case, "BUSY")
    assert standing(caller, case) == (MOBILE, 3, False, 1), "the first one that may be called"


@pytest.mark.parametrize("by", ["screen", "claim"])
def test_a_case_whose_first_number_must_not_be_called_moves_on(caller: Caller, by: str) -> None:
    case = case_of(caller.db, WORK, MOBILE)
    look(caller)
    forbid(caller.db, HOME)
    if by == "claim":
        execute(caller.db, "DELETE FROM dialer_rule_changes")
        assert caller.claim() == []
        assert caller.case(case)["held_for"] == "do_not_call"
    look(caller)
    assert standing(caller, case) == (WORK, 2, False, 0)
    assert caller.next() == [case]
    forbid(caller.db, WORK)
    forbid(caller.db, MOBILE)
    look(caller)
    assert caller.why(case)["own_reason"] == "do_not_call"
    assert caller.claim() == []
    execute(caller.db, "DELETE FROM dialer_dnc WHERE number = :number", number=HOME)
    caller.screen()
    assert standing(caller, case) == (HOME, 1, False, 0), "it was never called: back to the first"


def test_a_case_waits_if_its_last_number_is_blocked_after_the_first_was_tried(caller: Caller) -> None:
    """It would call the first one again although it has no redials."""
    case = case_of(caller.db, WORK)
    caller.call(case, "BUSY")
    forbid(caller.db, WORK)
    look(caller)
    assert standing(caller, case)[:2] == (WORK, 2)
    assert caller.why(case)["own_reason"] == "do_not_call"


def test_a_new_number_frees_a_case_that_was_held(caller: Caller) -> None:
    case = case_of(caller.db)
    forbid(caller.db, HOME)
    look(caller)
    assert caller.case(case)["held_for"] == "do_not_call"
    add_number(caller.db, case, 2, WORK)
    look(caller)
    assert (standing(caller, case)[0], caller.case(case)["held_for"]) == (WORK, None)


# --- opt-outs and wrong numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True])
def test_an_opt_out_withdraws_the_case(caller: Caller, late: bool) -> None:
    case = case_of(caller.db, WORK, call_back=True, call_back_period="1,1")
    attempt = caller.dial(case)
    if not late:
        opt_out(caller, attempt)
    caller.finish(attempt, "MACHINE", answered=1)
    if late:
        assert not caller.case(case)["used"]
        opt_out(caller, attempt)
    assert caller.case(case)["used"]
    assert caller.claim() == []


@pytest.mark.parametrize("code", ["wrong number", " Wrong Number"])
def test_an_opt_out_of_a_wrong_number_concerns_the_number_alone(caller: Caller, code: str) -> None:
    case = case_of(caller.db, WORK)
    attempt = caller.dial(case)
    opt_out(caller, attempt)
    caller.db.value("dialer_dispose", attempt, code, caller.now)
    caller.finish(attempt, "ANSWERED", answered=1)
    assert effect(caller, attempt) == "moved"
    assert standing(caller, case) == (WORK, 2, False, 0)


def test_a_wrong_number_that_is_noted_later_moves_the_case_on_and_back(caller: Caller) -> None:
    case = case_of(caller.db, WORK)
    attempt = caller.call(case, "ANSWERED", answered=1)
    caller.forward(minutes=5)
    assert caller.db.value("dialer_dispose", attempt, "wrong number", caller.now) == "settled"
    assert (standing(caller, case), effect(caller, attempt)) == ((WORK, 2, False, 0), "moved")
    assert caller.next() == [case]
    assert caller.db.value("dialer_dispose", attempt, "sold", caller.now) == "settled"
    assert (standing(caller, case), effect(caller, attempt)) == ((HOME, 1, True, 0), "used")
    assert caller.db.value("dialer_dispose", attempt, "wrong number", caller.now) == "settled"
    assert caller.attempt(caller.call(case, "NOANSWER"))["number"] == WORK
    assert caller.db.value("dialer_dispose", attempt, "sold", caller.now) == "noted", "a later attempt has begun"


def test_which_codes_say_wrong_number_is_a_setting(caller: Caller) -> None:
    case = case_of(caller.db, WORK)
    execute(caller.db, "UPDATE dialer_settings SET value = 'WN, nobody of that name' WHERE name = 'wrong_number_codes'")
    try:
        attempt = caller.call(case, "ANSWERED", answered=1)
        assert caller.db.value("dialer_dispose", attempt, "wrong number", caller.now) == "noted"
        assert caller.db.value("dialer_dispose", attempt, "wn", caller.now) == "settled"
        assert standing(caller, case)[0] == WORK
    finally:
        execute(caller.db, "UPDATE dialer_settings SET value = 'wrong number' WHERE name = 'wrong_number_codes'")


def test_without_further_numbers_a_wrong_number_changes_nothing(caller: Caller) -> None:
    case = case_of(caller.db)
    attempt = caller.call(case, "ANSWERED", answered=1)
    assert caller.db.value("dialer_dispose", attempt, "wrong number", caller.now) == "noted"
    assert caller.case(case)["used"]


# --- rows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[("place", value) for value in (1, 0, -1, 21)],
        *[("phone_number", value) for value in ("", "030 123", "abc", "+", "1\n2", "1" * 81)],
        *[("label", value) for value in ("a\nb", "x" * 101)],
        ("case_id", 4711),
    ],
)
def test_a_bad_row_is_refused(caller: Caller, column: str, value: object) -> None:
    row = {"case_id": case_of(caller.db), "place": 2, "phone_number": WORK, "label": "", column: value}
    with pytest.raises(DBAPIError) as caught:
        execute(
            caller.db,
            "INSERT INTO dialer_case_numbers (case_id, place, phone_number, label)"
            " VALUES (:case_id, :place, :phone_number, :label)",
            **row,
        )
    assert reason(caught.value).startswith(f"dialer_case_numbers.{column} is '")
    assert caller.db.query("SELECT * FROM dialer_case_numbers") == []


def test_numbers_can_be_written_for_all_cases_at_once(caller: Caller) -> None:
    case = case_of(caller.db)
    execute(
        caller.db,
        "INSERT INTO dialer_case_numbers (case_id, place, phone_number) SELECT id, 2, '+493022' FROM dialer_clients",
    )
    caller.call(case, "BUSY")
    assert standing(caller, case)[0] == WORK


def test_nobody_but_the_dialer_begins_with_another_number(caller: Caller) -> None:
    assert standing(caller, add_case(caller.db, phone_number=HOME, number_place=2))[:2] == (HOME, 1)


def test_the_numbers_of_a_case_that_is_gone_do_no_harm_and_go(caller: Caller) -> None:
    case = case_of(caller.db, WORK)
    kept = case_of(caller.db, MOBILE, phone_number="+493012")
    execute(caller.db, "DELETE FROM dialer_clients WHERE id = :case", case=case)
    add_case(caller.db, id=case, phone_number=HOME, created=NOON - timedelta(days=1))
    assert effect(caller, caller.call(case, "BUSY")) == "used", "another case has no further number"
    add_number(caller.db, case, 2, "+493044")
    look(caller)
    rows = caller.db.query("SELECT case_id, phone_number FROM dialer_case_numbers ORDER BY case_id")
    assert [tuple(row.values()) for row in rows] == [(case, "+493044"), (kept, MOBILE)]


def test_the_story_of_every_number_has_the_case(caller: Caller) -> None:
    case = case_of(caller.db, WORK)
    caller.call(case, "BUSY")
    story = Numbers(caller.db)
    for place, number in enumerate((HOME, WORK), 1):
        [found] = story.story(number).cases
        assert (found.case_id, found.place) == (case, place)
