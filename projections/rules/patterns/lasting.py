"""The pattern of a status that lasts: a part of a person keeps one of some words for a time (docs/design.md, 4.3)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from events.edtf import later, possibly_before
from events.facts import Fact
from projections.history.history import History
from projections.rules.conditions.lasting import Lasting
from projections.rules.conditions.where import Where
from projections.rules.limits import Delay, Length
from projections.rules.values import FactTypes, RelatedFields, wrong
from projections.subjects.fold import Step
from projections.subjects.spells import spells_of

from .deadline import is_in_time, visible_in_time
from .pattern import Finding, Rule, Value, Visible


class LastingRule(Rule):
    """
    A status that lasts for the time `wait` (`for` in the file), in one post, hold, search, case or measure.

    The anchor is the event that began it. `on` is not written in the file: it is made of the types that can begin it.
    """

    facts: ClassVar[tuple[str, ...]] = ("anchor",)
    roles: ClassVar[tuple[str, ...]] = ("anchor",)
    waits: ClassVar[bool] = True
    on: FactTypes = Field(default=frozenset(), exclude=True)
    same: RelatedFields = Field(default=frozenset(), exclude=True)
    new: RelatedFields = Field(default=frozenset(), exclude=True)
    status: Lasting = Field(alias="while")
    wait: Length = Field(alias="for")
    settle: Delay = timedelta(0)

    @field_validator("on", "same", "new", mode="before")
    @classmethod
    def _refused(cls, value: object, info: ValidationInfo) -> object:
        del value
        if info.field_name == "on":
            raise wrong("on stands beside while", "while alone: the rule starts from the event that began the status")
        raise wrong(f"{info.field_name} stands beside while", "a rule with a follow-up, or no such key")

    @field_validator("where")
    @classmethod
    def _compares_nothing(cls, where: Where | None) -> Where | None:
        if where is not None and where.compares:
            raise wrong("same or new is in this where", "conditions on the anchor alone: nothing follows it")
        return where

    @model_validator(mode="after")
    def _starts_from_the_status(self) -> Self:
        # The model is frozen for its users, and this is still a part of its making.
        self.__dict__["on"] = self.status.begun_by
        return self

    @cached_property
    def follow(self) -> frozenset[str]:
        """The fact types that begin or end the status."""
        return self.status.begun_by | self.status.ended_by

    @cached_property
    def types(self) -> frozenset[str]:
        """The fact types that can change the answer by their arrival."""
        return super().types | self.status.read_types

    def find_in(self, anchor: Fact, step: Step) -> Finding:
        """Return the status that *anchor* began; of several parts, one in which it lasts decides."""
        unplaced = step.status.unplaced
        spells = spells_of(step.status, self.status.kind, self.status.words).get(anchor.id, ())
        wait, settle = (self.length(time, anchor, step.history) for time in (self.wait, self.settle))
        if not spells or anchor.id in unplaced or wait is None or settle is None:
            return Finding(anchor, "void", final=True)
        deadline, exact = later(anchor.occurred.latest, wait), anchor.occurred.latest_exact
        # A fact of which nobody knows whether it ended the status is an end in each part.
        maybe = [fact for fact in unplaced.values() if self._may_end(fact, anchor)]
        parts = [[*maybe, *filter(None, [spell.end])] for spell in spells]
        values = [_value(ends, deadline, exact=exact) for ends in parts]
        value: Value = "standing" if "standing" in values else "ended" if "ended" in values else "void"
        opens = later(deadline, settle)
        place = step.history.place
        # The alert stands until the last part that outlived the deadline ends. An earlier end did not end it.
        lasted = [min(ends, key=place) for ends, one in zip(parts, values, strict=True) if one == "ended"]
        ended_by = max(lasted, key=place) if value == "ended" else None
        return Finding(anchor, value, opens, final=value == "void", deadline=deadline, exact=exact, ended_by=ended_by)

    def extend_in(self, finding: Finding, fact: Fact, step: Step) -> Finding:
        """Return the status once *fact* is at the end of the world order."""
        del fact
        after = self.find_in(finding.anchor, step)
        return finding if after == finding else after

    def visible_at(self, finding: Finding, history: History, clock: datetime) -> Visible:
        """
        Return the value that an alert may state at *clock* of *finding*, which is not void.

        A status is not said to last before its time, nor while an undated fact may have ended it.
        """
        return visible_in_time(finding, clock, (self.status.can_end(fact, finding.anchor) for fact in history.undated))

    def _may_end(self, fact: Fact, anchor: Fact) -> bool:
        return self.status.can_end(fact, anchor) and possibly_before(anchor.occurred, fact.occurred)


def _value(ends: Iterable[Fact], deadline: datetime, *, exact: bool) -> Value:
    """Return the value of a status in one part, after the events that ended it or may have ended it."""
    value: Value = "standing"
    for end in ends:
        if is_in_time(end, deadline, exact=exact):
            return "void"
        value = "ended"
    return value
