"""What makes two records the same fact: canonical JSON, content and derived ids."""

import json
from collections.abc import Mapping
from random import Random
from typing import Any
from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.canonical import NAMESPACE, canonical, content, derive_id
from events.decode import complete
from tests.made import NOW, lines

FACT: Mapping[str, Any] = {
    "type": "Detained",
    "source": "urn:example:desk",
    "subject": "kz-bukharbaev",
    "data": {"occurred": "2022-04-25", "published": "2022-04-27", "sources": [{"title": "Gazette 17"}]},
}
PARTS = ("by", "case_id", "fact_id", "occurred", "other", "ref")


def having(**data: object) -> dict[str, Any]:
    """The fact with these fields in its data."""
    return {**FACT, "data": {**FACT["data"], **data}}


def rewritten(value: Any, chance: Random) -> Any:
    """The same JSON value with its keys in another order."""
    if isinstance(value, list):
        return [rewritten(each, chance) for each in value]
    if not isinstance(value, dict):
        return value
    names = chance.sample(list(value), len(value))
    return {name: rewritten(value[name], chance) for name in names}


def test_canonical_json_is_that_of_rfc_8785() -> None:
    """The example of its section 3.2.4: numbers, escapes, and keys by their UTF-16 code units."""
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }

    assert canonical(value) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical({"\ufb33": 2, "\U0001f600": 1}) == '{"\U0001f600":1,"\ufb33":2}'.encode()


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (FACT, "3a443851-9542-504f-be39-e6102be65ebb"),
        (having(case_id="kz-bukharbaev-fraud"), "08d5e9fe-39cf-5343-b50f-1f62258237ad"),
        (having(ref="Decree 12"), "4bf92abe-3b6b-58e5-bbbc-89305668e2af"),
        (having(fact_id="7"), "f10a06da-3440-575e-b6b7-445d439154a6"),
        (having(other="kz-masimov"), "1ef834be-f56a-587b-9fc9-bd05a0475097"),
        (having(by={"subject_id": "kz-aimbetov", "name": "Азамат Аимбетов"}), "9e533ca8-1537-5db0-a7bd-fd6736ffed51"),
        ({**FACT, "subject": "kz-\U0001f600"}, "a2f17d14-6513-5c04-98f8-6b244cee319f"),
    ],
)
def test_derived_ids_are_pinned(event: Mapping[str, Any], expected: str) -> None:
    """They are in logs and in other people's notes; another namespace or another order of keys would change each."""
    assert expected == derive_id(event)


def test_the_namespace_of_derived_ids_is_ours_and_documented() -> None:
    """docs/facts.md names it, so that a tool can derive an id itself."""
    assert str(NAMESPACE) == "9e6378fc-8bb8-5327-a9a9-608991bbf852"


@pytest.mark.parametrize("part", PARTS)
def test_each_part_tells_facts_apart(part: str) -> None:
    """Same person, same type, same day, but another case or accuser: another fact."""
    one, other = ({"name": name} if part == "by" else name for name in ("a", "b"))

    assert derive_id(having(**{part: one})) != derive_id(having(**{part: other}))


@pytest.mark.parametrize("field", ["published", "sources", "note", "occurred_text"])
def test_other_fields_do_not(field: str) -> None:
    """A second source or a remark does not make it happen twice."""
    assert derive_id(FACT) == derive_id(having(**{field: "other"}))


@pytest.mark.parametrize("event", [{}, {"data": None}, {"data": [1]}, {"type": 1.5, "data": {"by": [float("nan")]}}])
def test_something_malformed_still_gets_an_id(event: Mapping[str, Any]) -> None:
    """What is wrong with it is for `decode` to say, in better words."""
    assert len(derive_id(event)) == 36


@given(line=lines)
def test_an_id_is_derived_from_canonical_json(line: dict[str, Any]) -> None:
    """The fast way to write it gives what RFC 8785 would."""
    parts = {name: line["data"][name] for name in PARTS if name in line["data"]}
    parts |= {name: line[name] for name in ("source", "subject", "type")}

    assert str(uuid5(NAMESPACE, canonical(parts).decode())) == derive_id(line)


@given(line=lines, chance=st.randoms(), indent=st.sampled_from([None, 0, 3]), escaped=st.booleans())
def test_key_order_space_and_escapes_change_neither_content_nor_id(
    *, line: dict[str, Any], chance: Random, indent: int | None, escaped: bool
) -> None:
    """Two tools that write JSON differently state the same fact."""
    other = json.dumps(rewritten(line, chance), indent=indent, ensure_ascii=escaped).encode()

    (one_fact, one), (other_fact, two) = (complete(each, NOW) for each in (json.dumps(line).encode(), other))
    assert one_fact == other_fact
    assert content(one) == content(two) == content(other)


def test_content_leaves_out_what_is_not_the_statement() -> None:
    """Clocks and extensions differ between two deliveries of one fact; a missing dataversion is the first."""
    more = {"id": "7", "time": "2024-06-01T12:00:00Z", "recorded": "2024-06-01T12:00:00Z", "traceparent": "00-1"}
    line = json.dumps(FACT).encode()

    assert content(line) == content(json.dumps({**FACT, **more}).encode())
    assert content(line) == content(json.dumps({**FACT, "dataversion": "1"}).encode())
    assert content(line) == content(json.dumps({**FACT, "dataversion": None}).encode())


@pytest.mark.parametrize("part", ["source", "subject", "type", "dataversion", "data"])
def test_content_has_each_part_of_the_statement(part: str) -> None:
    """A change in any of these under one id is a conflict."""
    assert content(json.dumps(FACT).encode()) != content(json.dumps({**FACT, part: "2"}).encode())


def test_content_knows_a_number_however_it_is_written() -> None:
    """2000000 and 2000000.0 and 2e6 are one sum; true is not 1."""
    one, two, three, yes = (
        content(json.dumps(having(charges=[{"amount": "?"}])).replace('"?"', amount).encode())
        for amount in ("2000000", "2000000.0", "2e6", "true")
    )

    assert one == two == three
    assert one != yes
