"""Lists that are imported faster, and attempts that are archived."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.routines(revision):
        op.run("0003")
    op.run("0003_places")


def downgrade() -> None:
    with op.routines(down_revision):
        op.run("0003", down=True)
    op.run("0003_places", down=True)
