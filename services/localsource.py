"""The embedded log as the projectors read it: one partition, which is always ours."""

import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection, Engine

from projections.ledger.chain import LogRecord
from projections.tables.schema import TOPIC

from .locallog import LocalLog


class LocalSource:
    """
    Reads the log that is a table of the same database; the attributes are those of `Source`.

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
