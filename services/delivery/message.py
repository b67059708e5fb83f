"""A message to one address of a receiver, the result of a try to send it, and the protocol of the ways to send."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from services.words.text import Text

__all__ = ["Attempt", "Channel", "Earlier", "Message", "MessageKind", "Text"]

MessageKind: TypeAlias = Literal[
    "open",  # an alert opens
    "change",  # it opens again or grows, for the addresses that were told of it
    "resolved",
    "retracted",
    "superseded",
    "cleared",  # a person is cleared
    "cleared_withdrawn",
    "reminder",  # an alert is still open
    "summary",  # many openings within a minute, in one message
    "digest",  # the notices of a day, in one message
    "report",  # a week in which nothing happened
    "failure",  # another receiver fails; for operators
    "test",
]


class Earlier(NamedTuple):
    """
    The first message about the same alert that this address was sent.

    Attributes:
        notice_id: its notice.
        reference: the receiver's own reference of it, such as the timestamp of a chat message.
        message_id: the Message-ID under which a mail carried it, which may be that of a digest.
    """

    notice_id: str
    reference: str | None
    message_id: str | None = None


class Message(NamedTuple):
    """
    A message to one address.

    Attributes:
        receiver: the receiver's name.
        address: the mail address; empty for receivers with one address.
        kind: the occasion.
        notice_id: the id of the notice, the same on every try.
        sequence: a number that rises with the notices of an alert, so that a receiver can ignore lower ones.
        at: when the notice came to be; aware UTC.
        alert: the alert after the change, as JSON; None: it is not about one alert.
        subject_ids: the people concerned.
        text: the words of this notice.
        latest: the words of the alert's latest state, which replace those of the first message in a chat.
        earlier: the first message about the same alert; None: this is the first.
        data: further fields for programs, such as the notices of a summary.
        stored: the bytes that an earlier try sent, which every further try repeats; None: none are stored.
    """

    receiver: str
    address: str
    kind: MessageKind
    notice_id: str
    sequence: int
    at: datetime
    alert: Mapping[str, Any] | None
    subject_ids: tuple[str, ...]
    text: Text
    latest: Text | None = None
    earlier: Earlier | None = None
    data: Mapping[str, Any] = {}
    stored: bytes | None = None


class Attempt(NamedTuple):
    """
    The result of a try.

    Attributes:
        outcome: *delivered*; *failed*: the receiver has trouble, and all its messages wait; *rejected*: this message
            has trouble, and the others go on; *impossible*: this message to this address will never be accepted;
            *gone*: the receiver wants no more messages (410); *refused*: its address is not allowed.
        answer: the receiver's words, in one short line without secrets or names of people.
        sent_whole: whether the whole message was sent, even if no answer came: then its receiver was told.
        reference: the receiver's own reference, if it accepted.
        takes_place: whether the message takes the next place in a feed, which becomes its reference.
        retry_after_seconds: the pause that the receiver asked for; None: none.
    """

    outcome: Literal["delivered", "failed", "rejected", "impossible", "gone", "refused"]
    answer: str
    sent_whole: bool
    reference: str | None = None
    retry_after_seconds: float | None = None
    takes_place: bool = False


class Channel(Protocol):
    """
    A way to one receiver. `services.delivery.channels` has one module for each kind.

    A channel is used by one thread. It never raises for trouble of the receiver: the attempt states it.
    """

    def compose(self, message: Message) -> bytes | None:
        """Return the bytes that every try of *message* repeats; None: each try makes its own."""
        ...

    def send(self, message: Message) -> Attempt:
        """Try once to send *message*, within a bounded time."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
