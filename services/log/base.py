"""The protocols and types that both logs share: reading a log, its extent, and records not yet projected."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from events.errors import Infrastructure
from projections.ledger.chain import LogRecord

Append = Callable[[Sequence[tuple[str, bytes]]], object]
"""A function that appends facts, each as (subject, bytes). All of them are in the log when it returns."""


class LogReader(Protocol):
    """
    A log as a service reads it: some partitions are assigned to this reader, and it returns their records.

    One thread calls it. The loop calls `assigned` before each `poll`. For a new partition it creates a projector and
    calls `seek` with the position in the database. No record of the partition is read before that.

    It has ten methods, because the loop and its watermarks need every one from the same consumer.

    Attributes:
        topic: the topic of the records.
        partitions: the number of partitions of the topic.
        slack: the most by which the clock that stamps records may be behind the clock read before `ends`.
        home: the function from a key to its partition; None if there is one partition only.
    """

    topic: str
    partitions: int
    slack: timedelta
    home: Callable[[bytes], int] | None

    @property
    def stopped(self) -> Mapping[int, str]:
        """The reason for each assigned partition that is not read, by its number. `assigned` leaves these out."""
        ...

    def assigned(self) -> frozenset[int]:
        """
        Return the partitions that are assigned to this reader and can be read.

        A partition that was revoked since the last call and then assigned again is left out once.

        Raises:
            Infrastructure: if the number of partitions has changed, the log was created again, or the consumer group
                belongs to another database now.
            Unreachable: if that cannot be checked now.
        """
        ...

    def seek(self, partition: int, position: int) -> None:
        """Read *partition* from *position* on."""
        ...

    def pause(self, partition: int) -> None:
        """Read nothing from *partition* until `seek` is called again."""
        ...

    def poll(self, wait_seconds: float, limit: int) -> Mapping[int, Sequence[LogRecord]]:
        """
        Return the next records by partition, in offset order. Wait a while if there are none.

        Args:
            wait_seconds: about how long to wait.
            limit: the most records of one partition.

        Raises:
            Unreachable: if the log refuses.
            Infrastructure: if the clock that stamps records is ahead of this machine's by more than the slack.
        """
        ...

    def next_offset(self, partition: int, position: int) -> int:
        """
        Return the offset of the next record of *partition*, once all records that were polled are projected.

        It is past *position*, the projector's, if the offsets in between hold no records but marks of transactions.
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
        """Return whether *partition* still ends at *position*, as far as a writing transaction can tell."""
        ...

    def rejoin(self) -> None:
        """Give all partitions back and join again. The database says that another projector has one of them."""
        ...

    def close(self) -> None:
        """Give all partitions back."""
        ...


class Extent(NamedTuple):
    """
    The records that the log holds of a partition.

    Attributes:
        first: the offset of the first record.
        end: the offset after the last record.
        waiting_since: the stamp of the first record at or after a position. None if there is no such record, or if it
            could not be read.
        stamped_by_log: whether that stamp is the log's own.
    """

    first: int
    end: int
    waiting_since: datetime | None = None
    stamped_by_log: bool = True


class LogOffsets(Protocol):
    """
    The offsets of a log, read without taking part in projecting.

    Attributes:
        topic: the topic of the records.
    """

    topic: str

    def partitions(self) -> int:
        """
        Return the number of partitions.

        Raises:
            Infrastructure: if the topic is missing.
            Unreachable: if the log does not answer.
        """
        ...

    def topic_id(self) -> str | None:
        """Return the topic's own id, or None if it has none. A topic created again has another; raises the same."""
        ...

    def extents(self, positions: Mapping[int, int]) -> Mapping[int, Extent]:
        """
        Return the extent of each partition in *positions*, as seen from that position.

        Raises:
            Unreachable: if the log does not answer.
        """
        ...

    def close(self) -> None:
        """Close the connection to the log."""
        ...


class Tail(Protocol):
    """The records of a log that are not projected yet."""

    def of(self, subject: str) -> Iterator[LogRecord]:
        """Yield the records about *subject*, in the log's order, and perhaps others with the same key."""
        ...

    def count(self) -> int:
        """Return the number of all these records."""
        ...


class NotAcknowledged(Infrastructure):
    """
    The log has not acknowledged some of the facts that it was asked to append.

    Args:
        missing: the places of these facts in the sequence that was appended, from 0.
        what: the reason.
        wanted: the next step; may be empty.
    """

    def __init__(self, missing: Sequence[int], what: str, wanted: str = "") -> None:
        super().__init__(what, wanted)
        self.missing = missing
