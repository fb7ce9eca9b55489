"""Retry rules: when a case is called again after an outcome or a disposition, how often, in which part of the day."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.caller import NOON, Caller, at
from tests.support.dialects import Dialect, execute, listen
from tests.support.factories import add_case, add_project, add_retry, add_trunk
from worker.db import Database
from worker.db.database import reason


@pytest.fixture(autouse=True)
def trunk(caller: Caller) -> None:
    add_trunk(caller.db)


@pytest.fixture
def project(caller: Caller) -> None:
    """Project 'p', started."""
    add_project(caller.db)
    caller.start()


def dispose(caller: Caller, attempt: int, code: str | None) -> str:
    """Write the agent's code; the answer."""
    return str(caller.db.value("dialer_dispose", attempt, code, caller.now))


def due(caller: Caller, case: int) -> datetime | None:
    """When the case is redialled; None: it is used up."""
    row = caller.case(case)
    if row["used"]:
        return None
    assert row["deferred_kind"] == "redial", row
    assert not row["deferred_done"], row
    instant: datetime = row["deferred_time"]
    return instant


def redial(caller: Caller, case: int, outcome: str, **facts: Any) -> int:
    """Wait for the redial that is due, and make it."""
    instant = due(caller, case)
    assert instant is not None
    caller.now = max(caller.now, instant)
    return caller.call(case, outcome, **facts)


pytestmark = pytest.mark.usefixtures("project")


def test_a_row_calls_a_case_again_that_has_no_list_so_many_times(caller: Caller) -> None:
    add_retry(caller.db, outcome="BUSY", period_minutes=5, most=3)
    case = add_case(caller.db, call_back=False)
    caller.call(case, "BUSY", ended=20, ringing=30)
    assert due(caller, case) == NOON - timedelta(seconds=20) + timedelta(minutes=5)
    for _ in range(3):
        redial(caller, case, "BUSY")
    assert due(caller, case) is None
    stat = caller.stat(case)
    assert stat is not None
    assert stat["dial_count"] == 4


def test_each_outcome_is_counted_for_itself(caller: Caller) -> None:
    add_retry(caller.db, outcome="BUSY", period_minutes=5, most=1)
    add_retry(caller.db, outcome="NOANSWER", period_minutes=120, most=1)
    case = add_case(caller.db)
    caller.call(case, "BUSY")
    redial(caller, case, "NOANSWER")
    assert due(caller, case) == caller.now + timedelta(hours=2)
    redial(caller, case, "BUSY")
    assert due(caller, case) is None, "the second BUSY"


def test_an_outcome_without_a_row_uses_the_case_up(caller: Caller) -> None:
    add_retry(caller.db, outcome="BUSY", period_minutes=5)
    case = add_case(caller.db, call_back=True)
    caller.call(case, "NOANSWER")
    assert due(caller, case) is None


def test_what_the_list_never_calls_again_a_row_may(caller: Caller) -> None:
    add_retry(caller.db, outcome="ANSWERED", period_minutes=60, most=1)
    case = add_case(caller.db, call_back=True, call_back_period="1")
    caller.call(case, "ANSWERED", answered=0)
    assert due(caller, case) == caller.now + timedelta(hours=1)


def test_the_case_s_list_comes_before_the_outcome_s_row(caller: Caller) -> None:
    add_retry(caller.db, outcome="BUSY", period_minutes=5)
    case = add_case(caller.db, call_back=True, call_back_period="30,40")
    caller.call(case, "BUSY")
    assert due(caller, case) == caller.now + timedelta(minutes=30)
    redial(caller, case, "BUSY")
    assert due(caller, case) == caller.now + timedelta(minutes=40)
    redial(caller, case, "BUSY")
    assert due(caller, case) is None, "the list has no more, and the row is not asked"


def test_after_a_machine_the_row_says_how_long_and_the_list_how_often(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET machine_period = 77")
    case = add_case(caller.db, call_back=True, call_back_period="30,40")
    caller.call(case, "MACHINE", answered=0)
    assert due(caller, case) == caller.now + timedelta(minutes=77)
    add_retry(caller.db, outcome="MACHINE", period_minutes=1440)
    redial(caller, case, "MACHINE", answered=0)
    assert due(caller, case) == caller.now + timedelta(days=1)
    redial(caller, case, "MACHINE", answered=0)
    assert due(caller, case) is None


def test_machine_period_alone_calls_nobody_without_a_list(caller: Caller) -> None:
    """It has no `most`: a list that was called once before would be called for ever."""
    execute(caller.db, "UPDATE dialer_params SET machine_period = 77")
    case = add_case(caller.db)
    caller.call(case, "MACHINE", answered=0)
    assert due(caller, case) is None


def test_most_attempts_caps_lists_and_rows_together_until_the_case_is_brought_back(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET most_attempts = 3")
    add_retry(caller.db, outcome="INVALID", period_minutes=5)
    case = add_case(caller.db, call_back=True, call_back_period="1,1,1,1,1")
    caller.call(case, "BUSY")
    redial(caller, case, "INVALID", ringing=0)
    redial(caller, case, "BUSY")
    assert due(caller, case) is None
    execute(caller.db, "UPDATE dialer_clients SET used = false WHERE id = :id", id=case)
    caller.call(case, "BUSY")
    assert due(caller, case) is not None


def test_a_promise_begins_the_count_of_outcomes_anew_but_not_that_of_all_calls(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET most_attempts = 4")
    add_retry(caller.db, outcome="BUSY", period_minutes=5, most=1)
    case = add_case(caller.db)
    caller.call(case, "BUSY")
    promised = caller.now + timedelta(hours=1)
    execute(caller.db, "UPDATE dialer_clients SET deferred_time = :at WHERE id = :id", at=promised, id=case)
    caller.now = promised
    caller.call(case, "BUSY")
    assert due(caller, case) == promised + timedelta(minutes=5)
    promised = caller.now + timedelta(hours=1)
    execute(caller.db, "UPDATE dialer_clients SET deferred_time = :at WHERE id = :id", at=promised, id=case)
    caller.now = promised
    caller.call(case, "BUSY")
    redial(caller, case, "NOANSWER")
    assert due(caller, case) is None, "four calls"


def test_what_went_back_is_not_counted(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET most_attempts = 2")
    add_retry(caller.db, outcome="BUSY", period_minutes=5, most=1)
    case = add_case(caller.db)
    for outcome in ("FAILED", "CANCELLED", "TECHNICAL"):
        caller.call(case, outcome)
        caller.forward(hours=1)
    caller.call(case, "BUSY")
    assert due(caller, case) == caller.now + timedelta(minutes=5)


def test_cases_of_a_failing_trunk_go_back_and_are_not_counted(caller: Caller) -> None:
    add_retry(caller.db, outcome="NOANSWER", period_minutes=5, most=1)
    cases = [add_case(caller.db) for _ in range(20)]
    for case in cases:
        caller.call(case, "NOANSWER", dialing=0)
    assert {caller.case(case)["redials_done"] for case in cases} == {0}
    caller.forward(hours=1)
    caller.call(cases[0], "NOANSWER", ringing=0)
    assert due(caller, cases[0]) is not None, "its first NOANSWER that counts"


def test_the_third_invalid_is_the_last_whatever_a_row_says(caller: Caller) -> None:
    add_retry(caller.db, outcome="INVALID", period_minutes=5)
    case = add_case(caller.db)
    caller.call(case, "INVALID", ringing=0)
    redial(caller, case, "INVALID", ringing=0)
    redial(caller, case, "INVALID", ringing=0)
    assert due(caller, case) is None


SCOPES: list[dict[str, Any]] = [
    {},
    {"purpose": "debt"},
    {"region": "US"},
    {"region": "US-FL"},
    {"client": "acme"},
    {"client": "acme", "region": "US"},
    {"project_id": "p"},
    {"project_id": "p", "purpose": "debt"},
    {"project_id": "p", "client": "acme"},
]
"""From the widest to the narrowest."""


@pytest.mark.parametrize("region", ["region", "number_region"])
def test_of_several_rows_the_one_with_the_narrowest_scope_holds(caller: Caller, region: str) -> None:
    execute(caller.db, "UPDATE dialer_params SET client = 'acme', purpose = 'debt'")
    for number, other in enumerate(({"project_id": "q"}, {"client": "b"}, {"region": "US-F"}, {"purpose": "sales"})):
        add_retry(caller.db, outcome="BUSY", period_minutes=900 + number, **other)
    order = list(enumerate(SCOPES))
    random.Random(7).shuffle(order)
    applied: list[int] = []
    for place, scope in order:
        add_retry(caller.db, outcome="BUSY", period_minutes=place + 1, **scope)
        applied.append(place)
        case = add_case(caller.db)
        execute(caller.db, f"UPDATE dialer_clients SET {region} = 'US-FL' WHERE id = :id", id=case)
        caller.call(case, "BUSY")
        assert due(caller, case) == caller.now + timedelta(minutes=max(applied) + 1), applied
    add_retry(caller.db, outcome="BUSY", period_minutes=500, **SCOPES[-1])
    case = add_case(caller.db)
    caller.call(case, "BUSY")
    assert due(caller, case) == caller.now + timedelta(minutes=500), "of equal ones the last"


# --- part of day -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begun", "minutes", "next_call"),
    [
        (at(9), 120, at(12)),
        (at(9), 181, at(12, 1)),
        (at(11, 59), 1, at(12)),
        (at(12), 1, at(17)),
        (at(16, 59, day=2), 1440, at(17, 0, day=3)),
        (at(17), 1, at(0, 0, day=2)),
        (at(23, 59), 30, at(0, 29, day=2)),
    ],
)
def test_a_redial_goes_to_another_part_of_the_day(
    caller: Caller, begun: datetime, minutes: int, next_call: datetime
) -> None:
    add_retry(caller.db, outcome="NOANSWER", period_minutes=minutes, other_part_of_day=True)
    case = add_case(caller.db, utc="Z")
    caller.now = begun
    caller.call(case, "NOANSWER")
    assert due(caller, case) == next_call


@pytest.mark.parametrize(
    ("utc", "columns", "next_call"),
    [
        ("+03.00h", {}, at(14)),
        (None, {"zone": "America/New_York"}, at(16)),
        (None, {}, at(15)),
        (None, {"zone": "Asia/Tokyo"}, at(15)),
    ],
)
def test_parts_of_the_day_are_the_subscriber_s(
    caller: Caller, utc: str | None, columns: dict[str, Any], next_call: datetime
) -> None:
    """Noon by UTC: 15:00 there, 8:00 in New York, 14:00 in Berlin, where the number is, 21:00 in Tokyo."""
    for name, value in columns.items():
        execute(caller.db, f"UPDATE dialer_params SET {name} = :value", value=value)
    add_retry(caller.db, outcome="NOANSWER", period_minutes=60, other_part_of_day=True)
    case = add_case(caller.db, utc=utc)
    caller.call(case, "NOANSWER")
    assert due(caller, case) == next_call


# --- dispositions ------------------------------------------------------------------------------------------------


def ended_call(caller: Caller, **columns: Any) -> tuple[int, int]:
    """A case whose call was answered, and the attempt."""
    case = add_case(caller.db, **columns)
    return case, caller.call(case, "ANSWERED", answered=60)


def test_a_code_written_during_the_call_settles_it(caller: Caller) -> None:
    add_retry(caller.db, disposition="later", period_minutes=60, most=1)
    add_retry(caller.db, outcome="ANSWERED", period_minutes=5)
    for write in (
        lambda attempt: dispose(caller, attempt, "later"),
        lambda attempt: execute(caller.db, "UPDATE dialer_calls SET disposition = 'later' WHERE id = :id", id=attempt),
    ):
        case = add_case(caller.db, call_back=True, call_back_period="1")
        attempt = caller.dial(case)
        assert write(attempt) in ("noted", 1)
        caller.finish(attempt, "ANSWERED", answered=5)
        assert due(caller, case) == caller.now + timedelta(hours=1)
        assert caller.attempt(attempt)["disposition"] == "later"


def test_a_later_code_settles_the_same_call_anew(caller: Caller) -> None:
    add_retry(caller.db, disposition="later", period_minutes=60, most=1)
    case, attempt = ended_call(caller)
    ended = caller.now
    before = caller.case(case)
    assert before["used"]
    caller.forward(minutes=10)
    assert dispose(caller, attempt, "later") == "settled"
    assert due(caller, case) == ended + timedelta(hours=1), "from the end of the call"
    row = caller.case(case)
    assert (row["brought_back"], row["last_attempt_id"]) == (0, attempt)
    assert row["redials_done"] == 1
    assert caller.attempt(attempt)["effect"] == "redial"
    caller.forward(minutes=49)
    assert caller.next() == []
    second = redial(caller, case, "ANSWERED", answered=5)
    assert dispose(caller, second, "later") == "settled"
    assert due(caller, case) is None, "counters go on: once"
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_a_code_that_comes_when_its_time_has_passed_calls_at_once(caller: Caller) -> None:
    add_retry(caller.db, disposition="later", period_minutes=60)
    add_retry(caller.db, disposition="evening", period_minutes=60, other_part_of_day=True)
    case, attempt = ended_call(caller)
    other, second = ended_call(caller)
    caller.forward(hours=25)
    assert dispose(caller, attempt, "later") == "settled"
    assert due(caller, case) == caller.now
    assert dispose(caller, second, "evening") == "settled"
    assert due(caller, other) == at(17, 0, day=2), "not in the afternoon, as the call"


def test_a_code_without_a_row_changes_the_statistics_alone(caller: Caller) -> None:
    add_retry(caller.db, disposition="later", period_minutes=60)
    case = add_case(caller.db, call_back=True, call_back_period="30")
    attempt = caller.call(case, "BUSY")
    before = caller.case(case)
    assert dispose(caller, attempt, "sold") == "noted"
    assert caller.case(case) == before
    assert caller.attempt(attempt)["disposition"] == "sold"


def test_a_code_that_is_corrected_no_longer_holds(caller: Caller) -> None:
    add_retry(caller.db, disposition="later", period_minutes=60)
    case, attempt = ended_call(caller)
    untouched = caller.case(case)
    assert dispose(caller, attempt, "later") == "settled"
    assert due(caller, case) is not None
    assert dispose(caller, attempt, "refused") == "settled"
    assert caller.case(case) == untouched
    assert dispose(caller, attempt, "later") == "settled"
    assert dispose(caller, attempt, None) == "settled"
    assert caller.case(case) == untouched
    assert caller.attempt(attempt)["disposition"] is None


def test_a_code_for_a_call_before_the_last_changes_the_statistics_alone(caller: Caller) -> None:
    add_retry(caller.db, disposition="never", period_minutes=99, most=1)
    case = add_case(caller.db, call_back=True, call_back_period="30,30")
    first = caller.call(case, "BUSY")
    caller.forward(minutes=30)
    second = caller.dial(case)
    before = caller.case(case)
    assert dispose(caller, first, "never") == "noted"
    assert caller.case(case) == before
    caller.finish(second, "BUSY", ringing=1)
    before = caller.case(case)
    assert dispose(caller, first, "never") == "noted"
    assert caller.case(case) == before


@pytest.mark.parametrize(
    "change", ["used = true", "used = false", "deferred_time = '2026-07-01 10:00:00'", "phone_number = '42'"]
)
def test_what_somebody_did_to_the_case_since_stands(caller: Caller, change: str) -> None:
    add_retry(caller.db, disposition="later", period_minutes=60)
    add_retry(caller.db, outcome="BUSY", period_minutes=60)
    outcome = "BUSY" if change == "used = true" else "ANSWERED"
    case = add_case(caller.db)
    attempt = caller.call(case, outcome, answered=0)
    execute(caller.db, f"UPDATE dialer_clients SET {change} WHERE id = :id", id=case)
    before = caller.case(case)
    assert dispose(caller, attempt, "later") == "noted"
    assert caller.case(case) == before


def test_a_claimed_redial_that_a_code_takes_back_is_not_made(caller: Caller) -> None:
    add_retry(caller.db, outcome="NOANSWER", period_minutes=5)
    add_retry(caller.db, disposition="tomorrow", period_minutes=1440)
    case = add_case(caller.db)
    attempt = caller.call(case, "NOANSWER")
    caller.forward(minutes=5)
    assert caller.claim() == [case]
    assert dispose(caller, attempt, "tomorrow") == "settled"
    assert caller.refusals([case]) == ["redial"]
    assert due(caller, case) == NOON + timedelta(days=1)
    assert not caller.case(case)["checked"]
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


@pytest.mark.parametrize("outcome", ["FAILED", "CANCELLED", "TECHNICAL"])
def test_a_call_that_went_back_is_settled_by_no_row(caller: Caller, outcome: str) -> None:
    add_retry(caller.db, disposition="later", period_minutes=60)
    case = add_case(caller.db)
    attempt = caller.dial(case)
    dispose(caller, attempt, "later")
    caller.finish(attempt, outcome)
    before = caller.case(case)
    assert (before["used"], before["deferred_time"]) == (False, None)
    assert dispose(caller, attempt, "later") == "noted"
    assert caller.case(case) == before


def test_who_writes_a_code_waits_for_nobody(caller: Caller, other: Database) -> None:
    add_retry(caller.db, disposition="later", period_minutes=60)
    case, attempt = ended_call(caller)
    with other.transaction() as dba:
        dba.exec_driver_sql(f"UPDATE dialer_clients SET case_name = 'x' WHERE id = {case}")
        assert dispose(caller, attempt, "later") == "locked"
        assert caller.attempt(attempt)["disposition"] is None
    assert dispose(caller, attempt, "later") == "settled"


def test_a_code_of_no_call_and_one_that_cannot_be_shown_are_refused(caller: Caller) -> None:
    _, attempt = ended_call(caller)
    assert dispose(caller, attempt + 1, "later") == "gone"
    for code in ("", "a\nb", "x" * 101):
        with pytest.raises(DBAPIError) as caught:
            dispose(caller, attempt, code)
        assert reason(caught.value).startswith("dialer_attempts.disposition is '")


def test_workers_hear_of_a_case_that_a_code_brings_forward(caller: Caller) -> None:
    add_retry(caller.db, disposition="later", period_minutes=60)
    _, attempt = ended_call(caller)
    with listen(caller.db) as ear:
        dispose(caller, attempt, "sold")
        assert ear.heard() == []
        dispose(caller, attempt, "later")
        assert ear.heard() == ["p"]


# --- what else goes by the rows ------------------------------------------------------------------------------------


def test_a_case_that_was_in_an_archive_when_its_call_ended_is_called_again_by_its_row(caller: Caller) -> None:
    add_retry(caller.db, outcome="BUSY", period_minutes=5, most=1)
    cases = {
        outcome: add_case(caller.db, phone_number="42" + outcome[0].replace("B", "1").replace("N", "2"))
        for outcome in ("BUSY", "NOANSWER")
    }
    for outcome, case in cases.items():
        attempt = caller.dial(case)
        row = caller.case(case)
        execute(caller.db, "DELETE FROM dialer_clients WHERE id = :id", id=case)
        caller.finish(attempt, outcome, ringing=0)
        kept = ("case_name", "project_id", "phone_number", "utc", "created", "inserted_at")
        add_case(caller.db, id=case, **{name: row[name] for name in kept})
    caller.claim()
    assert caller.refusals([cases["BUSY"], cases["NOANSWER"]]) == [None, "used"]


def test_warnings_name_call_back_without_a_list_or_a_row_and_rows_without_an_end(caller: Caller) -> None:
    def kinds() -> list[str]:
        rows = caller.db.query("SELECT kind FROM dialer_warnings")
        return sorted(row["kind"] for row in rows if row["kind"] in ("no_redials", "retries_without_end"))

    case = add_case(caller.db, call_back=True)
    assert kinds() == ["no_redials"]
    add_retry(caller.db, outcome="BUSY", period_minutes=5, most=1, region="US")
    assert kinds() == ["no_redials"]
    execute(caller.db, "UPDATE dialer_clients SET region = 'US-FL' WHERE id = :id", id=case)
    assert kinds() == []
    add_retry(caller.db, disposition="later", period_minutes=5)
    assert kinds() == ["retries_without_end"]
    execute(caller.db, "UPDATE dialer_params SET most_attempts = 9")
    assert kinds() == []
    add_retry(caller.db, outcome="NOANSWER", period_minutes=5, project_id="q")
    assert kinds() == []


# --- the same, by a model of its own -------------------------------------------------------------------------------


@dataclass
class Attempt:
    """A call as the model keeps it."""

    id: int
    begun: datetime
    series: int
    """Since the list last began anew."""
    life: int
    """Since the case was fresh or brought back."""
    redials: int
    """Redials of the list made before it."""
    due: datetime | None
    outcome: str = ""
    code: str | None = None
    ended: datetime = NOON
    effect: str = ""


@dataclass
class Case:
    """A case as the model keeps it."""

    id: int
    project: dict[str, Any]
    columns: dict[str, Any]
    used: bool = False
    redial: datetime | None = None
    promise: datetime | None = None
    ready: datetime = NOON
    """It went back, and may be called from then on."""
    redials: int = 0
    series: int = 0
    life: int = 0
    attempts: list[Attempt] = field(default_factory=list)

    def bring_back(self) -> None:
        self.used, self.life, self.series, self.redials = False, self.life + 1, self.series + 1, 0

    def promised(self, instant: datetime) -> None:
        if self.used:
            self.bring_back()
        self.promise, self.redial, self.redials, self.series = instant, None, 0, self.series + 1


USES_ATTEMPT = {"ANSWERED", "EARLY_HANGUP", "MACHINE", "BUSY", "NOANSWER", "REJECTED", "INVALID", "CONGESTION", "LOST"}
LISTED = USES_ATTEMPT - {"ANSWERED", "INVALID"}
BACK = {"CANCELLED", "TECHNICAL"}


def zone_of(case: Case) -> ZoneInfo:
    # All numbers are Berlin's.
    return ZoneInfo(case.columns["utc"] or case.project["zone"] or "Europe/Berlin")


def part(case: Case, instant: datetime) -> int:
    hour = instant.astimezone(zone_of(case)).hour
    return (hour >= 12) + (hour >= 17)


def row_for(rules: list[dict[str, Any]], case: Case, column: str, value: str) -> dict[str, Any] | None:
    def fits(rule: dict[str, Any]) -> bool:
        regions = [region for region in (case.columns["region"], case.columns["number_region"]) if region]
        return (
            rule[column] == value
            and rule["project_id"] in (None, case.project["project_id"])
            and rule["client"] in (None, case.project["client"])
            and rule["purpose"] in (None, case.project["purpose"])
            and (rule["region"] is None or any(f"{one}-".startswith(rule["region"] + "-") for one in regions))
        )

    def narrowness(rule: dict[str, Any]) -> tuple[Any, ...]:
        region = rule["region"] or ""
        return bool(rule["project_id"]), bool(rule["client"]), len(region), bool(rule["purpose"]), rule["id"]

    return max(filter(fits, rules), key=narrowness, default=None)


def rule_for(rules: list[dict[str, Any]], case: Case, attempt: Attempt) -> tuple[int | None, dict[str, Any] | None]:
    """The minutes until the case is called again, None: it is not; and the row that says so, if one does."""
    if attempt.code and (row := row_for(rules, case, "disposition", attempt.code)):
        return row["period_minutes"], row
    row = row_for(rules, case, "outcome", attempt.outcome)
    periods = case.columns["call_back_period"] if case.columns["call_back"] else None
    if attempt.outcome not in LISTED or not periods:
        return row["period_minutes"] if row else None, row
    left = [int(one) for one in periods.split(",")][attempt.redials :]
    if attempt.outcome != "MACHINE" or not left:
        return left[0] if left else None, None
    return (row["period_minutes"] if row else case.project["machine_period"] or left[0]), row


def next_call(rules: list[dict[str, Any]], case: Case, attempt: Attempt, earliest: datetime | None) -> datetime | None:
    """When the case is called again after an attempt that has used one up; None: no more."""
    alive = [one for one in case.attempts if one.life == attempt.life and one.outcome not in BACK]
    alive = [one for one in alive if one.id <= attempt.id]
    minutes, row = rule_for(rules, case, attempt)
    if minutes is None or (attempt.outcome == "INVALID" and sum(one.outcome == "INVALID" for one in alive) >= 3):
        return None
    if row and row["most"]:
        key = "code" if row["disposition"] else "outcome"
        alike = [one for one in alive if getattr(one, key) == getattr(attempt, key) and one.series == attempt.series]
        if len(alike) > row["most"]:
            return None
    if case.project["most_attempts"] and len(alive) >= case.project["most_attempts"]:
        return None
    instant = max(attempt.ended + timedelta(minutes=minutes), earliest or attempt.ended)
    if row and row["other_part_of_day"]:
        while part(case, instant) == part(case, attempt.begun):
            instant = instant.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return instant


class World:
    """Random projects, rows and cases, in a database and in the model."""

    def __init__(self, caller: Caller, seed: int) -> None:
        self.caller = caller
        self.dice = random.Random(seed)
        pick = self.dice.choice
        self.projects: list[dict[str, Any]] = [
            {
                "project_id": name,
                "client": pick([None, "acme"]),
                "purpose": pick(["sales", "debt"]),
                "zone": pick([None, "America/New_York", "Asia/Beirut"]),
                "machine_period": pick([None, 77]),
                "most_attempts": pick([None, 4, 9]),
            }
            for name in ("r", "s")
        ]
        for project in self.projects:
            add_project(caller.db, **project)
            caller.start(project["project_id"])
        # A few outcomes, so that they come again and again.
        self.outcomes = [*self.dice.sample(sorted(USES_ATTEMPT), 4), *sorted(BACK)]
        self.rules: list[dict[str, Any]] = []
        for _ in range(18):
            outcome = pick([None, *self.outcomes[:4]])
            rule = {
                "project_id": pick([None, None, "r", "s"]),
                "client": pick([None, None, None, "acme"]),
                "region": pick([None, None, "US", "US-FL"]),
                "purpose": pick([None, None, "sales", "debt"]),
                "outcome": outcome,
                "disposition": None if outcome else pick(["later", "wrong"]),
                "period_minutes": pick([1, 120, 600, 1200, 1440]),
                "most": pick([None, 1, 1, 2]),
                "other_part_of_day": pick([False, True]),
            }
            self.rules.append(rule | {"id": add_retry(caller.db, **rule)})
        self.cases = [self.case() for _ in range(6)]

    def case(self) -> Case:
        pick = self.dice.choice
        project = pick(self.projects)
        columns = {
            "utc": pick([None, "Europe/Berlin", "America/New_York", "Asia/Beirut"]),
            "region": pick([None, "US", "US-FL", "DE"]),
            "number_region": pick([None, "US", "US-FL"]),
            "call_back": pick([False, False, True]),
            "call_back_period": pick([None, "3,60,200", "30"]),
        }
        made = add_case(self.caller.db, project_id=project["project_id"], **columns)
        # Whoever reads numbers may have written it anew.
        row = self.caller.case(made)
        return Case(made, project, columns | {"number_region": row["number_region"]}, ready=self.caller.now)

    def step(self) -> None:
        case = self.dice.choice(self.cases)
        if case.used or self.dice.random() < 0.1:
            self.meddle(case)
        else:
            self.call(case)
        self.agree(case)
        if case.attempts and self.dice.random() < 0.6:
            self.dispose(case, self.dice.choice(case.attempts[-2:]))
            self.agree(case)

    def call(self, case: Case) -> None:
        caller, dice = self.caller, self.dice
        waited = timedelta(seconds=dice.randrange(40_000)) if dice.random() < 0.5 else timedelta()
        caller.now = max(caller.now, case.ready, case.promise or case.redial or caller.now) + waited
        attempt = Attempt(
            caller.dial(case.id, case.project["project_id"]),
            caller.now,
            case.series,
            case.life,
            case.redials,
            case.promise or case.redial,
        )
        promise, case.promise = case.promise, None
        pending, case.redial = case.redial, None
        case.attempts.append(attempt)
        caller.forward(seconds=dice.randrange(1, 4000))
        written = dice.random()
        if written < 0.3:
            attempt.code = dice.choice(["later", "wrong", "unheard of"])
            assert dispose(caller, attempt.id, attempt.code) == "noted"
        elif written < 0.4:
            attempt.code = "later"
            execute(caller.db, "UPDATE dialer_calls SET disposition = 'later' WHERE id = :id", id=attempt.id)
        meddled = dice.random() < 0.1
        if meddled:
            self.meddle(case)
        attempt.outcome = dice.choice(self.outcomes)
        attempt.ended = caller.now
        steps = {"answered": 0} if attempt.outcome in ("ANSWERED", "EARLY_HANGUP", "MACHINE") else {"ringing": 0}
        caller.finish(attempt.id, attempt.outcome, **({"dialing": 0} if attempt.outcome in BACK else steps))
        if meddled:
            attempt.effect = "kept"
        elif attempt.outcome in BACK:
            attempt.effect = "back"
            case.promise, case.redial = promise, pending
            case.ready = caller.now + timedelta(minutes=1)
        else:
            self.settle(case, attempt, None)

    def settle(self, case: Case, attempt: Attempt, earliest: datetime | None) -> None:
        case.redial = next_call(self.rules, case, attempt, earliest)
        case.used = case.redial is None
        case.redials = attempt.redials + (not case.used)
        attempt.effect = "used" if case.used else "redial"

    def meddle(self, case: Case) -> None:
        """Somebody promises a callback, or withdraws a case and brings it back."""
        write = "UPDATE dialer_clients SET {} WHERE id = :id"
        if self.dice.random() < 0.5:
            # No redial is due at that very instant: what is written as it was is no promise.
            instant = self.caller.now + timedelta(hours=self.dice.randrange(1, 30), milliseconds=len(case.attempts) + 1)
            execute(self.caller.db, write.format("deferred_time = :at"), at=instant, id=case.id)
            case.promised(instant)
        else:
            for used in (True, False):
                execute(self.caller.db, write.format("used = :used"), used=used, id=case.id)
            case.promise = case.redial = None
            case.bring_back()

    def dispose(self, case: Case, attempt: Attempt) -> None:
        before, code = attempt.code, self.dice.choice(["later", "wrong", "unheard of", None])
        self.caller.forward(seconds=self.dice.choice([1, 1, 100_000]))
        untouched = case.used if attempt.effect == "used" else bool(case.redial and not case.promise)
        ruled = any(one and row_for(self.rules, case, "disposition", one) for one in (before, code))
        anew = (
            attempt is case.attempts[-1]
            and attempt.effect in ("used", "redial")
            and attempt.life == case.life
            and untouched
            and ruled
        )
        answer = dispose(self.caller, attempt.id, code)
        attempt.code = code
        assert answer == ("settled" if anew else "noted")
        if anew:
            self.settle(case, attempt, self.caller.now)

    def agree(self, case: Case) -> None:
        row = self.caller.case(case.id)
        waits = row["deferred_time"] if row["deferred_time"] and not row["deferred_done"] and not row["used"] else None
        kind = row["deferred_kind"] if waits else None
        expected = case.promise or case.redial
        story = [vars(one) for one in case.attempts]
        assert (row["used"], waits) == (case.used, expected), "\n".join(
            map(str, [case.project, case.columns, *self.rules, *story])
        )
        assert kind == ("scheduled" if case.promise else "redial" if case.redial else None), story
        assert row["redials_done"] == case.redials, story
        assert row["brought_back"] == case.life, story
        for attempt in case.attempts[-2:]:
            assert self.caller.attempt(attempt.id)["effect"] == attempt.effect, story


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.full] if seed >= 3 else []) for seed in range(6)]
)
def test_attempt_by_attempt_the_database_does_what_the_model_says(caller: Caller, dialect: Dialect, seed: int) -> None:
    """Weeks around the change of clocks: 8 March in New York, 29 March and 25 October in Europe and Beirut, there at
    midnight."""
    caller.now = [
        datetime(2026, 3, 6, tzinfo=UTC),
        datetime(2026, 3, 26, tzinfo=UTC),
        datetime(2026, 10, 22, tzinfo=UTC),
    ][seed % 3]
    world = World(caller, seed)
    for _ in range(80):
        world.step()
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
    effects = {attempt.effect for case in world.cases for attempt in case.attempts}
    assert effects == {"used", "redial", "back", "kept"}, "the dice have shown everything"
