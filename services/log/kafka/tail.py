"""The records at the end of the topic of facts that are not projected yet, for corrections."""

import time
from collections.abc import Iterator
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, KafkaTimeoutError
from sqlalchemy import Engine, and_, select

from projections.ledger.chain import LogRecord
from projections.tables.schema import OF_LOG, partitions
from services.settings import Settings

from .clients import open_consumer
from .diagnosis import unreachable
from .partitioner import partition_for
from .records import log_record
from .topics import partition_count

POLL_MS = 200


class KafkaTail:
    """
    The records of the topic of facts after the positions in the database; the methods are those of `Tail`.

    Raises:
        Infrastructure: if the topic is missing, or would lose or reorder facts.
        Unreachable: if no broker answers; the methods raise it too.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._numbers = range(partition_count(settings))
        with engine.connect() as conn:
            of_topic = and_(partitions.c.topic == settings.kafka_topic, OF_LOG)
            rows = conn.execute(select(partitions.c.partition, partitions.c.position).where(of_topic))
            self._positions = {row.partition: row.position for row in rows}

    def of(self, subject: str) -> Iterator[LogRecord]:
        """Yield the records with the key *subject* in the home partition of that key."""
        key = subject.encode()
        home = TopicPartition(self._settings.kafka_topic, partition_for(len(self._numbers))(key))
        with closing(open_consumer(self._settings, isolation_level="read_committed")) as consumer:
            consumer.assign([home])
            consumer.seek(home, self._positions.get(home.partition, 0))
            for record in self._until(consumer, home, self._ends(consumer, [home])[home]):
                if record.key == key:
                    yield log_record(record)

    def count(self) -> int:
        """Return the number of all these records. The marks of transactions are counted too."""
        places = [TopicPartition(self._settings.kafka_topic, number) for number in self._numbers]
        with closing(open_consumer(self._settings, isolation_level="read_committed")) as consumer:
            ends = self._ends(consumer, places)
        return sum(max(end - self._positions.get(place.partition, 0), 0) for place, end in ends.items())

    def _until(self, consumer: KafkaConsumer, place: TopicPartition, end: int) -> Iterator[ConsumerRecord]:
        timeout_seconds = self._settings.kafka_publish_timeout_seconds
        give_up = time.monotonic() + timeout_seconds
        try:
            while consumer.position(place) < end:
                records = consumer.poll(POLL_MS).get(place, ())
                yield from records
                if records:
                    give_up = time.monotonic() + timeout_seconds
                elif time.monotonic() > give_up:
                    raise KafkaTimeoutError(f"no records arrived for {timeout_seconds} s")
        except KafkaError as problem:
            raise unreachable(self._settings, problem) from problem

    def _ends(self, consumer: KafkaConsumer, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        try:
            ends: dict[TopicPartition, int] = consumer.end_offsets(places)
        except KafkaError as problem:
            raise unreachable(self._settings, problem) from problem
        return ends
