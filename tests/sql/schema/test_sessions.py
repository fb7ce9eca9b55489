"""What the dialer relies on in a session it sets itself, whatever server, database and role have as their defaults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import text

from dialer.migrate import migrate
from tests.support.caller import a_call_from_end_to_end
from tests.support.containers import MariaDbContainer, MariaDbDatabases, PostgresDatabases
from tests.support.dialects import Dialect, servers
from worker.db import Database
from worker.db.routines.upkeep import Upkeep

POSTGRESQL = {
    "datestyle": "'SQL, DMY'",
    "intervalstyle": "'sql_standard'",
    "timezone": "'Asia/Kathmandu'",
    "client_encoding": "'LATIN1'",
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "quote_all_identifiers": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "session_replication_role": "replica",
    "check_function_bodies": "off",
    "search_path": "pg_catalog",
    "statement_timeout": "'50ms'",
    "lock_timeout": "'50ms'",
    "idle_in_transaction_session_timeout": "'50ms'",
}
MARIADB = {
    "sql_mode": "'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,ORACLE'",
    "time_zone": "'+05:45'",
    "autocommit": "OFF",
    "completion_type": "'CHAIN'",
    "sql_safe_updates": "ON",
    "sql_select_limit": "1",
    "sql_big_selects": "OFF",
    "max_join_size": "1",
    "sql_auto_is_null": "ON",
    "check_constraint_checks": "OFF",
    "foreign_key_checks": "OFF",
    "unique_checks": "OFF",
    "div_precision_increment": "0",
    "character_set_client": "latin1",
    "character_set_results": "latin1",
    "collation_connection": "latin1_swedish_ci",
    "default_regex_flags": "'EXTENDED,MULTILINE'",
    "group_concat_max_len": "4",
    "max_error_count": "0",
    "max_heap_table_size": "16384",
    "tmp_table_size": "1024",
    "max_statement_time": "0.001",
    "idle_transaction_timeout": "1",
    "idle_write_transaction_timeout": "1",
    "old_mode": "'ZERO_DATE_TIME_CAST'",
    "lc_time_names": "'de_DE'",
}


@contextmanager
def set_up(url: str, dialect: Dialect) -> Iterator[Database]:
    migrate(dialect.settings(url))
    database = Database(dialect.settings(url))
    try:
        yield database
    finally:
        database.dispose()


def works(url: str, dialect: Dialect) -> None:
    """From the migration over a whole call to the wake-ups and the figures."""
    with set_up(url, dialect) as database:
        a_call_from_end_to_end(database, dialect)
        assert Upkeep(database).readiness().reasons == []
        with closing(database.wakeups()) as wakeups:
            database.call("dialer_wake", "p")
            assert next(wakeups.wait(5)) == "p"


@pytest.mark.parametrize("dialect", servers("postgresql"), indirect=True)
@pytest.mark.parametrize("of", ["DATABASE", "ROLE"])
def test_postgresql_with_hostile_defaults(server: PostgresDatabases, dialect: Dialect, of: str) -> None:
    url = server.create()
    with server.user(url) as (user, theirs):
        database = theirs.rpartition("/")[2]
        with server.connect() as admin:
            admin.execute(f"ALTER DATABASE {database} OWNER TO {user}".encode())
            admin.execute(f"ALTER ROLE {user} SUPERUSER".encode())  # as who may undo session_replication_role
            for name, value in POSTGRESQL.items():
                admin.execute(f"ALTER {of} {database if of == 'DATABASE' else user} SET {name} = {value}".encode())
        works(theirs, dialect)
        server.drop(url)


@pytest.fixture
def hostile_mariadb(dialect: Dialect) -> Iterator[MariaDbDatabases]:
    with MariaDbContainer(dialect.version) as container:
        databases = container.databases()
        with closing(databases.connect()) as admin, admin.cursor() as cursor:
            for name, value in MARIADB.items():
                cursor.execute(f"SET GLOBAL {name} = {value}")
            cursor.execute("SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        yield databases


@pytest.mark.parametrize("dialect", servers("mariadb"), indirect=True)
@pytest.mark.docker
def test_mariadb_with_hostile_defaults(hostile_mariadb: MariaDbDatabases, dialect: Dialect) -> None:
    works(hostile_mariadb.create(), dialect)


def test_every_session_has_the_same_settings(own_database: Database, dialect: Dialect) -> None:
    """Those of transactions and of a migration."""
    asked = (
        "SELECT current_setting('DateStyle'), current_setting('TimeZone'), current_setting('search_path'),"
        " current_setting('default_transaction_isolation')"
        if dialect.name == "postgresql"
        else "SHOW SESSION VARIABLES WHERE variable_name"
        " REGEXP 'isolation$|^sql_mode$|^time_zone$|^collation_connection$'"
    )
    engine = own_database.dialect.migration_engine(own_database.settings)
    with own_database.transaction() as connection, engine.connect() as migration:
        found = connection.execute(text(asked)).all()
        assert found == migration.execute(text(asked)).all()
        assert found
    engine.dispose()
