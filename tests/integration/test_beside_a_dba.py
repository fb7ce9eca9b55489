"""A whole worker beside a DBA's long transactions: the other projects are dialled as if nothing was."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.dba import Dba, dba
from tests.acceptance.installation import SCHEMA, migrate
from tests.containers import Databases
from tests.waiting import wait_for
from worker.clock import SystemClock
from worker.simulator import SimulatedAsterisk, call_centre

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

OTHERS = ("b", "c")
LINES = 3
"""Of each project; a call takes about a third of a second."""
MOST_GAP_SECONDS = 5.0
"""The longest that a project which the DBA does not touch may be without a new attempt, on a machine that is busy with
other things too. A claim that waited for the DBA's locks would be 15 s."""


class Place:
    """A worker on one database, a simulated Asterisk, and a DBA with two sessions."""

    def __init__(self, url: str, directory: Path) -> None:
        self.is_mariadb = url.startswith("mariadb")
        people = call_centre(speed=30)
        self.asterisk = SimulatedAsterisk(replace(people, agents=(), queues=()), SystemClock(), seed=3)
        self.reader: Dba = dba(url, SCHEMA)
        self.dba: Dba = dba(url, SCHEMA)
        self._log = directory / "worker.log"
        secret = next(user.secret for user in people.users if user.name == "dialer")
        self._environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("DIALER_")},
            "DIALER_DATABASE_URL": url,
            **({} if self.is_mariadb else {"DIALER_DATABASE_SCHEME": SCHEMA}),
            "DIALER_AMI_IP": "127.0.0.1",
            "DIALER_AMI_PORT": str(self.asterisk.serve()),
            "DIALER_AMI_USERNAME": "dialer",
            "DIALER_AMI_PASSWORD": secret,
            "DIALER_LOGLEVEL": "2",
        }
        self._numbers = iter(range(10, 90))

    def load(self, project: str, count: int, **columns: str) -> str:
        """The statement that inserts so many cases; values of columns are SQL."""
        number = f"{next(self._numbers)}000000 + "
        number += "seq" if self.is_mariadb else "n"
        source = f"seq_1_to_{count}" if self.is_mariadb else f"generate_series(1, {count}) n"
        names, values = "".join(f", {name}" for name in columns), "".join(f", {value}" for value in columns.values())
        return (
            f"INSERT INTO dialer_clients (case_name, project_id, phone_number{names})"
            f" SELECT 'Case', '{project}', CAST({number} AS char(8)){values} FROM {source}"
        )

    @contextmanager
    def worker(self) -> Iterator[None]:
        """A running worker; at the end it has stopped by itself."""
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dialer", "worker"], env=self._environ, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            wait_for(lambda: self.rows("SELECT 1 FROM dialer_asterisks WHERE state = 'up'"), 30, self.log)
            yield
            process.terminate()
            assert process.wait(20) == 0, self.log()
        finally:
            process.kill()
            process.wait(10)

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return self.reader.sql(statement, *values)

    def value(self, statement: str, *values: Any) -> Any:
        return next(iter(self.rows(statement, *values)[0].values()))

    def attempts(self, project: str) -> int:
        return int(self.value("SELECT count(*) AS n FROM dialer_stat_attempt WHERE project_id = %s", project))

    def wait_for_more(self, project: str, count: int = 5) -> None:
        """Until so many attempts more have begun."""
        goal = self.attempts(project) + count
        wait_for(
            lambda: self.attempts(project) >= goal,
            60,
            lambda: f"project {project} to be dialled: {self.situation()}",
            every=0.1,
        )

    def slow(self) -> list[str]:
        """What dialer_warnings says about claims."""
        return [row["detail"] for row in self.rows("SELECT detail FROM dialer_warnings WHERE kind = 'claims_slow'")]

    @contextmanager
    def transaction(self, statement: str, *, isolation: str = "") -> Iterator[None]:
        """What the DBA writes, open within the block and committed after it; meanwhile the others go on.

        isolation: instead of the server's default.
        """
        if isolation and self.is_mariadb:
            self.dba.sql(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
        self.dba.sql("BEGIN")
        self.dba.sql(statement)
        for project in OTHERS:
            self.wait_for_more(project, 10)
        yield
        self.dba.sql("COMMIT")

    def gap(self, project: str) -> float:
        """The longest time in seconds between two attempts of a project, one after the other."""
        at = [
            row["begun_at"]
            for row in self.rows(
                "SELECT begun_at FROM dialer_stat_attempt WHERE project_id = %s ORDER BY attempt_id", project
            )
        ]
        return max(float((later - earlier).total_seconds()) for earlier, later in pairwise(at))

    def log(self) -> str:
        return self._log.read_text()[-4000:]

    def situation(self) -> str:
        return f"{self.rows('SELECT * FROM dialer_projects')}\n{self.slow()}\n{self.log()}"

    def close(self) -> None:
        self.asterisk.stop()
        self.reader.close()
        self.dba.close()

    def check(self) -> None:
        """Nobody has met an error, no case was lost or dialled twice."""
        assert re.findall(r"^.* (?:ERROR|CRITICAL) .*$|^Traceback", self._log.read_text(), re.MULTILINE) == []
        assert self.rows("SELECT * FROM dialer_invariants") == []
        assert self.rows("SELECT * FROM dialer_claims WHERE attempt_id IS NULL") == []
        ledger = {row["channel_id"] for row in self.rows("SELECT channel_id FROM dialer_stat_attempt")}
        assert ledger == {call.channel_id for call in self.asterisk.calls_log}
        twice = self.rows(
            "SELECT a.case_id, count(*) AS calls FROM dialer_stat_attempt a JOIN dialer_clients c ON c.id = a.case_id"
            " GROUP BY a.case_id, c.brought_back HAVING count(*) > 1 + c.brought_back"
        )
        assert twice == []
        lost = self.rows(
            "SELECT c.id FROM dialer_clients c WHERE c.checked"
            " AND NOT EXISTS (SELECT 1 FROM dialer_stat_attempt a WHERE a.case_id = c.id AND a.ended_at IS NULL)"
        )
        assert lost == []


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.full), "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Three autoinforming projects that wait to be started: a (the DBA's) has 2,000 cases that wait and 10,000 that are
    used; b and c have cases enough."""
    server: Databases = request.getfixturevalue(f"{request.param}_server")
    url = server.create(server.template("migrated for acceptance", migrate))
    place = Place(url, tmp_path)
    place.dba.sql(
        "INSERT INTO dialer_trunks (trunk, dial_template, max_lines, calls_per_second)"
        " VALUES ('default', 'PJSIP/{number}@carrier', 60, 100)"
    )
    quote = place.dba.quote
    for project in ("a", *OTHERS):
        place.dba.sql(
            f"INSERT INTO dialer_params (project_id, type, exten, context, dial_time, sort, {quote}lines{quote})"
            " VALUES (%s, 'autoinforming', 's', 'autoinforming', 2000, '1:2', %s)",
            project,
            LINES,
        )
    place.dba.sql(place.load("a", 2_000))
    place.dba.sql(place.load("a", 10_000, used="true", priority="9"))
    for project in OTHERS:
        place.dba.sql(place.load(project, 3_000))
    place.dba.sql("ANALYZE TABLE dialer_clients" if place.is_mariadb else "ANALYZE")
    yield place
    place.close()
    server.drop(url)


def test_a_dba_at_work_beside_the_dialer(place: Place) -> None:
    with place.worker():
        for project in ("a", *OTHERS):
            place.rows(f"{'CALL' if place.is_mariadb else 'SELECT'} dialer_project_start('{project}')")
        for project in ("a", *OTHERS):
            place.wait_for_more(project)
        best = place.value("SELECT min(id) AS id FROM dialer_clients WHERE project_id = 'a' AND NOT used")

        first = place.value("SELECT min(id) AS id FROM dialer_clients WHERE project_id = 'a' AND priority = 9")

        # A long transaction on the best cases: what lies behind them is dialled.
        with place.transaction(f"UPDATE dialer_clients SET case_name = 'x' WHERE id BETWEEN {best} AND {best + 700}"):
            place.wait_for_more("a")

        # On all that wait: the project waits, says so, and goes on by itself. MariaDB's default would have such a
        # statement lock each row that it looks at, those of the other projects among them.
        with place.transaction(
            "UPDATE dialer_clients SET case_name = 'y' WHERE project_id = 'a' AND NOT used", isolation="READ COMMITTED"
        ):
            wait_for(place.slow, 30, place.situation)
            for project in OTHERS:
                place.wait_for_more(project, 10)
            assert "project a gets no cases" in place.slow()[0]
        place.wait_for_more("a")
        wait_for(lambda: not place.slow(), 30, place.situation)

        # A large INSERT: it goes on, or says why it waits; what was committed is dialled.
        with place.transaction(place.load("a", 100_000, priority="0")):
            called = place.attempts("a")
            wait_for(lambda: place.attempts("a") > called + 5 or place.slow(), 60, place.situation)
        wait_for(
            lambda: place.rows(
                "SELECT 1 FROM dialer_stat_attempt a JOIN dialer_clients c ON c.id = a.case_id"
                " WHERE c.priority = 0 LIMIT 1"
            ),
            60,
            place.situation,
        )

        # Ten thousand cases brought back.
        with place.transaction(f"UPDATE dialer_clients SET used = false WHERE id BETWEEN {first} AND {first + 9_999}"):
            called = place.attempts("a")
            wait_for(lambda: place.attempts("a") > called + 5 or place.slow(), 60, place.situation)
        place.wait_for_more("a")
        wait_for(lambda: not place.slow(), 30, place.situation)

        for project in ("a", *OTHERS):
            place.rows(f"{'CALL' if place.is_mariadb else 'SELECT'} dialer_project_stop('{project}')")
        wait_for(
            lambda: not place.rows("SELECT 1 FROM dialer_stat_attempt WHERE ended_at IS NULL"),
            60,
            place.situation,
            every=0.1,
        )
        # Cases that were held when their calls ended are settled a moment later.
        wait_for(lambda: not place.rows("SELECT 1 FROM dialer_claims"), 30, place.situation, every=0.1)
    gaps = {project: place.gap(project) for project in ("a", *OTHERS)}
    print(f"longest time between two attempts: {gaps}; attempts: {[place.attempts(one) for one in gaps]}")
    place.check()
    for project in OTHERS:
        assert gaps[project] < MOST_GAP_SECONDS
