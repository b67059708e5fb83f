"""The identity of facts: canonical JSON, content and derived ids."""

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
from tests.support.strategies import NOW, lines

FACT: Mapping[str, Any] = {
    "type": "Detained",
    "source": "urn:example:desk",
    "subject": "kz-bukharbaev",
    "data": {"occurred": "2022-04-25", "published": "2022-04-27", "sources": [{"title": "Gazette 17"}]},
}
PARTS = (
    *("agency", "by", "case_id", "charges", "fact_id", "kind", "occurred", "other", "post", "post_id", "ref"),
    *("relation", "scope", "title"),
)


def having(**data: object) -> dict[str, Any]:
    """Return the fact with these fields in its data."""
    return {**FACT, "data": {**FACT["data"], **data}}


def rewritten(value: Any, chance: Random) -> Any:
    """Return the same JSON value with its keys in another order."""
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
        (FACT, "3d189eb5-1561-5946-8786-f244bab56761"),
        (having(case_id="kz-bukharbaev-fraud"), "0a1906e7-e4a7-5ece-a5cd-f262ebf8d872"),
        (having(ref="Decree 12"), "2ba7da6c-9897-58ea-bd16-cf3d9d9b9a4d"),
        (having(fact_id="7"), "f07323d5-eb65-5c8b-9185-04bb100285ec"),
        (having(other="kz-masimov"), "441763a8-ba79-5e8e-8b5b-94070c394945"),
        (having(by={"subject_id": "kz-aimbetov", "name": "Азамат Аимбетов"}), "0c50cc11-a58d-564c-9a06-826cb58adc34"),
        (
            having(
                title="t",
                scope="full",
                post_id="p",
                post="judge",
                charges=[
                    {"currency": "USD", "article": "366", "amount": 2000000.0},
                    {"title": "fraud", "amount": 5e-1},
                ],
            ),
            "3e8a2bfa-5f89-5440-b025-e0f03ad4f02f",
        ),
        ({**FACT, "subject": "kz-\U0001f600"}, "9828e9cd-489e-5f90-9067-564af9e8d9c8"),
    ],
)
def test_derived_ids_are_pinned(event: Mapping[str, Any], expected: str) -> None:
    """Derived ids are in logs and notes. Another namespace or another order of keys would change each id."""
    assert expected == derive_id(event)


def test_the_namespace_of_derived_ids_is_ours_and_documented() -> None:
    """docs/facts.md names it, so that a tool can derive an id itself."""
    assert str(NAMESPACE) == "9e6378fc-8bb8-5327-a9a9-608991bbf852"


@pytest.mark.parametrize("part", PARTS)
def test_each_part_tells_facts_apart(part: str) -> None:
    """Same person, type, day and article, but another case, post, count or accuser: another fact."""
    values: dict[str, list[Any]] = {
        "by": [{"name": "a"}, {"name": "b"}],
        "charges": [[{"title": "a"}], [{"title": "b"}]],
    }
    one, other = values.get(part, ["a", "b"])

    assert derive_id(having(**{part: one})) != derive_id(having(**{part: other}))


@pytest.mark.parametrize("field", ["published", "note", "occurred_text", "authority", "until", "after"])
def test_other_fields_do_not(field: str) -> None:
    """A remark does not make another fact."""
    assert derive_id(FACT) == derive_id(having(**{field: "other"}))


def test_the_article_that_is_cited_tells_facts_apart() -> None:
    """The url of the first source, else its title, is part of the id: another article makes another fact."""
    titled = {"title": "Gazette 17", "publisher": "Gazette"}
    found = {"url": "https://news.example/1", "title": "Gazette 17"}

    assert derive_id(FACT) == derive_id(having(sources=[titled])) == derive_id(having(sources=[titled, found]))
    assert derive_id(FACT) != derive_id(having(sources=[found]))
    assert derive_id(having(sources=[found])) == derive_id(having(sources=[{"url": "https://news.example/1"}]))
    assert derive_id(having(sources=[found])) != derive_id(having(sources=[{"url": "https://news.example/2"}]))
    assert derive_id(FACT) != derive_id(having(sources=[{"title": "Gazette 18"}]))


def test_the_order_of_keys_and_the_form_of_a_sum_do_not() -> None:
    """A tool that writes 2e6 and one that writes 2000000 state the same charge. The order of charges counts."""
    one, two = {"title": "a bribe", "amount": 2000000, "currency": "USD"}, {"title": "fraud"}
    other = {"currency": "USD", "amount": 2e6, "title": "a bribe"}

    assert derive_id(having(charges=[one, two])) == derive_id(having(charges=[other, two]))
    assert derive_id(having(charges=[one, two])) != derive_id(having(charges=[two, one]))


NO_SOURCES: list[Any] = [None, {}, [], [None], [[]], [{}], [{"url": 1}]]
MALFORMED: list[Mapping[str, Any]] = [
    *({}, {"data": None}, {"data": [1]}, {"type": 1.5, "data": {"by": [float("nan")]}}),
    *({"data": {"charges": [{"amount": amount}]}} for amount in (float("nan"), 2**53, None)),
    *({"data": {"sources": sources}} for sources in NO_SOURCES),
]


@pytest.mark.parametrize("event", MALFORMED)
def test_something_malformed_still_gets_an_id(event: Mapping[str, Any]) -> None:
    """`decode` reports the error later, in better words."""
    assert len(derive_id(event)) == 36


@given(line=lines)
def test_an_id_is_derived_from_canonical_json(line: dict[str, Any]) -> None:
    """The fast way to write it has the result of RFC 8785."""
    parts = {name: line["data"][name] for name in PARTS if name in line["data"]}
    parts |= {name: line[name] for name in ("source", "subject", "type")}
    first = line["data"]["sources"][0]
    parts["cite"] = first.get("url") or first["title"]

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
