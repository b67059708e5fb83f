"""When time alone could change an answer: the timers of one partition's people."""

from datetime import datetime

from sqlalchemy import Connection, Table, bindparam, func, select

from .tables import Instant

CHUNK = 1000


class Timers:
    """
    The column ``due`` of one partition, of which the earliest is known without asking for as long as that can be told.

    The partition has one writer, who says what it writes.

    Args:
        partition: the partition.
        subjects: the table.

    Attributes:
        known: whether `soonest` says it.
        soonest: the earliest.
    """

    def __init__(self, partition: int, subjects: Table) -> None:
        self.known = False
        self.soonest: datetime | None = None
        # Built once, as every batch asks.
        ours = subjects.c.position_partition == partition
        self._earliest = select(func.min(subjects.c.due)).where(ours)
        self._overdue = (
            select(subjects.c.subject_id)
            .where(ours, subjects.c.due < bindparam("watermark", type_=Instant))
            .order_by(subjects.c.due, subjects.c.subject_id)
            .limit(CHUNK)
        )

    def look(self, conn: Connection) -> datetime | None:
        """Return the earliest, and ask for it if it is not known."""
        if not self.known:
            self.soonest, self.known = conn.scalar(self._earliest), True
        return self.soonest

    def is_due(self, conn: Connection, watermark: datetime) -> bool:
        """Whether somebody's timer is due strictly before *watermark*."""
        soonest = self.look(conn)
        return soonest is not None and soonest < watermark

    def overdue(self, conn: Connection, watermark: datetime) -> set[str]:
        """Return whose timer is due strictly before *watermark*; of very many, those that are due first."""
        return set(conn.scalars(self._overdue, {"watermark": watermark})) if self.is_due(conn, watermark) else set()

    def moved(self, before: datetime | None, after: datetime | None) -> None:
        """Note that somebody's timer is at *after* now, and was at *before*."""
        if after is not None and (self.soonest is None or after < self.soonest):
            self.soonest = after
        elif before is not None and before == self.soonest and before != after:
            self.known = False

    def forget(self) -> None:
        """Ask again: somebody else wrote, or a write was rolled back."""
        self.known = False
