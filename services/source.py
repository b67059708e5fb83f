"""What the projectors read from: the seam between the loop and the two logs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from sqlalchemy import Connection

from projections.ledger import LogRecord


class Source(Protocol):
    """
    A log as a service reads it: some partitions of it are ours, for a time, and records of them come.

    One thread calls it. The loop asks `assigned` before each `poll`; to a partition that has come it gives a projector
    and calls `seek` with the position in the database, before which nothing of it is read.

    Attributes:
        topic: the topic of the records.
        home: the partition to which a key belongs; None where there is one partition only.
        slack: how far the clock that stamps records may be behind the one by which the end is asked for.
    """

    topic: str
    home: Callable[[bytes], int] | None
    slack: timedelta

    def assigned(self) -> frozenset[int]:
        """Return the partitions that are ours now."""
        ...

    def seek(self, partition: int, position: int) -> None:
        """Read *partition* from *position* on."""
        ...

    def poll(self, wait_seconds: float, limit: int) -> Mapping[int, Sequence[LogRecord]]:
        """
        Return the next records by partition, in the order of each, waiting a while where there are none.

        Args:
            wait_seconds: how long.
            limit: the most records of one partition.
        """
        ...

    def ends(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Return the offset after the last record of each of *partitions*."""
        ...

    def still_ends_at(self, conn: Connection, partition: int, position: int) -> bool:
        """Whether *partition* ends at *position* still, as far as that can be told within a transaction that writes."""
        ...

    def rejoin(self) -> None:
        """Give all partitions back and ask for some anew: the database says that another projector has one of ours."""
        ...

    def close(self) -> None:
        """Give all partitions back."""
        ...
