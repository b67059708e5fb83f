"""A database with an outbox, and notifiers that work on it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from projections.projector.projector import Projector
from projections.tables.origin import note_partitions
from projections.tables.outbox import KAFKA_RECEIVER
from projections.tables.schema import outbox, relays
from services.delivery.kafka import kafka_receiver
from services.delivery.outbox_sender import OutboxSender
from services.log.kafka.topics import require_topic
from services.settings import Settings
from tests.support import builders
from tests.support.builders import instant, rows
from tests.support.rules import dismissals
from tests.support.topic import PARTITIONS, home, migrated, settings_for, variables
from tests.support.waiting import wait_until


class Place:
    """A database projected from a topic, and the topic of its notices."""

    def __init__(self, address: str, make: Callable[..., str], url: str) -> None:
        self.settings = settings_for(
            address, make(partitions=PARTITIONS, settings={"retention.ms": "-1"}), database_url=url,
            kafka_alerts_topic=make(partitions=2),
        )  # fmt: skip
        self.engine = migrated(url)
        note_partitions(self.engine, self.settings.kafka_topic, PARTITIONS, require_topic(self.settings).topic_id)

    def variables(self) -> dict[str, str]:
        """Return the settings as variables for a process."""
        fields = {name: getattr(self.settings, name) for name in ("kafka_alerts_topic", "database_url")}
        return variables(self.settings.kafka_bootstrap_servers, self.settings.kafka_topic, **fields)

    def project(self, *lines: builders.Line, until: str = "2022-10-01") -> None:
        """Project *lines*, each person in the right partition, and advance the watermark to *until*."""
        by_home: dict[int, list[builders.Line]] = {}
        for line in lines:
            by_home.setdefault(home(line["subject"]), []).append(line)
        for partition, own in sorted(by_home.items()):
            projector = Projector(self.engine, dismissals(), partition, topic=self.settings.kafka_topic)
            projector.assign(instant("2022-01-01"))
            batch = builders.records(own, projector.checkpoint.position)
            projector.project([record._replace(partition=partition) for record in batch], instant(until))
            projector.advance_watermark(instant(until), instant(until))

    def notices(self) -> list[str]:
        """Return the ids of the notices in the outbox, partition by partition."""
        return [row["notice_id"] for row in rows(self.engine, outbox) if row["kind"] == "notice"]

    def notifier(self) -> OutboxSender:
        """Return a notifier of this database."""
        return OutboxSender(self.engine, KAFKA_RECEIVER, lambda: kafka_receiver(self.settings, self.engine))

    def sent(self) -> dict[int, int]:
        """Return the progress of each partition's outbox."""
        return {row["partition"]: row["sent"] for row in rows(self.engine, relays)}

    def sent_notices(self, count: int) -> list[ConsumerRecord]:
        """Return the records of the notice topic, once there are *count*."""
        return topic_records(self.settings, self.settings.kafka_alerts_topic, count)


@contextmanager
def running_notifiers(*notifiers: OutboxSender) -> Iterator[None]:
    """Run notifiers during the block, each in a thread of its own."""
    stop = threading.Event()
    with ThreadPoolExecutor() as pool:
        working = [pool.submit(thread.run, stop, 0.05, lambda: None) for thread in notifiers]
        try:
            yield
        finally:
            stop.set()
            for thread in working:
                thread.result()


def topic_records(settings: Settings, topic: str, count: int) -> list[ConsumerRecord]:
    """Return the records of *topic* once there are *count*; those of one partition stay in order."""
    with closing(KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)) as consumer:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        result: list[ConsumerRecord] = []

        def complete() -> bool:
            for records in consumer.poll(timeout_ms=100).values():
                result.extend(records)
            return len(result) >= count

        wait_until(complete)
        return result
