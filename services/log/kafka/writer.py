"""Facts into Kafka: acknowledged by every replica in step, each of them at the home partition of its person."""

from collections.abc import Sequence
from contextlib import suppress

from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import FutureRecordMetadata

from events.cloudevents import to_binary
from services.log.base import NotAcknowledged
from services.settings import Settings

from .clients import open_producer
from .diagnosis import why
from .partitioner import partition_for
from .topics import checked

LINGER_MS = 20
"""How long a batch waits for more to come. A flush ends the wait: files are fast, and a single fact is not late."""

BATCH_BYTES = 512 * 1024
REQUEST_MS = 10_000

GRACE_SECONDS = 5.0
"""For the producer to say itself that time is up, which names the cause."""


class KafkaLog:
    """
    The topic of facts, for publishing to it. Once something was not acknowledged, open another.

    Raises:
        Infrastructure: if the topic is missing, or would lose or reorder facts.
        Unreachable: if no broker answers for CASETRAIL_KAFKA_PUBLISH_TIMEOUT_SECONDS.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        timeout_ms = max(int(settings.kafka_publish_timeout_seconds * 1000), 10 * LINGER_MS)
        # Of a topic that is missing a producer would complain for ever, ten times a second.
        self._home = partition_for(checked(settings, settings.kafka_publish_timeout_seconds))
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
        Append *facts*, (subject, CloudEvents JSON) each, and return once all of them are acknowledged.

        Raises:
            NotAcknowledged: saying which are not. They may be in the log all the same: published again they are
                known by their id.
        """
        sent, problem = self._send(facts)
        with suppress(KafkaTimeoutError):
            self._producer.flush(self._settings.kafka_publish_timeout_seconds + GRACE_SECONDS)
        arrived = {n for n, future in enumerate(sent) if future.succeeded()}
        if len(arrived) < len(facts):
            causes = [future.exception for future in sent if future.failed()]
            cause = problem or next(iter(causes), KafkaTimeoutError("no answer in time"))
            missing = [n for n in range(len(facts)) if n not in arrived]
            raise NotAcknowledged(missing, why(self._settings, cause)) from cause

    def close(self) -> None:
        """Let go of the broker."""
        # What was not acknowledged has been told.
        with suppress(KafkaTimeoutError):
            self._producer.close(GRACE_SECONDS)

    def _send(self, facts: Sequence[tuple[str, bytes]]) -> tuple[list[FutureRecordMetadata], KafkaError | None]:
        """Hand *facts* to the producer, as many as it takes, and return what they come to and why it took no more."""
        sent: list[FutureRecordMetadata] = []
        for subject, event in facts:
            key = subject.encode()
            headers, value = to_binary(event)
            try:
                sent.append(self._producer.send(self._settings.kafka_topic, value, key, headers, self._home(key)))
            except KafkaError as problem:
                return sent, problem
        return sent, None
