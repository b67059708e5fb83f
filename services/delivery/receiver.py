"""The receiver of what is in the outbox: the protocol between the notifier and one kind of delivery."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from events.errors import Unreachable
from projections.tables.outbox import Outgoing


class Sent(NamedTuple):
    """How many of the rows were acknowledged, from the first on without a gap, and why no more; None: asked to stop."""

    rows: int
    problem: Unreachable | None = None


class Receiver(Protocol):
    """Where the rows go."""

    def send(self, rows: Sequence[Outgoing], stop: threading.Event, beat: Callable[[], None]) -> Sent:
        """
        Send *rows* in their order and return once they are acknowledged or refused, or *stop* is set.

        A receiver that is away is waited for.

        Args:
            rows: at least one.
            stop: ends the wait.
            beat: called all the while.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
