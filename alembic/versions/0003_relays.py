"""Add a table for the last row of the outbox that was sent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table of receivers, and an index on the records to forward to a partition."""
    op.create_table(
        "relays",
        sa.Column("relay", sa.Text(), nullable=False, comment="who sends, such as kafka"),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False, comment="partition of the log"),
        sa.Column(
            "sent",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="number of the last row of the outbox that it has sent",
        ),
        sa.Column(
            "sent_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=False,
            comment="when, by its own clock",
        ),
        sa.PrimaryKeyConstraint("relay", "partition", name=op.f("pk_relays")),
        comment="How far what is in the outbox has been sent.",
    )
    op.create_index(
        "ix_outbox_target",
        "outbox",
        ["target", "n"],
        sqlite_where=sa.text("kind = 'forward'"),
        postgresql_where=sa.text("kind = 'forward'"),
    )
