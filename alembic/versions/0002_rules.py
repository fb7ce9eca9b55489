"""Rules: whom we may call, when, how often; one form for every number."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.routines(revision):
        op.run("0002")
        op.fill("dialer_countries")
    # Behind the triggers, which leave out zones that this server does not know.
    op.fill("dialer_prefixes", own="source = 'own'", key="prefix")
    op.fill("dialer_holidays", own="source = 'own'", key="region, day")
    op.run("0002_numbering")


def downgrade() -> None:
    with op.routines(down_revision):
        op.run("0002", down=True)
