"""The embedded log: a table of the same database. Many publishers at once, one order, no gaps."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, func, insert, select, text

from projections.database import database_clock, writing
from projections.ledger import LogRecord
from projections.tables import TOPIC, log

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

    def append(self, facts: Sequence[tuple[str, bytes]], stamps: Sequence[datetime] | None = None) -> int:
        """
        Append *facts*, (subject, CloudEvents JSON) each, in one transaction.

        Args:
            facts: what to append, in this order.
            stamps: the stamps to keep, for a restore; the database's clock at acceptance where not given.

        Returns:
            the offset of the first.
        """
        with writing(self.engine) as conn:
            first = _next_offset(conn)
            now = database_clock(conn)
            rows = [
                {
                    "log_offset": first + index,
                    "stamped": stamps[index] if stamps else now,
                    "key": subject.encode(),
                    "headers": None,
                    "value": value,
                }
                for index, (subject, value) in enumerate(facts)
            ]
            if rows:
                conn.execute(insert(log), rows)
        return first

    def append_raw(self, values: Sequence[bytes]) -> None:
        """Append bytes as they are, whatever they hold: what a client without our checks could send."""
        with writing(self.engine) as conn:
            first, now = _next_offset(conn), database_clock(conn)
            conn.execute(
                insert(log),
                [
                    {"log_offset": first + n, "stamped": now, "key": None, "headers": None, "value": value}
                    for n, value in enumerate(values)
                ],
            )

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


def _next_offset(conn: Connection) -> int:
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _APPEND_LOCK})
    return _end(conn)


def _end(conn: Connection) -> int:
    last = conn.scalar(select(func.max(log.c.log_offset)))
    return 0 if last is None else last + 1
