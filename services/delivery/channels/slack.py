"""
A channel of Slack, by its Web API.

The first message about an alert is posted with chat.postMessage. A later one edits the first to the latest state with
chat.update, and is posted as a reply in its thread. A try that follows one without an answer may post a second time:
the API has no documented key by which it would recognise a repeat (`client_msg_id` is for Slack's own programs). Each
message carries `notice_id` and `sequence` as metadata, so that programs can.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple, assert_never

from events.errors import BadInput
from services.delivery.config.model import Network, Slack
from services.delivery.config.secrets import PREFIX
from services.delivery.message import Attempt, Message, Text

from .addresses import RefusedAddress
from .cleaning import clean, one_line, pieces, short_answer
from .exchange import SECONDS, Answer, Exchange, NoAnswer, Request

POST_CHARACTERS: Final = 40_000
"""The length at which chat.postMessage cuts a text off."""

UPDATE_CHARACTERS: Final = 4_000
"""The longest text that chat.update accepts."""

_LONGEST_PAUSE_SECONDS: Final = 86_400.0
# The errors about one message, from the pages of the two methods. All others are about the token or the channel.
_ABOUT_THE_MESSAGE: Final = frozenset({
    *("msg_too_long", "msg_blocks_too_long", "no_text", "too_many_attachments", "attachment_payload_limit_exceeded"),
    *("invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large"),
    *("cannot_reply_to_message", "restricted_action_thread_locked", "restricted_action_non_threadable_channel"),
})  # fmt: skip
_TOO_MANY: Final = frozenset({"ratelimited", "rate_limited"})
# "It's possible some aspect of the operation succeeded before the error was raised."
_PERHAPS_POSTED: Final = frozenset({"fatal_error", "internal_error", "request_timeout"})
# The first message cannot be edited. The reply says the latest state all the same.
_NOT_EDITABLE: Final = frozenset({"cant_update_message", "edit_window_closed", "msg_too_long"})
_DELETED: Final = "message_not_found"


class Result(NamedTuple):
    """The attempt of one call of the API; `error`: the error that the API named; empty: none."""

    attempt: Attempt
    error: str


class SlackChannel:
    """
    A way to one channel of Slack.

    Args:
        target: the channel, the name of the secret with the token, and the base URL.
        token: the token of a bot that is a member of the channel.
        allow: networks that may be reached although they are not public.
        seconds: the limit of one call of the API; a message takes two at most.

    Raises:
        BadInput: if the token has characters that no token has.
    """

    def __init__(self, target: Slack, token: str, allow: Collection[Network] = (), seconds: float = SECONDS) -> None:
        if not token.isascii() or not token.isprintable():
            raise BadInput("this has characters that no token of Slack has", "such as xoxb-...", PREFIX + target.token)
        self._channel = target.channel
        self._api = target.api.rstrip("/")
        self._token = token
        self._exchange = Exchange(allow, seconds=seconds)

    def compose(self, message: Message) -> None:
        """Keep no bytes: each try makes its own."""

    def send(self, message: Message) -> Attempt:
        """Edit the first message about the alert, if there is one, and post *message*."""
        first = message.earlier.reference if message.earlier is not None else None
        if first is not None and message.latest is not None:
            arguments = {"ts": first, "text": words(message.latest, UPDATE_CHARACTERS), "parse": "none"}
            edited = self._call("chat.update", arguments)
            if edited.error == _DELETED:
                first = None
            elif edited.attempt.outcome != "delivered" and edited.error not in _NOT_EDITABLE:
                return edited.attempt._replace(sent_whole=False)  # the message itself was not sent yet
        return self._call("chat.postMessage", post(message, first)).attempt

    def close(self) -> None:
        """Do nothing: each call has a connection of its own."""

    def _call(self, method: str, arguments: Mapping[str, Any]) -> Result:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json; charset=utf-8"}
        body = json.dumps({"channel": self._channel, **arguments}, ensure_ascii=False).encode()
        try:
            answer = self._exchange.send(Request("POST", f"{self._api}/{method}", headers, body))
        except RefusedAddress as problem:
            return Result(Attempt("refused", short_answer(str(problem)), sent_whole=False), "")
        except NoAnswer as problem:
            return Result(Attempt("failed", f"{method}: {problem.what}", problem.sent_whole), "")
        return result(method, answer)


def post(message: Message, first: str | None) -> dict[str, Any]:
    """Return the arguments of chat.postMessage; *first*: the message in whose thread it belongs."""
    payload = {"notice_id": message.notice_id, "sequence": message.sequence, "kind": message.kind}
    thread = {} if first is None else {"thread_ts": first}
    return {
        "text": words(message.text, POST_CHARACTERS),
        "parse": "none",  # without it, a name that looks like a URL would be a link
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {"event_type": "casetrail_notice", "event_payload": payload},
        **thread,
    }


def words(text: Text, characters: int) -> str:
    """
    Return *text* as Slack wants it: with `&`, `<` and `>` escaped, and with the URLs of the sources as links.

    A text with more than *characters* loses its longest paragraphs, so that title, presumption and change stay.
    """
    paragraphs = [escaped(one_line(text.title), ()), *(escaped(clean(part), text.links) for part in text.body)]
    while len("\n\n".join(paragraphs)) > characters and (longest := max(paragraphs[1:], key=len, default="…")) != "…":
        paragraphs[paragraphs.index(longest, 1)] = "…"
    return "\n\n".join(paragraphs)


def escaped(text: str, links: Sequence[str]) -> str:
    """Return *text* with the control characters of Slack's markup escaped, and with *links* as links."""
    parts = []
    for kind, part in pieces(text, links):
        safe = part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        match kind:
            case "link":
                parts.append(f"<{safe.replace('|', '%7C')}>")  # words of the link would stand after a bar
            case "name":
                parts.append(f"\u2068{safe}\u2069")
            case "text":
                parts.append(safe)
            case _:
                assert_never(kind)
    return "".join(parts)


def result(method: str, answer: Answer) -> Result:
    """Return the meaning of *answer*."""
    content = _content(answer)
    error = str(content.get("error", ""))
    line = short_answer(f"{method}: {error or answer.status}")
    if content.get("ok") is True and answer.status == HTTPStatus.OK:
        return Result(Attempt("delivered", line, sent_whole=True, reference=str(content.get("ts", ""))), "")
    # An answer of Slack's program says that nothing was posted. One of another server on the way says nothing.
    is_perhaps_posted = answer.sent_whole and (not error or error in _PERHAPS_POSTED)
    outcome: Literal["rejected", "failed"] = "rejected" if error in _ABOUT_THE_MESSAGE else "failed"
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or error in _TOO_MANY:
        pause = _seconds(answer.headers.get("Retry-After", ""))
        return Result(Attempt("failed", line, sent_whole=False, retry_after_seconds=pause), error)
    return Result(Attempt(outcome, line, is_perhaps_posted), error)


def _content(answer: Answer) -> Mapping[str, Any]:
    """Return the JSON object of *answer*; empty if it has none."""
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _seconds(text: str) -> float | None:
    """Return the seconds of a header Retry-After; None: it has none."""
    return min(float(text), _LONGEST_PAUSE_SECONDS) if text.isascii() and text.isdigit() else None
