"""A database with an outbox, and notifiers at work on it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from projections.projector.projector import Projector
from projections.rules.rulebook import pack
from projections.tables.origin import note_partitions
from projections.tables.schema import outbox, relays
from services.delivery.kafka import sender
from services.delivery.notifier import Notifier
from services.log.kafka.topics import seen
from services.settings import Settings
from tests.support import builders
from tests.support.builders import instant, rows
from tests.support.topic import PARTITIONS, chosen, home, migrated, variables
from tests.support.waiting import wait_until


class Place:
    """A database projected from a topic, and where its notices go."""

    def __init__(self, address: str, make: Callable[..., str], url: str) -> None:
        self.settings = chosen(
            address, make(partitions=PARTITIONS, settings={"retention.ms": "-1"}), database_url=url,
            kafka_alerts_topic=make(partitions=2),
        )  # fmt: skip
        self.engine = migrated(url)
        note_partitions(self.engine, self.settings.kafka_topic, PARTITIONS, seen(self.settings).topic_id)

    def variables(self) -> dict[str, str]:
        """The settings for a process."""
        given = {name: getattr(self.settings, name) for name in ("kafka_alerts_topic", "database_url")}
        return variables(self.settings.kafka_bootstrap_servers, self.settings.kafka_topic, **given)

    def project(self, *lines: builders.Line, until: str = "2022-10-01") -> None:
        """Conclude from *lines*, each person in their home partition, and let time pass."""
        by_home: dict[int, list[builders.Line]] = {}
        for line in lines:
            by_home.setdefault(home(line["subject"]), []).append(line)
        for partition, own in sorted(by_home.items()):
            projector = Projector(self.engine, pack(), partition, topic=self.settings.kafka_topic)
            projector.assign(instant("2022-01-01"))
            came = builders.records(own, projector.held.position)
            projector.project([record._replace(partition=partition) for record in came], instant(until))
            projector.advance_watermark(instant(until), instant(until))

    def notices(self) -> list[str]:
        """The ids of the notices that were told, partition by partition."""
        return [row["notice_id"] for row in rows(self.engine, outbox) if row["kind"] == "notice"]

    def relay(self) -> Notifier:
        """A relay of our own."""
        return Notifier(self.engine, lambda: sender(self.settings, self.engine))

    def sent(self) -> dict[int, int]:
        """How far each partition's outbox has been sent."""
        return {row["partition"]: row["sent"] for row in rows(self.engine, relays)}

    def told(self, count: int) -> list[ConsumerRecord]:
        """What the topic of notices holds, *count* records or more."""
        return held(self.settings, self.settings.kafka_alerts_topic, count)


@contextmanager
def at_work(*relays_: Notifier) -> Iterator[None]:
    """Let relays work, each in a thread of its own, while the block runs."""
    stop = threading.Event()
    with ThreadPoolExecutor() as pool:
        working = [pool.submit(each.run, stop, 0.05, lambda: None) for each in relays_]
        try:
            yield
        finally:
            stop.set()
            for each in working:
                each.result()


def held(settings: Settings, topic: str, count: int) -> list[ConsumerRecord]:
    """The records of *topic*, once there are *count*; those of a partition in their order."""
    with closing(KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)) as consumer:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        found: list[ConsumerRecord] = []

        def complete() -> bool:
            for records in consumer.poll(timeout_ms=100).values():
                found.extend(records)
            return len(found) >= count

        wait_until(complete)
        return found
