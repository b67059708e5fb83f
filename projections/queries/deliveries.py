"""The record of deliveries: the receivers with their counts, and the messages about a notice or an alert."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, case, func, or_, select
from typing_extensions import TypedDict

from events.edtf import format_instant
from projections.tables.delivery.operation import ReceiverCounts
from projections.tables.delivery.schema import deliveries
from projections.tables.schema import LIVE, outbox

table = deliveries.c
SHOWN = 1000


class ReceiverJson(TypedDict):
    """A receiver in `delivery list`. *oldest_seconds* is the age of the oldest queued message; null: none waits."""

    receiver: str
    kind: str
    state: str
    queued: int
    held: int
    delivered: int
    given_up: int
    oldest_seconds: int | None
    last_answer: str | None


class DeliveryJson(TypedDict):
    """A message to one address: its occasion, its state, and when the whole message was first sent (*told_at*)."""

    receiver: str
    number: int
    address: str
    notice_id: str
    kind: str
    alert_id: str | None
    state: str
    why: str | None
    decided_at: str
    told_at: str | None
    tries: int
    last_answer: str | None
    reference: str | None


class OwedJson(TypedDict):
    """A receiver that is not in the configuration any more, and the number of open alerts of which it was told."""

    receiver: str
    alerts: int


def receiver_json(counts: ReceiverCounts, now: datetime) -> ReceiverJson:
    """Return a receiver with the counts of its messages."""
    return {
        "receiver": counts.receiver,
        "kind": counts.kind,
        "state": counts.state,
        "queued": counts.queued,
        "held": counts.held,
        "delivered": counts.delivered,
        "given_up": counts.given_up,
        "oldest_seconds": max(int((now - counts.oldest).total_seconds()), 0) if counts.oldest else None,
        "last_answer": counts.last_answer,
    }


def deliveries_of(conn: Connection, *, notice_id: str = "", alert_id: str = "") -> list[DeliveryJson]:
    """Return the messages of a notice or about an alert, in the order of decisions, at most `SHOWN`."""
    carrier = deliveries.alias()
    joined = (carrier.c.receiver == table.receiver) & (carrier.c.number == table.bundle)
    reference = case((table.reference.is_(None), carrier.c.reference), else_=table.reference)
    here = table.notice_id == notice_id if notice_id else table.alert_id == alert_id
    columns = [table[name] for name in DeliveryJson.__annotations__ if name != "reference"]
    query = select(*columns, reference.label("reference")).outerjoin(carrier, joined).where(here)
    order = (table.decided_at, table.receiver, table.number)
    return [
        DeliveryJson(**{**row, "decided_at": format_instant(row["decided_at"]), "told_at": _text(row["told_at"])})  # type: ignore[typeddict-item]
        for row in conn.execute(query.order_by(*order).limit(SHOWN)).mappings()
    ]


def notices_like(conn: Connection, start: str) -> list[str]:
    """Return the ids of at most two notices and messages that begin with *start*."""
    end = start + "g"
    written = select(table.notice_id).where(table.notice_id >= start, table.notice_id < end).distinct().limit(2)
    sent = select(outbox.c.notice_id).where(outbox.c.notice_id >= start, outbox.c.notice_id < end).limit(2)
    sent = sent.where(outbox.c.kind != "forward")
    return sorted({*conn.scalars(written), *conn.scalars(sent)})[:2]


def owed_ends(conn: Connection, present: Sequence[str]) -> list[OwedJson]:
    """Return the receivers that are not among *present* and were told of alerts that are still open."""
    alerts = LIVE.alerts.c
    query = (
        select(table.receiver, func.count(table.alert_id.distinct()))
        .join(LIVE.alerts, alerts.alert_id == table.alert_id)
        .where(table.receiver.not_in(present), or_(table.told_at.is_not(None), table.trying))
        .where(alerts.state.in_(["open", "acknowledged"]))
        .group_by(table.receiver)
        .order_by(table.receiver)
    )
    return [OwedJson(receiver=name, alerts=count) for name, count in conn.execute(query)]


def _text(instant: datetime | None) -> str | None:
    return format_instant(instant) if instant else None
