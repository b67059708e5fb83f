"""Read the topic of facts as a member of the consumer group of the projectors."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    CorruptRecordError,
    IllegalGenerationError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import MemberState, OffsetAndMetadata
from sqlalchemy import Connection

from events.errors import Infrastructure, Unreachable
from projections.ledger.chain import LogRecord
from projections.tables.outbox import forwards_wait
from services.settings import Settings

from .assignment import Assignment, pause
from .clients import open_consumer
from .halt_causes import (
    ANSWER_MS,
    FETCH_BYTES,
    HaltCauses,
    HaltedPartition,
    producers_time,
    stamped_by_log,
    truncated,
)
from .halted import HaltedPartitions
from .membership import Membership
from .partitioner import partition_for
from .records import check_stamps, log_record

COMMIT_SECONDS = 5.0
CHECK_SECONDS = 60.0
WARN_SECONDS = 60.0
LONGEST_SECONDS = 600.0
HEARTBEAT_MS = 1000
"""Frequent: a member learns by a heartbeat that others have joined or left, and all wait for the last one to learn."""

POLL_SECONDS = (0.1, 0.2)
MAX_POLL_MS = 600_000
"""The time that a batch may take before the group revokes the partitions. New rules for a million people take long."""

CURABLE = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
"""Errors that kafka-python does not mark as retriable, although joining the group again cures them."""

logger = structlog.get_logger()


class KafkaReader:
    """
    A member of the consumer group, which reads its partitions; the attributes are those of `LogReader`.

    It has more than eight methods. Ten are those of the protocol. The others serve `poll` and the watchdog, which
    replaces the consumer that `poll` reads from. They share seven names: a division would spread these over two files.

    Args:
        settings: the settings.
        partitions: the number of partitions of the topic.
        membership: the group of this database.
    """

    def __init__(self, settings: Settings, partitions: int, membership: Membership) -> None:
        self.topic = settings.kafka_topic
        self.partitions = partitions
        self.home: Callable[[bytes], int] | None = partition_for(partitions)
        self.slack = timedelta(seconds=settings.clock_margin_seconds)
        self._settings = settings
        self._membership = membership
        self._reading: set[int] = set()
        self._logged: frozenset[int] = frozenset()
        # The seconds spent in polls so far, and that number when each partition last had records.
        self._polled = 0.0
        self._moved: dict[int, float] = {}
        self._commit_at = time.monotonic() + COMMIT_SECONDS
        self._warn_at = 0.0
        self._wait_at = 0.0
        self._checked_count = 0
        self._check_at = time.monotonic() + CHECK_SECONDS
        # The seconds of polls that it may be without partitions, and the seconds so far when it last had some.
        self._patience, self._settled = settings.stall_seconds, 0.0
        # Its ends cover all records. Those of open transactions are included: their stamps are in the past already.
        self._probe = open_consumer(settings)
        self._causes = HaltCauses(settings, self._probe)
        self._halted = HaltedPartitions(settings.stall_seconds, self._causes.still)
        self._join()

    @property
    def stopped(self) -> Mapping[int, str]:
        """The reason for each assigned partition that is not read."""
        return {partition: reason for partition, reason in self._halted.reasons().items() if partition in self.owned}

    @property
    def owned(self) -> frozenset[int]:
        """The partitions that the group has assigned to this member."""
        return self._assignment.owned()

    def assigned(self) -> frozenset[int]:
        """Return the partitions that can be read. One that was revoked and assigned again is left out once."""
        count, checked = self._assignment.counted()
        if count != self._checked_count:
            # Another database may have taken the group over meanwhile, or the topic may have been created again.
            self._membership.check(checked)
            self._checked_count = count
        owned, revoked = self._assignment.take_revoked()
        # Partitions assigned since the check are left for the next call.
        owned &= checked
        if revoked or owned - self._logged:
            logger.info("partitions_assigned", partitions=sorted(owned))
        self._logged = owned
        self._halted.forget(revoked)
        if new := [partition for partition in owned if partition >= self.partitions]:
            what = f"topic {self.topic} has a partition {max(new)}, but this database was built from "
            harm = f"{self.partitions} partitions, so subjects would map to other partitions"
            raise Infrastructure(what + harm, "restore the topic, or use a new database")
        readable = owned - revoked - self._halted.reasons().keys()
        self._reading &= readable
        return readable

    def seek(self, partition: int, position: int) -> None:
        """Read *partition* from *position* on, if it is still assigned."""
        place = TopicPartition(self.topic, partition)
        try:
            self._consumer.seek(place, position)
            self._consumer.resume(place)
        except (ValueError, KeyError, AssertionError, KafkaError):
            return
        self._reading.add(partition)
        self._moved[partition] = self._polled

    def pause(self, partition: int) -> None:
        """Read nothing from *partition* until `seek` is called again."""
        self._reading.discard(partition)
        # It may have been revoked at this very moment.
        if partition in self.owned:
            pause(self._consumer, [TopicPartition(self.topic, partition)])

    def poll(self, wait_seconds: float, limit: int) -> Mapping[int, Sequence[LogRecord]]:
        """
        Return the next records by partition, at most *limit*. Wait a while if there are none.

        If *wait_seconds* is 0, return the records that have arrived. Still wait now and then, as the group needs it.

        Raises:
            Unreachable: if the broker refuses to return records.
            Infrastructure: if the broker's clock is ahead of this machine's by more than the slack.
        """
        least, most = POLL_SECONDS
        now = time.monotonic()
        wait_ms = 0
        if wait_seconds or now >= self._wait_at:
            wait_ms = int(min(max(wait_seconds, least), most) * 1000)
            self._wait_at = now + most
        polled: Mapping[TopicPartition, Sequence[ConsumerRecord]] = {}
        try:
            polled = self._consumer.poll(timeout_ms=wait_ms, max_records=limit)
        except OffsetOutOfRangeError as problem:
            self._halt(problem.args[0].keys(), self._causes.out_of_range)
        except LogTruncationError as problem:
            self._halt(problem.divergent_offsets, lambda _, position: truncated(position))
        except CorruptRecordError:
            self._halt_corrupt()
        except CURABLE as problem:
            self._recreate("consumer_rejoins", error=type(problem).__name__)
        except KafkaError as problem:
            raise Unreachable(f"{type(problem).__name__}: {problem}") from problem
        except Exception as problem:
            # Any other failure within the client: a new client may work, and a projector never ends because of it.
            self._recreate("consumer_failed", error=type(problem).__name__)
            raise Unreachable(f"the client for Kafka failed: {type(problem).__name__}") from problem
        self._polled += time.monotonic() - now
        by_partition = {place.partition: self._stamped(place.partition, rows) for place, rows in polled.items()}
        for records in by_partition.values():
            check_stamps(records, datetime.now(UTC), self.slack)
        self._halted.note_read(by_partition)
        self._halted.check(self.owned)
        self._watch(by_partition)
        self._check_membership()
        self._commit()
        return {partition: records for partition, records in by_partition.items() if records}

    def next_offset(self, partition: int, position: int) -> int:
        """Return the consumer's position: marks and aborted records after *position* are not records."""
        consumed = self._position(partition) if partition in self._reading else None
        return max(position, consumed or 0)

    def ends(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """
        Return the offset after the last record of each of *partitions*.

        Raises:
            Unreachable: if the broker does not answer.
        """
        try:
            ends = self._probe.end_offsets(_places(self.topic, partitions), timeout_ms=ANSWER_MS)
        except KafkaError as problem:
            what = f"Kafka does not return the end offsets of {self.topic}: {type(problem).__name__}"
            raise Unreachable(what) from problem
        return {place.partition: end for place, end in ends.items()}

    def still_ends_at(self, conn: Connection, partition: int, position: int) -> bool:
        """Return whether no forwarded record is on its way here; the slack covers records sent since `ends`."""
        del position
        waiting = forwards_wait(conn, partition)
        if waiting and time.monotonic() >= self._warn_at:
            self._warn_at = time.monotonic() + WARN_SECONDS
            logger.warning("forwards_wait", partition=partition, advice="is a notifier running?")
        return not waiting

    def rejoin(self) -> None:
        """Give all partitions back and join the group again."""
        self._recreate("consumer_rejoins", error="another projector has one of the partitions")

    def close(self) -> None:
        """Give all partitions back."""
        for client in (self._consumer, self._probe):
            client.close(autocommit=False, timeout_ms=ANSWER_MS)

    def _join(self) -> None:
        session_ms = int(self._settings.kafka_session_timeout_seconds * 1000)
        self._consumer = open_consumer(
            self._settings,
            group_id=self._settings.kafka_group,
            isolation_level="read_committed",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(session_ms // 3, HEARTBEAT_MS),
            max_poll_interval_ms=MAX_POLL_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            partition_assignment_strategy=[CooperativeStickyAssignor],
        )
        self._assignment = Assignment(self._consumer)
        self._logged, self._checked_count = frozenset(), 0
        self._reading.clear()
        self._consumer.subscribe([self.topic], listener=self._assignment)
        # The leader of the group has to know the partitions by then. Learning of them later, it makes all join again.
        with suppress(KafkaError):
            self._consumer.end_offsets([TopicPartition(self.topic, 0)], timeout_ms=ANSWER_MS)

    def _recreate(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - fields of a log line
        """Replace the consumer by a new one, and log *event*."""
        logger.warning(event, **fields)
        with suppress(Exception):
            self._consumer.close(autocommit=False, timeout_ms=ANSWER_MS)
        self._join()

    def _stamped(self, partition: int, records: Sequence[ConsumerRecord]) -> list[LogRecord]:
        """Return *records* up to the first that was not stamped by the log, and halt the partition there."""
        good = stamped_by_log(records)
        if len(good) < len(records):
            self.pause(partition)
            self._halted.halt(partition, producers_time(records[len(good)].offset))
        return [log_record(record) for record in good]

    def _halt(self, places: Iterable[TopicPartition], cause: Callable[[int, int], HaltedPartition]) -> None:
        """Halt *places*, each for the cause that *cause* returns for the partition and its position."""
        for place in places:
            position = self._position(place.partition)
            self.pause(place.partition)
            self._halted.halt(place.partition, cause(place.partition, position or 0))
        # This may be the first sign that the topic was created again.
        self._check_at = 0.0

    def _halt_corrupt(self) -> None:
        """Halt the partition with a corrupt record. The consumer does not name it, and would hang if it were kept."""
        positions = {partition: self._position(partition) for partition in self._reading}
        self._recreate("consumer_rejoins", error="CorruptRecordError")
        for partition, position in positions.items():
            if position is not None and (cause := self._causes.corrupt(partition, position)):
                self._halted.halt(partition, cause)

    def _watch(self, polled: Iterable[int]) -> None:
        """Recreate the consumer if records wait and none was polled for long, or if it has no place in the group."""
        state, now = self._consumer.group_metadata().state, self._polled
        if self.owned and state == MemberState.STABLE:
            self._patience, self._settled = self._settings.stall_seconds, now
        elif polled and state == MemberState.REBALANCING:
            # A consumer that waits to join returns no records. kafka-python has forgotten the join. It reads on without
            # heartbeats, and its partitions may belong to another member by now.
            self._recreate("consumer_not_joined")
        elif now - self._settled >= (LONGEST_SECONDS if self.owned else self._patience):
            # kafka-python can share out no partitions before it knows them, and then leave it so; or there are too many
            # members. A member with partitions may have to wait for another one as long as a batch may take.
            self._patience, self._settled = min(2 * self._patience, LONGEST_SECONDS), now
            self._recreate("consumer_not_joined" if self.owned else "consumer_without_partitions")
        # Not by the clock: if many records wait, one turn of all partitions takes long, and that is not a stall.
        self._moved |= dict.fromkeys(polled, now)
        stall_seconds = self._settings.stall_seconds
        late = [number for number in self._reading if now - self._moved.get(number, now) >= stall_seconds]
        if late:
            self._moved |= dict.fromkeys(late, now)
            if stalled := self._stalled(late):
                self._recreate("consumer_stalled", partitions=stalled)

    def _stalled(self, partitions: Sequence[int]) -> list[int]:
        """Return those of *partitions* of which committed records are waiting."""
        try:
            ends = self.ends(partitions)
        except Unreachable:
            # The broker is away: that is not a stall, and it passes.
            return []
        behind = [number for number in partitions if self.next_offset(number, 0) < ends[number]]
        try:
            # Records that an open transaction holds back cannot be read yet.
            offsets = self._consumer.end_offsets(_places(self.topic, behind), timeout_ms=ANSWER_MS)
        except KafkaError:
            return behind
        ends = {place.partition: end for place, end in offsets.items()}
        return [number for number in behind if self.next_offset(number, 0) < ends[number]]

    def _check_membership(self) -> None:
        """Check every minute that group and topic are unchanged. If the broker does not answer, check the next time."""
        if time.monotonic() >= self._check_at and self.owned:
            self._check_at = time.monotonic() + CHECK_SECONDS
            with suppress(Unreachable):
                self._membership.check(self.owned)

    def _commit(self) -> None:
        """Commit the positions for tools that show lag. The position that counts is in the database."""
        if time.monotonic() < self._commit_at:
            return
        self._commit_at = time.monotonic() + COMMIT_SECONDS
        positions = {partition: self._position(partition) for partition in self._reading}
        offsets = {
            TopicPartition(self.topic, partition): OffsetAndMetadata(position, self._membership.name, -1)
            for partition, position in positions.items()
            if position is not None
        }
        try:
            if offsets:
                self._consumer.commit_async(offsets)
        except KafkaError as problem:
            logger.debug("offsets_not_committed", error=type(problem).__name__)

    def _position(self, partition: int) -> int | None:
        try:
            position: int | None = self._consumer.position(TopicPartition(self.topic, partition), timeout_ms=100)
        except (KafkaError, KeyError):
            return None
        return position


def _places(topic: str, partitions: Iterable[int]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for partition in partitions]
