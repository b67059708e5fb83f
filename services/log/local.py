"""The embedded log: a table of the same database. Many publishers can append at once; offsets have no gaps."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text

from events.errors import Infrastructure
from projections.ledger.chain import LogRecord
from projections.tables.bulk import store
from projections.tables.database import database_clock, write_transaction
from projections.tables.origin import check_local
from projections.tables.schema import OF_LOG, TOPIC, log, partitions

from .base import Extent

CHUNK = 2000
TAIL_RECORDS = 4000

# On PostgreSQL each publisher waits for this lock: offsets must become visible in their order.
_APPEND_LOCK = 0x63617365

Stamped = tuple[datetime, bytes | None, list[list[Any]] | None, bytes | None]
"""The stamp, key, headers and value of a record."""


class LocalLog:
    """
    The log of the embedded mode: one partition, number 0.

    Args:
        engine: the database that holds the log.
    """

    partitions = (0,)

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def append(self, facts: Sequence[tuple[str, bytes]]) -> int:
        """
        Append *facts*, each as (subject, CloudEvents JSON), in one transaction, stamped with the database's clock.

        Returns:
            the offset of the first fact.
        """
        return self.append_records([(subject.encode(), value) for subject, value in facts])

    def append_records(self, records: Sequence[tuple[bytes | None, bytes | None]]) -> int:
        """Append *records*, each as (key, value), in the same way. They need not be facts."""
        with write_transaction(self.engine) as conn:
            first, now = _append_offset(conn), database_clock(conn)
            store(conn, log, [(first + n, now, key, None, value) for n, (key, value) in enumerate(records)])
        return first

    def restore(self, records: Iterable[Stamped], check: Callable[[Connection], None]) -> int:
        """
        Fill an empty log with *records* in one transaction: either all of them are appended, or none.

        Args:
            records: the records, in their order.
            check: a function that raises if the log must not be filled. It is called first, in that transaction.

        Returns:
            the number of records.

        Raises:
            Infrastructure: if the log is not empty.
        """
        with write_transaction(self.engine) as conn:
            offset = _append_offset(conn)
            if offset:
                raise Infrastructure(f"the log already holds {offset} records", "use an empty database")
            check(conn)
            numbered = enumerate(records)
            while rows := [(n, *record) for n, record in islice(numbered, CHUNK)]:
                store(conn, log, rows)
                offset += len(rows)
        return offset

    def read(self, partition: int, position: int, limit: int) -> list[LogRecord]:
        """Return up to *limit* records from *position* on, in order."""
        query = (
            select(log.c.log_offset, log.c.stamped, log.c.key, log.c.headers, log.c.value)
            .where(log.c.log_offset >= position)
            .order_by(log.c.log_offset)
            .limit(limit)
        )
        with self.engine.connect() as conn:
            return [LogRecord(TOPIC, partition, *row) for row in conn.execute(query)]

    def ends_at(self, conn: Connection, position: int) -> bool:
        """Return whether the log ends at *position*, and will until the writing transaction of *conn* ends."""
        return _append_offset(conn) == position

    def end(self, partition: int) -> int:
        """Return the offset after the last record of *partition*."""
        del partition
        with self.engine.connect() as conn:
            return _end(conn)


def _append_offset(conn: Connection) -> int:
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _APPEND_LOCK})
    return _end(conn)


def _end(conn: Connection) -> int:
    last = conn.scalar(select(func.max(log.c.log_offset)))
    return 0 if last is None else last + 1


class LocalOffsets:
    """The offsets of the embedded log; the methods are those of `LogOffsets`."""

    topic = TOPIC

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def partitions(self) -> int:
        """Check that the database belongs to this log, and return 1."""
        check_local(self._engine)
        return 1

    def topic_id(self) -> None:
        """Return None: a table of the database has no id."""

    def extents(self, positions: Mapping[int, int]) -> Mapping[int, Extent]:
        """Return the extent of the one partition."""
        with self._engine.connect() as conn:
            end = conn.scalar(select(func.coalesce(func.max(log.c.log_offset) + 1, 0))) or 0
            waiting = select(log.c.stamped).where(log.c.log_offset >= positions[0]).order_by(log.c.log_offset).limit(1)
            return {0: Extent(0, end, conn.scalar(waiting))}

    def close(self) -> None:
        """Do nothing: the database is the caller's."""


class LocalTail:
    """The records of the embedded log that are not projected yet; the methods are those of `Tail`."""

    def __init__(self, log: LocalLog) -> None:
        self._log = log
        with log.engine.connect() as conn:
            self._position = conn.scalar(select(partitions.c.position).where(OF_LOG)) or 0

    def of(self, subject: str) -> Iterator[LogRecord]:
        """Yield the records about *subject*."""
        key = subject.encode()
        position = self._position
        while records := self._log.read(0, position, TAIL_RECORDS):
            position = records[-1].offset + 1
            yield from (record for record in records if record.key == key)

    def count(self) -> int:
        """Return the number of all these records."""
        return self._log.end(0) - self._position


class LocalReader:
    """
    A reader of the embedded log; the attributes are those of `LogReader`.

    It has ten methods, as that protocol demands. Most of them are one line.

    Args:
        engine: the database.
        stop: an event that ends a wait for records early.
    """

    topic = TOPIC
    partitions = 1
    home: Callable[[bytes], int] | None = None
    # One clock stamps the records and is read before the end of the log is asked for.
    slack = timedelta(0)

    def __init__(self, engine: Engine, stop: threading.Event | None = None) -> None:
        self.log = LocalLog(engine)
        self.stopped: dict[int, str] = {}
        self._stop = stop or threading.Event()
        self._next: int | None = None

    def assigned(self) -> frozenset[int]:
        """Return the one partition of this log."""
        return frozenset(self.log.partitions)

    def seek(self, partition: int, position: int) -> None:
        """Read from *position* on."""
        del partition
        self._next = position

    def pause(self, partition: int) -> None:
        """Read nothing until `seek` is called again."""
        del partition
        self._next = None

    def poll(self, wait_seconds: float, limit: int) -> Mapping[int, Sequence[LogRecord]]:
        """Return the next records, at most *limit*. If there are none, wait before returning."""
        records = [] if self._next is None else self.log.read(0, self._next, limit)
        if not records:
            self._stop.wait(wait_seconds)
            return {}
        self._next = records[-1].offset + 1
        return {0: records}

    def next_offset(self, partition: int, position: int) -> int:
        """Return *position*: each offset of this log holds a record."""
        del partition
        return position

    def ends(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Return the offset after the last record."""
        return {partition: self.log.end(partition) for partition in partitions}

    def still_ends_at(self, conn: Connection, partition: int, position: int) -> bool:
        """Return whether the log ends at *position*, and will until the transaction of *conn* ends."""
        del partition
        return self.log.ends_at(conn, position)

    def rejoin(self) -> None:
        """Do nothing: the partition stays assigned, and the next epoch decides which projector may write."""

    def close(self) -> None:
        """Do nothing: no other reader waits for the partition."""
