"""Database servers as they are found: behind poolers, with binary logs, without SUPER, in zones, with new passwords."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from dialer.check import findings
from dialer.finding import Finding, Verdict
from dialer.migrate import migrate
from tests.support.caller import a_call_from_end_to_end
from tests.support.containers import Databases, MariaDbContainer, MariaDbDatabases, PostgresDatabases, free_ports
from tests.support.dialects import DIALECTS
from tests.support.waiting import wait_for
from worker.config import DatabaseSettings, Settings, load
from worker.db import Database
from worker.db.routines.upkeep import Upkeep
from worker.errors import DatabaseRefused, DatabaseUnavailable, DatabaseUnfit, DialerError
from worker.service import Service

SCHEMA = "nc"
POSTGRESQL, MARIADB = DIALECTS["postgresql"], DIALECTS["mariadb"]


def settings_of(url: str, **environ: str) -> Settings:
    """With an Asterisk that nobody needs to reach."""
    scheme = {"DIALER_DATABASE_SCHEME": SCHEMA} if url.startswith("postgresql") else {}
    ami = {"DIALER_AMI_IP": "127.0.0.1", "DIALER_AMI_USERNAME": "u", "DIALER_AMI_PASSWORD": "p"}
    return load(None, {"DIALER_DATABASE_URL": url, **scheme, **ami, **environ})


@contextmanager
def opened(settings: DatabaseSettings) -> Iterator[Database]:
    database = Database(settings)
    try:
        yield database
    finally:
        database.dispose()


def told(settings: Settings, *verdicts: Verdict) -> list[Finding]:
    """What `dialer check` says of the database."""
    return [
        one for one in findings(replace(settings, asterisks=())) if one.verdict in verdicts and "Ast" not in one.subject
    ]


def faults(settings: Settings) -> list[str]:
    return [f"{one.subject} {one.text} {one.remedy}" for one in told(settings, Verdict.FAULT)]


def refused_everywhere(settings: Settings, sentence: str) -> None:
    """By check, by the worker's start, and by readiness."""
    assert any(sentence in one for one in faults(settings)), faults(settings)
    service = Service(settings)
    with pytest.raises(DatabaseUnfit, match=sentence):
        service.start()
    service.close()
    with opened(settings.database) as database:
        try:
            reasons = Upkeep(database).readiness().reasons
        except DialerError as error:
            reasons = [str(error)]
        assert any(sentence in one for one in reasons), reasons


# --- PgBouncer ----------------------------------------------------------------------------------------------------


@contextmanager
def pgbouncer(server: PostgresDatabases, mode: str, **options: str) -> Iterator[int]:
    """Its port. It refuses to be root."""
    place = server.admin_url
    port = free_ports(1)
    folder = Path(tempfile.mkdtemp(prefix="dialer-pgbouncer-"))
    folder.chmod(0o755)
    (folder / "users").write_text(f'"{place.username}" "{place.password}"\n')
    lines = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "trust",
        "auth_file": str(folder / "users"),
        "pool_mode": mode,
        **options,
    }
    text = f"[databases]\n* = host={place.host} port={place.port}\n[pgbouncer]\n"
    (folder / "ini").write_text(text + "".join(f"{name} = {value}\n" for name, value in lines.items()))
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "pgbouncer is missing: run `make prepare`"
    somebody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    process = subprocess.Popen([*somebody, program, str(folder / "ini")], stderr=subprocess.PIPE, text=True)
    try:
        url = place.set(port=port).render_as_string(hide_password=False)

        def answers() -> bool:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            try:
                server.connect(url).close()
            except Exception:
                return False
            return True

        wait_for(answers, 10, "pgbouncer to answer", every=0.1)
        yield port
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


@pytest.fixture
def migrated(postgres_server: PostgresDatabases) -> Iterator[str]:
    url = postgres_server.create()
    migrate(settings_of(url).database)
    yield url
    postgres_server.drop(url)


def through(url: str, port: int) -> Settings:
    return settings_of(make_url(url).set(port=port).render_as_string(hide_password=False))


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("transaction", {}),
        ("transaction", {"server_round_robin": "1"}),
        ("transaction", {"default_pool_size": "3", "min_pool_size": "3"}),
        ("statement", {}),
    ],
)
def test_a_pooler_that_gives_sessions_away_is_refused(
    postgres_server: PostgresDatabases, migrated: str, mode: str, options: Mapping[str, str]
) -> None:
    with pgbouncer(postgres_server, mode, **options) as port:
        refused_everywhere(through(migrated, port), "the pooler")


def test_a_pooler_in_session_mode_is_worked_through(postgres_server: PostgresDatabases, migrated: str) -> None:
    with pgbouncer(postgres_server, "session", default_pool_size="50") as port:
        settings = through(migrated, port)
        assert "nothing to do" in migrate(settings.database)
        assert faults(settings) == []
        with opened(settings.database) as database:
            a_call_from_end_to_end(database, POSTGRESQL)
            with closing(database.wakeups()) as wakeups:
                database.call("dialer_wake", "p")
                assert next(wakeups.wait(5)) == "p"


def test_a_pooler_that_is_told_to_change_its_mode_is_told(postgres_server: PostgresDatabases, migrated: str) -> None:
    """A worker that runs meets statements that others have prepared."""
    with (
        pgbouncer(postgres_server, "transaction", default_pool_size="1") as port,
        opened(through(migrated, port).database) as database,
    ):
        other = Database(database.settings)

        def in_turn() -> None:
            for _ in range(20):  # the driver prepares what it has run five times
                for one in (database, other):
                    one.query("SELECT 1 AS one")

        with pytest.raises(DatabaseUnfit, match="session mode"):
            in_turn()
        other.dispose()


# --- the binary log -----------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_a_binary_log_of_rows_is_worked_with_and_one_of_statements_refused() -> None:
    with MariaDbContainer(options={"binlog-format": "ROW"}) as server:
        databases = server.databases()
        settings = settings_of(databases.create())
        migrate(settings.database)
        assert faults(settings) == []
        with opened(settings.database) as database:
            a_call_from_end_to_end(database, MARIADB)

        databases.run("SET GLOBAL binlog_format = 'STATEMENT'")
        refused_everywhere(settings, "binlog_format")
        empty = settings_of(databases.create())
        with pytest.raises(DialerError, match=r"binlog_format is STATEMENT.*Set binlog_format = MIXED"):
            migrate(empty.database)
        with opened(empty.database) as database:
            assert database.query("SHOW TABLES") == []

        databases.run("SET GLOBAL binlog_format = 'MIXED'")
        with opened(settings.database) as database:
            database.require_fit()
            a_call_from_end_to_end(database, MARIADB)

        # Nobody takes writes here, whatever it is called.
        databases.run("SET GLOBAL read_only = 1")
        with opened(replace(settings.database, host="127.0.0.1, localhost")) as database:
            with pytest.raises(DatabaseUnavailable, match="localhost is read-only"):
                database.query("SELECT 1 AS one")
            databases.run("SET GLOBAL read_only = 0")
            assert database.query("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.docker
def test_without_super_beside_a_binary_log_the_remedy_comes_before_the_first_table() -> None:
    with MariaDbContainer(options={"log-bin-trust-function-creators": "0"}, zones=False) as server:
        databases = server.databases()
        url = databases.create()
        with databases.user(url) as (user, named):
            databases.run(f"GRANT ALL ON `{make_url(url).database}`.* TO {user}")
            settings = settings_of(named)
            looks = {one.subject: one for one in told(settings, Verdict.LOOK)}
            assert "log_bin_trust_function_creators = 1" in looks["rights"].remedy
            assert "mariadb-tzinfo-to-sql" in looks["time zones"].remedy
            with pytest.raises(DialerError, match=r"SUPER.*Set log_bin_trust_function_creators = 1"):
                migrate(settings.database)
            with opened(settings.database) as database:
                assert database.query("SHOW TABLES") == []
            databases.run("SET GLOBAL log_bin_trust_function_creators = 1")
            migrate(settings.database)
            assert faults(settings) == []


@pytest.mark.docker
def test_a_server_that_lets_nobody_set_the_time_is_refused_before_the_first_table() -> None:
    with MariaDbContainer(options={"secure-timestamp": "YES"}) as server:
        databases = server.databases()
        settings = settings_of(databases.create())
        with pytest.raises(DialerError, match="Set secure_timestamp = NO"):
            migrate(settings.database)
        with opened(settings.database) as database:
            assert database.query("SHOW TABLES") == []


# --- the server's zone --------------------------------------------------------------------------------------------


def installed_from(url: str, zone: str) -> tuple[str, list[dict[str, Any]]]:
    """`dialer migrate` on a machine of that zone: server_zone, and what dialer_warnings says of it."""
    scheme = {"DIALER_DATABASE_SCHEME": SCHEMA} if url.startswith("postgresql") else {}
    subprocess.run(
        [sys.executable, "-m", "dialer", "migrate"],
        env={**os.environ, "DIALER_DATABASE_URL": url, "TZ": zone, **scheme},
        check=True,
        timeout=60,
    )
    with opened(settings_of(url).database) as database:
        rows = database.query("SELECT value FROM dialer_settings WHERE name = 'server_zone'")
        warnings = database.query("SELECT * FROM dialer_warnings WHERE kind = 'server_zone_fixed'")
        return rows[0]["value"], [dict(row) for row in warnings]


@pytest.mark.docker
def test_a_mariadb_that_goes_by_its_machine_gets_the_zone_of_ours_where_both_agree() -> None:
    with MariaDbContainer().with_env("TZ", "Europe/Berlin") as server:
        databases = server.databases()
        assert installed_from(databases.create(), "Europe/Berlin") == ("Europe/Berlin", [])
        assert installed_from(databases.create(), "Europe/Vienna") == ("Europe/Vienna", []), "by another name the same"
        zone, warnings = installed_from(databases.create(), "Asia/Tokyo")
        assert zone in ("+01:00", "+02:00")
        assert "IANA name" in warnings[0]["remedy"]
        databases.run("SET GLOBAL time_zone = 'America/New_York'")
        assert installed_from(databases.create(), "Europe/Berlin") == ("America/New_York", [])


def test_a_server_in_utc_says_so(mariadb_server: MariaDbDatabases) -> None:
    url = mariadb_server.create()
    assert installed_from(url, "Europe/Berlin") == ("UTC", [])
    mariadb_server.drop(url)


@pytest.mark.parametrize(
    ("zone", "stored"), [("Europe/Berlin", "Europe/Berlin"), ("<+0545>-05:45", "+05:45"), ("<-03>+03", "-03:00")]
)
def test_postgresql_s_own_zone_is_taken_as_cases_can_write_it(
    postgres_server: PostgresDatabases, zone: str, stored: str
) -> None:
    url = postgres_server.create()
    with postgres_server.connect() as admin:
        admin.execute(f"ALTER DATABASE {make_url(url).database} SET timezone = '{zone}'".encode())
    found, warnings = installed_from(url, "UTC")
    assert found == stored
    assert bool(warnings) == stored.startswith(("+", "-"))
    postgres_server.drop(url)


def test_a_name_without_a_slash_is_no_reason_to_believe_in_utc(postgres_server: PostgresDatabases) -> None:
    """initdb chooses such a name where the machine's zone is a copy of its file."""
    url = postgres_server.create()
    with postgres_server.connect() as admin:
        admin.execute(f"ALTER DATABASE {make_url(url).database} SET timezone = 'Japan'".encode())
    found, warnings = installed_from(url, "UTC")
    assert (found, bool(warnings)) in (("Japan", False), ("+09:00", True))
    postgres_server.drop(url)


# --- passwords ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["postgresql", "mariadb"])
def databases(request: pytest.FixtureRequest) -> Databases:
    found: Databases = request.getfixturevalue({"postgresql": "postgres_server"}.get(request.param, "mariadb_server"))
    return found


@pytest.mark.parametrize("part", ["username", "password"])
def test_a_wrong_password_is_refused_at_the_start_at_once(databases: Databases, part: str) -> None:
    url = databases.create()
    migrate(settings_of(url).database)
    place = make_url(url)
    place = place.set(username="wrong") if part == "username" else place.set(password="wrong")
    wrong = settings_of(place.render_as_string(hide_password=False))
    service = Service(wrong)
    with pytest.raises(DatabaseRefused, match="Correct Username and Password"):
        service.start()
    service.close()
    assert "Correct Username and Password" in faults(wrong)[0]
    databases.drop(url)


def test_a_password_that_changes_while_the_dialer_runs_is_waited_for(
    databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    url = databases.create()
    migrate(settings_of(url).database)
    with databases.user(url) as (user, theirs):
        databases.grant_all(url, user)
        service = Service(settings_of(theirs, DIALER_WORKER_NAME="w", DIALER_WORKER_LEASE_SECONDS="2"))
        service.start()
        with opened(settings_of(url).database) as database:
            lives = (
                "SELECT 1 AS one FROM dialer_workers WHERE stopped_at IS NULL AND lease_until > CURRENT_TIMESTAMP"
                " AND name = 'w'"
            )
            wait_for(lambda: database.query(lives), 10, "the worker to sign on", every=0.1)
            databases.change_password(user, "another")
            databases.end_sessions(user)

            def said() -> bool:
                return any("Correct Username and Password" in str(vars(one).get("why")) for one in caplog.records)

            wait_for(said, 10, "the log to say it", every=0.1)
            wait_for(lambda: not database.query(lives), 10, "the lease to run out", every=0.1)
            databases.change_password(user, user)
            wait_for(lambda: database.query(lives), 10, "the worker to be back", every=0.1)
        service.close()
        databases.drop(url)
