"""The golden corpus: facts as they were once written. Every later release must read them the same way."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from events.canonical import derive_id
from events.decode import decode, restore
from events.edtf import Span, format_instant
from events.facts import UNRECORDED, Fact
from events.upcasts import LIFTS, lift
from events.vocabulary import CURRENT_VERSION, DATA, fields
from tests.support.places import GOLDEN


def corpus(edition: str) -> Iterator[tuple[bytes, Mapping[str, Any]]]:
    """Return each line of the corpus of an edition of the vocabulary, with its expectation."""
    for file in sorted(GOLDEN.glob(f"{edition}.ndjson")):
        if not file.name.endswith(".expected.ndjson"):
            expected = file.with_suffix(".expected.ndjson").read_text().splitlines()
            yield from zip(file.read_bytes().splitlines(), map(json.loads, expected), strict=True)


# v1: before posts, counts and measures, and before the article was part of a derived id; v2: since then.
CORPUS = list(corpus("v[0-9]*"))


def shown(span: Span) -> dict[str, Any]:
    """Return a span in the form of the expectations."""
    ends = {"earliest": span.earliest, "latest": span.latest}
    return {**span._asdict(), **{name: end and format_instant(end) for name, end in ends.items()}}


def seen(fact: Fact) -> dict[str, Any]:
    """Return a fact in the form of the expectations."""
    named = {name: getattr(fact, name) for name in ("id", "type", "subject", "source", "version", "announced", "data")}
    return {**named, "occurred": shown(fact.occurred), "published": shown(fact.published)}


@pytest.mark.parametrize(("line", "expected"), CORPUS, ids=[f"{each['type']}-{each['id']}" for _, each in CORPUS])
def test_a_golden_fact_reads_as_ever(line: bytes, expected: Mapping[str, Any]) -> None:
    """Its fields, its spans, and its data in the shape of the current version; restored the same as decoded."""
    assert expected == seen(decode(line))
    assert decode(line) == restore(line, UNRECORDED)


def test_every_type_and_version_ever_known_is_in_the_corpus() -> None:
    """Each type and each version has a line here, and no line is removed."""
    known = {*CURRENT_VERSION.items(), *LIFTS}

    assert known == {(expected["type"], expected["version"]) for _, expected in CORPUS}


def test_derived_ids_stay_what_they_are() -> None:
    """Another derivation would publish everything again; this edition was written without ids."""
    derived = [derive_id(json.loads(line)) for line, _ in corpus("v2")]

    assert derived == [expected["id"] for _, expected in corpus("v2")]


def test_every_field_is_in_the_corpus() -> None:
    """If no line had a field, its meaning could change unnoticed."""
    held = {field for _, expected in CORPUS for field in expected["data"]}

    assert {field for type_ in DATA for field in fields(type_)} == held


def test_old_data_is_lifted_step_by_step_to_the_current_version() -> None:
    """Each step knows only the version before its own."""
    steps = {
        ("Dismissed", "1"): lambda data: {**data, "ground": [data["ground"]]},
        ("Dismissed", "2"): lambda data: {**data, "grounds": data["ground"]},
        ("Removed", "1"): lambda _: pytest.fail("another type's step"),
    }
    old = {"ground": "conduct"}

    assert {"ground": ["conduct"], "grounds": ["conduct"]} == lift("Dismissed", "1", old, steps)
    assert {"ground": "conduct", "grounds": "conduct"} == lift("Dismissed", "2", old, steps)
    assert lift("Dismissed", "3", old, steps) is old
    assert {"ground": "conduct"} == old


def test_data_of_the_current_version_is_not_lifted() -> None:
    """The table has no step from a version that is still current."""
    assert [] == [step for step in LIFTS if CURRENT_VERSION[step[0]] == step[1]]
