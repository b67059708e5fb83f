"""The messages about the work itself: another receiver fails, or a week passed in which nothing happened."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any, Final, NamedTuple
from uuid import uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from events.edtf import format_instant
from projections.alerts.alert import NAMESPACE
from projections.correlator.progress import watermarks_of
from projections.tables.delivery.messages import NewMessage, write_down
from projections.tables.delivery.operation import (
    added_at,
    facts_between,
    given_up,
    has_message,
    openings_between,
    waiting_count,
)
from projections.tables.delivery.tries import all_receivers

from .config.model import DeliveryConfig, Receiver
from .surroundings import addresses_of

FAILING_FOR: Final = timedelta(minutes=10)
"""The time for which a receiver fails before operators are told; a restart is shorter."""
HOUR: Final = timedelta(hours=1)
WEEK: Final = timedelta(days=7)


class Weeks(NamedTuple):
    """The zone in which weeks begin, and the topic of the facts that were read in them."""

    zone: ZoneInfo
    topic: str


def tell_failures(conn: Connection, config: DeliveryConfig, receiver: Receiver, now: datetime) -> None:
    """
    Write down for an operator that a receiver fails or has given up messages.

    Another receiver that has failed for some time is told of once for each failure. Messages that were given up are
    told of once an hour, when it is over, also those to this receiver itself.
    """
    if receiver.name not in config.operators:
        return
    for other in all_receivers(conn):
        data = {"receiver": other.receiver, "state": other.state, "since": format_instant(other.since)}
        is_long = other.state != "failing" or other.since <= now - FAILING_FOR
        if other.receiver != receiver.name and other.state != "ok" and is_long:
            key = f"failure {other.receiver} {other.state} {data['since']}"
            rest = {"waiting": waiting_count(conn, other.receiver), "answer": other.last_answer or ""}
            write_down(conn, receiver.name, [*_messages(receiver, "failure", key, data | rest)], now)
        hour = other.gave_up_at and other.gave_up_at.replace(minute=0, second=0, microsecond=0)
        if other.gave_up_at and hour and hour + HOUR <= now < hour + WEEK:
            data |= {"state": "given_up", "since": format_instant(other.gave_up_at)}
            key = f"given up {other.receiver} {format_instant(hour)}"
            rest = given_up(conn, other.receiver)._asdict()
            write_down(conn, receiver.name, [*_messages(receiver, "failure", key, data | rest)], now)


def tell_week(conn: Connection, config: DeliveryConfig, receiver: Receiver, weeks: Weeks, now: datetime) -> None:
    """
    Write down that nothing happened in the last whole week, where a route asks for it.

    It is said once everything recorded in the week has been read, and only of a week in which the receiver was served
    from beginning to end.
    """
    if not any(route.weekly and receiver.name in route.to for route in config.routes):
        return
    today = now.astimezone(weeks.zone).date()
    monday = today - timedelta(days=today.weekday())
    start, end = (datetime.combine(day, time(), weeks.zone) for day in (monday - WEEK, monday))
    key = f"report {monday}"
    (first, *_) = _messages(receiver, "report", key, {})
    mark = watermarks_of(conn, weeks.topic).horizon
    if has_message(conn, receiver.name, first.notice_id) or mark is None or mark < end:
        return
    if added_at(conn, receiver.name) > start or openings_between(conn, receiver.name, start, end):
        return
    read = facts_between(conn, start, end)
    days = {"start": str(start.date()), "end": str(monday - timedelta(days=1))}
    data = {**days, "facts": read.facts, "people": read.people}
    write_down(conn, receiver.name, [*_messages(receiver, "report", key, data)], now)


def _messages(receiver: Receiver, kind: str, key: str, data: dict[str, Any]) -> Iterator[NewMessage]:
    """Yield a message for each address of *receiver*; *key* tells it from others of its kind."""
    for address in addresses_of(receiver):
        yield NewMessage(
            address=address,
            notice_id=str(uuid5(NAMESPACE, f"{key} {receiver.name} {address}")),
            kind=kind,
            alert_id=None,
            partition=None,
            n=None,
            sequence=0,
            state="queued",
            people=(),
            data=data,
        )
