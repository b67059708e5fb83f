"""The Kafka receiver: sends notices as CloudEvents, and forwarded records byte for byte."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import structlog
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import FutureRecordMetadata
from kafka.record.default_records import DefaultRecordBatchBuilder
from pydantic_core import to_json
from sqlalchemy import Engine

from events.cloudevents import to_binary
from events.errors import Unreachable
from projections.tables.origin import note_partitions
from projections.tables.outbox import Outgoing
from services.log.kafka.clients import flushed, open_producer
from services.log.kafka.records import kafka_headers
from services.log.kafka.topics import largest_batch, require_alerts_topic, require_topic
from services.settings import Settings

from .receiver import Delivery

NOTICE_TYPES = {
    "notice": "casetrail.alert.changed.v1",
    "cleared": "casetrail.person.cleared.v1",
    "cleared_withdrawn": "casetrail.person.cleared_withdrawn.v1",
}
NOTICE_SOURCE = "urn:casetrail"

BATCH_BYTES = 256 * 1024
LARGEST_BYTES = 64 * 1024 * 1024
ANSWER_SECONDS = 2.0
SLICE_SECONDS = 0.2
CLOSE_SECONDS = 1.0
WARN_SLICES = 50

# A record that timed out while later ones are sent would arrive after them. So none times out: the receiver waits for
# the broker. The linger is as long, so no batch is sent by itself: a flush sends them all.
NEVER_MS = 10 * 365 * 24 * 3600 * 1000

Record = dict[str, Any]

logger = structlog.get_logger()


def kafka_receiver(settings: Settings, engine: Engine) -> "KafkaReceiver":
    """
    Open a receiver that sends to the two topics of the settings.

    Raises:
        Infrastructure: if a topic is missing or would lose records, or this database was projected from another topic.
        Unreachable: if no broker answers.
    """
    # A producer would wait for a missing topic without a limit, and log it ten times a second.
    alerts, facts = require_alerts_topic(settings, ANSWER_SECONDS), require_topic(settings, ANSWER_SECONDS)
    note_partitions(engine, facts.name, facts.partitions, facts.topic_id)
    return KafkaReceiver(settings, min(BATCH_BYTES, largest_batch(alerts), largest_batch(facts)))


class KafkaReceiver:
    """
    Sends notices to the topic of alerts, and forwarded records to the topic of facts.

    Rows are sent in waves, each after the acknowledgement of the one before. A wave fits into one batch, which Kafka
    accepts or refuses as a whole, so that no row overtakes a refused one. A row that may be too large for the topic is
    a wave alone. In a batch with others, kafka-python would split the batch, and send the rest without that row, or
    hang.

    Args:
        settings: the settings.
        batch_bytes: the largest batch that both topics accept.
    """

    def __init__(self, settings: Settings, batch_bytes: int = BATCH_BYTES) -> None:
        self._settings = settings
        self._batch_bytes = batch_bytes
        self._producer = open_producer(
            settings,
            linger_ms=NEVER_MS // 2,
            batch_size=BATCH_BYTES,
            # The broker accepted the record once. Its own limit decides, not one of the client.
            max_request_size=LARGEST_BYTES,
            max_block_ms=int(SLICE_SECONDS * 1000),
            delivery_timeout_ms=NEVER_MS,
        )

    def send(self, rows: Sequence[Outgoing], stop: threading.Event, beat: Callable[[], None]) -> Delivery:
        """Send *rows* in their order; return when they are acknowledged or refused, or *stop* is set."""
        wait = _Wait(stop, beat)
        count = 0
        for wave in _waves((_record(row, self._settings) for row in rows), self._batch_bytes):
            acknowledged, refused = self._send_wave(wave, wait)
            count += acknowledged
            if refused is not None:
                row = rows[count]
                reason = f"Kafka refuses row {row.n} of the outbox of partition {row.partition}"
                return Delivery(count, Unreachable(f"{reason}: {type(refused).__name__}"))
            if acknowledged < len(wave):
                break
        return Delivery(count)

    def close(self) -> None:
        """Close the connection; rows that the broker has not acknowledged are sent again later."""
        with suppress(KafkaError):
            self._producer.close(CLOSE_SECONDS)

    def _send_wave(self, wave: Sequence[Record], wait: "_Wait") -> tuple[int, Exception | None]:
        """Send *wave*; return the number acknowledged, from the first without a gap, and the error of a refused one."""
        futures: list[FutureRecordMetadata] = []
        refused: Exception | None = None
        try:
            for record in wave:
                future = self._enqueue(record, wait)
                if future is None:
                    break
                futures.append(future)
        except KafkaError as problem:
            refused = problem
        while not flushed(self._producer, SLICE_SECONDS) and wait.goes_on():
            pass
        count = next((n for n, future in enumerate(futures) if not future.succeeded()), len(futures))
        return count, next((future.exception for future in futures if future.failed()), refused)

    def _enqueue(self, record: Record, wait: "_Wait") -> FutureRecordMetadata | None:
        """Pass *record* to the producer, when it has found the topic's brokers; None if the stop is set before."""
        while True:
            try:
                return self._producer.send(**record)
            except KafkaTimeoutError:
                if not wait.goes_on():
                    return None


class _Wait:
    """A wait for the broker, which ends when the stop is set and shows signs of life."""

    def __init__(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        self._stop = stop
        self._beat = beat
        self._slices = 0

    def goes_on(self) -> bool:
        """Show a sign of life, and log the wait every ten seconds; return whether to wait longer."""
        self._beat()
        self._slices += 1
        if self._slices % WARN_SLICES == 0:
            logger.warning("log_unreachable", waited_seconds=self._slices * SLICE_SECONDS)
        return not self._stop.is_set()


def _waves(records: Iterable[Record], batch_bytes: int) -> Iterator[list[Record]]:
    """Yield *records* in their order, as many at a time as certainly fit into one batch; a larger one alone."""
    wave: list[Record] = []
    size = 0
    for record in records:
        more = DefaultRecordBatchBuilder.estimate_size_in_bytes(record["key"], record["value"], record["headers"])
        if wave and size + more > batch_bytes:
            yield wave
            wave, size = [], 0
        wave.append(record)
        size += more
    if wave:
        yield wave


def _record(row: Outgoing, settings: Settings) -> Record:
    return _forwarded(row, settings) if row.kind == "forward" else _notice(row, settings)


def _notice(row: Outgoing, settings: Settings) -> Record:
    assert row.notice is not None, "a notice has content"
    event = {
        "specversion": "1.0",
        "id": row.notice_id,
        "source": NOTICE_SOURCE,
        "type": NOTICE_TYPES[row.kind],
        "subject": row.subject_id or row.alert_id,
        "time": row.notice["life"][-1]["at"] if row.kind == "notice" else row.notice["at"],
        # A paused notifier may send an older notice again. A reader that has a higher number of an alert ignores it.
        "data": {**row.notice, "sequence": row.n},
    }
    headers, value = to_binary(to_json(event))
    # The notices of an alert about a group are in their order too.
    key = row.subject_id or row.alert_id or ""
    return {"topic": settings.kafka_alerts_topic, "key": key.encode(), "headers": headers, "value": value}


def _forwarded(row: Outgoing, settings: Settings) -> Record:
    # kafka-python cannot write a header without a value, so an empty value stands for it.
    headers = [(name, value or b"") for name, value in kafka_headers(row.headers)]
    return {
        "topic": settings.kafka_topic,
        "partition": row.target,
        "key": row.key,
        "headers": headers,
        "value": row.value,
    }
