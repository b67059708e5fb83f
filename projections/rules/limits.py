"""
Limits: lengths of time that a law sets, by jurisdiction and date (docs/rules.md, Limits).

A rule holds the entries of its limits in full. So the ledger does too, and a changed table is a changed rule.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from events.edtf import BEGINNING, END_OF_TIME, LOCAL_DAY_SLACK, Span
from events.facts import Fact
from events.text import quote_briefly
from projections.rules.files.yaml_source import nearest
from projections.rules.values import Id, Place, Text, Wait, bounded, duration, positive, wrong

Reading = Literal["longest", "shortest", "possible"]
"""
The value to apply where several can.

*longest* and *shortest* need a value for each jurisdiction and each instant that the anchor can have. *possible* is the
longest of the values that are there.
"""
TABLE: Final = "limits"
"""The key of the table in the context of a validation. Without it, a limit is read with its entries."""

_DAY: Final = timedelta(days=1)
_IN_HOURS: Final = 3 * _DAY
_LIMIT_WANTED: Final = "{limit: NAME}, with a name of the table of limits"
WANTED_OF_ENTRY: Final = {
    "name": "small letters and digits with single hyphens between, such as detention",
    "jurisdiction": "a country, such as KZ",
    "from": "the first day in force, such as 2018-03-01",
    "until": "the last day in force, such as 2018-02-28",
    "value": "weeks, days, hours, minutes and seconds, such as PT48H or P31D",
    "longest": "the longest that an exception of the law allows, such as PT72H",
    "source": "the law and its article",
}


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        day = None
    if day is None or day.isoformat() != value:
        raise wrong(f"{quote_briefly(value)} is not a day", WANTED_OF_ENTRY["from"])
    return day


def _no_limit_inside(value: object) -> object:
    if isinstance(value, dict) and "limit" in value:
        raise wrong("a limit of a limit is here", f"a duration, since a limit cannot name one: {_EXAMPLES}")
    return value


_EXAMPLES: Final = WANTED_OF_ENTRY["value"]
_Day = Annotated[date, BeforeValidator(_day)]
_Value = Annotated[Wait, BeforeValidator(_no_limit_inside)]


class LimitEntry(BaseModel):
    """
    One value of a limit: a length, the jurisdiction and the days in which it is in force, and its law.

    Attributes:
        jurisdiction: the jurisdiction, compared without regard to case.
        since: the first day in force (`from` in the file).
        until: the last day in force; None: it is still in force.
        value: the length.
        longest: the length that exceptions of the law allow; None: there are none.
        source: the law.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    jurisdiction: Place
    since: _Day = Field(alias="from")
    until: _Day | None = None
    value: _Value
    longest: _Value | None = None
    source: Text

    @field_validator("until")
    @classmethod
    def _ends_after_its_start(cls, until: date | None, info: ValidationInfo) -> date | None:
        since = info.data.get("since")
        if until is not None and since is not None and until < since:
            raise wrong(f"until {until} lies before from {since}", f"{since} or a later day, the last day in force")
        return until

    @field_validator("longest")
    @classmethod
    def _is_the_longest(cls, longest: timedelta | None, info: ValidationInfo) -> timedelta | None:
        value = info.data.get("value")
        if longest is not None and value is not None and longest < value:
            raise wrong("longest is shorter than value", "as long as value or longer, or no longest")
        return longest

    @cached_property
    def place(self) -> str:
        """The jurisdiction as it is compared."""
        return self.jurisdiction.casefold()

    @cached_property
    def start(self) -> datetime:
        """The instant at which the first day begins, in UTC."""
        return datetime.combine(self.since, time(), UTC)

    @cached_property
    def end(self) -> datetime:
        """The instant at which the last day has ended, in UTC; the end of time where it is still in force."""
        if self.until is None or self.until == date.max:
            return END_OF_TIME
        return datetime.combine(self.until + _DAY, time(), UTC)

    @property
    def upper(self) -> timedelta:
        """The length with every exception."""
        return self.value if self.longest is None else self.longest

    def overlaps(self, other: Self) -> bool:
        """Return whether both are of one jurisdiction and in force on a common day."""
        return self.place == other.place and self.start < other.end and other.start < self.end


class Applied(NamedTuple):
    """The value of a limit that an anchor selects, and its law."""

    value: timedelta
    source: str


class Limit(BaseModel):
    """A limit with all entries of its name, in the order of jurisdictions and days."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Id = Field(alias="limit")
    entries: tuple[LimitEntry, ...]

    @field_validator("entries")
    @classmethod
    def _in_order(cls, entries: tuple[LimitEntry, ...]) -> tuple[LimitEntry, ...]:
        return tuple(sorted(entries, key=lambda entry: (entry.place, entry.since)))

    @cached_property
    def places(self) -> Mapping[str, str]:
        """The jurisdictions with an entry, as they are compared and as they are written."""
        return {entry.place: entry.jurisdiction for entry in reversed(self.entries)}

    def applied(self, occurred: Span, jurisdictions: Iterable[str], reading: Reading) -> Applied | None:
        """
        Return the value for an anchor; None if there is none.

        Args:
            occurred: the span of the anchor.
            jurisdictions: those that reports of the anchor name.
            reading: the value to take where several can apply.
        """
        start, end = _window(occurred)
        found: list[LimitEntry] = []
        for place in sorted({jurisdiction.casefold() for jurisdiction in jurisdictions}):
            entries = [e for e in self.entries if e.place == place and e.start < end and start < e.end]
            if reading != "possible" and not _cover(entries, start, end):
                return None
            found += entries
        if not found:
            return None
        if reading == "shortest":
            entry = min(found, key=lambda entry: entry.value)
            return Applied(entry.value, entry.source)
        entry = max(found, key=lambda entry: entry.upper)
        return Applied(entry.upper, entry.source)


def jurisdictions_of(reports: Iterable[Fact]) -> set[str]:
    """Return the jurisdictions that *reports* of one event name."""
    named = (report.data.get("jurisdiction") for report in reports)
    return {str(place) for place in named if place}


def limits_in(values: Iterable[object]) -> Iterator[Limit]:
    """Yield the limits among *values*, and in their parts."""
    for value in values:
        if isinstance(value, Limit):
            yield value
        elif isinstance(value, BaseModel):
            yield from limits_in(getattr(value, name) for name in type(value).model_fields)
        elif isinstance(value, tuple):
            yield from limits_in(value)


def in_words(length: timedelta) -> str:
    """Return *length* in English words: in hours up to three days, and in days beyond."""
    words = [f"{figure} {unit}{'' if figure == 1 else 's'}" for unit, figure in figures_of(length).items()]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def figures_of(length: timedelta) -> dict[str, int]:
    """Return the figures of *length* by their unit, day, hour, minute and second, without those that are zero."""
    days, rest = divmod(length, _DAY) if length > _IN_HOURS else (0, length)
    hours, rest = divmod(rest, timedelta(hours=1))
    minutes, rest = divmod(rest, timedelta(minutes=1))
    figures = {"day": days, "hour": hours, "minute": minutes, "second": rest.seconds}
    return {unit: figure for unit, figure in figures.items() if figure}


def _window(occurred: Span) -> tuple[datetime, datetime]:
    """Return the span of *occurred*, wider by the slack at ends that are exact: a law begins at a local midnight."""
    start, end = occurred.earliest or BEGINNING, occurred.latest or END_OF_TIME
    if occurred.earliest_exact:
        start -= min(LOCAL_DAY_SLACK, start - BEGINNING)
    if occurred.latest_exact:
        end += min(LOCAL_DAY_SLACK, END_OF_TIME - end)
    return start, end


def _cover(entries: Collection[LimitEntry], start: datetime, end: datetime) -> bool:
    """Return whether *entries*, in the order of their days, leave no gap between *start* and *end*."""
    for entry in entries:
        if entry.start > start:
            return False
        start = max(start, entry.end)
    return start >= end


def _read(value: object, info: ValidationInfo) -> Any:  # noqa: ANN401 - a duration or a limit
    """Read a duration or a limit: `{limit: NAME}` of a file, or the stored form with entries."""
    if isinstance(value, Limit):
        return value
    if not isinstance(value, dict):
        return duration(value)
    table = (info.context or {}).get(TABLE)
    if table is None:
        return Limit.model_validate(value)
    for key in value:
        if key != "limit":
            raise wrong(f"{quote_briefly(key)} is in the place of a limit", _LIMIT_WANTED)
    name = value.get("limit")
    if isinstance(name, str) and name in table:
        return Limit.model_validate({"limit": name, "entries": table[name]})
    known = ", ".join(sorted(table)) or "no name, since the table is empty"
    what = f"{quote_briefly(name)} is not a limit of the table" if name else "no name of a limit is here"
    raise wrong(what, nearest(str(name), table, f"one of the table: {known}"))


def _checked(length: timedelta | Limit) -> timedelta | Limit:
    return length if isinstance(length, Limit) else bounded(length)


def _more_than_zero(length: timedelta | Limit) -> timedelta | Limit:
    return length if isinstance(length, Limit) else positive(length)


Delay = Annotated[timedelta | Limit, BeforeValidator(_read), AfterValidator(_checked)]
"""A duration, zero too, or a limit."""
Length = Annotated[Delay, AfterValidator(_more_than_zero)]
"""A duration of more than zero, or a limit."""
