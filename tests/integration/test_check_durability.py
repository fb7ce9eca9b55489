"""`dialer check` on servers that may forget what they have committed, or that do not know each other's locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dialer.check_database import look_around
from dialer.finding import Finding, Verdict
from tests.faults.standby import PostgresPair
from tests.support.containers import MariaDbContainer, MariaDbDatabases, PostgresContainer
from tests.support.installation import SCHEMA, migrate
from tests.support.waiting import wait_for
from worker.config import load
from worker.db import Database
from worker.db.routines.owners import Owners
from worker.db.routines.servers import PostgresqlServer

pytestmark = pytest.mark.docker


@contextmanager
def connected(url: str) -> Iterator[Database]:
    """Work on it as the dialer does."""
    named = {"DIALER_DATABASE_SCHEME": SCHEMA} if url.startswith("postgresql") else {}
    database = Database(load(None, {"DIALER_DATABASE_URL": url, **named}).database)
    try:
        yield database
    finally:
        database.dispose()


def told(database: Database, subject: str, verdict: Verdict) -> Finding:
    """The finding on this subject, once it is of this verdict."""

    def found() -> Finding | None:
        one = finding(database, subject)
        return one if one is not None and one.verdict is verdict else None

    one = wait_for(found, 10, lambda: f"{subject} to be {verdict}: {finding(database, subject)}", every=0.1)
    assert one is not None
    return one


def finding(database: Database, subject: str) -> Finding | None:
    return next((one for one in look_around(database) if one.subject == subject), None)


def test_a_standby_that_no_commit_waits_for_is_told_with_the_remedy() -> None:
    with PostgresPair() as pair:
        url = pair.primary_url(pair.create())
        migrate(url)
        with connected(url) as database:
            found = told(database, "standbys", Verdict.OK)
            assert "a commit waits for ANY 1 (standby)" in found.text

            pair.wait_for_nobody()
            found = told(database, "standbys", Verdict.LOOK)
            assert "standby: no commit waits for one" in found.text
            assert "synchronous_standby_names = 'ANY 1 (standby)'" in found.remedy


def test_a_postgresql_that_may_forget_is_told() -> None:
    with PostgresContainer(durable=True) as server:
        url = server.databases().create()
        migrate(url)
        with connected(url) as database:
            assert finding(database, "standbys") is None
            assert finding(database, "durability") is None
        with server.databases().connect() as connection:
            connection.execute("ALTER SYSTEM SET synchronous_commit = off")
            connection.execute("SELECT pg_reload_conf()")
        with connected(url) as database:
            found = told(database, "durability", Verdict.LOOK)
            assert "synchronous_commit is off" in found.text


def test_a_galera_node_is_told_and_refused_when_the_workers_write_to_another() -> None:
    # The library of Galera is not needed for a server to believe that it is a node.
    options = {"wsrep-on": "ON", "wsrep-provider": "none", "binlog-format": "ROW", "wsrep-cluster-name": "calls"}
    with MariaDbContainer(options=options, zones=False) as server:
        url = server.databases().create()
        migrate(url)
        with connected(url) as database, connected(url) as worker:
            found = told(database, "Galera", Verdict.LOOK)
            assert "of the cluster calls" in found.text
            assert "write to one node" in found.remedy

            # A worker that lives, with its sessions on this node, and then without.
            Owners(worker).start_worker("elsewhere", 60)
            told(database, "Galera", Verdict.LOOK)
            worker.dispose()
            found = told(database, "Galera", Verdict.FAULT)
            assert "the 1 live workers write to another one" in found.text


def test_a_mariadb_that_may_forget_is_told(mariadb_server: MariaDbDatabases) -> None:
    url = mariadb_server.create()
    migrate(url)
    with connected(url) as database:
        found = told(database, "durability", Verdict.LOOK)
        assert "innodb_flush_log_at_trx_commit" in found.text
        assert finding(database, "Galera") is None
    mariadb_server.drop(url)


def test_a_server_that_would_compile_our_views_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of the tests are built without LLVM, so what they would answer with it is made up."""
    with PostgresContainer() as server:
        url = server.databases().create()
        migrate(url)
        with connected(url) as database:
            assert finding(database, "jit") is None
            monkeypatch.setattr(PostgresqlServer, "compiles", lambda _: True)
            assert told(database, "jit", Verdict.LOOK).remedy.startswith("Set it off for this user")
