"""Deadlines: whether a fact lies before one, and the value of a finding that waits for one."""

from collections.abc import Iterable
from datetime import datetime

from events.edtf import later, slack
from events.facts import Fact

from .pattern import Finding, Visible


def is_in_time(fact: Fact, deadline: datetime, *, exact: bool) -> bool:
    """Return whether *fact* possibly began before *deadline*; *exact*: it counts from a date-time."""
    earliest = fact.occurred.earliest
    return earliest is None or earliest < later(deadline, slack(exact, fact.occurred.earliest_exact))


def visible_in_time(finding: Finding, clock: datetime, undated: Iterable[bool]) -> Visible:
    """
    Return the value that an alert may state at *clock* of *finding*, which is not void: nothing before its time.

    Args:
        finding: one that waits for its time.
        clock: the instant of the log's clock.
        undated: of facts without a year, whether each may have been before the deadline. One is enough for *void*.
    """
    assert finding.opens is not None, "a finding with a deadline has an instant at which it may be stated"
    if any(undated):
        return Visible(finding, "void")
    if clock < finding.opens:
        # An end waits for this instant too: an alert that opened under another date may be ended by it.
        return Visible(finding, "void", finding.opens)
    return Visible(finding, finding.value)
