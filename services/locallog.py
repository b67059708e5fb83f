"""The embedded log: a table of the same database. Many publishers at once, one order, no gaps."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, func, insert, select, text

from events.errors import Infrastructure
from projections.database import database_clock, writing
from projections.ledger import LogRecord
from projections.tables import TOPIC, log

CHUNK = 2000

# Publishers on PostgreSQL queue for this lock: offsets must become visible in their order.
_APPEND_LOCK = 0x63617365


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
        with writing(self.engine) as conn:
            first, now = _next_offset(conn), database_clock(conn)
            _insert(conn, [(first + n, now, subject.encode(), value) for n, (subject, value) in enumerate(facts)])
        return first

    def append_raw(self, values: Sequence[bytes]) -> None:
        """Append bytes as they are, whatever they hold: what a client without our checks could send."""
        with writing(self.engine) as conn:
            first, now = _next_offset(conn), database_clock(conn)
            _insert(conn, [(first + n, now, None, value) for n, value in enumerate(values)])

    def restore(self, records: Iterable[tuple[datetime, bytes | None, bytes]]) -> int:
        """
        Fill an empty log with *records*, (stamp, key, value) each, in one transaction: all of them or none.

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
            rows = []
            for stamped, key, value in records:
                rows.append((offset, stamped, key, value))
                offset += 1
                if len(rows) == CHUNK:
                    _insert(conn, rows)
                    rows = []
            _insert(conn, rows)
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

    def end(self, partition: int) -> int:
        """Return the offset after the last record of *partition*."""
        del partition
        with self.engine.connect() as conn:
            return _end(conn)


def _insert(conn: Connection, rows: Sequence[tuple[int, datetime, bytes | None, bytes]]) -> None:
    columns = ("log_offset", "stamped", "key", "value")
    if rows:
        conn.execute(insert(log), [{**dict(zip(columns, row, strict=True)), "headers": None} for row in rows])


def _next_offset(conn: Connection) -> int:
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _APPEND_LOCK})
    return _end(conn)


def _end(conn: Connection) -> int:
    last = conn.scalar(select(func.max(log.c.log_offset)))
    return 0 if last is None else last + 1
