"""Conditions of a rule on the status at its anchor, or from the anchor to a deadline: `when`, `unless`, `still`."""

from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator

from events.vocabulary import TRACKS
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
from projections.subjects.words import Judged, Words

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


class Condition(NamedTuple):
    """
    The answer of one condition.

    Attributes:
        name: the condition: service, custody, wanted, stage, presumption or open_cases.
        wanted: the words of the rule, of which one must be among the actual ones.
        actual: the words of the status.
        holds: whether one is.
    """

    name: str
    wanted: frozenset[str]
    actual: frozenset[str]
    holds: bool


class Conditions(BaseModel):
    """
    Conditions on a status in words. An empty set is a condition that the rule does not state.

    A condition holds if one of its words is a word of any post, hold, search or open case.
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
            raise wrong("no condition is here", WANTED["unless"])
        return self

    @cached_property
    def tracks(self) -> frozenset[str]:
        """The tracks that these conditions read. `Died` is on no list: it touches all tracks."""
        words = (tracks for condition, tracks in TRACKS_READ.items() if getattr(self, condition))
        return frozenset(chain.from_iterable(words))

    @cached_property
    def types(self) -> frozenset[str]:
        """The fact types that can change an answer."""
        return frozenset(chain({"Died"}, *(TRACKS[track] for track in self.tracks)))

    def answers(self, words: Words) -> Iterator[Condition]:
        """Yield the answer of each condition of the rule for a status in *words*."""
        for name, wanted, actual in (
            ("service", self.service, words.service),
            ("custody", self.custody, words.custody),
            ("wanted", self.wanted, words.wanted),
            ("stage", self.stage, words.stage),
            ("presumption", self.presumption, frozenset((words.presumption,))),
        ):
            if wanted:
                yield Condition(name, wanted, actual, not wanted.isdisjoint(actual))
        if self.open_cases is not None:
            low, high = self.open_cases.at_least, self.open_cases.at_most
            bounds = {"at_least": low, "at_most": high}
            wanted = frozenset(f"{name} {number}" for name, number in bounds.items() if number is not None)
            holds = (low is None or words.open_cases >= low) and (high is None or words.open_cases <= high)
            yield Condition("open_cases", wanted, frozenset((str(words.open_cases),)), holds)

    def all_hold(self, words: Words) -> bool:
        """Return whether every condition holds of a status in *words*."""
        return all(answer.holds for answer in self.answers(words))

    def hold_at(self, status: Judged) -> bool:
        """Return whether every condition holds in both judgements of *status*, as `when` asks."""
        return all(map(self.all_hold, status))

    def exempt(self, status: Judged) -> bool:
        """Return whether any condition holds in either judgement of *status*, as `unless` asks."""
        return any(answer.holds for words in status for answer in self.answers(words))
