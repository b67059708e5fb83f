"""
What a rule finds in one history, at one instant of the log's clock, and once one more fact has come at the end.

A finding is *void* (nothing to say), *standing* (the pattern is there) or *ended* (the silence it spoke of is
over). The semantics are those of RULES 1; dates are compared as spans, never as points.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, assert_never

from events.edtf import END_OF_TIME, LOCAL_DAY_SLACK, certainly_before, possibly_before, slack
from events.facts import Fact
from projections.history.history import BEGINNING, History
from projections.subjects.status import Point, Status

from .rulebook import AbsenceRule, Rule, SequenceRule, Unless

Value = Literal["void", "ended", "standing"]


class Finding(NamedTuple):
    """
    What a rule says of one anchor, whatever the clock.

    Attributes:
        anchor: the fact the pattern starts from.
        value: void, ended or standing.
        opens: the earliest instant at which an alert may open on it; None: at once.
        completing: the facts that complete the pattern, in world order; empty for an absence.
        final: whether no fact that comes at the end of the world order can change any of this.
    """

    anchor: Fact
    value: Value
    opens: datetime | None = None
    completing: tuple[Fact, ...] = ()
    final: bool = False


def find(rule: Rule, anchor: Fact, history: History, status: Status) -> Finding:
    """
    Say what *rule* finds in *history* from *anchor* on.

    Args:
        rule: the pattern.
        anchor: one of the facts that count, of a type that the rule starts from.
        history: the facts that count.
        status: the fold of that history, which kept the status before each anchor.
    """
    if is_exempt(rule.unless, status.before[anchor.id]):
        return Finding(anchor, "void", final=True)
    match rule:
        case AbsenceRule():
            return _silence(rule, anchor, history.ending(_before(anchor), None, rule.follow))
        case SequenceRule():
            return _sequence(rule, anchor, history)
        case _:
            assert_never(rule)


def extend(rule: Rule, finding: Finding, fact: Fact) -> Finding:
    """
    Say what *rule* finds once *fact* has come at the end of the world order.

    Args:
        rule: the pattern.
        finding: what it found before, and not final.
        fact: of a type that changes the answer by coming after an anchor.

    Returns:
        *finding* itself, if the fact changes nothing.
    """
    match rule:
        case AbsenceRule():
            after = _silence(rule, finding.anchor, (fact,), ended=finding.value == "ended")
            return finding if after.value == finding.value else after
        case SequenceRule():
            return _continued(rule, finding, fact)
        case _:
            assert_never(rule)


def visible_at(rule: Rule, finding: Finding, history: History, clock: datetime) -> tuple[Value, datetime | None]:
    """
    Return what may be said of *finding* at *clock*, and when that changes if nothing comes in between; None: never.

    A silence is not spoken of before its time, nor while there is an undated fact that may have ended it.
    """
    if finding.opens is None or finding.value == "void":
        return finding.value, None
    if history.undated and any(fact.type in rule.follow for fact in history.undated):
        return "void", None
    if clock < finding.opens:
        # An end too waits for this instant: an alert that opened under another date may be told of it.
        return "void", finding.opens
    return finding.value, None


def is_exempt(unless: Unless | None, point: Point) -> bool:
    """Whether any condition of *unless* holds of the status *point*."""
    return unless is not None and any(_holds(unless, point))


def _holds(unless: Unless, point: Point) -> Iterator[bool]:
    for wanted, actual in (
        (unless.service, point.service),
        (unless.custody, point.custody),
        (unless.wanted, point.wanted),
        (unless.stage, point.stage),
        (unless.presumption, point.presumption),
    ):
        if wanted:
            yield actual in wanted
    if unless.open_cases is not None:
        low, high = unless.open_cases.at_least, unless.open_cases.at_most
        yield (low is None or point.open_cases >= low) and (high is None or point.open_cases <= high)


def _silence(rule: AbsenceRule, anchor: Fact, follows: Iterable[Fact], *, ended: bool = False) -> Finding:
    """Return what *follows* leave of the silence after *anchor*, which had *ended* before them or not."""
    deadline = _after(anchor.occurred.latest, rule.wait)
    opens = _after(deadline, rule.settle)
    for fact in follows:
        if fact is anchor or not possibly_before(anchor.occurred, fact.occurred):
            continue
        earliest = fact.occurred.earliest
        spare = slack(anchor.occurred.latest_exact, fact.occurred.earliest_exact)
        if earliest is None or earliest < _after(deadline, spare):
            return Finding(anchor, "void", opens, final=True)
        ended = True
    return Finding(anchor, "ended" if ended else "standing", opens)


def _sequence(rule: SequenceRule, anchor: Fact, history: History) -> Finding:
    follows = history.ending(_before(anchor), _until(rule, anchor), rule.then)
    completing = [fact for fact in follows if fact is not anchor and _completes(rule, anchor, fact)]
    completing.sort(key=history.placing.place)
    value: Value = "standing" if completing else "void"
    return Finding(anchor, value, None, tuple(completing), _over(rule, anchor, history.events[-1]))


def _continued(rule: SequenceRule, finding: Finding, fact: Fact) -> Finding:
    if _completes(rule, finding.anchor, fact):
        return finding._replace(value="standing", completing=(*finding.completing, fact))
    return finding._replace(final=True) if _over(rule, finding.anchor, fact) else finding


def _until(rule: SequenceRule, anchor: Fact) -> datetime | None:
    """Return the instant by which all that completes the pattern has ended; None where it may end however late."""
    return _after(anchor.occurred.earliest, rule.within) if rule.certainty == "certain" else None


def _over(rule: SequenceRule, anchor: Fact, last: Fact) -> bool:
    """Whether what comes after *last* in world order, and so ends no earlier, cannot complete the pattern."""
    if rule.certainty != "certain":
        return False
    return anchor.occurred.earliest is None or last.order[0] > _after(anchor.occurred.earliest, rule.within)


def _completes(rule: SequenceRule, anchor: Fact, follow: Fact) -> bool:
    completes = _certain if rule.certainty == "certain" else _possible
    return completes(anchor, follow, rule.within)


def _certain(anchor: Fact, follow: Fact, within: timedelta) -> bool:
    earliest, latest = anchor.occurred.earliest, follow.occurred.latest
    if earliest is None or latest is None:
        return False
    spare = slack(anchor.occurred.earliest_exact, follow.occurred.latest_exact)
    return latest - earliest + spare <= within and certainly_before(anchor.occurred, follow.occurred)


def _possible(anchor: Fact, follow: Fact, within: timedelta) -> bool:
    latest, earliest = anchor.occurred.latest, follow.occurred.earliest
    if latest is not None and earliest is not None:
        spare = slack(anchor.occurred.latest_exact, follow.occurred.earliest_exact)
        if earliest - latest - spare >= within:
            return False
    return possibly_before(anchor.occurred, follow.occurred)


def _before(anchor: Fact) -> datetime | None:
    """Return an instant before which all has ended that cannot have come after *anchor*."""
    earliest = anchor.occurred.earliest
    if earliest is None or earliest - BEGINNING < LOCAL_DAY_SLACK:
        return None
    return earliest - LOCAL_DAY_SLACK


def _after(instant: datetime | None, delay: timedelta) -> datetime:
    """Return *instant* plus *delay*; beyond the calendar's end, and for no instant, the end of time."""
    if instant is None or END_OF_TIME - instant < delay:
        return END_OF_TIME
    return instant + delay
