"""
Add what people do about alerts: acknowledgements with an end, taken back, and silences; and notices about people.

Alerts hold their sentences in the other languages of their rule.
Nobody is told of people who were cleared before: only a change from now on writes a notice.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from events.errors import Infrastructure

revision = "0010"
down_revision = "0009"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
OUTCOME = "ck_ledger_outcome"
BEFORE = "(outcome is null) = (entry in ('watermark', 'rules', 'acknowledgement'))"
WITH_OUTCOME = "(outcome is not null) = (entry in ('record', 'replay', 'dismissal'))"
SILENCES = sa.text("entry in ('silence', 'silence_end')")
UNTIL = "when the acknowledgement ends; null: it has no end, or there is none"
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
LANGUAGES = (
    "{explanation, said}: of each its language, and the sentence in the others that the rule has; null: both are in "
    "English alone"
)
ENDING = sa.text("acknowledged_until is not null")
COMMENTS = {
    "ledger.entry": "record, replay or dismissal; or watermark, rules, acknowledgement, unacknowledgement, silence or "
    "silence_end",
    "outbox.kind": "notice (of an alert), cleared or cleared_withdrawn (of a person), or forward (a record for another "
    "partition)",
    "outbox.notice_id": "idempotency key: UUIDv5 of alert_id and change, or of the person''s change; or the position "
    "of the record",
    "outbox.notice": "the alert and its change, or the person''s change",
}
COMMENTS_OF_CHANGES = {
    "at": "when, by the log''s clock (a person''s act: by the person''s)",
    "cause": "followed, deadline, world_changed, late_knowledge, corrected, retracted, rule_changed, same_event, "
    "person, ack_ended or unacknowledged",
    "person": "the person that acknowledged it, or took that back",
}


def upgrade() -> None:
    """Let the ledger hold the new rows, and alerts the end of their acknowledgement and their languages."""
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    if on_sqlite:
        _copy_ledger()
    else:
        op.drop_constraint(op.f(OUTCOME), "ledger", type_="check")
        op.create_check_constraint(op.f(OUTCOME), "ledger", WITH_OUTCOME)
    place = ["partition", "seq"]
    op.create_index("ix_ledger_silences", "ledger", place, sqlite_where=SILENCES, postgresql_where=SILENCES)
    for prefix in ("", "rebuild_"):
        table = f"{prefix}alerts"
        op.add_column(table, sa.Column("acknowledged_until", INSTANT, comment=UNTIL))
        op.add_column(table, sa.Column("languages", JSON, comment=LANGUAGES))
        op.add_column(f"{prefix}alert_changes", sa.Column("until", INSTANT, comment=UNTIL))
        name = op.f(f"ix_{table}_acknowledged_until")
        op.create_index(name, table, ["acknowledged_until"], sqlite_where=ENDING, postgresql_where=ENDING)
    if not on_sqlite:
        _comment()


def _copy_ledger() -> None:
    """
    Copy the ledger into a table with the other constraint: SQLite cannot change one in place.

    Its definition and those of its indexes and triggers are taken as they are, apart from the constraint. No row is
    changed, so the hashes stay. All is one transaction with the rest of the migration.
    """
    conn = op.get_bind()
    stored = {
        row.name: (row.type, row.sql)
        for row in conn.execute(sa.text("SELECT name, type, sql FROM sqlite_master WHERE tbl_name = 'ledger'"))
        if row.sql
    }
    _, definition = stored.pop("ledger")
    if BEFORE not in definition:
        raise Infrastructure("the table ledger has another definition than casetrail gave it", BEFORE)
    op.execute(definition.replace(BEFORE, WITH_OUTCOME).replace("ledger", "ledger_copy", 1))
    op.execute("INSERT INTO ledger_copy SELECT * FROM ledger ORDER BY partition, seq")
    # Dropping the table fires no trigger, and drops its indexes and triggers with it.
    op.execute("DROP TABLE ledger")
    op.execute("ALTER TABLE ledger_copy RENAME TO ledger")
    for _, sql in sorted(stored.values()):
        op.execute(sql)


def _comment() -> None:
    """Set the comments of the columns with other words."""
    changes = {
        f"{prefix}alert_changes.{column}": words
        for prefix in ("", "rebuild_")
        for column, words in COMMENTS_OF_CHANGES.items()
    }
    for column, words in (COMMENTS | changes).items():
        op.execute(f"COMMENT ON COLUMN {column} IS '{words}'")
