"""
The protocol between the notifier and a receiver of the outbox.

Each receiver has a name, and its own cursor for each partition: the row of table `relays` with its name. So several
receivers advance independently, each with a notifier of its own. A new receiver begins with the first row.
"""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from events.errors import Unreachable
from projections.tables.outbox import Outgoing


class Delivery(NamedTuple):
    """
    The result of sending rows to a receiver.

    Attributes:
        rows: the number of rows that were acknowledged, counted from the first row without a gap.
        problem: the reason why the next row was refused; None if all were acknowledged or the stop was set.
    """

    rows: int
    problem: Unreachable | None = None


class Receiver(Protocol):
    """A connection to one receiver, such as Kafka, a webhook or a mailbox."""

    def send(self, rows: Sequence[Outgoing], stop: threading.Event, beat: Callable[[], None]) -> Delivery:
        """
        Send *rows* in their order; return when they are acknowledged or refused, or *stop* is set.

        It waits while the receiver is away. A row may be sent again after a failure, so a receiver has to recognise
        its id. A receiver that has no use for a row counts it as acknowledged.

        Args:
            rows: at least one row, all of one partition.
            stop: ends the wait.
            beat: called during the wait, as a sign of life.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
