"""One fact in words for people: its fields, its date and its sources, and a short name for references to it."""

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


def data_of(view: SubjectView, fact_id: str | None) -> Mapping[str, Any]:
    """Return the data in force of a fact; empty if the fact is not known or was retracted."""
    if fact_id is None or fact_id not in view.facts:
        return {}
    return data_in_force(view, fact_id) or {}


def fact_words(view: SubjectView, fact_id: str) -> str:
    """Return a fact in a few words, for a reference to it."""
    line = view.facts.get(fact_id)
    if line is None:
        return f"a fact that is not known ({safe(fact_id)})"
    data = data_in_force(view, fact_id) or line.fact.data
    return f"{type_words(line.fact.type)}, {when(data)} (fact {safe(fact_id)})"


def since_words(view: SubjectView, cell: Mapping[str, Any]) -> str:
    """Return the date on which a cell began, as the source wrote it; empty if it is not known."""
    if cell.get("since") is None:
        return ""
    wording = data_of(view, cell["fact_id"]).get("occurred_text")
    return safe(f"{cell['since']} (“{wording}”)" if wording else cell["since"])


def field_lines(view: SubjectView, type_: str, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield each field that a fact of *type_* has beyond its date and sources, as ``label: value``."""
    for field, value in data.items():
        if field not in SHOWN_ELSEWHERE and not (field == "currency" and "amount" in data):
            yield f"{label(type_, field)}: {value_words(view, field, value, data)}"


def label(type_: str, field: str) -> str:
    """Return the name of a field as people write it."""
    if field == "kind":
        return "kind of measure" if type_.startswith("Measure") else "kind of case"
    return _LABELS.get(field) or words(field)


def value_words(view: SubjectView, field: str, value: Any, data: Mapping[str, Any]) -> str:  # noqa: ANN401, PLR0911 - JSON
    """
    Return the value of a field for people.

    Args:
        view: the person's facts, for references by id.
        field: its name.
        value: any JSON value; None if a correction removed it.
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
            return ", ".join(fact_words(view, fact_id) for fact_id in value)
        case "fact_id", str():
            return fact_words(view, value)
        case "by", dict():
            return accuser_words(value)
        case "by", str():
            return _SIDES.get(value, safe(words(value)))
        case "amount", _:
            return safe(sum_words({**data, "amount": value}))
    return _plain(field, value)


def accuser_words(by: Mapping[str, Any]) -> str:
    """Return the accuser, by name, by id or by both."""
    person = f"[{by['subject_id']}]" if "subject_id" in by else ""
    return safe(f"{by.get('name', '')} {person}".strip())


def detail_words(view: SubjectView, type_: str, data: Mapping[str, Any]) -> str:
    """Return the fields of a step of a case, on one line."""
    left_out = {"case_id", "note", "ref", "jurisdiction"}
    fields = {field: value for field, value in data.items() if field not in left_out}
    lines = (line.partition(": ") for line in field_lines(view, type_, fields))
    # Beside an accuser or an appellant, "by" with an authority would read as a second accuser or appellant.
    unclear = {"authority"} if type_ == "Accused" or "by" in fields else set()
    return "; ".join(f"{name}: {value}" if name in unclear else _shorter(name, value) for name, _, value in lines)


def ground_lines(view: SubjectView, fact_id: str, name: str = "") -> Iterator[str]:
    """
    Yield the grounds of a statement: the date of publication, the sources, the corrections and the note of a fact.

    Args:
        view: the person's facts.
        fact_id: the fact.
        name: words before it, if several facts are under one statement.
    """
    data = data_of(view, fact_id)
    yield f"    {name}published {safe(data.get('published', '(not known)'))}, fact {safe(fact_id)}"
    for source in data.get("sources", ()):
        yield f"    source: {source_words(source)}"
    yield from correction_lines(view, fact_id)
    if "note" in data:
        yield f"    note: {safe(data['note'])}"


def correction_lines(view: SubjectView, fact_id: str) -> Iterator[str]:
    """Yield each correction of a fact and its sources; nothing if the fact is as first published."""
    replaced_by = view.history.corrections.replaced_by
    by = replaced_by.get(fact_id)
    while by is not None:
        correction = view.facts[by].fact.data
        yield f"    as corrected, published {safe(correction['published'])}, fact {safe(by)}"
        yield from (f"    source of the correction: {source_words(source)}" for source in correction["sources"])
        by = replaced_by.get(by)


def _shorter(name: str, value: str) -> str:
    """Return a field of a step without its label or its value, if a reader does not need it."""
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
