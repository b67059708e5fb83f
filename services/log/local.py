"""The embedded log: a table of the same database. Many publishers at once, one order, no gaps."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text

from events.errors import Infrastructure
from projections.ledger.chain import LogRecord
from projections.tables.bulk import store
from projections.tables.database import database_clock, writing
from projections.tables.origin import check_local
from projections.tables.schema import TOPIC, log, partitions

from .base import Extent

CHUNK = 2000
TAIL_RECORDS = 4000

# Publishers on PostgreSQL queue for this lock: offsets must become visible in their order.
_APPEND_LOCK = 0x63617365

Stamped = tuple[datetime, bytes | None, list[list[Any]] | None, bytes | None]
"""Stamp, key, headers and value of a record."""


class LocalLog:
    """
    The log of the embedded mode: one partition, number 0.

    Args:
        engine: the database that holds it.
    """

    partitions = (0,)

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def append(self, facts: Sequence[tuple[str, bytes]]) -> int:
        """
        Append *facts*, (subject, CloudEvents JSON) each, in one transaction, stamped with the database's clock.

        Returns:
            the offset of the first.
        """
        return self.append_records([(subject.encode(), value) for subject, value in facts])

    def append_records(self, records: Sequence[tuple[bytes | None, bytes | None]]) -> int:
        """Append records, (key, value) each, likewise, whatever they hold: what a client without checks could send."""
        with writing(self.engine) as conn:
            first, now = _next_offset(conn), database_clock(conn)
            store(conn, log, [(first + n, now, key, None, value) for n, (key, value) in enumerate(records)])
        return first

    def restore(self, records: Iterable[Stamped], check: Callable[[Connection], None]) -> int:
        """
        Fill an empty log with *records* in one transaction: all of them or none.

        Args:
            records: in their order.
            check: raises where there is a reason against it; called within that transaction, before any of them.

        Returns:
            how many there were.

        Raises:
            Infrastructure: if the log is not empty.
        """
        with writing(self.engine) as conn:
            offset = _next_offset(conn)
            if offset:
                msg = f"the log already holds {offset} records (want an empty database)"
                raise Infrastructure(msg)
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
        """Whether the log ends at *position*, and does until the transaction of *conn*, which writes, is over."""
        return _next_offset(conn) == position

    def end(self, partition: int) -> int:
        """Return the offset after the last record of *partition*."""
        del partition
        with self.engine.connect() as conn:
            return _end(conn)


def _next_offset(conn: Connection) -> int:
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _APPEND_LOCK})
    return _end(conn)


def _end(conn: Connection) -> int:
    last = conn.scalar(select(func.max(log.c.log_offset)))
    return 0 if last is None else last + 1


class LocalOffsets:
    """Asks the log that is a table of the same database; the methods are those of `LogOffsets`."""

    topic = TOPIC

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def partitions(self) -> int:
        """Return 1, having seen that the database belongs to this log."""
        check_local(self._engine)
        return 1

    def topic_id(self) -> None:
        """Return None: it is the database's own."""

    def extents(self, positions: Mapping[int, int]) -> Mapping[int, Extent]:
        """Return what the table holds."""
        with self._engine.connect() as conn:
            end = conn.scalar(select(func.coalesce(func.max(log.c.log_offset) + 1, 0))) or 0
            waiting = select(log.c.stamped).where(log.c.log_offset >= positions[0]).order_by(log.c.log_offset).limit(1)
            return {0: Extent(0, end, conn.scalar(waiting))}

    def close(self) -> None:
        """Do nothing: the database is the caller's."""


class LocalTail:
    """The end of the embedded log."""

    def __init__(self, log: LocalLog) -> None:
        self._log = log
        with log.engine.connect() as conn:
            self._position = conn.scalar(select(partitions.c.position)) or 0

    def of(self, subject: str) -> Iterator[LogRecord]:
        """Yield the records about *subject*."""
        key = subject.encode()
        position = self._position
        while records := self._log.read(0, position, TAIL_RECORDS):
            position = records[-1].offset + 1
            yield from (record for record in records if record.key == key)

    def count(self) -> int:
        """Return how many records there are in all."""
        return self._log.end(0) - self._position


class LocalReader:
    """
    Reads the log that is a table of the same database; the attributes are those of `LogReader`.

    Args:
        engine: the database.
        stop: ends a wait for records early once it is set.
    """

    topic = TOPIC
    partitions = 1
    home = None
    # Records are stamped by the very clock by which the end is asked for.
    slack = timedelta(0)

    def __init__(self, engine: Engine, stop: threading.Event | None = None) -> None:
        self.log = LocalLog(engine)
        self.stopped: dict[int, str] = {}
        self._stop = stop or threading.Event()
        self._next: int | None = None

    def assigned(self) -> frozenset[int]:
        """Return the one partition there is."""
        return frozenset(self.log.partitions)

    def seek(self, partition: int, position: int) -> None:
        """Read from *position* on."""
        del partition
        self._next = position

    def hold(self, partition: int) -> None:
        """Read nothing until `seek` is called again."""
        del partition
        self._next = None

    def poll(self, wait_seconds: float, limit: int) -> Mapping[int, Sequence[LogRecord]]:
        """Return the next records, at most *limit*; where there are none, wait before saying so."""
        records = [] if self._next is None else self.log.read(0, self._next, limit)
        if not records:
            self._stop.wait(wait_seconds)
            return {}
        self._next = records[-1].offset + 1
        return {0: records}

    def passed(self, partition: int, position: int) -> int:
        """Return *position*: everything in this log is a record."""
        del partition
        return position

    def ends(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Return the offset after the last record."""
        return {partition: self.log.end(partition) for partition in partitions}

    def still_ends_at(self, conn: Connection, partition: int, position: int) -> bool:
        """Whether the log ends at *position*, and does until the transaction of *conn* is over."""
        del partition
        return self.log.ends_at(conn, position)

    def rejoin(self) -> None:
        """Do nothing: the partition stays ours, and the next epoch decides who writes."""

    def close(self) -> None:
        """Do nothing: there is nobody to give the partition to."""
