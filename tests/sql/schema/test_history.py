"""Any change is a migration, up and down, with rows in the tables: a made-up history is climbed on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

import sql
from alembic import command
from dialer.migrate import migrate
from tests.sql.schema import made_up_history
from tests.sql.schema.made_up_history import History
from tests.support.caller import a_call_from_end_to_end
from tests.support.containers import Databases, MariaDbDatabases, PostgresDatabases
from tests.support.dialects import Dialect, execute, rows_of, servers, tables
from tests.support.extent import is_brief
from worker.db import Database
from worker.db.migration import config
from worker.errors import DialerError

ON_MARIADB = pytest.mark.parametrize("dialect", servers("mariadb"), indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("dialect", servers("postgresql"), indirect=True)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """One for all that only climb it."""
    return made_up_history.make(tmp_path_factory.mktemp("history"))


@pytest.fixture
def fresh(server: Databases, dialect: Dialect) -> Iterator[Callable[[], Database]]:
    """Makes empty databases."""
    made: list[tuple[str, Database]] = []

    def one() -> Database:
        url = server.create()
        made.append((url, Database(dialect.settings(url))))
        return made[-1][1]

    yield one
    for url, database in made:
        database.dispose()
        server.drop(url)


def go(database: Database, history: History, revision: str, *, down: bool = False) -> None:
    """To a revision of that history."""
    settled = config(database.settings, history.scripts, history.library)
    (command.downgrade if down else command.upgrade)(settled, revision)
    assert database.revision() == revision


def catalog(database: Database, dialect: Dialect) -> dict[str, object]:
    """Every object, and the rows that migrations write, but for those that a test sets itself."""
    found: dict[str, object] = {
        # A column that was dropped leaves a gap in PostgreSQL's numbers.
        name: re.sub(r"^\d+ ", "", text) if name.startswith("column ") and dialect.name == "postgresql" else text
        for name, text in dialect.catalog(database).items()
    }
    for table, key in (("dialer_settings", "name"), ("dialer_outcomes", "outcome")):
        found |= {f"row {row[key]}": tuple(row.values()) for row in rows_of(database, table)}
    return {name: value for name, value in found.items() if name not in ("row server_zone", "row virtual_clock")}


def data(database: Database) -> dict[str, list[dict[str, Any]]]:
    """All rows of what people and the dialer have written, but for the made-up column."""
    return {
        table: sorted(
            ({name: value for name, value in row.items() if name != "made_up"} for row in rows_of(database, table)),
            key=str,
        )
        for table in tables(database)
        if "made_up" not in table
    }


def test_the_set_of_each_revision_is_what_stood_while_it_was_the_newest(history: History) -> None:
    for revision in history.revisions:
        for dialect in sql.DIALECTS:
            assert history.library.at(dialect, revision) == history.stood[revision][dialect]


@pytest.mark.timeout(600)
def test_each_step_up_and_down_leaves_what_a_fresh_install_has_and_every_row(
    history: History, fresh: Callable[[], Database], dialect: Dialect
) -> None:
    expected = {}
    climber = fresh()
    for revision in history.revisions:
        installed = climber if is_brief() and revision != history.revisions[-1] else fresh()
        go(installed, history, revision)
        expected[revision] = catalog(installed, dialect)
    distinct = {str(sorted(found.items())) for found in expected.values()}
    assert len(distinct) == len(history.revisions) - 1, "one takes back what another did"
    database = fresh()
    first, *later = history.revisions
    go(database, history, first)
    a_call_from_end_to_end(database, dialect)
    rows = data(database)
    assert rows["dialer_attempts"]
    assert rows["dialer_stat"]
    for revision in later:
        go(database, history, revision)
        assert catalog(database, dialect) == expected[revision], f"up to {revision}"
        assert data(database) == rows, f"up to {revision}"
    for revision in reversed(history.revisions[:-1]):
        go(database, history, revision, down=True)
        assert catalog(database, dialect) == expected[revision], f"down to {revision}"
        assert data(database) == rows, f"down to {revision}"
    a_call_from_end_to_end(database, dialect)


def test_a_new_column_is_checked_as_long_as_it_is_there(
    history: History, fresh: Callable[[], Database], dialect: Dialect
) -> None:
    database = fresh()
    go(database, history, history.revision("more_columns"))
    execute(database, "INSERT INTO dialer_params (project_id, made_up) VALUES ('spring', 1)")
    with pytest.raises(DBAPIError, match=r"dialer_params\.made_up"):
        execute(database, "UPDATE dialer_params SET made_up = 0")
    with pytest.raises(DBAPIError, match=r"dialer_params\.made_up"):
        execute(database, "INSERT INTO dialer_params (project_id, made_up) VALUES ('summer', 0)")
    assert [row["made_up"] for row in database.query("SELECT * FROM dialer_rules")] == [1]
    go(database, history, history.revision("fewer_columns"))
    execute(database, "INSERT INTO dialer_params (project_id) VALUES ('summer')")
    assert "made_up" not in database.query("SELECT * FROM dialer_rules")[0]


# --- rights ---------------------------------------------------------------------------------------------------------


@ON_POSTGRESQL
def test_what_was_granted_stays_through_all_of_it_on_postgresql(
    history: History, fresh: Callable[[], Database], server: PostgresDatabases, dialect: Dialect
) -> None:
    database = fresh()
    first, *later = history.revisions
    go(database, history, first)
    url = database.settings.url().render_as_string(hide_password=False)
    with server.user(url) as (user, theirs), server.user(url) as (owner, _):
        with server.connect(url) as connection:
            for statement in (
                f"GRANT USAGE ON SCHEMA nc TO {user}",
                f"GRANT SELECT ON nc.dialer_rules TO {user} WITH GRANT OPTION",
                f"GRANT SELECT (reason) ON nc.dialer_why TO {user}",
                f"GRANT EXECUTE ON FUNCTION nc.dialer_next TO {user}",
                "GRANT SELECT ON nc.dialer_warnings TO PUBLIC",
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA nc GRANT SELECT ON TABLES TO {user}",
                f"GRANT USAGE, CREATE ON SCHEMA nc TO {owner}",
                f"ALTER FUNCTION nc.dialer_setting OWNER TO {owner}",
                f"ALTER VIEW nc.dialer_stat_day OWNER TO {owner}",
            ):
                connection.execute(statement.encode())
        before = _rights(database)
        assert any(user in rights for rights in before.values())
        for revision, down in [
            *((one, False) for one in later),
            *((one, True) for one in reversed(history.revisions[:-1])),
        ]:
            go(database, history, revision, down=down)
            after = _rights(database)
            kept = {
                key: right
                for key, right in before.items()
                if key[1] not in ("dialer_stat_outcome", "dialer_pacing_load")
            }
            assert {key: right for key, right in after.items() if key in kept} == kept, revision
        with server.connect(theirs) as reader:
            reader.execute("SELECT * FROM nc.dialer_rules")
            reader.execute("SELECT reason FROM nc.dialer_why")
            with pytest.raises(Exception, match="permission denied"):
                reader.execute("SELECT detail FROM nc.dialer_why")
        with server.connect(url) as connection:
            for statement in (
                f"DROP OWNED BY {user} CASCADE",
                f"REASSIGN OWNED BY {owner} TO CURRENT_USER",
                f"DROP OWNED BY {owner}",
            ):
                connection.execute(statement.encode())


def _rights(database: Database) -> dict[tuple[str, str], str]:
    rows = database.query(
        """
        SELECT kind, name, concat_ws(' ', pg_get_userbyid(owner),
            (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(coalesce(acl, acldefault(type, owner))) a),
            (SELECT string_agg(attname || attacl::text, ' ' ORDER BY attname) FROM pg_attribute
             WHERE attrelid = oid AND attacl IS NOT NULL)) AS rights
        FROM (
            SELECT 'function' AS kind, proname AS name, 0::oid AS oid, proowner AS owner, proacl AS acl,
                'f'::"char" AS type, pronamespace AS space
            FROM pg_proc
            UNION ALL
            SELECT 'view', relname, oid, relowner, relacl, 'r', relnamespace FROM pg_class WHERE relkind = 'v'
        ) ours
        WHERE space = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
        """
    )
    return {(row["kind"], row["name"]): row["rights"] for row in rows}


@ON_MARIADB
def test_what_was_granted_stays_through_all_of_it_on_mariadb(
    history: History, fresh: Callable[[], Database], server: MariaDbDatabases, dialect: Dialect
) -> None:
    database = fresh()
    first, *later = history.revisions
    go(database, history, first)
    schema = make_url(database.settings.url()).database
    with server.user(database.settings.url().render_as_string(hide_password=False)) as (user, theirs):
        for right, place in (
            ("SELECT", "`{}`.dialer_rules"),
            ("SELECT (reason)", "`{}`.dialer_why"),
            ("EXECUTE", "PROCEDURE `{}`.dialer_next"),
            ("EXECUTE", "FUNCTION `{}`.dialer_setting"),
        ):
            server.run(f"GRANT {right} ON {place.format(schema)} TO {user}@'%'")
        shown = database.query(f"SHOW GRANTS FOR {user}@'%'")
        assert len(shown) == 5
        for revision, down in [
            *((one, False) for one in later),
            *((one, True) for one in reversed(history.revisions[:-1])),
        ]:
            go(database, history, revision, down=down)
            assert database.query(f"SHOW GRANTS FOR {user}@'%'") == shown, revision
        with server.connect(theirs) as reader, reader.cursor() as cursor:
            cursor.execute("SELECT * FROM dialer_rules")
            cursor.execute("CALL dialer_next('p', NULL, 1)")


@ON_MARIADB
def test_a_dbas_triggers_stay_where_they_were_among_ours(
    history: History, fresh: Callable[[], Database], dialect: Dialect
) -> None:
    database = fresh()
    first, *later = history.revisions
    go(database, history, first)
    ours, last = "dialer_params_before_insert", "their 100% last %s"
    before = f"PRECEDES {ours}"
    with database.transaction() as dba:
        for name, place in ((last, ""), ("their first", before), (ours.upper(), before)):
            made = f"CREATE TRIGGER `{name}` BEFORE INSERT ON dialer_params FOR EACH ROW {place} SET @x = 1"
            dba.exec_driver_sql(made, execution_options={"no_parameters": True})
    asked = (
        "SELECT trigger_name AS name FROM information_schema.triggers WHERE trigger_schema = database()"
        " AND event_object_table = 'dialer_params' AND action_timing = 'BEFORE' AND event_manipulation = 'INSERT'"
        " ORDER BY action_order"
    )
    order = ["their first", ours.upper(), ours, last]
    assert [row["name"] for row in database.query(asked)] == order
    for revision in later:
        go(database, history, revision)
        assert [row["name"] for row in database.query(asked)] == order, revision


@ON_MARIADB
def test_a_trigger_made_again_before_a_dbas_is_as_it_should_be(own_database: Database, dialect: Dialect) -> None:
    execute(own_database, "CREATE TRIGGER theirs BEFORE INSERT ON dialer_params FOR EACH ROW SET @x = 1")
    execute(own_database, "DROP VIEW dialer_why_count")
    assert "made anew" in migrate(own_database.settings)
    assert "there was nothing to do" in migrate(own_database.settings)


# --- what hangs on ours ---------------------------------------------------------------------------------------------

THEIRS = """
    CREATE SCHEMA theirs;
    CREATE VIEW theirs.projects AS SELECT project_id, state, nc.dialer_now() AS at FROM nc.dialer_stat_project;
    CREATE VIEW theirs.more AS SELECT * FROM theirs.projects;
    CREATE MATERIALIZED VIEW theirs.days AS SELECT * FROM nc.dialer_stat_day;
    CREATE FUNCTION theirs.hours() RETURNS SETOF nc.dialer_stat_hour LANGUAGE sql AS 'SELECT * FROM nc.dialer_stat_hour'
"""


@ON_POSTGRESQL
def test_what_a_dba_has_built_on_ours_stays_where_its_ground_stays(
    history: History, fresh: Callable[[], Database], dialect: Dialect
) -> None:
    database = fresh()
    first, *later = history.revisions
    go(database, history, first)
    execute(database, "INSERT INTO dialer_params (project_id) VALUES ('spring')")
    for statement in THEIRS.split(";"):
        execute(database, statement)
    expected = fresh()
    for revision, down in [
        *((one, False) for one in later),
        *((one, True) for one in reversed(history.revisions[:-1])),
    ]:
        go(database, history, revision, down=down)
        assert [row["project_id"] for row in database.query("SELECT * FROM theirs.more")] == ["spring"]
        assert database.query("SELECT * FROM theirs.hours()") == []
    go(expected, history, first)
    assert catalog(database, dialect) == catalog(expected, dialect), "ours are as they should be beneath it"


@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("step", "theirs", "named"),
    [
        (
            "more_columns",
            "CREATE VIEW theirs AS SELECT project_id FROM dialer_rules",
            "view dialer_rules .*view nc.theirs",
        ),
        (
            "gone",
            "CREATE VIEW theirs AS SELECT * FROM dialer_stat_outcome",
            "view dialer_stat_outcome .*view nc.theirs",
        ),
        (
            "other_signature",
            "CREATE VIEW theirs AS SELECT dialer_made_up(1)",
            r"function dialer_made_up\(integer\) .*view nc.theirs",
        ),
        (
            "other_results",
            "CREATE MATERIALIZED VIEW theirs AS SELECT * FROM dialer_made_up_list()",
            "function dialer_made_up_list .*materialized view nc.theirs",
        ),
    ],
)
def test_what_loses_its_ground_is_named_and_nothing_is_changed(  # noqa: PLR0917
    history: History, fresh: Callable[[], Database], dialect: Dialect, step: str, theirs: str, named: str
) -> None:
    database = fresh()
    revision = history.revision(step)
    before = history.revisions[history.revisions.index(revision) - 1]
    go(database, history, before)
    execute(database, theirs)
    stood = catalog(database, dialect)
    with pytest.raises(DialerError, match=rf"{named}.*drop it, run `dialer migrate`, and make it again"):
        go(database, history, revision)
    assert database.revision() == before
    assert catalog(database, dialect) == stood
    execute(database, "DROP " + re.match("CREATE (.* theirs) AS", theirs)[1])  # type: ignore[index]
    go(database, history, revision)


@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        (
            "CREATE VIEW nc.theirs AS SELECT * FROM nc.dialer_stat_project",
            "dialer_stat_project .*view nc.theirs hangs on it",
        ),
        (
            "CREATE VIEW nc.theirs AS SELECT id FROM nc.dialer_clients",
            "revision 0001 at `DROP TABLE IF EXISTS dialer_clients`: .*view theirs depends on table dialer_clients",
        ),
    ],
)
def test_a_downgrade_deletes_no_view_of_a_dba(
    own_database: Database, dialect: Dialect, theirs: str, named: str
) -> None:
    execute(own_database, theirs)
    with pytest.raises(DialerError, match=named):
        migrate(own_database.settings, "base", down=True)
    assert own_database.query("SELECT * FROM theirs") == []
    execute(own_database, "DROP VIEW nc.theirs")
    migrate(own_database.settings, "base", down=True)


# --- a migration that stops half way --------------------------------------------------------------------------------


def test_a_migration_that_stops_half_way_is_run_again_and_rows_are_checked_meanwhile(
    tmp_path: Path, fresh: Callable[[], Database], dialect: Dialect
) -> None:
    history = made_up_history.make(tmp_path)
    revision = history.revision("more_columns")
    before = history.revisions[history.revisions.index(revision) - 1]
    database, expected = fresh(), fresh()
    go(database, history, before)
    go(expected, history, revision)
    file = history.schema_file(dialect.name, revision)
    right = file.read_text("utf-8")
    wrong = right.replace("\n-- Down:", "\nALTER TABLE dialer_stat DROP COLUMN not_there;\n-- Down:")
    file.write_text(wrong, encoding="utf-8")
    with pytest.raises(DBAPIError, match="not_there"):
        go(database, history, revision)
    assert database.revision() == before
    with pytest.raises(DBAPIError, match=r"dialer_clients\.phone_number"):
        execute(database, "INSERT INTO dialer_clients (case_name, project_id, phone_number) VALUES ('x', 'p', 'none')")
    file.write_text(right, encoding="utf-8")
    go(database, history, revision)
    assert catalog(database, dialect) == catalog(expected, dialect)
