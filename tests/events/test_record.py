"""The fact in a record: the short way and the way by the JSON form agree on any input."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events import record
from events.cloudevents import to_binary, to_json_form
from events.decode import MAX_BYTES, complete, decode
from events.errors import Unreadable
from events.facts import Fact
from events.record import decode_record
from tests.support.refused import REFUSED
from tests.support.strategies import EVENT, NOW, event, json_values, lines, written

Record = tuple[list[list[Any]], bytes]

BINARY = [["content-type", "application/json"], *([f"ce_{name}", EVENT[name]] for name in EVENT if name != "data")]
VALUE = written(EVENT["data"])
OBJECTS = [json.loads(line) for line, code, _ in REFUSED if code in {"invalid", "unknown_type", "unknown_version"}]
OTHERS = [
    *("2", "1.0", "Dismissed", "Sacked", "text/xml", "application/json; charset=utf-8", "application/cloudevents+json"),
    *(
        "2022-04-27T08:00:00Z",
        "2022-02-30T08:00:00Z",
        "2016-12-31T23:59:60Z",
        " ",
        "a\nb",
        "a\0b",
        "\\u0000",
        '"',
        "é" * 200,
        "a" * MAX_BYTES,
    ),
    *(None, {"base64": "/w=="}),
]
NAMES = [
    *(f"ce_{name}" for name in ("id", "subject", "time", "type", "dataversion", "dataschema", "recorded", "data")),
    *(f"ce_{name}" for name in ("datacontenttype", "specversion", "traceparent", "a-b")),
    *("Content-Type", "content-type", "trace"),
]
ORDER = Random(0)  # noqa: S311 - no secret
headers_of_any_kind = st.tuples(st.sampled_from(NAMES), st.sampled_from(OTHERS)).map(list)


def as_record(told: dict[str, Any]) -> Record:
    """Return a fact in binary mode, valid or not."""
    attributes = {name: value for name, value in told.items() if name != "data" and value is not None}
    headers = [
        [f"ce_{name}", value if isinstance(value, str) else json.dumps(value)] for name, value in attributes.items()
    ]
    return [["content-type", "application/json"], *headers], written(told["data"]) if "data" in told else b""


def said(reading: Callable[[], Fact]) -> Fact | tuple[str, str]:
    """Return the fact, or the code and the words of its refusal."""
    try:
        return reading()
    except Unreadable as problem:
        return problem.code, str(problem)


def by_json_form(headers: list[list[Any]], value: bytes) -> Fact | tuple[str, str]:
    """Return the outcome for the whole JSON form."""
    return said(lambda: decode(to_json_form(headers, value), NOW))


def shortly(headers: list[list[Any]], value: bytes) -> Fact | tuple[str, str]:
    """Return the outcome for the record."""
    return said(lambda: decode_record(headers, value, NOW))


@given(line=lines)
def test_a_published_fact_is_read_from_its_record(line: dict[str, Any]) -> None:
    """In binary mode as it was written, and in the JSON form if there are no headers."""
    fact, completed = complete(written(line), NOW)
    headers, value = to_binary(completed)

    assert fact._replace(recorded=NOW) == decode_record([[name, text.decode()] for name, text in headers], value, NOW)
    assert fact._replace(recorded=NOW) == decode_record(None, completed, NOW)


@pytest.mark.parametrize("more", [[], [["ce_time", "2022-04-27T08:00:00Z"]], [["traceparent", "00-1"]]])
def test_a_usual_record_is_read_the_short_way(more: list[list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a time, and with headers that do not belong to the fact."""
    expected = by_json_form([*BINARY, *more], VALUE)
    monkeypatch.delattr(record, "decode")

    assert expected == shortly([*BINARY, *more], VALUE)


@example([["ce_id", "other"]], set(), ORDER)
@example([["ce_type", "Dismissed"]], set(), ORDER)
@given(st.lists(headers_of_any_kind, max_size=3), st.sets(st.integers(0, len(BINARY) - 1), max_size=2), st.randoms())
def test_whatever_headers_come_both_ways_say_the_same(others: list[list[Any]], gone: set[int], random: Random) -> None:
    """Headers that are missing, repeated, not text, of another mode or in another order."""
    headers = [header for index, header in enumerate(BINARY) if index not in gone] + others
    random.shuffle(headers)

    assert by_json_form(headers, VALUE) == shortly(headers, VALUE)


@pytest.mark.parametrize("name", NAMES)
def test_whatever_a_header_says_both_ways_say_the_same(name: str) -> None:
    """Each replaces the former value."""
    others = [header for header in BINARY if header[0] != name]

    for other in OTHERS:
        headers = [*others, [name, other]]
        assert by_json_form(headers, VALUE) == shortly(headers, VALUE)


@given(st.binary(max_size=4), st.integers(0, len(VALUE)), st.integers(0, len(VALUE)))
def test_whatever_value_comes_both_ways_say_the_same(by: bytes, cut: int, to: int) -> None:
    """A value that is damaged at any place."""
    damaged = VALUE[:cut] + by + VALUE[to:]

    assert by_json_form(BINARY, damaged) == shortly(BINARY, damaged)


@given(st.sampled_from(sorted(EVENT["data"])), json_values)
def test_whatever_the_data_holds_both_ways_say_the_same(name: str, other: Any) -> None:
    """Any value for any field."""
    value = written({**EVENT["data"], name: other})

    assert by_json_form(BINARY, value) == shortly(BINARY, value)


@pytest.mark.parametrize("told", [told for told in OBJECTS if isinstance(told, dict)])
def test_what_is_no_fact_is_refused_in_the_same_words(told: dict[str, Any]) -> None:
    """Each example of the JSON form, as headers and value."""
    headers, value = as_record(told)

    assert by_json_form(headers, value) == shortly(headers, value)


@pytest.mark.parametrize(
    "value",
    [
        VALUE + b',"id":"other"',
        VALUE + b',"data":' + VALUE,
        b"\xef\xbb\xbf" + VALUE,
        VALUE.replace(b"{", b'{"note":"a\\u0000b",', 1),
        VALUE.replace(b"2022-04-25", b"\\ud800"),
        VALUE.replace(b"{", b'{"note":"\\\\u0000",', 1),
        VALUE.replace(b"{", b'{"occurred":"2022-04-24",', 1),
        json.dumps(json.loads(event(note="a" * (MAX_BYTES // 2)))["data"]).encode(),
        json.dumps(json.loads(event(note="a" * MAX_BYTES))["data"]).encode(),
    ],
    ids=["closed", "twice", "mark", "nul", "surrogate", "no-nul", "key-twice", "large", "too-large"],
)
def test_a_value_that_is_out_of_the_ordinary_is_read_or_refused_alike(value: bytes) -> None:
    """The short way accepts nothing that the other way refuses."""
    assert by_json_form(BINARY, value) == shortly(BINARY, value)


def test_no_value_can_take_the_place_of_a_header() -> None:
    """A value that closes the object around it is refused: it is not a single JSON value."""
    said_of_it = shortly(BINARY, VALUE + b',"subject":"somebody-else"')

    assert ("not_json", True) == (said_of_it[0], "trailing characters" in str(said_of_it[1]))
