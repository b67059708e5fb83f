"""Rows of the outbox as Kafka gets them: notices as CloudEvents, forwarded records as they came."""

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
from services.log.kafka.clients import open_producer
from services.log.kafka.records import kafka_headers
from services.log.kafka.topics import largest_batch, seen, seen_alerts
from services.settings import Settings

from .receiver import Sent

NOTICE_TYPE = "casetrail.alert.changed.v1"
NOTICE_SOURCE = "urn:casetrail"

BATCH_BYTES = 256 * 1024
LARGEST_BYTES = 64 * 1024 * 1024
ANSWER_SECONDS = 2.0
SLICE_SECONDS = 0.2
CLOSE_SECONDS = 1.0
WARN_SLICES = 50

# A record that is given up while later ones go out would arrive after them. So none is: the broker is waited for. And
# no batch goes out by itself: a flush sends all there is.
NEVER_MS = 10 * 365 * 24 * 3600 * 1000

Record = dict[str, Any]

log = structlog.get_logger()


def sender(settings: Settings, engine: Engine) -> "KafkaReceiver":
    """
    Return a sender to the topics that the settings name.

    Raises:
        Infrastructure: if one of them is missing or would lose something, or this database was projected from another.
        Unreachable: if no broker answers.
    """
    # A producer would wait for a missing topic for ever, and complain ten times a second.
    alerts, facts = seen_alerts(settings, ANSWER_SECONDS), seen(settings, ANSWER_SECONDS)
    note_partitions(engine, facts.name, facts.partitions, facts.topic_id)
    return KafkaReceiver(settings, min(BATCH_BYTES, largest_batch(alerts), largest_batch(facts)))


class KafkaReceiver:
    """
    Sends rows of the outbox: notices to the topic of alerts, forwarded records to that of facts.

    They go in waves, each once the one before it is acknowledged. A wave is no more than one batch, which Kafka takes
    or refuses as a whole, so that nothing overtakes what is refused; and a row that may be too large for the topic goes
    alone, so that kafka-python has no batch to split: it would send the rest of it without that row, or hang.

    Args:
        settings: the settings.
        batch_bytes: how large a batch may be, for both topics.
    """

    def __init__(self, settings: Settings, batch_bytes: int = BATCH_BYTES) -> None:
        self._settings = settings
        self._batch_bytes = batch_bytes
        self._producer = open_producer(
            settings,
            linger_ms=NEVER_MS // 2,
            batch_size=BATCH_BYTES,
            # What the broker took once it takes again; how large a record may be is for it to say.
            max_request_size=LARGEST_BYTES,
            max_block_ms=int(SLICE_SECONDS * 1000),
            delivery_timeout_ms=NEVER_MS,
        )

    def send(self, rows: Sequence[Outgoing], stop: threading.Event, beat: Callable[[], None]) -> Sent:
        """Send *rows* in their order and return once they are acknowledged or refused, or *stop* is set."""
        wait = _Wait(stop, beat)
        count = 0
        for wave in _waves((_record(row, self._settings) for row in rows), self._batch_bytes):
            acknowledged, refused = self._send_wave(wave, wait)
            count += acknowledged
            if refused is not None:
                return Sent(count, Unreachable(f"Kafka refuses {_named(rows[count])}: {type(refused).__name__}"))
            if acknowledged < len(wave):
                break
        return Sent(count)

    def close(self) -> None:
        """Let go of the broker; what it has not acknowledged is sent again by the next sender."""
        with suppress(KafkaError):
            self._producer.close(CLOSE_SECONDS)

    def _send_wave(self, wave: Sequence[Record], wait: "_Wait") -> tuple[int, Exception | None]:
        """Send *wave*; return how many were acknowledged, from the first on without a gap, and why one was refused."""
        sent: list[FutureRecordMetadata] = []
        refused: Exception | None = None
        try:
            for record in wave:
                future = self._hand_over(record, wait)
                if future is None:
                    break
                sent.append(future)
        except KafkaError as problem:
            refused = problem
        while not self._flushed() and wait.on():
            pass
        count = next((n for n, future in enumerate(sent) if not future.succeeded()), len(sent))
        return count, next((future.exception for future in sent if future.failed()), refused)

    def _hand_over(self, record: Record, wait: "_Wait") -> FutureRecordMetadata | None:
        """Give *record* to the producer, once it knows where the topic is; None if it is to stop before."""
        while True:
            try:
                return self._producer.send(**record)
            except KafkaTimeoutError:
                if not wait.on():
                    return None

    def _flushed(self) -> bool:
        try:
            self._producer.flush(SLICE_SECONDS)
        except KafkaTimeoutError:
            return False
        return True


class _Wait:
    """Waiting for the broker, as somebody may ask us to stop, and watches."""

    def __init__(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        self._stop = stop
        self._beat = beat
        self._slices = 0

    def on(self) -> bool:
        """Say that we wait still, now and then aloud; return whether we are to."""
        self._beat()
        self._slices += 1
        if self._slices % WARN_SLICES == 0:
            log.warning("log_unreachable", waited_seconds=self._slices * SLICE_SECONDS)
        return not self._stop.is_set()


def _waves(records: Iterable[Record], batch_bytes: int) -> Iterator[list[Record]]:
    """Yield *records* in their order, as many at a time as one batch holds for sure; a larger one alone."""
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
    return _forwarded(row, settings) if row.kind == "forward" else _told(row, settings)


def _told(row: Outgoing, settings: Settings) -> Record:
    assert row.notice is not None, "a notice tells something"
    event = {
        "specversion": "1.0",
        "id": row.notice_id,
        "source": NOTICE_SOURCE,
        "type": NOTICE_TYPE,
        "subject": row.subject_id,
        "time": row.notice["life"][-1]["at"],
        "data": row.notice,
    }
    headers, value = to_binary(to_json(event))
    return {"topic": settings.kafka_alerts_topic, "key": row.subject_id.encode(), "headers": headers, "value": value}


def _forwarded(row: Outgoing, settings: Settings) -> Record:
    # kafka-python writes no header without a value, so that an empty one stands for it.
    headers = [(name, value or b"") for name, value in kafka_headers(row.headers)]
    return {
        "topic": settings.kafka_topic,
        "partition": row.target,
        "key": row.key,
        "headers": headers,
        "value": row.value,
    }


def _named(row: Outgoing) -> str:
    return f"row {row.n} that partition {row.partition} told"
