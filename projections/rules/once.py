"""`once`: of the anchors of one case or one person, only the first that stands raises an alert."""

from collections.abc import Iterable
from typing import Final, Literal

from events.facts import Fact
from projections.history.history import History
from projections.history.lookup import reports_of

from .patterns.pattern import Visible

_PERSON: Final = frozenset({""})


def first_of_each(once: Literal["case", "subject"], visible: Iterable[Visible], history: History) -> list[Visible]:
    """
    Return *visible* with only the first value of each case or person standing, and the others void in its place.

    Args:
        once: whether the alerts of a case, or all of the person, are one group.
        visible: the findings of every anchor, in world order.
        history: the facts that count.
    """
    spoken: set[str] = set()
    result = []
    for seen in visible:
        one = seen
        if seen.value == "standing":
            groups = _PERSON if once == "subject" else _cases(seen.finding.anchor, history)
            if spoken.isdisjoint(groups):
                spoken |= groups
            else:
                one = seen._replace(value="void")
        result.append(one)
    return result


def _cases(anchor: Fact, history: History) -> set[str]:
    """Return the cases that reports of the event of *anchor* name; without one, an anchor is a group by itself."""
    return {report.data["case_id"] for report in reports_of(history, anchor) if "case_id" in report.data}
