"""Reads a page of a feed: its entries in their latest state, worded by the facts known now."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid5

import structlog
from sqlalchemy import Connection

from events.errors import BadInput
from projections.alerts.alert import NAMESPACE
from projections.tables.database import UNAVAILABLE
from projections.tables.delivery.feed_rows import FeedRow, feed_began, feed_rows
from projections.tables.delivery.messages import CLEARINGS
from projections.tables.delivery.tries import Due, last_place
from services.delivery.composing import Composer
from services.delivery.config.model import Feed, Receiver
from services.delivery.message import Message
from services.runtime.fault import fault_of

from .page import Entry, Page

PLACES: Final = 50
"""The places of an archive. It has an entry for each one that no later message has replaced."""

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

logger = structlog.get_logger()


def archive_count(conn: Connection, receiver: str) -> int:
    """
    Return the number of archives of the feed of *receiver*.

    The current page has the places of the last full page too, so that it is never nearly empty: a reader that knows
    nothing of archives still gets at least the last fifty messages.
    """
    return max(0, last_place(conn, receiver) // PLACES - 1)


def read_page(conn: Connection, receiver: Receiver, number: int | None) -> Page:
    """
    Return a page of the feed of *receiver*.

    Args:
        conn: a transaction that sees one state of the database.
        receiver: a receiver of the kind `feed`.
        number: the number of an archive; None: the current page.

    Raises:
        BadInput: if the feed has no such page.
    """
    assert isinstance(receiver.target, Feed), "only the receiver of a feed has pages"
    archives = archive_count(conn, receiver.name)
    if number is not None and not 1 <= number <= archives:
        wanted = f"1 to {archives}" if archives else "the current page"
        raise BadInput(f"the feed has no page {number}", wanted, receiver.target.name)
    first = (archives if number is None else number - 1) * PLACES + 1
    last = first + (2 * PLACES if number is None else PLACES) - 1
    rows = feed_rows(conn, receiver.name, first, last)
    latest = [row for row in rows if row.is_latest]
    entries = tuple(_entry(row, message) for row, message in _worded(conn, Composer(receiver), latest))
    began = feed_began(conn, receiver.name) or _NEVER
    return Page(
        name=receiver.target.name,
        # With the instant, so that two installations have two feeds.
        feed_id=uuid5(NAMESPACE, f"feed {receiver.name} {began.isoformat()}"),
        language=receiver.language,
        number=number,
        archives=archives,
        updated=max((began, *(row.updated for row in rows))),
        entries=entries,
    )


def _worded(conn: Connection, composer: Composer, rows: Sequence[FeedRow]) -> list[tuple[FeedRow, Message]]:
    """Return *rows* with their messages. One that cannot be worded any more is left out, and breaks no page."""
    try:
        with conn.begin_nested():
            messages = composer.messages(conn, [row.due for row in rows])
        return [*zip(rows, messages, strict=True)]
    except UNAVAILABLE:
        raise
    except Exception as problem:  # noqa: BLE001 - one bad row must not hide the others of its page
        if len(rows) > 1:
            return [worded for row in rows for worded in _worded(conn, composer, [row])]
        _note_left_out(rows[0].due, fault_of(problem))
        return []


def _note_left_out(due: Due, fault: str) -> None:
    logger.error("entry_not_worded", receiver=due.receiver, number=due.number, fault=fault)


def _entry(row: FeedRow, message: Message) -> Entry:
    return Entry(_entry_id(row.due, message), message, row.published, row.updated)


def _entry_id(due: Due, message: Message) -> UUID:
    """Return the id of an entry: that of the alert, of the person's clearing, or of the message."""
    if due.alert_id is not None:
        return UUID(due.alert_id)
    if due.kind in CLEARINGS:
        return uuid5(NAMESPACE, f"clearing {' '.join(message.subject_ids)}")
    return UUID(due.notice_id)
