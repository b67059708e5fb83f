"""The causes that halt a partition, and the requests to the broker that show whether one still holds."""

import time
from collections.abc import Sequence
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
"""The time that the broker has to answer a request. A signal to stop waits for it."""

FETCH_BYTES = 4_000_000

logger = structlog.get_logger()


class HaltedPartition(NamedTuple):
    """
    A partition that is not read any further.

    Attributes:
        reason: the cause, in words.
        position: the offset at which reading stopped.
        since: the time at which the log was found to end before that offset; None for every other cause.
        lasting: whether only a new assignment of the partition can end it.
    """

    reason: str
    position: int
    since: datetime | None = None
    lasting: bool = False


class HaltCauses:
    """
    The causes of one topic, asked from the broker.

    Args:
        settings: the settings.
        probe: a consumer that sends requests and reads no records.
    """

    def __init__(self, settings: Settings, probe: KafkaConsumer) -> None:
        self._settings = settings
        self._probe = probe

    def out_of_range(self, partition: int, position: int) -> HaltedPartition:
        """Return the cause for a log that does not hold *position*."""
        try:
            first, end = self._extent(self._place(partition))
        except KafkaError:
            return HaltedPartition(_gone(position, "does not hold it"), position, datetime.now(UTC))
        since = None if position < first else datetime.now(UTC)
        return HaltedPartition(_gone(position, f"holds {first} to {end}"), position, since)

    def corrupt(self, partition: int, position: int) -> HaltedPartition | None:
        """Return the cause if the records from *position* on cannot be decoded, else None."""
        try:
            self._first_records(self._place(partition), position)
        except CorruptRecordError:
            return HaltedPartition(_corrupt(position), position)
        except KafkaError as problem:
            logger.debug("partition_not_looked_at", partition=partition, error=type(problem).__name__)
        return None

    def still(self, partition: int, halted: HaltedPartition) -> str | None:
        """
        Return the reason why the partition cannot be read now, or None if it can.

        Raises:
            KafkaError: if the broker does not answer.
        """
        place, position = self._place(partition), halted.position
        first, end = self._extent(place)
        if not first <= position <= end:
            return _gone(position, f"holds {first} to {end}")
        if halted.since and self._written_since(place, halted.since, position):
            return _gone(position, f"has grown to {end} since, with other records than those that were read")
        try:
            records = self._first_records(place, position)
        except CorruptRecordError:
            return _corrupt(position)
        good = stamped_by_log(records)
        return None if len(good) == len(records) else _producers_time(records[len(good)].offset)

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self._settings.kafka_topic, partition)

    def _written_since(self, place: TopicPartition, since: datetime, position: int) -> bool:
        """Return whether the log has records below *position* written after *since*: other records than were read."""
        instant = int((since.timestamp() - self._settings.clock_margin_seconds) * 1000)
        offset = self._probe.offsets_for_times({place: instant}, timeout_ms=ANSWER_MS)[place]
        return offset is not None and offset.offset < position

    def _extent(self, place: TopicPartition) -> tuple[int, int]:
        first = self._probe.beginning_offsets([place], timeout_ms=ANSWER_MS)[place]
        return first, self._probe.end_offsets([place], timeout_ms=ANSWER_MS)[place]

    def _first_records(self, place: TopicPartition, position: int) -> list[ConsumerRecord]:
        """
        Return the first records of a partition from *position* on, or none if none arrives in time.

        Raises:
            CorruptRecordError: if they cannot be decoded.
            KafkaError: if the broker refuses.
        """
        options = {"isolation_level": "read_committed", "max_partition_fetch_bytes": FETCH_BYTES}
        with closing(open_consumer(self._settings, **options)) as consumer:
            consumer.assign([place])
            consumer.seek(place, position)
            end = time.monotonic() + ANSWER_MS / 1000
            while time.monotonic() < end:
                if records := consumer.poll(timeout_ms=200):
                    return list(records[place])
        return []


def producers_time(offset: int) -> HaltedPartition:
    """Return the cause for the record at *offset*, whose stamp is not the log's."""
    return HaltedPartition(_producers_time(offset), offset)


def truncated(position: int) -> HaltedPartition:
    """Return the cause for a log that holds other records below *position* than those that were read. It is lasting."""
    reason = f"the position is {position}, but the log holds other records before it than those that were read"
    return HaltedPartition(f"{reason} (restore them from a backup)", position, lasting=True)


def stamped_by_log(records: Sequence[ConsumerRecord]) -> list[ConsumerRecord]:
    """Return *records* up to the first that was not stamped by the log."""
    return list(takewhile(lambda record: record.timestamp_type == LOG_APPEND_TIME, records))


def _producers_time(offset: int) -> str:
    return f"the record at {offset} was stamped by its producer (set message.timestamp.type to LogAppendTime)"


def _gone(position: int, holds: str) -> str:
    return f"the position is {position}, and the log {holds}: records are gone (restore them from a backup)"


def _corrupt(position: int) -> str:
    reason = f"a record from {position} on is corrupt, as no client of Kafka should write it"
    return f"{reason} (remove it, or copy the topic without it)"
