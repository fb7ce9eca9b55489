"""Call windows: the SQL routines against an independent Python implementation, and the corners by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.caller import Caller, at
from tests.support.dialects import Dialect, execute
from tests.support.extent import often
from tests.support.factories import add_case, add_project, add_trunk
from tests.support.windows import clock_changes, is_open
from worker.db import Database

Window = tuple[str, str, str, datetime]
"""Zone, start, stop, instant."""

FIRST = datetime(2022, 1, 1, tzinfo=UTC)
LAST = datetime(2026, 1, 1, tzinfo=UTC)
# With daylight saving time of an hour and of half an hour, far east and west, in both hemispheres, of odd
# minutes, and without any.
ZONES = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Moscow",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "America/Argentina/Buenos_Aires",
    "America/Port-au-Prince",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Etc/GMT+12",
]
CHANGES = {zone: clock_changes(zone, FIRST, LAST) for zone in ZONES}


def batches(size: int) -> st.SearchStrategy[list[Window]]:
    """Many windows at once: one query answers for all of them."""
    return st.lists(windows(), min_size=size, max_size=size)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    zone = draw(st.one_of(st.sampled_from(ZONES), offsets()))
    moment = draw(st.integers(0, int((LAST - FIRST).total_seconds()) - 1))
    instant = FIRST + timedelta(seconds=moment)
    if CHANGES.get(zone) and moment % 2:
        around = CHANGES[zone][moment % len(CHANGES[zone])]
        instant = around + timedelta(seconds=moment % 21_600 - 10_800)
    return zone, draw(times()), draw(times()), instant


@st.composite
def offsets(draw: st.DrawFn) -> str:
    """Every form of the grammar, from -12:00 to +14:00."""
    form = draw(st.integers(0, 5))
    sign = draw(st.sampled_from("+-"))
    hours = draw(st.integers(0, 13 if sign == "+" else 11))
    quarter = draw(st.sampled_from(["00", "15", "30", "45"]))
    tail = draw(st.sampled_from(["", "h"]))
    whole = draw(st.sampled_from([f"{hours}", f"{hours:02}"]))
    if form == 0:
        return draw(st.sampled_from(["Z", "z", "UTC", "gmt", "+14", "+14:00", "-12.00h", "+0", "-0:30"]))
    if form == 1:
        return f"{sign}{whole}{tail}"
    if form == 2:
        return f"{sign}{whole}:{quarter}{tail}"
    if form == 3:
        return f"{sign}{whole}.{quarter}{tail}"
    return f"{sign}{whole}.{draw(st.sampled_from(['0', '25', '5', '50', '75']))}{tail}"


@st.composite
def times(draw: st.DrawFn) -> str:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.sampled_from(["00:00:00", "24:00", "24:00:00", "0:00", "23:59:59", "12:00"]))
    hour = draw(st.integers(0, 3) if kind < 5 else st.integers(0, 23))
    minute = draw(st.sampled_from([0, 15, 30, 45, 59]) if kind % 2 else st.integers(0, 59))
    shape = draw(st.integers(0, 2))
    if shape == 0:
        return f"{hour}:{minute:02}"
    return f"{hour:02}:{minute:02}" if shape == 1 else f"{hour:02}:{minute:02}:{draw(st.integers(0, 59)):02}"


def answers(db: Database, routine: str, questions: Sequence[Window]) -> list[Any]:
    """What the routine says to each question, in one query."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    for number, question in enumerate(questions):
        names = [f"{letter}{number}" for letter in "abcd"]
        values.update(zip(names, question, strict=True))
        call = ", ".join(f":{name}" for name in names)
        parts.append(f"SELECT {number} AS place, {routine}({call}) AS answer")
    rows = db.query(f"SELECT * FROM ({' UNION ALL '.join(parts)}) t ORDER BY place", **values)
    return [row["answer"] for row in rows]


MANY = settings(
    max_examples=often(150, 30),
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)


@MANY
@given(questions=batches(40))
def test_a_window_is_open_exactly_when_python_says_so(db: Database, questions: list[Window]) -> None:
    said = answers(db, "dialer_window_open", questions)
    for question, answer in zip(questions, said, strict=True):
        assert bool(answer) == is_open(*question), question


@settings(MANY, max_examples=often(40, 10))
@given(questions=batches(25))
def test_the_next_opening_is_open_not_early_and_not_late(db: Database, questions: list[Window]) -> None:
    opens = answers(db, "dialer_window_next", questions)
    for (zone, start, stop, instant), answer in zip(questions, opens, strict=True):
        assert answer >= instant
        assert is_open(zone, start, stop, answer), (zone, start, stop, instant, answer)
        if is_open(zone, start, stop, instant):
            assert answer == instant
        for moment in moments_before(instant, answer):
            assert not is_open(zone, start, stop, moment), (zone, start, stop, instant, answer, moment)


def moments_before(first: datetime, last: datetime) -> Iterator[datetime]:
    """`first`, the ten minutes in between and the last second, if they are before `last`."""
    step = first
    while step < last:
        yield step
        step += timedelta(minutes=10)
    if last - timedelta(seconds=1) >= first:
        yield last - timedelta(seconds=1)


@pytest.mark.parametrize("zone", ["Japan", "GB", "EST5EDT", "PRC", "NZ-CHAT", "W-SU", "Eire", "Cuba", "MST7MDT"])
def test_an_old_name_of_a_zone_has_its_daylight_saving_time(db: Database, dialect: Dialect, zone: str) -> None:
    questions = [(zone, "09:00", "10:00", at(hour, month=month)) for month in (1, 7) for hour in range(24)]
    expected = [zone in dialect.zones(db) and is_open(*question) for question in questions]
    assert [bool(answer) for answer in answers(db, "dialer_window_open", questions)] == expected


def open_at(db: Database, zone: str, start: str, stop: str, instant: datetime) -> bool:
    return bool(answers(db, "dialer_window_open", [(zone, start, stop, instant)])[0])


def next_of(db: Database, zone: str, start: str, stop: str, instant: datetime) -> datetime:
    found: datetime = answers(db, "dialer_window_next", [(zone, start, stop, instant)])[0]
    return found


@pytest.mark.parametrize("start", ["00:00:00", "24:00", "13:30"])
def test_equal_times_are_the_whole_day(db: Database, start: str) -> None:
    for hour in range(24):
        assert open_at(db, "Europe/Berlin", start, start, at(hour, 59))


@pytest.mark.parametrize(("start", "stop"), [("00:00", "24:00"), ("24:00", "00:00"), ("24:00", "24:00")])
def test_a_day_from_midnight_to_midnight_is_the_whole_day_however_it_is_written(
    db: Database, start: str, stop: str
) -> None:
    for hour in range(24):
        assert open_at(db, "Z", start, stop, at(hour))


def test_the_start_belongs_to_the_window_and_the_stop_does_not(db: Database) -> None:
    assert not open_at(db, "+3", "10:00", "18:00", at(6, 59))
    assert open_at(db, "+3", "10:00", "18:00", at(7))
    assert open_at(db, "+3", "10:00", "18:00", at(14, 59))
    assert not open_at(db, "+3", "10:00", "18:00", at(15))


def test_a_start_that_the_clock_skips_opens_where_the_clock_lands(db: Database) -> None:
    # Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
    assert next_of(db, "Europe/Berlin", "02:30", "05:00", at(0, 0, day=29, month=3)) == at(1, 0, day=29, month=3)


def test_a_window_that_the_clock_skips_altogether_opens_the_day_after(db: Database) -> None:
    tomorrow = at(0, 10, day=30, month=3)
    assert next_of(db, "Europe/Berlin", "02:10", "02:50", at(0, 30, day=29, month=3)) == tomorrow


def test_an_hour_that_comes_twice_opens_twice(db: Database) -> None:
    # Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
    first, again = at(0, 30, day=25, month=10), at(1, 30, day=25, month=10)
    assert next_of(db, "Europe/Berlin", "02:30", "02:45", at(0, 0, day=25, month=10)) == first
    assert next_of(db, "Europe/Berlin", "02:30", "02:45", at(0, 50, day=25, month=10)) == again


def test_a_promise_for_never_is_no_error(db: Database) -> None:
    never = datetime(9999, 12, 30, tzinfo=UTC)
    assert next_of(db, "Europe/Berlin", "09:00", "10:00", never) == never


# --- what cannot be read: a row from before the checks, a zone that the server has lost ------------------------------

UNREADABLE = ["", "9", "9am", "25:00", "-1:00", "09:00|10:00", "24:01", "09:00:00 ", "10:00\n", "\u0669:00"]


@pytest.mark.parametrize("time", UNREADABLE)
def test_a_window_that_cannot_be_read_is_never_open_and_no_error(db: Database, time: str) -> None:
    for start, stop in ((time, "21:00"), ("09:00", time), (time, time), (time, "24:00")):
        for hour in (0, 9, 12, 23):
            assert not open_at(db, "+3", start, stop, at(hour))
            assert next_of(db, "+3", start, stop, at(hour)) is None


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "x", "Europe/Moskau"])
def test_a_window_in_a_zone_that_nobody_knows_is_never_open_and_no_error(db: Database, zone: str) -> None:
    assert not open_at(db, zone, "00:00", "23:59", at(12))
    assert next_of(db, zone, "00:00", "23:59", at(12)) is None


@pytest.mark.parametrize("column", ["allowed_start", "allowed_stop", "utc"])
@pytest.mark.parametrize("deferred_time", [None, at(9)])
def test_a_window_that_cannot_be_read_is_passed_over(
    caller: Caller, column: str, deferred_time: datetime | None
) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    columns = {"allowed_start": "09:00", "allowed_stop": "21:00", "deferred_time": deferred_time}
    with caller.dialect.unchecked(caller.db, "dialer_clients"):
        for value in ("", "~", "x|y|zzzzzzzzzzzzzzzzzzzzzzzz", "Mars/Olympus"):
            bad = add_case(caller.db, **{**columns, "deferred_kind": deferred_time and "scheduled", column: value})
    good = add_case(caller.db, **columns)
    found = set(caller.next())
    assert good in found
    assert column == "utc" or bad not in found
    assert good in caller.claim()
    if column != "utc":
        assert caller.why(bad)["reason"] == "window_closed"


def test_a_zone_of_the_installation_that_cannot_be_read_is_no_error(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    with caller.dialect.unchecked(caller.db, "dialer_settings"):
        execute(caller.db, "UPDATE dialer_settings SET value = 'Narnia' WHERE name = 'server_zone'")
    add_case(caller.db, phone_number="12", utc=None, allowed_start="09:00", allowed_stop="21:00")
    good = add_case(caller.db, allowed_start="09:00", allowed_stop="21:00")
    assert caller.claim() == [good]
    assert len(caller.db.query("SELECT * FROM dialer_why")) == 2
