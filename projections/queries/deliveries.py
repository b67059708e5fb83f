"""The record of deliveries: the receivers with their counts, and the messages about a notice or an alert."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, case, func, select, tuple_, union
from typing_extensions import TypedDict

from events.edtf import format_instant
from projections.tables.delivery.messages import IS_TOLD
from projections.tables.delivery.operation import ReceiverCounts
from projections.tables.delivery.schema import deliveries
from projections.tables.schema import LIVE, outbox

table = deliveries.c
CHUNK = 500


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
    """
    A message to one address: its occasion, its state, and when the whole message was first sent (*told_at*).

    *carried_by* is the id of the digest or summary that carries it; null: it goes alone. Its reference is that of the
    digest then.
    """

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
    carried_by: str | None


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


def deliveries_of_alert(conn: Connection, alert_id: str, limit: int | None = None) -> Iterator[DeliveryJson]:
    """Yield the messages about an alert, in the order of decisions, in bounded memory."""
    return islice(_deliveries(conn, _query().where(table.alert_id == alert_id)), limit)


def deliveries_of_notice(conn: Connection, notice_id: str, limit: int | None = None) -> Iterator[DeliveryJson]:
    """Yield the messages of a notice, and those that a digest or summary of this id carries, likewise."""
    carrier = deliveries.alias()
    own = select(table.receiver, table.number).where(table.notice_id == notice_id)
    carried = select(table.receiver, table.number).join(
        carrier, (carrier.c.receiver == table.receiver) & (carrier.c.number == table.bundle)
    )
    carried = carried.where(table.bundle.is_not(None), carrier.c.notice_id == notice_id)
    here = tuple_(table.receiver, table.number).in_(union(own, carried))
    return islice(_deliveries(conn, _query().where(here)), limit)


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
        .where(table.receiver.not_in(present), IS_TOLD)
        .where(alerts.state.in_(["open", "acknowledged"]))
        .group_by(table.receiver)
        .order_by(table.receiver)
    )
    return [OwedJson(receiver=name, alerts=count) for name, count in conn.execute(query)]


def _query() -> Select[Any]:
    carrier = deliveries.alias()
    joined = (carrier.c.receiver == table.receiver) & (carrier.c.number == table.bundle)
    reference = case((table.reference.is_(None), carrier.c.reference), else_=table.reference).label("reference")
    columns = [table[name] for name in DeliveryJson.__annotations__ if name not in {"reference", "carried_by"}]
    query = select(*columns, reference, carrier.c.notice_id.label("carried_by")).outerjoin(carrier, joined)
    return query.order_by(table.decided_at, table.receiver, table.number)


def _deliveries(conn: Connection, query: Select[Any]) -> Iterator[DeliveryJson]:
    # Closed even where a limit ends the reading early.
    with conn.execute(query.execution_options(yield_per=CHUNK)) as result:
        for row in result.mappings():
            instants = {"decided_at": format_instant(row["decided_at"]), "told_at": _text(row["told_at"])}
            yield DeliveryJson(**{**row, **instants})  # type: ignore[typeddict-item]


def _text(instant: datetime | None) -> str | None:
    return format_instant(instant) if instant else None
