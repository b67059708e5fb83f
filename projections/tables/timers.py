"""When time alone could change an answer: the timers of one partition's people."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, select

CHUNK = 1000
SOME = 16
"""So many timers are looked up first: seldom more are due, and the next after them is then known too."""

NOTHING_KNOWN = datetime.min.replace(tzinfo=UTC)


class Timers:
    """
    The column ``due`` of one partition, and what can be told of it without asking.

    The partition has one writer, who says what it writes.

    Args:
        partition: the partition.
        subjects: the table.

    Attributes:
        soonest: no timer is before this; None: there is none.
        exact: whether there is one at this very instant.
    """

    def __init__(self, partition: int, subjects: Table) -> None:
        self.soonest: datetime | None = NOTHING_KNOWN
        self.exact = False
        # Built once, as every batch asks.
        ours = subjects.c.position_partition == partition
        self._first = (
            select(subjects.c.subject_id, subjects.c.due)
            .where(ours, subjects.c.due.is_not(None))
            .order_by(subjects.c.due)
            .limit(bindparam("most"))
        )

    def look(self, conn: Connection) -> datetime | None:
        """Return the earliest, and ask for it if it is not known."""
        if not self.exact and self.soonest is not None:
            self.soonest, self.exact = next((row.due for row in self._look_up(conn, 1)), None), True
        return self.soonest

    def may_be_due(self, watermark: datetime) -> bool:
        """Whether somebody's timer may be due strictly before *watermark*, for all that is known without asking."""
        return self.soonest is not None and self.soonest < watermark

    def is_due(self, conn: Connection, watermark: datetime) -> bool:
        """Whether somebody's timer is due strictly before *watermark*."""
        soonest = self.look(conn) if self.may_be_due(watermark) else None
        return soonest is not None and soonest < watermark

    def overdue(self, conn: Connection, watermark: datetime) -> set[str]:
        """
        Return whose timer is due strictly before *watermark*; of very many, those that are due first.

        They are going to be moved to *watermark* or later: `may_be_due` tells then whether there are more.
        """
        rows, most = self._look_up(conn, SOME), SOME
        if len(rows) == SOME and rows[-1].due < watermark:
            rows, most = self._look_up(conn, CHUNK), CHUNK
        due = {row.subject_id for row in rows if row.due < watermark}
        if len(due) < len(rows):
            self.soonest, self.exact = rows[len(due)].due, True
        elif len(rows) < most:
            self.soonest = None
        else:
            self.soonest, self.exact = rows[-1].due, False
        return due

    def moved(self, before: datetime | None, after: datetime | None) -> None:
        """Note that somebody's timer is at *after* now, and was at *before*."""
        if after is not None and (self.soonest is None or after < self.soonest):
            self.soonest, self.exact = after, True
        elif before is not None and before == self.soonest and before != after:
            self.exact = False

    def forget(self) -> None:
        """Ask again: somebody else wrote, or a write was rolled back."""
        self.soonest, self.exact = NOTHING_KNOWN, False

    def _look_up(self, conn: Connection, most: int) -> Sequence[Row[Any, Any]]:
        return conn.execute(self._first, {"most": most}).all()
