"""Do-not-call, limits and pauses: held where the call is permitted, explained, and over at the exact instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute, query_at
from tests.support.factories import add_attempt, add_case, add_cases, add_project, add_trunk

NUMBER = "+12025550143"


@pytest.fixture
def running(caller: Caller) -> Caller:
    """An autoinforming project that runs."""
    add_project(caller.db, sort="2:2")
    add_trunk(caller.db)
    caller.start()
    return caller


def write(caller: Caller, table: str, **columns: Any) -> None:
    names, marks = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    execute(caller.db, f"INSERT INTO {table} ({names}) VALUES ({marks})", **columns)


def dnc(caller: Caller, number: str = NUMBER, **columns: Any) -> None:
    write(caller, "dialer_dnc", number=number, **columns)


def end(caller: Caller, attempt: int, outcome: str = "NOANSWER", **facts: Any) -> None:
    """The call rang for ten seconds."""
    caller.advance(attempt, ringing=0)
    caller.forward(seconds=10)
    caller.finish(attempt, outcome, **facts)


# --- do not call --------------------------------------------------------------------------------------------------


def test_a_number_added_a_second_ago_is_not_rung(running: Caller) -> None:
    caller = running
    case = add_case(caller.db, phone_number=NUMBER)
    assert caller.claim() == [case]
    dnc(caller, reason="asked by letter")
    assert caller.refusals([case]) == ["do_not_call"]
    why = caller.why(case)
    assert (why["own_reason"], why["own_until_at"], why["next_at"]) == ("do_not_call", None, None)
    assert why["detail"] == f"dialer_dnc has {NUMBER}: asked by letter"
    assert caller.claim() == []
    assert caller.case(case)["held_for"] == "do_not_call"


@pytest.mark.parametrize(
    ("entry", "scope", "is_listed"),
    [
        (NUMBER, {}, True),
        ("+1202*", {}, True),
        (f"{NUMBER}*", {}, True),
        ("+120255501430", {}, False),
        ("+1203*", {}, False),
        (NUMBER, {"project_id": "p"}, True),
        (NUMBER, {"project_id": "q"}, False),
        (NUMBER, {"client": "acme"}, True),
        (NUMBER, {"client": "other"}, False),
        (NUMBER, {"purpose": "debt"}, True),
        (NUMBER, {"purpose": "sales"}, False),
        (NUMBER, {"region": "US"}, True),
        (NUMBER, {"region": "US-FL"}, True),
        (NUMBER, {"region": "US-GA"}, False),
        (NUMBER, {"project_id": "p", "client": "acme", "purpose": "debt", "region": "US-FL"}, True),
        (NUMBER, {"project_id": "p", "client": "acme", "purpose": "debt", "region": "CA"}, False),
        (NUMBER, {"until_at": NOON}, False),
        (NUMBER, {"from_at": NOON + timedelta(seconds=1)}, False),
        (NUMBER, {"from_at": NOON, "until_at": NOON + timedelta(seconds=1)}, True),
    ],
)
def test_an_entry_binds_what_its_scope_says(
    running: Caller, entry: str, scope: dict[str, Any], is_listed: bool
) -> None:
    caller = running
    execute(caller.db, "UPDATE dialer_params SET client = 'acme', purpose = 'debt'")
    case = add_case(caller.db, phone_number=NUMBER, region="US-FL")
    dnc(caller, entry, **scope)
    assert caller.why(case)["own_reason"] == ("do_not_call" if is_listed else None)
    assert caller.claim() == ([] if is_listed else [case])


def test_entries_that_follow_each_other_are_one_reason(running: Caller) -> None:
    caller = running
    case = add_case(caller.db, phone_number=NUMBER)
    dnc(caller, until_at=NOON + timedelta(hours=1))
    dnc(caller, "+1*", from_at=NOON + timedelta(minutes=30), until_at=NOON + timedelta(hours=2))
    dnc(caller, from_at=NOON + timedelta(hours=5))
    why = caller.why(case)
    assert (why["own_until_at"], why["next_at"]) == (NOON + timedelta(hours=2), NOON + timedelta(hours=2))


# --- limits -------------------------------------------------------------------------------------------------------


def test_a_cap_is_full_until_the_first_call_leaves_the_period(running: Caller) -> None:
    """The fourth call within 24 hours waits, to the second, and why names the law."""
    caller = running
    write(caller, "dialer_limits", most=3, period_minutes=1440, preset="us-fl")
    write(caller, "dialer_presets", preset="us-fl", source="Fla. Stat. 501.616(6)", dated="2026-11-28", sure="A")
    case = add_case(caller.db, phone_number=NUMBER, call_back=True, call_back_period="60,60,60,60")
    begun = []
    for _ in range(3):
        begun.append(caller.now)
        end(caller, caller.dial(case))
        caller.forward(minutes=60)
    why = caller.why(case)
    assert (why["own_reason"], why["own_until_at"]) == ("number_limit", begun[0] + timedelta(days=1))
    assert why["next_at"] == begun[0] + timedelta(days=1)
    assert "at most 3 attempts of the number in 1 days (us-fl: Fla. Stat. 501.616(6))" in why["detail"]
    assert caller.claim() == []
    assert caller.project()["until_at"] == begun[0] + timedelta(days=1)
    caller.now = begun[0] + timedelta(days=1) - timedelta(microseconds=1)
    assert caller.claim() == []
    caller.now = begun[0] + timedelta(days=1)
    assert caller.claim() == [case]
    assert caller.refusals([case]) == [None]


def test_a_gap_is_a_cap_of_one_over_all_projects(running: Caller) -> None:
    caller = running
    add_project(caller.db, "q")
    caller.start("q")
    write(caller, "dialer_limits", most=1, period_minutes=240)
    first = add_case(caller.db, phone_number=NUMBER)
    other = add_case(caller.db, phone_number=NUMBER, project_id="q")
    assert caller.claim(10, "q") == [other]
    begun = caller.now
    end(caller, caller.dial(first))
    assert caller.refusals([other], "q") == ["number_limit"]
    assert caller.why(other)["next_at"] == begun + timedelta(hours=4)


@pytest.mark.parametrize(
    ("outcome", "columns", "counts", "is_full"),
    [
        ("NOANSWER", {}, "attempts", True),
        ("FAILED", {"ringing_at": NOON}, "attempts", False),
        ("CANCELLED", {}, "attempts", False),
        ("CANCELLED", {"ringing_at": NOON}, "attempts", True),
        ("TECHNICAL", {"ringing_at": NOON}, "attempts", True),
        ("NOANSWER", {"ringing_at": NOON}, "connected", False),
        ("ABANDONED", {"answered_at": NOON}, "connected", True),
        ("ABANDONED", {"answered_at": NOON}, "conversations", False),
        ("MACHINE", {"answered_at": NOON}, "connected", False),
        ("ANSWERED", {"answered_at": NOON, "agent_at": NOON}, "conversations", True),
        ("ANSWERED", {"answered_at": NOON, "played_at": NOON}, "conversations", True),
        ("ANSWERED", {"answered_at": NOON}, "conversations", False),
    ],
)
def test_what_counts(running: Caller, outcome: str, columns: dict[str, Any], counts: str, is_full: bool) -> None:
    caller = running
    case = add_case(caller.db, phone_number=NUMBER)
    add_attempt(caller.db, 1, NOON - timedelta(minutes=5), outcome, phone_number=NUMBER, **columns)
    write(caller, "dialer_limits", most=1, period_minutes=60, counts=counts)
    assert caller.why(case)["own_reason"] == ("number_limit" if is_full else None)


@pytest.mark.parametrize(
    ("zone", "period", "begun", "until"),
    [
        # A Saturday night in New York; the clock there is put forward at 2:00 on Sunday.
        ("America/New_York", "day", "2026-03-08 01:30", "2026-03-08 05:00"),
        ("America/New_York", "day", "2026-03-08 06:30", "2026-03-09 04:00"),
        ("America/New_York", "week", "2026-03-08 06:30", "2026-03-09 04:00"),
        ("America/New_York", "week", "2026-03-09 04:00", "2026-03-16 04:00"),
        ("America/New_York", "month", "2026-03-31 12:00", "2026-04-01 04:00"),
        ("America/New_York", "month", "2026-12-31 12:00", "2027-01-01 05:00"),
        # Havana's clocks go from 0:00 to 1:00, and from 1:00 back to 0:00.
        ("America/Havana", "day", "2026-03-07 20:00", "2026-03-08 05:00"),
        ("America/Havana", "day", "2026-11-01 03:59", "2026-11-01 04:00"),
        ("America/Havana", "day", "2026-11-01 04:30", "2026-11-02 05:00"),
        ("+05:30", "day", "2026-06-01 12:00", "2026-06-01 18:30"),
    ],
)
def test_local_periods_end_at_the_subscriber_s_midnight(
    running: Caller, zone: str, period: str, begun: str, until: str
) -> None:
    caller = running
    at = datetime.fromisoformat(f"{begun}+00:00")
    end_at = datetime.fromisoformat(f"{until}+00:00")
    case = add_case(caller.db, phone_number=NUMBER, utc=zone)
    add_attempt(caller.db, 1, at, phone_number=NUMBER)
    write(caller, "dialer_limits", most=1, local_period=period)
    for now in (at, end_at - timedelta(microseconds=1)):
        caller.now = now
        assert caller.why(case)["own_until_at"] == end_at
    caller.now = end_at
    assert caller.why(case)["own_reason"] is None
    assert caller.db.value("dialer_period_start", zone, period, end_at) == end_at


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_a_number_that_is_listed_for_ever_has_no_next_day(running: Caller, period: str) -> None:
    caller = running
    case = add_case(caller.db, phone_number=NUMBER)
    add_attempt(caller.db, 1, NOON, phone_number=NUMBER)
    write(caller, "dialer_limits", most=1, local_period=period)
    dnc(caller)
    why = caller.why(case)
    assert (why["own_reason"], why["next_at"]) == ("do_not_call", None)
    assert caller.claim() == []
    assert caller.db.value("dialer_project_until", "p", NOON) is None


def test_a_campaign_s_limit_ends_when_somebody_raises_it(running: Caller) -> None:
    caller = running
    case = add_case(caller.db, phone_number=NUMBER)
    add_attempt(caller.db, 1, NOON - timedelta(days=300), phone_number=NUMBER)
    write(caller, "dialer_limits", most=1)
    caller.screen()
    assert (caller.why(case)["own_reason"], caller.why(case)["next_at"]) == ("number_limit", None)
    assert caller.claim() == []
    assert caller.project()["state"] == "finished"
    state = caller.db.query("SELECT reason FROM dialer_project_states WHERE project_id = 'p'")[0]
    assert state["reason"] == "rules keep back the 1 cases that are left, see dialer_why_count"
    execute(caller.db, "UPDATE dialer_limits SET most = 2")
    assert caller.db.value("dialer_screen", 10, caller.now) >= 1
    assert caller.claim() == [case]


def test_a_promise_is_kept_unless_the_rule_binds_callbacks_too(running: Caller) -> None:
    caller = running
    add_attempt(caller.db, 1, NOON - timedelta(minutes=5), phone_number=NUMBER)
    write(caller, "dialer_limits", most=1, period_minutes=60)
    case = add_case(caller.db, phone_number=NUMBER)
    caller.screen()
    assert caller.case(case)["held_for"] == "number_limit"
    execute(caller.db, "UPDATE dialer_clients SET deferred_time = :now", now=NOON)
    assert caller.case(case)["held_for"] is None, "another rule may bind a promise: they are asked afresh"
    assert caller.why(case)["own_reason"] is None
    execute(caller.db, "UPDATE dialer_limits SET callbacks = true")
    assert caller.why(case)["own_reason"] == "number_limit"


def test_a_debt_is_a_case_of_its_own(running: Caller) -> None:
    caller = running
    write(caller, "dialer_limits", keyed_by="case", most=1, period_minutes=60)
    first, second = (add_case(caller.db, phone_number=NUMBER) for _ in range(2))
    end(caller, caller.dial(first))
    execute(caller.db, "UPDATE dialer_clients SET used = false")
    assert caller.why(first)["own_reason"] == "number_limit"
    assert caller.why(second)["own_reason"] is None


# --- pauses -------------------------------------------------------------------------------------------------------


def test_a_number_rests_after_a_conversation_in_every_project_of_the_scope(running: Caller) -> None:
    caller = running
    add_project(caller.db, "q", client="other")
    caller.start("q")
    execute(caller.db, "UPDATE dialer_params SET client = 'acme' WHERE project_id = 'p'")
    write(caller, "dialer_pauses", outcome="ANSWERED", period_minutes=7 * 1440, client="acme")
    case = add_case(caller.db, phone_number=NUMBER)
    again = add_case(caller.db, phone_number=NUMBER)
    other = add_case(caller.db, phone_number=NUMBER, project_id="q")
    attempt = caller.dial(case)
    end(caller, attempt, "ANSWERED", answered=5)
    ended = caller.attempt(attempt)["ended_at"]
    why = caller.why(again)
    assert (why["own_reason"], why["own_until_at"]) == ("number_pause", ended + timedelta(days=7))
    assert caller.why(other)["own_reason"] is None
    execute(caller.db, "DELETE FROM dialer_attempts")
    assert caller.why(again)["own_reason"] == "number_pause", "whatever becomes of the ledger"
    caller.now = ended + timedelta(days=7)
    assert caller.why(again)["own_reason"] is None


def test_a_refusal_that_the_agent_notes_lets_the_number_rest(running: Caller) -> None:
    caller = running
    write(caller, "dialer_pauses", disposition="refused", period_minutes=60 * 1440)
    case, again = (add_case(caller.db, phone_number=NUMBER) for _ in range(2))
    assert caller.claim(1) == [case]
    attempt = caller.dial(case)
    end(caller, attempt, "ANSWERED", answered=5)
    assert caller.why(again)["own_reason"] is None
    caller.db.value("dialer_dispose", attempt, "refused", caller.now)
    ended = caller.attempt(attempt)["ended_at"]
    assert caller.why(again)["own_until_at"] == ended + timedelta(days=60)
    caller.db.value("dialer_dispose", attempt, None, caller.now)
    assert caller.why(again)["own_reason"] is None, "taken back"


# --- held cases ---------------------------------------------------------------------------------------------------


def test_a_claim_holds_what_rules_keep_back_and_takes_what_is_behind(running: Caller) -> None:
    caller = running
    add_cases(caller.db, [{"phone_number": f"+1202555{n:04}", "created": NOON - timedelta(days=1)} for n in range(100)])
    free = [add_case(caller.db) for _ in range(3)]
    dnc(caller, "+1202555*")
    assert caller.claim(2) == free[:2]
    held = caller.db.query("SELECT count(*) AS n FROM dialer_clients WHERE held_for = 'do_not_call'")
    assert held[0]["n"] == 100
    assert caller.next() == free
    execute(caller.db, "DELETE FROM dialer_dnc")
    assert caller.claim(2) == free[2:], "until somebody looks at them again"
    caller.screen()
    assert len(caller.claim(500)) == 100
    assert caller.db.query("SELECT 1 AS one FROM dialer_clients WHERE held_for IS NOT NULL") == []


def test_a_claim_goes_past_thousands_that_rules_keep_back_in_several_steps(running: Caller) -> None:
    caller = running
    add_cases(
        caller.db, [{"phone_number": f"+1202555{n:04}", "created": NOON - timedelta(days=1)} for n in range(2600)]
    )
    free = add_case(caller.db)
    dnc(caller, "+1202555*")
    steps = 0
    while not (claimed := caller.claim(2)):
        steps += 1
        assert caller.project()["state"] == "running", "nobody knows yet that the rest has to wait"
        assert steps < 20
    assert claimed == [free]
    assert caller.claim(2) == []
    assert caller.project()["state"] == "running"
    caller.db.call("dialer_release", caller.worker_id, "default", None)


def test_who_is_held_until_an_instant_is_claimed_at_that_instant_without_anybody_looking(running: Caller) -> None:
    caller = running
    later = NOON + timedelta(minutes=1)
    case = add_case(caller.db, phone_number=NUMBER)
    dnc(caller, until_at=later)
    caller.screen()
    assert caller.claim() == []
    assert (caller.project()["state"], caller.project()["until_at"]) == ("idle", later)
    caller.now = later
    assert caller.next() == [case]
    assert caller.claim() == [case]


def test_a_rule_that_begins_holds_its_cases_from_then_on(running: Caller) -> None:
    caller = running
    case = add_case(caller.db, phone_number=NUMBER)
    dnc(caller, from_at=NOON + timedelta(minutes=1))
    caller.screen()
    assert caller.case(case)["held_for"] is None
    caller.forward(minutes=1)
    assert caller.db.value("dialer_screen", 10, caller.now) == 1
    assert caller.case(case)["held_for"] == "do_not_call"
    assert caller.db.value("dialer_screen", 10, caller.now) == 0


def test_the_other_cases_of_a_number_that_was_called_are_looked_at(running: Caller) -> None:
    caller = running
    write(caller, "dialer_limits", most=1, period_minutes=60)
    first, second = (add_case(caller.db, phone_number=NUMBER) for _ in range(2))
    caller.screen()
    begun = caller.now
    assert caller.claim(1) == [first]
    end(caller, caller.dial(first))
    assert caller.db.value("dialer_screen", 10, caller.now) >= 1
    row = caller.case(second)
    assert (row["held_for"], row["held_until"]) == ("number_limit", begun + timedelta(hours=1))


def test_a_change_about_one_number_makes_nobody_look_at_all_the_others(running: Caller) -> None:
    caller = running
    add_cases(caller.db, [{"phone_number": f"+1202555{n:04}"} for n in range(50)])
    case = add_case(caller.db, phone_number=NUMBER)
    caller.screen()
    dnc(caller)
    assert caller.db.value("dialer_screen", 10, caller.now) <= 2
    assert caller.case(case)["held_for"] == "do_not_call"
    execute(caller.db, "UPDATE dialer_dnc SET number = '+12025550000'")
    while caller.db.value("dialer_screen", 10, caller.now):
        pass
    assert caller.case(case)["held_for"] is None
    held = caller.db.query("SELECT number FROM dialer_clients WHERE held_for = 'do_not_call'")
    assert [row["number"] for row in held] == ["+12025550000"]
    execute(caller.db, "DELETE FROM dialer_dnc")
    assert caller.db.value("dialer_screen", 10, caller.now) <= 2
    assert caller.db.query("SELECT 1 AS one FROM dialer_clients WHERE held_for IS NOT NULL") == []


def test_rules_that_have_changed_are_known_until_somebody_has_looked(running: Caller) -> None:
    caller = running
    add_case(caller.db, phone_number=NUMBER)

    def screened() -> bool:
        rows = caller.db.query("SELECT screened FROM dialer_why_count")
        return bool(rows[0]["screened"])

    caller.screen()
    assert screened()
    dnc(caller)
    assert not screened()
    caller.screen()
    assert screened()
    add_case(caller.db)
    assert not screened()


@pytest.mark.parametrize(
    ("column", "value"),
    [("phone_number", "+49301"), ("project_id", "q"), ("utc", "+3"), ("allowed_start", "09:00"), ("region", "DE")],
)
def test_what_rules_go_by_is_written_and_they_are_asked_afresh(running: Caller, column: str, value: str) -> None:
    caller = running
    case = add_case(caller.db, phone_number=NUMBER)
    dnc(caller)
    caller.screen()
    assert caller.case(case)["held_for"] == "do_not_call"
    execute(caller.db, f"UPDATE dialer_clients SET {column} = :value", value=value)
    assert caller.case(case)["held_for"] is None


# --- bad rows -----------------------------------------------------------------------------------------------------


def test_pauses_that_are_over_are_taken_away(running: Caller) -> None:
    caller = running
    for until in (NOON, NOON + timedelta(seconds=1)):
        write(
            caller,
            "dialer_number_pauses",
            number=NUMBER,
            callbacks=False,
            until_at=until,
            pause_id=1,
            attempt_id=1,
        )
    caller.db.call("dialer_prune", caller.now)
    assert [row["until_at"] for row in caller.db.query("SELECT until_at FROM dialer_number_pauses")] == [
        datetime(2026, 6, 1, 12, 0, 1, tzinfo=UTC)
    ]


def test_whose_number_no_rule_knows_is_not_asked_about(running: Caller) -> None:
    caller = running
    listed, resting, called, plain = [add_case(caller.db, phone_number=f"+1202555014{n}") for n in range(4)]
    end(caller, caller.dial(add_case(caller.db, phone_number="+12025550142")))
    caller.db.call("dialer_release", caller.worker_id, caller.asterisk, "p")

    def holdable() -> set[int]:
        found = query_at(caller.db, caller.dialect, caller.now, "SELECT case_id FROM dialer_holdable")
        assert plain not in {row["case_id"] for row in found}
        return {row["case_id"] for row in found}

    # Rules that are new, and that no claim has come across: what a claim has held is among them in any case.
    assert holdable() == set()
    dnc(caller, "+12025550140")
    assert holdable() == {listed}
    rest = {"until_at": caller.now + timedelta(days=1), "callbacks": True, "pause_id": 1, "attempt_id": 1}
    write(caller, "dialer_number_pauses", number="+12025550141", **rest)
    assert holdable() == {listed, resting}
    write(caller, "dialer_limits", most=1, period_minutes=60)
    assert holdable() == {listed, resting, called}


def test_a_rule_of_a_project_or_client_that_is_none_is_warned_about(running: Caller) -> None:
    caller = running
    execute(caller.db, "UPDATE dialer_params SET client = 'acme'")
    for scope in ({"project_id": "p"}, {"client": "acme"}, {}):
        dnc(caller, **scope)
    first = {}
    for name, value in (("project_id", "sprang"), ("client", "akme")):
        dnc(caller, **{name: value})
        first[name] = caller.db.query("SELECT max(id) AS id FROM dialer_dnc")[0]["id"]
    dnc(caller, "+1203*", client="akme")
    write(caller, "dialer_hours", project_id="sprang", weekdays="Mo-Su", starts="9:00", stops="20:00")
    warnings = caller.db.query("SELECT * FROM dialer_warnings WHERE kind = 'rule_without_project' ORDER BY detail")
    assert [(row["id"], row["detail"]) for row in warnings if "dialer_dnc" in row["detail"]] == [
        (
            first["project_id"],
            "1 rows of dialer_dnc are of project sprang, which has no row in dialer_params: they bind nobody",
        ),
        (first["client"], "2 rows of dialer_dnc are of client akme, which no project has: they bind nobody"),
    ]
    assert [row["detail"].split(",")[0] for row in warnings] == [
        "1 rows of dialer_dnc are of project sprang",
        "1 rows of dialer_hours are of project sprang",
        "2 rows of dialer_dnc are of client akme",
    ]
