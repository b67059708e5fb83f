"""
The patterns across people: many people in one group (`count`), and a follow-up about another person (`of`).

They need the histories of several people, so the findings of one person never ask them. `projections.across` judges
them, from the anchors that these models return.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, Final, Protocol

from pydantic import BaseModel, ValidationInfo, field_validator

from events.edtf import Span
from events.facts import Fact
from events.vocabulary import TRACKS
from projections.history.history import History
from projections.rules.conditions.status import FROZEN
from projections.rules.conditions.where import Where
from projections.rules.limits import Applied, Length, Reading, jurisdictions_of
from projections.rules.values import Certainty, Distinct, GroupField, People, Relations, wrong
from projections.subjects.relations import RELATING

from .pattern import Finding, Rule
from .sequence import SequenceRule, is_certain, is_possible

BY: Final = "by"
"""The word of `of` for the person that the anchor's `by.subject_id` names."""
_OF_ONE_PERSON: Final = ("still", "once")
"""The keys that speak of one person's history."""


class Completing(Protocol):
    """A fact that may complete a count: its time, and the jurisdictions that select the limit."""

    @property
    def occurred(self) -> Span:
        """The time of the event."""

    @property
    def jurisdictions(self) -> Collection[str]:
        """The jurisdictions with a law for it."""


class CountOf(BaseModel):
    """The number of different people, the group in which they are counted, and the time."""

    model_config = FROZEN
    distinct: Distinct
    at_least: People
    by: GroupField
    within: Length


class CountRule(Rule):
    """Facts about several people of one group within a time."""

    across: ClassVar[bool] = True
    facts: ClassVar[tuple[str, ...]] = ("first", "last")
    words: ClassVar[tuple[str, ...]] = ("count", "group")
    roles: ClassVar[tuple[str, ...]] = ("anchor",)
    refuses: ClassVar[frozenset[str]] = frozenset({"same", "new", *_OF_ONE_PERSON})
    count: CountOf
    certainty: Certainty = "certain"

    @field_validator("same", "new", *_OF_ONE_PERSON, mode="before", check_fields=False)
    @classmethod
    def _refused(cls, value: object, info: ValidationInfo) -> object:
        del value
        raise wrong(f"{info.field_name} is in a rule that counts", f"the rule without {info.field_name}")

    @field_validator("where")
    @classmethod
    def _compares_nothing(cls, where: Where | None) -> Where | None:
        if where is not None and where.compares:
            raise wrong("same and new compare with a follow-up, and count has none", "paths of anchor alone")
        return where

    @classmethod
    def tokens(cls, key: str, read: Mapping[str, Any], text: str) -> tuple[Sequence[str], Sequence[str]]:
        """Return the words and facts of each sentence: that of a retracted alert quotes the last one."""
        del key, read, text
        return cls.words, cls.facts

    @cached_property
    def follow(self) -> frozenset[str]:
        """No type: a fact that counts is an anchor."""
        return frozenset()

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that can change a contribution: also those that change the group of a person."""
        placing = frozenset() if self.count.by == "case_id" else frozenset({*TRACKS["service"], "SubjectDescribed"})
        return super().types | placing

    @property
    def reading(self) -> Reading:
        """The reading of a limit: a certain rule takes the shortest, a possible one the longest there is."""
        return "shortest" if self.certainty == "certain" else "possible"

    @cached_property
    def longest(self) -> timedelta:
        """The longest time within which the rule counts, in any jurisdiction and at any date."""
        within = self.count.within
        return within if isinstance(within, timedelta) else max(entry.upper for entry in within.entries)

    def limit_of(self, completing: Completing) -> Applied | None:
        """Return the value of the limit for a fact that may complete a count; None if it has none."""
        if isinstance(self.count.within, timedelta):
            return None
        return self.count.within.applied(completing.occurred, completing.jurisdictions, self.reading)

    def within_of(self, completing: Completing) -> timedelta | None:
        """Return the time within which people are counted up to a fact; None: its law knows none."""
        if isinstance(self.count.within, timedelta):
            return self.count.within
        applied = self.limit_of(completing)
        return applied and applied.value

    def find(self, anchor: Fact, history: History) -> Finding:
        """Return that *anchor* counts: no condition of the rule exempts it."""
        del history
        return Finding(anchor, "standing", final=True)


class OfRule(SequenceRule):
    """A fact followed by one of `then` about another person: a relation of `of`, or the one named in `by`."""

    across: ClassVar[bool] = True
    words: ClassVar[tuple[str, ...]] = ("name", "subject", "then.name", "then.relation")
    refuses: ClassVar[frozenset[str]] = frozenset({"new", *_OF_ONE_PERSON})
    of: Relations

    @field_validator("new", *_OF_ONE_PERSON, mode="before", check_fields=False)
    @classmethod
    def _refused(cls, value: object, info: ValidationInfo) -> object:
        del value
        raise wrong(f"{info.field_name} is in a rule with of", f"the rule without {info.field_name}")

    @field_validator("where")
    @classmethod
    def _nothing_new(cls, where: Where | None) -> Where | None:
        if where is not None and where.all_new:
            raise wrong("new speaks of one history, and of of two", "the alternative without new")
        return where

    @classmethod
    def tokens(cls, key: str, read: Mapping[str, Any], text: str) -> tuple[Sequence[str], Sequence[str]]:
        """Return the words and facts of a sentence: that of a retracted alert names nobody but the subject."""
        words, facts = super().tokens(key, read, text)
        return tuple(word for word in words if word.partition(".")[0] in {"name", "subject", *facts}), facts

    @property
    def is_by(self) -> bool:
        """Whether the follow-up is about the person that the anchor names in `by`."""
        return self.of == {BY}

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that can change an answer: also the facts that relate people."""
        return super().types if self.is_by else super().types | RELATING

    def in_time(self, anchor: Fact, follow: Fact, within: timedelta) -> bool:
        """Return whether *follow* is after *anchor* and within the time, as the certainty of the rule asks."""
        return (is_certain if self.certainty == "certain" else is_possible)(anchor, follow, within)

    def within_of(self, anchor: Fact, reports: Iterable[Fact]) -> timedelta:
        """Return the time in which a follow-up counts after *anchor*, an event with *reports* that has such a time."""
        if isinstance(self.within, timedelta):
            return self.within
        applied = self.within.applied(anchor.occurred, jurisdictions_of(reports), self.reading)
        assert applied is not None, "nothing starts from an anchor without a value"
        return applied.value

    def find(self, anchor: Fact, history: History) -> Finding:
        """Return whether a pattern can start from *anchor*, which no condition exempts: its limit needs a value."""
        is_timed = self.length(self.within, anchor, history, self.reading) is not None
        return Finding(anchor, "standing" if is_timed else "void", final=True)
