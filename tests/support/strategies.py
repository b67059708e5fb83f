"""Facts for tests: builders of one fact, and strategies for facts of every type with any of their fields."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints
from unicodedata import category

from hypothesis import strategies as st

from events.fields import MAX_COUNTS, MAX_NUMBER
from events.shapes import Accuser, Charge, SentencePart, Source
from events.vocabulary import DATA

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
"""The publisher's clock in tests."""

BARE: Mapping[str, Any] = {
    "occurred": "2022-04-25",
    "published": "2022-04-27",
    "case_id": "kz-bukharbaev-fraud",
    "sources": [{"url": "https://news.example/1"}],
}
EVENT: Mapping[str, Any] = {
    "specversion": "1.0",
    "id": "fact-1",
    "type": "Detained",
    "source": "urn:example:desk",
    "subject": "kz-bukharbaev",
    "data": BARE,
}


def written(event: object) -> bytes:
    """Return the bytes of an event, with NaN and Infinity as Python writes them."""
    return json.dumps(event).encode()


def event(type_: str = "Detained", /, **data: object) -> bytes:
    """Return a fact with these fields in its data; None leaves a field out."""
    return written({**EVENT, "type": type_, "data": kept({**BARE, **data})})


def envelope(**attributes: object) -> bytes:
    """Return a fact with these attributes; None leaves an attribute out."""
    return written(kept({**EVENT, **attributes}))


def kept(fields: Mapping[str, object]) -> dict[str, object]:
    """Return *fields* without those that are None."""
    return {name: value for name, value in fields.items() if value is not None}


DATES = (
    *("2022-03-27", "2022-03", "2022", "2022-03-27T10:30:00+06:00", "2022-03-27~", "2022-03?", "2022-03-2X", "20XX"),
    *("2022-03-01/2022-03-15", "2022-03/..", "../2022-04-27", "XXXX-11-02", "2031-01-01"),
)
ENDING_DATES = tuple(date for date in DATES if date not in {"2022-03/..", "XXXX-11-02"})

INVISIBLE: Final = ("Cf", "Cc", "Zl", "Zp")
"""The categories of invisible characters: an id has none of them, and a text needs other characters too."""


def seen(text: str) -> bool:
    """Return whether *text* has a visible character."""
    return any(not char.isspace() and category(char) not in INVISIBLE for char in text)


# Without characters that are unassigned in Python's version of Unicode, because pydantic's version takes some of them
# as invisible.
UNKNOWN: Final = ("Cs", "Cn")
texts = st.text(st.characters(exclude_categories=UNKNOWN, exclude_characters="\0"), min_size=1, max_size=12).filter(
    seen
)
names = st.text(st.characters(exclude_categories=(*UNKNOWN, *INVISIBLE)), min_size=1, max_size=12).filter(
    lambda text: text == text.strip()
)
addresses = st.sampled_from(["https://news.example/1", "urn:isbn:0451450523"])
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def shaped(shape: Any, **always: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of a typed dictionary *shape*: the required fields, *always*, and any of the others."""
    required = {name: value_of(shape, name) for name in sorted(shape.__required_keys__)} | always
    rest = {name: value_of(shape, name) for name in sorted(shape.__optional_keys__) if name not in required}
    return st.fixed_dictionaries(required, optional=rest)


def value_of(shape: Any, name: str) -> st.SearchStrategy[Any]:
    """Values of the field *name*: words that the shape lists, booleans, or the strategy in `FIELDS`."""
    hint = get_type_hints(shape)[name]
    if hint is bool:
        return st.booleans()
    words = get_args(hint) if get_origin(hint) is Literal else ()
    return st.sampled_from(words) if words else FIELDS.get(name, texts)


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("case_id", "fact_id", "other", "subject_id", "post_id", "to_post_id", "count_id"), names),
    **dict.fromkeys(("occurred", "born", "retrieved", "until"), st.sampled_from(DATES)),
    **dict.fromkeys(("url", "archived_url"), addresses),
    **dict.fromkeys(("aliases", "classes"), st.lists(texts, max_size=2)),
    "published": st.sampled_from(ENDING_DATES),
    "credibility": st.integers(1, 6),
    "counts": st.integers(1, MAX_COUNTS),
    "amount": st.integers(0, MAX_NUMBER) | st.floats(0, MAX_NUMBER),
    "currency": st.sampled_from(["USD", "KZT", "DEM"]),
    "term": st.sampled_from(["P9Y", "P1Y6M", "P10D", "P2W", "PT240H"]),
    "after": st.lists(names, min_size=1, max_size=2),
    "data": st.dictionaries(texts, json_values, max_size=3),
}
FIELDS["sources"] = st.lists(shaped(Source, url=addresses) | shaped(Source, title=texts), min_size=1, max_size=2)
FIELDS["charges"] = st.lists(
    shaped(Charge, title=texts) | shaped(Charge, article=texts) | shaped(Charge, count_id=names), min_size=1, max_size=2
)
FIELDS["parts"] = st.lists(shaped(SentencePart), min_size=1, max_size=2)
FIELDS["by"] = shaped(Accuser, name=texts) | shaped(Accuser, subject_id=names)


def lines_of(type_: str) -> st.SearchStrategy[dict[str, Any]]:
    """Facts of *type_* as a tool writes them; some leave out the fields that the publisher fills in."""
    return st.fixed_dictionaries(
        {"type": st.just(type_), "source": names, "subject": names, "data": shaped(DATA[type_])},
        optional={
            "id": names,
            "specversion": st.just("1.0"),
            "dataversion": st.just("1"),
            "time": st.sampled_from(["2022-04-27T08:00:00Z", "2022-04-27T14:00:00.123+06:00"]),
            "datacontenttype": st.just("application/json"),
            "recorded": st.just("2022-04-27T08:00:00Z"),
            "traceparent": texts | st.booleans() | st.integers(),
        },
    )


lines = st.sampled_from(sorted(DATA)).flatmap(lines_of)
"""Facts of any type, as objects that `complete` accepts."""
