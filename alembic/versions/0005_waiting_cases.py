"""Waiting cases."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.routines(revision):
        pass


def downgrade() -> None:
    with op.routines(down_revision):
        pass
