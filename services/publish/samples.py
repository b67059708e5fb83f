"""
Invented facts for tests, demos and benchmarks: plausible careers, and reports as untidy as real ones.

The people in them do not exist. The same arguments give the same bytes. Lines come in the order of `recorded`. Only
the lines of careers that are under way are in memory: 80 MB for a million lines about 100,000 people. Three lives in
four are plain. The fourth has several posts, counts, cases, holds, searches, measures, and reports of one event
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

from .sample_lives import Step, involved, plain
from .sample_people import Person

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
"""The share of involved lives in the longer half of the lives: one life in four."""

_DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1)

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

Timed = tuple[int, int, bytes]
"""A line and its time: the second of `recorded` since 1970, a number that decides between equal seconds, the line."""


def generate(  # noqa: PLR0913 - the properties of the people
    subjects: int, seed: int, *, first: int = 1, facts_per_subject: int = 10, until: datetime, tidy: bool = False
) -> Iterator[bytes]:
    """
    Yield lines of facts about *subjects* invented people, without line ends, in the order of `recorded`.

    Args:
        subjects: the number of people.
        seed: another seed yields other facts.
        first: the number of the first person, from 1 on. Ids are made of it: the same number is the same person.
        facts_per_subject: the mean; it is exact for an even number of people. Duplicates,
            conflicts and malformed lines come on top: about 2 in 100 lines.
        until: nothing is recorded after it. Aware UTC.
        tidy: leave out malformed lines and conflicts.

    Raises:
        BadInput: if *until* is before the year 1000.
    """
    if until.year < FIRST_YEAR:
        raise BadInput(f"the year {until.year}", f"a year from {FIRST_YEAR} on", "until")
    random = Random(seed)  # noqa: S311 - people who do not exist are no secret
    press = _Press(random, _Calendar(random, until), tidy=tidy)
    first_day = press.calendar.first_day
    room = press.calendar.last_day - first_day - CAREER_DAYS - LATE_DAYS
    waiting: list[Timed] = []
    more = 0
    for index in range(subjects):
        more = -more if index % 2 else random.randint(0, facts_per_subject // 2)
        facts = facts_per_subject + more
        is_involved = not index % 2 and random.random() < INVOLVED
        steps = involved(random, facts) if is_involved else plain(random, facts)
        start = first_day + room * index // subjects
        # The people that follow have no line before this start, so the earlier lines can go out.
        while waiting and waiting[0][0] < start * _DAY:
            yield heappop(waiting)[2]
        for line in press.career(first - 1 + index, start, steps):
            heappush(waiting, line)
    while waiting:
        yield heappop(waiting)[2]


class _Press:
    """The press: its reports on invented people. Days and seconds count from 1970."""

    def __init__(self, random: Random, calendar: "_Calendar", *, tidy: bool) -> None:
        self.random = random
        self.calendar = calendar
        self.tidy = tidy
        self.lines = 0

    def career(self, number: int, start: int, steps: Sequence[Step]) -> list[Timed]:
        """Return the lines on one person: a fact for each of *steps* from the day *start* on, and the untidy ones."""
        person = Person(number, self.random)
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

    def _reported(self, person: Person, step: Step, day: int) -> Iterator[Timed]:
        """Yield the line of one fact, and sometimes a second one: the same, another content, or a malformed line."""
        calendar = self.calendar
        published, recorded = calendar.published(day)
        event = person.fact(step, calendar.occurred(step.type, day, published), calendar.date(published))
        yield self._line(recorded, event)
        chance = self.random.random()
        if chance < DUPLICATES:
            yield self._line(calendar.later(recorded), event)
        elif chance < DUPLICATES + SPOILT and not self.tidy:
            yield self._spoilt(calendar.later(recorded), event)

    def _line(self, recorded: int, event: Mapping[str, Any]) -> Timed:
        self.lines += 1
        return recorded, self.lines, to_json({**event, "recorded": self.calendar.stamp(recorded)})

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


class _Calendar:
    """The days of the samples, and the time from an event to its publication and its record."""

    def __init__(self, random: Random, until: datetime) -> None:
        self.random = random
        self.last_day = (until.astimezone(UTC).date() - _EPOCH).days - 1
        self.first_day = self.last_day - YEARS * 365
        days = range(self.first_day - LATE_DAYS, self.last_day + LATE_DAYS)
        self._dates = [(_EPOCH + timedelta(days=day)).isoformat() for day in days]

    def published(self, day: int) -> tuple[int, int]:
        """Return the day on which an event of *day* is published, and the second in which it is recorded."""
        random = self.random.random
        published = day + int(random() * 200 if random() < LATE_NEWS else random() ** 3 * 8)
        waits = random() * 190 if random() < LATE_ARRIVALS else random() ** 3 * 2
        return published, int((published + 1 / 3 + waits) * _DAY)

    def later(self, recorded: int) -> int:
        """Return a second up to 20 days after *recorded*, and not after the last day."""
        return min(recorded + int(self.random.random() ** 2 * 20 * _DAY), self.last_day * _DAY)

    def occurred(self, type_: str, day: int, published: int) -> str:
        """Return *day* in the form of a source; an announced day is after the day on which it was *published*."""
        chance = self.random.random()
        if chance < VAGUE:
            text = self.date(day)
            form = self.random.choices(tuple(_FORMS), tuple(_FORMS.values()))[0]
            return form.format(text, self.date(day - self.random.randint(1, 40)), text[4:])
        ahead = type_ in _AHEAD and chance > 1 - AHEAD
        return self.date(published + self.random.randint(1, 60) if ahead else day)

    def date(self, day: int) -> str:
        """Return *day* as a date of EDTF."""
        return self._dates[day - self.first_day + LATE_DAYS]

    def stamp(self, recorded: int) -> str:
        """Return a second as the text of `recorded`."""
        day, second = divmod(recorded, _DAY)
        return f"{self.date(day)}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
