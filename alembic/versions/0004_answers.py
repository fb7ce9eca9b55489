"""Screening asks the gate about fewer cases, imports and warnings say more."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.routines(revision):
        op.run("0004")


def downgrade() -> None:
    with op.routines(down_revision):
        op.run("0004", down=True)
