"""
A literal reading of `when`, `unless`, `still` and `once` (docs/design.md, 4.1), as plain and as slow as possible.

Each status is read from the whole set of events. Nothing of `projections` is used.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, takewhile
from types import MappingProxyType
from typing import NamedTuple

from tests.oracle.model_oracle import Life
from tests.oracle.model_time import TRACK, Event, certainly_before, later, possibly_before, slack

Words = dict[str, frozenset[str]]
Wanted = Mapping[str, frozenset[str]]
"""By name of a condition, the words of which the status must have one; `open_cases` has numbers as texts."""
NOTHING: Wanted = MappingProxyType({})


class StatusKeys(NamedTuple):
    """The conditions of a rule on statuses, and its `once`."""

    when: Wanted = NOTHING
    unless: Wanted = NOTHING
    still: Wanted = NOTHING
    once: str = ""


@dataclass
class Recorded(Life):
    """A person with the words after each event that was applied."""

    after: list[Words] = field(default_factory=list)

    def _apply(self, event: Event, keys: set[str | None] | None = None) -> None:
        super()._apply(event, keys)
        self.after.append(words(self))


def words(person: Life) -> Words:
    """Return the words of every post, hold, search and open criminal case of *person*, and those of the row."""
    row = person.row("anybody")
    posts = {post["status"] for post in row["posts"]}
    holds = {hold["status"] for hold in row["custody_cases"] if hold["counted"]}
    searches = {search["scope"] for search in row["searches"] if search["counted"]}
    criminal = [case for case in person.cases.values() if case.kind in {None, "criminal"}]
    stages = {case.stage[0] for case in criminal if case.open and case.stage}
    return {
        "service": known({*posts, row["service"]["status"]}),
        "custody": known({*holds, row["custody"]["status"]}),
        "wanted": frozenset(searches),
        "stage": frozenset(stages | ({row["stage"]["status"]} if row["stage"] else set())),
        "presumption": frozenset({row["presumption"]}),
        "open_cases": frozenset({str(row["open_cases"])}),
    }


def known(found: set[str]) -> frozenset[str]:
    """Return *found*, without `unknown` if anything else is known."""
    return frozenset(word for word in found if word != "unknown" or found == {"unknown"})


def read_in_groups(person: Life, events: Sequence[Event]) -> None:
    """Read *events*, which are in world order, those of one span together."""
    for _, group in groupby(events, key=lambda event: event.pos[0][:2]):
        person.read(list(group))


def ended_before(event: Event, anchor: Event) -> bool:
    """Return whether *event* certainly ended before *anchor* began; a marked date is certain of nothing."""
    a, b = event.span, anchor.span
    if a.marked or b.marked or a.latest is None or b.earliest is None:
        return False
    return later(a.latest, slack(a.latest_exact, b.earliest_exact)) <= b.earliest


def before(anchor: Event, events: Sequence[Event], is_before: Callable[[Event, Event], bool]) -> list[Event]:
    """Return the events before *anchor*: a source that orders the two by `after` decides, and else *is_before*."""
    return [
        event
        for event in events
        if event.id != anchor.id
        and anchor.id not in event.behind
        and (event.id in anchor.behind or is_before(event, anchor))
    ]


def certainly(anchor: Event, events: Sequence[Event]) -> list[Event]:
    """Return the events certainly before *anchor*."""
    return before(anchor, events, ended_before)


def possibly(anchor: Event, events: Sequence[Event]) -> list[Event]:
    """Return the events possibly before *anchor*: by their dates, or ahead of it in the order of *events*."""
    ahead = {event.id for event in takewhile(lambda event: event.id != anchor.id, events)}
    return before(anchor, events, lambda event, other: event.id in ahead or possibly_before(event.span, other.span))


def holding(wanted: Wanted, actual: Words) -> Iterator[bool]:
    """Yield for each condition whether one of its words is an actual one."""
    return (bool(actual[name] & of_rule) for name, of_rule in wanted.items())


def is_concerned(keys: StatusKeys, anchor: Event, events: Sequence[Event]) -> bool:
    """Return whether all of `when` holds in both statuses before *anchor*, and none of `unless` in either."""
    if not keys.when and not keys.unless:
        return True
    for choose in (certainly, possibly):
        person = Life(set())
        read_in_groups(person, choose(anchor, events))
        actual = words(person)
        if not all(holding(keys.when, actual)) or any(holding(keys.unless, actual)):
            return False
    return True


def lasts(still: Wanted, anchor: Event, events: Sequence[Event], deadline: datetime, *, exact: bool) -> bool:
    """Return whether `still` holds right behind *anchor* and after each event that may lie before *deadline*."""
    ahead = certainly(anchor, events)
    person = Recorded(set())
    read_in_groups(person, [event for event in events if event in ahead or event.id == anchor.id])
    person.after = [words(person)]
    rest = [
        event
        for event in events
        if event not in ahead
        and event.id != anchor.id
        and (
            event.span.earliest is None
            or event.span.earliest < later(deadline, slack(exact, event.span.earliest_exact))
        )
    ]
    read_in_groups(person, rest)
    return all(all(holding(still, one)) for one in person.after)


def first_only(once: str, values: Mapping[str, str], cases: Mapping[str, set[str]]) -> dict[str, str]:
    """
    Return *values* with the standing anchors void that are not the first of their case or person.

    Args:
        once: case, subject, or nothing.
        values: by anchor, in world order.
        cases: by anchor, the cases that its reports name.
    """
    result: dict[str, str] = {}
    for anchor, value in values.items():
        earlier = [other for other, spoken in result.items() if spoken == "standing"]
        shares = {"subject": bool(earlier), "case": any(cases[anchor] & cases[other] for other in earlier)}
        result[anchor] = "void" if value == "standing" and shares.get(once) else value
    return result


def is_cleared_of(clearing: Event | None, pattern: Sequence[Event]) -> bool:
    """Return whether *clearing* is not certainly before any event of *pattern* about a case or custody, or at all."""
    accusing = [event for event in pattern if TRACK[event.type] in {"case", "custody"}]
    return clearing is not None and not any(certainly_before(clearing, event) for event in accusing or pattern)
