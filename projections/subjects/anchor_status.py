"""
The status around an anchor of a rule, as far as vague dates leave it open (docs/design.md, 4.1).

In most histories every other event is certainly before or certainly after the anchor. Then the words that the fold of
the person noted in passing serve for both judgements, and nothing is folded again.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from events.edtf import LOCAL_DAY_SLACK, certainly_before, possibly_before
from events.facts import Fact
from projections.history.history import History, world_order
from projections.history.lookup import is_tied

from .fold import Step
from .status import Status
from .words import Judged, Words

_NO_ANCHORS: Final = frozenset[str]()


def status_at(anchor: Fact, step: Step, types: frozenset[str]) -> Judged:
    """
    Return the status at an anchor.

    Args:
        anchor: an event of the types from which rules start.
        step: the facts that count, and their status.
        types: the fact types that can change the words to be read. Other words are of no account.
    """
    kept, key = step.status.judged, (anchor.id, types)
    if key not in kept:
        kept[key] = _judge(anchor, step, types)
    return kept[key]


def statuses_behind(
    anchor: Fact, history: History, types: frozenset[str], counts: Callable[[Fact], bool]
) -> Iterator[Words]:
    """
    Yield the status right behind *anchor*, then after each event that is not certainly before it.

    Args:
        anchor: the anchor.
        history: the facts that count.
        types: the fact types that can change the words to be read. Other words are of no account.
        counts: returns whether an event that is not certainly before the anchor is to be read.
    """
    first, later = list[Fact](), list[Fact]()
    for event in history.events:
        if event.type not in types:
            continue
        if event is anchor or _is_before(event, anchor, history, certain=True):
            first.append(event)
        elif counts(event):
            later.append(event)
    status = Status(_NO_ANCHORS, first, history.placing, history.stands_for)
    yield status.words()
    for _ in status.read(later):
        yield status.words()


def may_precede_anchor(fact: Fact, step: Step) -> bool:
    """Return whether *fact*, the last event in world order, was possibly before an event from which a rule starts."""
    if is_tied(step.history):
        return True
    earliest = fact.occurred.earliest
    for event in reversed(step.history.events):
        if earliest is not None and earliest - event.order[0] >= LOCAL_DAY_SLACK:
            # World order goes by the ends: the events from here on ended before too.
            return False
        if event is not fact and event.id in step.status.before and possibly_before(fact.occurred, event.occurred):
            return True
    return False


def _judge(anchor: Fact, step: Step, types: frozenset[str]) -> Judged:
    history = step.history
    if _is_apart(anchor, history, types):
        words = step.status.before[anchor.id]
        return Judged(words, words)
    events = [event for event in history.events if event.type in types]
    certain = [event for event in events if _is_before(event, anchor, history, certain=True)]
    possible = [event for event in events if _is_before(event, anchor, history, certain=False)]
    place = history.place(anchor)
    ahead = [event for event in events if history.place(event) < place] if _is_read_alone(anchor, history) else None

    def read(before: list[Fact]) -> Words:
        return step.status.before[anchor.id] if before == ahead else _words(before, history)

    sure = read(certain)
    return Judged(sure, sure if len(certain) == len(possible) else read(possible))


def _is_read_alone(anchor: Fact, history: History) -> bool:
    """Return whether no other event is read together with *anchor*, which could change the order of their reading."""
    span = anchor.occurred[:2]
    alone = anchor.id not in history.placing.places
    return alone and not any(event.occurred[:2] == span for event in history.events if event is not anchor)


def _is_before(event: Fact, anchor: Fact, history: History, *, certain: bool) -> bool:
    """Return whether *event* is certainly, or else possibly, before *anchor*; the word of a source decides first."""
    if event is anchor:
        return False
    if is_tied(history):
        if history.placing.is_behind(event, anchor):
            return False
        if history.placing.is_behind(anchor, event):
            return True
        if not certain and history.place(event) < history.place(anchor):
            # A source can put the anchor behind a third event, and so behind this one, against the dates of both.
            return True
    return (certainly_before if certain else possibly_before)(event.occurred, anchor.occurred)


def _is_apart(anchor: Fact, history: History, types: frozenset[str]) -> bool:
    """Return whether each event of *types* ahead of *anchor* is certainly before it, and none behind it possibly."""
    span, events = anchor.occurred, history.events
    if is_tied(history) or span.marked or span.earliest is None or span.latest is None:
        return False
    index = bisect_left(events, world_order(anchor), key=world_order)
    for event in events[:index]:
        if event.type in types:
            near = span.earliest - event.order[0] < LOCAL_DAY_SLACK
            if event.occurred.marked or (near and not certainly_before(event.occurred, span)):
                return False
    for event in events[index + 1 :]:
        if event.type in types:
            earliest = event.occurred.earliest
            far = earliest is not None and earliest - span.latest >= LOCAL_DAY_SLACK
            if not far and possibly_before(event.occurred, span):
                return False
    return True


def _words(events: Sequence[Fact], history: History) -> Words:
    return Status(_NO_ANCHORS, events, history.placing, history.stands_for).words() if events else _NOTHING


_NOTHING: Final = Status().words()
