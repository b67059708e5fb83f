"""
The messages of a receiver whose time has come: openings that were held, reminders, and digests.

It runs once all notices are decided on, so that an opening of an alert that has ended is dropped before.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Final
from uuid import uuid5

from sqlalchemy import Connection

from projections.alerts.alert import NAMESPACE
from projections.tables.delivery.messages import NewMessage, write_down
from projections.tables.delivery.tries import Due
from projections.tables.delivery.waiting import (
    Carried,
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
LARGEST_BUNDLE: Final = 200
"""
The most alerts in a digest or a summary. Without evidence they are 170 kB of mail, and with evidence many times that.
Mail servers refuse messages of 10 MB and more.
"""


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
    after: Due | None = None
    while rows := reminders_due(conn, receiver.name, after, now, PAGE):
        notices = _notices(conn, rows)
        states = states_of(conn, {row.alert_id for row in rows if row.alert_id})
        new = []
        for row in rows:
            assert row.remind_seconds is not None, "a reminder is due at an interval"
            notice = notices[row.partition, row.n]
            if is_silenced(notice, around.silences, now):
                continue
            state = states.get(row.alert_id or "")
            if state == "open":
                new.append(_reminder(receiver, row, notice, now))
            again = now + timedelta(seconds=row.remind_seconds) if state == "acknowledged" else None
            set_reminder(conn, row, again)
        write_down(conn, receiver.name, new, now)
        count, after = count + len(new), rows[-1]
    return count


def begin_digests(conn: Connection, receiver: Receiver, now: datetime) -> int:
    """
    Write down the digests of the messages that wait for one and are due; return their number.

    An address has one digest for each `LARGEST_BUNDLE` alerts. Those about one person follow each other.
    """
    count = 0
    for _, own in groupby(digest_members(conn, receiver.name, now), key=lambda row: row.address):
        for part in _parts(own):
            bundle(conn, receiver.name, "digest", part, now)
            count += 1
    return count


def _parts(rows: Iterable[Carried]) -> Iterator[list[Carried]]:
    """Yield *rows* in lists of at most `LARGEST_BUNDLE` alerts; all rows about one alert are in the same list."""
    alerts = (list(own) for _, own in groupby(rows, key=lambda row: row.alert_id))
    while part := list(islice(alerts, LARGEST_BUNDLE)):
        yield [row for own in part for row in own]


def bundle(conn: Connection, receiver: str, kind: str, rows: Sequence[Carried | Due], now: datetime) -> None:
    """Write down a digest or a summary, which carries the messages *rows* to their one address."""
    numbers = sorted(row.number for row in rows)
    address, last = rows[0].address, max(rows, key=lambda row: row.number)
    notice_id = str(uuid5(NAMESPACE, f"{kind} {receiver} {address} {numbers[0]} {numbers[-1]}"))
    message = NewMessage(
        address=address,
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
