"""The topic of statuses: the last record of each key is the present status of a person."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from uuid import uuid5

from kafka.errors import KafkaError
from pydantic_core import to_json

from events.cloudevents import to_binary
from projections.alerts.alert import NAMESPACE
from services.log.kafka.clients import flushed, open_producer
from services.log.kafka.topics import require_status_topic
from services.settings import Settings

from .record import NewStatus, Sent

STATUS_TYPE = "casetrail.status.changed.v1"
STATUS_SOURCE = "urn:casetrail"

ANSWER_SECONDS = 2.0
SLICE_SECONDS = 0.2
CLOSE_SECONDS = 1.0
BATCH_BYTES = 256 * 1024
LARGEST_BYTES = 64 * 1024 * 1024

# A record that the broker has not acknowledged by then is dropped and written again later, with a higher number. It is
# less than the time for which a notifier owns a receiver: a slow one cannot write after another has taken over.
DELIVERY_SECONDS = 20.0


class StatusTopic:
    """
    A connection to the topic of statuses.

    Args:
        settings: the settings.

    Raises:
        Infrastructure: if the topic is missing, or does not keep the last record of each person.
        Unreachable: if no broker answers.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = require_status_topic(settings, ANSWER_SECONDS).name
        self._producer = open_producer(
            settings,
            linger_ms=5,
            batch_size=BATCH_BYTES,
            max_request_size=LARGEST_BYTES,
            max_block_ms=int(SLICE_SECONDS * 1000),
            request_timeout_ms=int(DELIVERY_SECONDS * 500),
            delivery_timeout_ms=int(DELIVERY_SECONDS * 1000),
        )

    def send(self, records: Iterable[NewStatus], goes_on: Callable[[], bool]) -> Sent:
        """Write *records*, no two of one person, until all have their answers or *goes_on* is false."""
        futures, problems = {}, []
        for record in records:
            try:
                futures[record.sequence] = self._producer.send(self._topic, **_fields(record))
            except KafkaError as problem:
                problems.append(problem)
        end = time.monotonic() + DELIVERY_SECONDS
        while not flushed(self._producer, SLICE_SECONDS) and goes_on() and time.monotonic() < end:
            pass
        acknowledged = [sequence for sequence, future in futures.items() if future.succeeded()]
        problems += [future.exception for future in futures.values() if future.failed()]
        refused = [problem for problem in problems if not problem.retriable]
        waiting = len(futures) - len(acknowledged) - sum(future.failed() for future in futures.values())
        others = [type(problem).__name__ for problem in problems if problem.retriable] + ["no answer"] * waiting
        return Sent(acknowledged, len(refused), others[0] if others else None)

    def close(self) -> None:
        """Close the connection. Records without an answer may arrive or not, and are written again later."""
        with suppress(KafkaError):
            self._producer.close(CLOSE_SECONDS)


def _fields(record: NewStatus) -> dict[str, Any]:
    """Return the record of Kafka: a CloudEvent in binary mode, with the person as its key."""
    event = {
        "specversion": "1.0",
        "id": str(uuid5(NAMESPACE, f"status {record.sequence} {record.subject_id}")),
        "source": STATUS_SOURCE,
        "type": STATUS_TYPE,
        "subject": record.subject_id,
        "time": record.at,
        "data": {**(record.status or {}), "sequence": record.sequence},
    }
    headers, value = to_binary(to_json(event))
    # A record without a value is the end of its key to Kafka, which compaction removes in time.
    return {
        "key": record.subject_id.encode(),
        "headers": headers,
        "value": None if record.status is None else value,
    }
