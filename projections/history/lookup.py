"""Questions to a history: its events by type and by time, and the reports of one event."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from operator import attrgetter

from events.facts import Fact

from .history import History, latest_end


def events_of(history: History, types: Collection[str]) -> list[Fact]:
    """Return the events of *types*, in world order."""
    by_type = history.by_type
    facts = chain.from_iterable(by_type[name] for name in types if name in by_type)
    return sorted((fact for fact in facts if fact.id not in history.stands_for), key=history.place)


def events_ending(
    history: History, after: datetime | None, until: datetime | None, types: Collection[str]
) -> Iterator[Fact]:
    """
    Yield the events of *types* that end after the one instant and no later than the other.

    Events of one type come in the order of their ends, since the first ones often end the search of the caller.

    Args:
        history: the history of one person.
        after: None: no lower limit.
        until: None: no upper limit.
        types: the types to look at.
    """
    by_type, stands_for = history.by_type, history.stands_for
    for name in types:
        if facts := by_type.get(name):
            start = 0 if after is None else bisect_right(facts, after, key=latest_end)
            stop = None if until is None else bisect_right(facts, until, key=latest_end)
            yield from (fact for fact in islice(facts, start, stop) if fact.id not in stands_for)


def reports_of(history: History, fact: Fact) -> list[Fact]:
    """Return all reports of the event for which *fact* stands: *fact* first, the others by id."""
    if not history.stands_for:
        return [fact]
    others = [history.counting[report] for report, best in history.stands_for.items() if best == fact.id]
    return [fact, *sorted(others, key=attrgetter("id"))]


def evidence_of(history: History, events: Iterable[Fact]) -> tuple[str, ...]:
    """Return the ids of all reports of *events*, event by event."""
    return tuple(report.id for event in events for report in reports_of(history, event))


def is_plain(history: History) -> bool:
    """Return whether there are facts, and each counts as it was published, as its own event, at its own place."""
    plain = bool(history.events) and len(history.events) == len(history.facts) and not history.flags
    return plain and not history.placing.places


def is_tied(history: History) -> bool:
    """Return whether a source says of any fact that it came after another."""
    return bool(history.named)
