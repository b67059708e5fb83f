"""
An oracle for the rules across people: the definitions of the contract, asked of every pair and set, without an index.

It shares no code with `projections.across` but the contributions, and reads dates with `events`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from events.edtf import BEGINNING, END_OF_TIME, Span
from projections.across.contribution import Contribution

LOCAL_DAY = timedelta(hours=14)


class Counted(NamedTuple):
    """An episode: its anchor, the people, first and last fact of its fullest window, and all facts of its windows."""

    anchor: str
    people: int
    first: str
    last: str
    evidence: frozenset[str]


def episodes(
    facts: Iterable[Contribution], at_least: int, within: Mapping[str, timedelta | None], *, certain: bool
) -> set[Counted]:
    """
    Return the episodes among *facts*, which are all of one group.

    Args:
        facts: the facts.
        at_least: the number of people.
        within: by fact, the time in which people are counted up to it; None: it completes nothing.
        certain: whether the rule is certain.
    """
    every = sorted(facts, key=_world)
    windows = {}
    for fact in every:
        length = within[fact.fact_id]
        if length is None:
            continue
        window = [other for other in every if _counts(fact.occurred, other.occurred, length, certain=certain)]
        if len({other.subject_id for other in window}) >= at_least:
            windows[fact.fact_id] = window
    order = [fact for fact in every if fact.fact_id in windows]
    if not certain:
        order.sort(key=lambda fact: (fact.occurred.earliest or BEGINNING, _world(fact)))
    return {_episode([windows[fact.fact_id] for fact in run]) for run in _runs(order, windows)}


def _runs(order: list[Contribution], windows: dict[str, list[Contribution]]) -> list[list[Contribution]]:
    """Cut *order* wherever no window before the cut shares a fact with a window after it."""
    runs: list[list[Contribution]] = []
    for index, fact in enumerate(order):
        before = {other.fact_id for one in order[:index] for other in windows[one.fact_id]}
        after = {other.fact_id for one in order[index:] for other in windows[one.fact_id]}
        if before & after:
            runs[-1].append(fact)
        else:
            runs.append([fact])
    return runs


def _episode(windows: list[list[Contribution]]) -> Counted:
    fullest = max(windows, key=_people)
    evidence = frozenset(fact.fact_id for window in windows for fact in window)
    return Counted(windows[0][0].fact_id, _people(fullest), fullest[0].fact_id, fullest[-1].fact_id, evidence)


def _people(window: list[Contribution]) -> int:
    return len({fact.subject_id for fact in window})


def _world(fact: Contribution) -> tuple[datetime, datetime, str]:
    return (fact.occurred.latest or END_OF_TIME, fact.occurred.earliest or BEGINNING, fact.fact_id)


def _counts(f: Span, g: Span, within: timedelta, *, certain: bool) -> bool:
    """Return whether the window of a fact at *f* counts a fact at *g*."""
    if not f.dated or not g.dated:
        return False
    if certain:
        if f.marked or g.marked or f.latest is None or g.latest is None or g.earliest is None:
            return False
        ends_in_time = g.latest + _spare(g.latest_exact, f.latest_exact) <= f.latest
        return ends_in_time and g.earliest - _spare(g.earliest_exact, f.latest_exact) >= f.latest - within
    if f.earliest is None:
        return g.earliest is None
    begins_in_time = g.earliest is None or g.earliest - _spare(g.earliest_exact, f.earliest_exact) <= f.earliest
    return begins_in_time and (
        g.latest is None or g.latest + _spare(g.latest_exact, f.earliest_exact) > f.earliest - within
    )


def _spare(one: bool, other: bool) -> timedelta:  # noqa: FBT001 - two ends alike
    return timedelta() if one == other else LOCAL_DAY


OPPOSITE = {"parent": "child", "child": "parent", "subordinate": "superior", "superior": "subordinate"}


class Link(NamedTuple):
    """A fact that asserts or withdraws a relation, in its history."""

    about: str
    other: str
    relation: str
    asserted: bool


def related(subject: str, other: str, histories: Iterable[Iterable[Link]], wanted: Iterable[str]) -> set[str]:
    """Return those of *wanted* that *other* is to *subject*; the facts of each history are in their order."""
    standing = set()
    for links in histories:
        for relation in wanted:
            for about, to, word in ((subject, other, relation), (other, subject, OPPOSITE.get(relation, relation))):
                said = [link.asserted for link in links if (link.about, link.other, link.relation) == (about, to, word)]
                if said and said[-1]:
                    standing.add(relation)
    return standing


def follows(anchor: Span, follow: Span, within: timedelta, *, certain: bool) -> bool:
    """Return whether one span follows the other in time, as `then ... within` asks."""
    if not anchor.dated or not follow.dated:
        return False
    if certain:
        ends = (anchor.earliest, anchor.latest, follow.earliest, follow.latest)
        if anchor.marked or follow.marked or None in ends[:1] or None in ends[1:]:
            return False
        gap = _spare(anchor.latest_exact, follow.earliest_exact)
        length = _spare(anchor.earliest_exact, follow.latest_exact)
        return (anchor.latest or END_OF_TIME) + gap <= (follow.earliest or BEGINNING) and (
            (follow.latest or END_OF_TIME) - (anchor.earliest or BEGINNING) + length <= within
        )
    begin, end = anchor.earliest, follow.latest
    in_order = begin is None or end is None or begin < end + _spare(anchor.earliest_exact, follow.latest_exact)
    if not in_order or anchor.latest is None or follow.earliest is None:
        return in_order
    return follow.earliest - anchor.latest - _spare(anchor.latest_exact, follow.earliest_exact) < within
