"""Lines that are not facts, each with the code and some words of its refusal."""

from events.decode import MAX_BYTES
from tests.support.strategies import envelope, event


def sourced(**source: object) -> bytes:
    """Return a fact with one such source."""
    return event(sources=[source])


def charged(**charge: object) -> bytes:
    """Return a `Charged` with one such charge."""
    return event("Charged", charges=[charge])


def nested(levels: int) -> bytes:
    """Return a `Corrected` that is nested *levels* deep; the envelope is the first level."""
    data: object = 1
    for _ in range(levels - 3):
        data = [data]
    return event("Corrected", fact_id="fact-0", data={"deep": data})


TERMS = ("P9Y", "P1Y6M", "P1Y6M10D", "P18M", "P1Y10D", "P10D", "P2W", "PT240H", "P1DT12H30M5S", "PT5M")


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
    (
        envelope(type="Impeached", dataversion="2", data={}),
        "unknown_type",
        'type: "Impeached" is not a type this release knows (want Noted, whose title is the action in the',
    ),
    (envelope(dataversion="2", data={}), "unknown_version", 'dataversion: "2" is not a version this release knows'),
    (envelope(dataversion=1), "invalid", "dataversion: 1 does not fit (want '1')"),
    (envelope(specversion="0.3"), "invalid", "specversion: \"0.3\" does not fit (want '1.0')"),
    (envelope(id=""), "invalid", 'id: "" does not fit (want a name that is not blank'),
    (envelope(id="a" * 256), "invalid", "does not fit (want at most 255 characters)"),
    (envelope(subject=None), "invalid", "subject: missing (want the subject_id of the person it is about)"),
    (envelope(subject=" \u3000"), "invalid", 'subject: " \\u3000" does not fit'),
    (
        envelope(subject="a "),
        "invalid",
        'subject: "a " does not fit (want a name that is not blank, has no white space',
    ),
    (envelope(subject="\ufeffa"), "invalid", 'subject: "\\ufeffa" does not fit'),
    (envelope(id="a\u200b"), "invalid", 'id: "a\\u200b" does not fit'),
    (envelope(source="urn:a\nb"), "invalid", "source: "),
    (envelope(source="urn:a\x85b"), "invalid", "source: "),
    (envelope(data=None), "invalid", "data: missing"),
    (envelope(data=[1]), "invalid", "data: [1] does not fit (want an object)"),
    (
        envelope(data=None, data_base64="e30="),
        "invalid",
        "data_base64: data in bytes is not taken (want data as a JSON object)",
    ),
    (envelope(data_base64="e30="), "invalid", "data_base64: data in bytes is not taken"),
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
    (event(note=""), "invalid", 'data.note: "" does not fit (want a text that is not blank; leave out what is not'),
    (event(note=" \t\u200b\u2028"), "invalid", r'data.note: " \t\u200b\u2028" does not fit'),
    (sourced(title="\u00a0"), "invalid", r'data.sources[0].title: "\u00a0" does not fit'),
    (sourced(url="https://news.example/1", title=" "), "invalid", 'data.sources[0].title: " " does not fit'),
    (event(case_id="c\u00ad1"), "invalid", r'data.case_id: "c\u00ad1" does not fit'),
    (event(case_id=" c"), "invalid", 'data.case_id: " c" does not fit'),
    (event(after=[]), "invalid", "data.after: [] does not fit (want at least one)"),
    (event(after=["a", "b "]), "invalid", 'data.after[1]: "b " does not fit'),
    (event("Appointed", post_id="p\u2029"), "invalid", "data.post_id: "),
    (event("Transferred", to_post_id="\u2066p"), "invalid", "data.to_post_id: "),
    (event("Retracted", fact_id="f ", reason="r"), "invalid", "data.fact_id: "),
    (event("MeasureLifted", fact_id="f\u200d"), "invalid", "data.fact_id: "),
    (event("RelationAsserted", other="\u200bb", relation="spouse"), "invalid", "data.other: "),
    (event("Accused", by={"subject_id": "b "}), "invalid", "data.by.subject_id: "),
    (event("Accused", by={"name": "\u200b"}), "invalid", "data.by.name: "),
    (charged(count_id="1 "), "invalid", "data.charges[0].count_id: "),
    (event("Charged", charges=[]), "invalid", "data.charges: [] does not fit (want at least one)"),
    (charged(), "invalid", "data.charges[0]: a charge without title, article and count_id (want at least one of them)"),
    (charged(amount=1), "invalid", "data.charges[0]: a charge without title, article and count_id"),
    (charged(title="a", counts=0), "invalid", "data.charges[0].counts: 0 does not fit (want 1 or more)"),
    (charged(title="a", counts=1.5), "invalid", "data.charges[0].counts: 1.5 does not fit (want a whole number)"),
    (charged(title="a", counts=100_001), "invalid", "(want 100000 or less)"),
    *(
        (charged(title="a", currency=code), "invalid", "does not fit (want a currency of ISO 4217, such as USD)")
        for code in ("usd", "US", "ABC", "USDX", "$", "", "USD ")
    ),
    (event("Bailed", currency="tenge"), "invalid", 'data.currency: "tenge" does not fit (want a currency of ISO 4217'),
    (event("Sentenced", parts=[]), "invalid", "data.parts: [] does not fit (want at least one)"),
    (event("Sentenced", parts=[{}]), "invalid", "data.parts[0].kind: missing (want the kind of punishment)"),
    (
        event("Sentenced", parts=[{"kind": "fine", "sum": 1}]),
        "invalid",
        'data.parts[0].sum: unknown field "sum" (want one of kind, term, amount, currency, until)',
    ),
    *(
        (event("Sentenced", parts=[{"kind": "fine", "term": term}]), "invalid", "an ISO 8601 duration, such as P1Y6M")
        for term in ("9 years", "P", "PT", "P1YT", "P1M1Y", "P1.5Y", "P-1Y", "1Y", "P1W2D", "")
    ),
    (event("Noted"), "invalid", "data.title: missing (want the action in the source's own words, such as"),
    (event("Noted", title="a", classes=["b", " "]), "invalid", "data.classes[1]: "),
    (event("Detained", until="2022-03/present"), "invalid", 'data.until: "2022-03/present": "present" is not a date'),
    (event("Detained", final=True), "invalid", 'data.final: unknown field "final"'),
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
    (charged(sum=5), "invalid", 'unknown field "sum" (want one of count_id, article, title, counts, amount, currency)'),
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
