"""How the schema is installed and changed: one history for both dialects, run by Alembic.

Importing this module gives migrations the operation `op.install_routine(name, before)`.
"""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.operations import MigrateOperation, Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import sql
from worker.config import DatabaseSettings

VERSION_TABLE = "dialer_version"

_INI = Path(__file__).resolve().parents[2] / "alembic.ini"


def config(settings: DatabaseSettings) -> Config:
    """Alembic's configuration for these settings, from whatever directory it is asked."""
    made = Config(_INI)
    made.attributes["database"] = settings
    return made


def head() -> str:
    """The revision that this program needs."""
    revision = ScriptDirectory.from_config(Config(_INI)).get_current_head()
    assert revision is not None
    return revision


def knows(revision: str) -> bool:
    """Is it in this program's history? If not, a newer dialer has made it."""
    return revision in {script.revision for script in ScriptDirectory.from_config(Config(_INI)).walk_revisions()}


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
    execute(operations, sql.routine(operations.get_bind().dialect.name, operation.name, operation.revision))


def execute(operations: Operations, text: str) -> None:
    """Run one statement as it stands: `%`, `:` and `::` mean what they mean in SQL."""
    bind = operations.get_bind()
    assert isinstance(bind, Connection)
    bind.execution_options(no_parameters=True).exec_driver_sql(text)
