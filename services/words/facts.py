"""One fact in words for people: its fields, its date and source, and a few words for where another speaks of it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from projections.subjects.view import SubjectView, data_in_force

from .terms import charges_words, parts_words, safe, source_words, sum_words, type_words, when, words

SHOWN_ELSEWHERE: Final = frozenset({"occurred", "occurred_text", "published", "sources", "data"})
"""The fields that a title, a source or a correction shows already."""

_LABELS: Final = {
    "after": "said to come after",
    "acting": "for the time being only",
    "bargain": "part of an agreement with the prosecution",
    "concurrent": "posts held before are kept",
    "final": "final at once",
    "in_absentia": "in the person's absence",
    "parts": "parts of the sentence",
    "rehabilitating": "on a ground that rehabilitates",
    "relation_text": "relation in the source's words",
    "until": "until, as ordered or announced",
}
_SIDES: Final = {"prosecution": "the prosecution", "defence": "the defence", "other": "another side"}
_OUTCOMES: Final = {
    "remitted": "sent back to a court",
    "acquitted": "acquittal in its place",
    "ended": "the case ended without a verdict",
}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "outcome": _OUTCOMES,
    "plea": {"guilty": "guilty", "not_guilty": "not guilty", "no_contest": "no contest"},
}


def data_of(told: SubjectView, fact_id: str | None) -> Mapping[str, Any]:
    """Return the data in force of a fact; empty where there is no such fact, or it was retracted."""
    if fact_id is None or fact_id not in told.lines:
        return {}
    return data_in_force(told, fact_id) or {}


def fact_words(told: SubjectView, fact_id: str) -> str:
    """Return a fact in a few words, for where another speaks of it."""
    line = told.lines.get(fact_id)
    if line is None:
        return f"a fact that is not known ({safe(fact_id)})"
    data = data_in_force(told, fact_id) or line.fact.data
    return f"{type_words(line.fact.type)}, {when(data)} (fact {safe(fact_id)})"


def since_words(told: SubjectView, cell: Mapping[str, Any]) -> str:
    """Return since when a cell holds, as the source wrote it; nothing where that is not known."""
    if cell.get("since") is None:
        return ""
    said = data_of(told, cell["fact_id"]).get("occurred_text")
    return safe(f"{cell['since']} (“{said}”)" if said else cell["since"])


def field_lines(told: SubjectView, type_: str, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield each field that a fact of *type_* has beyond its date and sources, as ``label: value``."""
    for field, value in data.items():
        if field not in SHOWN_ELSEWHERE and not (field == "currency" and "amount" in data):
            yield f"{label(type_, field)}: {value_words(told, field, value, data)}"


def label(type_: str, field: str) -> str:
    """Return the name of a field as people write it."""
    if field == "kind":
        return "kind of measure" if type_.startswith("Measure") else "kind of case"
    return _LABELS.get(field) or words(field)


def value_words(told: SubjectView, field: str, value: Any, data: Mapping[str, Any]) -> str:  # noqa: ANN401, PLR0911 - JSON
    """
    Return the value of a field for people.

    Args:
        told: the story in which facts are looked up by their ids.
        field: its name.
        value: any JSON value; None where a correction took it out.
        data: all data of the fact, for the currency of a sum.
    """
    match field, value:
        case _, None:
            return "(nothing)"
        case _, bool():
            return "yes" if value else "no"
        case "charges", list():
            return charges_words(value)
        case "parts", list():
            return parts_words(value)
        case "after", list():
            return ", ".join(fact_words(told, fact_id) for fact_id in value)
        case "fact_id", str():
            return fact_words(told, value)
        case "by", dict():
            return accuser_words(value)
        case "by", str():
            return _SIDES.get(value, safe(words(value)))
        case "amount", _:
            return safe(sum_words({**data, "amount": value}))
    return _plain(field, value)


def accuser_words(by: Mapping[str, Any]) -> str:
    """Return the person who accuses, by name, by id or by both."""
    person = f"[{by['subject_id']}]" if "subject_id" in by else ""
    return safe(f"{by.get('name', '')} {person}".strip())


def detail_words(told: SubjectView, type_: str, data: Mapping[str, Any]) -> str:
    """Return what a step of a case says beyond its type, on one line."""
    left_out = {"case_id", "note", "ref", "jurisdiction"}
    said = {field: value for field, value in data.items() if field not in left_out}
    lines = (line.partition(": ") for line in field_lines(told, type_, said))
    # Beside an accuser or an appellant, "by" an authority would read as a second one.
    unclear = {"authority"} if type_ == "Accused" or "by" in said else set()
    return "; ".join(f"{name}: {value}" if name in unclear else _shorter(name, value) for name, _, value in lines)


def ground_lines(told: SubjectView, fact_id: str, name: str = "") -> Iterator[str]:
    """
    Yield what a statement rests on: when it was published, its sources, its corrections and its note.

    Args:
        told: the story that has the fact.
        fact_id: the fact.
        name: words before it, where several facts stand under one statement.
    """
    data = data_of(told, fact_id)
    yield f"    {name}published {safe(data.get('published', '(not known)'))}, fact {safe(fact_id)}"
    for source in data.get("sources", ()):
        yield f"    source: {source_words(source)}"
    yield from correction_lines(told, fact_id)
    if "note" in data:
        yield f"    note: {safe(data['note'])}"


def correction_lines(told: SubjectView, fact_id: str) -> Iterator[str]:
    """Yield what a statement rests on besides, if it is not as first published: each correction and its source."""
    replaced_by = told.history.settled.replaced_by
    by = replaced_by.get(fact_id)
    while by is not None:
        correction = told.lines[by].fact.data
        yield f"    as corrected, published {safe(correction['published'])}, fact {safe(by)}"
        yield from (f"    source of the correction: {source_words(source)}" for source in correction["sources"])
        by = replaced_by.get(by)


def _shorter(name: str, value: str) -> str:
    """Return a field of a step in fewer words, where a reader needs no label or no value."""
    if name in {"charges", "sentence", "parts of the sentence"}:
        return value
    if name in {"authority", "by"}:
        return f"by {value}"
    if value == "yes":
        return name
    return f"not {name}" if value == "no" else f"{name}: {value}"


def _plain(field: str, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return safe(_WORDS.get(field, {}).get(value) or (words(value) if field in _CODES else value))
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return safe(", ".join(value) or "(none)")
    return safe(json.dumps(value, ensure_ascii=False))


_CODES: Final = frozenset({"kind", "relation", "scope"})
