"""Add an index by which a feed is read page by page, and the tables of the statuses that were sent."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the index and the tables."""
    _index("deliveries", "reference", ["receiver", "reference"], "reference is not null")
    if op.get_bind().dialect.name != "sqlite":
        words = "the receiver''s own reference: a Message-ID, the timestamp of a chat message, the place in a feed"
        op.execute(f"COMMENT ON COLUMN deliveries.reference IS '{words}'")
    op.create_table(
        "status_records",
        _text("receiver", "the receiver of statuses"),
        _text("subject_id", "the person"),
        _whole("partition", "partition of the facts about the person", sa.Integer()),
        _whole("sequence", "number of the last record about the person", BIG),
        _text("digest", "SHA-256 of the status in it; empty: the person has none any more"),
        sa.Column("due", INSTANT, comment="when time can next change the status; null: never"),
        sa.Column("acknowledged", sa.Boolean(), nullable=False, comment="whether the receiver has acknowledged it"),
        sa.PrimaryKeyConstraint("receiver", "subject_id", name=op.f("pk_status_records")),
        comment="The last status of each person that was sent, or may have been.",
    )
    _index("status_records", "unacknowledged", ["receiver", "subject_id"], "not acknowledged")
    _index("status_records", "due", ["partition", "due"], "due is not null")
    op.create_table(
        "status_reads",
        _text("receiver", "the receiver of statuses"),
        _whole("partition", "partition of the log", sa.Integer()),
        _whole("seq", "last row of its chain that was read for changes", BIG),
        sa.PrimaryKeyConstraint("receiver", "partition", name=op.f("pk_status_reads")),
        comment="The part of the ledger that each receiver of statuses has taken into account.",
    )


def _index(table: str, name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(op.f(f"ix_{table}_{name}"), table, columns, sqlite_where=where, postgresql_where=where)


def _text(name: str, comment: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)


def _whole(name: str, comment: str, kind: sa.types.TypeEngine[int]) -> sa.Column[Any]:
    return sa.Column(name, kind, autoincrement=False, nullable=False, comment=comment)
