"""
What a rule finds in one history at one instant of the log's clock.

A finding is *void* (nothing to say), *standing* (the pattern is there) or *ended* (the silence it spoke of is
over). The semantics are those of the design, section 6; dates are compared as spans, never as points.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, assert_never

from events.edtf import certainly_before, possibly_before
from events.facts import Fact

from .history import History, world_order
from .rulebook import Absence, Rule, Unless
from .rulebook import Sequence as Followed
from .status import Point, Status

Value = Literal["void", "ended", "standing"]

END_OF_TIME = datetime.max.replace(tzinfo=UTC)

# A calendar day is some place's local day: against an instant it may be off by the widest offset in use.
LOCAL_DAY = timedelta(hours=14)


class Finding(NamedTuple):
    """
    What a rule says of one anchor.

    Attributes:
        anchor: the fact the pattern starts from.
        value: void, ended or standing.
        opens: the earliest instant at which an alert may open on it; None: at once.
        completing: the facts that complete the pattern, in world order; empty for an absence.
        final: whether neither time nor a fact that comes at the end of the world order can change any of this.
    """

    anchor: Fact
    value: Value
    opens: datetime | None
    completing: tuple[Fact, ...] = ()
    final: bool = False


class Evaluation(NamedTuple):
    """The findings of one rule, one per anchor, and the next instant at which time alone could change them."""

    findings: tuple[Finding, ...]
    due: datetime | None


def evaluate(rule: Rule, history: History, status: Status, watermark: datetime, anchors: Sequence[Fact]) -> Evaluation:
    """
    Say what *rule* finds in *history* at *watermark*.

    Args:
        rule: the pattern.
        history: the facts that count at *watermark*.
        status: the fold of that history, which kept the status before each anchor.
        watermark: an instant of the log's clock, aware UTC.
        anchors: the facts of that history that the rule starts from, or those of them that are asked about.
    """
    match rule:
        case Absence():
            return _silence(rule, anchors, history, status, watermark)
        case Followed():
            return Evaluation(tuple(_sequence(rule, anchor, history, status) for anchor in anchors), None)
        case _:
            assert_never(rule)


def excepted(unless: Unless | None, point: Point) -> bool:
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


def _silence(
    rule: Absence, anchors: Sequence[Fact], history: History, status: Status, watermark: datetime
) -> Evaluation:
    undated = any(fact.type in rule.absent for fact in history.undated)
    findings = []
    due = None
    for anchor in anchors:
        deadline = _after(anchor.occurred.latest, rule.wait)
        opens = _after(deadline, rule.settle)
        value: Value = "void"
        if not excepted(rule.unless, status.before[anchor.id]):
            value = _followed(anchor, deadline, history.ending(anchor.occurred.earliest, None, rule.absent))
        final = value == "void"
        if undated:
            value = "void"
        if watermark < opens:
            # An end too waits for this instant: an alert that opened under another date may be told of it.
            if value != "void":
                due = min(due or opens, opens)
            value = "void"
        findings.append(Finding(anchor, value, opens, final=final))
    return Evaluation(tuple(findings), due)


def _followed(anchor: Fact, deadline: datetime, follows: Iterator[Fact]) -> Value:
    ended = False
    for fact in follows:
        if fact is anchor:
            continue
        earliest = fact.occurred.earliest
        if earliest is None or earliest < deadline:
            if possibly_before(anchor.occurred, fact.occurred):
                return "void"
        elif not fact.occurred.marked:
            spare = LOCAL_DAY if anchor.occurred.latest_exact != fact.occurred.earliest_exact else timedelta()
            ended = ended or _after(deadline, spare) <= earliest
    return "ended" if ended else "standing"


def _sequence(rule: Followed, anchor: Fact, history: History, status: Status) -> Finding:
    if excepted(rule.unless, status.before[anchor.id]):
        return Finding(anchor, "void", None, final=True)
    completes, earliest, until, final = _possible, anchor.occurred.earliest, None, False
    if rule.certainty == "certain":
        completes, until = _certain, _after(earliest, rule.within)
        # What comes at the end ends no earlier than the last there is.
        final = earliest is None or history.world[-1].order[0] > until
    follows = history.ending(earliest, until, rule.then)
    completing = [f for f in follows if f is not anchor and completes(anchor, f, rule.within)]
    completing.sort(key=world_order)
    return Finding(anchor, "standing" if completing else "void", None, tuple(completing), final)


def _certain(anchor: Fact, follow: Fact, within: timedelta) -> bool:
    earliest, latest = anchor.occurred.earliest, follow.occurred.latest
    if earliest is None or latest is None:
        return False
    return latest - earliest <= within and certainly_before(anchor.occurred, follow.occurred)


def _possible(anchor: Fact, follow: Fact, within: timedelta) -> bool:
    latest, earliest = anchor.occurred.latest, follow.occurred.earliest
    if latest is not None and earliest is not None and earliest - latest >= within:
        return False
    return possibly_before(anchor.occurred, follow.occurred)


def _after(instant: datetime | None, delay: timedelta) -> datetime:
    """Return *instant* plus *delay*; beyond the calendar's end, and for no instant, the end of time."""
    if instant is None or END_OF_TIME - instant < delay:
        return END_OF_TIME
    return instant + delay
