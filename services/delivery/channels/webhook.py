"""
Webhooks, by the Standard Webhooks specification: one signed POST for each message.

The headers are `webhook-id` (the id of the notice, the same on every try), `webhook-timestamp` (the time of the try)
and `webhook-signature` (one for each value of the secret, so that it can be rotated). The body is JSON, the same on
every try: `{type, timestamp, data: {notice_id, sequence, alert, text, language, subjects}}`. `timestamp` is the time
of the notice. `alert` is null if it is not about one alert. `subjects` are the ids of the people concerned. Some types
have further fields in `data`, such as the notices of a summary.

The types are:
- `alert.open`: an alert opens, opens again or grows
- `alert.resolved`, `alert.retracted`, `alert.superseded`: it ends
- `alert.reminder`: it is still open
- `person.cleared`, `person.cleared_withdrawn`: a person is cleared, or that is set aside
- `summary`: many openings in one message; `digest`: the notices of a day
- `report`: a week in which nothing happened
- `receiver.failing`: another receiver fails
- `test`: a test, about nobody

A secret is the base64 of 24 to 64 random bytes, with or without `whsec_` before it, such as the output of
`openssl rand -base64 32`.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import standardwebhooks

from events.edtf import format_instant
from events.errors import BadInput
from services.delivery.config.model import Network, Webhook
from services.delivery.config.secrets import PREFIX
from services.delivery.message import Attempt, Message, MessageKind

from .addresses import RefusedAddress, Resolver
from .exchange import SECONDS, Answer, Exchange, NoAnswer, Request

TYPES: Final[Mapping[MessageKind, str]] = {
    "open": "alert.open",
    "change": "alert.open",
    "resolved": "alert.resolved",
    "retracted": "alert.retracted",
    "superseded": "alert.superseded",
    "cleared": "person.cleared",
    "cleared_withdrawn": "person.cleared_withdrawn",
    "reminder": "alert.reminder",
    "summary": "summary",
    "digest": "digest",
    "report": "report",
    "failure": "receiver.failing",
    "test": "test",
}
"""The type of the body for each kind of message."""

_LONGEST_PAUSE_SECONDS: Final = 86_400.0
_THIS_MESSAGE: Final = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
_PAUSING: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_PREFIX_OF_SECRETS: Final = "whsec_"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class WebhookChannel:
    """
    A way to one URL.

    Args:
        target: the URL, and the name of its secret.
        secrets: the values of the secret: one, or several while it is rotated.
        allow: networks that may be reached although they are not public.
        resolver: None: `socket.getaddrinfo`.
        clock: returns the present time; aware UTC.
        seconds: the limit of a try.

    Raises:
        BadInput: if a value of the secret is not base64. The error does not quote it.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        target: Webhook,
        secrets: Sequence[str],
        allow: Collection[Network] = (),
        resolver: Resolver | None = None,
        clock: Callable[[], datetime] = _utc_now,
        seconds: float = SECONDS,
    ) -> None:
        self._url = target.url
        self._signers = [standardwebhooks.Webhook(_key(value, PREFIX + target.secret)) for value in secrets]
        self._exchange = Exchange(allow, resolver, seconds)
        self._clock = clock

    def compose(self, message: Message) -> bytes | None:  # noqa: ARG002
        """Return None: the body depends on the message alone, so that every try makes the same one."""
        return None

    def send(self, message: Message) -> Attempt:
        """Post *message* once."""
        now, body = self._clock(), message.stored or content(message)
        headers = self._headers(message.notice_id, now, body)
        try:
            answer = self._exchange.send(Request("POST", self._url, headers, body))
        except RefusedAddress as problem:
            return Attempt("refused", f"address refused: {problem.what}", sent_whole=False)
        except NoAnswer as problem:
            return Attempt("failed", problem.what, problem.sent_whole)
        return attempt(answer, now)

    def close(self) -> None:
        """Do nothing: each message has a connection of its own."""

    def _headers(self, notice_id: str, now: datetime, body: bytes) -> dict[str, str]:
        signatures = (signer.sign(notice_id, now.astimezone(UTC), body.decode()) for signer in self._signers)
        return {
            "Content-Type": "application/json",
            "webhook-id": notice_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def content(message: Message) -> bytes:
    """Return the body of *message*: JSON in UTF-8, the same on every try."""
    data = {
        **message.data,
        "notice_id": message.notice_id,
        "sequence": message.sequence,
        "alert": message.alert,
        "text": message.text.plain,
        "language": message.text.language,
        "subjects": message.subject_ids,
    }
    body = {"type": TYPES[message.kind], "timestamp": format_instant(message.at), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def attempt(answer: Answer, now: datetime) -> Attempt:
    """Return the meaning of *answer* at *now*. Nothing that the server wrote is part of it."""
    status, sent_whole = answer.status, answer.sent_whole
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Attempt("delivered", str(status), sent_whole)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Attempt("failed", f"redirect refused ({status})", sent_whole)
    if status == HTTPStatus.GONE:
        return Attempt("gone", str(status), sent_whole)
    if status in _THIS_MESSAGE:
        return Attempt("rejected", str(status), sent_whole)
    header = answer.headers.get("Retry-After", "") if status in _PAUSING else ""
    return Attempt("failed", str(status), sent_whole, retry_after_seconds=_pause_seconds(header.strip(), now))


def _pause_seconds(text: str, now: datetime) -> float | None:
    """Return the pause of a header `Retry-After`, between 0 and a day; None: it is neither seconds nor a date."""
    if text.isascii() and text.isdigit():
        seconds = float(text)
    else:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        # "-0000" as the zone means UTC, and the library returns it without a zone.
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_PAUSE_SECONDS)


def _key(value: str, variable: str) -> bytes:
    """Return the bytes of a value of the secret in *variable*. The library itself would skip wrong characters."""
    text = value.removeprefix(_PREFIX_OF_SECRETS).rstrip("=")
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not key:
        wanted = "whsec_ and the base64 of 24 to 64 random bytes, such as from openssl rand -base64 32"
        raise BadInput("a value of this secret is not base64", wanted, variable)
    return key
