"""What the projectors read from: the seam between the loop and the two logs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from events.errors import Infrastructure
from projections.ledger.chain import LogRecord

Append = Callable[[Sequence[tuple[str, bytes]]], object]
"""Appends facts to the log, each as (subject, bytes); all of them are in the log when it returns."""


class LogReader(Protocol):
    """
    A log as a service reads it: some partitions of it are ours, for a time, and records of them come.

    One thread calls it. The loop asks `assigned` before each `poll`; to a partition that has come it gives a projector
    and calls `seek` with the position in the database, before which nothing of it is read.

    Attributes:
        topic: the topic of the records.
        partitions: how many it has.
        slack: how far the clock that stamps records may be behind the one by which the end is asked for.
    """

    topic: str
    partitions: int
    slack: timedelta

    @property
    def home(self) -> Callable[[bytes], int] | None:
        """The partition to which a key belongs; None where there is one partition only."""
        ...

    @property
    def stopped(self) -> Mapping[int, str]:
        """Why a partition that is ours is not read, by its number; those of `assigned` are none of them."""
        ...

    def assigned(self) -> frozenset[int]:
        """
        Return the partitions that are ours now. One that was taken away meanwhile and given back is left out once.

        Raises:
            Infrastructure: if the log has other partitions than it had, or was made again, or is read for another
                database by those who share it with us.
            Unreachable: if that cannot be told now.
        """
        ...

    def seek(self, partition: int, position: int) -> None:
        """Read *partition* from *position* on."""
        ...

    def hold(self, partition: int) -> None:
        """Read nothing of *partition* until `seek` is called again."""
        ...

    def poll(self, wait_seconds: float, limit: int) -> Mapping[int, Sequence[LogRecord]]:
        """
        Return the next records by partition, in the order of each, waiting a while where there are none.

        Args:
            wait_seconds: about how long.
            limit: the most records of one partition.

        Raises:
            Unreachable: if the log refuses.
            Infrastructure: if the clock that stamps is ahead of ours by more than the slack.
        """
        ...

    def passed(self, partition: int, position: int) -> int:
        """
        Return the offset from which more is to come, all that was polled of *partition* being projected.

        It is past *position*, where the projector is, if what lies there is no record: the marks of a transaction.
        """
        ...

    def ends(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """
        Return the offset after the last record of each of *partitions*.

        Raises:
            Unreachable: if the log does not answer.
        """
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


class Extent(NamedTuple):
    """
    What the log holds of a partition.

    Attributes:
        first: the offset of its first record.
        end: the offset after its last.
        waiting_since: the stamp of the first record at a position or after it; None where there is none, or where it
            could not be read.
        stamped_by_log: whether that stamp is the log's own.
    """

    first: int
    end: int
    waiting_since: datetime | None = None
    stamped_by_log: bool = True


class LogOffsets(Protocol):
    """
    Asks a log how far it reaches.

    Attributes:
        topic: the topic of the records.
    """

    topic: str

    def partitions(self) -> int:
        """
        Return how many partitions it has.

        Raises:
            Infrastructure: if the topic is missing.
            Unreachable: if the log does not answer.
        """
        ...

    def topic_id(self) -> str | None:
        """Return the topic's own id, another each time that it is made, if the log has such; raises the same."""
        ...

    def extents(self, positions: Mapping[int, int]) -> Mapping[int, Extent]:
        """
        Return what it holds of each partition, as seen from *positions*.

        Raises:
            Unreachable: if the log does not answer.
        """
        ...

    def close(self) -> None:
        """Let go of the log."""
        ...


class Tail(Protocol):
    """What is in the log and not projected yet."""

    def of(self, subject: str) -> Iterator[LogRecord]:
        """Yield the records about *subject*, in the log's order, and perhaps others with the same key."""
        ...

    def count(self) -> int:
        """Return how many records there are in all."""
        ...


class NotAcknowledged(Infrastructure):
    """
    Of facts that were given to a log some are not known to be in it.

    Args:
        missing: which, by their place among those given, from 0.
        reason: why, in words.
    """

    def __init__(self, missing: Sequence[int], reason: str) -> None:
        super().__init__(reason)
        self.missing = missing
