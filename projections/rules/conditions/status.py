"""Conditions of a rule on the status at its anchor."""

from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, model_validator

from projections.rules.values import (
    TRACKS_READ,
    WANTED,
    Count,
    CustodyWords,
    PresumptionWords,
    ServiceWords,
    StageWords,
    WantedWords,
    wrong,
)
from projections.subjects.status import Point

FROZEN: Final = ConfigDict(frozen=True, extra="forbid")


class CaseCount(BaseModel):
    """A condition on the number of open cases: both ends included, at least one of them stated."""

    model_config = FROZEN
    at_least: Count | None = None
    at_most: Count | None = None

    @model_validator(mode="after")
    def _has_a_figure(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise wrong("open_cases has no figure", WANTED["open_cases"])
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise wrong("at_least is more than at_most", WANTED["open_cases"])
        return self


class Unless(BaseModel):
    """
    Conditions on the status at the anchor. If one of them holds, the rule finds nothing.

    An empty set is a condition that the rule does not state.
    """

    model_config = FROZEN
    service: ServiceWords = frozenset()
    custody: CustodyWords = frozenset()
    wanted: WantedWords = frozenset()
    stage: StageWords = frozenset()
    presumption: PresumptionWords = frozenset()
    open_cases: CaseCount | None = None

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if not self.tracks:
            raise wrong("unless has no condition", WANTED["unless"])
        return self

    @cached_property
    def tracks(self) -> frozenset[str]:
        """The tracks that these conditions read. `Died` is on no list: it touches all tracks."""
        words = (tracks for condition, tracks in TRACKS_READ.items() if getattr(self, condition))
        return frozenset(chain.from_iterable(words))

    def holds(self, point: Point) -> bool:
        """Return whether any condition holds of the status *point*."""
        return any(self._answers(point))

    def _answers(self, point: Point) -> Iterator[bool]:
        for words, actual in (
            (self.service, point.service),
            (self.custody, point.custody),
            (self.wanted, point.wanted),
            (self.stage, point.stage),
            (self.presumption, point.presumption),
        ):
            if words:
                yield actual in words
        if self.open_cases is not None:
            low, high = self.open_cases.at_least, self.open_cases.at_most
            yield (low is None or point.open_cases >= low) and (high is None or point.open_cases <= high)
