"""A status in one word, and what it rests on."""

from datetime import datetime
from typing import NamedTuple

from events.facts import Fact


class Cell(NamedTuple):
    """
    One status and what it rests on.

    Attributes:
        status: the word.
        since_earliest: earliest instant it can have begun; None: not known.
        since_latest: latest instant it can have begun; None: not known.
        fact_id: the fact that set it; None for ``unknown``.
        facts: how many facts in a row say so.
    """

    status: str
    since_earliest: datetime | None
    since_latest: datetime | None
    fact_id: str | None
    facts: int


UNKNOWN = Cell("unknown", None, None, None, 0)


def moved(cell: Cell, status: str, fact: Fact) -> Cell:
    """Return *cell* once *fact* has said *status*: one that says the same again is counted and moves nothing."""
    if cell.status == status:
        return Cell(status, cell.since_earliest, cell.since_latest, cell.fact_id, cell.facts + 1)
    return Cell(status, fact.occurred.earliest, fact.occurred.latest, fact.id, 1)
