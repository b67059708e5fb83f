"""The offsets of the topic of facts, read outside of the consumer group of the projectors."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from events.errors import Unreachable
from services.log.base import Extent
from services.settings import Settings

from .clients import open_consumer
from .records import LOG_APPEND_TIME
from .topics import Topic, require_topic

ANSWER_SECONDS = 2.0
"""The time that the broker has to answer a request."""

POLL_MS = 100


class KafkaOffsets:
    """The offsets of the topic. It joins no group and commits nothing; the methods are those of `LogOffsets`."""

    def __init__(self, settings: Settings) -> None:
        self.topic = settings.kafka_topic
        self._settings = settings
        self._checked: Topic | None = None
        # It also reads records of open transactions: they are in the log, and wait to be projected.
        self._consumer = open_consumer(settings, max_poll_records=1, max_partition_fetch_bytes=1024)

    def partitions(self) -> int:
        """Return the number of partitions. It is read once, because the projectors stop if it changes."""
        return self._topic().partitions

    def topic_id(self) -> str | None:
        """Return Kafka's id of the topic. It is read once, because the projectors stop if it changes."""
        return self._topic().topic_id

    def extents(self, positions: Mapping[int, int]) -> Mapping[int, Extent]:
        """Return the extent of each partition in *positions*, as seen from that position."""
        places = {partition: TopicPartition(self.topic, partition) for partition in positions}
        milliseconds = int(ANSWER_SECONDS * 1000)
        try:
            firsts = self._consumer.beginning_offsets(places.values(), timeout_ms=milliseconds)
            ends = self._consumer.end_offsets(places.values(), timeout_ms=milliseconds)
            behind = {
                place: positions[partition]
                for partition, place in places.items()
                if firsts[place] <= positions[partition] < ends[place]
            }
            waiting = self._first_records(behind)
        except KafkaError as problem:
            what = f"Kafka does not return the offsets of {self.topic}: {type(problem).__name__}"
            raise Unreachable(what) from problem
        return {
            partition: _extent(firsts[place], ends[place], waiting.get(place)) for partition, place in places.items()
        }

    def close(self) -> None:
        """Close the connection to the broker."""
        self._consumer.close(autocommit=False, timeout_ms=int(ANSWER_SECONDS * 1000))

    def _topic(self) -> Topic:
        if self._checked is None:
            self._checked = require_topic(self._settings, ANSWER_SECONDS)
        return self._checked

    def _first_records(self, behind: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, ConsumerRecord]:
        """Return the first record of each partition from an offset on, if it arrives in time."""
        first: dict[TopicPartition, ConsumerRecord] = {}
        self._consumer.assign(list(behind))
        for place, position in behind.items():
            self._consumer.seek(place, position)
        end = time.monotonic() + ANSWER_SECONDS
        while len(first) < len(behind) and time.monotonic() < end:
            for place, records in self._consumer.poll(timeout_ms=POLL_MS).items():
                first.setdefault(place, records[0])
                self._consumer.pause(place)
        self._consumer.assign([])
        return first


def _extent(first: int, end: int, record: ConsumerRecord | None) -> Extent:
    if record is None:
        return Extent(first, end)
    stamped = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return Extent(first, end, stamped, record.timestamp_type == LOG_APPEND_TIME)
