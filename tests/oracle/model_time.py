"""
A literal reading of docs/design.md, 2.2, 2.3, 3.1 and 3.2.

It covers corrections, spans, facts that count, world order, `after` and events. All results are computed from the whole
set of facts. Nothing of `projections` is used.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from events.edtf import Span, format_instant, parse
from events.facts import Fact
from events.vocabulary import data_problem

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
SPARE = timedelta(hours=14)

TYPES = {
    "service": "Suspended SuspensionLifted Removed Dismissed Resigned Retired TermEnded LeftOffice DismissalAnnulled"
    " Reinstated Elected Appointed Transferred Died",
    "case": "Accused AllegationWithdrawn MaterialsReferred InvestigationOpened InvestigationSuspended"
    " InvestigationResumed SuspectNamed Charged PleaEntered ChargesAmended ChargesDropped Indicted TrialOpened"
    " MistrialDeclared Convicted Acquitted Sentenced AppealFiled VerdictUpheld VerdictOverturned VerdictFinal"
    " ReviewRequested ReviewRefused SentenceChanged CaseClosed Amnestied Pardoned PardonAnnulled",
    "custody": "Wanted WantedCancelled Detained Arrested HouseArrested Bailed Released ExtraditionRequested"
    " ExtraditionRefused Extradited Imprisoned Paroled SentenceServed",
    "measure": "MeasureImposed MeasureLifted",
    "about": "Corrected Retracted",
    "person": "SubjectDescribed RelationAsserted RelationWithdrawn ReplyRecorded Noted",
}
TRACK = {name: track for track, names in TYPES.items() for name in names.split()}
RANK = {name: rank for rank, name in enumerate(TRACK)}
EVENT_TRACKS = {"service", "case", "custody", "measure"}
NEVER_AHEAD = {"case", "custody"}

WORDED = ("post", "agency", "region", "to_post", "to_agency")
PLAIN = (
    *("case_id", "charges", "kind", "by", "outcome", "final", "rehabilitating", "scope", "in_absentia"),
    *("jurisdiction", "post_id", "to_post_id"),
)

Normal = tuple[datetime, datetime, int, datetime, datetime, str]
Flags = set[tuple[str, str]]


class Statement(NamedTuple):
    """A fact with the data in force, and the times of that data."""

    id: str
    type: str
    data: Mapping[str, Any]
    recorded: datetime
    span: Span
    published: Span
    announced: bool

    @property
    def dated_ahead(self) -> bool:
        """Return whether it begins more than 14 hours after it was recorded, and was not announced."""
        begins = self.span.earliest
        return not self.announced and begins is not None and begins > later(self.recorded, SPARE)

    @property
    def normal(self) -> Normal:
        """Return its normal place in world order."""
        ends = (self.span.latest or LAST, self.span.earliest or FIRST)
        published = (self.published.latest or LAST, self.published.earliest or FIRST)
        return (*ends, RANK[self.type], *published, self.id)


class Event(NamedTuple):
    """The best report of an event, with its place, all its reports, and all facts behind which it stands."""

    id: str
    type: str
    data: Mapping[str, Any]
    span: Span
    published: Span
    pos: tuple[Normal, ...]
    reports: frozenset[str]
    behind: frozenset[str]


def later(instant: datetime, by: timedelta) -> datetime:
    """Return *instant* plus *by*, but not past the end of time."""
    return instant + by if LAST - instant > by else LAST


def slack(exact: bool, other: bool) -> timedelta:  # noqa: FBT001 - two ends of spans
    """Return the time to spare between two ends: 14 hours between a day and a date-time."""
    return SPARE if exact != other else timedelta(0)


def bounded(occurred: Span, published: Span) -> tuple[Span, bool]:
    """Return *occurred*, cut at the end of *published*, and whether it is announced."""
    if not occurred.dated or published.latest is None:
        return occurred, False
    begins = later(published.latest, slack(occurred.earliest_exact, published.latest_exact))
    if occurred.earliest is not None and occurred.earliest >= begins:
        return occurred, True
    # The 14 hours apply at either end. Otherwise an interval from a day to a date-time could end before it begins.
    alike = occurred.earliest_exact == occurred.latest_exact == published.latest_exact
    cap = published.latest if alike else later(published.latest, SPARE)
    if occurred.latest is not None and occurred.latest <= cap:
        return occurred, False
    marked = occurred.marked or published.marked
    return occurred._replace(latest=cap, latest_exact=published.latest_exact, marked=marked), False


def certainly_before(anchor: Event | Statement, follow: Event) -> bool:
    """
    Return whether *anchor* certainly ended before *follow* began.

    Both must be unmarked. Between a day and a date-time, 14 hours are to spare.
    """
    a, b = anchor.span, follow.span
    if a.marked or b.marked or a.latest is None or b.earliest is None:
        return False
    return later(a.latest, slack(a.latest_exact, b.earliest_exact)) <= b.earliest


def possibly_before(a: Span, b: Span) -> bool:
    """Return whether *a* can have begun before *b* ended."""
    if not (a.dated and b.dated):
        return False
    if a.earliest is None or b.latest is None:
        return True
    return a.earliest < later(b.latest, slack(a.earliest_exact, b.latest_exact))


def overlap(a: Span, b: Span) -> bool:
    """Return whether each can have begun before the other ended."""
    return possibly_before(a, b) and possibly_before(b, a)


def begins_after(a: Span, b: Span) -> bool:
    """Return whether *a* begins after the end of *b*."""
    if a.earliest is None or b.latest is None:
        return False
    return a.earliest >= later(b.latest, slack(a.earliest_exact, b.latest_exact))


def contradicts_order(event: Event, end: Event) -> bool:
    """Return whether *event* overlaps *end*, has another span, and is not behind it by `after`."""
    if end.id in event.behind or event.span[:2] == end.span[:2]:
        return False
    return overlap(event.span, end.span)


def folded(text: str) -> str:
    """Return *text* in the form for comparison: NFKC, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def moment(event: Event | None) -> dict[str, Any]:
    """Return the date and the fact of a cell."""
    if event is None:
        return {"since": None, "since_earliest": None, "since_latest": None, "fact_id": None}
    ends = [end and format_instant(end) for end in event.span[:2]]
    return {
        "since": event.data["occurred"],
        "since_earliest": ends[0],
        "since_latest": ends[1],
        "fact_id": event.id,
    }


def cell(status: str, event: Event | None) -> dict[str, Any]:
    """Return a cell with *status* that rests on *event*."""
    return {"status": status, **moment(event), "facts": len(event.reports) if event else 0}


def stated(fact: Fact, data: Mapping[str, Any], recorded: datetime) -> Statement:
    """Return the statement of *fact* with *data*, known since *recorded*."""
    published = parse(data["published"])
    span, announced = bounded(parse(data["occurred"]), published)
    return Statement(fact.id, fact.type, data, recorded, span, published, announced)


def in_force(facts: Sequence[Fact]) -> tuple[list[Statement], Flags]:
    """Return the facts about the world after corrections and retractions, and the flags."""
    ids = {fact.id for fact in facts}
    about = {fact.id: fact.data["fact_id"] for fact in facts if TRACK[fact.type] == "about"}
    flags: Flags = set()

    def in_cycle(name: str) -> bool:
        at, visited = about.get(name), {name}
        while at in about and at not in visited:
            visited.add(at)
            at = about[at]
        return at == name

    def current(fact: Fact) -> Statement | None:
        if in_cycle(fact.id):
            flags.add(("correction_cycle", fact.id))
            return None
        speaking = [now for other in facts if about.get(other.id) == fact.id and (now := current(other))]
        if any(other.type == "Retracted" for other in speaking):
            return None
        fitting = [other for other in speaking if fits(fact, other.data["data"])]
        flags.update(("correction_misfit", other.id) for other in speaking if other not in fitting)
        if fact.id in about and about[fact.id] not in ids:
            flags.add(("target_missing", fact.id))
        best = max(fitting, key=lambda other: (other.published.latest or LAST, other.id), default=None)
        if best is None:
            return stated(fact, fact.data, fact.recorded)
        return stated(fact, best.data["data"], max(fact.recorded, best.recorded))

    def fits(fact: Fact, data: Mapping[str, Any]) -> bool:
        same_target = fact.id not in about or data.get("fact_id") == about[fact.id]
        return data_problem(fact.type, data) is None and same_target

    left = [current(fact) for fact in facts]
    return [fact for fact in left if fact and TRACK[fact.type] != "about"], flags


def counts_at(fact: Statement, clock: datetime, as_of: datetime | None) -> bool:
    """
    Return whether a fact counts.

    It must be dated, and past at *as_of*. A fact that is ahead counts only if its type may be ahead and its time has
    passed.
    """
    latest = fact.span.latest or LAST
    if not fact.span.dated or (as_of is not None and latest > as_of):
        return False
    ahead = fact.announced or fact.dated_ahead
    return not ahead or (TRACK[fact.type] not in NEVER_AHEAD and latest <= clock)


def world(facts: Sequence[Fact], clock: datetime, as_of: datetime | None) -> tuple[list[Event], Flags]:
    """Return the events that count, in world order, and the flags of the history."""
    left, flags = in_force(facts)
    flags |= {("undated", fact.id) for fact in left if not fact.span.dated}
    flags |= {("announced", fact.id) for fact in left if fact.announced}
    flags |= {("dated_ahead", fact.id) for fact in left if fact.dated_ahead}
    counting = {fact.id: fact for fact in left if counts_at(fact, clock, as_of)}
    named = {
        fact.id: {name for name in fact.data["after"] if name in counting}
        for fact in counting.values()
        if "after" in fact.data
    }
    flags |= {("after_missing", name) for name, targets in named.items() if not targets}
    groups = grouped(list(counting.values()), reach(without_circles(named, set()), counting))
    stands = {name: group[0].id for group in groups for name in (fact.id for fact in group)}
    targets = {name: ids | {stands[other] for other in ids} for name, ids in named.items()}
    targets = without_circles(targets, flags)
    behind = reach(targets, counting)

    def pos(name: str) -> tuple[Normal, ...]:
        own = (counting[name].normal,)
        last = max((pos(stands[other]) for other in targets.get(name, ())), default=own)
        return (*last, *own) if last > own or (last[0][:2] == own[0][:2] and last is not own) else own

    events = [
        Event(
            first.id,
            first.type,
            first.data,
            first.span,
            first.published,
            pos(first.id),
            frozenset(fact.id for fact in group),
            behind[first.id],
        )
        for group in groups
        for first in group[:1]
    ]
    return sorted(events, key=lambda event: event.pos), flags


def reach(targets: Mapping[str, set[str]], names: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the names that can be reached from each of *names* over *targets*."""
    result = {}
    for name in names:
        visited: set[str] = set()
        todo = [*targets.get(name, ())]
        while todo:
            at = todo.pop()
            if at not in visited:
                visited.add(at)
                todo.extend(targets.get(at, ()))
        result[name] = frozenset(visited)
    return result


def without_circles(targets: Mapping[str, set[str]], flags: Flags) -> dict[str, set[str]]:
    """Return *targets* without the members of circles, which are flagged."""
    reached = reach(targets, targets)
    members = {name for name in targets if name in reached[name]}
    flags |= {("after_circle", name) for name in members}
    return {name: ids for name, ids in targets.items() if name not in members}


def grouped(facts: Sequence[Statement], behind: Mapping[str, frozenset[str]]) -> list[list[Statement]]:
    """Return the reports of each event, the best report first."""
    left = sorted(facts, key=quality)
    groups = []
    while left:
        group = [left[0]]
        for fact in left[1:]:
            tied = any(fact.id in behind[member.id] or member.id in behind[fact.id] for member in group)
            if agree(group[0], fact) and not tied:
                group.append(fact)
        groups.append(group)
        left = [fact for fact in left if fact not in group]
    return groups


def quality(fact: Statement) -> tuple[timedelta, bool, int, str]:
    """Return the sort key of quality: narrower, then unmarked, then more fields that count, then the smaller id."""
    earliest, latest = fact.span[:2]
    width = latest - earliest if earliest and latest else timedelta.max
    return width, fact.span.marked, -len({*WORDED, *PLAIN} & fact.data.keys()), fact.id


def agree(a: Statement, b: Statement) -> bool:
    """Return whether two facts are reports of one event, by their data."""
    if a.type != b.type or TRACK[a.type] not in EVENT_TRACKS or not overlap(a.span, b.span):
        return False
    both = a.data.keys() & b.data.keys()
    worded = all(folded(a.data[name]) == folded(b.data[name]) for name in WORDED if name in both)
    plain = (*PLAIN, "authority", "program", "title") if TRACK[a.type] == "measure" else PLAIN
    return worded and all(a.data[name] == b.data[name] for name in plain if name in both)


def years(span: Span) -> tuple[int, int]:
    """Return the first and the last year of *span*."""
    first = span.earliest.year if span.earliest else 0
    ends_with_a_year = span.latest is not None and span.latest.timetuple()[1:6] == (1, 1, 0, 0, 0)
    return first, (span.latest.year - ends_with_a_year if span.latest else 10_000)
