"""
Reads of the table ``ledger``. Other folders read it only by the functions here and in `parked_rows`.

The projector writes the rows. Their order in a partition is that of ``seq``.
"""

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Select, bindparam, func, select, true

from events.facts import Fact
from events.record import again
from projections.history.corrections import ABOUT_FACTS
from projections.ledger.chain import Entry, LogRecord
from projections.ledger.classify import Body, ReadRecord
from projections.rules.rulebook import Rulebook

from .database import in_values, values_parameter
from .schema import APPLIED, CORRELATOR, SILENCES, ledger

CHUNK = 1000

Headers = list[list[str]] | None

SubjectFact = tuple[str, Headers, bytes, datetime]
"""The columns ``subject_id``, ``headers``, ``value`` and ``recorded`` of an applied fact."""


class FactRow(NamedTuple):
    """An applied fact. The fields are columns of ``ledger``."""

    subject_id: str
    headers: Headers
    value: bytes
    recorded: datetime
    partition: int
    log_offset: int
    seq: int
    hash: str


class LastRow(NamedTuple):
    """The last row of a partition's chain. The fields are columns of ``ledger``."""

    partition: int
    seq: int
    hash: str
    recorded: datetime


class AppliedRow(NamedTuple):
    """An applied row, as the correlator reads it. The fields are columns of ``ledger``."""

    partition: int
    seq: int
    subject_id: str
    fact_type: str
    headers: Headers
    value: bytes
    recorded: datetime

    def fact(self) -> Fact:
        """Return the fact of the row."""
        return again(self.headers, self.value, self.recorded)


_APPLIED_AFTER: Select[Any] = (
    select(*(ledger.c[name] for name in AppliedRow._fields))
    .where(APPLIED, ledger.c.partition == bindparam("number"), ledger.c.seq > bindparam("after"))
    .order_by(ledger.c.seq)
    .limit(bindparam("most"))
)

_RECORDS: Select[Any] = select(ledger.c.headers, ledger.c.value, ledger.c.recorded).where(APPLIED)


def facts_before(conn: Connection, subject_ids: Sequence[str], partition: int, end: int) -> Iterable[SubjectFact]:
    """Return the applied facts of *subject_ids* in *partition* before the row *end*, in no order."""
    parameters = values_parameter(conn, subject_ids) | {"partition": partition, "end": end}
    return cast("Iterable[SubjectFact]", conn.execute(_facts_before(conn.dialect.name), parameters))


def facts_known_before(conn: Connection, subject_ids: Iterable[str], instant: datetime) -> Iterable[SubjectFact]:
    """Return the applied facts of *subject_ids* that were recorded before *instant*, in no order."""
    parameters = values_parameter(conn, subject_ids) | {"instant": instant}
    return cast("Iterable[SubjectFact]", conn.execute(_facts_known_before(conn.dialect.name), parameters))


def applied_after(conn: Connection, partition: int, seq: int, limit: int) -> list[AppliedRow]:
    """Return the applied rows of *partition* after the row *seq*, at most *limit*, in their order."""
    rows = conn.execute(_APPLIED_AFTER, {"number": partition, "after": seq, "most": limit})
    return [AppliedRow(*row) for row in rows]


def applied_count_after(conn: Connection, partition: int, seq: int) -> int:
    """Return the number of applied rows of *partition* after the row *seq*."""
    later = (APPLIED, ledger.c.partition == partition, ledger.c.seq > seq)
    return conn.scalar(select(func.count()).select_from(ledger).where(*later)) or 0


def subjects_with_types(
    conn: Connection, types: Iterable[str], instant: datetime, after: str, limit: int
) -> Sequence[str]:
    """Return people after *after* with an applied fact of *types* recorded before *instant*, by subject_id."""
    query = (
        select(ledger.c.subject_id)
        .distinct()
        .where(APPLIED, in_values(conn.dialect.name, ledger.c.fact_type), ledger.c.recorded < instant)
        .where(ledger.c.subject_id > after)
        .order_by(ledger.c.subject_id)
        .limit(limit)
    )
    return conn.scalars(query, values_parameter(conn, types)).all()


def taken_back_since(conn: Connection, subject_ids: Iterable[str], instant: datetime) -> dict[str, datetime]:
    """
    Return the facts of *subject_ids* that a correction or retraction recorded at *instant* or later is about.

    With each is the instant at which the last of these was recorded.
    """
    query = _about_facts(conn).where(ledger.c.recorded >= instant).order_by(ledger.c.recorded)
    facts = [again(*row) for row in conn.execute(query, values_parameter(conn, subject_ids))]
    return {fact.data["fact_id"]: fact.recorded for fact in facts}


def known_bodies(conn: Connection, records: Iterable[ReadRecord]) -> dict[str, Body]:
    """Return the applied records that have the ids of the facts in *records*, by the id."""
    fact_ids = [record.fact.id for record in records if isinstance(record.fact, Fact)]
    if not fact_ids:
        return {}
    rows = conn.execute(_bodies(conn.dialect.name), values_parameter(conn, fact_ids))
    return {fact_id: (headers, value) for fact_id, headers, value in rows}


# Built once: every batch executes these two.
@cache
def _facts_before(dialect: str) -> Select[Any]:
    return select(ledger.c.subject_id, ledger.c.headers, ledger.c.value, ledger.c.recorded).where(
        in_values(dialect, ledger.c.subject_id),
        APPLIED,
        # Not the columns themselves: SQLite would scan the whole partition by its key instead of using the index.
        ledger.c.partition + 0 == bindparam("partition"),
        ledger.c.seq + 0 < bindparam("end"),
    )


@cache
def _facts_known_before(dialect: str) -> Select[Any]:
    return select(ledger.c.subject_id, ledger.c.headers, ledger.c.value, ledger.c.recorded).where(
        in_values(dialect, ledger.c.subject_id), APPLIED, ledger.c.recorded < bindparam("instant")
    )


@cache
def _bodies(dialect: str) -> Select[Any]:
    return select(ledger.c.fact_id, ledger.c.headers, ledger.c.value).where(
        in_values(dialect, ledger.c.fact_id), APPLIED
    )


def facts_of_subjects(conn: Connection, subject_ids: Sequence[str]) -> Iterable[SubjectFact]:
    """Return all applied facts of a few *subject_ids*, in no order."""
    query = select(ledger.c.subject_id, ledger.c.headers, ledger.c.value, ledger.c.recorded)
    query = query.where(APPLIED, ledger.c.subject_id.in_(subject_ids))
    return cast("Iterable[SubjectFact]", conn.execute(query))


def subject_facts(conn: Connection, subject_id: str) -> Iterator[FactRow]:
    """Yield the applied facts of one person, in the order of the ledger."""
    query = _facts().where(ledger.c.subject_id == subject_id).order_by(ledger.c.partition, ledger.c.seq)
    return (FactRow(*row) for row in conn.execute(query))


def facts_by_subject(conn: Connection, known_at: datetime | None) -> Generator[FactRow, None, None]:
    """
    Yield the applied facts of all people, by ``subject_id`` and then in the order of the ledger.

    Close the generator if it is not read to its end, as it keeps a cursor of the database.

    Args:
        conn: a connection.
        known_at: only facts recorded until this instant; None: all.
    """
    query = _facts().order_by(ledger.c.subject_id, ledger.c.partition, ledger.c.seq)
    if known_at is not None:
        query = query.where(ledger.c.recorded <= known_at)
    with conn.execute(query.execution_options(yield_per=CHUNK)) as rows:
        for row in rows:
            yield FactRow(*row)


def _facts() -> Select[Any]:
    return select(*(ledger.c[name] for name in FactRow._fields)).where(APPLIED)


def applied_entries(conn: Connection, fact_ids: Iterable[str]) -> dict[str, Entry]:
    """Return the rows that applied the facts *fact_ids*, by the id."""
    rows = conn.execute(select(ledger).where(ledger.c.fact_id.in_(set(fact_ids)), APPLIED))
    return {row.fact_id: Entry(*row) for row in rows}


def subject_of_fact(conn: Connection, fact_id: str) -> str | None:
    """Return the person of an applied fact; None if the ledger does not hold it."""
    subject_id: str | None = conn.scalar(select(ledger.c.subject_id).where(APPLIED, ledger.c.fact_id == fact_id))
    return subject_id


def subjects_of_facts(conn: Connection, fact_ids: Iterable[str]) -> dict[str, str]:
    """Return the person of each of the applied facts *fact_ids*, by the id."""
    query = select(ledger.c.fact_id, ledger.c.subject_id).where(in_values(conn.dialect.name, ledger.c.fact_id), APPLIED)
    return dict(conn.execute(query, values_parameter(conn, fact_ids)).all())


def facts_with_ids(conn: Connection, fact_ids: Iterable[str]) -> list[Fact]:
    """Return those of the facts *fact_ids* that were applied, as they were published, in no order."""
    condition = in_values(conn.dialect.name, ledger.c.fact_id)
    return [again(*row) for row in conn.execute(_RECORDS.where(condition), values_parameter(conn, fact_ids))]


def facts_about_facts(conn: Connection, subject_ids: Iterable[str]) -> list[Fact]:
    """Return the corrections and retractions of the facts of *subject_ids*, in no order."""
    return [again(*row) for row in conn.execute(_about_facts(conn), values_parameter(conn, subject_ids))]


def _about_facts(conn: Connection) -> Select[Any]:
    of_people = in_values(conn.dialect.name, ledger.c.subject_id)
    return _RECORDS.where(of_people, ledger.c.fact_type.in_(sorted(ABOUT_FACTS)))


def subjects_with_facts_after(conn: Connection, subject_ids: Iterable[str], known_at: datetime) -> set[str]:
    """Return those of *subject_ids* with a fact recorded after *known_at*."""
    query = select(ledger.c.subject_id).where(APPLIED, ledger.c.recorded > known_at).distinct()
    return set(conn.scalars(query.where(ledger.c.subject_id.in_(set(subject_ids)))))


def subjects_after(conn: Connection, partition: int, seq: int) -> set[str]:
    """Return the people that the rows of *partition* after the row *seq* are about."""
    query = select(ledger.c.subject_id).where(ledger.c.partition == partition, ledger.c.seq > seq)
    return set(conn.scalars(query.where(ledger.c.subject_id.is_not(None))))


def ledger_size(conn: Connection) -> int:
    """Return the number of rows in the ledger."""
    return conn.scalar(select(func.count()).select_from(ledger)) or 0


def applied_count(conn: Connection) -> int:
    """Return the number of applied facts."""
    return conn.scalar(select(func.count()).select_from(ledger).where(APPLIED)) or 0


def has_records(conn: Connection) -> bool:
    """Return whether the ledger has the row of a record."""
    return conn.scalar(select(ledger.c.seq).where(ledger.c.outcome.is_not(None)).limit(1)) is not None


def ledger_partitions(conn: Connection) -> set[int]:
    """Return the numbers of the partitions that have rows."""
    return set(conn.scalars(select(ledger.c.partition).distinct()))


def last_rows(conn: Connection) -> list[LastRow]:
    """Return the last row of each partition, in the order of the partitions."""
    last = select(ledger.c.partition, func.max(ledger.c.seq).label("seq")).group_by(ledger.c.partition).subquery()
    query = (
        select(ledger.c.partition, ledger.c.seq, ledger.c.hash, ledger.c.recorded)
        .join(last, (ledger.c.partition == last.c.partition) & (ledger.c.seq == last.c.seq))
        .order_by(ledger.c.partition)
    )
    return [LastRow(*row) for row in conn.execute(query)]


def entry_pages(conn: Connection, query: Select[Any], size: int) -> Generator[list[Entry], None, None]:
    """
    Yield the rows of *query*, which selects whole rows of the ledger, at most *size* at a time.

    Close the generator if it is not read to its end, as it keeps a cursor of the database.
    """
    with conn.execute(query, execution_options={"yield_per": size}) as result:
        for page in result.partitions():
            yield [Entry(*row) for row in page]


def partition_pages(conn: Connection, partition: int, size: int) -> Generator[list[Entry], None, None]:
    """Yield all rows of *partition* in their order, as `entry_pages` does."""
    return entry_pages(conn, _in_order(partition), size)


def applied_pages(conn: Connection, known_at: datetime, size: int) -> Generator[list[Entry], None, None]:
    """Yield the applied rows that were recorded until *known_at*, in no order, as `entry_pages` does."""
    return entry_pages(conn, select(ledger).where(APPLIED, ledger.c.recorded <= known_at), size)


def entries_after(conn: Connection, partition: int, seq: int, limit: int) -> list[Entry]:
    """Return the rows of *partition* after the row *seq*, at most *limit*, in their order."""
    return [Entry(*row) for row in conn.execute(_in_order(partition).where(ledger.c.seq > seq).limit(limit))]


def silence_entries(conn: Connection) -> list[Entry]:
    """Return the rows of silences and of their ends, in the order of the correlator's chain."""
    return [Entry(*row) for row in conn.execute(_in_order(CORRELATOR).where(SILENCES))]


def first_rules(conn: Connection, partition: int) -> Entry | None:
    """Return the row that put the first rules of *partition* in force; None: there were none yet."""
    row = conn.execute(_in_order(partition).where(ledger.c.entry == "rules").limit(1)).one_or_none()
    return Entry(*row) if row else None


def next_entry(conn: Connection, partition: int, seq: int | None) -> Entry:
    """Return the first row of *partition* after the row *seq*; None: the first row."""
    return Entry(*conn.execute(_next(select(ledger), partition, seq)).one())


def next_place(conn: Connection, partition: int, seq: int | None) -> tuple[int, int | None]:
    """Return the ``seq`` and the ``log_offset`` of the same row as `next_entry`, even if it cannot be read whole."""
    row = conn.execute(_next(select(ledger.c.seq, ledger.c.log_offset), partition, seq)).one()
    return row.seq, row.log_offset


def hashes_after(conn: Connection, partition: int, seq: int, hashes: Iterable[str]) -> set[str]:
    """Return those of *hashes* that rows of *partition* after the row *seq* have."""
    query = select(ledger.c.hash).where(ledger.c.partition == partition, ledger.c.seq > seq)
    return set(conn.scalars(query.where(ledger.c.hash.in_(set(hashes)))))


def last_outcomes(conn: Connection, partition: int, size: int, *, applied: bool) -> Generator[Entry, None, None]:
    """
    Yield the row with the last outcome of each record of *partition*, in the order of the ledger.

    Close the generator if it is not read to its end, as it keeps a cursor of the database.

    Args:
        conn: a connection.
        partition: its number.
        size: the number of rows in memory at the same time.
        applied: only the records that were applied.
    """
    replays = (
        select(ledger.c.log_offset, func.max(ledger.c.seq))
        .where(ledger.c.partition == partition, ledger.c.entry == "replay")
        .group_by(ledger.c.log_offset)
    )
    replayed = dict(conn.execute(replays).all())
    query = _in_order(partition).where(ledger.c.entry.in_(["record", "replay"]))
    for page in entry_pages(conn, query.where(APPLIED) if applied else query, size):
        yield from (entry for entry in page if replayed.get(entry.log_offset, entry.seq) == entry.seq)


def _in_order(partition: int) -> Select[Any]:
    return select(ledger).where(ledger.c.partition == partition).order_by(ledger.c.seq)


def _next(query: Select[Any], partition: int, seq: int | None) -> Select[Any]:
    after = true() if seq is None else ledger.c.seq > seq
    return query.where(ledger.c.partition == partition, after).order_by(ledger.c.seq).limit(1)


def rules_in_force(conn: Connection, partition: int) -> Rulebook:
    """Return the rules in force in *partition*; no rules before its first assignment to a projector."""
    row = conn.execute(_rules(partition)).one_or_none()
    return rules_of(Entry(*row)) if row else Rulebook(())


def rules_at(conn: Connection, partition: int, seq: int) -> Rulebook | None:
    """Return the rules in force in *partition* after the row *seq*; None before its first assignment."""
    row = conn.execute(_rules(partition).where(ledger.c.seq <= seq)).one_or_none()
    return rules_of(Entry(*row)) if row else None


def rules_of(entry: Entry) -> Rulebook:
    """Return the rules that a ``rules`` entry put in force."""
    assert entry.value is not None, "a rules entry holds the rules"
    return Rulebook.from_json(json.loads(entry.value)["rules"])


def tells_backfilled(entry: Entry) -> bool | None:
    """Return whether a ``rules`` entry asks to tell of alerts found in old history; None: of an earlier release."""
    assert entry.value is not None, "a rules entry holds the rules"
    tells: bool | None = json.loads(entry.value).get("tell_backfilled")
    return tells


def _rules(partition: int) -> Select[Any]:
    rules = select(ledger).where(ledger.c.partition == partition, ledger.c.entry == "rules")
    return rules.order_by(ledger.c.seq.desc()).limit(1)


def record_of(entry: Entry) -> LogRecord:
    """Return the record of a row with an outcome."""
    assert entry.log_offset is not None, "a record has an offset"
    assert entry.stamped is not None, "the log stamps its records"
    position = (entry.topic, entry.partition, entry.log_offset)
    return LogRecord(*position, entry.stamped, entry.key, entry.headers, entry.value)
