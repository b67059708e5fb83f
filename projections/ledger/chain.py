"""
The ledger: every record read and everything else that shaped a conclusion, append only, chained by hash.

The chain of a partition begins at ``GENESIS``. Each row's hash is the SHA-256 of: the hash before it, a line
feed, the row's other fields as one JSON array, a line feed, and the bytes of ``value``. The array has the order of
``FIELDS``, instants as text, no spaces and no escapes to ASCII. docs/audit.md describes the same for a check with
other tools.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import to_json

from events.edtf import format_instant
from events.errors import Unreadable
from events.facts import UNRECORDED, Fact
from events.record import decode_record
from events.text import quote

GENESIS = "0" * 64

FIELDS = (
    "partition",
    "seq",
    "entry",
    "topic",
    "log_offset",
    "outcome",
    "reason",
    "fact_id",
    "fact_type",
    "subject_id",
    "recorded",
    "stamped",
    "key",
    "headers",
)

_VALUE = len(FIELDS)


class LogRecord(NamedTuple):
    """
    A record as the log holds it.

    Attributes:
        topic, partition, offset: its position.
        stamped: the log's own time of acceptance, aware UTC.
        key, value: the bytes in the log; None where the record has none.
        headers: [[name, value], ...] as text, or None for the JSON form.
    """

    topic: str
    partition: int
    offset: int
    stamped: datetime
    key: bytes | None
    headers: list[list[str]] | None
    value: bytes | None


class Entry(NamedTuple):
    """
    A row of the ledger, and the fact in it where it could be read.

    The fields before ``fact`` are the columns of ``ledger``, in their order. The row is written and read by that order,
    so it is part of the schema.
    """

    partition: int
    seq: int
    entry: str
    topic: str
    log_offset: int | None
    outcome: str | None
    reason: str | None
    fact_id: str | None
    fact_type: str | None
    subject_id: str | None
    recorded: datetime
    stamped: datetime | None
    key: bytes | None
    headers: list[list[str]] | None
    value: bytes | None
    hash: str
    fact: Fact | None = None

    def row(self) -> tuple[Any, ...]:
        """Return the values of the columns, in their order."""
        return self[:-1]


def read(record: LogRecord, recorded: datetime = UNRECORDED) -> Fact:
    """
    Read the fact in *record*, which becomes known at *recorded* if it is applied.

    Raises:
        Unreadable: with a stable code; besides those of `decode`: ``empty``, ``wrong_key``, ``no_headers``.
    """
    if not record.value:
        what = "the record has no value"
        raise Unreadable(what, "a CloudEvent in JSON", code="empty")
    fact = decode_record(record.headers, record.value, recorded)
    if record.key != fact.subject.encode():
        key = (record.key or b"").decode("utf-8", "backslashreplace")
        what = f"the key {quote(key)} is not the subject {quote(fact.subject)}" if key else "the record has no key"
        raise Unreadable(what, "the subject as the record's key", code="wrong_key")
    return fact


def chained(previous: str, row: Sequence[Any]) -> str:
    """
    Return the hash, in hex, of a ledger row that follows the hash *previous*.

    Args:
        previous: the hash of the row before, or ``GENESIS``.
        row: the values of the columns in their order; those after ``value`` are not used.
    """
    *plain, recorded, stamped, key, headers, value = row[: _VALUE + 1]
    fields = [*plain, _instant(recorded), _instant(stamped), key.hex() if key is not None else None, headers]
    return hashlib.sha256(b"".join((previous.encode(), b"\n", to_json(fields), b"\n", value or b""))).hexdigest()


@lru_cache(maxsize=4096)
def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


class Chain:
    """The end of one partition's chain. Numbers new entries and links each to the one before."""

    def __init__(self, topic: str, partition: int, seq: int, head: str) -> None:
        self.topic = topic
        self.partition = partition
        self.seq = seq
        self.hash = head

    def record(  # noqa: PLR0913 - the columns that differ between records
        self,
        record: LogRecord,
        recorded: datetime,
        outcome: str,
        *,
        entry: str = "record",
        reason: str | None = None,
        fact: Fact | None = None,
    ) -> Entry:
        """Return the entry with the *outcome* of *record*."""
        about = (fact.id, fact.type, fact.subject) if fact else (None, None, None)
        content = (record.stamped, record.key, record.headers, record.value)
        fields = (entry, self.topic, record.offset, outcome, reason, *about, recorded, *content)
        return self._link(fields, fact)

    def note(self, entry: str, recorded: datetime, value: bytes, subject_id: str | None = None) -> Entry:
        """Return an entry that is not a record: a watermark, the rules, an acknowledgement."""
        blank = (None, None, None, None, None)
        return self._link((entry, self.topic, *blank, subject_id, recorded, None, None, None, value), None)

    def _link(self, fields: tuple[Any, ...], fact: Fact | None) -> Entry:
        self.seq += 1
        row = (self.partition, self.seq, *fields)
        self.hash = chained(self.hash, row)
        return Entry._make((*row, self.hash, fact))
