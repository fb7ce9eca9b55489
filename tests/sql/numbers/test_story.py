"""The story of a number, over all projects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute
from tests.support.factories import add_case, add_project, add_trunk
from worker.db.routines.numbers import Numbers
from worker.errors import NoNumber, UnknownCountry
from worker.figures import NextCall, NumberStory

NUMBER = "+74951234567"


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()


def story(caller: Caller, number: str = NUMBER, **options: Any) -> NumberStory:
    return Numbers(caller.db).story(number, **options)


def insert(caller: Caller, table: str, **values: Any) -> int:
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    execute(caller.db, f"INSERT INTO {table} ({names}) VALUES ({places})", **values)
    return int(caller.db.query(f"SELECT max(id) AS id FROM {table}")[0]["id"])


@pytest.mark.parametrize(
    "written", ["+7 (495) 123-45-67", "84951234567", "8 495 123 45 67", "007 495 123.45.67", NUMBER]
)
def test_a_number_may_be_written_in_any_form(caller: Caller, written: str) -> None:
    execute(caller.db, "UPDATE dialer_settings SET value = 'RU' WHERE name = 'country'")
    try:
        assert Numbers(caller.db).form(written) == NUMBER
    finally:
        execute(caller.db, "UPDATE dialer_settings SET value = '' WHERE name = 'country'")


def test_without_a_country_it_is_compared_as_written(caller: Caller) -> None:
    assert Numbers(caller.db).form("8 495 123-45-67") == "84951234567"


def test_it_is_read_by_the_country_that_is_named(caller: Caller) -> None:
    assert Numbers(caller.db).form("8 495 123-45-67", "RU") == NUMBER
    with pytest.raises(UnknownCountry, match="no numbering plan of 'XX'"):
        Numbers(caller.db).form(NUMBER, "XX")


@pytest.mark.parametrize("written", ["", "anna", "+", "12a", "\u0661\u0662"])
def test_what_is_no_number_is_refused(caller: Caller, written: str) -> None:
    with pytest.raises(NoNumber, match="no telephone number"):
        Numbers(caller.db).form(written)


def test_of_an_unknown_number_nothing_is_told(caller: Caller) -> None:
    add_case(caller.db)
    found = story(caller)
    assert (found.number, found.cases, found.attempts, found.rules, found.next) == (NUMBER, [], [], [], [])


def test_each_case_tells_its_reason_and_each_project_when_it_may_ring(caller: Caller) -> None:
    now = datetime.now(UTC)
    add_project(caller.db, "q")
    first = add_case(caller.db, phone_number=NUMBER, deferred_time=now + timedelta(hours=3))
    second = add_case(caller.db, phone_number=NUMBER, deferred_time=now + timedelta(hours=2), case_name="Anna")
    used = add_case(caller.db, phone_number=NUMBER, used=True)
    other = add_case(caller.db, phone_number=NUMBER, used=True, project_id="q")
    found = story(caller)
    by_id = {case.case_id: case for case in found.cases}
    assert by_id.keys() == {first, second, used, other}
    assert (by_id[used].reason, by_id[used].next_at) == ("used", None)
    assert (by_id[second].reason, by_id[second].case_name) == ("scheduled", "Anna")
    assert by_id[second].until_at == by_id[second].next_at == now + timedelta(hours=2)
    p, q = found.next
    assert (p.project_id, p.at, p.reason) == ("p", now + timedelta(hours=2), "scheduled"), "the earlier of the two"
    assert (q.project_id, q.at, q.reason) == ("q", None, "used")


def test_a_case_with_it_as_a_further_number_belongs_to_its_story(caller: Caller) -> None:
    case = add_case(caller.db, phone_number="+74950000000")
    further(caller, case, NUMBER)
    [found] = story(caller).cases
    assert (found.case_id, found.place, found.phone_number) == (case, 2, "+74950000000")


def further(caller: Caller, case: int, number: str) -> None:
    execute(
        caller.db,
        "INSERT INTO dialer_case_numbers (case_id, place, phone_number) VALUES (:case, 2, :number)",
        case=case,
        number=number,
    )


def test_a_number_that_is_not_to_be_called_is_never_rung_though_its_case_goes_on(caller: Caller) -> None:
    case = add_case(caller.db, phone_number=NUMBER)
    further(caller, case, "+4930222")
    entry = insert(caller, "dialer_dnc", number=NUMBER)
    caller.screen()
    found = story(caller)
    assert found.next == [NextCall("p", None, "do_not_call", f"dialer_dnc {entry}")]
    assert [one.dialled for one in found.cases] == ["+4930222"]
    assert story(caller, "+4930222").next[0].reason == "queued"


def test_a_number_behind_another_one_says_which_is_called_first(caller: Caller) -> None:
    case = add_case(caller.db, phone_number="+4930222")
    further(caller, case, NUMBER)
    [found] = story(caller).next
    assert (found.reason, found.detail) == ("other_number", f"case {case} on +4930222")


def test_a_stopped_project_makes_nobody_call_a_number_that_is_not_to_be_called(caller: Caller) -> None:
    add_case(caller.db, phone_number=NUMBER)
    insert(caller, "dialer_dnc", number=NUMBER, until_at="2020-01-01 00:00:00")
    insert(caller, "dialer_dnc", number=NUMBER, from_at="2037-01-01 00:00:00")
    entry = insert(caller, "dialer_dnc", number="+7495*")
    caller.db.call("dialer_project_stop", "p")
    assert story(caller).next == [NextCall("p", None, "do_not_call", f"dialer_dnc {entry}")]


def test_each_attempt_is_told_those_under_way_too_the_latest_first(caller: Caller) -> None:
    insert(caller, "dialer_caller_ids", caller_id="Us <+4930111>", project_id="p")
    case = add_case(caller.db, phone_number=NUMBER, call_back=True, call_back_period="1,1")
    add_case(caller.db)
    first = caller.call(case, "BUSY")
    caller.forward(minutes=2)
    second = caller.dial(case)
    caller.advance(second, ringing=0)
    found = story(caller).attempts
    assert [one.attempt_id for one in found] == [second, first]
    assert (found[0].outcome, found[0].state, found[0].ended_at) == (None, "ringing", None)
    assert (found[1].outcome, found[1].begun_at, found[1].caller_id) == ("BUSY", NOON, "+4930111")
    assert [one.attempt_id for one in story(caller, attempts=1).attempts] == [second]
    assert story(caller).next[0].at is None, "the call is up"
    assert story(caller).next[0].reason == "in_call"
    caller.finish(second, "ANSWERED", answered=65, agent=60, agent_name="PJSIP/anna")
    execute(caller.db, "UPDATE dialer_attempts SET disposition = 'sold'")
    [latest, _] = story(caller).attempts
    assert (latest.agent, latest.disposition, latest.talk_seconds) == ("PJSIP/anna", "sold", 60)


def test_do_not_call_is_told_by_number_and_prefix_in_force_or_not(caller: Caller) -> None:
    add_case(caller.db, phone_number=NUMBER)
    exact = insert(caller, "dialer_dnc", number=NUMBER, reason="asked us")
    prefix = insert(caller, "dialer_dnc", number="+7495*", project_id="p")
    over = insert(caller, "dialer_dnc", number="+7*", until_at="2020-01-01 00:00:00")
    others = insert(caller, "dialer_dnc", number=NUMBER, project_id="another")
    insert(caller, "dialer_dnc", number="+7496*")
    insert(caller, "dialer_dnc", number=f"{NUMBER}0")
    insert(caller, "dialer_dnc", number=f"{NUMBER}0*")
    found = story(caller).rules
    assert [(one.kind, one.rule_id, one.project_id) for one in found] == [
        ("do_not_call", exact, "p"),
        ("do_not_call", prefix, "p"),
        ("do_not_call", over, "p"),
        ("do_not_call", others, None),
    ]
    assert (found[0].number, found[0].reason) == (NUMBER, "asked us")
    assert found[2].until_at == datetime(2020, 1, 1, tzinfo=UTC)


def test_do_not_call_is_told_of_a_number_that_nobody_has(caller: Caller) -> None:
    row = insert(caller, "dialer_dnc", number="+74*")
    assert [(one.rule_id, one.project_id) for one in story(caller).rules] == [(row, None)]


def test_limits_and_pauses_are_told_for_the_projects_in_their_scope(caller: Caller) -> None:
    add_project(caller.db, "q", client="acme", purpose="debt")
    add_project(caller.db, "without it")
    add_case(caller.db, phone_number=NUMBER, region="US-FL")
    add_case(caller.db, phone_number=NUMBER, region="US-TX")
    add_case(caller.db, phone_number=NUMBER, project_id="q", used=True)
    everybody = insert(caller, "dialer_limits", most=3, period_minutes=1440, preset="us-fl")
    florida = insert(caller, "dialer_limits", most=2, local_period="day", region="US-FL")
    country = insert(caller, "dialer_limits", most=1, region="US", callbacks=True)
    insert(caller, "dialer_limits", most=1, project_id="without it")
    insert(caller, "dialer_limits", most=1, region="US-F")
    debt = insert(caller, "dialer_pauses", outcome="ANSWERED", period_minutes=10080, purpose="debt", client="acme")
    insert(caller, "dialer_pauses", disposition="refused", period_minutes=86400, purpose="debt", client="other")
    found = story(caller).rules
    assert [(one.kind, one.rule_id, one.project_id) for one in found] == [
        ("limit", everybody, "p"),
        ("limit", everybody, "q"),
        ("limit", florida, "p"),
        ("limit", country, "p"),
        ("pause", debt, "q"),
    ]
    assert (found[0].most, found[0].period_minutes, found[0].preset, found[0].callbacks) == (3, 1440, "us-fl", False)
    assert (found[3].callbacks, found[4].outcome, found[4].period_minutes) == (True, "ANSWERED", 10080)


def test_a_pause_that_is_running_is_told_for_the_projects_in_its_scope(caller: Caller) -> None:
    until, over = datetime(2035, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    add_project(caller.db, "q", purpose="debt")
    for project in ("p", "q"):
        add_case(caller.db, phone_number=NUMBER, project_id=project)
    running = {"pause_id": 5, "attempt_id": 7, "callbacks": False}
    insert(caller, "dialer_number_pauses", number=NUMBER, until_at=until, purpose="debt", **running)
    insert(caller, "dialer_number_pauses", number=NUMBER, until_at=over, **running)
    insert(caller, "dialer_number_pauses", number="+7495", until_at=until, **running)
    [found] = story(caller).rules
    assert (found.kind, found.rule_id, found.project_id, found.attempt_id) == ("rest", 5, "q", 7)
    assert (found.until_at, found.callbacks) == (until, False)


def test_an_abandoned_number_is_told_while_it_counts(caller: Caller) -> None:
    until, over = datetime(2035, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    for number, at in ((NUMBER, until), ("+7495", until), ("+74951", over)):
        execute(
            caller.db,
            "INSERT INTO dialer_abandoned (number, until_at, project_id, attempt_id) VALUES (:number, :at, 'p', 7)",
            number=number,
            at=at,
        )
    [found] = story(caller).rules
    assert (found.kind, found.project_id, found.attempt_id, found.until_at) == ("abandoned", "p", 7, until)
    assert story(caller, "+74951").rules == []
