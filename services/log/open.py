"""Which log the settings name, and whether this database belongs to it."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import structlog
from sqlalchemy import Engine

from events.errors import Unreachable
from projections.projector.side_writer import SideWriter
from projections.tables.database import AWAY
from projections.tables.origin import check_local, note_partitions, partitions_of, progress_of
from projections.tables.schema import TOPIC
from services.database import concluded, failed_with
from services.settings import Settings

from .base import Append, LogOffsets, LogReader, Tail
from .local import LocalLog, LocalOffsets, LocalReader, LocalTail

PAUSE_SECONDS = 1.0
START_SECONDS = 2.0

log = structlog.get_logger()


@contextmanager
def open_log(settings: Settings, engine: Engine, seconds: float) -> Iterator[LogReader]:
    """
    Give the log while the block runs.

    Args:
        settings: the settings.
        engine: the database.
        seconds: how long a broker has to answer.

    Raises:
        Infrastructure: if the broker does not answer, the topic is missing or would lose facts, or this database was
            projected from another log.
    """
    source = _source(settings, engine, threading.Event(), seconds)
    try:
        yield source
    finally:
        source.close()


@contextmanager
def await_log(
    settings: Settings, engine: Engine, stop: threading.Event, beat: Callable[[], None]
) -> Iterator[LogReader | None]:
    """
    Give the log while the block runs, waiting for a broker or a database that is away; None if *stop* is set before.

    While it waits it calls *beat*, as a sign of life.

    Raises:
        Infrastructure: as for `open_log`, but for a broker that does not answer.
    """
    source = _await(settings, engine, stop, beat)
    try:
        yield source
    finally:
        if source is not None:
            source.close()


def _await(settings: Settings, engine: Engine, stop: threading.Event, beat: Callable[[], None]) -> LogReader | None:
    while not stop.is_set():
        beat()
        try:
            return _source(settings, engine, stop, START_SECONDS)
        except Unreachable as problem:
            seconds = PAUSE_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 - so that two do not meet again
            log.warning("log_unreachable", error=str(problem), pause_seconds=round(seconds, 2))
            stop.wait(seconds)
        except AWAY as problem:
            log.warning("database_failed", error=failed_with(problem), pause_seconds=PAUSE_SECONDS)
            stop.wait(PAUSE_SECONDS)
    return None


def _source(settings: Settings, engine: Engine, stop: threading.Event, seconds: float) -> LogReader:
    if settings.log == "local":
        check_local(engine)
        return LocalReader(engine, stop)
    from .kafka.membership import Membership  # noqa: PLC0415 - the same
    from .kafka.reader import KafkaReader  # noqa: PLC0415 - Kafka's client takes long to load, and not all need it
    from .kafka.topics import seen  # noqa: PLC0415 - the same

    topic = seen(settings, seconds)
    membership = Membership(settings, note_partitions(engine, topic.name, topic.partitions, topic.topic_id))
    membership.claim({each.partition: each.position for each in progress_of(engine, topic.name)})
    return KafkaReader(settings, topic.partitions, membership)


@contextmanager
def log_offsets(settings: Settings, engine: Engine) -> Iterator[LogOffsets]:
    """Give what asks the log that the settings name, while the block runs."""
    if settings.log == "local":
        yield LocalOffsets(engine)
        return
    from .kafka.offsets import KafkaOffsets  # noqa: PLC0415 - Kafka's client takes long to load, and not all need it

    asking = KafkaOffsets(settings)
    try:
        yield asking
    finally:
        asking.close()


def side_writer(engine: Engine, partition: int) -> SideWriter:
    """Return the one who writes beside the projector of *partition*, whatever log it was projected from."""
    with engine.connect() as conn:
        topic, count = next(iter(partitions_of(conn).items()), (TOPIC, 1))
    if count == 1:
        return SideWriter(engine, partition, topic=topic)
    from .kafka.partitioner import partition_for  # noqa: PLC0415 - Kafka's client takes long to load; one partition needs none

    return SideWriter(engine, partition, topic=topic, home=partition_for(count))


@contextmanager
def appending(settings: Settings) -> Iterator[Append]:
    """Give what appends facts to the log that the settings choose, while the block runs."""
    if settings.log == "kafka":
        from .kafka.writer import KafkaLog  # noqa: PLC0415 - Kafka's client takes long to load

        try:
            open_log = KafkaLog(settings)
        except Unreachable as problem:
            raise Unreachable(f"nothing is accepted: {problem}") from problem
        with closing(open_log) as log:
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
    if settings.log == "local":
        return LocalTail(LocalLog(engine))
    from .kafka.tail import KafkaTail  # noqa: PLC0415 - as above

    return KafkaTail(settings, engine)
