"""How the schema is installed and changed: one history for both dialects, run by Alembic.

Importing this module gives migrations three operations:

- `with op.routines(revision):` goes around what a migration does to tables and rows; after the block all routines,
  views and triggers are those of that revision. For an upgrade that is the migration's own, for a downgrade its
  down_revision.
- `op.fill(table)` makes a table's rows those of `sql/data/<table>.csv`.
- `op.run(name)` runs `sql/schema/<dialect>/<name>.sql` up to its comment `-- Down:`; with `down=True`, from there on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.operations import MigrateOperation, Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import sql
from worker.config import DatabaseSettings
from worker.db.dialect import named
from worker.db.objects import SchemaObject, named_ever, objects_at

VERSION_TABLE = "dialer_version"

_INSTALLED = Path(__file__).with_name("migrations")
"""Where an installed dialer has the contents of the sources' alembic/ folder (pyproject.toml)."""
_SCRIPTS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[2] / "alembic"


def config(settings: DatabaseSettings, scripts: Path = _SCRIPTS, library: sql.Library = sql.LIBRARY) -> Config:
    """Alembic's configuration for these settings, independent of the current directory.

    `scripts`, `library`: for tests, in place of the program's alembic/ and sql/, another history.
    """
    made = Config()
    made.set_main_option("script_location", str(scripts).replace("%", "%%"))
    made.attributes |= {"database": settings, "library": library}
    return made


def _history() -> ScriptDirectory:
    return ScriptDirectory(str(_SCRIPTS))


def head() -> str:
    """The revision that this program needs."""
    revision = _history().get_current_head()
    assert revision is not None
    return revision


def knows(revision: str) -> bool:
    """Is the revision in this program's history? If not, a newer dialer has made it."""
    return revision in {script.revision for script in _history().walk_revisions()}


def step_from(revision: str | None, *, down: bool) -> str | None:
    """The revision that comes next, upwards or downwards; None: there is none."""
    if down:
        return revision
    return next((one.revision for one in _history().walk_revisions() if one.down_revision == revision), None)


@cache
def objects_at_head(dialect: str) -> tuple[SchemaObject, ...]:
    """All routines, views and triggers of the program, each after those it needs."""
    return objects_at(sql.LIBRARY, dialect, head())


@contextmanager
def replaced(connection: Connection, library: sql.Library, revision: str | None) -> Iterator[None]:
    """The block may change tables; after it all routines, views and triggers are those of a revision (None: there are
    none). Rights granted on them stay. See Dialect.replacing."""
    dialect = named(connection.dialect.name)
    wanted = objects_at(library, dialect.name, revision)
    with dialect.replacing(connection, named_ever(library, dialect.name), wanted):
        yield


def fill(connection: Connection, library: sql.Library, table: str, own: str = "false", key: str | None = None) -> None:
    """See `op.fill`."""
    connection.execute(text(f"DELETE FROM {table} WHERE NOT ({own})"))  # noqa: S608 - names of ours, here and below
    rows = library.data(table)
    if key:
        there = connection.execute(text(f"SELECT {key} FROM {table}"))  # noqa: S608
        taken = {tuple(map(str, row)) for row in there}
        columns = key.replace(" ", "").split(",")
        rows = [row for row in rows if tuple(str(row[column]) for column in columns) not in taken]
    names = list(rows[0])
    values = ", ".join(f":{name}" for name in names)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"), rows)  # noqa: S608


@Operations.register_operation("routines")
class _Routines(MigrateOperation):
    @classmethod
    def routines(cls, operations: Operations, revision: str | None) -> AbstractContextManager[None]:
        """Around what a migration does to tables and rows: see worker/db/migration.py."""
        return replaced(_connection(operations), _library(operations), revision)


@Operations.register_operation("run")
class _Run(MigrateOperation):
    @classmethod
    def run(cls, operations: Operations, name: str, *, down: bool = False, **values: object) -> None:
        """Run `sql/schema/<dialect>/<name>.sql` unchanged, statement by statement: `%`, `:` and `::` mean what they
        mean in SQL. Only if values are given, `:name` stands for one of them."""
        connection = _connection(operations)
        for statement in _library(operations).schema(connection.dialect.name, name, down=down):
            if values:
                connection.execute(text(statement), values)
            else:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


@Operations.register_operation("fill")
class _Fill(MigrateOperation):
    @classmethod
    def fill(cls, operations: Operations, table: str, *, own: str = "false", key: str | None = None) -> None:
        """Make a table's rows those of `sql/data/<table>.csv`. `own`: a condition in SQL for rows that people have
        written; they stay, and a row of the file that has the same `key` (columns, by commas) is left out."""
        fill(_connection(operations), _library(operations), table, own, key)


def _library(operations: Operations) -> sql.Library:
    library = operations.get_context().opts["library"]
    assert isinstance(library, sql.Library)
    return library


def _connection(operations: Operations) -> Connection:
    bind = operations.get_bind()
    assert isinstance(bind, Connection)
    return bind
