"""How the schema is installed and changed: one history for both dialects, run by Alembic.

Importing this module gives migrations the operations `op.install_objects(routines, triggers, revision)` and
`op.install_routine(name, revision)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.operations import MigrateOperation, Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from worker.config import DatabaseSettings
from worker.db.dialect import named
from worker.db.objects import SchemaObject, schema_objects

VERSION_TABLE = "dialer_version"

_INSTALLED = Path(__file__).with_name("migrations")
"""Where an installed dialer has what lies in alembic/ of its sources (pyproject.toml)."""
_SCRIPTS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[2] / "alembic"


def config(settings: DatabaseSettings) -> Config:
    """Alembic's configuration for these settings, from whatever directory it is asked."""
    made = Config()
    made.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    made.attributes["database"] = settings
    return made


def _history() -> ScriptDirectory:
    return ScriptDirectory(str(_SCRIPTS))


def head() -> str:
    """The revision that this program needs."""
    revision = _history().get_current_head()
    assert revision is not None
    return revision


def knows(revision: str) -> bool:
    """Is it in this program's history? If not, a newer dialer has made it."""
    return revision in {script.revision for script in _history().walk_revisions()}


@cache
def objects_at_head(dialect: str) -> tuple[SchemaObject, ...]:
    """All routines, views and triggers of the program, in the order of need: those that the migrations name in ROUTINES
    and TRIGGERS, each as its file stands now."""
    found: dict[tuple[str, str], SchemaObject] = {}
    for script in reversed(list(_history().walk_revisions())):
        routines = getattr(script.module, "ROUTINES", [])
        triggers = getattr(script.module, "TRIGGERS", {}).get(dialect, [])
        found |= {(one.kind, one.name): one for one in schema_objects(dialect, routines, triggers)}
    return tuple(found.values())


@Operations.register_operation("install_objects")
class InstallObjects(MigrateOperation):
    """Install a set of routines, views and triggers."""

    def __init__(self, routines: Sequence[str], triggers: Sequence[str], revision: str) -> None:
        self.routines = routines
        self.triggers = triggers
        self.revision = revision

    @classmethod
    def install_objects(
        cls, operations: Operations, routines: Sequence[str], triggers: Sequence[str], revision: str
    ) -> None:
        """Routines and views by name, as their files stood at `revision`; triggers by their statements."""
        operations.invoke(cls(routines, triggers, revision))


@Operations.implementation_for(InstallObjects)
def _install_objects(operations: Operations, operation: InstallObjects) -> None:
    connection = _connection(operations)
    dialect = connection.dialect.name
    named(dialect).install(
        connection, schema_objects(dialect, operation.routines, operation.triggers, operation.revision)
    )


@Operations.register_operation("install_routine")
class InstallRoutine(MigrateOperation):
    """Install a routine as its file stood at a revision."""

    def __init__(self, name: str, revision: str) -> None:
        self.name = name
        self.revision = revision

    @classmethod
    def install_routine(cls, operations: Operations, name: str, revision: str) -> None:
        """`revision`: this migration's own in upgrade; in downgrade the one that installed it before."""
        operations.invoke(cls(name, revision))


@Operations.implementation_for(InstallRoutine)
def _install_routine(operations: Operations, operation: InstallRoutine) -> None:
    operations.invoke(InstallObjects([operation.name], [], operation.revision))


def execute(operations: Operations, text: str) -> None:
    """Run one statement as it stands: `%`, `:` and `::` mean what they mean in SQL."""
    _connection(operations).execution_options(no_parameters=True).exec_driver_sql(text)


def _connection(operations: Operations) -> Connection:
    bind = operations.get_bind()
    assert isinstance(bind, Connection)
    return bind
