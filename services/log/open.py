"""Open the log that the settings name. Other modules do not read that setting: they ask `uses_kafka`."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import import_module

import structlog
from sqlalchemy import Engine

from events.errors import Unreachable
from projections.projector.side_writer import SideWriter
from projections.tables.database import UNAVAILABLE
from projections.tables.origin import check_local, note_partitions, partitions_of, progress_of
from projections.tables.schema import TOPIC
from services.database import concluded, failed_with
from services.runtime.backoff import jittered
from services.settings import Settings

from .base import Append, LogOffsets, LogReader, Tail
from .local import LocalLog, LocalOffsets, LocalReader, LocalTail

PAUSE_SECONDS = 1.0
START_SECONDS = 2.0

logger = structlog.get_logger()


def uses_kafka(settings: Settings) -> bool:
    """Return whether the log is a topic of Kafka, and not a table of the database."""
    return settings.log == "kafka"


def topic_of(settings: Settings) -> str:
    """Return the topic that the ledger and the partitions bear for the log of the settings."""
    return settings.kafka_topic if uses_kafka(settings) else TOPIC


def preload(settings: Settings) -> None:
    """Load the log's client, before several threads open the log."""
    if uses_kafka(settings):
        # The modules of kafka-python import one another in a circle. Two threads that load them at once fail.
        import_module("kafka")


@contextmanager
def open_log(settings: Settings, engine: Engine, seconds: float) -> Iterator[LogReader]:
    """
    Yield a reader of the log, and close it after the block.

    Args:
        settings: the settings.
        engine: the database.
        seconds: how long a broker has to answer.

    Raises:
        Infrastructure: if the topic is missing or would lose facts, or this database was projected from another log.
        Unreachable: if the broker does not answer.
    """
    with closing(_open_reader(settings, engine, threading.Event(), seconds)) as reader:
        yield reader


@contextmanager
def await_log(
    settings: Settings, engine: Engine, stop: threading.Event, beat: Callable[[], None]
) -> Iterator[LogReader | None]:
    """
    Yield a reader of the log once its broker and the database answer; yield None if *stop* is set before.

    While it waits it calls *beat*, as a sign of life.

    Raises:
        Infrastructure: as for `open_log`.
    """
    reader = _await_reader(settings, engine, stop, beat)
    try:
        yield reader
    finally:
        if reader is not None:
            reader.close()


@contextmanager
def log_offsets(settings: Settings, engine: Engine) -> Iterator[LogOffsets]:
    """Yield the offsets of the log, and close them after the block."""
    with closing(_open_offsets(settings, engine)) as offsets:
        yield offsets


def side_writer(engine: Engine, partition: int) -> SideWriter:
    """Return a writer beside the projector of *partition*, for the log from which the database was projected."""
    with engine.connect() as conn:
        topic, count = next(iter(partitions_of(conn).items()), (TOPIC, 1))
    if count == 1:
        return SideWriter(engine, partition, topic=topic)
    from .kafka.partitioner import partition_for  # noqa: PLC0415 - Kafka's client takes long to load; one partition needs none

    return SideWriter(engine, partition, topic=topic, home=partition_for(count))


@contextmanager
def appending(settings: Settings) -> Iterator[Append]:
    """
    Yield a function that appends facts to the log, and close the log after the block.

    Raises:
        Infrastructure: if the topic is missing or would lose facts, or this database was projected from another log.
        Unreachable: if the broker does not answer.
    """
    if uses_kafka(settings):
        from .kafka.writer import KafkaLog  # noqa: PLC0415 - Kafka's client takes long to load

        try:
            log = KafkaLog(settings)
        except Unreachable as problem:
            raise Unreachable(f"nothing is accepted: {problem.what}", problem.wanted, problem.where) from problem
        with closing(log):
            yield log.append
    else:
        engine = concluded(settings)
        try:
            # No projector reads the local log of a database that was projected from Kafka, and none would start there.
            check_local(engine)
            yield LocalLog(engine).append
        finally:
            engine.dispose()


def tail_of(settings: Settings, engine: Engine) -> Tail:
    """Return the records of the log that no projector has read yet."""
    if uses_kafka(settings):
        from .kafka.tail import KafkaTail  # noqa: PLC0415 - Kafka's client takes long to load

        return KafkaTail(settings, engine)
    return LocalTail(LocalLog(engine))


def _await_reader(
    settings: Settings, engine: Engine, stop: threading.Event, beat: Callable[[], None]
) -> LogReader | None:
    while not stop.is_set():
        beat()
        try:
            return _open_reader(settings, engine, stop, START_SECONDS)
        except Unreachable as problem:
            seconds = jittered(PAUSE_SECONDS)
            logger.warning("log_unreachable", error=str(problem), pause_seconds=round(seconds, 2))
            stop.wait(seconds)
        except UNAVAILABLE as problem:
            logger.warning("database_failed", error=failed_with(problem), pause_seconds=PAUSE_SECONDS)
            stop.wait(PAUSE_SECONDS)
    return None


def _open_reader(settings: Settings, engine: Engine, stop: threading.Event, seconds: float) -> LogReader:
    if not uses_kafka(settings):
        check_local(engine)
        return LocalReader(engine, stop)
    from .kafka.membership import Membership  # noqa: PLC0415 - Kafka's client takes long to load
    from .kafka.reader import KafkaReader  # noqa: PLC0415 - the same
    from .kafka.topics import require_topic  # noqa: PLC0415 - the same

    topic = require_topic(settings, seconds)
    membership = Membership(settings, note_partitions(engine, topic.name, topic.partitions, topic.topic_id))
    membership.claim({progress.partition: progress.position for progress in progress_of(engine, topic.name)})
    return KafkaReader(settings, topic.partitions, membership)


def _open_offsets(settings: Settings, engine: Engine) -> LogOffsets:
    if not uses_kafka(settings):
        return LocalOffsets(engine)
    from .kafka.offsets import KafkaOffsets  # noqa: PLC0415 - Kafka's client takes long to load

    return KafkaOffsets(settings)
