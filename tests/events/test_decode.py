"""Reading facts: accepted and refused forms, the words of refusals, and the fields that the publisher fills in."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from events.decode import MAX_BYTES, complete, decode, recorded_of, restore
from events.errors import Unreadable
from events.facts import UNRECORDED
from tests.support.places import CASES
from tests.support.refused import REFUSED, TERMS, nested, sourced
from tests.support.strategies import BARE, EVENT, NOW, envelope, event, json_values, lines, written

CODES = {"not_json", "not_utf8", "too_large", "too_deep", "nul", "surrogate"}
CODES |= {"unknown_type", "unknown_version", "invalid"}


def refusal(of: Callable[[], object]) -> Unreadable:
    """Return the error that *of* raises."""
    with pytest.raises(Unreadable) as caught:
        of()
    return caught.value


def test_a_fact_is_read_with_its_times() -> None:
    """The example of the docs: detained on the 25th, known on the 27th."""
    fact = decode(envelope())

    assert ("fact-1", "Detained", "kz-bukharbaev", "urn:example:desk", "1") == fact[:5]
    assert fact.data == BARE
    assert (datetime(2022, 4, 25, tzinfo=UTC), datetime(2022, 4, 26, tzinfo=UTC)) == fact.occurred[:2]
    assert (datetime(2022, 4, 27, tzinfo=UTC), datetime(2022, 4, 28, tzinfo=UTC)) == fact.published[:2]
    assert not fact.announced
    assert fact.recorded == UNRECORDED


@pytest.mark.parametrize(("line", "code", "words"), REFUSED, ids=[f"{code}-{words[:40]}" for _, code, words in REFUSED])
def test_what_is_no_fact_is_refused_by_code_and_in_words(line: bytes, code: str, words: str) -> None:
    """The code is stable; the words name the place, the finding and the wanted value. The publisher refuses alike."""
    error = refusal(lambda: decode(line))

    assert code == error.code
    assert words in str(error)
    # `complete` fills in an id and other missing attributes, so that they are not a reason to refuse.
    assert code == refusal(lambda: complete(line, NOW)).code


OPEN_ENDS = [
    *(
        "2022-03/present",
        "2022-03/?",
        "2022/open",
        "2022/-",
        "2022/now",
        "2022/unknown",
        "2022/...",
        "2022/2023/",
        "since 2022",
    ),
    *("Before 2022-03", "2022-", "2022-03-", "2022 - today", "2022\u2013", "2022+", "present", ".."),
]


@pytest.mark.parametrize("written_as", OPEN_ENDS)
def test_an_open_end_in_other_words_is_refused_with_the_right_way_to_write_it(written_as: str) -> None:
    """The message quotes the whole value, so that the line can be found, and shows the two points."""
    error = refusal(lambda: decode(event(occurred=written_as)))

    assert error.what.startswith(json.dumps(written_as))
    assert error.wanted == "an open end as .., such as 2022-03/.. or ../2022-03"


@pytest.mark.parametrize("part", ["2022-13", "2022-02-30", "soon", "2022-03 "])
def test_an_error_in_an_interval_quotes_the_whole_interval(part: str) -> None:
    """The message continues with the wrong end."""
    for interval in (f"{part}/2023", f"2022/{part}"):
        error = refusal(partial(decode, event(occurred=interval)))

        assert error.what.startswith(f'"{interval}": "{part}" ')


@pytest.mark.parametrize(("name", "refused_lines"), [("blank-source", [1, 2, 3]), ("space-in-ids", [1, 4, 5])])
def test_the_shared_cases_are_refused_line_by_line(name: str, refused_lines: list[int]) -> None:
    """A blank source is not a source, and an id with an invisible edge is another person or case."""
    lines_of_case = (CASES / f"{name}.ndjson").read_bytes().splitlines()

    assert refused_lines == [number for number, line in enumerate(lines_of_case, 1) if problem_place(line)]
    assert all(problem_place(lines_of_case[number - 1]).startswith(("data.", "subject")) for number in refused_lines)


def problem_place(line: bytes) -> str:
    """Return the place of the refusal; an empty text if the line is accepted."""
    try:
        complete(line, NOW)
    except Unreadable as error:
        return error.where
    return ""


@pytest.mark.parametrize("field", ["url", "archived_url"])
@pytest.mark.parametrize(
    "address",
    [
        *("javascript:alert(1)", "JavaScript://news.example/%0aalert(1)", " javascript:alert(1)", "data:text/html,x"),
        *("file:///etc/passwd", "mailto:desk@news.example", "view-source:https://news.example/1", "//news.example/1"),
        *(
            "https:news.example/1",
            "https://",
            "https:///1",
            "https://?q",
            "http",
            "urn:",
            "doi: 10.1000/1",
            "-https://a",
        ),
    ],
)
def test_an_address_that_no_reader_can_look_up_is_refused(field: str, address: str) -> None:
    """A page shows it as a link. The link must not run code or open files of the reader."""
    error = refusal(lambda: decode(sourced(**{"title": "a", field: address})))

    assert f"data.sources[0].{field}" == error.where
    assert "an address that begins with http://, https://, ftp://, urn: or doi:, such as https://news.example/1" == (
        error.wanted
    )


@pytest.mark.parametrize(
    "address",
    [
        *("https://news.example", "HTTP://news.example:8080/a?b#c", "https://новости.example/статья", "https://[::1]/"),
        *("ftp://gazette.example/1.pdf", "urn:isbn:0451450523", "URN:lex:kz:parliament:law", "doi:10.1000/182"),
    ],
)
def test_what_newsrooms_cite_is_an_address(address: str) -> None:
    """Pages, files of an official gazette, books, laws and papers."""
    fact = decode(sourced(url=address, archived_url=address))

    assert address == fact.data["sources"][0]["url"]


@pytest.mark.parametrize(
    "line",
    [
        envelope(dataversion="1", time="2016-12-31T23:59:60Z", datacontenttype="application/json; charset=utf-8"),
        envelope(time="2022-04-27t08:00:00.1234567+06:00", dataschema="urn:example:schema", recorded="anything"),
        written({**EVENT, "time": None, "dataversion": None, "traceparent": None}),
        envelope(traceparent="00-1", sampled=True, count=7),
        envelope(id="a" * 255, source="a" * 1024, subject="Иван Ильич"),
        event(note='a \\u0000 that is only text: \\ud800, "\\', occurred_text="\U0001f600\n\t"),
        event(note="\\\\u0000"),
        event("Charged", charges=[{"title": "a", "amount": amount} for amount in (0, 2**53 - 1, 0.5)]),
        event("Charged", charges=[{"count_id": "1", "counts": 100_000, "currency": "DEM"}, {"article": "\u200b1 "}]),
        event("Sentenced", parts=[{"kind": "probation", "term": term} for term in TERMS]),
        event("Noted", title="\u202aimpeached\u202c ", classes=[]),
        event("Dismissed", case_id=None, after=["fact 0", "Дело № 1"]),
        event("Accused", by={"subject_id": "kz-aimbetov"}),
        event("Corrected", fact_id="1", data={}),
        event("SubjectDescribed", aliases=[]),
        event(occurred="XXXX-04-25", published="2022"),
        nested(64),
    ],
)
def test_what_is_unusual_but_right_is_taken(line: bytes) -> None:
    """Validation is strict, but no fact is refused for being unlikely."""
    assert json.loads(line)["data"] == decode(line).data
    assert decode(line) == complete(line, NOW)[0]


@pytest.mark.parametrize("name", ["specversion", "id", "source", "subject", "type", "data"])
def test_a_record_of_the_log_has_every_attribute_that_names_it(name: str) -> None:
    """Only the publisher fills in missing fields."""
    assert "missing" in str(refusal(lambda: decode(envelope(**{name: None}))))


def test_the_publisher_fills_in_what_is_missing() -> None:
    """The time is the publisher's, the id is derived, and the rest has only one value."""
    line = written({name: EVENT[name] for name in ("type", "source", "subject", "data")})

    fact, completed = complete(line, NOW)
    assert json.loads(completed) == {
        "specversion": "1.0",
        "id": fact.id,
        "type": "Detained",
        "source": "urn:example:desk",
        "subject": "kz-bukharbaev",
        "time": "2024-06-01T12:00:00Z",
        "datacontenttype": "application/json",
        "dataversion": "1",
        "data": BARE,
    }
    assert (fact, completed) == complete(completed, datetime(2025, 1, 1, tzinfo=UTC))


def test_the_publisher_keeps_what_is_given_and_drops_recorded() -> None:
    """Any `recorded` is dropped: the log sets its own."""
    given = {"id": "mine", "time": "2022-04-27T08:00:00+06:00", "traceparent": "00-1"}

    _, completed = complete(envelope(**given, recorded=17), NOW)
    assert given.items() <= json.loads(completed).items()
    assert "recorded" not in json.loads(completed)


def test_a_line_that_grows_too_large_when_completed_is_refused() -> None:
    """A projector would park it, and the publisher would not notice."""
    bare = written({name: EVENT[name] for name in ("type", "source", "subject")} | {"data": {**BARE, "note": "?"}})
    line = bare.replace(b": ", b":").replace(b", ", b",").replace(b"?", b"a" * (MAX_BYTES - len(bare)))

    assert len(line) <= MAX_BYTES
    assert refusal(lambda: complete(line, NOW)).code == "too_large"


@pytest.mark.parametrize(
    ("line", "twin"),
    [
        (envelope().replace(b'"id"', b'"id": "other", "id"'), "id"),
        (envelope().replace(b'"occurred"', b'"occurred": "2022", "\\u006fccurred"'), "occurred"),
        # The lost twin removes two marks, and the escaped ones add two.
        (sourced(title="?").replace(b'"title": "?"', b'"title": 1, "title": "\\u0022\\u0022"'), "title"),
        (event("Corrected", fact_id="1", data={"a": 1}).replace(b'"a"', b'"a\\"": 2, "a\\"": 3, "a"'), 'a\\"'),
    ],
)
def test_a_key_that_stands_twice_is_refused_by_the_publisher_only(line: bytes, twin: str) -> None:
    """It is unknown which of the two was meant. In the log it is too late to ask, so the last one counts."""
    assert f'the key "{twin}" stands twice in one object' in str(refusal(lambda: complete(line, NOW)))
    assert decode(line).data == json.loads(line)["data"]


def test_escaped_quotation_marks_are_no_twins() -> None:
    """The count of quotation marks is only the first check."""
    line = event(note="?").replace(b"?", b'\\u0022 and \\" and \\u0022')

    assert complete(line, NOW)[0].data["note"] == '" and " and "'


def test_recorded_of_an_export_is_its_instant() -> None:
    """A date-time is read as it is, a day as its end. A line without `recorded` has none."""
    assert recorded_of(envelope(recorded="2022-04-27T08:00:00+06:00")) == datetime(2022, 4, 27, 2, tzinfo=UTC)
    assert recorded_of(envelope(recorded="2022-04-27")) == datetime(2022, 4, 28, tzinfo=UTC)
    assert recorded_of(envelope()) is None
    assert recorded_of(b'{"recorded": null}') is None


@pytest.mark.parametrize("line", [envelope(recorded="soon"), envelope(recorded=17), b"[]", b"{", b"\xff", b"NaN"])
def test_a_recorded_that_is_no_instant_is_refused(line: bytes) -> None:
    """A backtest must not guess its clock."""
    assert refusal(lambda: recorded_of(line)).code in CODES


@given(st.binary() | st.text().map(str.encode) | json_values.map(written))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    """Any input raises nothing but Unreadable, with a known code."""
    assert {verdict(reading, value) for reading in (decode, publish, recorded_of)} <= {"taken", *CODES}


@given(line=lines, cut=st.integers(0, 400), to=st.integers(0, 400), by=st.binary(max_size=4))
def test_a_damaged_fact_is_read_or_refused(line: dict[str, Any], cut: int, to: int, by: bytes) -> None:
    """Damage near a real fact reaches further into the reader than noise does."""
    value = written(line)
    damaged = value[:cut] + by + value[to:]

    assert {verdict(decode, damaged), verdict(publish, damaged)} <= {"taken", *CODES}


@given(line=lines, data=st.data(), other=json_values)
def test_the_publisher_takes_what_the_projector_takes(line: dict[str, Any], data: st.DataObject, other: Any) -> None:
    """Any value at any place of a complete fact: the same outcome, with the same code."""
    event = json.loads(complete(written(line), NOW)[1])
    place = data.draw(st.sampled_from([event, event["data"], *event["data"]["sources"]]))
    # A null attribute is a missing one, which the publisher fills in.
    assume(place is not event or other is not None)
    place[data.draw(st.sampled_from(sorted(place)) | st.text(max_size=3))] = other

    assert verdict(decode, written(event)) == verdict(publish, written(event))


def publish(line: bytes) -> None:
    """Complete *line*, and check that the projector reads the result as the same fact."""
    fact, completed = complete(line, NOW)
    assert fact == decode(completed)


def verdict(reading: Callable[[bytes], object], value: bytes) -> str:
    """Return the code with which *value* is refused, or "taken"."""
    try:
        reading(value)
    except Unreadable as error:
        return error.code
    return "taken"


@given(line=lines)
def test_what_is_completed_decodes_to_the_same_fact(line: dict[str, Any]) -> None:
    """Data stays as it was, and a second publication of a published line changes nothing."""
    fact, completed = complete(written(line), NOW)

    assert line["data"] == fact.data
    assert fact == decode(completed)
    assert (fact, completed) == complete(completed, NOW)


@given(line=lines)
def test_what_was_decoded_is_restored_the_same(line: dict[str, Any]) -> None:
    """Only `recorded` comes from the ledger."""
    fact, completed = complete(written(line), NOW)

    assert fact == restore(completed, UNRECORDED)
    assert fact._replace(recorded=NOW) == restore(completed, NOW)
