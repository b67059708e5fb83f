"""The pattern of a chain: steps of which each follows the one before it within a time (docs/design.md, 4.5)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, model_validator

from events.edtf import NO_TIME, later
from events.facts import Fact
from projections.history.history import History
from projections.history.lookup import events_ending
from projections.rules.conditions.relation import Related, types_with
from projections.rules.limits import Length, Limit, Reading
from projections.rules.values import TOKEN, Certainty, wrong

from .chain_search import Chain, Search, first_certain, first_possible
from .chain_steps import AbsentStep, ChainStep, ThenStep, names_of, read_steps
from .pattern import Finding, Rule, Visible, earliest_end
from .sequence import is_possible
from .silence import Accepts, accepts_all, silence_after, silence_follows, visible_silence


class _Times(NamedTuple):
    """
    The times of a chain from one anchor, with the values of its limits there.

    Attributes:
        withins: those of the steps.
        whole: that of all steps together; None: there is none.
        longest: the time in which every step lies.
        wait, settle: those of the silence at the end.
    """

    withins: list[timedelta]
    whole: timedelta | None
    longest: timedelta
    wait: timedelta
    settle: timedelta


class _Steps(BaseModel):
    """The field that is read before all others of a chain: the sentence may name the steps."""

    steps: Annotated[tuple[ChainStep, ...], BeforeValidator(read_steps)]


class ChainRule(Rule, _Steps):
    """
    A fact followed by steps, each within a time of the one before it; the last may be a silence.

    It has more than eight methods: the protocol of a pattern, and the parts of a chain that ends in a silence.
    """

    facts: ClassVar[tuple[str, ...]] = ("anchor",)
    roles: ClassVar[tuple[str, ...]] = ("anchor",)
    within: Length | None = None
    certainty: Certainty = "certain"

    @model_validator(mode="after")
    def _bounds_a_chain(self) -> Self:
        if self.within is not None and not self._followed:
            raise wrong("within stands beside steps without then", "a step with then, or no within")
        return self

    @classmethod
    def facts_named(cls, read: Mapping[str, Any], text: str) -> list[str]:
        """Return the names of the anchor and the steps; any name, if the steps could not be *read*."""
        if "steps" not in read:
            return [token[1:-1].partition(".")[0] for token in TOKEN.findall(text)]
        steps: tuple[ChainStep, ...] = read["steps"]
        return ["anchor", *(name for number, step in enumerate(steps, 1) for name in names_of(step, number))]

    def facts_told(self, finding: Finding) -> dict[str, Fact]:
        """Return the facts of the chain by the names of their steps."""
        told = zip(self._followed, finding.completing, strict=False)
        return {name: fact for number, (step, fact) in enumerate(told, 1) for name in names_of(step, number)}

    @property
    def waits(self) -> bool:
        """Whether the chain ends in a silence, which time alone completes."""
        return self._silence is not None

    @property
    def ends_when_cleared(self) -> bool:
        """Whether the chain ends in a fact: a silence goes on, whatever the person is cleared of."""
        return self._silence is None

    @cached_property
    def follow(self) -> frozenset[str]:
        """The fact types of all steps."""
        return self._ending.union(*(step.then for step in self._followed))

    @cached_property
    def read_before(self) -> frozenset[str]:
        """The fact types that `new` reads, in any step too."""
        own = (step.new | (step.where.all_new if step.where else frozenset()) for step in self.steps)
        return super().read_before | types_with(frozenset[str]().union(*own))

    def find(self, anchor: Fact, history: History) -> Finding:
        """Return the first chain from *anchor*, and the silence after it."""
        times = self._times(anchor, history)
        if times is None:
            return Finding(anchor, "void", final=True)
        chain = self._chain(anchor, history, times)
        settled = self._is_settled(anchor, history.events[-1], times)
        if chain is None:
            return Finding(anchor, "void", final=settled)
        if self._silence is None:
            return Finding(anchor, "standing", None, chain, final=settled)
        start = chain[-1] if chain else anchor
        deadline = later(start.occurred.latest, times.wait)
        opens = later(deadline, times.settle)
        found = Finding(anchor, "standing", opens, chain, settled, deadline=deadline, exact=start.occurred.latest_exact)
        return self._continued(found, events_ending(history, earliest_end(start), None, self._ending), history)

    def extend(self, finding: Finding, fact: Fact, history: History) -> Finding:
        """Return the chain once *fact* is at the end of the world order: it can complete a chain that is the first."""
        anchor = finding.anchor
        times = self._times(anchor, history)
        if times is None or self._may_join(anchor, fact, times):
            found = self.find(anchor, history)
        else:
            found = finding._replace(final=self._is_settled(anchor, fact, times))
            if finding.deadline is not None:
                ending = [fact] if fact.type in self._ending else []
                found = self._continued(found, ending, history)
        return finding if found == finding else found

    def visible_at(self, finding: Finding, history: History, clock: datetime) -> Visible:
        """Return the value that an alert may state at *clock* of *finding*, which is not void."""
        if self._silence is None:
            return Visible(finding, finding.value)
        return visible_silence(finding, history, clock, self._ending, self._asked(finding, history))

    @cached_property
    def _followed(self) -> tuple[ThenStep, ...]:
        return tuple(step for step in self.steps if isinstance(step, ThenStep))

    @cached_property
    def _silence(self) -> AbsentStep | None:
        last = self.steps[-1]
        return last if isinstance(last, AbsentStep) else None

    @cached_property
    def _ending(self) -> frozenset[str]:
        """The fact types that end the silence; none, if there is no silence."""
        if self._silence is None:
            return frozenset()
        starts = self._followed[-1].then if self._followed else frozenset[str]()
        return silence_follows(self._silence.absent, self.on | starts)

    @cached_property
    def readings(self) -> tuple[tuple[Limit, Reading], ...]:
        """Each limit with its reading: a `within` is read by the certainty, a silence at the end takes the longest."""
        waits = [self._silence.wait, self._silence.settle] if self._silence else []
        withins = [*(step.within for step in self._followed), self.within]
        times: list[tuple[object, Reading]] = [(time, "longest") for time in waits]
        times[1:1] = [(time, self._reading_of_steps) for time in withins]
        return tuple((time, reading) for time, reading in times if isinstance(time, Limit))

    @property
    def _reading_of_steps(self) -> Reading:
        return "shortest" if self.certainty == "certain" else "possible"

    def _times(self, anchor: Fact, history: History) -> _Times | None:
        """Return the times of the chain for *anchor*; None: a limit has no value there."""
        silence, reading = self._silence, self._reading_of_steps
        steps = [self.length(step.within, anchor, history, reading) for step in self._followed]
        whole = None if self.within is None else self.length(self.within, anchor, history, reading)
        ending = (silence.wait, silence.settle) if silence else (NO_TIME, NO_TIME)
        wait, settle = (self.length(time, anchor, history) for time in ending)
        withins = [within for within in steps if within is not None]
        if len(withins) < len(steps) or (whole is None and self.within is not None) or wait is None or settle is None:
            return None
        together = sum(withins, NO_TIME)
        return _Times(withins, whole, together if whole is None else min(together, whole), wait, settle)

    @cached_property
    def _related(self) -> tuple[Related | None, ...]:
        """The conditions of each step; None: it has none."""
        compares = self.where is not None and self.where.compares
        related: list[Related | None] = []
        for number, step in enumerate(self.steps, 1):
            same, new = self.same | step.same, self.new | step.new
            roles = ("absent",) if isinstance(step, AbsentStep) else ("then", *names_of(step, number))
            earlier = names_of(self.steps[number - 2], number - 1) if number > 1 else ()
            asked = step.where is not None or same or new or compares
            related.append(Related(step.where, same, new, roles, earlier, self.where) if asked else None)
        return tuple(related)

    def _chain(self, anchor: Fact, history: History, times: _Times) -> Chain | None:
        """Return the facts of the first chain from *anchor*, without it; None: there is none."""
        first = anchor.occurred.earliest
        until = later(first, times.longest) if first and self.certainty == "certain" else None
        start = earliest_end(anchor)
        candidates = [
            sorted(
                (
                    fact
                    for fact in events_ending(history, start, until, step.then)
                    if self._may_join(anchor, fact, times)
                ),
                key=history.place,
            )
            for step in self._followed
        ]
        search = Search(anchor, candidates, times.withins, times.whole, self._accepting(anchor, history))
        return first_certain(search) if self.certainty == "certain" else first_possible(search)

    def _accepting(self, anchor: Fact, history: History) -> Callable[[int, Fact, Fact], bool]:
        """Return the conditions of the steps, each answered once for the same facts."""
        answers: dict[tuple[int, str, str], bool] = {}

        def accepts(index: int, previous: Fact, fact: Fact) -> bool:
            related = self._related[index]
            if related is None:
                return True
            key = (index, previous.id if related.reads_previous else "", fact.id)
            if key not in answers:
                before = previous if related.reads_previous and index else None
                answers[key] = related.hold(anchor, fact, history, before) is True
            return answers[key]

        return accepts

    def _may_join(self, anchor: Fact, fact: Fact, times: _Times) -> bool:
        """Return whether *fact* can be a step of a chain from *anchor*, by its type and its time alone."""
        if fact.id == anchor.id or not any(fact.type in step.then for step in self._followed):
            return False
        if self.certainty == "certain":
            return not self._is_settled(anchor, fact, times)
        return is_possible(anchor, fact, times.longest)

    def _is_settled(self, anchor: Fact, last: Fact, times: _Times) -> bool:
        """Return whether no fact after *last* in world order, which ends no earlier, can be in a chain."""
        if not self._followed:
            return True
        if self.certainty != "certain":
            return False
        return anchor.occurred.earliest is None or last.order[0] > later(anchor.occurred.earliest, times.longest)

    def _continued(self, silence: Finding, facts: Iterable[Fact], history: History) -> Finding:
        """Return *silence* after *facts*: void, ended or as it was. It is final only if its chain is."""
        if silence.value == "void":
            return silence
        start = silence.completing[-1] if silence.completing else silence.anchor
        chain = {fact.id for fact in (silence.anchor, *silence.completing)}
        others = (fact for fact in facts if fact.id not in chain)
        found = silence_after(silence, start, others, history, self._asked(silence, history))
        return found._replace(final=silence.final and found.value == "void")

    def _asked(self, finding: Finding, history: History) -> Accepts:
        """Return the conditions on a fact that ends the silence of *finding*."""
        silence, related = self._silence, self._related[-1]
        previous = finding.completing[-1] if finding.completing else None
        if silence is None or related is None:
            return accepts_all
        # The death that ends every silence is asked no conditions.
        return lambda fact: (
            True if fact.type not in silence.absent else related.hold(finding.anchor, fact, history, previous)
        )
