"""Add an index by which a feed is read page by page."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the index."""
    condition = sa.text("reference is not null")
    columns = ["receiver", "reference"]
    name = op.f("ix_deliveries_reference")
    op.create_index(name, "deliveries", columns, sqlite_where=condition, postgresql_where=condition)
    if op.get_bind().dialect.name != "sqlite":
        words = "the receiver''s own reference: a Message-ID, the timestamp of a chat message, the place in a feed"
        op.execute(f"COMMENT ON COLUMN deliveries.reference IS '{words}'")
