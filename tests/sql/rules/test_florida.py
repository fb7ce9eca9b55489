"""A law from end to end: `dialer rules apply` writes it, calls are made by it, and `dialer why` names it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

from dialer import why
from tests.support.caller import Caller
from tests.support.dialects import Dialect
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database

FLORIDA = ZoneInfo("America/New_York")
NUMBER = "+13055550143"
LAW = "us-fl: Fla. Stat. 501.616(6)"


def dialer(db: Database, *words: str) -> str:
    """What a `dialer` command prints."""
    url = db.settings.url().render_as_string(hide_password=False)
    environ = {**os.environ, "DIALER_DATABASE_URL": url}
    if db.dialect.name == "postgresql":
        environ["DIALER_DATABASE_SCHEME"] = db.schema
    line = [sys.executable, "-m", "dialer", *words]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def first_call() -> datetime:
    """Less than a day ago, and early enough for three calls an hour apart before eight in the evening there."""
    at = datetime.now(UTC).astimezone(FLORIDA) - timedelta(hours=23)
    if 8 <= at.hour < 17:
        return at.astimezone(UTC)
    day = at.date() if at.hour < 8 else at.date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, 8, tzinfo=FLORIDA).astimezone(UTC)


def test_the_fourth_call_within_a_day_waits_and_why_names_the_law(db: Database, dialect: Dialect) -> None:
    add_trunk(db)
    add_project(db)
    caller = Caller(db, dialect, first_call())
    caller.start()
    for law in ("us", "us-fl"):
        assert law in dialer(db, "rules", "apply", law)
    cases = [add_case(db, phone_number=NUMBER, utc=None) for _ in range(4)]
    caller.screen()
    assert caller.case(cases[0])["number_region"] == "US-FL"
    begun = []
    for _ in range(3):
        [case] = caller.claim(1)
        begun.append(caller.now)
        assert caller.finish(caller.dial(case), "NOANSWER", ringing=0)
        cases.remove(case)
        caller.forward(hours=1)

    [fourth] = cases
    free = begun[0] + timedelta(days=1)
    there = free.astimezone(FLORIDA)
    # A clock change may have moved it before eight.
    free = max(free, there.replace(hour=8, minute=0, second=0, microsecond=0).astimezone(UTC))
    row = caller.why(fourth)
    assert (row["own_reason"], row["own_until_at"], row["next_at"]) == (
        "number_limit",
        begun[0] + timedelta(days=1),
        free,
    )
    assert f"at most 3 attempts of the number in 1 days ({LAW})" in row["detail"]
    assert caller.claim() == []

    # The command goes by the database's clock: it is still the same day.
    stream = StringIO()
    assert why.run(db.settings, NUMBER, 100, stream=stream) == 0
    assert LAW in stream.getvalue()
    stream = StringIO()
    assert why.run(db.settings, NUMBER, 100, as_json=True, stream=stream) == 0
    told = json.loads(stream.getvalue())
    [shown] = [one for one in told["cases"] if one["case_id"] == fourth]
    assert datetime.fromisoformat(shown["next_at"]) == free
    assert datetime.fromisoformat(told["next"][0]["at"]) == free

    caller.now = free - timedelta(microseconds=1)
    assert caller.claim() == []
    caller.now = free
    assert caller.claim() == [fourth]
    assert caller.refusals([fourth]) == [None]
    assert db.query("SELECT * FROM dialer_invariants") == []


def test_nobody_in_florida_is_called_after_eight_in_the_evening(db: Database, dialect: Dialect) -> None:
    """An hour before the law of the whole country says so."""
    add_trunk(db)
    add_project(db)
    caller = Caller(db, dialect, datetime(2026, 6, 1, 20, tzinfo=FLORIDA).astimezone(UTC))
    caller.start()
    dialer(db, "rules", "apply", "us")
    dialer(db, "rules", "apply", "us-fl")
    elsewhere = add_case(db, phone_number="+12125550143", utc=None)
    case = add_case(db, phone_number=NUMBER, utc=None)
    row = caller.why(case)
    assert (row["own_reason"], row["next_at"]) == (
        "window_closed",
        datetime(2026, 6, 2, 8, tzinfo=FLORIDA).astimezone(UTC),
    )
    assert row["detail"] == "hours of us-fl in America/New_York"
    assert caller.claim() == [elsewhere]
