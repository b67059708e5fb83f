"""
The decision on a notice: which addresses of a receiver get a message, and which waiting messages never go.

It is a function of the notice, the routes that fit, the silences, and the earlier messages. It is decided once and
written down. The two rules on which people rely:

- An address that was told of an opening is told of each end, whatever the routes and silences are by then.
- An address that was not told of an opening is told of no end. An opening that waits when its alert ends is dropped.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

from services.delivery.config.model import Route
from services.delivery.message import MessageKind

from .notice import Notice

ENDED_FIRST = "the alert ended before it was sent"
REPLACED = "a later notice replaces it"
SILENCE = "silence"
WAIT = "wait"
DIGEST = "digest"

# These wait for a digest; a correction or a clearing does not.
IN_DIGESTS = frozenset({"open", "change", "resolved", "superseded", "reminder"})


class Audience(NamedTuple):
    """
    The addresses of a receiver, as a notice meets them.

    Attributes:
        addresses: the present addresses.
        muted: addresses that get no openings, case-folded.
        routes: the routes to the receiver that the notice fits.
        is_silenced: whether a silence holds the notice.
        digest_at: the instant of the next digest; None: the receiver has none.
    """

    addresses: Sequence[str]
    muted: frozenset[str]
    routes: Sequence[Route]
    is_silenced: bool
    digest_at: datetime | None


class Earlier(NamedTuple):
    """
    An earlier message to an address of the receiver: of the same alert or, for a clearing, about the same person.

    Attributes:
        number: its row.
        address: the address.
        kind: its occasion.
        is_waiting: whether it is queued or held.
        is_told: whether a try sent the whole message, or may have: its result is not known.
        not_before: until when it is held.
    """

    number: int
    address: str
    kind: MessageKind
    is_waiting: bool
    is_told: bool
    not_before: datetime | None = None


class Decided(NamedTuple):
    """
    A message to write down.

    Attributes:
        address: the address.
        kind: the occasion.
        state: *queued* or *held*.
        why: the reason why it is held, or waits.
        not_before: the earliest instant to send it; None: at once, or when the silence ends.
        remind: the interval of reminders; None: none.
    """

    address: str
    kind: MessageKind
    state: str = "queued"
    why: str | None = None
    not_before: datetime | None = None
    remind: timedelta | None = None


class Decision(NamedTuple):
    """
    The messages to write down, and the waiting ones that never go.

    Attributes:
        messages: the new messages.
        dropped: the numbers of the rows to drop, each with the reason.
    """

    messages: list[Decided]
    dropped: list[tuple[int, str]]

    def add(self, other: "Decision") -> None:
        """Add *other*, which is about another address."""
        self.messages.extend(other.messages)
        self.dropped.extend(other.dropped)


def decide(notice: Notice, audience: Audience, earlier: Sequence[Earlier], now: datetime) -> Decision:
    """
    Decide on *notice*.

    Args:
        notice: the notice.
        audience: the addresses, with their conditions.
        earlier: all earlier messages of the same alert or, for a clearing, about the same person.
        now: the notifier's clock; aware UTC.
    """
    decision = Decision([], [])
    for address in dict.fromkeys([*audience.addresses, *(message.address for message in earlier)]):
        own = [message for message in earlier if message.address == address]
        match notice.kind:
            case "open":
                decision.add(_open(address, audience, own, now))
            case "resolved" | "retracted" | "superseded":
                decision.add(_end(address, notice.kind, audience, own))
            case "cleared" | "cleared_withdrawn":
                decision.add(_cleared(address, notice.kind, own))
            case "acknowledged":
                pass
            case _:
                assert_never(notice.kind)
    return decision


def _open(address: str, audience: Audience, own: Sequence[Earlier], now: datetime) -> Decision:
    """Decide on an opening. A reopening goes to an address that was told, despite silences and routes."""
    if _is_told(own):
        return Decision([_message(address, "change", audience)], [])
    replaced = [message for message in own if message.is_waiting]
    dropped = [(message.number, REPLACED) for message in replaced]
    if not audience.routes or address not in audience.addresses or address.casefold() in audience.muted:
        return Decision([], dropped)
    message = _message(address, "open", audience)
    wait = min(route.wait for route in audience.routes)
    if audience.is_silenced:
        message = message._replace(state="held", why=SILENCE, not_before=None)
    elif wait:
        # An alert that grows while it is held waits no longer than at first.
        until = min((each.not_before for each in replaced if each.not_before), default=now + wait)
        message = message._replace(state="held", why=WAIT, not_before=until)
    return Decision([message], dropped)


def _end(address: str, kind: MessageKind, audience: Audience, own: Sequence[Earlier]) -> Decision:
    """
    Decide on an end. It drops the messages of the alert that still wait.

    It also drops an opening that was sent and not accepted: nobody is accused again of what has ended.
    """
    is_told = _is_told(own)
    dropped = [(message.number, REPLACED if is_told else ENDED_FIRST) for message in own if message.is_waiting]
    return Decision([_message(address, kind, audience)] if is_told else [], dropped)


def _cleared(address: str, kind: MessageKind, own: Sequence[Earlier]) -> Decision:
    """Decide on a clearing, or on one that was set aside: it goes at once to an address that was told of an alert."""
    return Decision([Decided(address, kind)] if _is_told(own) else [], [])


def _is_told(messages: Sequence[Earlier]) -> bool:
    return any(message.is_told for message in messages)


def _message(address: str, kind: MessageKind, audience: Audience) -> Decided:
    waits = audience.digest_at is not None and kind in IN_DIGESTS
    return Decided(
        address,
        kind,
        why=DIGEST if waits else None,
        not_before=audience.digest_at if waits else None,
        remind=min(_intervals(audience.routes), default=None) if kind in {"open", "change"} else None,
    )


def _intervals(routes: Sequence[Route]) -> Iterator[timedelta]:
    return (route.remind for route in routes if route.remind is not None)
