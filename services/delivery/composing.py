"""The composer of a receiver: makes the message of a row of `deliveries`."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection

from projections.queries.notices import people_of
from projections.tables.delivery.tries import Due, first_told, members
from projections.tables.outbox import notices_at
from services.delivery.config.model import Receiver

from .message import Earlier, Message, MessageKind, Text

Content = Mapping[str, Any]


class Composer:
    """
    Makes the messages to one receiver, in its language.

    Args:
        receiver: the receiver.
    """

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def message(self, conn: Connection, due: Due) -> Message:
        """Return the message of the row *due*, worded by what is known now."""
        rows = members(conn, due.receiver, due.number) if due.kind in {"digest", "summary"} else [due]
        contents = _contents(conn, rows)
        (own,) = contents or [{}] if due.kind not in {"digest", "summary"} else [{}]
        first = first_told(conn, due.receiver, due.address, due.alert_id) if due.alert_id else None
        kind = cast("MessageKind", due.kind)
        text = _text(kind, own, self.receiver.language)
        return Message(
            receiver=due.receiver,
            address=due.address,
            kind=kind,
            notice_id=due.notice_id,
            sequence=due.sequence,
            at=due.decided_at,
            alert=own if due.alert_id else None,
            subject_ids=tuple(sorted({person for content in contents for person in people_of(content)})),
            text=text,
            latest=text if due.alert_id else None,
            earlier=Earlier(first.notice_id, first.reference) if first else None,
            data={**(due.data or {})},
            stored=due.stored if due.told_at else None,
        )


def _contents(conn: Connection, rows: Sequence[Due]) -> list[Content]:
    """Return the notices of *rows*, as the outbox has them."""
    places = [(row.partition, row.n) for row in rows if row.partition is not None and row.n is not None]
    found = notices_at(conn, places)
    return [found[place].notice or {} for place in places]


def _text(kind: MessageKind, content: Content, language: str) -> Text:
    return Text(content.get("explanation", kind), (), language)
