"""
Add the tables of deliveries.

They are empty: a receiver begins at the end of the outbox, so that nobody is told of earlier notices.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    _receivers()
    _deliveries()
    op.create_table(
        "delivery_people",
        _text("subject_id", "a person that the message is about"),
        _text("receiver", "the receiver"),
        _big("number", "number of the message in `deliveries`"),
        sa.PrimaryKeyConstraint("subject_id", "receiver", "number", name=op.f("pk_delivery_people")),
        comment="The people that each message is about.",
    )
    op.create_table(
        "mutes",
        _text("address", "a mail address that gets no more openings"),
        sa.Column("since", INSTANT, nullable=False, comment="since when"),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_mutes")),
        comment="The mail addresses that asked for no more openings. They still get the end of each alert that they know.",
    )


def _receivers() -> None:
    op.create_table(
        "receivers",
        _text("receiver", "its name in delivery.yaml"),
        _text("kind", "webhook, mail, slack, apprise, feed"),
        sa.Column("added_at", INSTANT, nullable=False, comment="when a notifier first served it"),
        _text("state", "ok, failing, disabled (410) or refused (its address)"),
        sa.Column("since", INSTANT, nullable=False, comment="since when it is in this state"),
        sa.Column("failures", sa.Integer(), nullable=False, comment="failed tries in a row"),
        sa.Column("next_try", INSTANT, comment="no message is tried before; null: none failed"),
        sa.Column("last_answer", sa.Text(), comment="its last answer"),
        _big("last", "number of its last row in `deliveries`"),
        sa.Column("owner", sa.Text(), comment="the notifier that serves it; null: none"),
        sa.Column("owned_until", INSTANT, comment="until when, unless the notifier says so again"),
        _big("epoch", "raised when a notifier takes it over; an older one cannot write"),
        sa.PrimaryKeyConstraint("receiver", name=op.f("pk_receivers")),
        comment="The receivers that a notifier has served.",
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        _text("receiver", "the receiver"),
        _big("number", "its number, in the order of decisions"),
        _text("address", "the mail address; empty for a receiver with one address"),
        _text("notice_id", "id of the message, the same on every try"),
        _text(
            "kind",
            "the occasion: open, change, resolved, retracted, superseded, cleared, cleared_withdrawn, reminder, "
            "summary, digest, report, failure, test",
        ),
        sa.Column("alert_id", sa.Text(), comment="the alert; null: it is not about one alert"),
        sa.Column(
            "partition", sa.Integer(), comment="partition of the notice in the outbox; null: it rests on no notice"
        ),
        sa.Column("n", BIG, comment="number of the notice there"),
        _big("sequence", "rises with the notices of an alert and of a person"),
        sa.Column("data", JSON, comment="the content of a message without a notice, for programs"),
        sa.Column("decided_at", INSTANT, nullable=False, comment="when it was decided to send it"),
        _text("state", "queued, held, delivered, given_up, or dropped: never to be sent"),
        sa.Column("why", sa.Text(), comment="the reason why it is held, waits, was given up or dropped"),
        sa.Column("not_before", INSTANT, comment="the earliest instant of the next try; null: at once"),
        sa.Column("tries", sa.Integer(), nullable=False, comment="number of tries"),
        sa.Column("tried_at", INSTANT, comment="start of the last try"),
        sa.Column("trying", sa.Boolean(), nullable=False, comment="whether the result of the last try is not known"),
        sa.Column("last_answer", sa.Text(), comment="the receiver's answer to the last try"),
        sa.Column(
            "reference",
            sa.Text(),
            comment="the receiver's own reference: a Message-ID, the timestamp of a chat message",
        ),
        sa.Column("told_at", INSTANT, comment="when a try first sent the whole message"),
        sa.Column(
            "bundle", BIG, comment="number of the row of the digest or summary that carries it; null: it goes alone"
        ),
        sa.Column("stored", sa.LargeBinary(), comment="the bytes of a digest, which every try repeats"),
        sa.Column("remind_seconds", BIG, comment="seconds between two reminders; null: none are sent"),
        sa.Column("remind_at", INSTANT, comment="when the next reminder is due; null: none is"),
        sa.PrimaryKeyConstraint("receiver", "number", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("receiver", "address", "notice_id", name=op.f("uq_deliveries_notice")),
        comment="The messages: one row for each notice, receiver and address.",
    )
    _index("waiting", ["receiver", "number"], "state in ('queued', 'held')")
    _index("alert_id", ["alert_id", "receiver"])
    _index("notice_id", ["notice_id"])
    _index("bundle", ["receiver", "bundle"], "bundle is not null")
    _index("remind_at", ["receiver", "remind_at"], "remind_at is not null")
    _index("told_at", ["receiver", "told_at"], "told_at is not null")


def _index(name: str, columns: list[str], condition: str | None = None) -> None:
    where = None if condition is None else sa.text(condition)
    op.create_index(op.f(f"ix_deliveries_{name}"), "deliveries", columns, sqlite_where=where, postgresql_where=where)


def _text(name: str, comment: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)


def _big(name: str, comment: str) -> sa.Column[Any]:
    return sa.Column(name, BIG, autoincrement=False, nullable=False, comment=comment)
