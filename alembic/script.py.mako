"""${message.capitalize()}."""

from __future__ import annotations

from alembic import op

revision = "${up_revision}"
down_revision = "${down_revision}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.routines(revision):
        ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    with op.routines(down_revision):
        ${downgrades if downgrades else "pass"}
