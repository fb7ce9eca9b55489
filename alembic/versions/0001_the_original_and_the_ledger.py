"""The original's three tables, the ledger of attempts, and the routines that decide."""

from __future__ import annotations

from alembic import op
from worker.db import servers
from worker.db.dialect import named

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.routines(revision):
        op.run("0001")
    connection = op.get_bind()
    dialect = named(connection.dialect.name)
    op.run("0001_settings", server_zone=dialect.server_zone(connection))
    servers.know(connection, dialect, op.get_context().opts["database"], "of the first migration")


def downgrade() -> None:
    with op.routines(down_revision):
        op.run("0001", down=True)
