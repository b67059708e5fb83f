"""
The protocol of a pattern: a rule finds its pattern in one history, from one anchor.

A pattern is a module of its own with a subclass of `Rule`. Dates are compared as spans, never as points
(docs/design.md, 4).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ValidationInfo, field_validator, model_validator

from events.canonical import canonical
from events.edtf import BEGINNING, LOCAL_DAY_SLACK
from events.facts import Fact
from projections.history.history import History
from projections.history.lookup import events_of, reports_of
from projections.rules.conditions.clauses import Truth
from projections.rules.conditions.relation import Related, applies, types_with
from projections.rules.conditions.status import FROZEN, Conditions
from projections.rules.conditions.where import Where
from projections.rules.files.yaml_source import nearest
from projections.rules.languages import OF_LIMIT, Sentence, language_of, refuse_tokens, texts_of, without_limit
from projections.rules.limits import Applied, Limit, Reading, jurisdictions_of, limits_in
from projections.rules.normal_form import plain
from projections.rules.values import (
    FIELDS,
    TOKEN,
    Enabled,
    FactTypes,
    Id,
    Jurisdictions,
    Once,
    RelatedFields,
    Severity,
    Text,
    wrong,
)
from projections.subjects.anchor_status import status_at
from projections.subjects.fold import Step

Value = Literal["void", "ended", "standing"]
WORDS: Final = frozenset({"title", "why", "wrong_when", "explain", "ended_explain", "retracted_explain", "enabled"})
"""The keys that change no conclusion, and so no version of a rule."""
SENTENCES: Final = ("explain", "ended_explain", "retracted_explain")
NO_FACTS: Final[Mapping[str, Fact]] = {}


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
        ended_by: of an absence that has ended, the first event in world order that ended it.
    """

    anchor: Fact
    value: Value
    opens: datetime | None = None
    completing: tuple[Fact, ...] = ()
    final: bool = False
    deadline: datetime | None = None
    exact: bool = False
    lasting: tuple[Fact, ...] = ()
    ended_by: Fact | None = None


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

    It has more than eight methods: three that every pattern has, two of them also for patterns that read the status,
    and the reading, naming and asking that all share.
    A default, once released, stays. The normal form leaves defaults out, so that a field added later changes neither
    the version of a rule that does not use it nor the meaning of a stored one.
    """

    model_config = FROZEN
    facts: ClassVar[tuple[str, ...]] = ("anchor", "then")
    """The facts of which the sentence may speak. That of an ended pattern may name the follow-up too."""
    words: ClassVar[tuple[str, ...]] = ("name", "subject")
    """The other placeholders of the sentence."""
    across: ClassVar[bool] = False
    """Whether it needs the histories of several people. Then the findings of one person never ask it."""
    refuses: ClassVar[frozenset[str]] = frozenset()
    """The shared keys that this pattern does not take."""
    roles: ClassVar[tuple[str, ...]] = ("anchor", "then")
    """The facts that `where` may name: the anchor and the follow-up."""
    id: Id
    title: Text
    severity: Severity = "notice"
    on: FactTypes
    when: Conditions | None = None
    unless: Conditions | None = None
    once: Once | None = None
    jurisdiction: Jurisdictions = frozenset()
    where: Where | None = None
    same: RelatedFields = frozenset()
    new: RelatedFields = frozenset()
    explain: Sentence
    ended_explain: Sentence | None = None
    retracted_explain: Sentence | None = None
    enabled: Enabled = "true"
    why: Text | None = None
    wrong_when: Text | None = None

    @field_validator("explain", "ended_explain", "retracted_explain")
    @classmethod
    def _placeholders_known(cls, sentence: Sentence | None, info: ValidationInfo) -> Sentence | None:
        # Without `explain`, which has a problem of its own then, nothing is known of the language of the rule.
        language = language_of(info.data.get("explain", sentence or ""))
        texts = dict(texts_of(sentence, language))
        if sentence is not None and language not in texts:
            raise wrong(f"no sentence in {language} is here, the language of explain", f"{language}: a sentence")
        for own, text in texts.items():
            names, facts = cls.tokens(info.field_name or "", info.data, text)
            words = [f"{{{word}}}" for word in names]
            known = [*words, *(f"{{{fact}.{field}}}" for fact in facts for field in FIELDS), *OF_LIMIT]
            wanted = ", ".join([*words, f"{{{cls.facts[0]}.occurred}}"])
            tokens = [(index, token) for index, token in enumerate(TOKEN.findall(text)) if token not in known]
            what = "{} is not a placeholder here"
            strange = {index: (what.format(token), nearest(token, known, wanted)) for index, token in tokens}
            refuse_tokens(sentence, own, strange)
        return sentence

    @field_validator("where")
    @classmethod
    def _roles_known(cls, where: Where | None) -> Where | None:
        return where if where is None else where.require_roles(cls.roles)

    @classmethod
    def tokens(cls, key: str, read: Mapping[str, Any], text: str) -> tuple[Sequence[str], Sequence[str]]:
        """Return the words, and the names of facts, of which the sentence *text* of *key* may speak."""
        # A retracted pattern has no follow-up any more. A pattern that ended may name the one that ended it.
        facts = ["anchor"] if key == "retracted_explain" else [*cls.facts_named(read, text)]
        return cls.words, [*facts, "then"] if key == "ended_explain" else facts

    @classmethod
    def facts_named(cls, read: Mapping[str, Any], text: str) -> Sequence[str]:
        """Return the names of the facts of which the sentence *text* may speak, by the fields *read* so far."""
        del read, text
        return cls.facts

    def facts_told(self, finding: Finding) -> Mapping[str, Fact]:
        """Return the facts of *finding* that the sentence calls by another name than anchor and then."""
        del finding
        return NO_FACTS

    @property
    def waits(self) -> bool:
        """Whether time alone can change an answer. Its alerts open once the watermark is past the instant."""
        return False

    @property
    def ends_when_cleared(self) -> bool:
        """Whether a pattern that stands counts as ended while the person is cleared."""
        return False

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """Return the keys that such a rule takes, as they are written."""
        fields = cls.model_fields.items()
        return tuple(f.alias or name for name, f in fields if not f.exclude and name not in cls.refuses)

    @model_validator(mode="after")
    def _has_the_limit_that_it_names(self) -> Self:
        # Asked last: only then is it known whether any of the durations is a limit.
        for key in () if self.limits else SENTENCES:
            sentence = getattr(self, key)
            for language, text in texts_of(sentence, self.language):
                refuse_tokens(sentence, language, without_limit(text), key)
        return self

    def normal(self) -> dict[str, Any]:
        """Return the rule as plain JSON values: lists sorted, tracks expanded, durations in seconds, no defaults."""
        return {key: plain(value) for key, value in self.model_dump(by_alias=True, exclude_defaults=True).items()}

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change when, and only when, the rule can conclude something else."""
        meaning = {key: value for key, value in self.normal().items() if key not in WORDS}
        return hashlib.sha256(canonical(meaning)).hexdigest()[:12]

    @cached_property
    def language(self) -> str:
        """The language of the sentences that the alerts themselves have."""
        return language_of(self.explain)

    @property
    def is_trial(self) -> bool:
        """Whether its alerts are shown apart, and told to nobody."""
        return self.enabled == "trial"

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that the rule takes, in the order of its keys."""
        return tuple(limits_in(getattr(self, name) for name in type(self).model_fields))

    @property
    def reading(self) -> Reading:
        """The reading of a limit."""
        return "longest"

    @cached_property
    def readings(self) -> tuple[tuple[Limit, Reading], ...]:
        """Each limit that the rule takes, with its reading. The sentence names the first."""
        return tuple((limit, self.reading) for limit in self.limits)

    @cached_property
    def follow(self) -> frozenset[str]:
        """The fact types that change the answer by their place after an anchor."""
        raise NotImplementedError

    @cached_property
    def types(self) -> frozenset[str]:
        """The fact types that can change the answer by their arrival. Corrections concern the type they correct."""
        return self.on | self.extended_by | {"Died"} | self.judged_by | self.read_before

    @cached_property
    def extended_by(self) -> frozenset[str]:
        """The fact types of which a fact at the end of the world order can change a finding that is not final."""
        return self.follow

    @cached_property
    def judged_by(self) -> frozenset[str]:
        """The fact types that can change the status at an anchor, if a condition reads it."""
        conditions = (one for one in (self.when, self.unless) if one)
        return frozenset[str]().union(*(one.types for one in conditions))

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
            fact: of a type in `extended_by`.
            history: the facts that count, *fact* included.
        """
        raise NotImplementedError

    def find_in(self, anchor: Fact, step: Step) -> Finding:
        """Return the finding from *anchor*; for a pattern that reads the status too."""
        return self.find(anchor, step.history)

    def extend_in(self, finding: Finding, fact: Fact, step: Step) -> Finding:
        """Return the finding once *fact* is at the end; for a pattern that reads the status too."""
        return self.extend(finding, fact, step.history)

    def visible_at(self, finding: Finding, history: History, clock: datetime) -> Visible:
        """Return the value that an alert may state at *clock* of *finding*, which is not void."""
        del history, clock
        return Visible(finding, finding.value)

    def look(
        self, before: Sequence[Finding] | None, step: Step, clock: datetime
    ) -> tuple[tuple[Finding, ...], list[Visible]]:
        """
        Return the findings that facts at the end can still change, and those that may differ from *before*.

        With `once`, the answer of one anchor depends on those of all others: it returns all findings both times.

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
            if last.type in self.extended_by:
                findings = [one if one.final else self.extend_in(one, last, step) for one in before]
                changed = [now for now, was in zip(findings, before, strict=True) if now is not was]
            if last.type in self.on:
                new = self._found(last, step)
                findings.append(new)
                changed.append(new)
        if self.once:
            changed = findings
        visible = [
            Visible(finding, "void") if finding.value == "void" else self.visible_at(finding, history, clock)
            for finding in changed
        ]
        return tuple([finding for finding in findings if self.once or not finding.final]), visible

    def _found(self, anchor: Fact, step: Step) -> Finding:
        if not self._is_concerned(anchor, step) or not applies(self.where, self.jurisdiction, anchor, step.history):
            return Finding(anchor, "void", final=True)
        return self.find_in(anchor, step)

    @cached_property
    def is_conditional(self) -> bool:
        """Whether a follow-up must fulfil conditions: `where`, `same` or `new`."""
        return self.where is not None or bool(self.same) or bool(self.new)

    def _is_concerned(self, anchor: Fact, step: Step) -> bool:
        """Return whether the status at *anchor* is one of which the rule speaks."""
        if self.when is None and self.unless is None:
            return True
        status = status_at(anchor, step, self.judged_by)
        return (self.when is None or self.when.hold_at(status)) and not (self.unless and self.unless.exempt(status))

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
        return next((_applied(limit, anchor, history, reading) for limit, reading in self.readings), None)

    def limit_without_value(self, anchor: Fact, history: History) -> Limit | None:
        """Return the first limit that has no value for *anchor*, so that the rule finds nothing; None: each has one."""
        missing = (limit for limit, reading in self.readings if _applied(limit, anchor, history, reading) is None)
        return next(missing, None)

    def accepts(self, anchor: Fact, follow: Fact, history: History) -> Truth:
        """Return whether *follow* fulfils the conditions, by one report of its event and one of *anchor*."""
        return self._of_follow.hold(anchor, follow, history)

    @cached_property
    def _of_follow(self) -> Related:
        return Related(self.where, self.same, self.new, self.roles[1:])


def earliest_end(anchor: Fact) -> datetime | None:
    """Return an instant before which every fact has ended that cannot be after *anchor*; None: there is none."""
    earliest = anchor.occurred.earliest
    if earliest is None or earliest - BEGINNING < LOCAL_DAY_SLACK:
        return None
    return earliest - LOCAL_DAY_SLACK


def _applied(limit: Limit, anchor: Fact, history: History, reading: Reading) -> Applied | None:
    return limit.applied(anchor.occurred, jurisdictions_of(reports_of(history, anchor)), reading)
