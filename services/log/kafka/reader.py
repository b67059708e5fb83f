"""The topic of facts as the projectors read it: shared among the members of a consumer group."""

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
from .halted import ANSWER_MS, FETCH_BYTES, HaltedPartitions, timed_by_log
from .membership import Membership
from .partitioner import partition_for
from .records import check_stamps, log_record

COMMIT_SECONDS = 5.0
CHECK_SECONDS = 60.0
TELL_SECONDS = 60.0
LONGEST_SECONDS = 600.0
HEARTBEAT_MS = 1000
"""Often enough: a member learns by it that others have come or gone, and all wait for the last to learn."""

POLL_SECONDS = (0.1, 0.2)
MAX_POLL_MS = 600_000
"""How long a batch may take before the group gives our partitions to others: new rules for a million people do."""

CURABLE = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
"""What kafka-python does not mark as retriable, though joining the group anew cures it."""

log = structlog.get_logger()


class KafkaReader:
    """
    Reads the partitions that the consumer group gives us; the attributes are those of `LogReader`.

    Args:
        settings: the settings.
        partitions: how many the topic has.
        membership: whose the group is.
    """

    def __init__(self, settings: Settings, partitions: int, membership: Membership) -> None:
        self.topic = settings.kafka_topic
        self.partitions = partitions
        self.home = partition_for(partitions)
        self.slack = timedelta(seconds=settings.clock_margin_seconds)
        self._settings = settings
        self._membership = membership
        self._reading: set[int] = set()
        self._known: frozenset[int] = frozenset()
        # For how many seconds the consumer was asked for records; and how many when a partition last had some.
        self._asked = 0.0
        self._moved: dict[int, float] = {}
        self._commit_at = time.monotonic() + COMMIT_SECONDS
        self._tell_at = 0.0
        self._wait_at = 0.0
        self._times = 0
        self._check_at = time.monotonic() + CHECK_SECONDS
        # For how long of that it may be without partitions, and how long it had been asked when it last had some.
        self._patience, self._settled = settings.stall_seconds, 0.0
        # Its ends are those of all records, also of transactions under way, whose stamps are past already.
        self._probe = open_consumer(settings)
        self._stops = HaltedPartitions(settings, self._probe)
        self._join()

    @property
    def stopped(self) -> Mapping[int, str]:
        """Why a partition that is ours is not read."""
        return {partition: reason for partition, reason in self._stops.reasons().items() if partition in self.ours}

    @property
    def ours(self) -> frozenset[int]:
        """The partitions that the group has given us, for whoever looks on."""
        return self._ours.now()

    def assigned(self) -> frozenset[int]:
        """Return the partitions that are ours now and can be read; one that has come back is left out once."""
        times, checked = self._ours.times()
        if times != self._times:
            # Ours by a name that another database may have taken over, or by a topic that was made again.
            self._membership.check(checked)
            self._times = times
        ours, gone = self._ours.take()
        # What has come meanwhile is for the next time.
        ours &= checked
        if gone or ours - self._known:
            log.info("partitions_assigned", partitions=sorted(ours))
        self._known = ours
        self._stops.forget(gone)
        if foreign := [partition for partition in ours if partition >= self.partitions]:
            msg = f"the topic {self.topic} has a partition {max(foreign)}, this database was projected from "
            raise Infrastructure(msg + f"{self.partitions}: people would change places (want the topic as it was)")
        readable = ours - gone - self._stops.reasons().keys()
        self._reading &= readable
        return readable

    def seek(self, partition: int, position: int) -> None:
        """Read *partition* from *position* on, if it is ours still."""
        at = TopicPartition(self.topic, partition)
        try:
            self._consumer.seek(at, position)
            self._consumer.resume(at)
        except (ValueError, KeyError, AssertionError, KafkaError):
            return
        self._reading.add(partition)
        self._moved[partition] = self._asked

    def hold(self, partition: int) -> None:
        """Read nothing of *partition* until `seek` is called again."""
        self._reading.discard(partition)
        # It may have been taken away this very moment.
        if partition in self.ours:
            pause(self._consumer, [TopicPartition(self.topic, partition)])

    def poll(self, wait_seconds: float, limit: int) -> Mapping[int, Sequence[LogRecord]]:
        """
        Return the next records by partition, at most *limit*, waiting a while where there are none.

        Where *wait_seconds* is 0, what has come already; but now and then, as the group needs it, as if it were not.

        Raises:
            Unreachable: if the broker refuses to give any.
            Infrastructure: if its clock is ahead of ours by more than the slack.
        """
        least, most = POLL_SECONDS
        now = time.monotonic()
        wait_ms = 0
        if wait_seconds or now >= self._wait_at:
            wait_ms = int(min(max(wait_seconds, least), most) * 1000)
            self._wait_at = now + most
        came: Mapping[TopicPartition, Sequence[ConsumerRecord]] = {}
        try:
            came = self._consumer.poll(timeout_ms=wait_ms, max_records=limit)
        except OffsetOutOfRangeError as problem:
            self._stop(problem.args[0].keys(), self._stops.out_of_range)
        except LogTruncationError as problem:
            self._stop(problem.divergent_offsets, self._stops.truncated)
        except CorruptRecordError:
            self._corrupt()
        except CURABLE as problem:
            self._renew("consumer_rejoins", error=type(problem).__name__)
        except KafkaError as problem:
            raise Unreachable(f"{type(problem).__name__}: {problem}") from problem
        except Exception as problem:
            # Whatever fails within the client: a new one has another chance, and a projector never exits for it.
            self._renew("consumer_failed", error=type(problem).__name__)
            raise Unreachable(f"the client for Kafka failed: {type(problem).__name__}") from problem
        self._asked += time.monotonic() - now
        found = {at.partition: self._read(at.partition, records) for at, records in came.items()}
        for records in found.values():
            check_stamps(records, datetime.now(UTC), self.slack)
        self._stops.note_read(found)
        self._stops.look_again(self.ours)
        self._watch(found)
        self._check()
        self._commit()
        return {partition: records for partition, records in found.items() if records}

    def passed(self, partition: int, position: int) -> int:
        """Return where the consumer is: marks and aborted records behind *position* are no records."""
        at = self._position(partition) if partition in self._reading else None
        return max(position, at or 0)

    def ends(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """
        Return the offset after the last record of each of *partitions*.

        Raises:
            Unreachable: if the broker does not answer.
        """
        try:
            found = self._probe.end_offsets(self._places(partitions), timeout_ms=ANSWER_MS)
        except KafkaError as problem:
            raise Unreachable(f"Kafka does not say where {self.topic} ends: {type(problem).__name__}") from problem
        return {at.partition: end for at, end in found.items()}

    def still_ends_at(self, conn: Connection, partition: int, position: int) -> bool:
        """Whether nothing is on its way to *partition*: the slack covers what has come since its end was asked for."""
        del position
        waiting = forwards_wait(conn, partition)
        if waiting and time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + TELL_SECONDS
            log.warning("forwards_wait", partition=partition, advice="is a notifier running?")
        return not waiting

    def rejoin(self) -> None:
        """Give all partitions back and ask for some anew."""
        self._renew("consumer_rejoins", error="another projector has one of our partitions")

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
        self._ours = Assignment(self._consumer)
        self._known, self._times = frozenset(), 0
        self._reading.clear()
        self._consumer.subscribe([self.topic], listener=self._ours)
        # Whoever shares the partitions out has to know them by then: told of them later, it would have all join again.
        with suppress(KafkaError):
            self._consumer.end_offsets([TopicPartition(self.topic, 0)], timeout_ms=ANSWER_MS)

    def _renew(self, event: str, **said: Any) -> None:  # noqa: ANN401 - fields of a log line
        log.warning(event, **said)
        with suppress(Exception):
            self._consumer.close(autocommit=False, timeout_ms=ANSWER_MS)
        self._join()

    def _read(self, partition: int, records: Sequence[ConsumerRecord]) -> list[LogRecord]:
        """Return *records* up to the first whose stamp is not the log's, at which the partition stops."""
        good = timed_by_log(records)
        if len(good) < len(records):
            self.hold(partition)
            self._stops.at_producers_time(partition, records[len(good)].offset)
        return [log_record(record) for record in good]

    def _stop(self, places: Iterable[TopicPartition], stop: Callable[[int, int], None]) -> None:
        """Read *places* no further, which *stop* notes with the position; the others go on."""
        for at in places:
            position = self._position(at.partition)
            self.hold(at.partition)
            stop(at.partition, position or 0)
        # A topic that was made again may show by this first.
        self._check_at = 0.0

    def _corrupt(self) -> None:
        """Find the partition whose record cannot be taken apart: the consumer does not say, and would hang now."""
        positions = {partition: self._position(partition) for partition in self._reading}
        self._renew("consumer_rejoins", error="CorruptRecordError")
        for partition, position in positions.items():
            if position is not None:
                self._stops.if_corrupt(partition, position)

    def _watch(self, came: Iterable[int]) -> None:
        """Begin anew if there are records and for long none has come, or if we have no place in the group."""
        state, asked = self._consumer.group_metadata().state, self._asked
        if self.ours and state == MemberState.STABLE:
            self._patience, self._settled = self._settings.stall_seconds, asked
        elif came and state == MemberState.REBALANCING:
            # While it waits to join it gives no records. kafka-python has forgotten that it does, and reads on, without
            # heartbeats, of what may be another's by now.
            self._renew("consumer_not_joined")
        elif asked - self._settled >= (LONGEST_SECONDS if self.ours else self._patience):
            # kafka-python can share out none before it is told of them, and leave it at that; or we are too many. Who
            # has some may have to wait for another member as long as a batch may take.
            self._patience, self._settled = min(2 * self._patience, LONGEST_SECONDS), asked
            self._renew("consumer_not_joined" if self.ours else "consumer_without_partitions")
        # Not by the clock: where much waits, a turn of all partitions takes long, and that is no stall.
        self._moved |= dict.fromkeys(came, asked)
        late = [each for each in self._reading if asked - self._moved.get(each, asked) >= self._settings.stall_seconds]
        if late:
            self._moved |= dict.fromkeys(late, asked)
            if stalled := self._stalled(late):
                self._renew("consumer_stalled", partitions=stalled)

    def _stalled(self, partitions: Sequence[int]) -> list[int]:
        try:
            ends = self.ends(partitions)
        except Unreachable:
            # The broker is away: that is no stall, and passes.
            return []
        behind = [each for each in partitions if self.passed(each, 0) < ends[each]]
        try:
            # What a transaction under way holds back cannot come yet.
            ends = {
                at.partition: end
                for at, end in self._consumer.end_offsets(self._places(behind), timeout_ms=ANSWER_MS).items()
            }
        except KafkaError:
            return behind
        return [each for each in behind if self.passed(each, 0) < ends[each]]

    def _check(self) -> None:
        """See now and then that group and topic are what they were; where that cannot be told, another time."""
        if time.monotonic() >= self._check_at and self.ours:
            self._check_at = time.monotonic() + CHECK_SECONDS
            with suppress(Unreachable):
                self._membership.check(self.ours)

    def _commit(self) -> None:
        """Say how far we are, for tools that show lag; the position that counts is in the database."""
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
            log.debug("offsets_not_committed", error=type(problem).__name__)

    def _position(self, partition: int) -> int | None:
        try:
            position: int | None = self._consumer.position(TopicPartition(self.topic, partition), timeout_ms=100)
        except (KafkaError, KeyError):
            return None
        return position

    def _places(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self.topic, partition) for partition in partitions]
