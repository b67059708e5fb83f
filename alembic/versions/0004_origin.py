"""Add a table for the topic from which a database was built, with Kafka's id of the topic and an id of the database."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table. Its row is written at the next start of a projector."""
    op.create_table(
        "origin",
        sa.Column("topic", sa.Text(), nullable=False, comment="topic of the log"),
        sa.Column(
            "topic_id",
            sa.Text(),
            nullable=True,
            comment="Kafka's own id of that topic, as its tools write it; null: not known",
        ),
        sa.Column(
            "database_id",
            sa.Text(),
            nullable=False,
            comment="id of this database, by which its consumer group is known; made at the first run",
        ),
        sa.PrimaryKeyConstraint("topic", name=op.f("pk_origin")),
        comment="The topic of Kafka from which this database was projected; no row with the log of its own.",
    )
