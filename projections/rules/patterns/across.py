"""
The patterns across people: many people in one group (`count`), and a follow-up about another person (`of`).

They need the histories of several people, so the findings of one person never ask them. `projections.across` judges
them, from the anchors that these models return.
"""

from functools import cached_property
from typing import ClassVar, Final

from pydantic import BaseModel, ValidationInfo, field_validator

from events.facts import Fact
from events.vocabulary import TRACKS
from projections.history.history import History
from projections.rules.conditions.status import FROZEN
from projections.rules.conditions.where import Where
from projections.rules.values import Certainty, Distinct, GroupField, People, Relations, Wait, wrong
from projections.subjects.relations import RELATING

from .pattern import Finding, Rule
from .sequence import SequenceRule

BY: Final = "by"
"""The word of `of` for the person that the anchor's `by.subject_id` names."""
_OF_ONE_PERSON: Final = ("still", "once", "ended_explain", "retracted_explain")
"""The keys that speak of one person's history and of the end of its alerts."""


class CountOf(BaseModel):
    """The number of different people, the group in which they are counted, and the time."""

    model_config = FROZEN
    distinct: Distinct
    at_least: People
    by: GroupField
    within: Wait


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

    @cached_property
    def follow(self) -> frozenset[str]:
        """No type: a fact that counts is an anchor."""
        return frozenset()

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that can change a contribution: also those that change the group of a person."""
        placing = frozenset() if self.count.by == "case_id" else frozenset({*TRACKS["service"], "SubjectDescribed"})
        return super().types | placing

    def find(self, anchor: Fact, history: History) -> Finding:
        """Return that *anchor* counts: no condition of the rule exempts it."""
        del history
        return Finding(anchor, "standing", final=True)


class OfRule(SequenceRule):
    """A fact followed by one of `then` about another person: a relation of `of`, or the one named in `by`."""

    across: ClassVar[bool] = True
    words: ClassVar[tuple[str, ...]] = ("name", "subject", "then.name", "then.relation")
    refuses: ClassVar[frozenset[str]] = frozenset({"new", *_OF_ONE_PERSON})
    within: Wait
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

    @property
    def is_by(self) -> bool:
        """Whether the follow-up is about the person that the anchor names in `by`."""
        return self.of == {BY}

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that can change an answer: also the facts that relate people."""
        return super().types if self.is_by else super().types | RELATING

    def find(self, anchor: Fact, history: History) -> Finding:
        """Return that a pattern can start from *anchor*: no condition of the rule exempts it."""
        del history
        return Finding(anchor, "standing", final=True)
