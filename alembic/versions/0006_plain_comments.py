"""Reword the comments of some tables and columns in plain English. SQLite keeps no comments."""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = {
    "partitions": "The position up to which each partition has been read, and the outcomes of its records.",
    "rebuild_partitions": "The progress of a rebuild that is under way.",
    "outbox": "The rows to send, written in the transaction that concluded them.",
    "relays": "The last row of the outbox that each receiver has, by partition.",
    "log": "The embedded log: the published records, in the order of acceptance. Unused when the log is Kafka.",
}
COLUMNS = {
    "outbox": {"notice": "the alert and its change"},
    "relays": {
        "relay": "the receiver, such as kafka",
        "sent": "number of the last row of the outbox that was sent to it",
    },
}
COLUMNS_WITH_TWINS = {
    "partitions": {
        "applied": "positions with the last outcome applied",
        "duplicate": "positions with the last outcome duplicate",
        "conflict": "positions with the last outcome conflict",
        "parked": "positions with the last outcome parked",
        "forwarded": "positions with the last outcome forwarded",
    },
    "subjects": {"anomalies": "[{code, fact_id}, ...]: facts that do not follow or are flagged"},
    "posts": {"words_fact_id": "the fact with these words"},
    "counts": {
        "title": "its title; null here, in article and count_id: the whole case",
        "charge_fact_id": "the fact with these words; null: the whole case",
    },
    "measures": {"title": "its title in the source"},
    "alert_changes": {"person": "the person of an acknowledgement", "note": "the note of that person"},
}


def upgrade() -> None:
    """Set the comments. No comment here has a quote in it."""
    if op.get_bind().dialect.name != "postgresql":
        return
    twins = {f"rebuild_{table}": columns for table, columns in COLUMNS_WITH_TWINS.items()}
    for table, comment in TABLES.items():
        op.execute(f"COMMENT ON TABLE {table} IS '{comment}'")
    for table, columns in (COLUMNS | COLUMNS_WITH_TWINS | twins).items():
        for column, comment in columns.items():
            op.execute(f"COMMENT ON COLUMN {table}.{column} IS '{comment}'")
