"""
Add the tables of the correlator, and alerts about a group.

The new tables are empty: the correlator begins with the first row of the ledger.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
GROUPED = sa.text("group_key is not null")
ACROSS = "whether its rule concerns several people"
ABOUT = "the person it is about; null: it is about a group"
EVIDENCE = (
    "[fact_id, ...]: the reports of the events that make the pattern, the anchor first; across people: empty, the rows "
    "of alert_evidence"
)
NOTICE_ABOUT = "the person it is about; null: an alert about a group"


def upgrade() -> None:
    """Add the columns to both sets of tables, and the new tables."""
    for prefix in ("", "rebuild_"):
        _alerts(f"{prefix}alerts")
        _alert_evidence(prefix)
        _correlated(prefix)
        _contributions(prefix)
        _links(prefix)
        _positions(prefix)
    with op.batch_alter_table("outbox") as batch:
        batch.alter_column("subject_id", existing_type=sa.Text(), nullable=True, comment=NOTICE_ABOUT)


def _alerts(alerts: str) -> None:
    with op.batch_alter_table(alerts) as batch:
        batch.add_column(sa.Column("across", sa.Boolean(), comment=ACROSS))
        batch.add_column(sa.Column("group_by", sa.Text(), comment="the field that makes its group; null: it has none"))
        words = "its group in the form in which groups are compared"
        batch.add_column(sa.Column("group_key", sa.Text(), comment=words))
        batch.add_column(sa.Column("group_shown", sa.Text(), comment="its group as the source of the anchor writes it"))
        words = "largest multiple of the number of people that a window had"
        batch.add_column(sa.Column("reached", sa.Integer(), comment=words))
        batch.alter_column("subject_id", existing_type=sa.Text(), nullable=True, comment=ABOUT)
        batch.alter_column("evidence", existing_type=JSON, existing_nullable=False, comment=EVIDENCE)
    op.execute(sa.update(sa.table(alerts, sa.column("across"))).values(across=sa.false()))
    with op.batch_alter_table(alerts) as batch:
        batch.alter_column("across", existing_type=sa.Boolean(), existing_comment=ACROSS, nullable=False)
    name = op.f(f"ix_{alerts}_rule_group_key")
    op.create_index(name, alerts, ["rule", "group_key"], sqlite_where=GROUPED, postgresql_where=GROUPED)


def _text(name: str, comment: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)


def _flag(name: str, comment: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False, comment=comment)


def _alert_evidence(prefix: str) -> None:
    table = f"{prefix}alert_evidence"
    op.create_table(
        table,
        _text("alert_id", "an alert across people"),
        _text("fact_id", "a fact in its evidence"),
        _text("subject_id", "the person this fact is about"),
        sa.Column("n", sa.Integer(), nullable=False, comment="its place; those of one place are ordered by `at`"),
        sa.Column("at", INSTANT, comment="latest instant of its event, by which the evidence is ordered"),
        sa.PrimaryKeyConstraint("alert_id", "fact_id", name=op.f(f"pk_{table}")),
        comment="The evidence of each alert across people.",
    )
    op.create_index(op.f(f"ix_{table}_fact_id"), table, ["fact_id"])
    op.create_index(op.f(f"ix_{table}_subject_id"), table, ["subject_id"])


def _correlated(prefix: str) -> None:
    table = f"{prefix}correlated"
    op.create_table(
        table,
        _text("subject_id", "a person with a fact of a type such a rule starts from"),
        sa.Column("due", INSTANT, comment="next instant at which a fact that was announced counts"),
        sa.PrimaryKeyConstraint("subject_id", name=op.f(f"pk_{table}")),
        comment="The people that the rules across people concern.",
    )
    op.create_index(op.f(f"ix_{table}_due"), table, ["due"])


def _contributions(prefix: str) -> None:
    table = f"{prefix}contributions"
    op.create_table(
        table,
        _text("rule", "id of the rule"),
        _text("fact_id", "the best report of the event"),
        _text("subject_id", "the person"),
        _text("group_key", "the group in the form in which groups are compared"),
        _text("group_shown", "the group as this fact's source writes it"),
        sa.Column("earliest", INSTANT, comment="earliest instant of the event; null: not known"),
        sa.Column("latest", INSTANT, comment="latest instant of the event; null: not known"),
        _flag("earliest_exact", "whether the earliest instant is from a date-time"),
        _flag("latest_exact", "whether the latest instant is from a date-time"),
        _flag("marked", "whether the source marks the date as uncertain"),
        _flag("cleared", "whether the person was cleared of the event since"),
        sa.Column("recorded", INSTANT, nullable=False, comment="when its first report that is in force was recorded"),
        sa.Column("reports", JSON, nullable=False, comment="[fact_id, ...]: all reports of the event, the best first"),
        sa.PrimaryKeyConstraint("rule", "fact_id", name=op.f(f"pk_{table}")),
        comment="The events that rules across people count, each with its group.",
    )
    op.create_index(op.f(f"ix_{table}_rule_group_key_latest"), table, ["rule", "group_key", "latest"])
    op.create_index(op.f(f"ix_{table}_subject_id"), table, ["subject_id"])


def _links(prefix: str) -> None:
    table = f"{prefix}links"
    op.create_table(
        table,
        _text("subject_id", "the person whose facts name the other one"),
        _text("other_id", "the other person"),
        sa.PrimaryKeyConstraint("subject_id", "other_id", name=op.f(f"pk_{table}")),
        comment="The people that a fact of another person names, by a relation or as its author.",
    )
    op.create_index(op.f(f"ix_{table}_other_id"), table, ["other_id"])


def _positions(prefix: str) -> None:
    table = f"{prefix}correlator_positions"
    op.create_table(
        table,
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False, comment="partition of the log"),
        sa.Column("seq", BIG, nullable=False, comment="place of the last row of its chain that was read"),
        sa.PrimaryKeyConstraint("partition", name=op.f(f"pk_{table}")),
        comment="The correlator's position in the chain of each partition.",
    )
