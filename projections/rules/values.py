"""The values of a rule: the words that each key takes, checked one at a time, and the messages for other words."""

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from events.text import quote_briefly
from events.vocabulary import TRACKS
from projections.rules.files.yaml_source import nearest
from projections.subjects.status_words import CustodyStatus, Presumption, SearchScope, ServiceStatus, Stage

STATUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "service": get_args(ServiceStatus),
    "custody": get_args(CustodyStatus),
    "wanted": get_args(SearchScope),
    "stage": get_args(Stage),
    "presumption": get_args(Presumption),
}
"""The closed sets of status words (docs/design.md, 8) that `unless` may name."""
SEVERITIES: Final = ("info", "notice", "warning", "critical")
CERTAINTIES: Final = ("certain", "possible")
FIELDS: Final = (
    "type", "occurred", "published", "id", "case_id", "post", "agency", "region", "ground", "authority", "place",
)  # fmt: skip
"""The fields that `{anchor.FIELD}` and `{then.FIELD}` in an explanation may name."""

RELATED: Final = ("case_id", "post", "agency", "jurisdiction")
"""The fields that `same` and `new` take."""

NOT_STATED: Final = "not stated"
"""The words of an explanation for a field that the fact does not have."""
TOKEN: Final = re.compile(r"\{[^{}]*\}|[{}]")
"""A placeholder in an explanation, or a single brace."""

_TRACKS: Final = ("service", "case", "custody")
TRACKS_READ: Final[Mapping[str, tuple[str, ...]]] = {
    "service": ("service",), "custody": ("custody", "case"), "wanted": ("custody", "case"),
    "stage": ("case",), "presumption": ("case", "custody"), "open_cases": ("case",),
}  # fmt: skip
"""The tracks whose facts change a word: an acquittal ends a hold, and custody in another case ends "cleared"."""

# Corrected and Retracted are applied to a history before a rule sees it, so no rule can name them.
FACT_WORDS: Final = (*(kind for track, kinds in TRACKS.items() if track != "meta" for kind in kinds), *_TRACKS)
_LONGEST: Final = timedelta(days=36525)
_LONGEST_TEXT: Final = 1000
_LONGEST_PLACE: Final = 100
_DURATION: Final = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII)
_CALENDAR: Final = re.compile(r"P[^T]*\d[YM].*", re.ASCII)
_TYPES_WANTED: Final = "a fact type such as Dismissed, a whole track (service, case, custody), or a list of them"
_TIME_WANTED: Final = "weeks, days, hours, minutes and seconds, such as P90D, P2W or P1DT6H"
WANTED: Final = {
    "rules": "a list of rules, at least one",
    "id": "small letters and digits with single hyphens between, such as dismissed-without-follow-up",
    "title": "a short text",
    "on": _TYPES_WANTED, "absent": _TYPES_WANTED, "then": _TYPES_WANTED,
    "for": _TIME_WANTED, "settle": _TIME_WANTED, "within": _TIME_WANTED,
    "unless": f"conditions on the status: {', '.join(TRACKS_READ)}",
    "jurisdiction": "a country, such as KZ, or a list of them",
    "over": _TYPES_WANTED,
    "from": "until: count from the anchor's until, and not from the anchor itself",
    "before": _TIME_WANTED,
    "why": "a text for the reader: the reason of the rule",
    "wrong_when": "a text for the reader: the cases in which the rule is wrong",
    "open_cases": "at_least or at_most or both, such as {at_least: 1}",
    "same": "case_id, post, agency or jurisdiction, or a list of them",
    "new": "case_id, post, agency or jurisdiction, or a list of them",
    "where": "conditions on the data of facts, such as {anchor.kind: criminal}",
    "explain": 'one sentence, such as "{name} was dismissed."',
}  # fmt: skip


def wrong(what: str, wanted: str) -> PydanticCustomError:
    """Return the error of a value, with the words *what* and *wanted* in its `ctx`."""
    return PydanticCustomError("rule", "{what} (want {wanted})", {"what": what, "wanted": wanted})


def _one_of(kind: str, known: Collection[str], wanted: str = "") -> BeforeValidator:
    def check(value: object) -> str:
        if isinstance(value, str) and value in known:
            return value
        words = wanted or f"one of {', '.join(known)}"
        raise wrong(f"{quote_briefly(value)} is not {kind}", nearest(str(value), known, words))

    return BeforeValidator(check)


def _listed(value: object) -> object:
    if value in ("", []) or not isinstance(value, str | list | tuple | frozenset | set):
        raise wrong(f"{quote_briefly(value) if value else 'nothing'} is here", "a word or a list of words")
    return [value] if isinstance(value, str) else value


def _tracks_expanded(words: frozenset[str]) -> frozenset[str]:
    return frozenset(kind for word in words for kind in TRACKS.get(word, (word,)))


def _name(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"(?=.{1,100}\Z)[a-z0-9]+(-[a-z0-9]+)*", value):
        return value
    raise wrong(f"{quote_briefly(value)} is not an id", WANTED["id"])


def _place(value: object) -> str:
    if isinstance(value, str) and value.strip() == value and 0 < len(value) <= _LONGEST_PLACE:
        return value
    raise wrong(f"{quote_briefly(value)} is not a jurisdiction", WANTED["jurisdiction"])


def _text(value: object) -> str:
    """Return *value* on one line: the line breaks of the file are not part of the rule."""
    if isinstance(value, str) and value.strip() and len(value) <= _LONGEST_TEXT:
        return " ".join(value.split())
    raise wrong(f"{quote_briefly(value)} is not a text for this", f"1 to {_LONGEST_TEXT} characters")


def _count(value: object) -> int:
    if not isinstance(value, bool) and re.fullmatch("[0-9]{1,6}", str(value)):
        return int(str(value))
    raise wrong(f"{quote_briefly(value)} is not a number of cases", "a whole number, such as 1")


def _duration(value: object) -> timedelta:
    """Read an ISO 8601 duration of fixed length; a stored rulebook has whole seconds."""
    if isinstance(value, timedelta | int):
        return value if isinstance(value, timedelta) else timedelta(seconds=value)
    if _CALENDAR.fullmatch(str(value)):
        raise wrong(f"{quote_briefly(value)} has months or years, which have no fixed length", "days, such as P90D")
    found = _DURATION.fullmatch(str(value))
    if not found or not any(found.groups()):
        raise wrong(f"{quote_briefly(value)} is not a duration", _TIME_WANTED)
    units = ("weeks", "days", "hours", "minutes", "seconds")
    try:
        return timedelta(**{unit: int(figure) for unit, figure in zip(units, found.groups(), strict=True) if figure})
    except (OverflowError, ValueError):  # more days, or more digits, than Python has
        return timedelta.max


def length_of(text: str) -> timedelta:
    """
    Return the length of the duration *text*.

    Raises:
        PydanticCustomError: if it is not a duration of fixed length.
    """
    return _duration(text)


def _bounded(length: timedelta) -> timedelta:
    # So that a deadline is within Python's calendar, and a typing error does not make a rule that never fires.
    if timedelta(0) <= length <= _LONGEST:
        return length
    raise wrong("the time is negative or too long", "at most P36525D, a hundred years")


def _positive(length: timedelta) -> timedelta:
    if length > timedelta(0):
        return length
    raise wrong("the time is zero or less", "more than zero, such as P90D")


_LISTED: Final = BeforeValidator(_listed)
Id = Annotated[str, BeforeValidator(_name)]
Severity = Annotated[Literal["info", "notice", "warning", "critical"], _one_of("a severity", SEVERITIES)]
Certainty = Annotated[Literal["certain", "possible"], _one_of("a certainty", CERTAINTIES)]
Text = Annotated[str, BeforeValidator(_text)]
Count = Annotated[int, BeforeValidator(_count)]
Settle = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_bounded)]
Wait = Annotated[Settle, AfterValidator(_positive)]
FactType = Annotated[str, _one_of("a fact type that a rule can name", FACT_WORDS, _TYPES_WANTED)]
FactTypes = Annotated[frozenset[FactType], _LISTED, AfterValidator(_tracks_expanded)]
Jurisdictions = Annotated[frozenset[Annotated[str, BeforeValidator(_place)]], _LISTED]
RelatedFields = Annotated[frozenset[Annotated[str, _one_of("a field to compare", RELATED)]], _LISTED]
From = Annotated[Literal["until"], _one_of("a place to count from", ("until",), "until")]
ServiceWords = Annotated[frozenset[Annotated[str, _one_of("a service status", STATUSES["service"])]], _LISTED]
CustodyWords = Annotated[frozenset[Annotated[str, _one_of("a custody status", STATUSES["custody"])]], _LISTED]
WantedWords = Annotated[frozenset[Annotated[str, _one_of("a scope of being wanted", STATUSES["wanted"])]], _LISTED]
StageWords = Annotated[frozenset[Annotated[str, _one_of("a case stage", STATUSES["stage"])]], _LISTED]
PresumptionWords = Annotated[frozenset[Annotated[str, _one_of("a presumption", STATUSES["presumption"])]], _LISTED]
