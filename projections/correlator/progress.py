"""The watermarks of all partitions, and the progress of the correlator, for those who operate it."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, select

from projections.tables.checkpoint import Checkpoint
from projections.tables.ledger_rows import applied_count_after
from projections.tables.schema import CORRELATOR, LIVE, OF_LOG, partitions

# A silence can have begun its chain before any rules across people.
_JUDGES = (partitions.c.partition == CORRELATOR) & partitions.c.rules_version.is_not(None)

HELD_BACK = timedelta(minutes=1)
"""The longest usual distance of the horizon to the newest watermark. Beyond it, a partition stands still."""


class Watermarks(NamedTuple):
    """
    The watermarks of all partitions.

    Attributes:
        newest: the latest; None if no partition has one.
        horizon: the lowest; None if a partition has none.
        held_back_by: the partition with the lowest one, or the first without one; None if there is no partition.
    """

    newest: datetime | None
    horizon: datetime | None
    held_back_by: int | None

    @property
    def is_held_back(self) -> bool:
        """Whether a partition stands still while others move."""
        return self.newest is not None and (self.horizon is None or self.newest - self.horizon > HELD_BACK)


class CorrelatorProgress(NamedTuple):
    """
    The progress of the correlator.

    Attributes:
        checkpoint: its row; the watermark is the instant before which it has judged everything.
        marks: the watermarks of the partitions.
        rows_read: the applied rows that it has read.
        rows_behind: the applied rows that it has not read yet.
    """

    checkpoint: Checkpoint
    marks: Watermarks
    rows_read: int
    rows_behind: int

    @property
    def seconds(self) -> float | None:
        """The distance of the last instant judged to the newest watermark; None if nothing is judged yet."""
        if self.marks.newest is None:
            return 0.0
        reached = self.checkpoint.watermark
        return None if reached is None else max((self.marks.newest - reached).total_seconds(), 0.0)


class Reach(NamedTuple):
    """
    The reach of the alerts across people while it is shorter than that of the other alerts.

    Attributes:
        until: the instant before which everything is judged; None: nothing is yet.
        held_back_by: the partition that stands still; None: the correlator itself is behind.
    """

    until: datetime | None
    held_back_by: int | None


def short_reach(conn: Connection, topic: str) -> Reach | None:
    """Return the reach of the alerts across people; None if they reach as far as others, or there are no rules."""
    query = select(partitions.c.watermark).where(partitions.c.topic == topic, _JUDGES)
    row = conn.execute(query).one_or_none()
    marks = watermarks_of(conn, topic)
    if row is None or marks.newest is None:
        return None
    if row.watermark is not None and marks.newest - row.watermark <= HELD_BACK:
        return None
    return Reach(row.watermark, marks.held_back_by if marks.is_held_back else None)


def watermarks_of(conn: Connection, topic: str) -> Watermarks:
    """Return the watermarks of the partitions of *topic*."""
    query = select(partitions.c.partition, partitions.c.watermark).where(partitions.c.topic == topic, OF_LOG)
    rows = conn.execute(query.order_by(partitions.c.partition)).all()
    marks = [(row.watermark, row.partition) for row in rows if row.watermark is not None]
    newest = max((mark for mark, _ in marks), default=None)
    missing = next((row.partition for row in rows if row.watermark is None), None)
    if missing is not None or not marks:
        return Watermarks(newest, None, missing)
    horizon, partition = min(marks)
    return Watermarks(newest, horizon, partition)


def correlator_progress(conn: Connection, topic: str) -> CorrelatorProgress | None:
    """Return the progress of the correlator; None if there never were rules across people."""
    own = select(partitions).where(partitions.c.topic == topic, _JUDGES)
    row = conn.execute(own).mappings().one_or_none()
    if row is None:
        return None
    positions = {each.partition: each.seq for each in conn.execute(select(LIVE.positions))}
    query = select(partitions.c.partition, partitions.c.applied).where(partitions.c.topic == topic, OF_LOG)
    behind = applied = 0
    for each in conn.execute(query).all():
        # One partition at a time: only then do both databases use the key of the ledger.
        behind += applied_count_after(conn, each.partition, positions.get(each.partition, 0))
        applied += each.applied
    return CorrelatorProgress(Checkpoint(**row), watermarks_of(conn, topic), applied - behind, behind)
