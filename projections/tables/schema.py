"""
The tables, with the descriptions that PostgreSQL keeps as comments.

Rows of the ledger, the log and the outbox are written once. The tables of conclusions (`Conclusions`) can be computed
again from the ledger, so each has a twin ``rebuild_*`` that a rebuild fills beside it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text, text

from .across import alert_evidence, contributions, correlated, correlator_positions, links
from .columns import METADATA, Big, Instant, Json
from .delivery.schema import deliveries as deliveries  # noqa: PLC0414 - its tables are part of the schema
from .people import cases, counts, holds, measures, posts, searches, subjects

TOPIC = "casetrail.events.v1"

# A row by the names of its columns. SQLAlchemy's rows also take the columns themselves as keys.
NamedRow = Mapping[Any, Any]

log = Table(
    "log",
    METADATA,
    Column("log_offset", Big, primary_key=True, autoincrement=False, comment="place in the log, from 0, dense"),
    Column("stamped", Instant, nullable=False, comment="when the log accepted the record, by its own clock"),
    Column("key", LargeBinary, comment="record key: the subject_id in UTF-8"),
    Column("headers", Json, comment="record headers, [[name, value], ...]; null for the JSON form"),
    Column("value", LargeBinary, comment="the record as it came"),
    comment="The embedded log: the published records, in the order of acceptance. Unused when the log is Kafka.",
)

ledger = Table(
    "ledger",
    METADATA,
    Column("partition", Integer, primary_key=True, autoincrement=False, comment="partition of the log"),
    Column("seq", Big, primary_key=True, autoincrement=False, comment="place in this partition's chain, from 1, dense"),
    Column("entry", Text, nullable=False, comment="record, replay or dismissal; or watermark, rules, acknowledgement, "
           "unacknowledgement, silence or silence_end"),
    Column("topic", Text, nullable=False, comment="topic of the log"),
    Column("log_offset", Big, comment="offset in the log; null for entries that are not records"),
    Column("outcome", Text, comment="applied, duplicate, conflict, parked or forwarded; null for other entries"),
    Column("reason", Text, comment="why a record is parked or in conflict, as `code: words`"),
    Column("fact_id", Text, comment="id of the fact, where the record could be read"),
    Column("fact_type", Text, comment="type of the fact, where the record could be read"),
    Column("subject_id", Text, comment="the person the entry is about"),
    Column("recorded", Instant, nullable=False, comment="when the fact was known: never runs backwards in a partition"),
    Column("stamped", Instant, comment="the log's own stamp of the record"),
    Column("key", LargeBinary, comment="record key as it came"),
    Column("headers", Json, comment="record headers as they came"),
    Column("value", LargeBinary, comment="the record's bytes as they came, or the entry's own JSON"),
    Column("hash", Text, nullable=False, comment="SHA-256 over the hash before it in the partition and this row"),
    Index("ix_ledger_fact_id", "fact_id", unique=True, sqlite_where=text("outcome = 'applied'"),
          postgresql_where=text("outcome = 'applied'")),
    Index("ix_ledger_subject_id", "subject_id", sqlite_where=text("outcome = 'applied'"),
          postgresql_where=text("outcome = 'applied'")),
    Index("ix_ledger_troubled", "partition", "seq",
          sqlite_where=text("outcome in ('parked', 'conflict')"),
          postgresql_where=text("outcome in ('parked', 'conflict')")),
    Index("ix_ledger_afterwards", "partition", "log_offset",
          sqlite_where=text("entry in ('replay', 'dismissal')"),
          postgresql_where=text("entry in ('replay', 'dismissal')")),
    Index("ix_ledger_silences", "partition", "seq",
          sqlite_where=text("entry in ('silence', 'silence_end')"),
          postgresql_where=text("entry in ('silence', 'silence_end')")),
    # By the kinds with an outcome, so that another kind without one needs no change of the table.
    CheckConstraint("(outcome is not null) = (entry in ('record', 'replay', 'dismissal'))", name="outcome"),
    comment="The audit trail: every record read and everything else that shaped a conclusion. Append only, chained.",
)  # fmt: skip

# With the word in the text and not as a parameter: only then do both databases use the index of applied facts.
APPLIED = text("ledger.outcome = 'applied'")
SILENCES = text("ledger.entry in ('silence', 'silence_end')")


def _partitions(name: str, comment: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("topic", Text, primary_key=True, comment="topic of the log"),
        Column("partition", Integer, primary_key=True, autoincrement=False, comment="partition of the log"),
        Column("position", Big, nullable=False, comment="offset of the next record to read"),
        Column("watermark", Instant, comment="instant up to which this partition is known to have been read"),
        Column("epoch", Big, nullable=False, comment="raised by every assignment; an older projector cannot write"),
        Column("seq", Big, nullable=False, comment="place of the last row in the chain"),
        Column("hash", Text, nullable=False, comment="hash of the last row in the chain"),
        Column("notices", Big, nullable=False, comment="number of notices written to the outbox"),
        Column("rules_version", Text, comment="version of the rules in force"),
        Column("rules_since", Instant, comment="since when they are in force"),
        Column("read", Big, nullable=False, comment="records read; the sum of the five counts that follow"),
        Column("applied", Big, nullable=False, comment="positions with the last outcome applied"),
        Column("duplicate", Big, nullable=False, comment="positions with the last outcome duplicate"),
        Column("conflict", Big, nullable=False, comment="positions with the last outcome conflict"),
        Column("parked", Big, nullable=False, comment="positions with the last outcome parked"),
        Column("forwarded", Big, nullable=False, comment="positions with the last outcome forwarded"),
        Column("progressed", Instant, comment="when a projector last wrote, by its own clock"),
        comment=comment,
    )


partitions = _partitions(
    "partitions", "The position up to which each partition has been read, and the outcomes of its records."
)
CORRELATOR = -1
"""The correlator's number among the partitions. It has a chain and an epoch like them, and reads no log."""
OF_LOG = partitions.c.partition >= 0
"""The condition that a row of ``partitions`` is of a partition of the log, and not the correlator's."""

rebuild_partitions = _partitions("rebuild_partitions", "The progress of a rebuild that is under way.")

origin = Table(
    "origin",
    METADATA,
    Column("topic", Text, primary_key=True, comment="topic of the log"),
    Column("topic_id", Text, comment="Kafka's own id of that topic, as its tools write it; null: not known"),
    Column("database_id", Text, nullable=False, comment="id of this database, by which its consumer group is known; "
           "made at the first run"),
    comment="The topic of Kafka from which this database was projected; no row with the log of its own.",
)  # fmt: skip

outbox = Table(
    "outbox",
    METADATA,
    Column("partition", Integer, primary_key=True, autoincrement=False, comment="partition of the log"),
    Column("n", Big, primary_key=True, autoincrement=False, comment="number of the row, from 1, dense"),
    Column("kind", Text, nullable=False, comment="notice (of an alert), cleared or cleared_withdrawn (of a person), or "
           "forward (a record for another partition)"),
    Column("notice_id", Text, nullable=False, unique=True, comment="idempotency key: UUIDv5 of alert_id and change, "
           "or of the person's change; or the position of the record"),
    Column("subject_id", Text, comment="the person it is about; null: an alert about a group"),
    Column("alert_id", Text, comment="the alert that changed"),
    Column("notice", Json, comment="the alert and its change, or the person's change"),
    Column("target", Integer, comment="the partition that a record is sent on to"),
    Column("key", LargeBinary, comment="the record's key"),
    Column("headers", Json, comment="the record's headers"),
    Column("value", LargeBinary, comment="the record's value"),
    Index("ix_outbox_target", "target", "n", sqlite_where=text("kind = 'forward'"),
          postgresql_where=text("kind = 'forward'")),
    comment="The rows to send, written in the transaction that concluded them.",
)  # fmt: skip

relays = Table(
    "relays",
    METADATA,
    Column("relay", Text, primary_key=True, comment="the receiver, such as kafka"),
    Column("partition", Integer, primary_key=True, autoincrement=False, comment="partition of the log"),
    Column("sent", Big, nullable=False, comment="number of the last row of the outbox that was sent to it"),
    Column("sent_at", Instant, nullable=False, comment="when, by its own clock"),
    comment="The last row of the outbox that each receiver has, by partition.",
)


class Conclusions(NamedTuple):
    """A set of the tables that a rebuild can compute again: the live ones, or their twins."""

    partitions: Table
    positions: Table
    subjects: Table
    posts: Table
    cases: Table
    counts: Table
    holds: Table
    searches: Table
    measures: Table
    names: Table
    alerts: Table
    alert_changes: Table
    alert_evidence: Table
    correlated: Table
    contributions: Table
    links: Table

    @property
    def derived(self) -> tuple[Table, ...]:
        """The tables with rows that follow from the ledger alone."""
        return self[2:]

    @property
    def across(self) -> tuple[Table, ...]:
        """The tables that only the correlator writes."""
        return (self.alert_evidence, self.correlated, self.contributions, self.links)

    @property
    def parts(self) -> tuple[Table, ...]:
        """The tables of the parts that a person's row summarises."""
        return (self.posts, self.cases, self.counts, self.holds, self.searches, self.measures)


def _names(prefix: str) -> Table:
    return Table(
        f"{prefix}names",
        METADATA,
        Column("subject_id", Text, primary_key=True, comment="the person"),
        Column("name", Text, primary_key=True, comment="a name or alias as a source spells it"),
        Column("folded", Text, nullable=False, comment="the same in the form in which names are searched for"),
        comment="Every known spelling of every name.",
    )


def _alerts(prefix: str) -> Table:
    return Table(
        f"{prefix}alerts",
        METADATA,
        Column("alert_id", Text, primary_key=True, comment="UUIDv5 of rule and anchor"),
        Column("rule", Text, nullable=False, comment="id of the rule"),
        Column("rule_version", Text, nullable=False, comment="version of the rule that concluded it last"),
        Column("severity", Text, nullable=False, comment="info, notice, warning or critical"),
        Column("subject_id", Text, comment="the person it is about; null: it is about a group", index=True),
        Column("state", Text, nullable=False, index=True,
               comment="open, acknowledged, resolved, retracted or superseded"),
        Column("anchor", Text, nullable=False, comment="id of the fact it starts from: the best report "
               "of that event"),
        Column("evidence", Json, nullable=False, comment="[fact_id, ...]: the reports of the events that "
               "make the pattern, the anchor first; across people: empty, the rows of alert_evidence"),
        Column("explanation", Text, nullable=False, comment="one sentence that a person can check"),
        Column("changes", Integer, nullable=False, comment="number of its changes"),
        Column("opened_at", Instant, nullable=False, comment="when it first opened, by the log's clock"),
        Column("changed_at", Instant, nullable=False, comment="when it last changed, by the log's clock"),
        Column("first_anchor", Text, nullable=False, comment="id of the anchor it opened with; makes the alert_id"),
        Column("trial", Boolean, nullable=False, comment="whether its rule was on trial when it opened last"),
        Column("told", Boolean, nullable=False, comment="whether notices are written of it since it opened last"),
        Column("said", Text, nullable=False, comment="the last sentence while it stood"),
        Column("said_until", Instant, comment="when that sentence ceased to be said; null while the alert stands"),
        Column("person", Text, comment="the person that acknowledged it since it opened last; null: nobody has"),
        Column("note", Text, comment="the note of that person"),
        Column("across", Boolean, nullable=False, comment="whether its rule concerns several people"),
        Column("group_by", Text, comment="the field that makes its group; null: it has none"),
        Column("group_key", Text, comment="its group in the form in which groups are compared"),
        Column("group_shown", Text, comment="its group as the source of the anchor writes it"),
        Column("reached", Integer, comment="largest multiple of the number of people that a window had"),
        Column("acknowledged_until", Instant, comment="when the acknowledgement ends; null: it has no end, or "
               "there is none"),
        Column("languages", Json, comment="{explanation, said}: of each its language, and the sentence in the others "
               "that the rule has; null: both are in English alone"),
        Index(f"ix_{prefix}alerts_rule_group_key", "rule", "group_key",
              sqlite_where=text("group_key is not null"), postgresql_where=text("group_key is not null")),
        Index(f"ix_{prefix}alerts_acknowledged_until", "acknowledged_until",
              sqlite_where=text("acknowledged_until is not null"),
              postgresql_where=text("acknowledged_until is not null")),
        comment="The alerts, each in its latest state.",
    )  # fmt: skip


def _alert_changes(prefix: str) -> Table:
    return Table(
        f"{prefix}alert_changes",
        METADATA,
        Column("alert_id", Text, primary_key=True, comment="the alert"),
        Column("n", Integer, primary_key=True, autoincrement=False, comment="number of the change, from 1"),
        Column("state", Text, nullable=False, comment="open, acknowledged, resolved, retracted or superseded"),
        Column("at", Instant, nullable=False, comment="when, by the log's clock (a person's act: by the person's)"),
        Column("cause", Text, nullable=False, comment="followed, deadline, world_changed, late_knowledge, corrected, "
               "retracted, rule_changed, same_event, person, ack_ended or unacknowledged"),
        Column("fact_id", Text, comment="the fact that brought it about; null: time or a person did"),
        Column("rule_version", Text, nullable=False, comment="version of the rule in force"),
        Column("person", Text, comment="the person that acknowledged it, or took that back"),
        Column("note", Text, comment="the note of that person"),
        Column("trial", Boolean, nullable=False, comment="whether the rule was on trial"),
        Column("told", Boolean, nullable=False, comment="whether a notice was written of the change"),
        Column("until", Instant, comment="when the acknowledgement ends; null: it has no end, or there is none"),
        comment="The life of each alert.",
    )  # fmt: skip


def _conclusions(prefix: str, positions: Table) -> Conclusions:
    of_people = (subjects, posts, cases, counts, holds, searches, measures, _names, _alerts, _alert_changes)
    makers = (correlator_positions, *of_people, alert_evidence, correlated, contributions, links)
    return Conclusions(positions, *(make(prefix) for make in makers))


LIVE = _conclusions("", partitions)
REBUILD = _conclusions("rebuild_", rebuild_partitions)


@cache
def column_names(table: Table) -> tuple[str, ...]:
    """Return the names of the columns of *table* as plain strings, which JSON writes in a hundredth of the time."""
    return tuple(str(column.name) for column in table.columns)
