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

    def holds(self, number: int) -> bool:
        """Return whether *number* lies within both ends."""
        return (self.at_least is None or number >= self.at_least) and (self.at_most is None or number <= self.at_most)


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
        dead = frozenset({"deceased"})
        read = {name: tracks for name, tracks in TRACKS_READ.items() if getattr(self, name) not in {None, dead}}
        tracks = chain.from_iterable(read[name] for name in read if getattr(self, name))
        return frozenset(chain({"Died"}, *(TRACKS[track] for track in tracks)))

    def answers(self, words: Words) -> Iterator[Condition]:
        """Yield the answer of each condition of the rule for a status in *words*."""
        for name, wanted in self._stated:
            actual: frozenset[str] = getattr(words, name)
            yield Condition(name, wanted, actual, not wanted.isdisjoint(actual))
        if self.open_cases is not None:
            bounds = self.open_cases.model_dump(exclude_none=True)
            wanted = frozenset(f"{name} {number}" for name, number in bounds.items())
            actual = frozenset((str(words.open_cases),))
            yield Condition("open_cases", wanted, actual, self.open_cases.holds(words.open_cases))

    def hold_at(self, status: Judged) -> bool:
        """Return whether every condition holds in both judgements of *status*, as `when` asks."""
        return all(map(self.all_hold, {*status}))

    def exempt(self, status: Judged) -> bool:
        """Return whether any condition holds in either judgement of *status*, as `unless` asks."""
        return any(map(self._any_holds, {*status}))

    def all_hold(self, words: Words) -> bool:
        """Return whether every condition holds of a status in *words*, as `still` asks."""
        if any(wanted.isdisjoint(getattr(words, name)) for name, wanted in self._stated):
            return False
        return self.open_cases is None or self.open_cases.holds(words.open_cases)

    def _any_holds(self, words: Words) -> bool:
        if any(not wanted.isdisjoint(getattr(words, name)) for name, wanted in self._stated):
            return True
        return self.open_cases is not None and self.open_cases.holds(words.open_cases)

    @cached_property
    def _stated(self) -> tuple[tuple[str, frozenset[str]], ...]:
        """The conditions in words that the rule states, by name. Each rule asks them of every anchor."""
        names = ("service", "custody", "wanted", "stage", "presumption")
        return tuple((name, wanted) for name in names if (wanted := getattr(self, name)))
