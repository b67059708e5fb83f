"""
The protocol of a pattern: a rule finds its pattern in one history, from one anchor.

A pattern is a module of its own with a subclass of `Rule`. Dates are compared as spans, never as points
(docs/design.md, 4).
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, field_validator, model_validator
from pydantic_core import PydanticCustomError

from events.canonical import canonical
from events.edtf import BEGINNING, LOCAL_DAY_SLACK
from events.facts import Fact
from events.vocabulary import TRACKS
from projections.history.history import History
from projections.history.lookup import events_of, reports_of
from projections.rules.conditions.clauses import Truth
from projections.rules.conditions.relation import Related, applies, types_with
from projections.rules.conditions.status import FROZEN, Unless
from projections.rules.conditions.where import Where
from projections.rules.files.yaml_source import nearest
from projections.rules.limits import Applied, Limit, Reading, limits_in
from projections.rules.values import FIELDS, TOKEN, FactTypes, Id, Jurisdictions, RelatedFields, Severity, Text
from projections.subjects.fold import Step

Value = Literal["void", "ended", "standing"]
OF_LIMIT: Final = ("{limit.value}", "{limit.source}")
"""The placeholders that a sentence may hold only where its rule has a limit."""


class Finding(NamedTuple):
    """
    The result of a rule for one anchor, whatever the clock.

    Attributes:
        anchor: the fact from which the pattern starts.
        value: *void*: there is no pattern; *standing*: it is there; *ended*: a silence is over.
        opens: the earliest instant at which an alert may open on it; None: at once.
        completing: the facts that complete the pattern, in world order; empty for an absence.
        final: whether no fact at the end of the world order can change this finding.
        deadline: of an absence, the instant up to which a follow-up prevents the alert.
        exact: whether the deadline counts from a date-time, and not from a day of some place.
        lasting: of the facts that complete a sequence, those that no later fact has ended.
    """

    anchor: Fact
    value: Value
    opens: datetime | None = None
    completing: tuple[Fact, ...] = ()
    final: bool = False
    deadline: datetime | None = None
    exact: bool = False
    lasting: tuple[Fact, ...] = ()


class Visible(NamedTuple):
    """
    A finding, and the value that an alert may state at an instant of the log's clock.

    Attributes:
        finding: the finding.
        value: its value at that instant.
        due: the next instant at which that value changes if no fact arrives; None: never.
    """

    finding: Finding
    value: Value
    due: datetime | None = None


class Rule(BaseModel):
    """
    The parts that all patterns share, and the protocol: `follow`, `find`, `extend` and `visible_at`.

    It has more than eight methods: three that every pattern has, and the reading, naming and asking that all share.
    A default, once released, stays. The normal form leaves defaults out, so that a field added later changes neither
    the version of a rule that does not use it nor the meaning of a stored one.
    """

    model_config = FROZEN
    facts: ClassVar[tuple[str, ...]] = ("anchor", "then")
    """The facts of which the sentence may speak."""
    roles: ClassVar[tuple[str, ...]] = ("anchor", "then")
    """The facts that `where` may name: the anchor and the follow-up."""
    waits: ClassVar[bool] = False
    """Whether time alone can change an answer. Its alerts open once the watermark is past the instant."""
    ends_when_cleared: ClassVar[bool] = False
    """Whether a pattern that stands counts as ended while the person is cleared."""
    id: Id
    title: Text
    severity: Severity = "notice"
    on: FactTypes
    unless: Unless | None = None
    jurisdiction: Jurisdictions = frozenset()
    where: Where | None = None
    same: RelatedFields = frozenset()
    new: RelatedFields = frozenset()
    explain: Text
    why: Text | None = None
    wrong_when: Text | None = None

    @field_validator("explain")
    @classmethod
    def _placeholders_known(cls, text: str) -> str:
        known = ["{name}", "{subject}", *(f"{{{fact}.{field}}}" for fact in cls.facts for field in FIELDS)]
        known += OF_LIMIT
        strange = {
            index: (f"{token} is not a placeholder here", nearest(token, known, "{name}, {subject}, {anchor.occurred}"))
            for index, token in enumerate(TOKEN.findall(text))
            if token not in known
        }
        if strange:
            raise PydanticCustomError("placeholder", "unknown placeholders: {strange}", {"strange": strange})
        return text

    @field_validator("where")
    @classmethod
    def _roles_known(cls, where: Where | None) -> Where | None:
        return where if where is None else where.require_roles(cls.roles)

    @model_validator(mode="after")
    def _has_the_limit_that_it_names(self) -> Self:
        # Asked last: only then is it known whether any of the durations is a limit.
        if self.limits:
            return self
        strange = {
            index: (f"{token} stands in a rule without a limit", "a limit, such as for: {limit: NAME}")
            for index, token in enumerate(TOKEN.findall(self.explain))
            if token in OF_LIMIT
        }
        if strange:
            raise PydanticCustomError(
                "placeholder", "unknown placeholders: {strange}", {"strange": strange, "at": "explain"}
            )
        return self

    def normal(self) -> dict[str, Any]:
        """Return the rule as plain JSON values: lists sorted, tracks expanded, durations in seconds, no defaults."""
        return {key: _plain(value) for key, value in self.model_dump(by_alias=True, exclude_defaults=True).items()}

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change when, and only when, the rule states something else."""
        return hashlib.sha256(canonical(self.normal())).hexdigest()[:12]

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that the rule takes, in the order of its keys."""
        return tuple(limits_in(getattr(self, name) for name in type(self).model_fields))

    @property
    def reading(self) -> Reading:
        """The reading of the limit that a sentence names."""
        return "longest"

    @cached_property
    def follow(self) -> frozenset[str]:
        """The fact types that change the answer by their place after an anchor."""
        raise NotImplementedError

    @cached_property
    def types(self) -> frozenset[str]:
        """The fact types that can change the answer by their arrival. Corrections concern the type they correct."""
        tracks = self.unless.tracks if self.unless else frozenset()
        of_tracks = {kind for track in tracks for kind in TRACKS[track]}
        return self.on | self.follow | {"Died"} | of_tracks | self.read_before

    @cached_property
    def read_before(self) -> frozenset[str]:
        """The fact types that `new` reads: each can have had a value before the anchor."""
        names = self.new | (self.where.all_new if self.where else frozenset())
        return types_with(names) if names else frozenset()

    def find(self, anchor: Fact, history: History) -> Finding:
        """
        Return the finding from *anchor*, which no condition exempts.

        Args:
            anchor: a fact that counts, of a type from which the rule starts.
            history: the facts that count.
        """
        raise NotImplementedError

    def extend(self, finding: Finding, fact: Fact, history: History) -> Finding:
        """
        Return the finding once *fact* is at the end of the world order; *finding* itself if it changes nothing.

        Args:
            finding: the one before, and not final.
            fact: of a type in `follow`.
            history: the facts that count, *fact* included.
        """
        raise NotImplementedError

    def visible_at(self, finding: Finding, history: History, clock: datetime) -> Visible:
        """Return the value that an alert may state at *clock* of *finding*, which is not void."""
        del history, clock
        return Visible(finding, finding.value)

    def look(
        self, before: Sequence[Finding] | None, step: Step, clock: datetime
    ) -> tuple[tuple[Finding, ...], list[Visible]]:
        """
        Return the findings that facts at the end can still change, and those that may differ from *before*.

        Args:
            before: the findings that were kept; None: look at every anchor.
            step: the history, its status, and the fact that arrived at the end of the world order, if one did.
            clock: the instant of the log's clock.
        """
        history, last = step.history, step.last
        if before is None:
            anchors = events_of(history, self.on)
            if not anchors:
                return (), []
            findings = changed = [self._found(anchor, step) for anchor in anchors]
        elif last is None:
            findings = changed = [*before]
        else:
            findings, changed = [*before], []
            if last.type in self.follow:
                findings = [self.extend(finding, last, history) for finding in before]
                changed = [now for now, was in zip(findings, before, strict=True) if now is not was]
            if last.type in self.on:
                new = self._found(last, step)
                findings.append(new)
                changed.append(new)
        visible = [
            Visible(finding, "void") if finding.value == "void" else self.visible_at(finding, history, clock)
            for finding in changed
        ]
        return tuple([finding for finding in findings if not finding.final]), visible

    def _found(self, anchor: Fact, step: Step) -> Finding:
        exempt = self.unless is not None and self.unless.holds(step.status.before[anchor.id])
        if exempt or not applies(self.where, self.jurisdiction, anchor, step.history):
            return Finding(anchor, "void", final=True)
        return self.find(anchor, step.history)

    @cached_property
    def is_conditional(self) -> bool:
        """Whether a follow-up must fulfil conditions: `where`, `same` or `new`."""
        return self.where is not None or bool(self.same) or bool(self.new)

    def length(
        self, duration: timedelta | Limit, anchor: Fact, history: History, reading: Reading = "longest"
    ) -> timedelta | None:
        """
        Return *duration* for *anchor*; None if it is a limit that has no value there, so that nothing may be said.

        Args:
            duration: a duration of the rule.
            anchor: the anchor of the rule, for each step too.
            history: the facts that count.
            reading: the value to take where a limit has several.
        """
        if isinstance(duration, timedelta):
            return duration
        applied = _applied(duration, anchor, history, reading)
        return None if applied is None else applied.value

    def limit_at(self, anchor: Fact, history: History) -> Applied | None:
        """Return the value and the source of the first limit of the rule, as *anchor* selects them."""
        return _applied(self.limits[0], anchor, history, self.reading) if self.limits else None

    def accepts(self, anchor: Fact, follow: Fact, history: History) -> Truth:
        """Return whether *follow* fulfils the conditions, by one report of its event and one of *anchor*."""
        conditions = Related(self.where, self.same, self.new, self.roles[1])
        return conditions.hold(anchor, follow, history)


def earliest_end(anchor: Fact) -> datetime | None:
    """Return an instant before which every fact has ended that cannot be after *anchor*; None: there is none."""
    earliest = anchor.occurred.earliest
    if earliest is None or earliest - BEGINNING < LOCAL_DAY_SLACK:
        return None
    return earliest - LOCAL_DAY_SLACK


def _applied(limit: Limit, anchor: Fact, history: History, reading: Reading) -> Applied | None:
    named = (report.data.get("jurisdiction") for report in reports_of(history, anchor))
    return limit.applied(anchor.occurred, {str(place) for place in named if place}, reading)


def _plain(value: object) -> object:
    match value:
        case frozenset():
            return sorted(value)
        case tuple():
            return [_plain(held) for held in value]
        case date():
            return value.isoformat()
        case timedelta():
            return int(value.total_seconds())
        case dict():
            return {key: _plain(held) for key, held in value.items()}
        case _:
            return value
