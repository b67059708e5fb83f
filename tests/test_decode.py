"""Reading facts: what is taken, what is refused and in which words, and what the publisher fills in."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from events.decode import MAX_BYTES, complete, decode, recorded_of, restore
from events.errors import Unreadable
from events.facts import UNRECORDED
from tests.made import BARE, EVENT, NOW, envelope, event, json_values, lines, written

CODES = {"not_json", "not_utf8", "too_large", "too_deep", "nul", "surrogate"}
CODES |= {"unknown_type", "unknown_version", "invalid"}


def sourced(**source: object) -> bytes:
    """A fact with one such source."""
    return event(sources=[source])


def charged(**charge: object) -> bytes:
    """A `Charged` with one such charge."""
    return event("Charged", charges=[charge])


def nested(levels: int) -> bytes:
    """A `Corrected` that is *levels* deep, the envelope being the first."""
    data: object = 1
    for _ in range(levels - 3):
        data = [data]
    return event("Corrected", fact_id="fact-0", data={"deep": data})


def refusal(of: Callable[[], object]) -> Unreadable:
    """What *of* raises."""
    with pytest.raises(Unreadable) as caught:
        of()
    return caught.value


def test_a_fact_is_read_with_its_times() -> None:
    """The example of the design: detained on the 25th, known on the 27th."""
    fact = decode(envelope())

    assert ("fact-1", "Detained", "kz-bukharbaev", "urn:example:desk", "1") == fact[:5]
    assert fact.data == BARE
    assert (datetime(2022, 4, 25, tzinfo=UTC), datetime(2022, 4, 26, tzinfo=UTC)) == fact.occurred[:2]
    assert (datetime(2022, 4, 27, tzinfo=UTC), datetime(2022, 4, 28, tzinfo=UTC)) == fact.published[:2]
    assert not fact.announced
    assert fact.recorded == UNRECORDED


REFUSED: list[tuple[bytes, str, str]] = [
    # Bytes and JSON.
    (b"", "not_json", "an empty line (want a fact as one JSON object)"),
    (b" \n", "not_json", "an empty line"),
    (b'{"type":', "not_json", "broken JSON at place 8: EOF"),
    (envelope() + b"{}", "not_json", "trailing characters"),
    (b"NaN", "not_json", "NaN is not JSON"),
    (charged(amount=float("nan")), "not_json", "NaN is not JSON"),
    (event("Corrected", fact_id="1", data={"a": [float("-inf")]}), "not_json", "-Infinity is not JSON"),
    (b"[" + envelope() + b"]", "invalid", "(want an object)"),
    (b'"fact"', "invalid", '"fact" does not fit (want an object)'),
    (b"\xef\xbb\xbf" + envelope(), "not_utf8", "a byte order mark at the start (want UTF-8 without one)"),
    (envelope().decode().encode("utf-16"), "not_utf8", "byte 0xff at place 1 is not UTF-8"),
    (envelope(subject="\u0416").decode("unicode-escape").encode("cp1251"), "not_utf8", "byte 0xc6"),
    (envelope(subject="ab").replace(b"ab", b"\xed\xa0\x80"), "not_utf8", "byte 0xed"),
    (event(note="a" * MAX_BYTES), "too_large", "bytes (want at most 900000)"),
    (event(note="a\0b"), "nul", "a NUL character"),
    (event(note="a\\\0b"), "nul", "a NUL character"),
    (envelope(subject="ab").replace(b"ab", b"a\0b"), "nul", "a NUL character"),
    (event(note="\ud83d"), "surrogate", r"a lone surrogate, ud83d"),
    (event(note="\ude00 first"), "surrogate", "a lone surrogate, ude00"),
    (event(note="\ud83d\ud83d\ude00"), "surrogate", "a lone surrogate, ud83d"),
    (event(note="\\\ud83d"), "surrogate", "a lone surrogate, ud83d"),
    (nested(65), "too_deep", "nested too deep (want at most 64 levels)"),
    (b"[" * 65 + b"]" * 65, "too_deep", "nested too deep"),
    (b'{"a":' * 100_000, "too_deep", "nested too deep"),
    # The envelope.
    (b"{}", "invalid", "type: missing (want the type of the fact, a string)"),
    (envelope(type=5), "invalid", "type: 5 does not fit"),
    (
        envelope(type="Detaned"),
        "unknown_type",
        'type: "Detaned" is not a type this release knows (want perhaps Detained)',
    ),
    (envelope(type="Sacked", dataversion="2", data={}), "unknown_type", "one that `casetrail schema` lists"),
    (envelope(dataversion="2", data={}), "unknown_version", 'dataversion: "2" is not a version this release knows'),
    (envelope(dataversion=1), "invalid", "dataversion: 1 does not fit (want '1')"),
    (envelope(specversion="0.3"), "invalid", "specversion: \"0.3\" does not fit (want '1.0')"),
    (envelope(id=""), "invalid", 'id: "" does not fit (want a name that is not blank'),
    (envelope(id="a" * 256), "invalid", "does not fit (want at most 255 characters)"),
    (envelope(subject=None), "invalid", "subject: missing (want the subject_id of the person it is about)"),
    (envelope(subject=" \u3000"), "invalid", "subject: "),
    (envelope(source="urn:a\nb"), "invalid", "source: "),
    (envelope(source="urn:a\x85b"), "invalid", "source: "),
    (envelope(data=None), "invalid", "data: missing"),
    (envelope(data=[1]), "invalid", "data: [1] does not fit (want an object)"),
    (envelope(time="2022-04-27"), "invalid", 'time: "2022-04-27" does not fit (want an RFC 3339 date-time'),
    (envelope(time="2022-04-27T08:00:00"), "invalid", "time: "),
    (envelope(time="2022-02-30T08:00:00Z"), "invalid", "is on a day that does not exist"),
    (envelope(time="\uff12022-04-27T08:00:00Z"), "invalid", "time: "),
    (envelope(datacontenttype="text/xml"), "invalid", "(want application/json)"),
    (envelope(subject_id="x"), "invalid", 'unknown attribute "subject_id" (want one of data, '),
    (envelope(trace={"a": 1}), "invalid", 'trace: {"a": 1} does not fit'),
    (envelope(trace=1.5), "invalid", "trace: 1.5 does not fit"),
    # The data.
    (event(occurred=None), "invalid", "data.occurred: missing (want the time it happened, as EDTF"),
    (event(occurred="2024-13-01"), "invalid", 'data.occurred: "2024-13-01" is not a date (want EDTF, such as'),
    (event(occurred=20220425), "invalid", "data.occurred: 20220425 does not fit (want a string)"),
    (event(occurred="2" * 101), "invalid", "(want at most 100 characters)"),
    (
        event(published="2022-04/.."),
        "invalid",
        'data.published: "2022-04/..": published has no end (want the latest day',
    ),
    (event(published="XXXX-04-27"), "invalid", "published has no end"),
    (event(published="soon"), "invalid", 'data.published: "soon" is not a date'),
    (event(sources=[]), "invalid", "data.sources: [] does not fit (want at least one)"),
    (event(sources={"url": "urn:a:b"}), "invalid", "data.sources: "),
    (event(sources=["https://news.example/1"]), "invalid", "data.sources[0]: "),
    (sourced(publisher="P"), "invalid", "data.sources[0]: a source without url and without title"),
    (
        event(sources=[{"title": "a"}, {"url": "news"}]),
        "invalid",
        'data.sources[1].url: "news" does not fit (want an addr',
    ),
    (sourced(url="https://news.example/a b"), "invalid", "data.sources[0].url"),
    (sourced(title="a", retrieved="yesterday"), "invalid", 'data.sources[0].retrieved: "yesterday"'),
    (sourced(title="a", reliability="G"), "invalid", "'A', 'B', 'C', 'D', 'E' or 'F'"),
    (sourced(title="a", credibility=0), "invalid", "data.sources[0].credibility: 0 does not fit (want 1 or more)"),
    (sourced(title="a", credibility=7), "invalid", "(want 6 or less)"),
    (sourced(title="a", credibility=True), "invalid", "data.sources[0].credibility: true"),
    (sourced(title="a", credibility="2"), "invalid", '"2" does not fit (want a whole number)'),
    (sourced(titel="a"), "invalid", 'unknown field "titel" (want one of url, title, publisher, '),
    (event(note=""), "invalid", 'data.note: "" does not fit (want a string that is not empty)'),
    (event(note=["a"] * 100), "invalid", "... does not fit (want a string)"),
    (event(charges=[]), "invalid", 'data.charges: unknown field "charges" (want one of occurred, '),
    (event("Charged", case_id=None), "invalid", "data.case_id: missing (want the case it belongs to"),
    (
        charged(amount=-1),
        "invalid",
        "data.charges[0].amount: -1 is not an amount (want a number from 0 to 9007199254740991)",
    ),
    (charged(amount=2**53), "invalid", "9007199254740992 is not an amount"),
    (charged(amount=True), "invalid", "true is not an amount"),
    (charged(amount="5"), "invalid", '"5" is not an amount'),
    (charged(sum=5), "invalid", 'unknown field "sum" (want one of article, title, amount, currency)'),
    (event("Accused", by={}), "invalid", "data.by: an accuser without subject_id and without name"),
    (event("Accused", by={"who": "x"}), "invalid", 'data.by.who: unknown field "who" (want one of subject_id, name)'),
    (event("CaseClosed", rehabilitating=1), "invalid", "(want true or false)"),
    (event("Wanted", scope="local"), "invalid", "(want 'national' or 'international')"),
    (event("Corrected", fact_id="1", data=[]), "invalid", "data.data: [] does not fit (want an object)"),
    (
        event("Corrected", fact_id="1", data={"a": {"b": -(2**53)}}),
        "invalid",
        "-9007199254740992 cannot be kept exactly",
    ),
    (event("Retracted", fact_id="1"), "invalid", "data.reason: missing"),
    (event("RelationAsserted", other="b", relation="friend"), "invalid", "data.relation"),
    (event("SubjectDescribed", aliases=["a", ""]), "invalid", "data.aliases[1]"),
]


@pytest.mark.parametrize(("line", "code", "words"), REFUSED, ids=[f"{code}-{words[:40]}" for _, code, words in REFUSED])
def test_what_is_no_fact_is_refused_by_code_and_in_words(line: bytes, code: str, words: str) -> None:
    """The code is stable; the words say where, what and wanted. The publisher refuses it the same way."""
    error = refusal(lambda: decode(line))

    assert code == error.code
    assert words in str(error)
    # An id and the like that are missing are filled in by `complete`, and so no reason to refuse.
    assert code == refusal(lambda: complete(line, NOW)).code


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
    """A page shows it as a link, which must run nothing and open nothing of the reader's own."""
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
        event("Charged", charges=[{"amount": 0}, {"amount": 2**53 - 1}, {"amount": 0.5, "currency": "USD"}, {}]),
        event("Accused", by={"subject_id": "kz-aimbetov"}),
        event("Corrected", fact_id="1", data={}),
        event("SubjectDescribed", aliases=[]),
        event(occurred="XXXX-04-25", published="2022"),
        nested(64),
    ],
)
def test_what_is_unusual_but_right_is_taken(line: bytes) -> None:
    """Strict is not fussy: nothing is refused for being unlikely."""
    assert json.loads(line)["data"] == decode(line).data
    assert decode(line) == complete(line, NOW)[0]


@pytest.mark.parametrize("name", ["specversion", "id", "source", "subject", "type", "data"])
def test_a_record_of_the_log_has_every_attribute_that_names_it(name: str) -> None:
    """Only the publisher fills in."""
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
    """Whatever `recorded` holds: the log stamps its own."""
    given = {"id": "mine", "time": "2022-04-27T08:00:00+06:00", "traceparent": "00-1"}

    _, completed = complete(envelope(**given, recorded=17), NOW)
    assert given.items() <= json.loads(completed).items()
    assert "recorded" not in json.loads(completed)


def test_a_line_that_grows_too_large_when_completed_is_refused() -> None:
    """It would be parked behind the publisher's back."""
    bare = written({name: EVENT[name] for name in ("type", "source", "subject")} | {"data": {**BARE, "note": "?"}})
    line = bare.replace(b": ", b":").replace(b", ", b",").replace(b"?", b"a" * (MAX_BYTES - len(bare)))

    assert len(line) <= MAX_BYTES
    assert refusal(lambda: complete(line, NOW)).code == "too_large"


@pytest.mark.parametrize(
    ("line", "twin"),
    [
        (envelope().replace(b'"id"', b'"id": "other", "id"'), "id"),
        (envelope().replace(b'"occurred"', b'"occurred": "2022", "\\u006fccurred"'), "occurred"),
        # The twin that is lost takes two marks along, and the escaped ones give two back.
        (sourced(title="?").replace(b'"title": "?"', b'"title": 1, "title": "\\u0022\\u0022"'), "title"),
        (event("Corrected", fact_id="1", data={"a": 1}).replace(b'"a"', b'"a\\"": 2, "a\\"": 3, "a"'), 'a\\"'),
    ],
)
def test_a_key_that_stands_twice_is_refused_by_the_publisher_only(line: bytes, twin: str) -> None:
    """Which of the two was meant, nobody knows; in the log it is too late to ask, and the last counts."""
    assert f'the key "{twin}" stands twice in one object' in str(refusal(lambda: complete(line, NOW)))
    assert decode(line).data == json.loads(line)["data"]


def test_escaped_quotation_marks_are_no_twins() -> None:
    """Counting quotation marks is only the quick look."""
    line = event(note="?").replace(b"?", b'\\u0022 and \\" and \\u0022')

    assert complete(line, NOW)[0].data["note"] == '" and " and "'


def test_recorded_of_an_export_is_its_instant() -> None:
    """A date-time is itself, a day its end; a line without one has none."""
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
    """Nothing from outside raises anything but Unreadable, with a code that is known."""
    assert {verdict(reading, value) for reading in (decode, publish, recorded_of)} <= {"taken", *CODES}


@given(line=lines, cut=st.integers(0, 400), to=st.integers(0, 400), by=st.binary(max_size=4))
def test_a_damaged_fact_is_read_or_refused(line: dict[str, Any], cut: int, to: int, by: bytes) -> None:
    """Damage near a real fact reaches further into the reader than noise does."""
    value = written(line)
    damaged = value[:cut] + by + value[to:]

    assert {verdict(decode, damaged), verdict(publish, damaged)} <= {"taken", *CODES}


@given(line=lines, data=st.data(), other=json_values)
def test_the_publisher_takes_what_the_projector_takes(line: dict[str, Any], data: st.DataObject, other: Any) -> None:
    """Any value at any place of a complete fact: the same verdict, with the same code."""
    event = json.loads(complete(written(line), NOW)[1])
    place = data.draw(st.sampled_from([event, event["data"], *event["data"]["sources"]]))
    # A null attribute is a missing one, which the publisher fills in.
    assume(place is not event or other is not None)
    place[data.draw(st.sampled_from(sorted(place)) | st.text(max_size=3))] = other

    assert verdict(decode, written(event)) == verdict(publish, written(event))


def publish(line: bytes) -> None:
    """Complete *line*; the projector must take what comes of it, as the same fact."""
    fact, completed = complete(line, NOW)
    assert fact == decode(completed)


def verdict(reading: Callable[[bytes], object], value: bytes) -> str:
    """The code *value* is refused with, or "taken"."""
    try:
        reading(value)
    except Unreadable as error:
        return error.code
    return "taken"


@given(line=lines)
def test_what_is_completed_decodes_to_the_same_fact(line: dict[str, Any]) -> None:
    """Data comes through as it was, and publishing what was published changes nothing."""
    fact, completed = complete(written(line), NOW)

    assert line["data"] == fact.data
    assert fact == decode(completed)
    assert (fact, completed) == complete(completed, NOW)


@given(line=lines)
def test_what_was_decoded_is_restored_the_same(line: dict[str, Any]) -> None:
    """Only `recorded` is the ledger's."""
    fact, completed = complete(written(line), NOW)

    assert fact == restore(completed, UNRECORDED)
    assert fact._replace(recorded=NOW) == restore(completed, NOW)
