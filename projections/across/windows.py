"""
The windows of one group: which facts complete a count, and the facts that each of them counts (docs/rules.md).

The window of a fact reaches back from one point of it: its latest instant for a certain rule, its earliest for a
possible one. A certain window counts the facts that lie within it, and a possible one those that touch it. One fact
that comes or goes touches the windows with a point near it. They are found by bisection. By a limit, windows of one
group can have different lengths. Then the longest length of the table bounds the search.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import Final

from events.edtf import LOCAL_DAY_SLACK
from projections.rules.patterns.across import CountRule

from .contribution import Contribution

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
# Beyond every instant of the calendar, also after a window of a hundred years is added.
_NEVER: Final = 1 << 62
SLACK: Final = LOCAL_DAY_SLACK // _TICK
"""The time to spare between a day and a date-time, in microseconds, as all times here are."""

_POINT: Final = attrgetter("point")
_KEY: Final = attrgetter("key")
_EARLIEST: Final = attrgetter("earliest")
_BY_EARLIEST: Final = attrgetter("earliest", "order")

Order = tuple[int, int, str]
Key = tuple[int, Order]


class Node:
    """
    A contribution in its group.

    Attributes:
        held: the contribution.
        order: its place among the facts of the group: by end, start and id.
        point: the instant from which its window reaches back; None: it completes nothing.
        key: its place among the facts that can complete a count.
        counts: whether any window can count it.
        within: the length of its window; 0: its law knows none, so that it completes nothing.
        window: the nodes that its window counts, in no order; empty unless it completes a count.
        people: the number of different people in `window`.
        covers: the number of windows, of facts that complete a count, that count this one.
    """

    __slots__ = (
        *("counts", "covers", "earliest", "earliest_exact", "held", "key", "latest", "latest_exact"),
        *("order", "people", "point", "point_exact", "window", "within"),
    )

    def __init__(self, held: Contribution, within: timedelta | None, *, certain: bool) -> None:
        span = held.occurred
        self.held = held
        self.earliest = -_NEVER if span.earliest is None else (span.earliest - _EPOCH) // _TICK
        self.latest = _NEVER if span.latest is None else (span.latest - _EPOCH) // _TICK
        self.earliest_exact, self.latest_exact = span.earliest_exact, span.latest_exact
        self.order: Order = (self.latest, self.earliest, held.fact_id)
        self.counts = span.dated and not (certain and (span.marked or span.earliest is None or span.latest is None))
        completes = within is not None and span.dated and not (certain and (span.marked or span.latest is None))
        self.within = (within or timedelta(0)) // _TICK
        at = self.latest if certain else self.earliest
        self.point = at if completes else None
        self.point_exact = span.latest_exact if certain else span.earliest_exact
        self.key: Key = (at, self.order)
        self.window: tuple[Node, ...] = ()
        self.people = self.covers = 0


class Windows:
    """
    The contributions of one group, and their windows.

    Args:
        rule: the rule.

    Attributes:
        nodes: every contribution, by the id of its fact.
    """

    def __init__(self, rule: CountRule) -> None:
        self.nodes: dict[str, Node] = {}
        self._certain = rule.certainty == "certain"
        self._at_least = rule.count.at_least
        self._rule = rule
        self._longest = rule.longest // _TICK
        # The nodes that can complete a count, by key.
        self._points: list[Node] = []
        # The nodes that windows can count, by the length of their span in doublings of the longest window, each by its
        # start.
        self._levels: dict[int, list[Node]] = {}
        self._exact = self._days = False
        self._lengths: set[int] = set()
        # By node: whether it was evidence before the changes since that was last asked.
        self._was_evidence: dict[Node, bool] = {}

    @property
    def reach(self) -> int:
        """
        The distance of two windows that can count a fact which one between them does not; 0: there are none.

        That is so where days and date-times meet, and where windows have different lengths. It stays so when the facts
        are gone, since their windows joined others.
        """
        mixed = 2 * SLACK if self._exact and self._days else 0
        return 2 * SLACK + self._longest if len(self._lengths) > 1 else mixed

    def add(self, held: Contribution) -> list[Node]:
        """Add a contribution; return the nodes with windows that complete a count and differ."""
        node = self.nodes[held.fact_id] = Node(held, self._rule.within_of(held), certain=self._certain)
        self._tally(node)
        changed = []
        if node.counts:
            insort(self._levels.setdefault(self._level(node), []), node, key=_BY_EARLIEST)
            changed = [other for other in self._touched(node) if self._grows(other, node)]
        if node.point is not None:
            insort(self._points, node, key=_KEY)
            if self._judge(node):
                changed.append(node)
        return changed

    def remove(self, fact_id: str) -> list[Node]:
        """Remove a contribution; return the nodes with windows that completed a count and differ, itself included."""
        node = self.nodes.pop(fact_id)
        self._was_evidence.setdefault(node, node.covers > 0)
        changed = []
        if node.point is not None:
            del self._points[bisect_left(self._points, node.key, key=_KEY)]
            if node.window:
                self._set_window(node, (), 0)
                changed.append(node)
        if node.counts:
            alike = self._levels[self._level(node)]
            del alike[bisect_left(alike, _BY_EARLIEST(node), key=_BY_EARLIEST)]
            changed += [other for other in self._touched(node) if self._shrinks(other, node)]
        return changed

    def counting(self, node: Node) -> Iterator[Node]:
        """Yield the facts that complete a count and count *node*, in their order."""
        if node.counts:
            yield from (other for other in self._touched(node) if other.window and self._counts(other, node))

    def evidence_changes(self) -> tuple[tuple[Contribution, ...], tuple[Contribution, ...]]:
        """Return the contributions that became evidence since this was last asked, and those that ceased to be."""
        gained, lost = dict[Contribution, None](), dict[Contribution, None]()
        for node, was in self._was_evidence.items():
            is_evidence = node.covers > 0 and self.nodes.get(node.held.fact_id) is node
            if is_evidence and not was:
                gained[node.held] = None
            elif was and not is_evidence:
                lost[node.held] = None
        self._was_evidence = {}
        # A contribution that went and came as it was changed nothing.
        return tuple(one for one in gained if one not in lost), tuple(one for one in lost if one not in gained)

    def _tally(self, node: Node) -> None:
        ends = (node.earliest_exact, node.latest_exact)
        self._exact, self._days = self._exact or any(ends), self._days or not all(ends)
        if node.point is not None:
            self._lengths.add(node.within)

    def _level(self, node: Node) -> int:
        """Return the number of times that the longest window must be doubled to be as long as the span of *node*."""
        return ((node.latest - node.earliest - 1) // self._longest).bit_length()

    def _touched(self, node: Node) -> Iterator[Node]:
        """Yield the nodes with windows that can count *node*, in their order."""
        if self._certain:
            low, high = node.latest, node.earliest + self._longest
        else:
            low, high = node.earliest - SLACK, node.latest + self._longest + SLACK
        start, stop = bisect_left(self._points, low, key=_POINT), bisect_right(self._points, high, key=_POINT)
        return islice(self._points, start, stop)

    def _counts(self, node: Node, other: Node) -> bool:
        """Return whether the window of *node* counts *other*."""
        at, exact = node.point, node.point_exact
        assert at is not None, "only a fact that can complete a count has a window"
        near = 0 if other.latest_exact == exact else SLACK
        far = 0 if other.earliest_exact == exact else SLACK
        if self._certain:
            return at - other.latest >= near and other.earliest - at + node.within >= far
        return other.earliest - at <= far and at - node.within - other.latest < near

    def _judge(self, node: Node) -> bool:
        """Find the window of *node* from the beginning; return whether it completes a count."""
        at = node.point
        assert at is not None, "only a fact that can complete a count has a window"
        window: list[Node] = []
        for level, nodes in self._levels.items():
            longest = self._longest << level
            low = at - node.within - (0 if self._certain else longest + SLACK)
            start = bisect_left(nodes, low, key=_EARLIEST)
            stop = bisect_right(nodes, at + SLACK, key=_EARLIEST)
            window += [other for other in islice(nodes, start, stop) if self._counts(node, other)]
        people = len({other.held.subject_id for other in window})
        if people < self._at_least:
            return False
        self._set_window(node, tuple(window), people)
        return True

    def _grows(self, node: Node, other: Node) -> bool:
        """Count *other*, which came, in the window of *node*; return whether that completes a count and differs."""
        if not self._counts(node, other):
            return False
        if not node.window:
            return self._judge(node)
        is_new = all(one.held.subject_id != other.held.subject_id for one in node.window)
        self._set_window(node, (*node.window, other), node.people + is_new)
        return True

    def _shrinks(self, node: Node, other: Node) -> bool:
        """Leave *other*, which is gone, out of the window of *node*; return whether it completed a count with it."""
        if not node.window or not self._counts(node, other):
            return False
        window = tuple(one for one in node.window if one is not other)
        people = len({one.held.subject_id for one in window})
        self._set_window(node, *((window, people) if people >= self._at_least else ((), 0)))
        return True

    def _set_window(self, node: Node, window: tuple[Node, ...], people: int) -> None:
        """Set the window of *node*: another fact at the end, one fewer, or from none or to none."""
        if not window or not node.window:
            self._cover(node.window, -1)
            self._cover(window, 1)
        elif len(window) > len(node.window):
            self._cover(window[-1:], 1)
        node.window, node.people = window, people

    def _cover(self, nodes: Iterable[Node], step: int) -> None:
        for node in nodes:
            self._was_evidence.setdefault(node, node.covers > 0)
            node.covers += step
