"""The tables of deliveries: the receivers, each message to each address, and the people it concerned."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text, text

from projections.tables.columns import METADATA, Big, Instant, Json

WAITING = text("state in ('queued', 'held')")  # in the words of the partial index, as `schema.APPLIED` is
TIMED = text("state in ('queued', 'held') and bundle is null and not_before is not null")
HAS_REFERENCE = text("deliveries.reference is not null")  # likewise

receivers = Table(
    "receivers",
    METADATA,
    Column("receiver", Text, primary_key=True, comment="its name in delivery.yaml"),
    Column("kind", Text, nullable=False, comment="webhook, mail, slack, apprise, feed"),
    Column("added_at", Instant, nullable=False, comment="when a notifier first served it"),
    Column("state", Text, nullable=False, comment="ok, failing, disabled (410) or refused (its address)"),
    Column("since", Instant, nullable=False, comment="since when it is in this state"),
    Column("failures", Integer, nullable=False, comment="failed tries in a row"),
    Column("next_try", Instant, comment="no message is tried before; null: none failed"),
    Column("last_answer", Text, comment="its last answer"),
    Column("last", Big, nullable=False, comment="number of its last row in `deliveries`"),
    Column("gave_up_at", Instant, comment="when a message was last given up, other than one to operators"),
    Column("owner", Text, comment="the notifier that serves it; null: none"),
    Column("owned_until", Instant, comment="until when, unless the notifier says so again"),
    Column("epoch", Big, nullable=False, comment="raised when a notifier takes it over; an older one cannot write"),
    comment="The receivers that a notifier has served.",
)

deliveries = Table(
    "deliveries",
    METADATA,
    Column("receiver", Text, primary_key=True, comment="the receiver"),
    Column("number", Big, primary_key=True, autoincrement=False, comment="its number, in the order of decisions"),
    Column("address", Text, nullable=False, comment="the mail address; empty for a receiver with one address"),
    Column("notice_id", Text, nullable=False, comment="id of the message, the same on every try"),
    Column("kind", Text, nullable=False, comment="the occasion: open, change, resolved, retracted, superseded, "
           "cleared, cleared_withdrawn, reminder, summary, digest, report, failure, test"),
    Column("alert_id", Text, comment="the alert; null: it is not about one alert"),
    Column("partition", Integer, comment="partition of the notice in the outbox; null: it rests on no notice"),
    Column("n", Big, comment="number of the notice there"),
    Column("sequence", Big, nullable=False, comment="rises with the notices of an alert and of a person"),
    Column("data", Json, comment="the content of a message without a notice, for programs"),
    Column("decided_at", Instant, nullable=False, comment="when it was decided to send it"),
    Column("state", Text, nullable=False, comment="queued, held, delivered, given_up, or dropped: never to be sent"),
    Column("why", Text, comment="the reason why it is held, waits, was given up or dropped"),
    Column("not_before", Instant, comment="the earliest instant of the next try; null: at once"),
    Column("tries", Integer, nullable=False, comment="number of tries"),
    Column("tried_at", Instant, comment="start of the last try"),
    Column("trying", Boolean, nullable=False, comment="whether the result of the last try is not known"),
    Column("last_answer", Text, comment="the receiver's answer to the last try"),
    Column("reference", Text, comment="the receiver's own reference: a Message-ID, the timestamp of a "
           "chat message, the place in a feed"),
    Column("told_at", Instant, comment="when a try first sent the whole message"),
    Column("bundle", Big, comment="number of the row of the digest or summary that carries it; null: it goes alone"),
    Column("stored", LargeBinary, comment="the bytes of a digest, which every try repeats"),
    Column("remind_seconds", Big, comment="seconds between two reminders; null: none are sent"),
    Column("remind_at", Instant, comment="when the next reminder is due; null: none is"),
    Index("uq_deliveries_waiting_notice", "receiver", "address", "notice_id", unique=True, sqlite_where=WAITING,
          postgresql_where=WAITING),
    Index("ix_deliveries_waiting", "receiver", "number", sqlite_where=WAITING, postgresql_where=WAITING),
    Index("ix_deliveries_timed", "receiver", "why", "not_before", sqlite_where=TIMED, postgresql_where=TIMED),
    Index("ix_deliveries_alert_id", "alert_id", "receiver"),
    Index("ix_deliveries_notice_id", "notice_id"),
    Index("ix_deliveries_bundle", "receiver", "bundle", sqlite_where=text("bundle is not null"),
          postgresql_where=text("bundle is not null")),
    Index("ix_deliveries_remind_at", "receiver", "remind_at", sqlite_where=text("remind_at is not null"),
          postgresql_where=text("remind_at is not null")),
    Index("ix_deliveries_reference", "receiver", "reference", sqlite_where=text("reference is not null"),
          postgresql_where=text("reference is not null")),
    Index("ix_deliveries_told_at", "receiver", "told_at", sqlite_where=text("told_at is not null"),
          postgresql_where=text("told_at is not null")),
    comment="The messages: one row for each notice, receiver and address, and one more each time it is sent again by "
            "hand.",
)  # fmt: skip

delivery_people = Table(
    "delivery_people",
    METADATA,
    Column("subject_id", Text, primary_key=True, comment="a person that the message is about"),
    Column("receiver", Text, primary_key=True, comment="the receiver"),
    Column("number", Big, primary_key=True, autoincrement=False, comment="number of the message in `deliveries`"),
    Index("ix_delivery_people_number", "receiver", "number"),
    comment="The people that each message is about.",
)

mutes = Table(
    "mutes",
    METADATA,
    Column("address", Text, primary_key=True, comment="a mail address that gets no more openings"),
    Column("since", Instant, nullable=False, comment="since when"),
    comment="The mail addresses that asked for no more openings. They still get the end of each alert that they know.",
)

status_records = Table(
    "status_records",
    METADATA,
    Column("receiver", Text, primary_key=True, comment="the receiver of statuses"),
    Column("subject_id", Text, primary_key=True, comment="the person"),
    Column("partition", Integer, nullable=False, comment="partition of the facts about the person"),
    Column("sequence", Big, nullable=False, comment="number of the last record about the person"),
    Column("digest", Text, nullable=False, comment="SHA-256 of the status in it; empty: the person has none any more"),
    Column("due", Instant, comment="when time can next change the status; null: never"),
    Column("acknowledged", Boolean, nullable=False, comment="whether the receiver has acknowledged it"),
    Index("ix_status_records_unacknowledged", "receiver", "subject_id", sqlite_where=text("not acknowledged"),
          postgresql_where=text("not acknowledged")),
    Index("ix_status_records_due", "partition", "due", sqlite_where=text("due is not null"),
          postgresql_where=text("due is not null")),
    comment="The last status of each person that was sent, or may have been.",
)  # fmt: skip

status_reads = Table(
    "status_reads",
    METADATA,
    Column("receiver", Text, primary_key=True, comment="the receiver of statuses"),
    Column("partition", Integer, primary_key=True, autoincrement=False, comment="partition of the log"),
    Column("seq", Big, nullable=False, comment="last row of its chain that was read for changes"),
    comment="The part of the ledger that each receiver of statuses has taken into account.",
)
