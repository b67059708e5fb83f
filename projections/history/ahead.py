"""Facts that became known before their time (docs/design.md, 2.3), and whether they count by now."""

from datetime import datetime

from events.facts import Fact
from events.vocabulary import TRACKS

NEVER_DUE = frozenset({*TRACKS["case"], *TRACKS["custody"]})
"""The types of which an announcement never counts, whatever time has passed."""


def has_passed(fact: Fact, clock: datetime) -> bool:
    """Return whether the latest instant at which *fact* can have happened has come by *clock*."""
    latest = fact.occurred.latest
    return latest is not None and latest <= clock


def is_due(fact: Fact, clock: datetime) -> bool:
    """
    Return whether *fact*, which is ahead, counts by *clock*.

    "Will be charged on Monday" is not a charge. On the case and custody tracks only the report that it happened counts.
    """
    return fact.type not in NEVER_DUE and has_passed(fact, clock)


def ahead_code(fact: Fact) -> str:
    """Return the code of the flag for *fact*, which is ahead."""
    return "announced" if fact.announced else "dated_ahead"
