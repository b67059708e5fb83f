"""Add the indexes by which delivery finds messages whose time has come and their people, and when one was given up."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
TIMED = "state in ('queued', 'held') and bundle is null and not_before is not null"


def upgrade() -> None:
    """Create the indexes and the column."""
    comment = "when a message was last given up, other than one to operators"
    op.add_column("receivers", sa.Column("gave_up_at", INSTANT, comment=comment))
    op.create_index(
        op.f("ix_deliveries_timed"),
        "deliveries",
        ["receiver", "why", "not_before"],
        sqlite_where=sa.text(TIMED),
        postgresql_where=sa.text(TIMED),
    )
    op.create_index(op.f("ix_delivery_people_number"), "delivery_people", ["receiver", "number"])
