"""Who counts as abandoned, with and without AMD, and the 72 hours in which such a number is called only with an agent
guaranteed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute, query_at
from tests.support.factories import add_case, add_project, add_trunk
from worker.db.database import Row

NUMBER = "+49301"
UNTIL = NOON + timedelta(hours=72)
MEMBER = '[{"queue": "p", "interface": "PJSIP/a", "name": "Ann", "state": "%s", "since": 0}]'


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db, type="predictive")
    add_trunk(caller.db)
    caller.start()


def answered(caller: Caller, outcome: str, answered: float = 10, **facts: Any) -> Row:
    """A call that was answered so many seconds before now, and has ended."""
    attempt = caller.dial(add_case(caller.db))
    caller.forward(seconds=60)
    caller.finish(attempt, outcome, answered=answered, **facts)
    return caller.attempt(attempt)


def abandon(caller: Caller, **columns: Any) -> int:
    """A case whose number is abandoned now; brought back, so that only that stands in its way."""
    case = add_case(caller.db, **columns)
    attempt = caller.dial(case)
    caller.finish(attempt, "ABANDONED", answered=0)
    execute(caller.db, "UPDATE dialer_clients SET used = false WHERE id = :id AND used", id=case)
    return case


def protected(caller: Caller) -> dict[str, datetime]:
    rows = caller.db.query("SELECT number, until_at FROM dialer_abandoned")
    return {row["number"]: row["until_at"] for row in rows}


# --- what counts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "facts", "counts_as"),
    [
        ("ABANDONED", {}, "abandoned"),
        ("ANSWERED", {"agent": 9}, "connected"),
        ("ANSWERED", {"agent": 8}, "connected"),
        ("ANSWERED", {"agent": 7.9}, "abandoned"),
        ("EARLY_HANGUP", {"ended": 9}, None),
        ("MACHINE", {}, None),
        ("MACHINE", {"agent": 9}, None),
        ("LOST", {}, "lost"),
    ],
)
def test_what_an_attempt_counts_as(
    caller: Caller, outcome: str, facts: dict[str, float], counts_as: str | None
) -> None:
    row = answered(caller, outcome, **facts)
    assert row["counts_as"] == counts_as
    assert (row["abandoned_at"] is not None) == (counts_as == "abandoned")


@pytest.mark.parametrize("outcome", ["BUSY", "NOANSWER", "FAILED", "CANCELLED"])
def test_who_did_not_answer_counts_as_nothing(caller: Caller, outcome: str) -> None:
    assert caller.attempt(caller.call(add_case(caller.db), outcome))["counts_as"] is None


def test_a_call_counts_only_when_it_has_ended(caller: Caller) -> None:
    attempt = caller.dial(add_case(caller.db))
    caller.advance(attempt, answered=3, agent=2)
    assert caller.attempt(attempt)["counts_as"] is None


# --- AMD --------------------------------------------------------------------------------------------------------


def test_the_verdict_and_its_instant_are_kept_and_the_first_one_stands(caller: Caller) -> None:
    attempt = caller.dial(add_case(caller.db))
    caller.advance_amd(attempt, "HUMAN", answered=3, amd=1)
    caller.forward(seconds=1)
    caller.advance_amd(attempt, "MACHINE", amd=0)
    row = caller.attempt(attempt)
    assert (row["state"], row["amd_verdict"], row["amd_at"]) == ("answered", "HUMAN", NOON - timedelta(seconds=1))
    caller.finish(attempt, "ANSWERED", agent=0, verdict="NOTSURE")
    assert caller.attempt(attempt)["amd_verdict"] == "HUMAN"
    shown = caller.db.query("SELECT amd_at, amd_verdict FROM dialer_stat_attempt")[0]
    assert (shown["amd_verdict"], shown["amd_at"]) == ("HUMAN", row["amd_at"])


def test_a_verdict_may_come_with_the_end(caller: Caller) -> None:
    row = answered(caller, "MACHINE", amd=8, verdict="MACHINE")
    assert (row["amd_verdict"], row["amd_at"]) == ("MACHINE", caller.now - timedelta(seconds=8))


@pytest.mark.parametrize("verdict", ["HUMAN", "NOTSURE"])
def test_patience_begins_with_the_completed_greeting(caller: Caller, verdict: str) -> None:
    """16 CFR 310.4(b)(4)(iii): within two seconds of the called person's completed greeting."""
    in_time = answered(caller, "ANSWERED", amd=7, agent=5, verdict=verdict)
    assert in_time["counts_as"] == "connected", "five seconds after the answer, two after the greeting"
    late = answered(caller, "ANSWERED", amd=7, agent=4.9, verdict=verdict)
    assert late["counts_as"] == "abandoned"
    assert late["abandoned_at"] == late["amd_at"] + timedelta(seconds=2)
    gone = answered(caller, "ABANDONED", amd=7, verdict=verdict)
    assert gone["abandoned_at"] == gone["amd_at"] + timedelta(seconds=2)


def test_who_hung_up_while_amd_listened_waited_from_the_answer_on(caller: Caller) -> None:
    row = answered(caller, "ABANDONED", amd=6, ended=6, verdict="HANGUP")
    assert row["abandoned_at"] == row["answered_at"] + timedelta(seconds=2)


@pytest.mark.parametrize("outcome", ["ABANDONED", "EARLY_HANGUP", "ANSWERED"])
def test_what_amd_took_for_a_machine_is_one_and_never_abandoned(caller: Caller, outcome: str) -> None:
    row = answered(caller, outcome, amd=8, verdict="MACHINE")
    assert (row["outcome"], row["abandoned_at"], row["counts_as"]) == ("MACHINE", None, None)
    assert protected(caller) == {}
    stat = caller.stat(row["case_id"])
    assert stat is not None
    assert stat["state"] == "MACHINE"


def test_a_machine_that_did_not_answer_is_none(caller: Caller) -> None:
    """A verdict without a word about the end changes no other outcome."""
    assert answered(caller, "LOST", amd=8, verdict="MACHINE")["outcome"] == "LOST"


def test_an_unknown_verdict_is_refused(caller: Caller) -> None:
    attempt = caller.dial(add_case(caller.db))
    with pytest.raises(Exception, match="amd_verdict"):
        caller.advance_amd(attempt, "PARROT", amd=0)


def test_who_takes_over_an_asterisk_learns_the_verdict(caller: Caller) -> None:
    attempt = caller.dial(add_case(caller.db))
    caller.advance_amd(attempt, "NOTSURE", answered=3, amd=1.5)
    row = caller.db.call("dialer_open_attempts", "default", caller.now)[0]
    assert (row["amd_verdict"], row["amd_ago"]) == ("NOTSURE", 1.5)


@pytest.mark.parametrize(("period", "minutes"), [(None, 30), (240, 240)])
def test_machines_have_a_period_of_their_own(caller: Caller, period: int | None, minutes: int) -> None:
    execute(caller.db, "UPDATE dialer_params SET machine_period = :period", period=period)
    case = add_case(caller.db, call_back=True, call_back_period="30,60")
    caller.call(case, "MACHINE")
    row = caller.case(case)
    assert (row["deferred_kind"], row["deferred_time"]) == ("redial", NOON + timedelta(minutes=minutes))
    caller.now = row["deferred_time"]
    caller.call(case, "BUSY")
    assert caller.case(case)["deferred_time"] == caller.now + timedelta(minutes=60), "others go by the list"


def test_the_list_says_how_many_redials_there_are_after_machines_too(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET machine_period = 5")
    case = add_case(caller.db, call_back=True, call_back_period="30")
    caller.call(case, "MACHINE")
    caller.now = caller.case(case)["deferred_time"]
    caller.call(case, "MACHINE")
    assert caller.case(case)["used"]
    without = add_case(caller.db)
    caller.call(without, "MACHINE")
    assert caller.case(without)["used"]


# --- 72 hours ---------------------------------------------------------------------------------------------------


def test_an_abandoned_number_is_remembered_for_72_hours_from_then(caller: Caller) -> None:
    case = add_case(caller.db, phone_number=NUMBER)
    attempt = caller.dial(case)
    caller.forward(seconds=10)
    caller.finish(attempt, "ABANDONED", answered=9)
    assert caller.db.query("SELECT * FROM dialer_abandoned") == [
        {"number": NUMBER, "until_at": UNTIL + timedelta(seconds=3), "project_id": "p", "attempt_id": attempt}
    ]


def test_a_call_whose_agent_came_too_late_is_remembered_as_well(caller: Caller) -> None:
    answered(caller, "ANSWERED", agent=7)
    assert len(protected(caller)) == 1


@pytest.mark.parametrize(
    ("outcome", "facts"), [("ANSWERED", {"agent": 9}), ("EARLY_HANGUP", {"ended": 9}), ("LOST", {})]
)
def test_other_ends_protect_no_number(caller: Caller, outcome: str, facts: dict[str, float]) -> None:
    answered(caller, outcome, **facts)
    assert protected(caller) == {}


@pytest.mark.parametrize(("hours", "expected"), [("1.5", 1.5), ("0", 0), ("a while", 72), ("-1", 72), ("9999999", 72)])
def test_the_hours_are_a_setting_and_nonsense_is_not_believed(caller: Caller, hours: str, expected: float) -> None:
    def write(value: str) -> None:
        with caller.dialect.unchecked(caller.db, "dialer_settings"):
            execute(caller.db, "UPDATE dialer_settings SET value = :value WHERE name = 'abandoned_hours'", value=value)

    write(hours)
    try:
        abandon(caller, phone_number=NUMBER)
        assert protected(caller) == {NUMBER: NOON + timedelta(hours=expected)}
    finally:
        write("72")


def test_the_later_end_stands_whatever_the_order_of_reports(caller: Caller) -> None:
    abandon(caller, phone_number=NUMBER)
    second = add_case(caller.db, phone_number=NUMBER)
    attempt = caller.dial(second)
    caller.forward(hours=1)
    caller.finish(attempt, "ABANDONED", answered=7200)
    assert protected(caller) == {NUMBER: UNTIL}, "told late: it was abandoned before the other"
    third = add_case(caller.db, phone_number=NUMBER)
    attempt = caller.dial(third)
    caller.finish(attempt, "ABANDONED", answered=0)
    row = caller.db.query("SELECT * FROM dialer_abandoned")[0]
    assert (row["until_at"], row["attempt_id"]) == (UNTIL + timedelta(hours=1), attempt)


def test_without_a_guarantee_the_number_is_not_called_and_put_off(caller: Caller) -> None:
    case = abandon(caller, phone_number=NUMBER)
    caller.claim()
    assert caller.refusals([case], guaranteed=False) == ["number_abandoned"]
    assert caller.db.query("SELECT * FROM dialer_live") == []
    assert caller.db.query("SELECT * FROM dialer_claims") == []
    row = caller.case(case)
    assert (row["checked"], row["not_before_at"]) == (False, caller.now + timedelta(minutes=5))
    why = caller.why(case)
    assert (why["reason"], why["until_at"]) == ("delayed", row["not_before_at"])
    assert "abandoned this number" in why["detail"]
    assert caller.claim() == []
    caller.forward(minutes=5)
    assert caller.claim() == [case]
    assert caller.refusals([case], guaranteed=True) == [None]


def test_a_request_without_a_word_about_it_gives_no_guarantee(caller: Caller) -> None:
    case = abandon(caller, phone_number=NUMBER)
    caller.claim()
    text = f'[{{"case_id": {case}, "channel_id": "c", "action_id": "a"}}]'
    assert caller.db.call("dialer_attempt_begin", *caller.owner, "p", text, caller.now)[0]["refusal"] == (
        "number_abandoned"
    )


def test_the_number_is_protected_not_the_case_nor_the_project(caller: Caller) -> None:
    abandon(caller, phone_number=NUMBER)
    add_project(caller.db, "q", type="progressive")
    caller.start("q")
    other = add_case(caller.db, project_id="q", phone_number=NUMBER)
    free = add_case(caller.db, project_id="q")
    caller.claim(project="q")
    assert caller.refusals([other, free], "q", guaranteed=False) == ["number_abandoned", None]


def test_after_the_72_hours_it_is_a_number_like_any_other(caller: Caller) -> None:
    case = abandon(caller, phone_number=NUMBER)
    caller.now = UNTIL - timedelta(seconds=1)
    caller.claim()
    assert caller.refusals([case], guaranteed=False) == ["number_abandoned"]
    assert caller.case(case)["not_before_at"] == UNTIL, "not put off for longer than that"
    caller.now = UNTIL
    caller.claim()
    assert caller.refusals([case], guaranteed=False) == [None]


def test_a_claim_says_that_the_number_is_protected(caller: Caller) -> None:
    case = abandon(caller, phone_number=NUMBER)
    fresh = add_case(caller.db)
    rows = caller.db.call("dialer_claim", *caller.owner, "p", 10, caller.now)
    assert {row["case_id"]: bool(row["guarded"]) for row in rows} == {case: True, fresh: False}
    caller.db.call("dialer_release", caller.worker_id, "default", None)
    rows = caller.db.call("dialer_claim", *caller.owner, "p", 10, UNTIL)
    assert not any(row["guarded"] for row in rows)


def test_a_project_without_agents_leaves_the_number_alone_until_then(caller: Caller) -> None:
    abandon(caller, phone_number=NUMBER)
    add_project(caller.db, "i")
    caller.start("i")
    case = add_case(caller.db, project_id="i", phone_number=NUMBER, deferred_time=NOON)
    why = caller.why(case)
    assert (why["reason"], why["until_at"]) == ("number_abandoned", UNTIL)
    assert caller.claim(project="i") == []
    caller.now = UNTIL
    assert caller.claim(project="i") == [case]
    # Abandoned again since.
    execute(caller.db, "UPDATE dialer_abandoned SET until_at = :until", until=UNTIL + timedelta(hours=1))
    assert caller.refusals([case], "i", guaranteed=True) == ["number_abandoned"], "there is none to be guaranteed"
    row = caller.case(case)
    assert (row["not_before_at"], row["checked"]) == (None, False)
    assert (row["deferred_kind"], row["deferred_done"]) == ("scheduled", False), "the promise is still to be kept"
    assert caller.claim(project="i") == []
    caller.now = UNTIL + timedelta(hours=1)
    assert caller.claim(project="i") == [case]
    assert caller.refusals([case], "i") == [None]


def test_why_says_what_a_protected_number_waits_for(caller: Caller) -> None:
    case = abandon(caller, phone_number=NUMBER)
    assert caller.why(case)["reason"] == "no_agent"
    caller.db.call("dialer_agents_write", *caller.owner, MEMBER % "free", caller.now)
    assert caller.why(case)["reason"] == "queued"
    call = caller.dial(add_case(caller.db))
    caller.db.call("dialer_release", caller.worker_id, "default", None)
    why = caller.why(case)
    assert (why["reason"], why["until_at"]) == ("pacing", UNTIL)
    assert "agents are free" in why["detail"]
    caller.advance(call, answered=0, agent=0)
    assert caller.why(case)["reason"] == "queued", "that one has its agent"


# --- what has expired -------------------------------------------------------------------------------------------


def test_expired_numbers_are_deleted_and_others_not(caller: Caller) -> None:
    abandon(caller, phone_number="1")
    caller.forward(hours=1)
    abandon(caller, phone_number="2")
    caller.db.call("dialer_prune", UNTIL)
    assert protected(caller).keys() == {"2"}


def test_reap_deletes_what_has_expired_by_the_databases_clock(caller: Caller) -> None:
    abandon(caller, phone_number="1")
    caller.db.call("dialer_reap")
    assert protected(caller).keys() == {"1"}, "on a virtual clock the database's says nothing"
    execute(caller.db, "UPDATE dialer_settings SET value = 'false' WHERE name = 'virtual_clock'")
    execute(caller.db, "UPDATE dialer_abandoned SET until_at = '2026-01-01'")
    add = "INSERT INTO dialer_abandoned (number, until_at, project_id, attempt_id) VALUES ('2', :at, 'p', 1)"
    execute(caller.db, add, at=datetime(2037, 1, 1).astimezone())
    caller.db.call("dialer_reap")
    assert protected(caller).keys() == {"2"}


def test_the_rates_of_all_views_are_the_ledgers(caller: Caller) -> None:
    answered(caller, "ABANDONED")
    answered(caller, "ABANDONED", amd=8, verdict="MACHINE")
    answered(caller, "ANSWERED", agent=9)
    answered(caller, "ANSWERED", amd=5, agent=4, verdict="HUMAN")
    answered(caller, "ANSWERED", agent=1)
    answered(caller, "LOST")
    for view in ("dialer_stat_project", "dialer_stat_hour", "dialer_stat_day"):
        row = query_at(caller.db, caller.dialect, caller.now, f"SELECT * FROM {view}")[0]
        assert (row["abandoned"], float(row["abandon_rate"]), row["lost"]) == (2, 0.5, 1), view
        assert (row["connected"], row["talked"]) == (2, 3), f"{view}: a late agent talks to somebody who is abandoned"
    row = query_at(caller.db, caller.dialect, caller.now, "SELECT * FROM dialer_stat_pacing")[0]
    assert (row["day_connected"], row["day_abandoned"], float(row["day_rate"])) == (2, 2, 0.5)
