"""The composer of a receiver: makes the message of a row of `deliveries`, worded by the facts known when it is sent."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection

from projections.queries.notices import background_of, people_of
from projections.tables.delivery.tries import BUNDLES, Due, Told, members, told_before
from projections.tables.outbox import notices_at
from services.words.messages.bundles import word_digest, word_summary
from services.words.messages.notices import AlertKind, AlertNotice, PersonKind, word_notice, word_person
from services.words.messages.operations import word_failure, word_given_up, word_report, word_test

from .config.model import Mail, Receiver
from .message import Earlier, Message, MessageKind, Text

Content = Mapping[str, Any]

_STANDING = frozenset({"open", "change", "reminder"})


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
        is_bundle = due.kind in BUNDLES
        rows = members(conn, due.receiver, due.number) if is_bundle else [due]
        if not rows:
            return None
        contents = _contents(conn, rows)
        told = told_before(conn, due) if due.alert_id else None
        text = self._bundled(conn, due, rows, contents) if is_bundle else self._single(conn, due, contents, told)
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
            data={"notices": contents} if is_bundle else due.data or (contents[0] if contents and not is_alert else {}),
            # Bytes that nobody has received are made again: an alert that has ended since is left out.
            stored=due.stored if due.told_at else None,
        )

    def _single(self, conn: Connection, due: Due, contents: Sequence[Content], told: Told | None) -> Text:
        language = self.receiver.language
        data = due.data or {}
        match due.kind:
            case "test":
                return word_test(due.receiver, language)
            case "report":
                return word_report(data["start"], data["end"], data["facts"], data["people"], language)
            case "failure" if data["state"] == "given_up":
                return word_given_up(data["receiver"], data["since"], data["number"], data["answer"], language)
            case "failure":
                return word_failure(data["receiver"], data["since"], data["waiting"], data["answer"], language)
        (content,) = contents
        background = background_of(conn, [content])
        if due.alert_id is None:
            kind = cast("PersonKind", due.kind)
            return word_person(kind, content["subject_id"], content["fact_id"], background, language)
        return word_notice(_alert_notice(due, content, told), background, language)

    def _bundled(self, conn: Connection, due: Due, rows: Sequence[Due], contents: Sequence[Content]) -> Text:
        background = background_of(conn, contents)
        notices = [
            _alert_notice(row, content, told_before(conn, row)) for row, content in zip(rows, contents, strict=True)
        ]
        standing = [notice for notice in notices if notice.kind in _STANDING]
        if due.kind == "summary":
            return word_summary(standing, background, self.receiver.language)
        ended = [notice for notice in notices if notice.kind not in _STANDING]
        digest = self.receiver.target.digest if isinstance(self.receiver.target, Mail) else None
        day = due.decided_at.astimezone(digest.zone) if digest else due.decided_at
        latest = {notice.alert["alert_id"]: notice for notice in standing}
        return word_digest(day.date().isoformat(), [*latest.values()], ended, background, self.receiver.language)


def _alert_notice(due: Due, content: Content, told: Told | None) -> AlertNotice:
    before = None if told is None else "open" if told.last_kind in _STANDING else told.last_kind
    kind = cast("AlertKind", due.kind)
    sentences, language = content.get("explanations", {}), content.get("language", "en")
    return AlertNotice(kind, cast("Any", content), sentences, language, before)


def _contents(conn: Connection, rows: Sequence[Due]) -> list[Content]:
    """Return the notices of *rows*, as the outbox has them."""
    places = [(row.partition, row.n) for row in rows if row.partition is not None and row.n is not None]
    notices = notices_at(conn, places)
    return [notices[place].notice or {} for place in places]
