"""The export of the ledger: facts as lines that `publish`, `backtest` and `audit import` take."""

import base64
import heapq
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection
from typing_extensions import TypedDict

from events.edtf import format_instant
from events.record import event_of
from projections.ledger.chain import Entry
from projections.tables.ledger_rows import last_outcomes, ledger_partitions

CHUNK = 2000


class RawRecordJson(TypedDict):
    """The line of a parked or forwarded record: its bytes as they are in the log, null where it has none."""

    outcome: str
    reason: str | None
    recorded: str
    key_base64: str | None
    headers: list[list[Any]] | None
    value_base64: str | None


def export(conn: Connection, *, everything: bool = False) -> Iterator[bytes]:
    """
    Yield the applied facts as lines of NDJSON, in ledger order, each with the ledger's ``recorded``.

    Args:
        conn: a read transaction.
        everything: include the other outcomes, each record once with its last one. A duplicate or a conflict is a fact
            with ``outcome``, and a conflict also has ``reason``. A parked or forwarded record is an `RawRecordJson`.
    """
    partitions = sorted(ledger_partitions(conn))
    streams = [last_outcomes(conn, partition, CHUNK, applied=not everything) for partition in partitions]
    for entry in heapq.merge(*streams, key=lambda entry: (entry.recorded, entry.partition, entry.seq)):
        yield _line(entry)


def _line(entry: Entry) -> bytes:
    assert entry.outcome is not None, "a record has an outcome"
    if entry.outcome in {"parked", "forwarded"}:
        return to_json(_raw_record_json(entry, entry.outcome))
    assert entry.value is not None, "the record of a fact has a value"
    event = from_json(event_of(entry.headers, entry.value))
    event.pop("recorded", None)
    event["recorded"] = format_instant(entry.recorded)
    if entry.outcome != "applied":
        event["outcome"] = entry.outcome
    if entry.outcome == "conflict":
        event["reason"] = entry.reason
    return to_json(event)


def _raw_record_json(entry: Entry, outcome: str) -> RawRecordJson:
    return {
        "outcome": outcome,
        "reason": entry.reason,
        "recorded": format_instant(entry.recorded),
        "key_base64": _base64(entry.key),
        "headers": entry.headers,
        "value_base64": _base64(entry.value),
    }


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
