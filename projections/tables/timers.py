"""The timers of one partition: the instants at which time alone could change an answer about a person."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, select

CHUNK = 1000
SOME = 16
"""The number of timers in the first query. More are seldom due, and the next one after them is then known too."""

UNKNOWN = datetime.min.replace(tzinfo=UTC)


class Timers:
    """
    The column ``due`` of one partition, with the earliest value in memory, so that most batches need no query.

    The partition has one writer, and the writer reports each timer that it writes.

    Args:
        partition: the partition.
        subjects: the table.

    Attributes:
        soonest: no timer is before this instant; None: there is no timer.
        exact: whether there is a timer at this very instant.
    """

    def __init__(self, partition: int, subjects: Table) -> None:
        self.soonest: datetime | None = UNKNOWN
        self.exact = False
        # Built once: every batch executes it.
        in_partition = subjects.c.position_partition == partition
        self._first = (
            select(subjects.c.subject_id, subjects.c.due)
            .where(in_partition, subjects.c.due.is_not(None))
            .order_by(subjects.c.due)
            .limit(bindparam("most"))
        )

    def earliest(self, conn: Connection) -> datetime | None:
        """Return the earliest timer, by a query if it is not known."""
        if not self.exact and self.soonest is not None:
            self.soonest, self.exact = next((row.due for row in self._select(conn, 1)), None), True
        return self.soonest

    def may_be_due(self, watermark: datetime) -> bool:
        """Return whether a timer may be due strictly before *watermark*, as far as is known without a query."""
        return self.soonest is not None and self.soonest < watermark

    def is_due(self, conn: Connection, watermark: datetime) -> bool:
        """Return whether a timer is due strictly before *watermark*."""
        soonest = self.earliest(conn) if self.may_be_due(watermark) else None
        return soonest is not None and soonest < watermark

    def overdue(self, conn: Connection, watermark: datetime) -> set[str]:
        """
        Return the people with a timer that is due strictly before *watermark*: at most `CHUNK`, the earliest ones.

        The caller moves these timers to *watermark* or later. Then `may_be_due` says whether there may be more.
        """
        rows, most = self._select(conn, SOME), SOME
        if len(rows) == SOME and rows[-1].due < watermark:
            rows, most = self._select(conn, CHUNK), CHUNK
        due = {row.subject_id for row in rows if row.due < watermark}
        if len(due) < len(rows):
            self.soonest, self.exact = rows[len(due)].due, True
        elif len(rows) < most:
            self.soonest = None
        else:
            self.soonest, self.exact = rows[-1].due, False
        return due

    def moved(self, before: datetime | None, after: datetime | None) -> None:
        """Note that a person's timer was at *before* and is at *after* now; None: no timer."""
        if after is not None and (self.soonest is None or after < self.soonest):
            self.soonest, self.exact = after, True
        elif before is not None and before == self.soonest and before != after:
            self.exact = False

    def forget(self) -> None:
        """Query again next time: another process wrote, or a write was rolled back."""
        self.soonest, self.exact = UNKNOWN, False

    def _select(self, conn: Connection, most: int) -> Sequence[Row[Any, Any]]:
        return conn.execute(self._first, {"most": most}).all()
