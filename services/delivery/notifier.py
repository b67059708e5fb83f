"""The notifier: one worker for each receiver, each in a thread of its own."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from projections.tables.outbox import KAFKA_RECEIVER
from services.log.open import topic_of, uses_kafka
from services.runtime.heartbeat import Heartbeat
from services.runtime.together import WAKE_SECONDS, run_together
from services.settings import Settings, delivery_file

from .channels.exchange import Exchange
from .channels.opening import open_channel
from .composing import Composer
from .config.loading import load_delivery
from .config.model import DeliveryConfig, Feed, KafkaTopic
from .config.secrets import Secrets
from .operational import Weeks
from .outbox_sender import OutboxSender
from .planning import Planner
from .receiver_worker import ReceiverWorker
from .sending import Sender
from .statuses.receiver import status_receiver
from .statuses.sender import StatusSender
from .watching import Watch

STUCK_SECONDS = 300.0
"""Seconds without a sign of life of one worker, after which the notifier shows none. A try takes 30 s at most."""


class Worker(Protocol):
    """Serves one receiver."""

    def run(self, stop: threading.Event, poll_seconds: float, beat: Callable[[], None]) -> None:
        """Serve it until *stop* is set, and show a sign of life each turn."""
        ...


def run_workers(
    workers: Sequence[Worker], stop: threading.Event, poll_seconds: float, beat: Callable[[], None]
) -> None:
    """
    Run *workers* until *stop* is set or one of them fails. Without workers, only wait for *stop*.

    Raises:
        Exception: the error with which a worker ended.
    """
    while not workers and not stop.is_set():
        beat()
        stop.wait(WAKE_SECONDS)
    if not workers:
        return
    hearts = [Heartbeat() for _ in workers]
    tasks = [partial(worker.run, stop, poll_seconds, heart.beat) for worker, heart in zip(workers, hearts, strict=True)]

    def beat_with_all() -> None:
        if max(heart.age_seconds for heart in hearts) < STUCK_SECONDS:
            beat()

    run_together(tasks, stop, "casetrail-receiver", beat_with_all)


def workers(settings: Settings, engine: Engine) -> list[Worker]:
    """
    Return a worker for each receiver: Kafka, if the log is in Kafka, and those of the configuration.

    Raises:
        BadInput: if the configuration is wrong, or a secret is missing.
    """
    return [*_kafka_workers(settings, engine), *_receiver_workers(settings, engine)]


def _kafka_workers(settings: Settings, engine: Engine) -> Iterator[Worker]:
    if uses_kafka(settings):
        from .kafka import kafka_receiver  # noqa: PLC0415 - Kafka's client takes long to load

        yield OutboxSender(engine, KAFKA_RECEIVER, lambda: kafka_receiver(settings, engine))


def _receiver_workers(settings: Settings, engine: Engine) -> Iterator[Worker]:
    file = delivery_file(settings)
    if file is None:
        return
    config, secrets, owner = load_delivery(file), Secrets(), str(uuid4())
    weeks = Weeks(ZoneInfo(settings.zone), topic_of(settings))
    yield from _status_workers(settings, engine, config, owner)
    for receiver in config.receivers.values():
        if not isinstance(receiver.target, KafkaTopic):
            is_bursting = not isinstance(receiver.target, Feed)
            channel = open_channel(receiver, settings, secrets)
            sender = Sender(engine, channel, Composer(receiver), _now, is_bursting=is_bursting)
            yield ReceiverWorker(engine, owner, Planner(engine, config, receiver), sender, weeks)
    if config.heartbeat is not None:
        yield Watch(engine, topic_of(settings), config.heartbeat, Exchange(config.heartbeat_allow), _now)


def _status_workers(settings: Settings, engine: Engine, config: DeliveryConfig, owner: str) -> Iterator[Worker]:
    """Yield a worker for the topic of statuses, if a receiver names it; that of alerts has one without a receiver."""
    receiver = status_receiver(settings, config.receivers.values())
    if receiver is not None:
        from .statuses.topic import StatusTopic  # noqa: PLC0415 - Kafka's client takes long to load

        yield StatusSender(engine, receiver.name, owner, lambda: StatusTopic(settings), _now)


def _now() -> datetime:
    return datetime.now(UTC)
