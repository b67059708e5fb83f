"""Facts and statuses in words for people; text from outside made safe to print."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final

from rich.text import Text

from events.errors import BadInput
from events.vocabulary import DATA

_SPACE: Final = re.compile(r"[\t\n\r]+")
# Besides control characters: what turns the direction of a line, or breaks it, so that it reads as another text.
_UNSEEN: Final = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")

PRESUMPTIONS: Final = {
    "presumed_innocent": "presumed innocent",
    "convicted_not_final": "convicted, not final: presumed innocent until it is",
    "convicted": "convicted by a final verdict",
    "cleared": "cleared",
}

ENDS: Final = {
    "dropped": "ended: dropped",
    "closed": "ended: case closed",
    "acquitted": "ended: ACQUITTED",
    "amnestied": "ended: amnestied",
    "pardoned": "ended: pardoned",
    "overturned": "ended: verdict overturned",
    "final": "ended: convicted by a final verdict",
    "convicted": "convicted, not final",
    "appeal": "on appeal, not final",
}

ANOMALIES: Final = {
    "undated": "has a date without a year: it orders nothing and sets no status",
    "announced": "was published before its time: it counts from its own date on",
    "target_missing": "speaks of a fact that is not known of this person: it has no effect",
    "correction_misfit": "brings data that does not fit the fact it corrects: it has no effect",
    "correction_cycle": "is one of several that speak of each other: none of them has an effect",
    "never_accused": "an allegation was withdrawn, and none is known in the case",
    "never_investigated": "an investigation was suspended or resumed, and none is known to have been opened",
    "never_charged": "presupposes a charge, and none is known in the case",
    "never_convicted": "presupposes a conviction, and none is known in the case",
    "no_verdict": "presupposes a verdict, and none is known in the case",
    "after_death": "is dated after the death",
    "not_suspended": "a suspension was lifted, and none was in force",
    "not_dismissed": "a dismissal was annulled, and none was in force",
    "not_out_of_office": "reinstated, and not known to have been out of office",
    "not_in_custody": "released, and not known to have been in custody",
    "not_imprisoned": "a sentence was served, and no imprisonment is known",
    "not_wanted": "a search was called off, and none is known",
}

REASONS: Final = {
    **ANOMALIES,
    "superseded": "another correction of the same fact is in force",
    "target_retracted": "the fact it corrects was retracted",
}


def safe(text: object) -> str:
    """Return *text* on one line, with what a terminal would act on written as an escape."""
    return "".join(map(_seen, _SPACE.sub(" ", str(text))))


def cell(text: object, style: str = "") -> Text:
    """Return *text* for a table, whatever markup stands in it."""
    return Text(safe(text), style, overflow="fold")


def words(status: str) -> str:
    """Return a word of the data as people write it: ``in_office`` is in office."""
    return status.replace("_", " ")


def type_words(type_: str) -> str:
    """Return a type of fact as people write it: ``HouseArrested`` is House arrested."""
    return " ".join(re.findall("[A-Z][a-z]*", type_)).capitalize()


def stage_words(stage: str) -> str:
    """Return a stage so that an accusation reads as one, and an end is as plain as what went before."""
    return ENDS.get(stage) or f"{words(stage)} (no verdict)"


def presumption_words(status: Mapping[str, Any]) -> str:
    """Return where the person stands before the law, in one sentence."""
    if status["presumption"] == "presumed_innocent" and status["open_cases"]:
        return "Presumed innocent: what follows is accusation; no court has found it proven."
    if status["presumption"] == "cleared":
        return "Cleared: every case has ended by acquittal, dropped charges, rehabilitation or an overturned verdict."
    return f"{PRESUMPTIONS[status['presumption']].capitalize()}."


def charge_words(charge: Mapping[str, Any]) -> str:
    """Return one charge: what it is called, the article and the sum."""
    article = f"article {charge['article']}" if "article" in charge else ""
    amount = f"{charge['amount']:,} {charge.get('currency', '')}".strip() if "amount" in charge else ""
    return safe(", ".join(filter(None, (charge.get("title"), article, amount))) or "not stated")


def charges_words(charges: Iterable[Mapping[str, Any]]) -> str:
    """Return several charges on one line."""
    return "; ".join(map(charge_words, charges))


def source_words(source: Mapping[str, Any]) -> str:
    """Return a source so that a reader finds it: publisher, title, address, and how far it can be relied on."""
    title = f"“{source['title']}”" if "title" in source else None
    rated = f"{source.get('reliability', '')}{source.get('credibility', '')}"
    parts = (source.get("publisher"), title, source.get("url"), source.get("archived_url"), rated and f"rated {rated}")
    return safe(", ".join(filter(None, parts)))


def moment_words(as_of: str | None, known_at: str | None) -> str:
    """Return at which instants somebody is looked at, given as text; nothing where all that is known counts."""
    world = f"The world as of {as_of}." if as_of else ""
    known = f"What was known at {known_at}." if known_at else ""
    return " ".join(filter(None, (world, known)))


def when(data: Mapping[str, Any]) -> str:
    """Return when it happened as the source gave it, with its own words where they are known."""
    said = f" (“{data['occurred_text']}”)" if "occurred_text" in data else ""
    return safe(f"{data['occurred']}{said}")


def span(earliest: str | None, latest: str | None) -> str:
    """
    Return two instants of a status row as EDTF no finer than they are: a day, month or year, else an interval.

    Args:
        earliest: text such as ``2022-03-01T00:00:00Z``, or None for an open start.
        latest: likewise, the exclusive end.
    """
    start = datetime.fromisoformat(earliest) if earliest else None
    end = datetime.fromisoformat(latest) if latest else None
    if start and end and _midnight(start) and _midnight(end):
        last = end - timedelta(days=1)
        if start == last:
            return f"{start:%Y-%m-%d}"
        if start.day == end.day == 1 and (start.year, start.month) == (last.year, last.month):
            return f"{start:%Y-%m}"
        if (start.month, start.day, end.month, end.day) == (1, 1, 1, 1) and start.year == last.year:
            return f"{start.year:04}"
    return f"{_end(start, timedelta(0))}/{_end(end, timedelta(days=1))}"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return (field, old, new) for each field of data that changed; None where it is missing."""
    fields = dict.fromkeys((*old, *new))
    return [(field, old.get(field), new.get(field)) for field in fields if old.get(field) != new.get(field)]


def check_type(type_: str) -> None:
    """
    See that *type_* is a type of fact.

    Raises:
        BadInput: if it is none, with those that it may have been meant to be.
    """
    if type_ not in DATA:
        raise BadInput(f'"{type_}" is not a type', _near(type_))


def _near(type_: str) -> str:
    lower = {known.lower(): known for known in DATA}
    near = [lower[name] for name in get_close_matches(type_.lower(), lower)]
    return f"perhaps {' or '.join(near)}" if near else f"one of {', '.join(DATA)}"


def _seen(character: str) -> str:
    hidden = unicodedata.category(character) == "Cc" or character in _UNSEEN
    return character.encode("unicode_escape").decode() if hidden else character


def _midnight(instant: datetime) -> bool:
    return instant.astimezone(UTC).timetz() == datetime.min.replace(tzinfo=UTC).timetz()


def _end(instant: datetime | None, back: timedelta) -> str:
    if instant is None:
        return ".."
    return f"{instant - back:%Y-%m-%d}" if _midnight(instant) else f"{instant:%Y-%m-%dT%H:%MZ}"
