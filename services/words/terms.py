"""The words for statuses, types and anomalies, and text from outside made safe to print."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from events.errors import BadInput
from events.vocabulary import DATA, nearest_type

_SPACE: Final = re.compile(r"[\t\n\r]+")
# Besides control characters, the characters that change the direction of a line or break it: the text would mislead.
_UNSEEN: Final = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[~?%]?")
_MONTH_OR_YEAR: Final = re.compile(r"[0-9]{4}(-[0-9]{2})?[~?%]?")
_FIGURE: Final = re.compile("([0-9]+)([A-Za-z])")
# Capital letters stand for units before the T of a duration, small ones for units after it: M is a month, m a minute.
_UNITS: Final = {
    "Y": "year", "M": "month", "W": "week", "D": "day", "h": "hour", "m": "minute", "s": "second",
}  # fmt: skip

PRESUMPTIONS: Final = {
    "presumed_innocent": "presumed innocent",
    "convicted_not_final": "found guilty, not final: presumed innocent until it is",
    "convicted": "convicted by a final verdict",
    "cleared": "cleared",
}

SERVICE: Final = {
    "moved": "moved to another post",
    "term_ended": "term ended",
    "deceased": "ended by the death",
}

CUSTODY: Final = {
    "house_arrest": "under house arrest",
    "bailed": "released on bail",
    "paroled": "released on parole",
    "sentence_served": "sentence served",
    "deceased": "ended by the death",
}

# A case that is not criminal has no verdict, no conviction and no acquittal.
STAGES: Final = {
    "overturned": "verdict overturned, undecided again",
    "convicted": "found guilty, not final",
    "appeal": "on appeal, not final",
    "final": "ended: convicted by a final verdict",
    "acquitted": "ended: ACQUITTED",
    "dropped": "ended: charges dropped",
    "closed": "ended: case closed",
    "withdrawn": "ended: allegation withdrawn",
    "amnestied": "ended: amnestied",
    "pardoned": "ended: pardoned",
}
OTHER_STAGES: Final = STAGES | {
    "overturned": "decision overturned, undecided again",
    "convicted": "decided against the person, not final",
    "final": "ended: finally decided against the person",
    "acquitted": "ended: DECIDED FOR THE PERSON",
}

ANOMALIES: Final = {
    "undated": "has a date without a year: it orders nothing and sets no status",
    "announced": (
        "was published before its time: it does not count before that, and in a case or custody not at all,"
        " since the report that it happened is another fact"
    ),
    "dated_ahead": "is dated later than the day it was recorded: it is treated as announced",
    "order_unknown": "may have happened before or after another fact that contradicts it: no source says which",
    "after_missing": "is said to come after a fact that does not count here: it stands at the place of its own date",
    "after_circle": "is one of several that are each said to come after the other: all stand at their own dates",
    "target_missing": "speaks of a fact that is not known of this person: it has no effect",
    "correction_misfit": "brings data that does not fit the fact it corrects: it has no effect",
    "correction_cycle": "is one of several that speak of each other: none of them has an effect",
    "post_unknown": "may concern any of several posts, and does not say which: it changes none",
    "post_worded_otherwise": "names the post in other words than the only post that is known to be held",
    "not_suspended": "lifts a suspension, and none that it could end is known before it",
    "not_dismissed": "annuls a dismissal, and none that it could undo is known before it",
    "not_out_of_office": "reports a return to office, and no end of office that it could undo is known before it",
    "not_in_office": "presupposes an office, and none that it could mean is known to be held at that time",
    "after_death": "is dated after the death: it changes no status",
    "kind_differs": "calls the case another kind of case than an earlier fact does",
    "count_ambiguous": "names a charge that fits several: it is read as speaking of each that it could change",
    "count_unknown": "names a charge that is not known before it in the case",
    "counts_not_named": "decides without naming charges while several are open: it is read as deciding all of them",
    "never_accused": "withdraws an allegation, and none is known before it in the case",
    "never_investigated": "suspends or resumes an investigation, and none is known before it in the case",
    "never_charged": "presupposes a charge, and none is known before it in the case",
    "never_convicted": "presupposes a conviction, and none that it could mean is known before it",
    "no_verdict": "presupposes a verdict, and none that it could mean is known before it",
    "already_ended": "ends a case that had ended before: it has no effect",
    "appeal_after_final": "appeals a verdict that is final: it is read as a request for review",
    "held_after_end": "began a hold or search in a case that has ended since, and no end of it was reported",
    "not_in_custody": "reports a release, and no custody that it could end is known before it",
    "not_imprisoned": "reports a sentence as served, and no imprisonment that it could end is known before it",
    "not_wanted": "calls off a search, and none that it could end is known before it",
    "not_imposed": "lifts a measure, and none that it could end is known before it",
    "not_pardoned": "annuls a pardon, and none that it could undo is known before it",
    "identity_differs": "has another name and another year of birth than an earlier description: perhaps two people",
    "born_ahead": "names a date of birth that is later than its own publication",
    "relation_to_self": "relates the person to themselves",
    "accused_by_self": "names the accused person as the accuser",
}

REASONS: Final = {
    **ANOMALIES,
    "superseded": "another correction of the same fact is in force",
    "target_retracted": "the fact it corrects was retracted",
}


def safe(text: object) -> str:
    """Return *text* on one line, with escapes for the characters that control a terminal."""
    return "".join(map(_seen, _SPACE.sub(" ", str(text))))


def words(status: str) -> str:
    """Return a word of the data as people write it: "in office" for ``in_office``."""
    return status.replace("_", " ")


def type_words(type_: str) -> str:
    """Return a type of fact as people write it: "House arrested" for ``HouseArrested``."""
    return " ".join(re.findall("[A-Z][a-z]*", type_)).capitalize()


def service_words(status: str) -> str:
    """Return the status of a post held as people write it."""
    return SERVICE.get(status) or words(status)


def custody_words(status: str) -> str:
    """Return the status of a hold as people write it; after a death, the words state the end of the hold."""
    return CUSTODY.get(status) or words(status)


def stage_words(stage: str, kind: str = "criminal") -> str:
    """Return a stage as people write it: an accusation is marked as undecided, and an end as an end."""
    if kind != "criminal":
        return OTHER_STAGES.get(stage) or f"{words(stage)} (no decision)"
    return STAGES.get(stage) or f"{words(stage)} (no verdict)"


def sum_words(data: Mapping[str, Any]) -> str:
    """Return the sum of a charge, a bail or a fine with its currency; empty if no sum is stated."""
    if data.get("amount") is None:
        return ""
    return f"{data['amount']:,} {data.get('currency') or ''}".strip()


def charge_words(charge: Mapping[str, Any], amount: str | None = None) -> str:
    """
    Return one charge: its title, its article, the sum, and the number of counts if the charge has several.

    Args:
        charge: the charge as a source states it.
        amount: the words for the sum; None: the words of `sum_words`.
    """
    article = f"article {charge['article']}" if charge.get("article") else ""
    named = charge.get("title") or article or (f"count {charge['count_id']}" if charge.get("count_id") else "")
    alike = f"{charge['counts']} counts" if charge.get("counts", 1) > 1 else ""
    parts = (named, article if article != named else "", sum_words(charge) if amount is None else amount, alike)
    return safe(", ".join(filter(None, parts)) or "not stated")


def charges_words(charges: Iterable[Mapping[str, Any]]) -> str:
    """Return several charges on one line."""
    return "; ".join(map(charge_words, charges))


def term_words(term: str) -> str:
    """Return an ISO 8601 duration as people write it: "1 year 6 months" for ``P1Y6M``."""
    days, _, hours = term.removeprefix("P").partition("T")
    figures = [*_FIGURE.findall(days), *_FIGURE.findall(hours.lower())]
    return " ".join(f"{int(n)} {_UNITS[unit]}{'' if int(n) == 1 else 's'}" for n, unit in figures)


def part_words(part: Mapping[str, Any]) -> str:
    """Return one part of a sentence: its kind, its length, the sum and its end."""
    kind = {"other": "another punishment", "death": "death penalty"}.get(part["kind"]) or words(part["kind"])
    term = term_words(part["term"]) if part.get("term") else ""
    until = f"until {part['until']}" if part.get("until") else ""
    return safe(", ".join(filter(None, (kind, term, sum_words(part), until))))


def parts_words(parts: Iterable[Mapping[str, Any]]) -> str:
    """Return the parts of a sentence on one line."""
    return "; ".join(map(part_words, parts))


def source_words(source: Mapping[str, Any]) -> str:
    """Return a source so that a reader finds it: publisher, title, address, and its rating."""
    title = f"“{source['title']}”" if "title" in source else None
    rated = f"{source.get('reliability', '')}{source.get('credibility', '')}"
    parts = (source.get("publisher"), title, source.get("url"), source.get("archived_url"), rated and f"rated {rated}")
    return safe(", ".join(filter(None, parts)))


def moment_words(as_of: str | None, known_at: str | None) -> str:
    """Return the sentences about the two instants of a query, from their texts; empty without both."""
    world = f"The world as of {as_of}." if as_of else ""
    known = f"What was known at {known_at}." if known_at else ""
    return " ".join(filter(None, (world, known)))


def when(data: Mapping[str, Any]) -> str:
    """Return the date of a fact as the source stated it, with the source's own words if they are known."""
    wording = f" (“{data['occurred_text']}”)" if "occurred_text" in data else ""
    return safe(f"{data['occurred']}{wording}")


def on_words(occurred: str) -> str:
    """Return a date as part of a sentence: on a day, in a month or a year, at an instant, or between two dates."""
    earliest, slash, latest = occurred.partition("/")
    if slash and {earliest, latest} & {"", ".."}:
        return safe(f"not later than {latest}" if earliest in {"", ".."} else f"not earlier than {earliest}")
    if slash:
        return safe(f"between {earliest} and {latest}")
    if _DAY.fullmatch(occurred):
        return safe(f"on {occurred}")
    if _MONTH_OR_YEAR.fullmatch(occurred):
        return safe(f"in {occurred}")
    return safe(f"at {occurred}" if "T" in occurred else f"dated {occurred}")


def span(earliest: str | None, latest: str | None) -> str:
    """
    Return two instants of a status row as EDTF: a day, month or year if they span exactly that, else an interval.

    Args:
        earliest: text such as ``2022-03-01T00:00:00Z``, or None for an open start.
        latest: likewise, the exclusive end.
    """
    start = datetime.fromisoformat(earliest) if earliest else None
    end = datetime.fromisoformat(latest) if latest else None
    if start and end and _midnight(start) and _midnight(end):
        last = end - timedelta(days=1)
        if start == last:
            return start.date().isoformat()
        if start.day == end.day == 1 and (start.year, start.month) == (last.year, last.month):
            return start.date().isoformat()[:7]
        if (start.month, start.day, end.month, end.day) == (1, 1, 1, 1) and start.year == last.year:
            return f"{start.year:04}"
    return f"{_end(start, timedelta(0))}/{_end(end, timedelta(days=1))}"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return (field, old, new) for each field of data that changed; None if it is missing."""
    fields = dict.fromkeys((*old, *new))
    return [(field, old.get(field), new.get(field)) for field in fields if old.get(field) != new.get(field)]


def check_type(type_: str) -> None:
    """
    Check that *type_* is a type of fact.

    Raises:
        BadInput: if it is not, with the type to write instead.
    """
    if type_ not in DATA:
        raise BadInput(f'"{type_}" is not a type', nearest_type(type_))


def _seen(character: str) -> str:
    hidden = unicodedata.category(character) == "Cc" or character in _UNSEEN
    return character.encode("unicode_escape").decode() if hidden else character


def _midnight(instant: datetime) -> bool:
    return instant.astimezone(UTC).timetz() == datetime.min.replace(tzinfo=UTC).timetz()


def _end(instant: datetime | None, back: timedelta) -> str:
    if instant is None:
        return ".."
    # By isoformat: on Linux, strftime writes the year 988 with three digits.
    if _midnight(instant):
        return (instant - back).date().isoformat()
    return f"{instant.replace(tzinfo=None).isoformat(timespec='minutes')}Z"
