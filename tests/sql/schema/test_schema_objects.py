"""Routines, views and triggers are those of the program: `dialer migrate` makes them again where they are not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from alembic import command
from dialer.check import findings
from dialer.finding import Verdict
from dialer.migrate import migrate
from tests.sql.attempts.test_begin import in_background
from tests.support.caller import a_call_from_end_to_end
from tests.support.containers import Databases, MariaDbDatabases, PostgresDatabases
from tests.support.dialects import Dialect, execute, servers
from tests.support.waiting import wait_for
from worker.config import DatabaseSettings, HttpSettings, Settings, WorkerSettings
from worker.db import Database, mariadb
from worker.db.migration import config, head, objects_at_head
from worker.db.objects import TRIGGER, called_by_views
from worker.errors import DatabaseUnfit, DialerError

ON_MARIADB = pytest.mark.parametrize("dialect", servers("mariadb"), indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("dialect", servers("postgresql"), indirect=True)


@pytest.fixture
def installed(server: Databases, dialect: Dialect) -> Iterator[Database]:
    """A database that was migrated by its operator, and not copied."""
    url = server.create()
    migrate(dialect.settings(url))
    database = Database(dialect.settings(url))
    yield database
    database.dispose()
    server.drop(url)


def checked(settings: DatabaseSettings) -> dict[str, str]:
    """What `dialer check` says of the database, faults alone: subject to text and remedy."""
    everything = Settings(settings, (), HttpSettings(), WorkerSettings("check"))
    return {
        one.subject: f"{one.text} {one.remedy}"
        for one in findings(everything)
        if one.verdict is Verdict.FAULT and one.subject != "Asterisk"
    }


def test_where_all_is_as_it_should_be_there_is_nothing_to_do(installed: Database, dialect: Dialect) -> None:
    before = dialect.catalog(installed)
    assert migrate(installed.settings).endswith(f"is at {head()}; there was nothing to do.")
    assert dialect.catalog(installed) == before
    assert installed.faults() == []
    assert checked(installed.settings) == {}


def test_what_is_missing_is_told_and_made_again(installed: Database, dialect: Dialect) -> None:
    before = dialect.catalog(installed)
    execute(installed, "DROP VIEW dialer_warnings")
    execute(installed, dialect.drop_routine("dialer_claim"))
    execute(installed, dialect.drop_trigger("dialer_clients_before_insert", "dialer_clients"))
    (fault,) = installed.faults()
    assert "lacks 3 of its routines, views and triggers" in fault.fault
    with pytest.raises(DatabaseUnfit, match=r"dialer_warnings.*Run `dialer migrate`"):
        installed.require_fit()
    assert "dialer_claim" in checked(installed.settings)["the schema"]
    assert "made anew: 3 of them" in migrate(installed.settings)
    assert dialect.catalog(installed) == before
    assert installed.faults(seconds=0) == []


def test_what_was_changed_by_hand_is_made_again(installed: Database, dialect: Dialect) -> None:
    before = dialect.catalog(installed)
    view = next(one for one in objects_at_head(dialect.name) if one.name == "dialer_stat_outcome")
    with installed.transaction() as connection:
        connection.exec_driver_sql(view.statement.rstrip().removesuffix(";") + " LIMIT 1000")
        connection.exec_driver_sql(dialect.broken_routine)
    assert dialect.catalog(installed) != before
    said = migrate(installed.settings)
    assert "made anew: 2 of them" in said
    assert "dialer_wake" in said
    assert "dialer_stat_outcome" in said
    assert dialect.catalog(installed) == before


def test_a_trigger_that_was_made_differently_is_made_again(installed: Database, dialect: Dialect) -> None:
    before = dialect.catalog(installed)
    trigger = next(
        one
        for one in objects_at_head(dialect.name)
        if (one.kind, one.name) == (TRIGGER, "dialer_clients_before_update")
    )
    execute(installed, dialect.drop_trigger(trigger.name, trigger.table))
    execute(installed, dialect.other_trigger)
    assert f"({trigger.name})" in migrate(installed.settings)
    assert dialect.catalog(installed) == before


def test_an_error_of_something_missing_is_told_as_a_sentence_with_the_remedy(
    installed: Database, dialect: Dialect
) -> None:
    execute(installed, dialect.drop_routine("dialer_worker_beat"))
    with pytest.raises(DatabaseUnfit, match=r"dialer_worker_beat.*Run `dialer migrate`"):
        installed.call("dialer_worker_beat", 1, 6)


def test_an_error_of_somebody_else_s_is_his_alone(installed: Database) -> None:
    with pytest.raises(DBAPIError, match="their_own"):
        installed.query("SELECT * FROM their_own")


# --- refused migrations -----------------------------------------------------------------------------------------


def test_what_stands_in_the_way_is_named_with_the_remedy(server: Databases, dialect: Dialect) -> None:
    url = server.create()
    database = Database(dialect.settings(url))
    with database.transaction() as connection:
        connection.execute(text(dialect.make_schema))
        connection.execute(text(f"CREATE TABLE {dialect.in_schema}dialer_why (theirs int)"))
    with pytest.raises(
        DialerError,
        match=r"refused revision 0001 at `CREATE OR REPLACE VIEW dialer_why`: .*dialer_why.*"
        r"rename or drop it\. Then run `dialer migrate`",
    ):
        migrate(database.settings)
    database.dispose()
    server.drop(url)


@ON_POSTGRESQL
def test_who_owns_a_schema_needs_no_right_to_make_schemas(server: PostgresDatabases, dialect: Dialect) -> None:
    url = server.create()
    with server.user(url) as (user, owned):
        settings = dialect.settings(owned)
        with pytest.raises(DialerError, match=r"permission denied for database.*CREATE SCHEMA \"nc\" AUTHORIZATION"):
            migrate(settings)
        with server.connect(url) as connection:
            connection.execute("CREATE SCHEMA nc")
        with pytest.raises(DialerError, match=r"permission denied for schema nc.*GRANT USAGE, CREATE ON SCHEMA \"nc\""):
            migrate(settings)
        with server.connect(url) as connection:
            connection.execute(f"ALTER SCHEMA nc OWNER TO {user}".encode())
        assert f"from base to {head()}" in migrate(settings)
        assert "nothing to do" in migrate(settings)
        assert checked(settings) == {}
        database = Database(settings)
        a_call_from_end_to_end(database, dialect)
        database.dispose()
        server.drop(url)


@ON_MARIADB
def test_the_documented_rights_suffice_and_their_lack_is_told(server: MariaDbDatabases, dialect: Dialect) -> None:
    url = server.create()
    schema = make_url(url).database
    with server.user(url) as (user, named):
        settings = dialect.settings(named)
        server.run(f"GRANT SELECT, INSERT, CREATE ON `{schema}`.* TO {user}")
        with pytest.raises(DialerError, match=rf"denied.*GRANT {mariadb.GRANTS} ON `{schema}`.\* TO"):
            migrate(settings)
        server.run(f"GRANT {mariadb.GRANTS} ON `{schema}`.* TO {user}")
        migrate(settings)
        assert checked(settings) == {}
        database = Database(settings)
        a_call_from_end_to_end(database, dialect)
        database.dispose()
    server.drop(url)


# --- who may call -----------------------------------------------------------------------------------------------


@ON_POSTGRESQL
def test_who_may_only_insert_cases_cannot_call_ours_nor_make_triggers_of_it(
    installed: Database, server: PostgresDatabases, dialect: Dialect
) -> None:
    url = installed.settings.url().render_as_string(hide_password=False)
    with server.user(url) as (user, theirs):
        with server.connect(url) as owner:
            owner.execute(f"GRANT USAGE ON SCHEMA nc TO {user}".encode())
            owner.execute(f"GRANT INSERT ON nc.dialer_clients TO {user}".encode())
            owner.execute(f"GRANT USAGE ON SEQUENCE nc.dialer_clients_id_seq TO {user}".encode())
        with server.connect(theirs) as writer:
            writer.execute(
                "INSERT INTO nc.dialer_clients (case_name, project_id, phone_number, utc)"
                " VALUES ('x', 'p', '100', 'Europe/Moscow')"
            )
            writer.execute("CREATE TEMPORARY TABLE theirs (project_id varchar)")
            triggers = [one.statement for one in objects_at_head("postgresql") if one.kind == TRIGGER]
            for function in {re.findall(r"EXECUTE FUNCTION (\w+)", one)[0] for one in triggers}:
                with pytest.raises(Exception, match="permission denied for function"):
                    writer.execute(
                        f"CREATE TRIGGER t AFTER INSERT ON theirs FOR EACH ROW EXECUTE FUNCTION nc.{function}()"
                    )
            with pytest.raises(Exception, match="permission denied for function"):
                writer.execute("SELECT * FROM nc.dialer_project_stop('p')")


@ON_POSTGRESQL
def test_who_may_read_tables_and_views_may_read_all_views(
    installed: Database, server: PostgresDatabases, dialect: Dialect
) -> None:
    url = installed.settings.url().render_as_string(hide_password=False)
    with server.user(url) as (user, theirs):
        with server.connect(url) as owner:
            owner.execute(f"GRANT USAGE ON SCHEMA nc TO {user}".encode())
            owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA nc TO {user}".encode())
        with server.connect(theirs) as reader:
            for one in objects_at_head("postgresql"):
                if one.kind == "view":
                    reader.execute(f"SELECT * FROM nc.{one.name}".encode()).fetchall()


def test_the_public_calls_nothing_that_writes() -> None:
    """What it may call works with its own rights, and changes nothing."""
    objects = {one.name: one for one in objects_at_head("postgresql")}
    readers = called_by_views(list(objects.values()))
    assert readers
    for name in readers:
        assert "SECURITY DEFINER" not in objects[name].statement, name
        assert not re.search(r"\b(INSERT|UPDATE|DELETE|TRUNCATE|set_config|pg_notify)\b", objects[name].definition), (
            name
        )


# --- character sets and dumps of MariaDB -----------------------------------------------------------------------------


@ON_MARIADB
@pytest.mark.parametrize("collation", ["latin1_swedish_ci", "utf8mb4_general_ci", "utf8mb4_unicode_ci", "ucs2_bin"])
def test_routines_work_in_a_database_of_any_character_set(
    server: MariaDbDatabases, dialect: Dialect, collation: str
) -> None:
    url = server.create(collation=collation)
    database = Database(dialect.settings(url))
    migrate(database.settings)
    other = database.query(
        "SELECT DISTINCT collation_name AS collation FROM information_schema.parameters"
        " WHERE specific_schema = database() AND collation_name IS NOT NULL"
    )
    assert [row["collation"] for row in other] == ["utf8mb4_nopad_bin"]
    a_call_from_end_to_end(database, dialect)
    assert own_collation(database) == collation
    database.dispose()
    server.drop(url)


@ON_MARIADB
def test_a_migration_that_stops_half_way_leaves_the_database_its_collation(
    server: MariaDbDatabases, dialect: Dialect
) -> None:
    url = server.create(collation="latin1_swedish_ci")
    database = Database(dialect.settings(url))
    execute(database, "CREATE TABLE dialer_warnings (theirs int)")
    with pytest.raises(DBAPIError):
        command.upgrade(config(database.settings), "head")
    assert own_collation(database) == "latin1_swedish_ci"
    database.dispose()
    server.drop(url)


def own_collation(database: Database) -> str:
    rows = database.query(
        "SELECT default_collation_name AS name FROM information_schema.schemata WHERE schema_name = database()"
    )
    return str(rows[0]["name"])


@ON_MARIADB
@pytest.mark.parametrize("options", [["--routines", "--triggers"], []], ids=["routines", "plain"])
@pytest.mark.parametrize("owner", ["gone", "without_rights"])
def test_a_dump_restored_under_another_name_user_and_character_set_is_mended(
    server: MariaDbDatabases, dialect: Dialect, options: list[str], owner: str
) -> None:
    original, copy = server.create(), server.create(collation="latin1_swedish_ci")
    with server.user(original) as (user, named):
        server.run(f"GRANT {mariadb.GRANTS} ON `{make_url(original).database}`.* TO {user}")
        settings = dialect.settings(named)
        migrate(settings)
        database = Database(settings)
        a_call_from_end_to_end(database, dialect)
        wanted = dialect.catalog(database).keys()
        database.dispose()
        dump = server.dump(original, *options)
        assert "ALTER DATABASE" not in dump
        if owner == "without_rights":
            server.restore(copy, dump)
            mend(dialect, copy, wanted)
    if owner == "gone":
        server.restore(copy, dump)
        mend(dialect, copy, wanted)
    server.drop(original)
    server.drop(copy)


def mend(dialect: Dialect, url: str, wanted: object) -> None:
    settings = dialect.settings(url)
    told = checked(settings)
    assert "Run `dialer migrate`" in told["the schema"], told
    assert "made anew" in migrate(settings)
    assert checked(settings).keys() == {"the server"}, "it is another one now"
    database = Database(settings)
    assert dialect.catalog(database).keys() == wanted
    a_call_from_end_to_end(database, dialect)
    database.dispose()


def test_somebodys_open_transaction_is_not_waited_for_without_end(
    installed: Database, dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a lock that a migration waits for everybody else waits, too."""
    monkeypatch.setattr(f"worker.db.{dialect.name}._MIGRATION_LOCK_SECONDS", 1)
    execute(installed, "DROP VIEW dialer_warnings")
    with installed._engine.connect() as reader:
        reader.execute(text("SELECT * FROM dialer_why"))
        with pytest.raises(DialerError, match=r"(?s)refused the routines.*open transaction.*Have that ended"):
            migrate(installed.settings)
    assert "made anew" in migrate(installed.settings)


@ON_POSTGRESQL
def test_what_is_a_dbas_own_stays_though_it_is_called_like_ours(installed: Database, dialect: Dialect) -> None:
    execute(installed, "CREATE TABLE archive (LIKE dialer_clients)")
    execute(installed, "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    execute(
        installed,
        "CREATE TRIGGER dialer_clients_before_insert BEFORE INSERT ON archive FOR EACH ROW EXECUTE FUNCTION mine()",
    )
    execute(installed, "CREATE RULE aside AS ON INSERT TO dialer_stat_hour DO INSTEAD NOTHING")
    execute(installed, "DROP VIEW dialer_warnings")
    migrate(installed.settings)
    kept = "SELECT count(*) AS n FROM pg_trigger WHERE tgrelid = 'archive'::regclass"
    assert installed.query(kept)[0]["n"] == 1
    assert installed.query("SELECT count(*) AS n FROM pg_rules WHERE rulename = 'aside'")[0]["n"] == 1


@ON_MARIADB
def test_a_migration_that_is_not_given_the_lock_does_nothing(installed: Database, dialect: Dialect) -> None:
    execute(installed, "DROP VIEW dialer_warnings")
    waiting = "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT GET_LOCK%'"
    with installed._engine.connect() as holder:
        assert holder.execute(text("SELECT GET_LOCK('dialer migrate', 0)")).scalar() == 1
        second = in_background(migrate, installed.settings)
        wait_for(lambda: bool(installed.query(waiting)), 20, "the second one to wait")
        execute(installed, f"KILL QUERY {installed.query(waiting)[0]['id']}")
        with pytest.raises(DialerError):
            second.get(timeout=20)
        holder.execute(text("SELECT RELEASE_LOCK('dialer migrate')"))
    with pytest.raises(DatabaseUnfit, match="lacks 1"):
        installed.query("SELECT * FROM dialer_warnings")
