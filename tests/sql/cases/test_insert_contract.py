"""The contract of INSERT has no way round it: odd values, in every way in which a row may be written, at every column
of every table that people write. Both databases agree on what is taken, and what is taken can be dialled, explained
and finished.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alembic import command
from tests.support.caller import Caller
from tests.support.containers import Databases
from tests.support.dialects import SERVERS, clean, execute, query_at
from tests.support.extent import often
from tests.support.factories import add_case, add_project, add_trunk
from tests.support.odd_values import VALUES
from tests.support.writers import WRITERS, Refused, Value, Writer, raw
from worker.ami.actions import encode, originate
from worker.db import Database
from worker.db.database import Row
from worker.db.migration import config

pytestmark = pytest.mark.docker

GOOD: dict[str, dict[str, Value]] = {
    "dialer_clients": {"id": 1, "case_name": "somebody", "project_id": "p", "phone_number": "+49301"},
    "dialer_params": {"project_id": "p", "type": "autoinforming", "exten": "100", "context": "autoinforming"},
    "dialer_trunks": {"trunk": "default", "asterisk": "default", "dial_template": "PJSIP/{number}@carrier"},
    "dialer_settings": {"name": "server_zone", "value": "UTC", "description": "of this test"},
}
THE_DIALERS_OWN = {
    *("checked", "deferred_kind", "not_before_at", "redials_done", "failures", "brought_back", "last_attempt_id"),
    *("tried_at", "inserted_at", "window_key", "number", "number_place"),
    *("number_region", "zones", "held_for", "held_until", "scoped_at"),
}
"""Columns that are the dialer's: what people write there is not kept, nobody can write it, or nobody should."""

# What one of the two takes and the other refuses, or where two ways differ: kind of column, who takes it, what it looks
# like.
NAMED = [
    # MariaDB reads any number, and rounds it to a whole one.
    ("number", "mariadb", r"[+-]?(\d+\.\d*|\.\d+|\d+(\.\d+)?[eE][+-]?\d+)"),
    # PostgreSQL 16 and later read a program's forms.
    ("number", "postgresql", r"0x[0-9A-F]+|0b[01]+|\d+_\d+"),
    # Of a blank behind a number MariaDB says that it has cut something, and not what.
    ("number", "postgresql", r"\s*[+-]?\d+\s+"),
    # MariaDB has numbers for true and false, PostgreSQL words.
    ("bool", "mariadb", r"[+-]?\d*\.?\d*"),
    ("bool", "postgresql", r"(?i)t|f|true|false|yes|no|on|off|1\s+|\s*1\s+"),
    # PostgreSQL has words for instants, understands offsets where MariaDB can but refuse, and each reads more forms.
    ("instant", "postgresql", r"now|now\(\)|today|tomorrow|yesterday|epoch"),
    ("instant", "postgresql", r".*\d.*([+-]\d\d(:\d\d)?|Z| UTC)"),
    ("instant", "postgresql", r"\d\d/\d\d/\d{4}|.* 24:00|.*\.\d{9}"),
    ("instant", "mariadb", r"\d\d-\d-\d|\d{8}"),
    # Nobody sees a file's values before MariaDB has converted them: a promise with 1 to 14 seconds is refused there,
    # for it may be an offset; '+00', an offset behind hours alone, and those of `created` are taken for seconds and
    # minutes.
    ("instant", "mariadb", r"2026-11-29 (10:00[+-]03|10\+03|10:00\+00)"),
    ("instant", "both", r"2026-11-29 10:00:07"),
    # MariaDB's AUTO_INCREMENT: 0 and NULL are the next one.
    ("id", "mariadb", r"[+-]?0*(\.\d+)?|None"),
]


@dataclass(frozen=True)
class Column:
    table: str
    name: str
    kind: str
    """text, number, bool or instant; id: a number that the server gives."""

    def takes(self, value: Value) -> bool:
        """Is it worth while to write this here? Types other than its own are written as texts."""
        if value is None or isinstance(value, str | bytes):
            return True
        if isinstance(value, bool):
            return self.kind == "bool"
        if isinstance(value, int):
            return self.kind in ("number", "id")
        return isinstance(value, datetime) and self.kind in ("instant", "text")


@dataclass
class Side:
    """One of the two: a DBA who writes, and a worker."""

    name: str
    db: Database
    writer: Writer
    columns: list[Column] = field(default_factory=list)
    zones: set[Value] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.zones.update(SERVERS[self.name].zones(self.db))
        kinds = {"boolean": "bool", "tinyint": "bool", "timestamp": "instant", "timestamp with time zone": "instant"}
        rows = self.db.query(
            "SELECT table_name AS t, column_name AS name, data_type AS type FROM information_schema.columns"
            " WHERE table_schema = :schema ORDER BY table_name, ordinal_position",
            schema=self.db.schema,
        )
        for row in rows:
            if row["t"] in GOOD and row["name"] not in {*THE_DIALERS_OWN, "waits_as", "waits_for"}:
                text = "char" in row["type"]
                kind = "text" if text else "id" if row["name"] == "id" else kinds.get(row["type"], "number")
                self.columns.append(Column(row["t"], row["name"], kind))

    def answers(self, column: Column, value: Value) -> set[str]:
        """What comes of the value, in all ways; 'refused' is one of them."""
        found = set()
        for way in self.writer.ways:
            try:
                found.add(plain(self.writer.tried(way, column.table, GOOD[column.table], column.name, value)))
            except Refused:
                found.add("refused")
        return found


def plain(value: Any) -> str:
    """A value as both should hold it."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, dict):
        return json.dumps(value)
    return str(float(value)) if isinstance(value, Decimal) else str(value)


def named(column: Column, value: Value, takers: set[str]) -> bool:
    """Is a difference one of those that have a name?"""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    kinds = {column.kind, "number"} if column.kind == "id" else {column.kind}
    return any(
        kind in kinds and (by in takers or by == "both") and re.fullmatch(form, text) for kind, by, form in NAMED
    )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("postgresql", "mariadb"), id="oldest"),
        pytest.param(("postgresql-18", "mariadb-10.11"), id="newer", marks=pytest.mark.full),
        pytest.param(("postgresql-18", "mariadb-11.8"), id="newest", marks=pytest.mark.full),
    ],
)
def sides(request: pytest.FixtureRequest, database_server: Callable[[str, str], Databases]) -> Iterator[list[Side]]:
    """PostgreSQL and MariaDB, each with a new database."""
    made: list[Side] = []
    undo: list[Callable[[], None]] = []
    for dialect in (SERVERS[name] for name in request.param):
        server = database_server(dialect.name, dialect.version)
        url = server.create()
        database = Database(dialect.settings(url))
        command.upgrade(config(dialect.settings(url)), "head")
        clean(database)
        made.append(Side(dialect.name, database, WRITERS[dialect.name](dialect.settings(url))))
        undo += [made[-1].writer.close, database.dispose, lambda server=server, url=url: server.drop(url)]  # type: ignore[misc]
    yield made
    for one in undo:
        one()


def writings() -> st.SearchStrategy[list[tuple[int, int]]]:
    """Columns and values by their numbers: many at once, none twice."""
    pair = st.tuples(st.integers(0, 1000), st.integers(0, len(VALUES) - 1))
    return st.lists(pair, min_size=60, max_size=60, unique=True)


MANY = settings(
    max_examples=often(12, 3),
    deadline=None,
    # A list that fails is long; shrinking it would take for ever.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@MANY
@given(chosen=writings())
def test_what_is_taken_is_the_same_on_both_and_can_be_dialled(sides: list[Side], chosen: list[tuple[int, int]]) -> None:
    columns = sides[0].columns
    assert {*columns} == {*sides[1].columns}
    check(sides, [(columns[number % len(columns)], VALUES[value]) for number, value in chosen])


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("table", GOOD)
def test_nothing_at_all_finds_a_way_round(sides: list[Side], table: str) -> None:
    """Every value at every column."""
    for column in sides[0].columns:
        if column.table == table:
            check(sides, [(column, value) for value in VALUES])


def check(sides: list[Side], writings: list[tuple[Column, Value]]) -> None:
    taken: list[tuple[Column, Value]] = []
    for column, value in writings:
        if not column.takes(value):
            continue
        answers = {side.name: side.answers(column, value) for side in sides}
        takers = {name for name, found in answers.items() if found != {"refused"}}
        ours, theirs = answers.values()
        if column.kind == "text" and len({value in side.zones for side in sides}) == 2:
            # A name that only one of these two servers knows.
            continue
        assert (ours == theirs and len(ours) == 1) or named(column, value, takers), (column, value, answers)
        if takers:
            taken.append((column, value))
    for side in sides:
        Lab(side).see_to_it(taken)


class Lab:
    """Everything that was taken is written for good; then it is dialled to the end."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.db = side.db
        clean(self.db)
        self.caller = Caller(self.db, SERVERS[side.name])
        self.projects: set[str] = set()
        self.dialled_through = {"p"}
        """Projects that lack nothing: all their cases are dialled in the end. Others may have no line or no trunk."""
        self.add_project("p")
        add_trunk(self.db)

    def add_project(self, project: str, **columns: Any) -> None:
        add_project(self.db, project, **columns)
        self.caller.start(project)
        self.projects.add(project)

    def stored(self, table: str, row: dict[str, Value]) -> bool:
        """Written as a DBA writes it; False: this server does not take it."""
        try:
            self.side.writer.store(table, row)
        except Refused:
            return False
        return True

    def see_to_it(self, taken: list[tuple[Column, Value]]) -> None:
        reset: list[Row] = self.db.query("SELECT name, value FROM dialer_settings")
        for number, (column, value) in enumerate(taken, 1):
            getattr(self, column.table)(number, column.name, value)
        self.dial()
        for row in reset:
            execute(self.db, "UPDATE dialer_settings SET value = :value WHERE name = :name", **row)

    def dialer_clients(self, number: int, column: str, value: Value) -> None:
        row: dict[str, Value] = {"case_name": "x", "project_id": "p", "phone_number": f"{9_000_000 + number}"}
        if column == "project_id":
            project = raw(value).decode()
            self.dialled_through.add(project)
            if project not in self.projects:
                self.add_project(project)
        self.stored("dialer_clients", {**row, column: value})

    def dialer_params(self, number: int, column: str, value: Value) -> None:
        row = {**GOOD["dialer_params"], "project_id": f"q{number}", column: value}
        project = raw(row["project_id"]).decode()
        if project not in self.projects and self.stored("dialer_params", row):
            self.caller.start(project)
            self.projects.add(project)
            add_case(self.db, project_id=project)

    def dialer_trunks(self, number: int, column: str, value: Value) -> None:
        row = {**GOOD["dialer_trunks"], "trunk": f"t{number}", column: value}
        if self.stored("dialer_trunks", row):
            self.add_project(f"of trunk {number}", trunk=raw(row["trunk"]).decode())
            add_case(self.db, project_id=f"of trunk {number}")

    def dialer_settings(self, number: int, column: str, value: Value) -> None:
        if column == "value":
            for row in self.db.query("SELECT name FROM dialer_settings WHERE name <> 'virtual_clock'"):
                self.side.writer.tell(f"UPDATE dialer_settings SET value = :v WHERE name = '{row['name']}'", value)
        elif self.stored("dialer_settings", {**GOOD["dialer_settings"], "name": f"s{number}", column: value}):
            self.side.writer.tell(f"DELETE FROM dialer_settings WHERE {column} = :v", value)

    def dial(self) -> None:
        """Until nothing is left that could be dialled, at whatever instant."""
        caller = self.caller
        begun: set[int] = set()
        for _ in range(30):
            for project in sorted(self.projects):
                caller.next(project=project)
                while claimed := caller.claim(n=1000, project=project):
                    rows = caller.begin(claimed, project)
                    assert {row["refusal"] for row in rows} <= {None, "no_line", "no_trunk", "number_in_call", "pacing"}
                    caller.finish_all([self.ended(row) for row in rows if row["refusal"] is None])
                    begun |= {row["case_id"] for row in rows if row["refusal"] is None}
                    if all(row["refusal"] is not None for row in rows):
                        caller.stop(project)
                        break
            why = query_at(self.db, caller.dialect, caller.now, "SELECT * FROM dialer_why")
            assert all(row["reason"] for row in why), why
            later = [row["until_at"] for row in why if row["until_at"] is not None and row["until_at"] > caller.now]
            if not later:
                break
            caller.now = min(later)
        for view in ("dialer_invariants", "dialer_warnings", "dialer_rules", "dialer_project_states", "dialer_stat"):
            rows = query_at(self.db, caller.dialect, caller.now, f"SELECT * FROM {view}")
            assert view != "dialer_invariants" or rows == []
        assert [row for row in why if row["project_id"] in self.dialled_through] == [], self.side.name

    @staticmethod
    def ended(row: Row) -> dict[str, Any]:
        """The call that may be begun goes out to Asterisk, and was answered."""
        encode(
            originate(
                channel=row["channel"],
                context=row["context"],
                exten=row["exten"] or "s",
                timeout_ms=round(row["dial_seconds"] * 1000),
                channel_id=row["channel_id"],
                action_id=row["action_id"],
                caller_id=row["caller_id"] or "",
                account="dialer",
                variables={"__DIALER_QUEUE": row["queue"], "__DIALER_PROJECT": "p"},
            )
        )
        return {"attempt_id": row["attempt_id"], "outcome": "ANSWERED", "ended": 0, "steps": {"answered": 0}}
