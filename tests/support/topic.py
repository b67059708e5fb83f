"""A topic for one test: records from clients of any kind, and the projectors' loop over it."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

from kafka import KafkaProducer
from sqlalchemy import Engine

from events.cloudevents import to_binary
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import Checkpoint
from projections.tables.database import open_database
from projections.tables.origin import Origin, note_partitions
from services.database import migrate
from services.log.kafka.membership import Membership
from services.log.kafka.partitioner import partition_for
from services.log.kafka.reader import KafkaReader
from services.settings import Settings
from services.workers.projector_loop import Loop
from tests.support.builders import Line, records
from tests.support.rules import dismissals

PARTITIONS = 3


class Sent(NamedTuple):
    """A record in the form that a client sends; *partition* None stands for the partition of its key."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    partition: int | None = None


def settings_for(address: str, topic: str, **more: Any) -> Settings:
    """Return the settings of a projector of *topic*, in a group of its own."""
    fields: dict[str, Any] = {
        "log": "kafka",
        "kafka_bootstrap_servers": address,
        "kafka_topic": topic,
        "kafka_group": topic,
        "clock_margin_seconds": 2,
    }
    return Settings(**fields | more)


def variables(address: str, topic: str, database_url: str, **more: Any) -> dict[str, str]:
    """Return the same settings as variables of a process with the database at *database_url*."""
    settings = settings_for(address, topic, database_url=database_url, **more)
    return {f"CASETRAIL_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}


def migrated(url: str) -> Engine:
    """Open the database at *url*, migrated to this release's schema."""
    engine = open_database(url)
    migrate(engine)
    return engine


def binary(line: Line, partition: int | None = None) -> Sent:
    """Return a fact in binary mode."""
    (record,) = records([line])
    assert record.value
    headers, value = to_binary(record.value)
    return Sent(record.key, value, headers, partition)


def structured(line: Line) -> Sent:
    """Return a fact in structured mode."""
    (record,) = records([line])
    return Sent(record.key, record.value, [("content-type", b"application/cloudevents+json; charset=UTF-8")])


def send(address: str, topic: str, sent: Iterable[Line | Sent], **options: Any) -> None:
    """Send facts, in binary mode by default, and wait until all are acknowledged."""
    with closing(KafkaProducer(bootstrap_servers=address, **options)) as producer:
        futures = []
        for item in sent:
            record = item if isinstance(item, Sent) else binary(item)
            futures.append(
                producer.send(
                    topic, record.value, key=record.key, headers=[*record.headers], partition=record.partition
                )
            )
        producer.flush(60)
        for future in futures:
            future.get(60)


def home(subject: str, partitions: int = PARTITIONS) -> int:
    """Return the partition of the facts about *subject*."""
    return partition_for(partitions)(subject.encode())


def subject_at(partition: int, partitions: int = PARTITIONS) -> str:
    """Return a person of *partition*."""
    return next(f"p{n}" for n in range(1000) if home(f"p{n}", partitions) == partition)


@contextmanager
def reader_of(settings: Settings, partitions: int = PARTITIONS) -> Iterator[KafkaReader]:
    """Yield a member of the projectors' group."""
    source = KafkaReader(settings, partitions, Membership(settings, Origin(settings.kafka_topic, None, "test")))
    try:
        yield source
    finally:
        source.close()


def loop_of(engine: Engine, source: KafkaReader, rules: Rulebook | None = None, **options: Any) -> Loop:
    """Return the projectors' loop over *source*."""
    defaults: dict[str, Any] = {"batch_records": 100, "clock_margin_seconds": 60}
    note_partitions(engine, source.topic, source.partitions)
    return Loop(engine, rules or dismissals(), source, **defaults | options)


def drained(engine: Engine, settings: Settings, rules: Rulebook | None = None) -> list[Checkpoint]:
    """Project the whole topic, and return the checkpoint of each partition."""
    with reader_of(settings) as source:
        return loop_of(engine, source, rules).drain(source.ends(range(source.partitions)))


@contextmanager
def running(loop: Loop) -> Iterator[threading.Thread]:
    """Run *loop* in a thread of its own during the block."""
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop, 0.1))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(60)


def total(done: Iterable[Checkpoint]) -> Mapping[str, int]:
    """Return the number of records with each outcome over all partitions, without those that are 0."""
    names = ("read", "applied", "duplicate", "conflict", "parked", "forwarded")
    rows = [*done]
    counts = {name: sum(getattr(row, name) for row in rows) for name in names}
    return {name: count for name, count in counts.items() if count}
