"""Append facts to Kafka, each in the home partition of its person, acknowledged by all in-sync replicas."""

from collections.abc import Sequence
from contextlib import suppress

from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import FutureRecordMetadata

from events.cloudevents import to_binary
from services.log.base import NotAcknowledged
from services.settings import Settings

from .clients import open_producer
from .diagnosis import unreachable
from .partitioner import partition_for
from .topics import partition_count

LINGER_MS = 20
"""The time that a batch waits for more facts. A flush ends the wait, so a single fact is not delayed."""

BATCH_BYTES = 512 * 1024
REQUEST_MS = 10_000

GRACE_SECONDS = 5.0
"""More time for the producer to report its own timeout, which names the cause."""


class KafkaLog:
    """
    The topic of facts, for publishing. After a fact was not acknowledged, open a new one.

    Raises:
        Infrastructure: if the topic is missing, or would lose or reorder facts.
        Unreachable: if no broker answers for CASETRAIL_KAFKA_PUBLISH_TIMEOUT_SECONDS.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        timeout_ms = max(int(settings.kafka_publish_timeout_seconds * 1000), 10 * LINGER_MS)
        # Without this check a producer would log a missing topic for ever, ten times a second.
        self._home = partition_for(partition_count(settings, settings.kafka_publish_timeout_seconds))
        self._producer = open_producer(
            settings,
            linger_ms=LINGER_MS,
            batch_size=BATCH_BYTES,
            max_block_ms=timeout_ms,
            delivery_timeout_ms=timeout_ms,
            request_timeout_ms=min(REQUEST_MS, timeout_ms - LINGER_MS),
        )

    def append(self, facts: Sequence[tuple[str, bytes]]) -> None:
        """
        Append *facts*, each as (subject, CloudEvents JSON), and return once all of them are acknowledged.

        Raises:
            NotAcknowledged: naming the facts that are not. They may be in the log all the same: if they are published
                again, their ids show them to be duplicates.
        """
        sent, problem = self._send(facts)
        with suppress(KafkaTimeoutError):
            self._producer.flush(self._settings.kafka_publish_timeout_seconds + GRACE_SECONDS)
        arrived = {n for n, future in enumerate(sent) if future.succeeded()}
        if len(arrived) < len(facts):
            causes = [future.exception for future in sent if future.failed()]
            cause = problem or next(iter(causes), KafkaTimeoutError("no answer in time"))
            missing = [n for n in range(len(facts)) if n not in arrived]
            error = unreachable(self._settings, cause)
            raise NotAcknowledged(missing, error.what, error.wanted) from cause

    def close(self) -> None:
        """Close the connection to the broker."""
        # `append` has already raised for facts that were not acknowledged.
        with suppress(KafkaTimeoutError):
            self._producer.close(GRACE_SECONDS)

    def _send(self, facts: Sequence[tuple[str, bytes]]) -> tuple[list[FutureRecordMetadata], KafkaError | None]:
        """Pass *facts* to the producer; return their futures, and the error at which it took no more."""
        sent: list[FutureRecordMetadata] = []
        for subject, event in facts:
            key = subject.encode()
            headers, value = to_binary(event)
            try:
                sent.append(self._producer.send(self._settings.kafka_topic, value, key, headers, self._home(key)))
            except KafkaError as problem:
                return sent, problem
        return sent, None
