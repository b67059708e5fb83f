"""
Add the column of the jurisdictions that select the limit of a rule that counts.

It is null in the rows that are there: no rule of an earlier release that counts takes a limit.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
WORDS = "[name, ...]: they select the limit of the rule; null: it has none"


def upgrade() -> None:
    """Add the column to the table and to its twin."""
    for prefix in ("", "rebuild_"):
        with op.batch_alter_table(f"{prefix}contributions") as batch:
            batch.add_column(sa.Column("jurisdictions", JSON, comment=WORDS))
