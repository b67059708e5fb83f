"""
The status of one person: a fold over the events that count, in world order.

Posts, cases with their counts, custody, searches and measures are kept apart; the summary is computed from them and
never says more than they do. Nothing is refused for being unlikely: a fact that does not follow from the state is
applied and flagged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from events.edtf import parse
from events.facts import Fact
from events.vocabulary import TRACK_OF
from projections.history.history import Flag
from projections.history.placing import NOTHING_PLACED, Placing
from projections.tracks.cases import CRIMINAL, Case, furthest
from projections.tracks.cell import UNKNOWN, Cell
from projections.tracks.counts import Count, tally
from projections.tracks.custody import STRICTEST_FIRST, Custody, Search
from projections.tracks.measures import Measures
from projections.tracks.posts import Post, Posts

from .identity import differ, spellings

NO_REPORTS: Mapping[str, str] = {}
NO_COUNTS: Mapping[str, int] = tally(())
NOT_HEADLINES = frozenset({"unknown", "released", "sentence_served"})


class Point(NamedTuple):
    """The status in single words, as a rule's conditions read it."""

    service: str
    custody: str
    wanted: str | None
    stage: str | None
    open_cases: int
    presumption: str


class Summary(NamedTuple):
    """
    The person's row, computed from the parts.

    Attributes:
        service, custody: a cell each.
        shown: the post on which the service rests; None: none is known.
        wanted: the widest search; None: not wanted.
        stage: the furthest of an open criminal case, else the end of the one that ended last; None: no stage is known.
        open_cases, convicted_cases: numbers of criminal cases.
        counts: how many counts of criminal cases are undecided, convicted, acquitted and ended otherwise.
        presumption: presumed_innocent, convicted_not_final, convicted or cleared.
        headline: one word for lists.
    """

    service: Cell
    shown: Post | None
    custody: Cell
    wanted: Cell | None
    stage: Cell | None
    open_cases: int
    convicted_cases: int
    counts: Mapping[str, int]
    presumption: str
    headline: str


class Status:
    """
    The fold: feed it the events that count, in world order, one at a time.

    Args:
        anchors: fact types before each of which the status is kept, for the rules that ask.
        facts: the first of them.
        placing: where a source places facts behind others.
        stands_for: for each report of an event, the fact that stands for it.

    Attributes:
        before: the status before each anchor, by the fact's id.
        posts, custody, measures: the parts.
        cases: by case_id.
        names: every spelling, in the order in which they came up.
        kept: the rows of each case, as the maker of rows keeps them.
        described: the latest fact that gives a name, that names a post, agency or region, and a jurisdiction.
    """

    def __init__(
        self,
        anchors: frozenset[str] = frozenset(),
        facts: Sequence[Fact] = (),
        placing: Placing = NOTHING_PLACED,
        stands_for: Mapping[str, str] = NO_REPORTS,
    ) -> None:
        self.anchors = anchors
        self.before: dict[str, Point] = {}
        self.posts = Posts(self._flag, placing.is_behind)
        self.custody = Custody(self._flag, placing.is_behind)
        self.measures = Measures(self._flag, stands_for)
        self.cases: dict[str, Case] = {}
        self.kept: dict[str, tuple[int, bool, Mapping[str, int], Any]] = {}
        self.names: dict[str, None] = {}
        self.described: dict[str, Fact] = {}
        self._identity: list[Fact] = []
        self._placing = placing
        self._flags: list[Flag] = []
        self._step = 0
        self._summary: Summary | None = None
        self._fold(facts)

    def advance(self, fact: Fact) -> None:
        """Apply the next event in world order."""
        if fact.type in self.anchors:
            self.before[fact.id] = self.point()
        self._summary = None
        match TRACK_OF[fact.type]:
            case "service":
                self._serve(fact)
            case "case":
                self._try(fact)
            case "custody":
                self._hold(fact, None)
            case "measure":
                self.measures.advance(fact)
            case _:
                self._note(fact)

    def point(self) -> Point:
        """Return the status so far in single words."""
        row = self.summary()
        return Point(
            row.service.status,
            row.custody.status,
            row.wanted.status if row.wanted else None,
            row.stage.status if row.stage else None,
            row.open_cases,
            row.presumption,
        )

    def summary(self) -> Summary:
        """Return the person's row."""
        if self._summary is None:
            self._summary = self._summarized()
        return self._summary

    def is_cleared(self) -> bool:
        """Whether the person has been cleared: at once told where a criminal case is open, or there is no case."""
        if not self.cases or any(case.ended is None and case.kind == CRIMINAL for case in self.cases.values()):
            return False
        return self.summary().presumption == "cleared"

    def flags(self) -> Iterator[Flag]:
        """Yield the anomalies: facts that do not follow from the state before them, holds that outlast their case."""
        yield from self._flags
        for case_id, hold in self.custody.holds.items():
            if hold.is_active and hold.fact and self._outlasts(case_id):
                yield Flag("held_after_end", hold.fact.id)
        for search in self.custody.searches:
            if self._outlasts(search.case_id):
                yield Flag("held_after_end", search.fact.id)

    def marks(self) -> tuple[object, ...]:
        """Return for each part, in the order of `Conclusions.parts`, a value that changes when its rows can have."""
        held = (self.custody.steps, self._step, self.posts.died is None)
        return (self.posts.steps, held, self._step, held, held, self.measures.steps)

    def case_ids(self) -> list[str]:
        """Return the ids of all cases, by code point; some are known from custody alone."""
        held = {case_id for case_id in self.custody.holds if case_id is not None}
        return sorted(self.cases.keys() | held)

    def is_open(self, case_id: str) -> bool:
        """Whether the case is open; no case of the dead is."""
        if self.posts.died is not None:
            return False
        case = self.cases.get(case_id)
        return case.is_open if case else self.custody.holds[case_id].is_active

    def is_counted(self, case_id: str | None) -> bool:
        """Whether custody or a search in the case counts for the row: not if the case ended without a conviction."""
        case = self.cases.get(case_id) if case_id is not None else None
        return case is None or case.is_open or case.stands_convicted

    def _outlasts(self, case_id: str | None) -> bool:
        case = self.cases.get(case_id) if case_id is not None else None
        return case is not None and case.ended is not None and case.ended.status != "final"

    def _fold(self, facts: Sequence[Fact]) -> None:
        places = self._placing.places
        start = 0
        while start < len(facts):
            # Facts of one span are read together, and with each those that a source places right behind it.
            end, head = start + 1, facts[start]
            while end < len(facts):
                place = places.get(facts[end].id)
                if place is None and facts[end].occurred[:2] == head.occurred[:2] and head.id not in places:
                    head = facts[end]
                elif place is None or place[0] != head.order:
                    break
                end += 1
            if end == start + 1:
                self.advance(head)
            else:
                self._fold_together(facts[start:end])
            start = end

    def _fold_together(self, facts: Sequence[Fact]) -> None:
        """Apply facts of one span, and those that a source places right behind one of them."""
        followers: dict[str, list[Fact]] = {}
        heads: list[Fact] = []
        for fact in facts:
            if heads and self._placing.places.get(fact.id):
                followers.setdefault(heads[-1].id, []).append(fact)
            else:
                heads.append(fact)
        tracks: dict[str, list[Fact]] = {}
        for fact in heads:
            tracks.setdefault(TRACK_OF[fact.type], []).append(fact)
        for track, of_track in tracks.items():
            if track == "custody" and len(of_track) > 1 and self.posts.died is None:
                for fact, only in self.custody.in_reading_order(of_track):
                    self._advance_custody(fact, only)
                    self._follow(followers.pop(fact.id, ()))
                continue
            together = track == "service" and len(of_track) > 1 and self.posts.died is None
            for fact in self.posts.in_reading_order(of_track) if together else of_track:
                self.advance(fact)
                self._follow(followers.pop(fact.id, ()))

    def _follow(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            self.advance(fact)

    def _advance_custody(self, fact: Fact, only: frozenset[str | None] | None) -> None:
        if only is None:
            self.advance(fact)
            return
        if fact.type in self.anchors and fact.id not in self.before:
            self.before[fact.id] = self.point()
        self._summary = None
        self._hold(fact, only)

    def _serve(self, fact: Fact) -> None:
        alive = self.posts.died is None
        self.posts.advance(fact)
        if alive and self.posts.died is not None:
            self.custody.die(fact)

    def _hold(self, fact: Fact, only: frozenset[str | None] | None) -> None:
        if self.posts.died is not None:
            self._flag("after_death", fact)
        else:
            self.custody.advance(fact, only)

    def _try(self, fact: Fact) -> None:
        self._step += 1
        case_id = fact.data["case_id"]
        case = self.cases.get(case_id)
        if case is None:
            case = self.cases[case_id] = Case(self._flag, self._placing.is_behind, fact)
        was_open = case.is_open
        case.advance(fact, self._step)
        if was_open and not case.is_open:
            self.custody.end_bail(case_id, fact, convicted=case.is_finally_convicted)
        by = fact.data.get("by")
        if isinstance(by, dict) and by.get("subject_id") == fact.subject:
            self._flag("accused_by_self", fact)

    def _note(self, fact: Fact) -> None:
        data = fact.data
        if fact.type == "SubjectDescribed":
            self._describe(fact)
        elif fact.type in {"RelationAsserted", "RelationWithdrawn"} and data["other"] == fact.subject:
            self._flag("relation_to_self", fact)

    def _describe(self, fact: Fact) -> None:
        data = fact.data
        if "name" in data:
            self.described["name"] = fact
        if any(name in data for name in ("post", "agency", "region")):
            self.described["post"] = fact
        if "jurisdiction" in data:
            self.described["jurisdiction"] = fact
        self.names.update(dict.fromkeys(spellings(fact)))
        if "born" in data:
            born = parse(data["born"])
            published = fact.published
            if born.earliest is not None and published.latest is not None and born.earliest >= published.latest:
                self._flag("born_ahead", fact)
            if any(differ(fact, other) for other in self._identity):
                self._flag("identity_differs", fact)
            self._identity.append(fact)

    def _flag(self, code: str, fact: Fact) -> None:
        self._flags.append(Flag(code, fact.id))

    def _summarized(self) -> Summary:
        service, shown = self.posts.service()
        dead = self.posts.died is not None
        custody = self._held() if self.custody.holds or dead else UNKNOWN
        wanted = self._wanted() if self.custody.searches else None
        held_only = 0
        for case_id, hold in self.custody.holds.items():
            held_only += case_id is not None and case_id not in self.cases and hold.is_active
        if not self.cases:
            open_cases = 0 if dead else held_only
            headline = _headline(service, custody, wanted, None, is_open=False)
            return Summary(
                service, shown, custody, wanted, None, open_cases, 0, NO_COUNTS, "presumed_innocent", headline
            )
        criminal = [case for case in self.cases.values() if case.kind == CRIMINAL]
        under_way = [case for case in criminal if case.ended is None]
        open_case = furthest(under_way)
        stage = open_case.stage if open_case else _last_end(criminal)
        open_cases = 0 if dead else len(under_way) + held_only
        return Summary(
            service=service,
            shown=shown,
            custody=custody,
            wanted=wanted,
            stage=stage,
            open_cases=open_cases,
            convicted_cases=sum(case.is_finally_convicted for case in criminal),
            counts=tally(count for case in criminal for count in case.counts.all),
            presumption=_presumption(criminal, is_open=bool(open_cases) or self._is_sought_since(criminal), dead=dead),
            headline=_headline(service, custody, wanted, stage, is_open=open_case is not None and not dead),
        )

    def _held(self) -> Cell:
        """Return the strictest custody that counts, of equals the latest."""
        held = [(case_id, hold) for case_id, hold in self.custody.holds.items() if hold.fact is not None]
        if self.posts.died is not None:
            return Cell("deceased", self.posts.died)
        counted = [hold for case_id, hold in held if not hold.is_active or self.is_counted(case_id)]
        if not counted:
            return UNKNOWN
        shown = min(counted, key=lambda hold: (STRICTEST_FIRST.index(hold.status), -hold.place))
        return Cell(shown.status, shown.fact)

    def _is_sought_since(self, criminal: Sequence[Case]) -> bool:
        """Whether custody or a search began after the last case had ended: there may be a case that is not known."""
        end = _last_end(criminal)
        ended = end.fact.occurred.latest if end and end.fact else None
        facts = [hold.fact for hold in self.custody.holds.values() if hold.is_active and hold.fact]
        facts += [search.fact for search in self.custody.searches]
        begun = (fact.occurred.earliest for fact in facts)
        return ended is not None and any(earliest is not None and earliest >= ended for earliest in begun)

    def _wanted(self) -> Cell | None:
        counted = [search for search in self.custody.searches if self.is_counted(search.case_id)]
        # "international" comes before "national", and of equals the first stands.
        widest: Search | None = min(counted, key=lambda search: search.scope, default=None)
        return Cell(widest.scope, widest.fact) if widest else None


def _last_end(criminal: Sequence[Case]) -> Cell | None:
    """Return the end of the case that ended last, if one did."""
    ended = [case for case in criminal if case.ended is not None]
    case = max(ended, key=lambda each: each.place, default=None)
    return case.ended if case else None


def _presumption(criminal: Sequence[Case], *, is_open: bool, dead: bool) -> str:
    if any(case.is_finally_convicted for case in criminal):
        # It stands until a court sets it aside: a later pardon does not undo it.
        return "convicted"
    counts: list[Count] = [c for case in criminal for c in case.counts.all if c.status != "replaced"]
    if not dead and any(count.stands_convicted and count.is_open for count in counts):
        return "convicted_not_final"
    if is_open:
        return "presumed_innocent"
    cleared = [count for count in counts if count.status != "withdrawn"]
    return "cleared" if cleared and all(count.clears for count in cleared) else "presumed_innocent"


def _headline(service: Cell, custody: Cell, wanted: Cell | None, stage: Cell | None, *, is_open: bool) -> str:
    if service.status == "deceased":
        return "deceased"
    if custody.status not in NOT_HEADLINES:
        return custody.status
    if stage and is_open:
        return stage.status
    if wanted:
        return "wanted"
    return stage.status if stage else service.status
