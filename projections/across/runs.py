"""
The episodes of one group: runs of facts that complete a count, of which each window shares a fact with another.

A run keeps its fullest window. So a change looks at the windows that it touches, and not at the whole run.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from projections.rules.patterns.across import CountRule

from .contribution import Contribution
from .windows import Key, Node, Windows

_KEY: Final = attrgetter("key")
_ORDER: Final = attrgetter("order")


class Episode(NamedTuple):
    """
    An episode: facts that complete a count, with windows that share facts.

    Attributes:
        begins: the id of the first fact that completes a count; the anchor is often an earlier fact.
        anchor: the first fact of its first window.
        people: the number of different people in its fullest window, the first of equals.
        first, last: the first and the last fact of this window.
        completing: the fact with this window, which selects the limit of the rule.
    """

    begins: str
    anchor: Contribution
    people: int
    first: Contribution
    last: Contribution
    completing: Contribution


class GroupChange(NamedTuple):
    """
    The change of a group.

    Attributes:
        before: the episodes with windows that it touched, as they were.
        after: the episodes in their place. One that looks as before can have lost or gained evidence.
        gained: the contributions that are evidence of an episode now, and were not.
        lost: the contributions that were evidence, and are not or are gone.
    """

    before: tuple[Episode, ...]
    after: tuple[Episode, ...]
    gained: tuple[Contribution, ...]
    lost: tuple[Contribution, ...]


class _Run(NamedTuple):
    """An episode, and its fullest window: the node and the number of people that it had."""

    episode: Episode
    fullest: Node
    people: int


class _Span(NamedTuple):
    """A run from its first fact to the start of the next run; None: there is no next run."""

    start: Node
    run: _Run
    end: Node | None

    def meets(self, start: Node, end: Node | None) -> bool:
        """Return whether the run has a fact from *start* on and before *end*."""
        return (end is None or self.start.key < end.key) and (self.end is None or start.key < self.end.key)


class GroupRuns:
    """
    The contributions of one group, and its episodes.

    Args:
        rule: the rule.
        contributions: those of the group, in any order.
    """

    def __init__(self, rule: CountRule, contributions: Iterable[Contribution] = ()) -> None:
        self._windows = Windows(rule)
        # By key: the facts that complete a count, and of these the first of each run.
        self._complete: list[Node] = []
        self._starts: list[Node] = []
        self._runs: dict[Node, _Run] = {}
        # By id of any report, the fact that stands for its event.
        self._stands_for: dict[str, str] = {}
        self.change((), contributions)

    def change(self, gone: Iterable[str], come: Iterable[Contribution]) -> GroupChange:
        """
        Remove contributions, then add others. One that differs is removed and added.

        Args:
            gone: ids of facts that contribute now.
            come: contributions with facts that do not.
        """
        before: list[Episode] = []
        made: dict[Node, _Run] = {}
        for touched in self._steps(gone, come):
            if touched:
                old, new = self._relink(touched)
                # A run that this change made itself was not there before it.
                before += [span.run.episode for span in old if made.pop(span.start, None) is None]
                made |= new
        gained, lost = self._windows.evidence_changes()
        return GroupChange(tuple(before), tuple(run.episode for run in made.values()), gained, lost)

    def __iter__(self) -> Iterator[Episode]:
        """Yield the episodes, in their order."""
        return (self._runs[start].episode for start in self._starts)

    def holding(self, fact_id: str) -> Episode | None:
        """Return the episode of which the event of a fact is evidence; None: there is none."""
        node = self._windows.nodes.get(self._stands_for.get(fact_id, fact_id))
        by = next(self._windows.counting(node), None) if node is not None else None
        if by is None:
            return None
        return self._runs[self._starts[bisect_right(self._starts, by.key, key=_KEY) - 1]].episode

    def evidence(self, episode: Episode) -> list[Contribution]:
        """Return the facts of all windows of *episode*, in their order. It walks the whole episode."""
        start = self._windows.nodes[episode.begins]
        at = bisect_right(self._starts, start.key, key=_KEY)
        end = self._starts[at] if at < len(self._starts) else None
        nodes = {one for node in self._between(start, end) for one in node.window}
        return [node.held for node in sorted(nodes, key=_ORDER)]

    def _steps(self, gone: Iterable[str], come: Iterable[Contribution]) -> Iterator[list[Node]]:
        for fact_id in gone:
            for report in self._windows.nodes[fact_id].held.reports:
                self._stands_for.pop(report, None)
            yield self._windows.remove(fact_id)
        for held in come:
            self._stands_for |= dict.fromkeys(held.reports, held.fact_id)
            yield self._windows.add(held)

    def _relink(self, touched: Sequence[Node]) -> tuple[list[_Span], dict[Node, _Run]]:
        """Join the facts around *touched* into runs again; return the runs there before and after."""
        starts = self._starts
        for node in touched:
            self._list(node)
        low, high = min(node.key for node in touched), max(node.key for node in touched)
        begin, end = self._around(low, high)
        part = self._complete[begin:end]
        if part:
            low, high = min(low, part[0].key), max(high, part[-1].key)
        # The run before the part is looked at too: the first fact of the part can be joined to it now.
        kept, stop = bisect_left(starts, low, key=_KEY), bisect_right(starts, high, key=_KEY)
        first = max(kept - 1, 0)
        old = [self._span(index) for index in range(first, stop)]
        starts[kept:stop] = [node for index, node in enumerate(part, begin) if not self._is_joined(index)]
        for span in old:
            del self._runs[span.start]
        new = list[_Span]()
        for index in range(first, bisect_right(starts, high, key=_KEY)):
            start, after = starts[index], starts[index + 1] if index + 1 < len(starts) else None
            self._runs[start] = self._run(start, after, touched, old)
            new.append(_Span(start, self._runs[start], after))
        return _changed(touched, old, new)

    def _list(self, node: Node) -> None:
        """List *node* among the facts that complete a count, or take it out, as its window says."""
        at = bisect_left(self._complete, node.key, key=_KEY)
        listed = at < len(self._complete) and self._complete[at] is node
        if listed and not node.window:
            del self._complete[at]
        elif node.window and not listed:
            self._complete.insert(at, node)

    def _span(self, index: int) -> _Span:
        start = self._starts[index]
        return _Span(start, self._runs[start], self._starts[index + 1] if index + 1 < len(self._starts) else None)

    def _around(self, low: Key, high: Key) -> tuple[int, int]:
        """Return the places of the facts that can be joined to the one before them, or not, by a change in between."""
        complete = self._complete
        begin, end = bisect_left(complete, low, key=_KEY), bisect_right(complete, high, key=_KEY)
        if self._windows.reach:
            begin = min(self._near(begin - 1, -1), default=begin)
            end = max(self._near(end, 1), default=end)
        return begin, min(end + 1, len(complete))

    def _near(self, index: int, step: int) -> Iterator[int]:
        """
        Yield the places from *index* on, in the direction of *step*, whose windows can share a fact across a gap there.

        A window can leave out a fact that windows on both sides of it count: a date-time between days, or a short
        window between long ones. Never if its point is far away from both: then those in between link them.
        """
        complete = self._complete
        for _ in range(2):
            if 0 <= index < len(complete):
                at = complete[index].key[0]
                while 0 <= index < len(complete) and abs(complete[index].key[0] - at) <= self._windows.reach:
                    yield index
                    index += step

    def _is_joined(self, index: int) -> bool:
        """Return whether the fact at *index* is of one episode with the fact before it."""
        if index == 0:
            return False
        complete = self._complete
        if _share(complete[index - 1], complete[index]):
            return True
        return self._windows.reach > 0 and any(
            _share(complete[one], complete[other])
            for one in self._near(index - 1, -1)
            for other in self._near(index, 1)
        )

    def _run(self, start: Node, end: Node | None, touched: Sequence[Node], old: Sequence[_Span]) -> _Run:
        """
        Return the run of the facts from *start* on and before *end*.

        Its fullest window is that of a touched fact, or that of a run that was there. Only if the window that was the
        fullest is less full now, or is in another run, all windows are looked at.
        """
        claims = [(-node.people, node.key, node) for node in touched if node.window and _lies(node, start, end)]
        claims += [(-span.run.people, span.run.fullest.key, span.run.fullest) for span in old if span.meets(start, end)]
        people, _, fullest = min(claims)
        if not (fullest.window and fullest.people == -people and _lies(fullest, start, end)):
            fullest = min(self._between(start, end), key=lambda node: (-node.people, node.key))
        window = sorted(fullest.window, key=_ORDER)
        anchor = min(start.window, key=_ORDER)
        episode = Episode(
            start.held.fact_id, anchor.held, fullest.people, window[0].held, window[-1].held, fullest.held
        )
        return _Run(episode, fullest, fullest.people)

    def _between(self, start: Node, end: Node | None) -> Sequence[Node]:
        """Return the facts that complete a count from *start* on and before *end*."""
        stop = None if end is None else bisect_left(self._complete, end.key, key=_KEY)
        return self._complete[bisect_left(self._complete, start.key, key=_KEY) : stop]


def _changed(
    touched: Sequence[Node], old: Sequence[_Span], new: Sequence[_Span]
) -> tuple[list[_Span], dict[Node, _Run]]:
    """Leave out the runs that were looked at and are as they were: those without a touched fact, before and now."""
    hit = [span for span in old if any(_lies(node, span.start, span.end) for node in touched)]
    changed = [
        span
        for span in new
        if any(node.window and _lies(node, span.start, span.end) for node in touched)
        or any(one.meets(span.start, span.end) for one in hit)
    ]
    gone = [span for span in old if span in hit or any(span.meets(one.start, one.end) for one in changed)]
    return gone, {span.start: span.run for span in changed}


def _lies(node: Node, start: Node, end: Node | None) -> bool:
    return start.key <= node.key and (end is None or node.key < end.key)


def _share(one: Node, other: Node) -> bool:
    """Return whether two windows count a fact in common."""
    return not set(one.window).isdisjoint(other.window)
