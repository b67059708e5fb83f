"""A status in one word, and the fact on which it rests."""

from typing import NamedTuple

from events.facts import Fact


class Cell(NamedTuple):
    """
    One status and the fact that set it.

    Attributes:
        status: the word.
        fact: the fact on which it rests, which also has the date. None for ``unknown``.
    """

    status: str
    fact: Fact | None


UNKNOWN = Cell("unknown", None)
