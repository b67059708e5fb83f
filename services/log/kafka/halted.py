"""Partitions that are not read any further: why, and whether that has passed when they are looked at again."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import takewhile
from typing import NamedTuple

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CorruptRecordError, KafkaError

from services.settings import Settings

from .clients import open_consumer
from .records import LOG_APPEND_TIME

ANSWER_MS = 1500
"""How long the broker has to answer a question; a signal to stop waits for it."""

FETCH_BYTES = 4_000_000
LONGEST_SECONDS = 300.0
NEVER = float("inf")

log = structlog.get_logger()


class HaltedPartition(NamedTuple):
    """
    Why a partition is not read.

    Attributes:
        reason: in words.
        position: the offset at which it stopped.
        since: when the log was found to end before that offset; None: it began after it, or holds it.
        again_at: from when (monotonic) on it is looked at again.
    """

    reason: str
    position: int
    since: datetime | None
    again_at: float


class HaltedPartitions:
    """
    The partitions of one topic that are not read. What is looked at again in vain waits twice as long the next time.

    Args:
        settings: the settings.
        probe: a consumer that answers questions and reads nothing.
    """

    def __init__(self, settings: Settings, probe: KafkaConsumer) -> None:
        self._settings = settings
        self._probe = probe
        self._stops: dict[int, HaltedPartition] = {}
        self._pauses: dict[int, float] = {}

    def reasons(self) -> Mapping[int, str]:
        """Return why each of them is not read."""
        return {partition: stop.reason for partition, stop in self._stops.items()}

    def forget(self, partitions: Iterable[int]) -> None:
        """Take *partitions* as good: they are assigned anew."""
        for partition in partitions:
            self._stops.pop(partition, None)
            self._pauses.pop(partition, None)

    def note_read(self, partitions: Iterable[int]) -> None:
        """Look again soon at those of *partitions* that stop another time: records of them have come."""
        for partition in partitions:
            if partition not in self._stops:
                self._pauses.pop(partition, None)

    def at_producers_time(self, partition: int, offset: int) -> None:
        """Stop *partition* at the record at *offset*, whose stamp is not the log's."""
        self._add(partition, _producers_time(offset), offset)

    def out_of_range(self, partition: int, position: int) -> None:
        """Stop *partition*, whose log does not hold *position*."""
        place = TopicPartition(self._settings.kafka_topic, partition)
        try:
            first, end = self._extent(place)
        except KafkaError:
            self._add(partition, _gone(position, "does not hold it"), position, datetime.now(UTC))
        else:
            since = None if position < first else datetime.now(UTC)
            self._add(partition, _gone(position, f"holds {first} to {end}"), position, since)

    def truncated(self, partition: int, position: int) -> None:
        """Stop *partition* until it is assigned anew: below *position* its log holds other records than it did."""
        reason = f"the position is {position}, and the log holds other records before it than those that were read"
        self._add(partition, f"{reason} (want them back from a backup)", position)
        self._stops[partition] = self._stops[partition]._replace(again_at=NEVER)

    def if_corrupt(self, partition: int, position: int) -> None:
        """Stop *partition* if what it holds from *position* on cannot be taken apart."""
        place = TopicPartition(self._settings.kafka_topic, partition)
        try:
            _first_records(self._settings, place, position)
        except CorruptRecordError:
            self._add(partition, _corrupt(position), position)
        except KafkaError as problem:
            log.debug("partition_not_looked_at", partition=partition, error=type(problem).__name__)

    def look_again(self, partitions: Iterable[int]) -> None:
        """Look at those of *partitions* whose time has come, and let go of each that can be read after all."""
        for partition in [*partitions]:
            stop = self._stops.get(partition)
            if stop is None or time.monotonic() < stop.again_at:
                continue
            try:
                reason = self._still(TopicPartition(self._settings.kafka_topic, partition), stop)
            except KafkaError:
                # Not a word about the partition.
                reason = stop.reason
            if reason is None:
                del self._stops[partition]
                log.info("partition_goes_on", partition=partition, position=stop.position)
            else:
                self._stops[partition] = stop._replace(reason=reason, again_at=self._later(partition))

    def _add(self, partition: int, reason: str, position: int, since: datetime | None = None) -> None:
        self._stops[partition] = HaltedPartition(reason, position, since, self._later(partition))
        log.error("partition_stopped", partition=partition, reason=reason)

    def _later(self, partition: int) -> float:
        pause = self._pauses.get(partition, self._settings.stall_seconds)
        self._pauses[partition] = min(2 * pause, LONGEST_SECONDS)
        return time.monotonic() + pause

    def _still(self, place: TopicPartition, stop: HaltedPartition) -> str | None:
        """Return why the partition cannot be read now; None if it can."""
        first, end = self._extent(place)
        position = stop.position
        if not first <= position <= end:
            return _gone(position, f"holds {first} to {end}")
        if stop.since and self._written_since(place, stop.since, position):
            return _gone(position, f"has grown to {end} since, with other records than those that were read")
        try:
            records = _first_records(self._settings, place, position)
        except CorruptRecordError:
            return _corrupt(position)
        foreign = next(_foreign(records), None)
        return None if foreign is None else _producers_time(foreign)

    def _written_since(self, place: TopicPartition, since: datetime, position: int) -> bool:
        """Whether the log was written to below *position* since then: the records that were read are not back."""
        instant = int((since.timestamp() - self._settings.clock_margin_seconds) * 1000)
        found = self._probe.offsets_for_times({place: instant}, timeout_ms=ANSWER_MS)[place]
        return found is not None and found.offset < position

    def _extent(self, place: TopicPartition) -> tuple[int, int]:
        first = self._probe.beginning_offsets([place], timeout_ms=ANSWER_MS)[place]
        return first, self._probe.end_offsets([place], timeout_ms=ANSWER_MS)[place]


def timed_by_log(records: Sequence[ConsumerRecord]) -> list[ConsumerRecord]:
    """Return *records* up to the first whose stamp is not the log's."""
    return list(takewhile(lambda record: record.timestamp_type == LOG_APPEND_TIME, records))


def _foreign(records: Iterable[ConsumerRecord]) -> Iterator[int]:
    return (record.offset for record in records if record.timestamp_type != LOG_APPEND_TIME)


def _producers_time(offset: int) -> str:
    return f"the record at {offset} bears its producer's time (want LogAppendTime, as the log's)"


def _gone(position: int, holds: str) -> str:
    return f"the position is {position}, and the log {holds}: records are gone (want them back from a backup)"


def _corrupt(position: int) -> str:
    reason = f"a record from {position} on is broken, as no client of Kafka should write it"
    return f"{reason} (want it removed, or the topic copied without it)"


def _first_records(settings: Settings, place: TopicPartition, position: int) -> list[ConsumerRecord]:
    """
    Return the first records of a partition from *position* on, as they come; none where none does in time.

    Raises:
        CorruptRecordError: if they cannot be taken apart.
        KafkaError: if the broker refuses.
    """
    options = {"isolation_level": "read_committed", "max_partition_fetch_bytes": FETCH_BYTES}
    with closing(open_consumer(settings, **options)) as alone:
        alone.assign([place])
        alone.seek(place, position)
        end = time.monotonic() + ANSWER_MS / 1000
        while time.monotonic() < end:
            if came := alone.poll(timeout_ms=200):
                return list(came[place])
    return []
