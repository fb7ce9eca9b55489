"""A whole worker beside a DBA's long transactions: the other projects are dialled as if nothing was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import call_centre
from tests.integration.place import Place
from tests.support.containers import Databases
from tests.support.installation import installed
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

OTHERS = ("b", "c")
LINES = 3
"""Of each project; a call takes about a third of a second."""
MOST_GAP_SECONDS = 5.0
"""The longest that a project which the DBA does not touch may be without a new attempt, on a machine that is busy with
other things too. A claim that waited for the DBA's locks would be 15 s."""


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.full), "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Three autoinforming projects that wait to be started: a (the DBA's) has 2,000 cases that wait and 10,000 that are
    used; b and c have cases enough."""
    server: Databases = request.getfixturevalue(f"{request.param}_server")
    url = installed(server)
    place = Place(url, tmp_path, replace(call_centre(speed=30), agents=(), queues=()))
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


@contextmanager
def among(place: Place, statement: str, *, isolation: str = "") -> Iterator[None]:
    """The DBA's transaction, in which the others go on."""
    with place.transaction(statement, isolation=isolation):
        for project in OTHERS:
            place.wait_for_more(project, 10)
        yield


def test_a_dba_at_work_beside_the_dialer(place: Place) -> None:
    with place.worker():
        for project in ("a", *OTHERS):
            place.call("dialer_project_start", project)
        for project in ("a", *OTHERS):
            place.wait_for_more(project)
        best = place.value("SELECT min(id) AS id FROM dialer_clients WHERE project_id = 'a' AND NOT used")

        first = place.value("SELECT min(id) AS id FROM dialer_clients WHERE project_id = 'a' AND priority = 9")

        # A long transaction on the best cases: what lies behind them is dialled.
        with among(place, f"UPDATE dialer_clients SET case_name = 'x' WHERE id BETWEEN {best} AND {best + 700}"):
            place.wait_for_more("a")

        # On all that wait: the project waits, says so, and goes on by itself. MariaDB's default would have such a
        # statement lock each row that it looks at, those of the other projects among them.
        with among(
            place,
            "UPDATE dialer_clients SET case_name = 'y' WHERE project_id = 'a' AND NOT used",
            isolation="READ COMMITTED",
        ):
            wait_for(place.slow, 30, place.situation)
            for project in OTHERS:
                place.wait_for_more(project, 10)
            assert "project a gets no cases" in place.slow()[0]
        place.wait_for_more("a")
        wait_for(lambda: not place.slow(), 30, place.situation)

        # A large INSERT: it goes on, or says why it waits; what was committed is dialled.
        with among(place, place.load("a", 100_000, priority="0")):
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
        with among(place, f"UPDATE dialer_clients SET used = false WHERE id BETWEEN {first} AND {first + 9_999}"):
            called = place.attempts("a")
            wait_for(lambda: place.attempts("a") > called + 5 or place.slow(), 60, place.situation)
        place.wait_for_more("a")
        wait_for(lambda: not place.slow(), 30, place.situation)

        for project in ("a", *OTHERS):
            place.call("dialer_project_stop", project)
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
