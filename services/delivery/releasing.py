"""
The messages of a receiver whose time has come: openings that were held, reminders, and digests.

It runs once all notices are decided on, so that an opening of an alert that has ended is dropped before.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from uuid import uuid5

from sqlalchemy import Connection

from projections.alerts.alert import NAMESPACE
from projections.tables.delivery.messages import NewMessage, write_down
from projections.tables.delivery.tries import Due
from projections.tables.delivery.waiting import (
    carry,
    digest_members,
    held_messages,
    people_of_messages,
    queue,
    reminders_due,
    set_reminder,
    states_of,
)
from projections.tables.outbox import notices_at
from services.delivery.config.model import Receiver

from .routing.decide import DIGEST, SILENCE
from .routing.notice import Notice
from .routing.silence import is_silenced
from .surroundings import Surroundings, next_digest, notices_of

PAGE = 500


def release_held(conn: Connection, receiver: Receiver, around: Surroundings, now: datetime) -> int:
    """Queue the held openings whose wait is over and that no silence holds any more; return their number."""
    count, after = 0, 0
    while rows := held_messages(conn, receiver.name, after, now, PAGE):
        notices = _notices(conn, rows)
        for row in rows:
            is_held = is_silenced(notices[row.partition, row.n], around.silences, now)
            if is_held and row.why != SILENCE:
                queue(conn, row, state="held", why=SILENCE, not_before=None)
            elif not is_held:
                digest_at = next_digest(receiver, now)
                queue(conn, row, state="queued", why=DIGEST if digest_at else None, not_before=digest_at)
                count += 1
        after = rows[-1].number
    return count


def remind(conn: Connection, receiver: Receiver, around: Surroundings, now: datetime) -> int:
    """
    Write down the reminders that are due; return their number.

    An alert that somebody acknowledged is reminded of an interval later, if it is open again by then. A silence holds
    the reminder until it ends.
    """
    count = 0
    rows = reminders_due(conn, receiver.name, now, PAGE)
    notices = _notices(conn, rows)
    states = states_of(conn, {row.alert_id for row in rows if row.alert_id})
    for row in rows:
        assert row.remind_seconds is not None, "a reminder is due at an interval"
        notice = notices[row.partition, row.n]
        if is_silenced(notice, around.silences, now):
            continue
        match states.get(row.alert_id or ""):
            case "open":
                write_down(conn, receiver.name, [_reminder(receiver, row, notice, now)], now)
                set_reminder(conn, row, None)
                count += 1
            case "acknowledged":
                set_reminder(conn, row, now + timedelta(seconds=row.remind_seconds))
            case _:
                set_reminder(conn, row, None)
    return count


def begin_digests(conn: Connection, receiver: Receiver, now: datetime) -> int:
    """Write down one digest for each address with messages that wait for one and are due; return their number."""
    count = 0
    rows = digest_members(conn, receiver.name, DIGEST, now)
    for _, own in groupby(rows, key=lambda row: row.address):
        bundle(conn, receiver.name, "digest", [*own], now)
        count += 1
    return count


def bundle(conn: Connection, receiver: str, kind: str, rows: Sequence[Due], now: datetime) -> None:
    """Write down a digest or a summary, which carries the messages *rows* to their one address."""
    first, last = rows[0], rows[-1]
    notice_id = str(uuid5(NAMESPACE, f"{kind} {receiver} {first.address} {first.number} {last.number}"))
    numbers = [row.number for row in rows]
    message = NewMessage(
        address=first.address,
        notice_id=notice_id,
        kind=kind,
        alert_id=None,
        partition=None,
        n=None,
        sequence=last.sequence,
        state="queued",
        people=people_of_messages(conn, receiver, numbers),
    )
    carry(conn, receiver, numbers, write_down(conn, receiver, [message], now))


def _reminder(receiver: Receiver, row: Due, notice: Notice, now: datetime) -> NewMessage:
    due = uuid5(NAMESPACE, f"reminder {receiver.name} {row.address} {row.alert_id} {row.number}")
    digest_at = next_digest(receiver, now)
    return NewMessage(
        address=row.address,
        notice_id=str(due),
        kind="reminder",
        alert_id=row.alert_id,
        partition=row.partition,
        n=row.n,
        sequence=row.sequence,
        state="queued",
        people=sorted(notice.facets.subjects),
        why=DIGEST if digest_at else None,
        not_before=digest_at,
        remind_seconds=row.remind_seconds,
    )


def _notices(conn: Connection, rows: Iterable[Due]) -> dict[tuple[int | None, int | None], Notice]:
    places = [(row.partition, row.n) for row in rows if row.partition is not None and row.n is not None]
    notices = notices_of(conn, [*notices_at(conn, places).values()])
    return {(notice.partition, notice.n): notice for notice in notices}
