"""
The status of one person: a fold over the events that count, in world order.

Posts, cases with their counts, custody, searches and measures are kept apart, and the summary is computed from them. No
fact is refused for being unlikely: a fact that does not follow from the state before it is applied and flagged.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from events.edtf import Span, certainly_before
from events.facts import Fact
from events.vocabulary import TRACK_OF
from projections.history.flag import Flag
from projections.history.placing import NOTHING_PLACED, Placing
from projections.tracks.cases import CRIMINAL, Case
from projections.tracks.cell import NO_WORD, Cell
from projections.tracks.custody import Custody
from projections.tracks.measures import Measures
from projections.tracks.posts import Posts
from projections.tracks.reading_order import reading_steps

from .identity import Descriptions
from .summary import Summary, summarize
from .surroundings import Surroundings, concerned_by, surroundings
from .words import Judged, Words, words_of

UNPLACED: Final = frozenset({"order_unknown", "post_unknown"})
"""The flags of facts that may have another effect than the one they have here."""
NO_REPORTS: Final[Mapping[str, str]] = {}


class Status:
    """
    The fold: apply the events that count, in world order, one at a time.

    Each track has a fold of its own. The methods here direct a fact to its track, carry the effects of one track on
    another, and read the result; `summary` and `lookup` have the functions that only read the parts.

    Args:
        anchors: the fact types from which rules start; the status before each such fact is kept.
        facts: the first events.
        placing: the places of facts that a source puts behind others.
        stands_for: for each report of an event, the fact that stands for it.

    Attributes:
        before: the status before each anchor in world order, by the fact's id.
        judged: the status at anchors as dates leave it open, by its id and the types read, as far as it was asked for.
        around: the posts around each anchor, by the fact's id.
        posts, custody, measures: the parts.
        cases: by case_id.
        names: every spelling of the name, in the order in which they became known.
        described: the latest fact with a name, with a post, agency or region, and with a jurisdiction.
        case_steps: the number of changes of cases so far.
        kept: the rows of each case, cached for the module that makes rows.
        spells: the spells of statuses, cached for the module that finds them.
        unplaced: the facts of unknown order, and those that may concern several posts.
    """

    def __init__(
        self,
        anchors: frozenset[str] = frozenset(),
        facts: Sequence[Fact] = (),
        placing: Placing = NOTHING_PLACED,
        stands_for: Mapping[str, str] = NO_REPORTS,
    ) -> None:
        self.anchors = anchors
        self.before: dict[str, Words] = {}
        self.judged: dict[tuple[str, frozenset[str]], Judged] = {}
        self.around: dict[str, Surroundings] = {}
        self.posts = Posts(self._flag, placing.is_behind)
        self.custody = Custody(self._flag, placing.is_behind)
        self.measures = Measures(self._flag, stands_for)
        self.cases: dict[str, Case] = {}
        self.kept: dict[str, tuple[int, bool, Mapping[str, int], Any]] = {}
        self.spells: dict[tuple[str, frozenset[str]], Any] = {}
        self.unplaced: dict[str, Fact] = {}
        self._ended_cases: set[str] = set()
        self._descriptions = Descriptions(self._flag)
        self.names = self._descriptions.names
        self.described = self._descriptions.latest
        self._placing = placing
        self._flags: list[Flag] = []
        self.case_steps = 0
        self._summary: Summary | None = None
        for _ in self.read(facts):
            pass

    def read(self, facts: Sequence[Fact]) -> Iterator[Fact]:
        """Apply the next events, in world order; yield each once it is applied."""
        for fact, only in reading_steps(facts, self._placing.places, self.posts, self.custody):
            self.advance(fact, only)
            yield fact

    def advance(self, fact: Fact, only: frozenset[str | None] | None = None) -> None:
        """
        Apply the next event in world order.

        Args:
            fact: the event.
            only: for a release without a case: the cases of the holds that it ends; None: all of them.
        """
        kind = fact.type
        around = None
        if kind in self.anchors and fact.id not in self.before:
            self.before[fact.id] = self.words()
            around = surroundings(self.summary().shown, self.described)
        self._summary = None
        self.spells.clear()
        if self.judged:
            # The event may have been before an anchor, although it comes last in world order.
            self.judged = {}
        match TRACK_OF[kind]:
            case "service":
                self._apply_service(fact)
            case "case":
                self._apply_case(fact)
            case "custody":
                self._apply_custody(fact, only)
            case "measure":
                self.measures.advance(fact)
                if self.posts.died is not None:
                    self.measures.outlive(self.posts.died)
            case _:
                self._descriptions.advance(fact)
        if around is not None:
            self.around[fact.id] = around._replace(concerned=concerned_by(fact, self.posts))

    def words(self) -> Words:
        """Return the status so far in words."""
        return words_of(self.posts, self.cases, self.custody, self.summary())

    def summary(self) -> Summary:
        """Return the person's row."""
        if self._summary is None:
            self._summary = summarize(self.posts, self.cases, self.custody, self._flags)
        return self._summary

    def is_cleared(self) -> bool:
        """Return whether the person has been cleared; the row is computed only if there are cases and none is open."""
        if not self.cases or any(case.ended is None and case.kind == CRIMINAL for case in self.cases.values()):
            return False
        return self.summary().presumption == "cleared"

    def clearing(self) -> Fact | None:
        """Return the fact that cleared the person, the last of several; None: the person is not cleared."""
        if not self.is_cleared():
            return None
        counts = (count for case in self.cases.values() if case.kind == CRIMINAL for count in case.counts.all)
        return max((count for count in counts if count.clears), key=lambda count: count.place).settled_by

    def _apply_service(self, fact: Fact) -> None:
        alive = self.posts.died is None
        self.posts.advance(fact)
        if alive and self.posts.died is not None:
            self.custody.die(fact)
            self.measures.outlive(fact)
            for case in self.cases.values():
                case.course.append(Cell(NO_WORD, fact))

    def _apply_custody(self, fact: Fact, only: frozenset[str | None] | None) -> None:
        if self.posts.died is not None:
            self._flag("after_death", fact)
        else:
            self.custody.advance(fact, only)
            if self._ended_cases:
                self.custody.outlast(self._ended_cases, fact)

    def _apply_case(self, fact: Fact) -> None:
        self.case_steps += 1
        case_id = fact.data["case_id"]
        case = self.cases.get(case_id)
        if case is None:
            case = self.cases[case_id] = Case(self._flag, self._placing.is_behind, fact)
        was_open = case.is_open
        case.advance(fact, self.case_steps)
        if was_open and not case.is_open:
            self.custody.end_bail(case_id, fact, convicted=case.is_finally_convicted)
        if case.is_open or case.stands_convicted:
            self._ended_cases.discard(case_id)
        else:
            self._ended_cases.add(case_id)
            self.custody.outlast({case_id}, fact)
        if self.posts.died is not None:
            case.course.append(Cell(NO_WORD, fact))
        by = fact.data.get("by")
        if isinstance(by, dict) and by.get("subject_id") == fact.subject:
            self._flag("accused_by_self", fact)

    def _flag(self, code: str, fact: Fact) -> None:
        self._flags.append(Flag(code, fact.id))
        if code in UNPLACED:
            self.unplaced[fact.id] = fact


def is_cleared_of(clearing: Fact | None, *events: Span) -> bool:
    """
    Return whether the fact *clearing* clears a person of all *events*: none is certainly after it.

    Dates that leave the order open are read in favour of the person. None as *clearing* clears of nothing.
    """
    return clearing is not None and not any(certainly_before(clearing.occurred, event) for event in events)
