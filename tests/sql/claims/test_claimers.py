"""Two to eight claimers at once, on connections of their own: no case twice, none lost, no number in two calls."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

import gevent
import gevent.event
import pytest
from sqlalchemy import Connection

from tests.support.caller import NOON, Caller, ended
from tests.support.dialects import Dialect, execute
from tests.support.extent import often
from tests.support.factories import add_cases, add_project, add_trunk
from worker.db import Database

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

PROJECTS = ("p", "q", "r")
CASES = often(1500, 600)
NUMBERS = CASES * 2 // 3
"""So a number stands in several cases, of one project and of others."""
ASTERISKS = ("default", "second")


class Floor:
    """What all claimers have done, as each of them saw it."""

    def __init__(self) -> None:
        self.began = monotonic()
        self.live: dict[str, int] = {}
        self.dialled: Counter[int] = Counter()
        self.refused: Counter[str] = Counter()
        self.left: dict[tuple[str, str], list[int]] = {}
        """Cases in hand, by Asterisk and project, that were not permitted yet."""

    def dial(self, caller: Caller, chance: random.Random) -> int:
        """Claim, begin and finish once in each project; how many calls."""
        calls = 0
        for project in chance.sample(PROJECTS, len(PROJECTS)):
            caller.now = NOON + timedelta(seconds=monotonic() - self.began)
            cases = self.left.pop((caller.asterisk, project), []) + caller.claim(chance.randint(1, 20), project)
            rows = caller.begin(cases, project) if cases else []
            begun = [row for row in rows if row["attempt_id"] is not None]
            self.refused.update(row["refusal"] for row in rows if row["attempt_id"] is None)
            later = [row["case_id"] for row in rows if row["refusal"] in ("no_line", "pacing")]
            self.left.setdefault((caller.asterisk, project), []).extend(later)
            for row in begun:
                other = self.live.setdefault(row["phone_number"], row["case_id"])
                assert other == row["case_id"], f"cases {other} and {row['case_id']} are in calls to one number"
                self.dialled[row["case_id"]] += 1
            gevent.sleep(chance.random() / 50)  # the calls last a little
            for row in begun:
                del self.live[row["phone_number"]]
            if begun:
                assert caller.finish_all([ended(row["attempt_id"], "ANSWERED", answered=0) for row in begun])
            calls += len(begun)
        return calls


@contextmanager
def connections(db: Database, count: int) -> Iterator[list[Database]]:
    """So many ways into one database, each with a pool of its own."""
    databases = [Database(db.settings) for _ in range(count)]
    try:
        yield databases
    finally:
        for database in databases:
            database.dispose()


@pytest.mark.parametrize("claimers", [pytest.param(2, marks=pytest.mark.full), 8])
def test_claimers_side_by_side(db: Database, dialect: Dialect, claimers: int) -> None:
    for asterisk in ASTERISKS:
        add_trunk(db, asterisk=asterisk, calls_per_second=10_000, max_lines=150)
    for project in PROJECTS:
        add_project(db, project, sort="1:2,2:1", lines=100)
    owners = [Caller(db, dialect, asterisk=asterisk) for asterisk in ASTERISKS]
    for project in PROJECTS:
        owners[0].start(project)
    add_cases(
        db,
        [
            {
                "project_id": PROJECTS[number % 3],
                "phone_number": str(7_000_000 + number % NUMBERS),
                "priority": number % 5,
            }
            for number in range(CASES)
        ],
    )
    floor = Floor()

    def claim(database: Database, owner: Caller, seed: int) -> None:
        """As the owner of an Asterisk, on a connection of one's own, until nothing has come for a while."""
        caller = object.__new__(Caller)
        caller.__dict__ = {**vars(owner), "db": database}
        chance = random.Random(seed)
        idle = 0
        while idle < 3:
            idle = 0 if floor.dial(caller, chance) else idle + 1

    def tidy(database: Database) -> None:
        """What a worker does besides."""
        while True:
            database.call("dialer_reap")
            for project in PROJECTS:
                database.call("dialer_project_count", project, None)
            gevent.sleep(0.05)

    with connections(db, claimers + 1) as (*databases, extra):
        tidying = gevent.spawn(tidy, extra)
        jobs = [
            gevent.spawn(claim, database, owners[index % len(owners)], index)
            for index, database in enumerate(databases)
        ]
        gevent.joinall(jobs, raise_error=True)
        assert not tidying.ready(), tidying.exception
        tidying.kill()
        retries = sum(database.retries for database in (*databases, extra))

    assert floor.dialled == Counter({row["id"]: 1 for row in db.query("SELECT id FROM dialer_clients")})
    assert db.query("SELECT count(*) AS n FROM dialer_clients WHERE used AND NOT checked")[0]["n"] == CASES
    assert db.query("SELECT count(*) AS n FROM dialer_attempts WHERE outcome = 'ANSWERED'")[0]["n"] == CASES
    assert db.query("SELECT * FROM dialer_claims") == []
    assert db.query("SELECT * FROM dialer_live") == []
    assert db.query("SELECT * FROM dialer_invariants") == []
    assert set(floor.refused) <= {"number_in_call", "no_line", "pacing", "not_claimed"}
    print(f"{retries} transactions were rolled back and tried again; refused: {dict(floor.refused)}")


def test_deadlock_is_tried_again_and_counted(db: Database) -> None:
    add_project(db)
    add_cases(db, [{}, {}])
    first, second = (row["id"] for row in db.query("SELECT id FROM dialer_clients ORDER BY id"))
    meeting = {first: gevent.event.Event(), second: gevent.event.Event()}

    def write(case: int, other: int) -> None:
        def work(connection: Connection) -> None:
            connection.exec_driver_sql(f"UPDATE dialer_clients SET priority = priority + 1 WHERE id = {case}")
            meeting[case].set()
            meeting[other].wait(5)
            connection.exec_driver_sql(f"UPDATE dialer_clients SET priority = priority + 1 WHERE id = {other}")

        db.run(work)

    before = db.retries
    jobs = [gevent.spawn(write, first, second), gevent.spawn(write, second, first)]
    gevent.joinall(jobs, raise_error=True)
    assert db.retries == before + 1
    assert execute(db, "UPDATE dialer_clients SET used = true WHERE priority = 3") == 2
