"""Convert records between Kafka's form and the ledger's."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka.consumer.fetcher import ConsumerRecord

from events.errors import Infrastructure
from events.text import storable
from projections.ledger.chain import LogRecord

LOG_APPEND_TIME = 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def log_record(record: ConsumerRecord) -> LogRecord:
    """Return a *record* that Kafka delivered in the ledger's form."""
    stamped = _EPOCH + timedelta(milliseconds=record.timestamp)
    headers = kept_headers(record.headers)
    return LogRecord(record.topic, record.partition, record.offset, stamped, record.key, headers, record.value)


def check_stamps(records: Sequence[LogRecord], now: datetime, margin: timedelta) -> None:
    """
    Check that no record was stamped more than *margin* after *now*. They were all read before *now*.

    Raises:
        Infrastructure: if the broker's clock is ahead of this machine's by more than *margin*. Silence is judged by the
            broker's stamps, so it would be reported too early, and a watermark never goes back.
    """
    for record in records:
        if record.stamped - now > margin:
            ahead = (record.stamped - now).total_seconds()
            raise Infrastructure(
                f"the record was stamped {ahead:.1f} s in the future, at most {margin.total_seconds()} s are allowed",
                "set the broker's clock or this machine's, or CASETRAIL_CLOCK_MARGIN_SECONDS",
                f"partition {record.partition}, offset {record.offset}",
            )


def kept_headers(headers: Iterable[tuple[str, bytes | None]]) -> list[list[Any]]:
    """
    Return the *headers* of a record in a form that every database can store.

    Each header becomes a pair of texts, ``[name, text]``. A value that is not text (not UTF-8, or with a NUL) becomes
    ``[name, {"base64": "..."}]``, and a missing value ``[name, null]``. A name with a NUL is written with an escape,
    and its bytes stand beside it: ``[name, {"name": "base64", "base64": ... or null}]``.
    """
    headers = list(headers)
    try:
        kept: list[list[Any]] = [[name, value.decode()] for name, value in headers]  # type: ignore[union-attr]
    except (AttributeError, UnicodeDecodeError):
        return [_stored(name, value) for name, value in headers]
    # Nearly all headers are plain text. Checking each one by itself takes five times as long.
    if "\0" in "".join([text for pair in kept for text in pair]):
        return [_stored(name, value) for name, value in headers]
    return kept


def kafka_headers(kept: Sequence[Sequence[Any]] | None) -> list[tuple[str, bytes]]:
    """Return the headers as a client can send them. No client can send a missing value, so it becomes an empty one."""
    return [_kafka_header(name, value) for name, value in kept or ()]


def _stored(name: str, value: bytes | None) -> list[Any]:
    if "\0" in name:
        exact = b64encode(name.encode()).decode()
        return [storable(name), {"name": exact, "base64": None if value is None else b64encode(value).decode()}]
    if value is None:
        return [name, None]
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    # PostgreSQL cannot store a NUL in a text.
    return [name, {"base64": b64encode(value).decode()} if "\0" in text else text]


def _kafka_header(name: str, value: Any) -> tuple[str, bytes]:  # noqa: ANN401 - text, null or an object
    if isinstance(value, str):
        return name, value.encode()
    if value is None:
        return name, b""
    exact = b64decode(value["name"]).decode() if "name" in value else name
    return exact, b64decode(value["base64"] or "")
