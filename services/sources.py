"""Which log the settings name, and whether this database belongs to it."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Engine

from projections.tables.database import AWAY
from projections.tables.origin import check_local, note_partitions, progress_of

from .localsource import LocalSource
from .reachable import failed_with
from .settings import Settings
from .source import Source, Unreachable

PAUSE_SECONDS = 1.0
START_SECONDS = 2.0

log = structlog.get_logger()


@contextmanager
def opened(chosen: Settings, engine: Engine, seconds: float) -> Iterator[Source]:
    """
    Give the log while the block runs.

    Args:
        chosen: the settings.
        engine: the database.
        seconds: how long a broker has to answer.

    Raises:
        Infrastructure: if the broker does not answer, the topic is missing or would lose facts, or this database was
            projected from another log.
    """
    source = _source(chosen, engine, threading.Event(), seconds)
    try:
        yield source
    finally:
        source.close()


@contextmanager
def awaited(
    chosen: Settings, engine: Engine, stop: threading.Event, beat: Callable[[], None]
) -> Iterator[Source | None]:
    """
    Give the log while the block runs, waiting for a broker or a database that is away; None if *stop* is set before.

    While it waits it calls *beat*, as a sign of life.

    Raises:
        Infrastructure: as for `opened`, but for a broker that does not answer.
    """
    source = _await(chosen, engine, stop, beat)
    try:
        yield source
    finally:
        if source is not None:
            source.close()


def _await(chosen: Settings, engine: Engine, stop: threading.Event, beat: Callable[[], None]) -> Source | None:
    while not stop.is_set():
        beat()
        try:
            return _source(chosen, engine, stop, START_SECONDS)
        except Unreachable as problem:
            seconds = PAUSE_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 - so that two do not meet again
            log.warning("log_unreachable", error=str(problem), pause_seconds=round(seconds, 2))
            stop.wait(seconds)
        except AWAY as problem:
            log.warning("database_failed", error=failed_with(problem), pause_seconds=PAUSE_SECONDS)
            stop.wait(PAUSE_SECONDS)
    return None


def _source(chosen: Settings, engine: Engine, stop: threading.Event, seconds: float) -> Source:
    if chosen.log == "local":
        check_local(engine)
        return LocalSource(engine, stop)
    from .broker.group import KafkaSource  # noqa: PLC0415 - Kafka's client takes long to load, and not all need it
    from .broker.membership import Membership  # noqa: PLC0415 - the same
    from .broker.topics import seen  # noqa: PLC0415 - the same

    topic = seen(chosen, seconds)
    membership = Membership(chosen, note_partitions(engine, topic.name, topic.partitions, topic.topic_id))
    membership.claim({each.partition: each.position for each in progress_of(engine, topic.name)})
    return KafkaSource(chosen, topic.partitions, membership)
