"""The end of the topic of facts that no projector has read yet, for whoever corrects one of its facts."""

import time
from collections.abc import Iterator
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, KafkaTimeoutError
from sqlalchemy import Engine, select

from events.errors import Unreachable
from projections.ledger.chain import LogRecord
from projections.tables.schema import partitions
from services.settings import Settings

from .clients import open_consumer
from .diagnosis import why
from .partitioner import partition_for
from .records import log_record
from .topics import checked

POLL_MS = 200


class KafkaTail:
    """
    What the partitions of the topic of facts hold after the positions in the database.

    Raises:
        Infrastructure: if the topic is missing, or would lose or reorder facts.
        Unreachable: if no broker answers, from its methods too.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._numbers = range(checked(settings))
        with engine.connect() as conn:
            of_topic = partitions.c.topic == settings.kafka_topic
            rows = conn.execute(select(partitions.c.partition, partitions.c.position).where(of_topic))
            self._positions = {row.partition: row.position for row in rows}

    def of(self, subject: str) -> Iterator[LogRecord]:
        """Yield the records with the key *subject* in its home partition."""
        key = subject.encode()
        home = TopicPartition(self._settings.kafka_topic, partition_for(len(self._numbers))(key))
        with closing(open_consumer(self._settings, isolation_level="read_committed")) as consumer:
            consumer.assign([home])
            consumer.seek(home, self._positions.get(home.partition, 0))
            for came in self._until(consumer, home, self._ends(consumer, [home])[home]):
                if came.key == key:
                    yield log_record(came)

    def count(self) -> int:
        """Return how many records there are in all; the marks of transactions count among them."""
        places = [TopicPartition(self._settings.kafka_topic, number) for number in self._numbers]
        with closing(open_consumer(self._settings, isolation_level="read_committed")) as consumer:
            ends = self._ends(consumer, places)
        return sum(max(end - self._positions.get(place.partition, 0), 0) for place, end in ends.items())

    def _until(self, consumer: KafkaConsumer, place: TopicPartition, end: int) -> Iterator[ConsumerRecord]:
        patience = self._settings.kafka_publish_timeout_seconds
        give_up = time.monotonic() + patience
        try:
            while consumer.position(place) < end:
                came = consumer.poll(POLL_MS).get(place, ())
                yield from came
                if came:
                    give_up = time.monotonic() + patience
                elif time.monotonic() > give_up:
                    raise KafkaTimeoutError(f"nothing came for {patience} s")
        except KafkaError as problem:
            raise Unreachable(why(self._settings, problem)) from problem

    def _ends(self, consumer: KafkaConsumer, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        try:
            ends: dict[TopicPartition, int] = consumer.end_offsets(places)
        except KafkaError as problem:
            raise Unreachable(why(self._settings, problem)) from problem
        return ends
