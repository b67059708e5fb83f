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

NO_WORD = ""
"""In the course of a part: from here on its word is not spoken of, since the person died or its case ended."""
