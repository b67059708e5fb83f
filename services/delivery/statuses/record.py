"""The records of the topic of statuses, and the result of writing them."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class NewStatus(NamedTuple):
    """
    A record to write.

    Attributes:
        sequence: its number, higher than that of each earlier one.
        subject_id: the person.
        at: the instant of writing, as JSON has it.
        status: the status as JSON; None: the person has none any more.
    """

    sequence: int
    subject_id: str
    at: str
    status: Any | None


class Sent(NamedTuple):
    """
    The result of writing records.

    Attributes:
        acknowledged: the numbers of those that the broker has.
        refused: the number of those that it will not take, such as one that is too large.
        problem: the reason why others have not arrived; None: there are none.
    """

    acknowledged: Sequence[int]
    refused: int
    problem: str | None
