"""The values of a rule: the words that each key takes, checked one at a time, and the messages for other words."""

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, get_args, get_type_hints

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from events.shapes import RelationData
from events.text import quote_briefly
from events.vocabulary import TRACKS
from projections.rules.files.yaml_source import nearest
from projections.subjects.status_words import (
    CustodyStatus,
    MeasureKind,
    PostStatus,
    Presumption,
    SearchScope,
    ServiceStatus,
    Stage,
)

STATUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "service": tuple(dict.fromkeys((*get_args(ServiceStatus), *get_args(PostStatus)))),
    "custody": get_args(CustodyStatus),
    "wanted": get_args(SearchScope),
    "stage": get_args(Stage),
    "presumption": get_args(Presumption),
}
"""The closed sets of status words (docs/design.md, 8) that `when`, `unless` and `still` may name."""
LASTING: Final[Mapping[str, tuple[str, ...]]] = {
    **{kind: STATUSES[kind] for kind in ("wanted", "stage")},
    "service": get_args(PostStatus),
    "custody": tuple(word for word in STATUSES["custody"] if word != "unknown"),
    "measure": get_args(MeasureKind),
}
"""The closed sets of words that `while` may name: those of a single part. Only a summary is `unknown`."""
SEVERITIES: Final = ("info", "notice", "warning", "critical")
CERTAINTIES: Final = ("certain", "possible")
ENABLED: Final = ("true", "false", "trial")
FIELDS: Final = (
    "type", "occurred", "published", "id", "case_id", "post", "agency", "region", "ground", "authority", "place",
)  # fmt: skip
"""The fields that `{anchor.FIELD}` and `{then.FIELD}` in an explanation may name."""

ONCE: Final = ("case", "subject")
"""The values of `once`."""
RELATED: Final = ("case_id", "post", "agency", "jurisdiction")
"""The fields that `same` and `new` take."""

GROUPS: Final = ("agency", "region", "post", "jurisdiction", "case_id")
"""The fields by which `count` groups people."""
RELATIONS: Final = get_args(get_type_hints(RelationData)["relation"])
"""The relations between people that `of` takes, in the order of the vocabulary."""

NOT_STATED: Final = "not stated"
"""The words of an explanation for a field that the fact does not have."""
TOKEN: Final = re.compile(r"\{[^{}]*\}|[{}]")
"""A placeholder in an explanation, or a single brace."""

_TRACKS: Final = ("service", "case", "custody")
TRACKS_READ: Final[Mapping[str, tuple[str, ...]]] = {
    "service": ("service",), "custody": ("custody", "case"), "wanted": ("custody", "case"),
    "stage": ("case",), "presumption": ("case", "custody"), "open_cases": ("case", "custody"),
}  # fmt: skip
"""The tracks whose facts change a word: an acquittal ends a hold, and custody can be all that is known of a case."""

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
    "steps": "a list of 1 to 5 steps, such as {then: Detained, within: P30D}",
    "as": "a small word that no other step has, such as arrest",
    "unless": f"conditions on the status: {', '.join(TRACKS_READ)}",
    "when": f"conditions on the status: {', '.join(TRACKS_READ)}",
    "still": f"conditions on the status: {', '.join(TRACKS_READ)}",
    "once": "case or subject",
    "jurisdiction": "a country, such as KZ, or a list of them",
    "over": _TYPES_WANTED,
    "from": "until: count from the anchor's until, and not from the anchor itself",
    "before": _TIME_WANTED,
    "why": "a text for the reader: the reason of the rule",
    "wrong_when": "a text for the reader: the cases in which the rule is wrong",
    "open_cases": "at_least or at_most or both, such as {at_least: 1}",
    "same": "case_id, post, agency or jurisdiction, or a list of them",
    "new": "case_id, post, agency or jurisdiction, or a list of them",
    "count": "distinct, at_least, by and within, such as {distinct: subject, at_least: 3, by: agency, within: P90D}",
    "distinct": "subject: each person counts once",
    "at_least": "a whole number of people, 2 or more",
    "by": f"one of {', '.join(GROUPS)}",
    "of": f"by, or one or more of {', '.join(RELATIONS)}",
    "where": "conditions on the data of facts, such as {anchor.kind: criminal}",
    "while": f"one of {', '.join(sorted(LASTING))} with its words, such as {{service: suspended}}",
    "explain": 'one sentence, such as "{name} was dismissed.", or sentences by language',
    "ended_explain": "one sentence for an alert that is resolved",
    "retracted_explain": "one sentence for an alert that is retracted",
    "enabled": "true, false or trial",
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


def text_of(value: object) -> str:
    """Return *value* on one line: the line breaks of the file are not part of the rule."""
    if isinstance(value, str) and value.strip() and len(value) <= _LONGEST_TEXT:
        return " ".join(value.split())
    raise wrong(f"{quote_briefly(value)} is not a text for this", f"1 to {_LONGEST_TEXT} characters")


def _count(value: object) -> int:
    if not isinstance(value, bool) and re.fullmatch("[0-9]{1,6}", str(value)):
        return int(str(value))
    raise wrong(f"{quote_briefly(value)} is not a number of cases", "a whole number, such as 1")


def _people(value: object) -> int:
    if not isinstance(value, bool) and re.fullmatch("[0-9]{1,6}", str(value)) and int(str(value)) > 1:
        return int(str(value))
    raise wrong(f"{quote_briefly(value)} is not a number of people", WANTED["at_least"])


def _by_alone(words: frozenset[str]) -> frozenset[str]:
    if "by" in words and len(words) > 1:
        raise wrong("by stands beside relations", "by alone, or relations alone")
    return words


def duration(value: object) -> timedelta:
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


def bounded(length: timedelta) -> timedelta:
    """Return *length* if a rule can have it, zero included."""
    # So that a deadline is within Python's calendar, and a typing error does not make a rule that never fires.
    if timedelta(0) <= length <= _LONGEST:
        return length
    raise wrong("the time is negative or too long", "at most P36525D, a hundred years")


def positive(length: timedelta) -> timedelta:
    """Return *length* if it is more than zero."""
    if length > timedelta(0):
        return length
    raise wrong("the time is zero or less", "more than zero, such as P90D")


_LISTED: Final = BeforeValidator(_listed)
Id = Annotated[str, BeforeValidator(_name)]
Severity = Annotated[Literal["info", "notice", "warning", "critical"], _one_of("a severity", SEVERITIES)]
Certainty = Annotated[Literal["certain", "possible"], _one_of("a certainty", CERTAINTIES)]
Enabled = Annotated[Literal["true", "false", "trial"], _one_of("a value of enabled", ENABLED)]
Text = Annotated[str, BeforeValidator(text_of)]
Count = Annotated[int, BeforeValidator(_count)]
Settle = Annotated[timedelta, BeforeValidator(duration), AfterValidator(bounded)]
Wait = Annotated[Settle, AfterValidator(positive)]
FactType = Annotated[str, _one_of("a fact type that a rule can name", FACT_WORDS, _TYPES_WANTED)]
FactTypes = Annotated[frozenset[FactType], _LISTED, AfterValidator(_tracks_expanded)]
Place = Annotated[str, BeforeValidator(_place)]
Jurisdictions = Annotated[frozenset[Place], _LISTED]
RelatedFields = Annotated[frozenset[Annotated[str, _one_of("a field to compare", RELATED)]], _LISTED]
Once = Annotated[Literal["case", "subject"], _one_of("a group of alerts", ONCE)]
From = Annotated[Literal["until"], _one_of("a place to count from", ("until",), "until")]
Distinct = Annotated[Literal["subject"], _one_of("a thing to count", ("subject",), WANTED["distinct"])]
People = Annotated[int, BeforeValidator(_people)]
GroupField = Annotated[
    Literal["agency", "region", "post", "jurisdiction", "case_id"], _one_of("a field to group by", GROUPS)
]
Relations = Annotated[
    frozenset[Annotated[str, _one_of("a relation", ("by", *RELATIONS))]], _LISTED, AfterValidator(_by_alone)
]
ServiceWords = Annotated[frozenset[Annotated[str, _one_of("a service status", STATUSES["service"])]], _LISTED]
CustodyWords = Annotated[frozenset[Annotated[str, _one_of("a custody status", STATUSES["custody"])]], _LISTED]
WantedWords = Annotated[frozenset[Annotated[str, _one_of("a scope of being wanted", STATUSES["wanted"])]], _LISTED]
StageWords = Annotated[frozenset[Annotated[str, _one_of("a case stage", STATUSES["stage"])]], _LISTED]
PresumptionWords = Annotated[frozenset[Annotated[str, _one_of("a presumption", STATUSES["presumption"])]], _LISTED]
LastingService = Annotated[frozenset[Annotated[str, _one_of("a status of a post", LASTING["service"])]], _LISTED]
LastingCustody = Annotated[frozenset[Annotated[str, _one_of("a status of a hold", LASTING["custody"])]], _LISTED]
LastingMeasure = Annotated[frozenset[Annotated[str, _one_of("a kind of measure", LASTING["measure"])]], _LISTED]
