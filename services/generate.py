"""
Invented facts for tests, demos and benchmarks: plausible careers, reported as untidily as careers are.

Nobody in them exists. The same arguments give the same bytes. Lines come in the order of `recorded`, and only those
of careers under way are held: 80 MB for a million lines about 100,000 people.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from heapq import heappop, heappush
from itertools import accumulate
from random import Random
from typing import Any, Final

from pydantic_core import to_json

from events.errors import BadInput
from events.vocabulary import TRACK_OF

YEARS: Final = 12
"""How far before the end the first career begins."""
CAREER_DAYS: Final = 900
LATE_DAYS: Final = 400
FIRST_YEAR: Final = 1000

# How often things go the untidy way, out of one.
DUPLICATES: Final = 0.015
SPOILT: Final = 0.006
LATE_NEWS: Final = 0.05
LATE_ARRIVALS: Final = 0.04
VAGUE: Final = 0.28
AHEAD: Final = 0.05
CORRECTIONS: Final = 0.026
RETRACTIONS: Final = 0.014
REPLIES: Final = 0.2
DEATHS: Final = 0.01

_DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1)
_GIVEN: Final = ("Alin", "Bero", "Cela", "Daven", "Edra", "Fenn", "Galia", "Horan", "Ilke", "Jorun", "Lora", "Oren")
_STEM: Final = ("Bar", "Cond", "Dol", "Ferr", "Gol", "Hast", "Jar", "Kov", "Lund", "Mard", "Nor", "Ost", "Tam", "Zan")
_ENDING: Final = ("ak", "ane", "eck", "elin", "enko", "iar", "ides", "imov", "ing", "ola", "ori", "ow", "urd")
_REGIONS: Final = tuple(f"{side} Province" for side in ("Northern", "Southern", "Eastern", "Western", "Central"))
_AGENCIES: Final = (
    *("Customs Service", "Road Police", "Ministry of Waters", "Land Registry", "State Forests", "Tax Office"),
    *("Harbour Authority", "Border Guard", "Ministry of Roads", "Prison Service", "Public Housing Fund", "Mint"),
)
_POSTS: Final = ("head", "deputy head", "chief inspector", "head of department", "treasurer", "regional director")
_AUTHORITIES: Final = ("Anti-Corruption Bureau", "Prosecutor's Office", "City Court", "Regional Court")
_CHARGES: Final = ("taking a bribe", "abuse of office", "fraud", "embezzlement", "forgery")
_RELATIONS: Final = ("sibling", "spouse", "parent", "child", "associate", "subordinate", "superior")

# How a source may put a day it does not know well, and how often: {0} the day, {1} one before it, {2} without year.
_FORMS: Final = {
    "{0:.7}": 40,
    "{0}~": 12,
    "{1}/{0}": 12,
    "{0}T10:30:00+05:00": 12,
    "../{0}": 6,
    "{0:.4}": 5,
    "{0:.9}X": 5,
    "{0:.7}?": 5,
    "XXXX{2}": 1,
}

# What may come after what in one career, and how often.
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
_AT_ONCE: Final = frozenset({"Arrested", "Sentenced", "SuspectNamed", "HouseArrested", "SubjectDescribed"})
_AHEAD: Final = frozenset({"Appointed", "Transferred", "Resigned", "Retired", "Removed", "Dismissed", "TrialOpened"})
_CASE_ENDS: Final = frozenset({"AllegationWithdrawn", "ChargesDropped", "Acquitted", "VerdictOverturned", "CaseClosed"})
_CHARGING: Final = frozenset({"SuspectNamed", "Charged", "ChargesAmended", "Indicted"})

Timed = tuple[int, int, bytes]
"""A line and when it is recorded: seconds since 1970, a number that settles ties, the line."""


def generate(  # noqa: PLR0913 - what is wanted of the people
    subjects: int, seed: int, *, first: int = 1, facts_per_subject: int = 10, until: datetime, tidy: bool = False
) -> Iterator[bytes]:
    """
    Yield lines of facts about *subjects* invented people, without their ends, in the order of `recorded`.

    Args:
        subjects: how many people.
        seed: another one gives other facts.
        first: the number of the first of them, from 1 on. Ids are made of it: the same number is the same person.
        facts_per_subject: the mean; an even number of people have exactly so many facts together. Duplicates,
            conflicts and malformed lines come on top: about 2 in 100 lines.
        until: nothing is recorded after it. Aware UTC.
        tidy: leave out malformed lines and conflicts.

    Raises:
        BadInput: if *until* is before the year 1000.
    """
    if until.year < FIRST_YEAR:
        raise BadInput(f"the year {until.year}", f"a year from {FIRST_YEAR} on", "until")
    press = _Press(Random(seed), until, tidy=tidy)  # noqa: S311 - people who do not exist are no secret
    room = press.last_day - press.first_day - CAREER_DAYS - LATE_DAYS
    waiting: list[Timed] = []
    more = 0
    for index in range(subjects):
        more = -more if index % 2 else press.random.randint(0, facts_per_subject // 2)
        start = press.first_day + room * index // subjects
        # Nobody whose career begins later is recorded before it begins.
        while waiting and waiting[0][0] < start * _DAY:
            yield heappop(waiting)[2]
        for line in press.career(first - 1 + index, start, facts_per_subject + more):
            heappush(waiting, line)
    while waiting:
        yield heappop(waiting)[2]


class _Press:
    """What is published of invented people, and when it is recorded. Days and seconds count from 1970."""

    def __init__(self, random: Random, until: datetime, *, tidy: bool) -> None:
        self.random = random
        self.tidy = tidy
        self.last_day = (until.astimezone(UTC).date() - _EPOCH).days - 1
        self.first_day = self.last_day - YEARS * 365
        self.lines = 0
        days = range(self.first_day - LATE_DAYS, self.last_day + LATE_DAYS)
        self._dates = [(_EPOCH + timedelta(days=day)).isoformat() for day in days]

    def career(self, number: int, start: int, facts: int) -> list[Timed]:
        """Return the lines on one person: so many *facts* from the day *start* on, and the untidy ones."""
        person = _Person(number, self.random)
        types = _types(self.random, facts)
        paces = accumulate(self.random.random() * (0.1 if type_ in _AT_ONCE else 1.0) for type_ in types)
        *_, whole = shares = list(paces)
        days = CAREER_DAYS * (0.1 + 0.9 * self.random.random())
        lines: list[Timed] = []
        for type_, share in zip(types, shares, strict=True):
            lines += self._told(person, type_, start + int(days * share / whole))
        return lines

    def _told(self, person: "_Person", type_: str, day: int) -> Iterator[Timed]:
        """Tell of one fact, and now and then once more, otherwise, or in a form that nobody can read."""
        published, recorded = self._known(day)
        event = person.fact(type_, self._occurred(type_, day, published), self._date(published))
        yield self._line(recorded, event)
        chance = self.random.random()
        if chance < DUPLICATES:
            yield self._line(self._later(recorded), event)
        elif chance < DUPLICATES + SPOILT and not self.tidy:
            yield self._spoilt(self._later(recorded), event)

    def _known(self, day: int) -> tuple[int, int]:
        """Return the day on which something of *day* is published, and the second in which it is recorded."""
        random = self.random.random
        published = day + int(random() * 200 if random() < LATE_NEWS else random() ** 3 * 8)
        waits = random() * 190 if random() < LATE_ARRIVALS else random() ** 3 * 2
        return published, int((published + 1 / 3 + waits) * _DAY)

    def _later(self, recorded: int) -> int:
        return min(recorded + int(self.random.random() ** 2 * 20 * _DAY), self.last_day * _DAY)

    def _occurred(self, type_: str, day: int, published: int) -> str:
        """Return *day* as a source may put it; what is announced lies after it was *published*."""
        chance = self.random.random()
        if chance < VAGUE:
            text = self._date(day)
            form = self.random.choices(tuple(_FORMS), tuple(_FORMS.values()))[0]
            return form.format(text, self._date(day - self.random.randint(1, 40)), text[4:])
        ahead = type_ in _AHEAD and chance > 1 - AHEAD
        return self._date(published + self.random.randint(1, 60) if ahead else day)

    def _date(self, day: int) -> str:
        return self._dates[day - self.first_day + LATE_DAYS]

    def _line(self, recorded: int, event: Mapping[str, Any]) -> Timed:
        day, second = divmod(recorded, _DAY)
        stamp = f"{self._date(day)}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
        self.lines += 1
        return recorded, self.lines, to_json({**event, "recorded": stamp})

    def _spoilt(self, recorded: int, event: Mapping[str, Any]) -> Timed:
        """Return a line that nobody can read, or one that says something else under the same id."""
        match self.random.randrange(5):
            case 0:
                recorded, number, line = self._line(recorded, event)
                return recorded, number, line[:-30]
            case 1:
                return self._line(recorded, {**event, "type": "Vanished"})
            case 2:
                return self._line(recorded, {**event, "data": {**event["data"], "rumour": True}})
        return self._line(recorded, {**event, "data": {**event["data"], "note": "Told otherwise."}})


class _Person:
    """One invented person: who they are, and what has been told of them so far."""

    def __init__(self, number: int, random: Random) -> None:
        self.subject = _subject_id(number)
        self.number = number
        self.random = random
        self.name = f"{random.choice(_GIVEN)} {random.choice(_STEM)}{random.choice(_ENDING)}"
        self.place = self._somewhere()
        self.region = random.choice(_REGIONS)
        self.case, self.case_ended = 1, False
        self.told: list[dict[str, Any]] = []

    def fact(self, type_: str, occurred: str, published: str) -> dict[str, Any]:
        """Return the next fact about this person, and remember it."""
        serial = len(self.told) + 1
        source = {
            "url": f"https://news.example/{self.number + 1}/{serial}",
            "reliability": self.random.choice("ABCDEF"),
        }
        event = {
            "type": type_,
            "id": f"{self.subject}-{serial}",
            "source": "urn:casetrail:generated",
            "subject": self.subject,
            "data": {
                "occurred": published if TRACK_OF[type_] == "meta" else occurred,
                "published": published,
                "jurisdiction": "XA",
                "sources": [source],
                **self._particulars(type_),
            },
        }
        self.told.append(event)
        return event

    def _particulars(self, type_: str) -> Mapping[str, Any]:
        match TRACK_OF[type_]:
            case "service":
                return self._service(type_)
            case "case":
                return self._case(type_)
            case "custody":
                scope = {"scope": self.random.choice(("national", "international"))} if type_ == "Wanted" else {}
                return {"case_id": self._case_id(), **scope}
            case "meta":
                return self._about_a_fact(type_)
        return self._about_themselves(type_)

    def _service(self, type_: str) -> Mapping[str, Any]:
        place = {**self.place, "region": self.region}
        if type_ == "Transferred":
            self.place = self._somewhere()
            return place | {f"to_{name}": value for name, value in self.place.items()}
        return place | ({"ground": "loss of trust"} if type_ == "Dismissed" else {})

    def _somewhere(self) -> dict[str, str]:
        return {"post": self.random.choice(_POSTS), "agency": self.random.choice(_AGENCIES)}

    def _case(self, type_: str) -> Mapping[str, Any]:
        if self.case_ended and type_ not in _CASE_ENDS:
            self.case, self.case_ended = self.case + 1, False
        self.case_ended = self.case_ended or type_ in _CASE_ENDS
        data: dict[str, Any] = {"case_id": self._case_id(), "authority": self.random.choice(_AUTHORITIES)}
        match type_:
            case "Accused":
                data["by"] = {"name": f"{self.random.choice(_GIVEN)} {self.random.choice(_STEM)}el"}
            case "Sentenced":
                data["sentence"] = f"{self.random.randint(2, 12)} years of imprisonment"
            case "CaseClosed":
                data["rehabilitating"] = bool(self.random.getrandbits(1))
            case _ if type_ in _CHARGING:
                amount = self.random.randint(1, 500) * 1000
                data["charges"] = [{"title": self.random.choice(_CHARGES), "amount": amount, "currency": "XTS"}]
        return data

    def _case_id(self) -> str:
        return f"{self.subject}-case-{self.case}"

    def _about_themselves(self, type_: str) -> Mapping[str, Any]:
        match type_:
            case "ReplyRecorded":
                return {"fact_id": self.told[-1]["id"], "text": "Denies it."}
            case "SubjectDescribed":
                return {"name": self.name, "aliases": [self.name.upper()], **self.place, "region": self.region}
        other = _subject_id(max(0, self.number - self.random.randint(1, 9)))
        return {"other": other, "relation": self.random.choice(_RELATIONS)}

    def _about_a_fact(self, type_: str) -> Mapping[str, Any]:
        """Say of a date that only the month is known; or take a fact back, a correction first of all."""
        corrections = [event for event in self.told if event["type"] == "Corrected"]
        if type_ == "Retracted":
            target = self.random.choice(corrections or self.told)
            return {"fact_id": target["id"], "reason": "The source took it back."}
        target = self.random.choice([event for event in self.told if TRACK_OF[event["type"]] != "meta"])
        data = {**target["data"], "occurred": target["data"]["published"][:7], "note": "The month only is known."}
        return {"fact_id": target["id"], "data": data}


def _subject_id(number: int) -> str:
    return f"ex-{number + 1:06}"


def _types(random: Random, facts: int) -> list[str]:
    """Return the types of a career of so many *facts*: a walk along the paths, with replies and corrections between."""
    types = [state := "SubjectDescribed"]
    while len(types) < facts:
        chance = random.random()
        if chance < CORRECTIONS + RETRACTIONS:
            types.append("Corrected" if chance < CORRECTIONS else "Retracted")
        elif state == "Accused" and chance > 1 - REPLIES:
            types.append(state := "ReplyRecorded")
        else:
            choices, weights = _NEXT[state]
            types.append(state := random.choices(choices, cum_weights=weights)[0])
    if len(types) > 1 and random.random() < DEATHS:
        types[-1] = "Died"
    return types
