"""The database dies, moves, fills up, or cannot be reached, under load: calls go on, nothing is begun that is not
permitted, and what ended meanwhile is written when it is back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.faults.proxy import Proxy
from tests.faults.small import SmallMariaDb, SmallPostgres
from tests.faults.stage import FAULTS, Server, Stage, on_both
from tests.faults.standby import PostgresPair
from tests.support.containers import AsteriskContainer, MariaDbContainer
from tests.support.installation import SCHEMA, Installation, migrate
from tests.support.sipp import Carrier
from tests.support.waiting import wait_for
from worker.config import load
from worker.db import Database
from worker.errors import DatabaseUnavailable

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

ON_THE_WAY = 20
"""Attempts of one transaction at the most: all lines of both projects."""
HOUR = {"postgres": "'1 hour'", "mariadb": "1 HOUR"}


@on_both("mariadb")
def test_the_database_killed(stage: Stage, database_server: Server) -> None:
    stage.under_load("a", "b")
    with stage.fault("database killed and started") as fault:
        database_server.kill()
        database_server.start_again()
    stage.resumes(fault, within=15)
    stage.judge(fault)


@on_both("postgres")
def test_the_database_restarted_and_a_case_inserted_meanwhile_is_found(stage: Stage, database_server: Server) -> None:
    stage.under_load("a", "b")
    stage.dialer.project("late", type="autoinforming", context="autoinforming", dial_time=3000)
    stage.dialer.start_project("late")
    stage.dialer.wait_for_state("late", "finished")
    with stage.fault("database restarted") as fault:
        database_server.restart()
    # Before anybody listens again, or after: it waits for one poll at the most.
    stage.dialer.cases("late", "300000")
    inserted = time.time()
    stage.resumes(fault, within=15)
    stage.dialer.wait_for_attempts(1, "project_id = 'late'", seconds=10)
    fault.note = f"a case inserted then was dialled after {time.time() - inserted:.1f} s"
    stage.dialer.wait_until_quiet(where="project_id = 'late'")
    stage.judge(fault)


@on_both()
def test_the_network_of_the_database_cut_for_half_a_minute(stage: Stage, database_server: Server) -> None:
    """Longer than the lease and than any time-out: the worker fences itself, and registers anew."""
    with Proxy(database_server.port) as proxy:
        stage.set_up()
        stage.dialer.start("api")
        stage.start_worker("a", database=proxy)
        stage.dialer.wait_until_ready(40)
        stage.dial()
        with stage.fault("network of the database cut for 30 s") as fault:
            proxy.stall()
            begun = stage.dialer.value("SELECT count(*) FROM dialer_stat_attempt")
            stage.lasts(fault, 30)
            # What had been asked for before.
            assert stage.dialer.value("SELECT count(*) FROM dialer_stat_attempt") <= begun + ON_THE_WAY
            proxy.open()
        stage.resumes(fault, within=20)
        stage.judge(fault)
        assert stage.dialer.attempts("outcome = 'LOST'") == [], "the worker has seen how they ended"


@on_both()
def test_the_network_of_one_worker_s_database_cut(stage: Stage, database_server: Server) -> None:
    """The other one takes over; the first comes back later and does no harm."""
    with Proxy(database_server.port) as proxy:
        stage.set_up()
        stage.dialer.start("api")
        stage.start_worker("a", database=proxy)
        stage.dialer.wait_until_ready(40)
        stage.start_worker("b")
        stage.dial()
        with stage.fault("database of one of two workers cut") as fault:
            proxy.stall()
            stage.taken_over(fault)
        stage.resumes(fault, within=10)
        assert stage.owner() == "b"
        proxy.open()
        stage.dialer.wait_for_log("no longer owner of Asterisk", seconds=60)
        stage.judge(fault)


@on_both("postgres")
def test_a_database_that_is_read_only_for_a_while(stage: Stage, database_server: Server) -> None:
    stage.under_load("a")
    with stage.fault("database read-only for 8 s") as fault, read_only(database_server):
        stage.lasts(fault, 8)
    stage.resumes(fault, within=10)
    stage.judge(fault)


@on_both()
def test_a_server_that_freezes_is_not_waited_for_for_ever(database_server: Server, database_url: str) -> None:
    """Its kernel takes what is sent, so TCP sees no fault, and its own time-outs stand still with it."""
    with Proxy(database_server.port) as proxy:
        url = make_url(database_url).set(port=proxy.port).render_as_string(hide_password=False)
        named = {} if isinstance(database_server, MariaDbContainer) else {"DIALER_DATABASE_SCHEME": SCHEMA}
        database = Database(load(None, {"DIALER_DATABASE_URL": url, **named}).database, statement_timeout_seconds=1)
        assert database.revision()
        wakeups = database.wakeups()
        asked = time.monotonic()
        with proxy.stalled():
            with pytest.raises(DatabaseUnavailable, match=r"did not answer in 11 s|timed out|timeout expired"):
                database.revision()
            with pytest.raises(database.connection_lost):
                list(wakeups.wait(1))
        # MariaDB's wake-ups have a time-out of their own.
        assert time.monotonic() - asked < 40
        wakeups.close()
        assert database.revision(), "a new connection"
        database.dispose()


@pytest.mark.full
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_failover_to_a_standby_loses_no_attempt(
    request: pytest.FixtureRequest,
    fragile_asterisk: AsteriskContainer,
    fragile_carrier: Carrier,
    tmp_path: Path,
    how: str,
) -> None:
    with ExitStack() as stack:
        pair = stack.enter_context(PostgresPair())
        name = pair.create()
        migrate(pair.primary_url(name))
        if how == "frozen":
            # Thawed when the dialer is gone: an old primary that is let back in is nobody's to repair.
            stack.callback(pair.primary.get_wrapped_container().unpause)
        dialer = stack.enter_context(
            Installation(pair.both_urls(name), fragile_asterisk, tmp_path, dba_url=pair.primary_url(name))
        )
        stage = Stage(dialer, fragile_asterisk, fragile_carrier, "postgres", request.config.stash[FAULTS])
        stage.under_load("a", "b")
        last = dialer.value("SELECT max(attempt_id) FROM dialer_stat_attempt")
        with stage.fault(f"primary {how}, standby promoted") as fault:
            container = pair.primary.get_wrapped_container()
            container.kill() if how == "killed" else container.pause()
            pair.promote()
            dialer.connect(pair.standby_url(name))
        assert dialer.value("SELECT max(attempt_id) FROM dialer_stat_attempt") >= last
        # A frozen server has to be given up first; its connections show no fault.
        stage.resumes(fault, within=20 if how == "killed" else 60)
        stage.judge(fault)


@pytest.mark.full
@pytest.mark.parametrize("small", [SmallPostgres, SmallMariaDb])
def test_a_full_disk(
    request: pytest.FixtureRequest,
    fragile_asterisk: AsteriskContainer,
    fragile_carrier: Carrier,
    tmp_path: Path,
    small: type[SmallPostgres | SmallMariaDb],
) -> None:
    with small() as server:
        url = server.databases().create()
        migrate(url)
        with Installation(url, fragile_asterisk, tmp_path) as dialer:
            name = small.__name__.removeprefix("Small").lower().removesuffix("db")
            stage = Stage(dialer, fragile_asterisk, fragile_carrier, name, request.config.stash[FAULTS])
            stage.under_load("a")
            with stage.fault("disk of the database full") as fault, server.full_disk():
                # What has room in a page goes on for a while.
                wait_for(lambda: said_full(dialer), 60, lambda: f"the first refusal: {dialer.log()[-3000:]}", every=0.2)
                stage.lasts(fault, time.time() - fault.began + 5)
            # A MariaDB with a binary log refuses nothing: it looks for room once a minute, and commits wait.
            stage.resumes(fault, within=20 if small is SmallPostgres else 80)
            stage.judge(fault)


def said_full(dialer: Installation) -> bool:
    """Has the database told a worker that it has no room, or does it not say anything any more?"""
    full = ("No space left", "could not extend", "is full", "Disk full", "has given up on a statement")
    return any(words in dialer.log() for words in full)


@on_both()
def test_a_clock_of_the_database_that_jumps_ahead(stage: Stage) -> None:
    """To leases a clock that jumps an hour ahead is an hour that has passed: here it is taken from them."""
    stage.under_load("a", "b")
    with stage.fault("leases an hour past at once") as fault:
        for table in ("dialer_workers", "dialer_asterisks"):
            stage.dialer.sql(f"UPDATE {table} SET lease_until = lease_until - INTERVAL {HOUR[stage.database]}")
        stage.taken_over(fault)
    stage.resumes(fault, within=10)
    stage.judge(fault)


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    """Within the block the server takes no writes, as a standby or one that is being switched over."""
    if isinstance(server, MariaDbContainer):
        on, off = ["SET GLOBAL read_only = 1"], ["SET GLOBAL read_only = 0"]
    else:
        on = ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"]
        off = ["SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only"]
        off += ["SELECT pg_reload_conf()"]
    _run(server, on)
    try:
        yield
    finally:
        _run(server, off)


def _run(server: Server, statements: list[str]) -> None:
    with closing(server.databases().connect()) as connection, closing(connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)
