"""
Invented facts for tests, demos and benchmarks: plausible careers, reported as untidily as careers are.

Nobody in them exists. The same arguments give the same bytes. Lines come in the order of `recorded`, and only those
of careers under way are held: 80 MB for a million lines about 100,000 people. Three lives in four are plain. The
fourth has several posts, counts, cases, holds, searches, measures, and reports of one event
(`services.publish.sample_lives`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from heapq import heappop, heappush
from itertools import accumulate
from random import Random
from typing import Any, Final

from pydantic_core import to_json

from events.errors import BadInput
from events.vocabulary import TRACK_OF

from .sample_lives import Step, involved, plain

YEARS: Final = 12
"""The years between the beginning of the first career and the end."""
CAREER_DAYS: Final = 900
LATE_DAYS: Final = 400
FIRST_YEAR: Final = 1000

# The shares of untidy things, out of one.
DUPLICATES: Final = 0.015
SPOILT: Final = 0.006
LATE_NEWS: Final = 0.05
LATE_ARRIVALS: Final = 0.04
VAGUE: Final = 0.28
AHEAD: Final = 0.05
INVOLVED: Final = 0.5
"""Of the longer half of the lives, those that are involved: one life in four."""

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

# The forms of a day that a source does not know well, with weights: {0} the day, {1} one before it, {2} without year.
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

_AT_ONCE: Final = frozenset({"Arrested", "Sentenced", "SuspectNamed", "HouseArrested", "SubjectDescribed"})
_AHEAD: Final = frozenset({"Appointed", "Transferred", "Resigned", "Retired", "Removed", "Dismissed", "TrialOpened"})
_CASE_ENDS: Final = frozenset({"AllegationWithdrawn", "ChargesDropped", "Acquitted", "VerdictOverturned", "CaseClosed"})
_CHARGING: Final = frozenset({"SuspectNamed", "Charged", "ChargesAmended", "Indicted"})

_OFTEN_UNSAID: Final = frozenset({"after", "authority", "ground", "place", "region"})
SAME_AGENCY: Final = 2

Timed = tuple[int, int, bytes]
"""A line and when it is recorded: seconds since 1970, a number that settles ties, the line."""


def generate(  # noqa: PLR0913 - the properties of the people
    subjects: int, seed: int, *, first: int = 1, facts_per_subject: int = 10, until: datetime, tidy: bool = False
) -> Iterator[bytes]:
    """
    Yield lines of facts about *subjects* invented people, without their ends, in the order of `recorded`.

    Args:
        subjects: the number of people.
        seed: another one gives other facts.
        first: the number of the first of them, from 1 on. Ids are made of it: the same number is the same person.
        facts_per_subject: the mean; it is exact for an even number of people. Duplicates,
            conflicts and malformed lines are added to them: about 2 in 100 lines.
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
        facts = facts_per_subject + more
        is_involved = not index % 2 and press.random.random() < INVOLVED
        steps = involved(press.random, facts) if is_involved else plain(press.random, facts)
        start = press.first_day + room * index // subjects
        # Nobody whose career begins later is recorded before it begins.
        while waiting and waiting[0][0] < start * _DAY:
            yield heappop(waiting)[2]
        for line in press.career(first - 1 + index, start, steps):
            heappush(waiting, line)
    while waiting:
        yield heappop(waiting)[2]


class _Press:
    """The press: its reports on invented people, and the time they are recorded. Days and seconds count from 1970."""

    def __init__(self, random: Random, until: datetime, *, tidy: bool) -> None:
        self.random = random
        self.tidy = tidy
        self.last_day = (until.astimezone(UTC).date() - _EPOCH).days - 1
        self.first_day = self.last_day - YEARS * 365
        self.lines = 0
        days = range(self.first_day - LATE_DAYS, self.last_day + LATE_DAYS)
        self._dates = [(_EPOCH + timedelta(days=day)).isoformat() for day in days]

    def career(self, number: int, start: int, steps: Sequence[Step]) -> list[Timed]:
        """Return the lines on one person: a fact for each of *steps* from the day *start* on, and the untidy ones."""
        person = _Person(number, self.random)
        paces = accumulate(self._pace(step) for step in steps)
        *_, whole = shares = list(paces)
        days = CAREER_DAYS * (0.1 + 0.9 * self.random.random())
        lines: list[Timed] = []
        for step, share in zip(steps, shares, strict=True):
            lines += self._reported(person, step, start + int(days * share / whole))
        return lines

    def _pace(self, step: Step) -> float:
        if step.then or step.again:
            return 0.0
        return self.random.random() * (0.1 if step.type in _AT_ONCE else 1.0)

    def _reported(self, person: "_Person", step: Step, day: int) -> Iterator[Timed]:
        """Yield the line of one fact, and sometimes a second one: the same, another content, or a malformed line."""
        published, recorded = self._known(day)
        event = person.fact(step, self._occurred(step.type, day, published), self._date(published))
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
        """Return *day* as a source may put it; an announced day lies after it was *published*."""
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
        """Return a malformed line, or one with other content under the same id."""
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
    """One invented person, and the facts about them so far."""

    def __init__(self, number: int, random: Random) -> None:
        self.subject = _subject_id(number)
        self.number = number
        self.random = random
        self.name = f"{random.choice(_GIVEN)} {random.choice(_STEM)}{random.choice(_ENDING)}"
        self.place: Mapping[str, str] = self._somewhere()
        self.region = random.choice(_REGIONS)
        self.case, self.case_named, self.case_ended = 1, False, False
        self.facts: list[dict[str, Any]] = []
        self.event: Mapping[str, Any] = {}
        self.posts: dict[int, Mapping[str, str]] = {}
        self.charges: dict[int, Mapping[str, Any]] = {}

    def fact(self, step: Step, occurred: str, published: str) -> dict[str, Any]:
        """Return the next fact about this person, and remember it."""
        serial = len(self.facts) + 1
        source = {
            "url": f"https://news.example/{self.number + 1}/{serial}",
            "reliability": self.random.choice("ABCDEF"),
        }
        data = {
            "occurred": published if TRACK_OF[step.type] == "meta" else occurred,
            "published": published,
            "jurisdiction": "XA",
            "sources": [source],
        }
        event = {
            "type": step.type,
            "id": f"{self.subject}-{serial}",
            "source": "urn:casetrail:generated",
            "subject": self.subject,
            "data": data,
        }
        if step.plain:
            data |= self._particulars(step.type)
        elif step.again:
            event["data"] = self._again(data)
        else:
            self._act(step, data)
            self.event = event
        self.facts.append(event)
        return event

    def _again(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return *data* as another paper's report of the last event: its own day and source, and fewer particulars."""
        event = self.event["data"]
        kept = {name: value for name, value in event.items() if name not in _OFTEN_UNSAID}
        paper = {**data["sources"][0], "publisher": "The Second Paper"}
        return {**kept, "occurred": data["occurred"], "published": data["published"], "sources": [paper]}

    def _act(self, step: Step, data: dict[str, Any]) -> None:
        """Add to *data* the particulars of a step of a scene."""
        if step.opens and self.case_named:
            self.case, self.case_named = self.case + 1, False
            self.charges.clear()
        self.case_ended = False
        post = {} if step.post is None else self._post(step.post)
        data |= self._particulars(step.type)
        data |= post
        if step.to_post is not None:
            self.place = self._post(step.to_post)
            data |= {f"to_{name}": value for name, value in self.place.items()}
        if step.counts:
            data["charges"] = [self._charge(count) for count in step.counts]
        if step.second:
            data["case_id"] += "-b"
        if step.until:
            data["until"] = f"{int(data['published'][:4]) + 1}{data['published'][4:7]}"
        if step.then:
            data |= {"occurred": self.event["data"]["occurred"], "after": [self.event["id"]]}
        if step.type == "MeasureLifted" and "kind" not in step.data:
            data["fact_id"] = self.event["id"]
        data |= step.data
        for name in step.unsaid:
            del data[name]

    def _post(self, number: int) -> Mapping[str, str]:
        """Return the post *number* of this person: 0 the first, 2 one in the agency of the first, others anywhere."""
        if number == 0:
            return self.place
        if number not in self.posts:
            agency = {"agency": self.place["agency"]} if number == SAME_AGENCY else {}
            self.posts[number] = {**self._somewhere(), **agency, "post_id": f"{self.subject}-post-{number}"}
        return self.posts[number]

    def _charge(self, number: int) -> Mapping[str, Any]:
        """Return the charge *number* of the case."""
        if number not in self.charges:
            self.charges[number] = {"count_id": str(number), "article": f"{180 + number}", **self._offence()}
        return self.charges[number]

    def _offence(self) -> dict[str, Any]:
        amount = self.random.randint(1, 500) * 1000
        return {"title": self.random.choice(_CHARGES), "amount": amount, "currency": "XTS"}

    def _particulars(self, type_: str) -> Mapping[str, Any]:
        match TRACK_OF[type_]:
            case "service":
                return self._service(type_)
            case "case":
                return self._case(type_)
            case "custody":
                scope = {"scope": self.random.choice(("national", "international"))} if type_ == "Wanted" else {}
                return {"case_id": self._case_id(), **scope}
            case "measure":
                return {"case_id": self._case_id(), "authority": self.random.choice(_AUTHORITIES)}
            case "meta":
                return self._about_a_fact(type_)
        return self._about_the_person(type_)

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
                data["charges"] = [self._offence()]
        return data

    def _case_id(self) -> str:
        self.case_named = True
        return f"{self.subject}-case-{self.case}"

    def _about_the_person(self, type_: str) -> Mapping[str, Any]:
        match type_:
            case "Noted":
                return {}
            case "ReplyRecorded":
                return {"fact_id": self.facts[-1]["id"], "text": "Denies it."}
            case "SubjectDescribed":
                return {"name": self.name, "aliases": [self.name.upper()], **self.place, "region": self.region}
        other = _subject_id(max(0, self.number - self.random.randint(1, 9)))
        return {"other": other, "relation": self.random.choice(_RELATIONS)}

    def _about_a_fact(self, type_: str) -> Mapping[str, Any]:
        """Correct a date to its month; or retract a fact, a correction if there is one."""
        corrections = [event for event in self.facts if event["type"] == "Corrected"]
        if type_ == "Retracted":
            target = self.random.choice(corrections or self.facts)
            return {"fact_id": target["id"], "reason": "The source took it back."}
        target = self.random.choice([event for event in self.facts if TRACK_OF[event["type"]] != "meta"])
        data = {**target["data"], "occurred": target["data"]["published"][:7], "note": "The month only is known."}
        return {"fact_id": target["id"], "data": data}


def _subject_id(number: int) -> str:
    return f"ex-{number + 1:06}"
