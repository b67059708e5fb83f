"""The embedded log: a table of the same database. Many publishers at once, one order, no gaps."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text

from events.errors import Infrastructure
from projections.ledger.chain import LogRecord
from projections.tables.bulk import store
from projections.tables.database import database_clock, writing
from projections.tables.schema import TOPIC, log

CHUNK = 2000

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
