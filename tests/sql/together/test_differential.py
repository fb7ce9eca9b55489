"""Both databases are told the same things at the same instants, and must say and hold the same."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import column, insert, table, text
from sqlalchemy.exc import DBAPIError

from alembic import command
from tests.support.caller import Caller, ended
from tests.support.containers import Databases
from tests.support.dialects import DIALECTS, SERVERS, clean, query_at, rows_of, tables
from tests.support.extent import often
from tests.support.factories import case_values
from worker.db import Database
from worker.db.database import Row, cause, reason
from worker.db.migration import config

STEPS = often(1000, 300)
LEAST_ATTEMPTS = often(50, 20)
CHECKED_EVERY = 50
START = datetime(2031, 3, 29, 12, 0, tzinfo=UTC)
"""The day before the clocks change in Europe; far from the servers' own time, so that this can be told apart."""

NOT_COMPARED = {"dialer_workers", "dialer_rule_changes"}
"""Leases go by the servers' own clocks; changes are counted by statements and by rows; PostgreSQL needs no copy."""
NOT_KEPT_BY_BOTH = {"waits_as", "waits_for", "rules", "scoped_at"}
"""Columns for MariaDB's indexes; the version of rules is made out of changes; edits go by the servers' own
clocks."""
VIEWS = {
    "dialer_why": "case_id",
    "dialer_why_count": "project_id, reason, own_reason",
    "dialer_gate": "case_id",
    "dialer_project_gate": "project_id",
    "dialer_project_states": "project_id",
    "dialer_warnings": "kind, detail",
    "dialer_invariants": "kind, id",
    "dialer_rules": "project_id",
    "dialer_stat_project": "project_id",
    "dialer_stat_attempt": "attempt_id",
    "dialer_stat_hour": "project_id, hour_at",
    "dialer_stat_day": "project_id, day_at",
    "dialer_stat_outcome": "project_id, outcome",
    "dialer_stat_agent": "agent, queue",
    "dialer_stat_pacing": "project_id",
}
# Handed out by the server in its own steps; only their order counts.
NUMBERED = {"place"}
PROJECTS = ["p", "q", "ж '; --"]
ACTIONS = ["message", "queue", "shout"]
MODES = ["predictive", "progressive", "ratio"]
OUTCOMES = ["ANSWERED", "ABANDONED", "EARLY_HANGUP", "MACHINE", "BUSY", "NOANSWER", "REJECTED", "INVALID", "CONGESTION"]
OUTCOMES += ["UNAVAILABLE", "FAILED", "CANCELLED", "TECHNICAL", "LOST"]
LEAST_OUTCOMES = often(len(OUTCOMES), 7)


class Side:
    """One of the two: a worker and a DBA on one database."""

    def __init__(self, database: Database) -> None:
        self.db = database
        self.dialect = DIALECTS[database.dialect.name]
        clean(database)
        self.caller = Caller(database, self.dialect, START)

    def call(self, routine: str, *arguments: object) -> list[Row]:
        rows = self.db.call(routine, *arguments)
        # A PostgreSQL function without a result gives a row with nothing in it.
        return [] if [list(row.values()) for row in rows] in ([[""]], [[None]]) else rows


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("postgresql", "mariadb"), id="oldest"),
        pytest.param(("postgresql-18", "mariadb-11.8"), id="newest", marks=pytest.mark.full),
    ],
)
def sides(request: pytest.FixtureRequest, database_server: Callable[[str, str], Databases]) -> Iterator[list[Side]]:
    """PostgreSQL and MariaDB, each with a new database."""
    made = []
    undo: list[Callable[[], None]] = []
    for dialect in (SERVERS[name] for name in request.param):
        server = database_server(dialect.name, dialect.version)
        url = server.create()
        settings = dialect.settings(url)
        command.upgrade(config(settings), "head")
        database = Database(settings)
        made.append(Side(database))
        undo += [database.dispose, lambda server=server, url=url: server.drop(url)]  # type: ignore[misc]
    yield made
    for one in undo:
        one()


def plain(value: Any) -> Any:
    """A value as both should give it: numbers as numbers, the servers' own time as one word."""
    if isinstance(value, datetime):
        return "the server's clock" if value < START - timedelta(days=400) else value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float | Decimal):
        return round(float(value), 3)
    if isinstance(value, str):
        return re.sub(r"(by worker \d+ since ).*", r"\1then", value)
    return value


def rows_plain(rows: list[Row]) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row.items() if name not in NUMBERED} for row in rows]


def snapshot(side: Side) -> dict[str, Any]:
    """All tables and views."""
    found: dict[str, Any] = {}
    for name in tables(side.db):
        if name in NOT_COMPARED:
            continue
        rows = rows_plain(rows_of(side.db, name))
        found[name] = [{key: row[key] for key in sorted(row) if key not in NOT_KEPT_BY_BOTH} for row in rows]
        # Text sorts by each server's own rules.
        found[name].sort(key=lambda row: json.dumps(row, default=str, sort_keys=True))
    for name in VIEWS:
        rows = rows_plain(query_at(side.db, side.dialect, side.caller.now, f"SELECT * FROM {name}"))
        found[name] = sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))
        found[f"columns of {name}"] = list(rows[0]) if rows else None
    return found


class Script:
    """Chooses what is done next; the same for both sides, since it looks only at the first."""

    def __init__(self, sides: list[Side], seed: int) -> None:
        self.sides = sides
        self.random = random.Random(seed)
        self.numbers = 0

    @property
    def first(self) -> Database:
        return self.sides[0].db

    def both(self, what: str, work: Callable[[Side], Any]) -> None:
        """Do it on both, compare what is said."""
        said = []
        for side in self.sides:
            try:
                answer = work(side)
            except DBAPIError as error:
                answer = (side.db.dialect.sqlstate(cause(error)), reason(error)[:40])
            said.append(rows_plain(answer) if isinstance(answer, list) else answer)
        assert said[0] == said[1], what
        if said[0] and isinstance(said[0], list):
            assert list(said[0][0]) == list(said[1][0]), f"{what}: the order of columns"

    def call(self, routine: str, *arguments: object) -> None:
        self.both(f"{routine}{arguments}", lambda side: side.call(routine, *arguments))

    def owned(self, routine: str, *arguments: object) -> None:
        self.both(f"{routine}{arguments}", lambda side: side.call(routine, *side.caller.owner, *arguments))

    def execute(self, statement: str, **values: Any) -> None:
        def work(side: Side) -> int:
            filled = statement.replace("{lines}", side.dialect.lines)
            return side.db.run(lambda connection: connection.execute(text(filled), values).rowcount)

        self.both(f"{statement} {values}", work)

    def now(self) -> datetime:
        return self.sides[0].caller.now

    def forward(self, seconds: float) -> None:
        for side in self.sides:
            side.caller.forward(seconds=seconds)

    def ids(self, statement: str) -> list[int]:
        return sorted(int(next(iter(row.values()))) for row in self.first.query(statement))

    # --- what can happen -------------------------------------------------------------------------------------

    def add_cases(self) -> None:
        choose = self.random.choice
        rows = []
        for _ in range(self.random.randint(1, 6)):
            self.numbers += 1
            rows.append(
                case_values(
                    id=1000 + self.numbers,  # a refused INSERT costs PostgreSQL a number
                    case_name=choose(["Ann", "O'Neil", "Ёлка 😀", ""]),
                    project_id=choose(PROJECTS),
                    phone_number=f"+49{self.numbers % 60 if self.random.random() < 0.2 else self.numbers}",
                    priority=self.random.randint(-2, 3),
                    utc=choose([None, "", "Z", "+3", "+03.00h", "-5:30", "Europe/Berlin", "America/New_York"]),
                    allowed_start=choose(["00:00:00", "00:00:00", "09:00", "22:00"]),
                    allowed_stop=choose(["00:00:00", "00:00:00", "18:00", "24:00", "02:00"]),
                    call_back=choose([True, False]),
                    call_back_period=choose([None, "1,1", "30", " 5 , 60 ", ""]),
                    deferred_time=choose(
                        [None, None, None, self.now() + timedelta(minutes=self.random.randint(-30, 90))]
                    ),
                    created=self.now() - timedelta(seconds=self.random.randint(0, 3)),
                )
            )
        cases = table("dialer_clients", *(column(name) for name in rows[0]))
        self.both("cases", lambda side: side.db.run(lambda c: c.execute(insert(cases).values(rows)).close()))

    def add_bad_case(self) -> None:
        bad = self.random.choice(
            [{"utc": "Mars/Base"}, {"phone_number": "12 3"}, {"allowed_stop": "25:00"}, {"call_back_period": "x"}]
        )
        values = case_values(id=1, created=self.now(), phone_number="1") | bad
        cases = table("dialer_clients", *(column(name) for name in values))
        self.both("a bad case", lambda side: side.db.run(lambda c: c.execute(insert(cases).values(values)).close()))

    def edit_case(self) -> None:
        known = self.ids("SELECT id FROM dialer_clients")
        if not known:
            return
        changes: list[tuple[str, dict[str, Any]]] = [
            ("used = true", {}),
            ("used = false", {}),
            ("deferred_time = :at", {"at": self.now() + timedelta(minutes=self.random.randint(0, 60))}),
            ("deferred_time = NULL", {}),
            ("deferred_done = true", {}),
            ("priority = 2, utc = 'Asia/Kolkata'", {}),
            ("allowed_start = '10:00', allowed_stop = '11:00'", {}),
            ("recall = true, recall_period = '2'", {}),
            ("phone_number = :number", {"number": str(self.random.randint(1, 50))}),
            ("call_back = false", {}),
            ("project_id = 'q'", {}),
            ("utc = '+99'", {}),
        ]
        change, values = self.random.choice(changes)
        self.execute(f"UPDATE dialer_clients SET {change} WHERE id = :id", id=self.random.choice(known), **values)

    def delete_case(self) -> None:
        known = self.ids("SELECT id FROM dialer_clients")
        if known:
            self.execute("DELETE FROM dialer_clients WHERE id = :id", id=self.random.choice(known))

    def edit_project(self) -> None:
        sort = ",".join(
            f"{number}:{self.random.choice('12')}" for number in self.random.sample("123", self.random.randint(1, 3))
        )
        changes: list[tuple[str, dict[str, Any]]] = [
            ("sort = :sort", {"sort": sort}),
            ("sort = :sort", {"sort": sort}),
            ("{lines} = :lines", {"lines": self.random.randint(0, 6)}),
            ("zone = 'Pacific/Chatham'", {}),
            ("zone = NULL", {}),
            ("type = 'progressive', queue = 'p'", {}),
            ("type = 'predictive', queue = 'p'", {}),
            ("type = 'predictive', queue = 'p', abandon_action = :action", {"action": self.random.choice(ACTIONS)}),
            ("abandon_target = :target, dial_ratio = 2.25", {"target": self.random.choice([0, 2.5, 30, 100])}),
            ("abandon_hours = 1, abandon_days = 2, machine_period = 7, amd = true", {}),
            ("machine_action = 'message', calls_per_agent = 4.5, predictive_agents = 3, priority = -1", {}),
            ("type = 'autoinforming'", {}),
            ("call_time = 15", {}),
            ("case_limit = 5", {}),
            ("abandon_seconds = 0.5", {}),
        ]
        change, values = self.random.choice(changes)
        self.execute(
            f"UPDATE dialer_params SET {change} WHERE project_id = :p", p=self.random.choice(PROJECTS), **values
        )

    def edit_trunk(self) -> None:
        change = self.random.choice(
            ["max_lines = 3", "max_lines = 30", "calls_per_second = 2.5", "calls_per_second = 10000", "max_lines = -1",
             "dial_template = 'Local/{number}@out/n'", "dial_template = 'PJSIP/{number}@carrier'"]
        )  # fmt: skip
        self.execute(f"UPDATE dialer_trunks SET {change}")

    def start_or_stop(self) -> None:
        routine = self.random.choice(["dialer_project_start"] * 8 + ["dialer_project_stop"])
        self.call(routine, self.random.choice([*PROJECTS, "nobody"]))

    def look(self) -> None:
        self.call("dialer_next", self.random.choice(PROJECTS), self.now(), self.random.randint(1, 20))
        self.call("dialer_project_until", self.random.choice(PROJECTS), self.now())
        self.call("dialer_work", "default")

    def claim(self) -> None:
        self.owned("dialer_claim", self.random.choice(PROJECTS), self.random.randint(1, 8), self.now())

    def begin(self) -> None:
        waiting = self.first.query("SELECT DISTINCT project_id FROM dialer_claims WHERE attempt_id IS NULL")
        project = self.random.choice(sorted(row["project_id"] for row in waiting) or PROJECTS)
        rows = self.first.query(
            "SELECT case_id FROM dialer_claims WHERE project_id = :p AND attempt_id IS NULL ORDER BY place", p=project
        )
        asked = [int(row["case_id"]) for row in rows][: self.random.randint(1, 5)]
        if self.random.random() < 0.1:
            asked.append(1)
        requests = [
            {
                "case_id": case,
                "channel_id": f"{self.random.random()}",
                "action_id": f"{self.random.random()}",
                "guaranteed": self.random.random() < 0.8,
            }
            for case in asked
        ]
        self.owned("dialer_attempt_begin", project, json.dumps(requests), self.now())

    def open_attempts(self) -> list[int]:
        return self.ids("SELECT id FROM dialer_calls WHERE ended_at IS NULL")

    def advance(self) -> None:
        steps = ["dialing", "ringing", "answered", "amd", "waiting", "agent", "played"]
        reports = [
            {
                "attempt_id": attempt,
                "steps": {step: self.random.choice([0, 0.25, 3]) for step in self.random.sample(steps, 2)},
                "agent": self.random.choice([None, "PJSIP/ä1"]),
                "amd": self.random.choice([None, None, "HUMAN", "MACHINE", "NOTSURE", "HANGUP"]),
            }
            for attempt in self.open_attempts()[:3]
        ]
        self.owned("dialer_attempt_advance", json.dumps(reports), self.now())

    def finish(self) -> None:
        silent = self.random.random() < 0.12
        reports = []
        for attempt in self.random.sample(found := self.open_attempts(), min(len(found), self.random.randint(1, 8))):
            outcome = self.random.choice(["CONGESTION", "NOANSWER", "FAILED"] if silent else OUTCOMES)
            facts: dict[str, Any] = {} if silent else {"ringing": self.random.choice([2, 5.5])}
            if outcome in ("ANSWERED", "ABANDONED", "MACHINE", "EARLY_HANGUP"):
                facts["answered"] = 1.75
            if outcome in ("ANSWERED", "MACHINE"):
                facts["agent"] = self.random.choice([0.125, 1.5])
            if "answered" in facts and self.random.random() < 0.5:
                facts["amd"] = 1.25
                facts["verdict"] = self.random.choice(["HUMAN", "HUMAN", "MACHINE", "NOTSURE", "HANGUP"])
            report = ended(attempt, outcome, cause=self.random.choice([None, 16, 17]), detail="Größe null", **facts)
            reports.append(report)
        self.owned("dialer_attempt_finish", json.dumps(reports), self.now())

    def upkeep(self) -> None:
        project = self.random.choice(PROJECTS)
        what = self.random.randrange(6)
        if what == 0:
            self.call("dialer_reap")
        elif what == 1:
            self.call("dialer_project_count", project, self.now())
        elif what == 2:
            reason = self.random.choice([None, None, None, "no queue 'p': add it"])
            self.owned("dialer_project_report", project, reason, self.now())
        elif what == 3:
            members = [
                {"queue": "p", "interface": f"PJSIP/ä{number}", "name": f"Zoë {number}",
                 "state": self.random.choice(["free", "talking", "paused", "unavailable"]), "since": number / 4}
                for number in range(self.random.randint(0, 3))
            ]  # fmt: skip
            self.owned("dialer_agents_write", json.dumps(members), self.now())
        elif what == 4:
            self.both("release", lambda side: side.call("dialer_release", side.caller.worker_id, "default", None))
        else:
            self.call("dialer_open_attempts", "default", self.now())

    def pace(self) -> None:
        project = self.random.choice(PROJECTS)
        what = self.random.randrange(5)
        if what == 0:
            self.call("dialer_abandon_ledger", project, self.now())
        elif what == 1:
            self.call("dialer_pacing_load", project)
        elif what == 2:
            learned = json.dumps({"rates": [self.random.randint(0, 9), 0.25], "text": "\"Größe\" \\ 'x'\n"})
            states = [{"project_id": one, "learned": learned} for one in self.random.sample(PROJECTS, 2)]
            self.owned("dialer_pacing_save", json.dumps(states), self.now())
        elif what == 3:
            rows = [
                {"project_id": project, "ago": self.random.choice([0, 1.5, 3600]), "quota": number, "granted": 1,
                 "mode": self.random.choice(MODES), "reason": "ein Grund: ß", "inputs": json.dumps({"free": number})}
                for number in range(self.random.randint(0, 3))
            ]  # fmt: skip
            self.owned("dialer_journal_write", json.dumps(rows), self.now())
        else:
            self.call("dialer_prune", self.now())

    def pass_time(self) -> None:
        self.forward(self.random.choice([0.2, 1, 1, 20, 61, 400, 3600 * 5]))


WEIGHTS = {
    Script.add_cases: 14, Script.add_bad_case: 2, Script.edit_case: 12, Script.delete_case: 2, Script.edit_project: 5,
    Script.edit_trunk: 3, Script.start_or_stop: 5, Script.look: 8, Script.claim: 18, Script.begin: 22,
    Script.advance: 8, Script.finish: 14, Script.upkeep: 6, Script.pace: 6, Script.pass_time: 10,
}  # fmt: skip


@pytest.mark.timeout(300)
def test_the_same_operations_leave_both_databases_the_same(sides: list[Side]) -> None:
    script = Script(sides, seed=20310329)
    for project in PROJECTS:
        values = {"p": project}
        script.execute(
            "INSERT INTO dialer_params (project_id, type, exten) VALUES (:p, 'autoinforming', '100')", **values
        )
        script.call("dialer_project_start", project)
    script.call("dialer_trunk_ensure", "default", "PJSIP/{number}@carrier")
    script.execute("UPDATE dialer_trunks SET calls_per_second = 10000")
    done: list[str] = []
    for number in range(STEPS):
        step = script.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        done.append(step.__name__)
        try:
            step(script)
            if number % CHECKED_EVERY == CHECKED_EVERY - 1:
                ours, theirs = map(snapshot, sides)
                for name, rows in ours.items():
                    assert rows == theirs[name], name
        except AssertionError as error:
            error.add_note(f"after {number} steps, the last ones: {', '.join(done[-8:])}")
            raise
    seen = snapshot(sides[0])
    assert len(seen["dialer_attempts"]) > LEAST_ATTEMPTS, "or it compared nothing"
    outcomes = {row["outcome"] for row in sides[0].db.query("SELECT outcome FROM dialer_attempts")}
    assert len(outcomes - {None}) >= LEAST_OUTCOMES, "or most never happened"
