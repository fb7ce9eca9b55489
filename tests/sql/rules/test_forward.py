"""Two months with rules that come and go, through the clock changes of spring and autumn: no call breaks one of them.

Time moves on by hours, or to the very instant at which a project says that it may go on. At each begin the rules are
read once more in Python, from their rows as they are then and the ledger so far, and must permit what the database
permits.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.support.caller import Caller, ended
from tests.support.dialects import Dialect, execute, rows_of
from tests.support.factories import add_cases, add_project, add_trunk
from tests.support.hours import Hours
from tests.support.number_rules import NumberRules
from worker.db import Database
from worker.db.database import Row

pytestmark = pytest.mark.timeout(300)

SPANS = [(date(2031, 3, 4), date(2031, 4, 4)), (date(2031, 10, 10), date(2031, 11, 9))]
"""New York's clocks change on 9 March and 2 November, Berlin's on 30 March and 26 October, Sydney's the other way round
on 5 October and 6 April."""
AREAS = ["+1305555", "+1312555", "+493012", "+6129876", "+9122555", "+7999123"]
"""Florida, Chicago, Berlin, Sydney, Mumbai; a mobile of Russia proves no place."""
PROJECTS = ("p", "q")
CHANGES = [date(2031, 3, 9), date(2031, 3, 30), date(2031, 10, 26), date(2031, 11, 2)]
MOVES, SMALL_MOVES = [5, 14, 23, 31, 50], [1, 2, 3, 5]
"""Hours; small ones on the days when clocks change."""
ENDS: list[tuple[str, dict[str, Any]]] = [
    ("NOANSWER", {"ringing": 20}),
    ("NOANSWER", {"ringing": 20}),
    ("BUSY", {"ringing": 2}),
    ("ANSWERED", {"ringing": 40, "answered": 30, "played": 1}),
    ("ANSWERED", {"ringing": 40, "answered": 30}),
    ("MACHINE", {"ringing": 40, "answered": 30, "verdict": "MACHINE"}),
    ("CANCELLED", {"ringing": 3}),
    ("CANCELLED", {}),
    ("FAILED", {}),
]


class Run:
    """A worker, and a DBA who edits rules meanwhile."""

    def __init__(self, db: Database, dialect: Dialect, seed: int) -> None:
        self.db = db
        self.random = random.Random(seed)
        self.caller = Caller(db, dialect, datetime(2031, 3, 4, tzinfo=UTC))
        self.told: Counter[str] = Counter()
        self.up: list[tuple[int, Row]] = []
        """Calls under way, with their cases."""
        execute(db, "DELETE FROM dialer_holidays WHERE source = 'own'")
        add_trunk(db)
        about: dict[str, dict[str, str]] = {
            "p": {"client": "acme", "zone_by": "number"},
            "q": {"purpose": "debt", "zone": "Europe/Berlin"},
        }
        for project in PROJECTS:
            add_project(db, project, country="US", **about[project])
            self.caller.start(project)
        db.value("dialer_screen", 1, self.caller.now)
        self.numbers = [f"{area}{number:04}" for area in AREAS for number in range(2)]
        self.cases()
        for _ in range(4):
            self.edit()

    def cases(self) -> None:
        """Those of an area share what hours go by: each window costs every claim."""
        choose = self.random.choice
        about = {
            area: {
                "utc": choose([None, None, None, "Europe/London", "+05:30"]),
                "region": choose([None, None, "US-FL", "DE"]),
                "allowed_start": choose(["00:00", "00:00", "09:00"]),
                "allowed_stop": choose(["24:00", "24:00", "21:00"]),
            }
            for area in AREAS
        }
        add_cases(
            self.db,
            [
                {
                    "project_id": choose(PROJECTS),
                    "phone_number": number,
                    **about[number[:-4]],
                    "call_back": True,
                    "call_back_period": choose(["60,240,600", "1,1,1,1", "1440,1440"]),
                }
                for number in self.numbers + self.numbers[::2]
            ],
        )

    # --- the DBA ----------------------------------------------------------------------------------------------------

    def write(self, table: str, **columns: Any) -> None:
        choose = self.random.choice
        scope = {
            "project_id": choose([None, None, *PROJECTS]),
            "client": choose([None, None, None, "acme"]),
            "region": choose([None, None, "US", "US-FL", "DE"]),
            "purpose": choose([None, None, None, "debt"]),
        }
        values = scope | columns
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        execute(self.db, f"INSERT INTO {table} ({names}) VALUES ({marks})", **values)

    def one_of(self, table: str) -> int | None:
        ids = [row["id"] for row in self.db.query(f"SELECT id FROM {table} ORDER BY id")]
        return self.random.choice(ids) if ids else None

    def edit(self) -> None:
        """A rule comes, is changed or goes."""
        choose, now = self.random.choice, self.caller.now
        what = choose(["dnc", "limit", "limit", "pause", "hours", "holiday", "case", "gone", "gone", "change"])
        if what == "dnc":
            from_at = choose([None, None, now + timedelta(hours=choose([1, 30]))])
            until_at = choose([None, (from_at or now) + timedelta(hours=choose([2, 50]))])
            number = choose([choose(self.numbers), choose(self.numbers), f"{choose(self.numbers)[:-1]}*"])
            self.write("dialer_dnc", number=number, from_at=from_at, until_at=until_at, added_at=now)
        elif what == "limit":
            minutes, local = choose(
                [(60, None), (240, None), (1440, None), (None, "day"), (None, "week"), (None, None)]
            )
            self.write(
                "dialer_limits",
                keyed_by=choose(["number", "number", "case"]),
                counts="conversations"
                if local is None and minutes is None
                else choose(["attempts", "attempts", "connected"]),
                most=choose([1, 2, 3]),
                period_minutes=minutes,
                local_period=local,
                callbacks=choose([True, False]),
                added_at=now,
            )
        elif what == "pause":
            cause = choose([{"outcome": "ANSWERED"}, {"outcome": "BUSY"}, {"disposition": "refused"}])
            callbacks = choose([True, False])
            self.write("dialer_pauses", period_minutes=choose([30, 600, 4000]), callbacks=callbacks, **cause)
        elif what == "hours":
            starts, stops = choose([("08:00", "20:00"), ("00:00", "24:00"), ("01:30", "22:00"), ("12:00", "18:30")])
            weekdays = choose(["Mo-Su,PH", "Mo-Sa", "Mo-Fr", "Sa,Su,PH"])
            self.write("dialer_hours", weekdays=weekdays, starts=starts, stops=stops)
        elif what == "holiday":
            day = now.date() + timedelta(days=choose([0, 1, 5]))
            region = choose(["US", "US-FL", "DE"])
            known = "SELECT 1 AS one FROM dialer_holidays WHERE region = :region AND day = :day"
            if not self.db.query(known, region=region, day=day):
                execute(
                    self.db, "INSERT INTO dialer_holidays (region, day) VALUES (:region, :day)", region=region, day=day
                )
        elif what == "case":
            ids = [row["id"] for row in self.db.query("SELECT id FROM dialer_clients ORDER BY id")]
            at = now + timedelta(hours=choose([0, 1, 40]))
            execute(self.db, "UPDATE dialer_clients SET deferred_time = :at WHERE id = :id", at=at, id=choose(ids))
            execute(self.db, "UPDATE dialer_clients SET used = false WHERE used")
        elif what == "gone":
            table = choose(["dialer_dnc", "dialer_limits", "dialer_pauses", "dialer_hours", "dialer_hours"])
            execute(self.db, f"DELETE FROM {table} WHERE id = :id", id=self.one_of(table))
        else:
            # The instant of the change, which the trigger would take from the server's own clock.
            limit = self.one_of("dialer_limits")
            execute(
                self.db,
                "UPDATE dialer_limits SET most = :most, added_at = :now WHERE id = :id",
                most=choose([1, 3]),
                now=now,
                id=limit,
            )

    # --- the worker -------------------------------------------------------------------------------------------------

    def move(self) -> None:
        """On by some hours, or to the instant that a project waits for, or to just before it."""
        now = self.caller.now
        until = self.db.value("dialer_project_until", self.random.choice(PROJECTS), now)
        if until is not None and now < until < now + timedelta(hours=30) and self.random.random() < 0.4:
            self.caller.now = until - timedelta(microseconds=self.random.choice([0, 0, 1]))
        else:
            self.caller.forward(hours=self.random.choice(SMALL_MOVES if now.date() in CHANGES else MOVES))

    def dial(self, project: str) -> None:
        caller = self.caller
        claimed = caller.claim(self.random.choice([2, 5, 20]), project)
        if not claimed:
            return
        if self.random.random() < 0.3:
            self.edit()
        if self.random.random() < 0.2:
            caller.forward(minutes=self.random.choice([1, 40, 300]))
        listed = ", ".join(map(str, claimed))
        cases = {row["id"]: row for row in rows_of(self.db, "dialer_clients", f"WHERE id IN ({listed})")}
        hours = Hours(self.db)
        self.rules = rules = NumberRules(self.db, hours)
        for row in caller.begin(claimed, project):
            case, refusal = cases[row["case_id"]], row["refusal"]
            rule, is_open = rules.reason(case, caller.now), hours.are_open(case, caller.now)
            self.told[refusal or "begun"] += 1
            if refusal is None:
                assert rule is None, f"{rule} spoke against a call of {case} at {caller.now}"
                assert is_open, f"{case} was called at {caller.now}"
                self.up.append((row["attempt_id"], case))
            elif refusal in ("do_not_call", "number_limit", "number_pause"):
                assert rule == refusal
            elif refusal == "window_closed":
                assert (rule, is_open) == (None, False)

    def end(self) -> None:
        """All calls end, some with a code of the agent; pauses are written as the rules say."""
        if not self.up:
            return
        self.caller.forward(seconds=60)
        pauses = self.db.query("SELECT * FROM dialer_pauses")
        due: list[tuple[int, datetime]] = []
        reports = []
        for attempt, case in self.up:
            outcome, facts = self.random.choice(ENDS)
            reports.append(ended(attempt, outcome, **facts))
            code = self.random.choice([None, None, None, "refused"])
            if code is not None:
                execute(self.db, "UPDATE dialer_calls SET disposition = :code WHERE id = :id", code=code, id=attempt)
            due += [
                (attempt, self.caller.now + timedelta(minutes=pause["period_minutes"]))
                for pause in pauses
                if self.rules.applies(pause, case)
                and (pause["outcome"] == outcome or (code is not None and pause["disposition"] == code))
            ]
        assert self.caller.finish_all(reports)
        written = self.db.query(
            "SELECT attempt_id, until_at FROM dialer_number_pauses WHERE attempt_id >= :first", first=self.up[0][0]
        )
        assert sorted((row["attempt_id"], row["until_at"]) for row in written) == sorted(due)
        self.up.clear()

    def step(self) -> None:
        if self.random.random() < 0.5:
            self.edit()
        if self.random.random() < 0.2:
            self.db.value("dialer_screen", 500, self.caller.now)
        for project in PROJECTS:
            self.dial(project)
        self.end()
        self.move()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 12))])
def test_no_call_of_two_months_broke_a_rule_that_stood_then(db: Database, dialect: Dialect, seed: int) -> None:
    run = Run(db, dialect, seed)
    for first, last in SPANS:
        run.caller.now = datetime.combine(first, datetime.min.time(), UTC)
        looked = first
        while run.caller.now.date() < last:
            run.step()
            if run.caller.now.date() >= looked + timedelta(days=10):
                looked = run.caller.now.date()
                assert db.query("SELECT * FROM dialer_invariants") == []
        assert db.query("SELECT * FROM dialer_invariants") == []
    assert run.told["begun"] >= 100, run.told
    assert run.told["number_limit"] + run.told["do_not_call"] + run.told["window_closed"] >= 3, run.told
