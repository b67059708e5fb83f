"""The composer of a receiver: makes the messages of rows of `deliveries`, worded by the facts known when it is sent."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection

from projections.queries.notices import Background, background_of, people_of
from projections.tables.delivery.tries import BUNDLES, Due, Told, members, told_before
from projections.tables.outbox import notices_at
from services.words.messages.bundles import word_digest, word_summary
from services.words.messages.notices import AlertKind, AlertNotice, PersonKind, word_notice, word_person
from services.words.messages.operations import word_failure, word_given_up, word_report, word_test

from .config.model import Mail, Receiver
from .message import Earlier, Message, MessageKind, Text

Content = Mapping[str, Any]

_STANDING = frozenset({"open", "change", "reminder"})


class Material(NamedTuple):
    """
    The rows of `deliveries` that are worded together, and all that their words need.

    Attributes:
        rows: the rows.
        contents: by the number of a row, its notice as the outbox has it. A row about the work itself has none.
        told: by the number of a row, the messages about its alert of which its address was told before.
        background: the facts and people that the notices speak of.
    """

    rows: Sequence[Due]
    contents: Mapping[int, Content]
    told: Mapping[int, Told]
    background: Background


class Composer:
    """
    Makes the messages to one receiver, in its language.

    Args:
        receiver: the receiver.
    """

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def message(self, conn: Connection, due: Due) -> Message | None:
        """Return the message of the row *due*; None: it is a digest or a summary of alerts that have all ended."""
        if due.kind not in BUNDLES:
            (message,) = self.messages(conn, [due])
            return message
        material = _material(conn, members(conn, due.receiver, due.number))
        if not material.rows:
            return None
        contents = [material.contents[row.number] for row in material.rows]
        return _message(due, contents, None, self._bundled(due, material), {"notices": contents})

    def messages(self, conn: Connection, rows: Sequence[Due]) -> list[Message]:
        """Return the messages of *rows*, none of them a digest or a summary, by as many statements as for one."""
        material = _material(conn, rows)
        return [self._single(row, material) for row in rows]

    def _single(self, due: Due, material: Material) -> Message:
        content = material.contents.get(due.number)
        contents = [] if content is None else [content]
        told, data = material.told.get(due.number), due.data or {}
        if content is None:
            text = self._operational(due.kind, data)
        elif due.alert_id is None:
            kind = cast("PersonKind", due.kind)
            text = word_person(
                kind, content["subject_id"], content["fact_id"], material.background, self.receiver.language
            )
            data = data or content
        else:
            text = word_notice(_alert_notice(due, content, told), material.background, self.receiver.language)
        return _message(due, contents, told, text, data)

    def _operational(self, kind: str, data: Content) -> Text:
        language = self.receiver.language
        match kind:
            case "test":
                return word_test(self.receiver.name, language)
            case "report":
                return word_report(data["start"], data["end"], data["facts"], data["people"], language)
            case "failure" if data["state"] == "given_up":
                return word_given_up(data["receiver"], data["since"], data["number"], data["answer"], language)
            case _:
                return word_failure(data["receiver"], data["since"], data["waiting"], data["answer"], language)

    def _bundled(self, due: Due, material: Material) -> Text:
        notices = [
            _alert_notice(row, material.contents[row.number], material.told.get(row.number)) for row in material.rows
        ]
        standing = [notice for notice in notices if notice.kind in _STANDING]
        if due.kind == "summary":
            return word_summary(standing, material.background, self.receiver.language)
        ended = [notice for notice in notices if notice.kind not in _STANDING]
        digest = self.receiver.target.digest if isinstance(self.receiver.target, Mail) else None
        day = due.decided_at.astimezone(digest.zone) if digest else due.decided_at
        latest = {notice.alert["alert_id"]: notice for notice in standing}
        return word_digest(
            day.date().isoformat(), [*latest.values()], ended, material.background, self.receiver.language
        )


def _message(due: Due, contents: Sequence[Content], told: Told | None, text: Text, data: Content) -> Message:
    is_alert = due.alert_id is not None
    return Message(
        receiver=due.receiver,
        address=due.address,
        kind=cast("MessageKind", due.kind),
        notice_id=due.notice_id,
        sequence=due.sequence,
        at=due.decided_at,
        alert=contents[0] if is_alert else None,
        subject_ids=tuple(sorted({person for content in contents for person in people_of(content)})),
        text=text,
        latest=text if is_alert else None,
        earlier=Earlier(told.notice_id, told.reference) if told else None,
        data=data,
        # Bytes that nobody has received are made again: an alert that has ended since is left out.
        stored=due.stored if due.told_at else None,
    )


def _alert_notice(due: Due, content: Content, told: Told | None) -> AlertNotice:
    before = None if told is None else "open" if told.last_kind in _STANDING else told.last_kind
    kind = cast("AlertKind", due.kind)
    sentences, language = content.get("explanations", {}), content.get("language", "en")
    return AlertNotice(kind, cast("Any", content), sentences, language, before)


def _material(conn: Connection, rows: Sequence[Due]) -> Material:
    places = {row.number: (row.partition, row.n) for row in rows if row.partition is not None and row.n is not None}
    notices = notices_at(conn, places.values())
    contents = {number: notices[place].notice or {} for number, place in places.items()}
    return Material(rows, contents, told_before(conn, rows), background_of(conn, [*contents.values()]))
