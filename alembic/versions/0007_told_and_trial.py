"""
Add the columns of trial rules, quiet changes and the sentences of ended alerts.

The rows of people are deleted, so that `casetrail init` computes everything from the ledger again, with the versions of
this release. Alerts and their changes stay: a change that has a row is not told a second time.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
TRIAL = "whether its rule was on trial when it opened last"
TOLD = "whether notices are written of it since it opened last"
SAID = "the last sentence while it stood"
SAID_UNTIL = "when that sentence ceased to be said; null while the alert stands"
PERSON = "the person that acknowledged it since it opened last; null: nobody has"
NOTE = "the note of that person"
CHANGE_TRIAL = "whether the rule was on trial"
CHANGE_TOLD = "whether a notice was written of the change"
TWINS = (
    *("rebuild_partitions", "rebuild_subjects", "rebuild_posts", "rebuild_cases", "rebuild_counts", "rebuild_holds"),
    *("rebuild_searches", "rebuild_measures", "rebuild_names", "rebuild_alerts", "rebuild_alert_changes"),
)


def upgrade() -> None:
    """Add the columns to both sets of tables, and leave everything to be computed again."""
    # A rebuild that was stopped has left rows there, and the next one would continue with them.
    for table in (*TWINS, "subjects"):
        op.execute(sa.delete(sa.table(table)))
    for prefix in ("", "rebuild_"):
        alerts = f"{prefix}alerts"
        needed = [
            sa.Column("trial", sa.Boolean(), comment=TRIAL),
            sa.Column("told", sa.Boolean(), comment=TOLD),
            sa.Column("said", sa.Text(), comment=SAID),
        ]
        _add(alerts, needed, {"trial": sa.false(), "told": sa.true(), "said": sa.column("explanation")})
        with op.batch_alter_table(alerts) as batch:
            batch.add_column(sa.Column("said_until", INSTANT, comment=SAID_UNTIL))
            batch.add_column(sa.Column("person", sa.Text(), comment=PERSON))
            batch.add_column(sa.Column("note", sa.Text(), comment=NOTE))
        needed = [
            sa.Column("trial", sa.Boolean(), comment=CHANGE_TRIAL),
            sa.Column("told", sa.Boolean(), comment=CHANGE_TOLD),
        ]
        _add(f"{prefix}alert_changes", needed, {"trial": sa.false(), "told": sa.true()})


def _add(table: str, columns: list[sa.Column[Any]], values: dict[str, Any]) -> None:
    """Add *columns* that are not null, with *values* in the rows that are there."""
    with op.batch_alter_table(table) as batch:
        for column in columns:
            batch.add_column(column)
    filled = sa.table(table, *(sa.column(column.name) for column in columns))
    op.execute(sa.update(filled).values(values))
    with op.batch_alter_table(table) as batch:
        for column in columns:
            batch.alter_column(column.name, existing_type=column.type, existing_comment=column.comment, nullable=False)
