"""
The facts of invented lives and their order: plain careers, and scenes with several posts, cases or holds.

A plain career is a walk along paths from one type of fact to the next. It has one post and one case at a time. An
involved life is a row of scenes. They contain several posts, counts, cases, holds, searches and measures, and reports
of one event by several papers.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate
from random import Random
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from events.vocabulary import TRACK_OF

# Shares, out of one.
CORRECTIONS: Final = 0.026
RETRACTIONS: Final = 0.014
REPLIES: Final = 0.2
DEATHS: Final = 0.01
INVOLVED_DEATHS: Final = 0.06
REPORTS: Final = 0.15
"""The share of events in scenes that a second paper reports."""

AGREEING: Final = frozenset({"service", "case", "custody", "measure"})
"""The tracks on which several reports can agree on one event."""


class Step(NamedTuple):
    """
    One fact of a life before it has a day and a person.

    Attributes:
        type: its type.
        data: the fields that are the same for every person.
        post: the number of the post that it names, for a person with several posts.
        to_post: the number of the post that a transfer leads to.
        counts: the numbers of the charges that it names, from 1 on.
        second: whether it belongs to the second case of its scene.
        omitted: fields that its source leaves out.
        until: whether it names an end, a year later.
        then: whether its source says that it followed the step before, on the same day.
        opens: whether the next case of the person begins with it.
        again: whether it is another paper's report of the event before it.
        plain: whether it belongs to a plain career, with one post and one case at a time.
    """

    type: str
    data: Mapping[str, Any] = MappingProxyType({})
    post: int | None = None
    to_post: int | None = None
    counts: tuple[int, ...] = ()
    second: bool = False
    omitted: tuple[str, ...] = ()
    until: bool = False
    then: bool = False
    opens: bool = False
    again: bool = False
    plain: bool = False


Scene = tuple[Step, ...]

# The types that may follow each type in a plain career, with their weights.
_PATHS: Final = {
    "SubjectDescribed": "Appointed 8 Accused 1 Dismissed 1",
    "Appointed": "Transferred 3 Suspended 2 Accused 3 Dismissed 2 Resigned 1 Removed 1 Retired 1 RelationAsserted 1",
    "Transferred": "Transferred 1 Suspended 2 Accused 3 Dismissed 2 Removed 1 LeftOffice 1",
    "Suspended": "SuspensionLifted 2 Dismissed 3 InvestigationOpened 3",
    "SuspensionLifted": "Transferred 2 Accused 2 Dismissed 1",
    "Resigned": "Appointed 1 Accused 2 InvestigationOpened 2",
    "Retired": "Accused 2 InvestigationOpened 1 SubjectDescribed 1",
    "Removed": "Appointed 1 Dismissed 1 InvestigationOpened 2",
    "Dismissed": "Accused 2 InvestigationOpened 2 Detained 2 Wanted 1 Reinstated 1 DismissalAnnulled 1 Appointed 1",
    "LeftOffice": "Accused 1 InvestigationOpened 1 Appointed 1",
    "Reinstated": "Transferred 2 Accused 1 Retired 1",
    "DismissalAnnulled": "Transferred 2 Accused 1 Resigned 1",
    "Accused": "AllegationWithdrawn 1 MaterialsReferred 3 Suspended 2 InvestigationOpened 2 Dismissed 2",
    "AllegationWithdrawn": "Transferred 2 Accused 1 Retired 1",
    "MaterialsReferred": "InvestigationOpened 4 Suspended 1",
    "InvestigationOpened": "SuspectNamed 3 Detained 3 InvestigationSuspended 1 CaseClosed 1 Dismissed 1 Wanted 1",
    "InvestigationSuspended": "InvestigationResumed 3 CaseClosed 1",
    "InvestigationResumed": "SuspectNamed 3 CaseClosed 1",
    "SuspectNamed": "Charged 3 Detained 3 Wanted 1",
    "Charged": "ChargesAmended 1 Indicted 3 ChargesDropped 1 Dismissed 1",
    "ChargesAmended": "Indicted 1",
    "ChargesDropped": "Released 1 Reinstated 1 Accused 1",
    "Indicted": "TrialOpened 1",
    "TrialOpened": "Convicted 3 Acquitted 1",
    "Convicted": "Sentenced 1",
    "Sentenced": "AppealFiled 2 VerdictFinal 1",
    "Acquitted": "Released 1 Reinstated 1 DismissalAnnulled 1",
    "AppealFiled": "VerdictUpheld 3 VerdictOverturned 1",
    "VerdictUpheld": "VerdictFinal 1",
    "VerdictOverturned": "Released 1 Reinstated 1",
    "VerdictFinal": "Imprisoned 4 Pardoned 1 Amnestied 1",
    "CaseClosed": "Reinstated 1 Accused 1 Appointed 1",
    "Amnestied": "Released 1 Accused 1",
    "Pardoned": "Released 1 Accused 1",
    "Wanted": "Detained 3 WantedCancelled 1 ExtraditionRequested 1",
    "WantedCancelled": "CaseClosed 1 Detained 1",
    "ExtraditionRequested": "Extradited 1",
    "Extradited": "Arrested 1",
    "Detained": "Arrested 3 HouseArrested 1 Released 2 Dismissed 1",
    "Arrested": "Charged 3 Bailed 1",
    "HouseArrested": "Charged 1",
    "Bailed": "Charged 1",
    "Released": "Charged 1 CaseClosed 1 Appointed 1",
    "Imprisoned": "SentenceServed 2 Amnestied 1 Pardoned 1",
    "SentenceServed": "Appointed 1 Accused 1",
    "RelationAsserted": "RelationWithdrawn 1 Accused 2 Transferred 2",
    "RelationWithdrawn": "Accused 1 Dismissed 1 Transferred 1",
    "ReplyRecorded": "Suspended 1 InvestigationOpened 2 Dismissed 1 AllegationWithdrawn 1",
}
_NEXT: Final = {
    type_: (tuple(path.split()[::2]), tuple(accumulate(map(int, path.split()[1::2])))) for type_, path in _PATHS.items()
}
_PLAIN: Final = {type_: Step(type_, plain=True) for type_ in TRACK_OF}
_AGAIN: Final = {type_: Step(type_, again=True) for type_ in TRACK_OF}

_PRISON: Final = {
    "sentence": "six years of imprisonment and a ban from office",
    "parts": [{"kind": "imprisonment", "term": "P6Y"}, {"kind": "disqualification", "term": "P3Y"}],
}
_SUSPENDED: Final = {
    "sentence": "two years, suspended, and a fine",
    "parts": [
        {"kind": "suspended_imprisonment", "term": "P2Y"},
        {"kind": "fine", "amount": 5000, "currency": "XTS"},
    ],
}
_HALVED: Final = {"sentence": "three years of imprisonment", "parts": [{"kind": "imprisonment", "term": "P3Y"}]}
_IMPEACHED: Final = {"title": "the council voted for impeachment", "text": "21 of 30 were for it.", "classes": ["vote"]}
_SEARCHED: Final = {"title": "the house was searched", "classes": ["search"]}
_DISCIPLINARY: Final = {"kind": "disciplinary", "authority": "Disciplinary Board"}

_SCENES: Final[tuple[Scene, ...]] = (
    (  # two posts side by side, one of them acting at first, and only one of them ends
        Step("Appointed", {"acting": True}, post=0),
        Step("Elected", {"concurrent": True}, post=1),
        Step("Appointed", {"acting": False}, post=0),
        Step("Suspended", post=1, until=True),
        Step("TermEnded", post=1),
    ),
    (  # one post after another in one agency, the second lost and the first called former
        Step("Appointed", post=0),
        Step("Appointed", post=2),
        Step("Suspended", post=2, until=True),
        Step("SuspensionLifted", post=2),
        Step("Removed", {"ground": "a breach of duty"}, post=2),
        Step("LeftOffice", post=0, omitted=("agency",)),
    ),
    (  # dismissed from one of two posts, and back in it
        Step("Elected", post=1),
        Step("Appointed", {"concurrent": True}, post=0),
        Step("Dismissed", {"ground": "loss of trust"}, post=0),
        Step("DismissalAnnulled", post=0),
        Step("Reinstated", post=0),
        Step("Transferred", post=0, to_post=3),
        Step("Resigned", post=1, omitted=("region",)),
    ),
    (  # a split verdict, and the prosecution appeals
        Step("Charged", counts=(1, 2, 3), opens=True),
        Step("PleaEntered", {"plea": "not_guilty"}),
        Step("TrialOpened"),
        Step("Convicted", counts=(1, 2)),
        Step("Acquitted", counts=(3,), then=True),
        Step("Sentenced", _PRISON),
        Step("AppealFiled", {"by": "prosecution"}, counts=(3,)),
        Step("VerdictUpheld", {"final": True}),
        Step("Imprisoned"),
        Step("Paroled"),
    ),
    (  # a mistrial, a retrial, and a verdict that was set aside
        Step("Indicted", counts=(1, 2), opens=True),
        Step("MistrialDeclared"),
        Step("TrialOpened", {"in_absentia": True}),
        Step("Convicted", {"in_absentia": True}, counts=(1,)),
        Step("ChargesDropped", {"rehabilitating": False, "ground": "too long ago"}, counts=(2,)),
        Step("AppealFiled", {"by": "defence"}),
        Step("VerdictOverturned", {"outcome": "remitted"}),
        Step("Acquitted", {"final": True}, counts=(1,)),
    ),
    (  # a plea, a refused review, a milder sentence, and a pardon that was annulled
        Step("Charged", counts=(1, 2), opens=True),
        Step("PleaEntered", {"plea": "guilty", "bargain": True}),
        Step("Convicted", {"final": True}),
        Step("Sentenced", _PRISON, then=True),
        Step("ReviewRequested"),
        Step("ReviewRefused"),
        Step("SentenceChanged", _HALVED),
        Step("Pardoned", {"scope": "full"}),
        Step("PardonAnnulled"),
    ),
    (  # a milder sentence by pardon, and an amnesty in another case
        Step("Convicted", counts=(1, 2), opens=True),
        Step("Sentenced", _SUSPENDED),
        Step("Indicted", counts=(1,), second=True),
        Step("VerdictFinal"),
        Step("Pardoned", {"scope": "partial"}),
        Step("Amnestied", second=True),
    ),
    (  # held in two cases at once, and released in one of them
        Step("Detained", until=True, opens=True),
        Step("Charged", counts=(1,)),
        Step("Arrested", second=True, until=True),
        Step("Released"),
        Step("HouseArrested", second=True, until=True),
        Step("Bailed", {"amount": 20_000, "currency": "XTS", "conditions": "not to leave the city"}, second=True),
        Step("CaseClosed", {"rehabilitating": True, "ground": "no crime"}, second=True),
    ),
    (  # detained, released and detained again on one day
        Step("Detained", omitted=("case_id",), opens=True),
        Step("Released", omitted=("case_id",), then=True),
        Step("Detained", then=True),
        Step("Noted", _SEARCHED),
        Step("SuspectNamed", counts=(1, 2)),
        Step("Arrested", until=True),
    ),
    (  # two searches, by two countries
        Step("Wanted", {"scope": "national"}, opens=True),
        Step("Wanted", {"scope": "international", "jurisdiction": "XB"}, second=True),
        Step("Arrested", {"in_absentia": True}),
        Step("ExtraditionRequested"),
        Step("ExtraditionRefused", {"jurisdiction": "XC"}),
        Step("WantedCancelled", {"scope": "international", "jurisdiction": "XB"}, second=True),
        Step("Extradited"),
        Step("Detained"),
    ),
    (  # three measures, two of them lifted
        Step("MeasureImposed", {"kind": "travel_ban"}, opens=True),
        Step("MeasureImposed", {"kind": "sanction", "title": "listing", "program": "officials"}, omitted=("case_id",)),
        Step("MeasureLifted", {"kind": "travel_ban"}, omitted=("authority",)),
        Step("Noted", _IMPEACHED),
        Step("MeasureImposed", {"kind": "asset_freeze", "title": "freezing of accounts"}, until=True),
        Step("MeasureLifted"),
    ),
    (  # a disciplinary case beside a civil one
        Step("InvestigationOpened", _DISCIPLINARY, opens=True),
        Step("Accused", {"kind": "civil"}, counts=(1,), second=True),
        Step("Charged", _DISCIPLINARY, counts=(2,)),
        Step("Convicted", _DISCIPLINARY, counts=(2,)),
        Step("Removed", {"ground": "decision of the board"}, post=0, then=True),
        Step("AllegationWithdrawn", {"kind": "civil"}, second=True),
    ),
    (  # charges that were replaced, beside an administrative case
        Step("MaterialsReferred", {"kind": "administrative"}, second=True, opens=True),
        Step("Charged", counts=(1, 2)),
        Step("ChargesAmended", counts=(1, 3)),
        Step("InvestigationSuspended", {"kind": "administrative"}, second=True),
        Step("Indicted", counts=(1, 3)),
        Step("CaseClosed", {"kind": "administrative", "rehabilitating": False}, second=True),
    ),
)


def plain(random: Random, facts: int) -> list[Step]:
    """Return a plain career of *facts* steps: a walk along the paths, with replies and corrections among them."""
    steps = [_PLAIN[state := "SubjectDescribed"]]
    while len(steps) < facts:
        chance = random.random()
        if chance < CORRECTIONS + RETRACTIONS:
            steps.append(_about_a_fact(chance))
            continue
        if state == "Accused" and chance > 1 - REPLIES:
            state = "ReplyRecorded"
        else:
            choices, weights = _NEXT[state]
            state = random.choices(choices, cum_weights=weights)[0]
        steps.append(_PLAIN[state])
    return _ended(random, steps, DEATHS)


def involved(random: Random, facts: int) -> list[Step]:
    """
    Return a life of *facts* steps in scenes, with second reports and corrections among them.

    The last scene may be incomplete.
    """
    steps = [_PLAIN["SubjectDescribed"]]
    while len(steps) < facts:
        steps += _reported(random, random.choice(_SCENES))
    return _ended(random, steps[:facts], INVOLVED_DEATHS)


def _reported(random: Random, scene: Scene) -> Iterator[Step]:
    for step in scene:
        yield step
        chance = random.random()
        if chance < CORRECTIONS + RETRACTIONS:
            yield _about_a_fact(chance)
        elif chance > 1 - REPORTS and TRACK_OF[step.type] in AGREEING:
            yield _AGAIN[step.type]


def _about_a_fact(chance: float) -> Step:
    return _PLAIN["Corrected" if chance < CORRECTIONS else "Retracted"]


def _ended(random: Random, steps: list[Step], deaths: float) -> list[Step]:
    """Return *steps*; in a share of lives, the last step is replaced by a death."""
    if len(steps) > 1 and random.random() < deaths:
        steps[-1] = _PLAIN["Died"]
    return steps
