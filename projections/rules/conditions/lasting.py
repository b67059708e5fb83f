"""The status of a rule with `while`: some words of one kind of part, and the fact types that begin and end it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Final, Self

from pydantic import BaseModel, model_validator

from events.facts import Fact
from events.vocabulary import TRACKS
from projections.history.reports import compatible
from projections.rules.values import (
    LASTING,
    TRACKS_READ,
    WANTED,
    LastingCustody,
    LastingMeasure,
    LastingService,
    StageWords,
    WantedWords,
    wrong,
)
from projections.subjects.spells import PartKind
from projections.tracks.cases import STEPS
from projections.tracks.cell import NO_WORD
from projections.tracks.custody import CUSTODY
from projections.tracks.posts import APPOINTMENTS, ENDS
from projections.tracks.verdicts import EFFECTS

from .status import FROZEN

_STAGES: Final = frozenset(LASTING["stage"])
_ENDED: Final = _STAGES - {*STEPS.values(), "overturned", "convicted", "appeal"}
_SCOPES: Final = frozenset(LASTING["wanted"])
_KINDS: Final = frozenset(LASTING["measure"])
_OVER: Final = frozenset({NO_WORD})
# A decision can end a case. If it names a new charge, it can also open an ended case again, at the stage it had.
_DECISIONS: Final = frozenset({*EFFECTS, "AllegationWithdrawn"})
_END_CASES: Final = _DECISIONS | {"ChargesAmended"}


def _each(types: Mapping[str, str]) -> dict[str, frozenset[str]]:
    return {type_: frozenset({word}) for type_, word in types.items()}


_LEAVES: Final[Mapping[PartKind, Mapping[str, frozenset[str]]]] = {
    "service": {
        **_each(ENDS),
        "Suspended": frozenset({"suspended"}),
        **dict.fromkeys(("SuspensionLifted", "Reinstated", "DismissalAnnulled"), frozenset({"in_office"})),
        **dict.fromkeys(APPOINTMENTS, frozenset({"in_office", "moved"})),
        "Died": frozenset({"deceased", NO_WORD}),
    },
    "custody": {
        **_each(CUSTODY),
        "Extradited": frozenset({"extradited", "released"}),
        # The end of a case ends bail, and from then on other custody in it does not count.
        **dict.fromkeys(_END_CASES, frozenset({"released", NO_WORD})),
        "Died": frozenset({"deceased", NO_WORD}),
    },
    "wanted": {
        "Wanted": _SCOPES,
        "Arrested": _SCOPES | _OVER,
        **dict.fromkeys(("WantedCancelled", "Detained", "Imprisoned", "Extradited", "Died", *_END_CASES), _OVER),
    },
    "stage": {
        **_each(STEPS),
        "ChargesAmended": _ENDED | {"charged"},
        **dict.fromkeys(("MistrialDeclared", "PleaEntered", *_DECISIONS), _STAGES),
        "Died": _OVER,
    },
    "measure": {"MeasureImposed": _KINDS, "MeasureLifted": _OVER, "Died": _OVER},
}
"""The words that a fact of each type can leave a part with. `NO_WORD`: its word is not spoken of any more."""
_KEEP_OTHERS: Final = frozenset({"wanted", "measure"})
"""The parts of which each has one word for ever: a fact that begins one does not change another."""
_TRACKS: Final[Mapping[str, tuple[str, ...]]] = {**TRACKS_READ, "measure": ("measure",)}


class Lasting(BaseModel):
    """
    A status that lasts: some words of one kind of part.

    An empty set is a kind that the rule does not name.
    """

    model_config = FROZEN
    service: LastingService = frozenset()
    custody: LastingCustody = frozenset()
    wanted: WantedWords = frozenset()
    stage: StageWords = frozenset()
    measure: LastingMeasure = frozenset()

    @model_validator(mode="after")
    def _has_one_kind(self) -> Self:
        named = self._named
        if not named:
            raise wrong("while names no status", WANTED["while"])
        if len(named) > 1:
            raise wrong(f"{' and '.join(named)} are in while", WANTED["while"])
        return self

    @property
    def _named(self) -> list[PartKind]:
        return [kind for kind in _LEAVES if getattr(self, kind)]

    @cached_property
    def kind(self) -> PartKind:
        """The kind of the parts."""
        return self._named[0]

    @cached_property
    def words(self) -> frozenset[str]:
        """The words."""
        words: frozenset[str] = getattr(self, self.kind)
        return words

    @cached_property
    def begun_by(self) -> frozenset[str]:
        """The fact types that can begin the status."""
        return frozenset(type_ for type_, left in _LEAVES[self.kind].items() if left & self.words)

    @cached_property
    def ended_by(self) -> frozenset[str]:
        """The fact types that can end the status."""
        keeps = _SCOPES | _KINDS if self.kind in _KEEP_OTHERS else self.words
        return frozenset(type_ for type_, left in _LEAVES[self.kind].items() if left - keeps)

    @cached_property
    def read_types(self) -> frozenset[str]:
        """The fact types that can change the status: facts of one span are read together, whatever their types."""
        return frozenset(type_ for track in _TRACKS[self.kind] for type_ in TRACKS[track]) | {"Died"}

    def can_end(self, fact: Fact, begin: Fact) -> bool:
        """Return whether *fact* is of a type that can end the status, and not about another case than *begin* is."""
        case_ids = begin.data.get("case_id"), fact.data.get("case_id")
        return fact.type in self.ended_by and compatible(*case_ids)
