"""A worker's loops go on whatever a turn of theirs runs into: unforeseen errors, a schema that is away for a while, a
trunk that a DBA holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from simulator import SimulatedAsterisk, call_centre
from tests.support.containers import Databases
from tests.support.dba import Dba, dba
from tests.support.installation import SCHEMA, installed
from tests.support.waiting import wait_for
from worker.clock import SystemClock
from worker.config import load
from worker.service import Service

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

GAP_SECONDS = 3.0
"""The longest that a project whose rows nobody holds may be without a new attempt, on a busy machine. One that waited
for a lock in its turn would be that long, five times over."""


class Place:
    """A worker with two Asterisks in this process: projects a (trunk east) and b (trunk default) on the first one, c on
    the second; announcements, so that nothing but lines bounds them."""

    def __init__(self, url: str, closing: ExitStack) -> None:
        self.is_mariadb = url.startswith("mariadb")
        self.reader: Dba = dba(url, SCHEMA)
        self.dba: Dba = dba(url, SCHEMA)
        for connection in (self.reader, self.dba):
            closing.callback(connection.close)
        people = call_centre(speed=60)
        secret = next(user.secret for user in people.users if user.name == "dialer")
        environ = {"DIALER_DATABASE_URL": url, "DIALER_DATABASE_SCHEME": SCHEMA, "DIALER_WORKER_NAME": "w"}
        if self.is_mariadb:
            del environ["DIALER_DATABASE_SCHEME"]
        for seed, (name, section) in enumerate((("default", "AMI"), ("two", "ASTERISK_TWO"))):
            asterisk = SimulatedAsterisk(replace(people, agents=(), queues=()), SystemClock(), seed)
            closing.callback(asterisk.stop)
            environ |= {
                f"DIALER_{section}_IP": "127.0.0.1",
                f"DIALER_{section}_PORT": str(asterisk.serve()),
                f"DIALER_{section}_USERNAME": "dialer",
                f"DIALER_{section}_PASSWORD": secret,
            }
            self._project("abc"[seed * 2], "east" if name == "default" else "west", name)
        self._project("b", "default", "default")
        self.service = Service(load(None, environ))
        closing.callback(self.service.close)
        self.service.start()
        wait_for(lambda: sum(one.ready for one in self.service.sessions()) == 2, 20, "both Asterisks to be up")
        for project in "abc":
            self.rows(f"{'CALL' if self.is_mariadb else 'SELECT'} dialer_project_start('{project}')")
        self.wait_for_more("abc")

    def _project(self, name: str, trunk: str, asterisk: str) -> None:
        quote = self.dba.quote
        self.dba.sql(
            "INSERT INTO dialer_trunks (trunk, asterisk, dial_template, max_lines, calls_per_second)"
            " VALUES (%s, %s, 'PJSIP/{number}@carrier', 30, 50)",
            trunk,
            asterisk,
        )
        self.dba.sql(
            "INSERT INTO dialer_params (project_id, type, exten, context, dial_time, trunk, asterisk,"
            f" {quote}lines{quote}) VALUES (%s, 'autoinforming', 's', 'autoinforming', 2000, %s, %s, 5)",
            name,
            trunk,
            asterisk,
        )
        numbers = "seq" if self.is_mariadb else "n"
        source = "seq_1_to_3000" if self.is_mariadb else "generate_series(1, 3000) n"
        self.dba.sql(
            "INSERT INTO dialer_clients (case_name, project_id, phone_number)"
            f" SELECT 'Case', '{name}', CAST({ord(name)}0000 + {numbers} AS char(8)) FROM {source}"
        )

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return self.reader.sql(statement, *values)

    def attempts(self, project: str) -> int:
        found = self.rows("SELECT count(*) AS n FROM dialer_stat_attempt WHERE project_id = %s", project)
        return int(found[0]["n"])

    def wait_for_more(self, projects: str, count: int = 5) -> None:
        """Until so many attempts more of each of these projects have begun."""
        goals = {project: self.attempts(project) + count for project in projects}
        wait_for(
            lambda: all(self.attempts(project) >= goal for project, goal in goals.items()),
            30,
            lambda: f"{goals}: {self.situation()}",
            every=0.05,
        )

    def told(self) -> list[str]:
        """Warnings about what is held."""
        kinds = (
            "('claims_slow', 'project_trouble', 'trunk_trouble', 'asterisk_trouble', 'worker_trouble', 'ledger_held')"
        )
        return [row["detail"] for row in self.rows(f"SELECT detail FROM dialer_warnings WHERE kind IN {kinds}")]

    def gap(self, project: str) -> float:
        """The longest time in seconds between two attempts."""
        order = "SELECT begun_at FROM dialer_stat_attempt WHERE project_id = %s ORDER BY attempt_id"
        at = [row["begun_at"] for row in self.rows(order, project)]
        return max(float((later - earlier).total_seconds()) for earlier, later in pairwise(at))

    @contextmanager
    def held(self, statement: str) -> Iterator[None]:
        if self.is_mariadb:
            self.dba.sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self.dba.sql("BEGIN")
        self.dba.sql(statement)
        try:
            yield
        finally:
            self.dba.sql("COMMIT")

    def situation(self) -> str:
        return f"{self.rows('SELECT * FROM dialer_project_states')}\n{self.told()}"


@pytest.fixture
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops come again soon."""
    monkeypatch.setattr("worker.supervisor.MOST_SECONDS", 0.5)
    monkeypatch.setattr("worker.service.REAP_SECONDS", 0.2)
    monkeypatch.setattr("worker.service.COUNT_SECONDS", 0.0)


@pytest.fixture(params=["postgres", "mariadb"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    server: Databases = request.getfixturevalue(f"{request.param}_server")
    url = installed(server)
    yield url
    server.drop(url)


@pytest.fixture
def place(database: str) -> Iterator[Place]:
    with ExitStack() as closing:
        yield Place(database, closing)


def test_an_open_edit_of_a_trunk_is_waited_for_at_full_length(place: Place) -> None:
    """With the time-outs as they are; the others do not notice, and it is told."""
    with place.held("UPDATE dialer_trunk_states SET streak = 0 WHERE trunk = 'east'"):
        wait_for(place.told, 20, place.situation, every=0.05)
        place.wait_for_more("bc")
        assert place.told()
    place.wait_for_more("a")
    wait_for(lambda: not place.told(), 30, lambda: f"nothing to be told: {place.situation()}", every=0.1)
    assert max(place.gap(project) for project in "bc") < GAP_SECONDS
    assert place.rows("SELECT * FROM dialer_invariants") == []


class Choke:
    """A function that fails a few times first."""

    def __init__(self, real: Callable[..., Any], times: int = 4) -> None:
        self.real = real
        self.left = times

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if self.left > 0:
            self.left -= 1
            raise KeyError("unforeseen")
        return self.real(*arguments, **named)


@pytest.mark.usefixtures("_hurry")
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_every_loop_of_a_worker_outlives_unforeseen_errors(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    service: Any = place.service
    fleet = service._fleet
    owned = next(iter(fleet._owned.values()))
    chokes = []
    for holder, name in [
        (service.keeper, "beat"),
        (service.keeper, "own"),
        (fleet, "_attend"),
        (fleet, "wake"),
        (service, "_count"),
        (service._wakeups, "wait"),
        (service.database, "wakeups"),
        (owned.dialer, "turn"),
        (owned.dialer, "_dial"),
        (owned.dialer._hopper, "tidy"),
        (owned.dialer._hopper, "fill"),
        (owned.dialer._pacer, "look"),
        (owned.dialer._pacer, "save"),
        (owned.session.ledger, "flush"),
        (owned.session.tracker, "tick"),
    ]:
        choke = Choke(getattr(holder, name))
        chokes.append((name, choke))
        monkeypatch.setattr(holder, name, choke)
    for session in place.service.sessions():
        fleet._unsure.add(session.name)

    def left() -> set[str]:
        # Nobody need wake it, and a connection that has failed once is another one.
        return {name for name, choke in chokes if choke.left} - {"wake", "wait", "wakeups"}

    wait_for(lambda: not left(), 60, lambda: f"{left()} to have failed")
    place.wait_for_more("abc", 10)
    wait_for(lambda: service._wakeups is not None, 20, "the worker to listen again")


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_wakeups_come_again_after_their_table_was_away(place: Place) -> None:
    """As while a dump is restored over the schema: each table is dropped and made anew."""
    service: Any = place.service
    place.dba.sql("RENAME TABLE dialer_wakeups TO dialer_wakeups_away")
    wait_for(lambda: service._wakeups is None, 20, "the worker to have noticed")
    place.dba.sql("RENAME TABLE dialer_wakeups_away TO dialer_wakeups")
    wait_for(lambda: service._wakeups is not None, 20, "the worker to listen again")
    place.wait_for_more("abc")
    assert not place.service._listener.ready()  # type: ignore[union-attr]
