"""Records between Kafka's form and the ledger's."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka.consumer.fetcher import ConsumerRecord

from events.errors import Infrastructure
from events.text import printable
from projections.ledger.chain import LogRecord

LOG_APPEND_TIME = 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def log_record(came: ConsumerRecord) -> LogRecord:
    """Return what Kafka delivered as the ledger keeps it."""
    stamped = _EPOCH + timedelta(milliseconds=came.timestamp)
    headers = kept_headers(came.headers)
    return LogRecord(came.topic, came.partition, came.offset, stamped, came.key, headers, came.value)


def check_stamps(records: Sequence[LogRecord], now: datetime, margin: timedelta) -> None:
    """
    See that none of *records* was stamped later than it can have been, since they were read before *now*.

    Raises:
        Infrastructure: if the broker's clock is ahead of ours by more than *margin*. Its stamps are the clock by which
            silence is judged: it would be reported too early, and nothing takes a watermark back.
    """
    for record in records:
        if record.stamped - now > margin:
            off = (record.stamped - now).total_seconds()
            msg = f"the record at {record.offset} of partition {record.partition} was stamped {off:.1f} s from now "
            raise Infrastructure(
                msg + f"(want at most {margin.total_seconds()} s: set the broker's clock or this machine's, "
                "or CASETRAIL_CLOCK_MARGIN_SECONDS)"
            )


def kept_headers(headers: Iterable[tuple[str, bytes | None]]) -> list[list[Any]]:
    """
    Return the *headers* of a record as every database can keep them.

    A pair of texts each, ``[name, text]``. What is no text (not UTF-8, or with a NUL in it) is kept as
    ``[name, {"base64": "..."}]``, a header without a value as ``[name, null]``. A name with a NUL in it is spelled with
    an escape and kept beside: ``[name, {"name": "base64", "base64": ... or null}]``.
    """
    headers = list(headers)
    try:
        kept: list[list[Any]] = [[name, value.decode()] for name, value in headers]  # type: ignore[union-attr]
    except (AttributeError, UnicodeDecodeError):
        return [_kept(name, value) for name, value in headers]
    # Nearly all are like that, and looking at each of them on its own takes five times as long.
    if "\0" in "".join([text for pair in kept for text in pair]):
        return [_kept(name, value) for name, value in headers]
    return kept


def kafka_headers(kept: Sequence[Sequence[Any]] | None) -> list[tuple[str, bytes]]:
    """Return the headers as a client can send them on; for one without a value, which none can, an empty one."""
    return [_came(name, value) for name, value in kept or ()]


def _kept(name: str, value: bytes | None) -> list[Any]:
    if "\0" in name:
        exact = b64encode(name.encode()).decode()
        return [printable(name), {"name": exact, "base64": None if value is None else b64encode(value).decode()}]
    if value is None:
        return [name, None]
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    # PostgreSQL's texts have no NUL.
    return [name, {"base64": b64encode(value).decode()} if "\0" in text else text]


def _came(name: str, value: Any) -> tuple[str, bytes]:  # noqa: ANN401 - text, null or an object
    if isinstance(value, str):
        return name, value.encode()
    if value is None:
        return name, b""
    exact = b64decode(value["name"]).decode() if "name" in value else name
    return exact, b64decode(value["base64"] or "")
