"""The facts of the ledger as lines that `publish`, `backtest` and `audit import` take."""

import base64
import heapq
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Row, func, select

from events.edtf import format_instant
from events.record import event_of
from projections.tables.schema import APPLIED, ledger

from .verify import CHUNK


def export(conn: Connection, *, everything: bool = False) -> Iterator[bytes]:
    """
    Yield the applied facts as lines of NDJSON, in ledger order, each with the ledger's ``recorded``.

    Args:
        conn: a read transaction.
        everything: the other outcomes too, each record once with its last one. A duplicate or conflict is a fact with
            ``outcome`` and, a conflict, ``reason``. What is parked or was forwarded is ``{"outcome", "reason",
            "recorded", "key_base64", "headers", "value_base64"}``, its bytes as they came; null where it has none.
    """
    numbers = sorted(conn.scalars(select(ledger.c.partition).distinct()))
    streams = [_records(conn, partition, everything=everything) for partition in numbers]
    for row in heapq.merge(*streams, key=lambda row: (row.recorded, row.partition, row.seq)):
        yield _line(row)


def _records(conn: Connection, partition: int, *, everything: bool) -> Iterator[Row[Any]]:
    query = select(ledger).where(ledger.c.partition == partition).order_by(ledger.c.seq)
    if not everything:
        query = query.where(APPLIED)
    replays = ledger.c.partition == partition, ledger.c.entry == "replay"
    last = select(ledger.c.log_offset, func.max(ledger.c.seq)).where(*replays).group_by(ledger.c.log_offset)
    replayed = dict(conn.execute(last).all())
    query = query.where(ledger.c.entry.in_(["record", "replay"]))
    with conn.execute(query, execution_options={"yield_per": CHUNK}) as rows:
        yield from (row for row in rows if replayed.get(row.log_offset, row.seq) == row.seq)


def _line(row: Row[Any]) -> bytes:
    recorded = format_instant(row.recorded)
    if row.outcome in {"parked", "forwarded"}:
        return to_json(
            {
                "outcome": row.outcome,
                "reason": row.reason,
                "recorded": recorded,
                "key_base64": _base64(row.key),
                "headers": row.headers,
                "value_base64": _base64(row.value),
            }
        )
    event = from_json(event_of(row.headers, row.value))
    event.pop("recorded", None)
    event["recorded"] = recorded
    if row.outcome != "applied":
        event["outcome"] = row.outcome
    if row.outcome == "conflict":
        event["reason"] = row.reason
    return to_json(event)


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
