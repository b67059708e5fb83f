"""The fold of one person: the history, and the status that follows from it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from events.edtf import BEGINNING, LOCAL_DAY_SLACK
from events.facts import Fact, Order
from projections.history.corrections import ABOUT_FACTS
from projections.history.history import History
from projections.history.lookup import is_plain, is_tied

from .status import Status


class Step(NamedTuple):
    """
    The state of a fold after a fact arrived or time passed.

    Attributes:
        history: the facts that count.
        status: the status that follows from them.
        due: the next instant at which a fact counts whose time has not come; None: there is none.
        last: the fact that arrived, if it is the last event in world order and changed nothing before it; else None.
        moved: whether the status was folded again, as after a change of events before the last one.
        everywhere: whether it can have changed every answer: it moved other facts, or their time came.
        arrived: the last of the facts whose time came; else None.
    """

    history: History
    status: Status
    due: datetime | None
    last: Fact | None = None
    moved: bool = False
    everywhere: bool = False
    arrived: Fact | None = None


class Fold:
    """
    A history with its status, continued by a fact at the end and folded again after any other.

    Args:
        history: the facts.
        anchors: the fact types from which rules start; the status before each such fact is kept.

    Attributes:
        compacted: the place in world order of the last fact, if only the status is kept and not the history.
    """

    def __init__(self, history: History, anchors: frozenset[str]) -> None:
        self.history = history
        self.anchors = anchors
        self.compacted: Order | None = None
        self._compacted_exact: bool | None = None
        self._status: Status | None = None

    @property
    def status(self) -> Status:
        """The status that follows from the events so far."""
        if self._status is None:
            history = self.history
            self._status = Status(self.anchors, history.events, history.placing, history.stands_for)
        return self._status

    def compact(self) -> bool:
        """
        Keep the status alone, if facts that arrive in world order need no more; return whether they do not.

        They need more if an anchor of a rule, a correction or an uncertain date is in the history.
        """
        world = self.history.events
        if not is_plain(self.history) or {fact.type for fact in world} & self.anchors:
            return False
        self._status = self.status
        self.compacted = world[-1].order
        exact = {end for fact in world for end in (fact.occurred.earliest_exact, fact.occurred.latest_exact)}
        self._compacted_exact = exact.pop() if len(exact) == 1 else None
        self.history = History((), BEGINNING)
        return True

    def can_apply(self, facts: Iterable[Fact | None]) -> bool:
        """
        Return whether the fold can apply *facts* in this order; None stands for an entry without a fact.

        A fact that overlaps an earlier one may be a report of the same event. For that the history is needed.
        """
        last = self.compacted
        if last is None:
            return True
        for fact in facts:
            if fact is None or fact.ahead or not fact.occurred.dated or "after" in fact.data:
                return False
            if fact.type in ABOUT_FACTS or fact.type in self.anchors:
                return False
            span = fact.occurred
            alike = span.earliest_exact == span.latest_exact == self._compacted_exact
            spare = timedelta() if alike else LOCAL_DAY_SLACK
            if span.earliest is None or span.earliest - last[0] < spare:
                return False
            last = fact.order
        return True

    def apply(self, fact: Fact) -> Step | None:
        """Apply *fact* at its ``recorded``; return None if only the status is kept, which no rule reads."""
        if self.compacted is not None:
            self.status.advance(fact)
            self.compacted = fact.order
            return None
        history, clock = self.history, fact.recorded
        arrived = history.advance(clock) if history.announced else None
        if not history.add(fact, clock) or arrived:
            self._status = None
            # A fact behind which others are placed moves them, whatever their types.
            everywhere = bool(arrived) or is_tied(history)
            return Step(history, self.status, history.next_due, moved=True, everywhere=everywhere)
        last = fact if history.events and history.events[-1] is fact else None
        if last is not None and self._status is not None:
            self._status.advance(fact)
        return Step(history, self._status or self.status, history.next_due if history.announced else None, last)

    def advance(self, clock: datetime) -> Step:
        """Count the announced facts whose time has come by *clock*."""
        arrived = self.history.advance(clock)
        if arrived:
            self._status = None
        moved = bool(arrived)
        last = arrived[-1] if arrived else None
        return Step(self.history, self.status, self.history.next_due, None, moved, moved, last)

    def restart(self, anchors: frozenset[str]) -> Step:
        """Fold again from the first fact, with other *anchors*."""
        self.anchors = anchors
        self._status = None
        return Step(self.history, self.status, self.history.next_due, moved=True, everywhere=True)
