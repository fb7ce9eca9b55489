"""A DBA's session holds rows that the worker's routines take: who has nothing to do with them is dialled on."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from simulator import call_centre
from tests.integration.place import Place
from tests.support.containers import Databases
from tests.support.installation import installed
from tests.support.schema_texts import made
from tests.support.waiting import wait_for
from worker.db.migration import VERSION_TABLE

pytestmark = [pytest.mark.full, pytest.mark.docker, pytest.mark.timeout(300)]

LINES = 8
MOST_GAP_SECONDS = 4.0
"""The longest that a project which has nothing to do with the lock may be without a new attempt, on a busy machine."""

# Without its own row a worker's lease passes, and then it must not dial.
TABLES = sorted((made("mariadb") | {VERSION_TABLE}) - {"dialer_workers"})
HELD = {
    "dialer_agents": "asterisk = 'default'",
    "dialer_asterisks": "asterisk = 'default'",
    "dialer_attempts": "project_id = 'a'",
    "dialer_calls": "project_id = 'a'",
    "dialer_claims": "project_id = 'a'",
    "dialer_clients": "project_id = 'a' AND NOT used",
    "dialer_fitness": "project_id = 'a'",
    "dialer_live": "project_id = 'a'",
    "dialer_ownerships": "asterisk = 'default'",
    "dialer_params": "project_id = 'a'",
    "dialer_projects": "project_id = 'a'",
    "dialer_stat": "project_id = 'a'",
    "dialer_trunk_states": "trunk = 'first'",
    "dialer_trunks": "trunk = 'first'",
    "dialer_wakeups": "project_id IN ('a', '')",
}
"""Which rows of a table are held, where it is not all of them: what project a needs on its trunk and its Asterisk."""
OTHERS = {"dialer_asterisks": ("east",), "dialer_ownerships": ("east",)}
"""Who goes on, where it is not both of the others."""
MARIADB_ALONE = made("mariadb") - made("postgresql")


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """a and agents call through one trunk, b through another one, east on another Asterisk; all are being dialled by
    a worker whose time-outs are a tenth."""
    server: Databases = request.getfixturevalue(f"{request.param}_server")
    url = installed(server)
    place = Place(
        url,
        tmp_path_factory.mktemp("locks"),
        call_centre(speed=30),
        names=("default", "east"),
        module="tests.integration.hasty",
    )
    place.dba.sql(
        "INSERT INTO dialer_trunks (trunk, asterisk, dial_template, max_lines, calls_per_second) VALUES"
        " ('first', 'default', 'PJSIP/{number}@carrier', 60, 100),"
        " ('second', 'default', 'PJSIP/{number}@carrier', 60, 100),"
        " ('second', 'east', 'PJSIP/{number}@carrier', 60, 100)"
    )
    quote = place.dba.quote
    for project, kind, asterisk, trunk in (
        ("a", "autoinforming", "default", "first"),
        ("agents", "progressive", "default", "first"),
        ("b", "autoinforming", "default", "second"),
        ("east", "autoinforming", "east", "second"),
    ):
        place.dba.sql(
            "INSERT INTO dialer_params"
            f" (project_id, type, queue, exten, context, dial_time, asterisk, trunk, {quote}lines{quote})"
            " VALUES (%s, %s, 'sales', 's', %s, 2000, %s, %s, %s)",
            project,
            kind,
            kind,
            asterisk,
            trunk,
            LINES,
        )
        place.dba.sql(place.load(project, 5_000))
    place.dba.sql("ANALYZE TABLE dialer_clients" if place.is_mariadb else "ANALYZE")
    with place.worker():
        for project in ("a", "agents", "b", "east"):
            place.call("dialer_project_start", project)
        yield place
        for project in ("a", "agents", "b", "east"):
            place.call("dialer_project_stop", project)
        wait_for(lambda: not place.rows("SELECT 1 FROM dialer_calls"), 60, place.situation, every=0.1)
        wait_for(lambda: not place.rows("SELECT 1 FROM dialer_claims"), 30, place.situation, every=0.1)
    place.check()
    place.close()
    server.drop(url)


def troubles(place: Place) -> list[str]:
    return [
        row["detail"]
        for row in place.rows("SELECT kind, detail FROM dialer_warnings")
        if row["kind"].endswith("_trouble") or row["kind"] in {"claims_slow", "ledger_held"}
    ]


@pytest.mark.parametrize("table", TABLES)
def test_who_has_nothing_to_do_with_held_rows_is_dialled_on(place: Place, table: str) -> None:
    if table in MARIADB_ALONE and not place.is_mariadb:
        assert not place.rows("SELECT 1 FROM pg_tables WHERE tablename = %s", table), "then hold its rows, too"
        return
    for project in ("a", "agents", "b", "east"):
        place.wait_for_more(project, 2)
    others = OTHERS.get(table, ("b", "east"))
    spoken = len(place.whole_log())
    last = place.value("SELECT max(attempt_id) AS id FROM dialer_stat_attempt")
    called = place.attempts("a")
    with place.transaction(
        f"SELECT 1 FROM {table} WHERE {HELD.get(table, 'true')} FOR UPDATE", isolation="READ COMMITTED"
    ):
        for project in others:
            place.wait_for_more(project, 20)
        # What takes the rows has given up and told, or does not mind.
        wait_for(
            lambda: troubles(place) or place.attempts("a") >= called + 10,
            60,
            lambda: f"a to be dialled, or to say why not: {place.situation()}",
            every=0.1,
        )
    for project in ("a", "agents", "b", "east"):
        place.wait_for_more(project, 2)
    wait_for(lambda: not troubles(place), 60, lambda: f"troubles to be over: {troubles(place)}", every=0.1)
    for project in others:
        assert place.gap(project, since=last) < MOST_GAP_SECONDS
    warned = re.findall(r" WARNING .*", place.whole_log()[spoken:])
    assert len(warned) == len(set(warned)), "each is told once"


@pytest.mark.parametrize("table", ["dialer_attempts", "dialer_stat"])
def test_a_ledger_that_somebody_holds_whole_stops_nobody(place: Place, table: str) -> None:
    """A dump that knows nothing of transactions, an index that is built."""
    lock = f"LOCK TABLES {table} READ" if place.is_mariadb else f"LOCK TABLE {table} IN SHARE MODE"
    last = place.value("SELECT max(attempt_id) AS id FROM dialer_stat_attempt")
    with place.transaction(lock):
        for project in ("a", "agents", "b", "east"):
            place.wait_for_more(project, 5 * LINES)
        assert troubles(place) == []
        if place.is_mariadb:
            place.dba.sql("UNLOCK TABLES")
    for project in ("a", "b", "east"):
        assert place.gap(project, since=last) < MOST_GAP_SECONDS
    before = place.value("SELECT max(attempt_id) AS id FROM dialer_stat_attempt")
    held = f"SELECT 1 FROM dialer_calls WHERE effect IS NOT NULL AND id <= {before}"
    wait_for(lambda: not place.rows(held), 60, "the ledger to have them", every=0.1)


def test_every_table_is_held_once(place: Place) -> None:
    schema = "database()" if place.is_mariadb else "current_schema()"
    tables = {
        row["name"]
        for row in place.rows(
            "SELECT table_name AS name FROM information_schema.tables"
            f" WHERE table_schema = {schema} AND table_type = 'BASE TABLE' AND table_name LIKE 'dialer%%'"
        )
    }
    held = {*TABLES, "dialer_workers"}
    assert tables == (held if place.is_mariadb else held - MARIADB_ALONE)
