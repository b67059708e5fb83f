"""Conditions on the data of facts: `where`, its three answers and its two forms."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from events.canonical import canonical
from events.facts import Fact, make_fact
from projections.rules.conditions.clauses import Truth
from projections.rules.conditions.fact_fields import FIELDS
from projections.rules.conditions.where import Where
from projections.rules.files.yaml_source import read
from projections.rules.values import RELATED
from tests.support import strategies

LARGE = "{article: ['366', '367'], amount: {at_least: 10000000}, currency: KZT}"
BRIBE: dict[str, Any] = {"article": "366", "amount": 12_000_000, "currency": "KZT"}


class Holder(BaseModel):
    """A rule with nothing but `where`."""

    model_config = ConfigDict(frozen=True)
    where: Where | None = None


def where(text: str) -> Where:
    """Return the conditions of a YAML text."""
    return Where.read(read("where.yaml", text.encode()).data)


def fact(type_: str, /, **data: Any) -> Fact:
    """Return a fact of *type_* with *data* beside the times."""
    times = {"occurred": "2022-03-27", "published": "2022-03-28"}
    return make_fact(id="f", type=type_, subject="kz-a", source="urn:test", version="1", data=times | data)


def unknown(field: str) -> Truth:
    """Answer that nothing is known of *field*."""
    return dict[str, Truth]().get(field)


def answer(text: str, related: Mapping[str, Truth] | None = None, /, **facts: Fact) -> Truth:
    """Return the answer of the conditions in *text* about *facts*; *related* answers `same`."""
    return where(text).holds(facts, (related or {}).get, unknown)


def charged(*charges: Mapping[str, Any], **data: Any) -> Fact:
    """Return a Charged with *charges*."""
    return fact("Charged", case_id="x", **({"charges": list(charges)} if charges else {}), **data)


@pytest.mark.parametrize(
    ("condition", "held", "expected"),
    [
        ("criminal", {"kind": "criminal"}, True),
        ("criminal", {"kind": "civil"}, False),
        ("[criminal, civil]", {"kind": "civil"}, True),
        ("[criminal, civil]", {"kind": "disciplinary"}, False),
        ("{not: criminal}", {"kind": "civil"}, True),
        ("{not: [criminal, civil]}", {"kind": "civil"}, False),
        ("{contains: imin}", {"kind": "criminal"}, True),
        ("{contains: z}", {"kind": "criminal"}, False),
        ("{starts_with: crim}", {"kind": "criminal"}, True),
        ("{starts_with: rim}", {"kind": "criminal"}, False),
        ("{starts_with: c, not: civil}", {"kind": "civil"}, False),
        ("{present: true}", {"kind": "civil"}, True),
        ("{present: false}", {"kind": "civil"}, False),
        ("{present: true}", {}, False),
        ("{present: false}", {}, True),
    ],
)
def test_each_operator_answers_of_a_text(condition: str, held: dict[str, str], expected: Truth) -> None:
    """A value, a list and the operators on a text hold or do not."""
    assert answer(f"anchor.kind: {condition}", anchor=charged(**held)) is expected


@pytest.mark.parametrize(
    "condition",
    ["criminal", "[criminal]", "{not: criminal}", "{contains: c}", "{starts_with: c}", "{same_as: then.kind}"],
)
def test_a_missing_value_leaves_a_condition_undecided(condition: str) -> None:
    """No condition on a missing value holds or fails, under `not` as well."""
    assert answer(f"anchor.kind: {condition}", anchor=charged(), then=charged(kind="civil")) is None


def test_nothing_is_decided_of_a_fact_that_is_not_there() -> None:
    """A role without a fact is undecided, for `present: false` too: nothing is known to be missing."""
    assert answer("then.kind: {present: false}", anchor=charged()) is None
    assert answer("anchor.kind: {same_as: then.kind}", anchor=charged(kind="civil")) is None


def test_texts_compare_without_case_and_white_space() -> None:
    """A text is compared without case and repeated blanks, and shown as it was written."""
    one, two = (
        fact("Dismissed", agency="MINISTRY  of Justice"),
        fact("Appointed", agency="Ministry of justice"),
    )

    assert answer("anchor.agency: ministry of JUSTICE", anchor=one) is True
    assert answer("anchor.agency: {contains: 'y OF'}", anchor=one) is True
    assert answer("then.agency: {same_as: anchor.agency}", anchor=one, then=two) is True
    assert answer("then.agency: {same_as: anchor.agency}", anchor=one, then=fact("Appointed", agency="Police")) is False
    assert where("anchor.agency: ministry of JUSTICE").plain() == {"anchor.agency": "ministry of JUSTICE"}


def test_characters_that_only_look_alike_stay_apart() -> None:
    """Article 159 with a small 3 is not article 1593."""
    charge = fact("Charged", case_id="x", charges=[{"article": "159\N{SUPERSCRIPT THREE}"}])

    assert answer("anchor.charges: {some: {article: '1593'}}", anchor=charge) is False


def test_booleans_are_read_from_the_words_of_a_file() -> None:
    """`true` and `false` in a file are a boolean where the field holds one."""
    arrest = fact("Arrested", in_absentia=True)

    assert answer("anchor.in_absentia: true", anchor=arrest) is True
    assert answer("anchor.in_absentia: {not: true}", anchor=arrest) is False
    assert answer("anchor.in_absentia: false", anchor=fact("Arrested")) is None


def test_the_type_of_a_fact_is_a_path() -> None:
    """`type` takes types of fact, and a track for all its types."""
    arrest = fact("Arrested")

    assert answer("then.type: [Arrested, Detained]", then=arrest) is True
    assert answer("then.type: custody", then=arrest) is True
    assert answer("then.type: {not: custody}", then=arrest) is False
    assert answer("then.type: {starts_with: House}", then=arrest) is False


def test_a_path_leads_into_by() -> None:
    """`by` is the accuser of one type, with parts, and a word of another type."""
    named, appeal = fact("Accused", case_id="x", by={"subject_id": "kz-b"}), fact("AppealFiled", by="defence")

    assert answer("anchor.by.subject_id: kz-b", anchor=named) is True
    assert answer("anchor.by.name: {present: false}", anchor=named) is True
    assert answer("anchor.by: defence", anchor=appeal) is True
    assert answer("anchor.by: defence", anchor=named) is None
    assert answer("anchor.by.subject_id: kz-b", anchor=appeal) is None


def test_a_list_of_texts_contains_a_text() -> None:
    """`contains` asks for one item of a list of texts, not for a part of an item."""
    noted = fact("Noted", title="Impeached", classes=["Removal", "vote"])

    assert answer("anchor.classes: {contains: removal}", anchor=noted) is True
    assert answer("anchor.classes: {contains: remov}", anchor=noted) is False
    assert answer("anchor.classes: {contains: vote}", anchor=fact("Noted", title="Impeached")) is None


@pytest.mark.parametrize(
    ("charges", "expected"),
    [
        ([BRIBE], True),
        ([{"article": "99"}, BRIBE], True),
        ([BRIBE | {"article": "99"}], False),
        ([BRIBE | {"amount": 10_000_000.0}], True),
        ([BRIBE | {"amount": 9_999_999}], False),
        ([BRIBE | {"article": "99"}, {"article": "366", "amount": 12_000_000}], None),
        ([{"article": "366"}], None),
        ([{"article": "99"}], False),
        ([], None),
    ],
)
def test_some_element_fulfils_all(charges: list[dict[str, Any]], expected: Truth) -> None:
    """`some` holds if one element fulfils all conditions; an element that lacks a value may."""
    assert answer(f"anchor.charges: {{some: {LARGE}}}", anchor=charged(*charges)) is expected


@pytest.mark.parametrize(
    ("bail", "expected"),
    [
        ({"amount": 7, "currency": "USD"}, True),
        ({"amount": 5, "currency": "USD"}, True),
        ({"amount": 10.0, "currency": "USD"}, True),
        ({"amount": 4, "currency": "USD"}, False),
        ({"amount": 11, "currency": "USD"}, False),
        ({"amount": 7, "currency": "KZT"}, False),
        ({"amount": 4}, None),
        ({"currency": "USD"}, None),
    ],
)
def test_amounts_compare_within_one_currency(bail: dict[str, Any], expected: Truth) -> None:
    """An amount of another currency does not hold, and one of unknown currency is undecided, even if too small."""
    condition = "{anchor.amount: {at_least: 5, at_most: 10}, anchor.currency: USD}"

    assert answer(condition, anchor=fact("Bailed", **bail)) is expected


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [("USD", "USD", True), ("USD", "KZT", None), ("USD", None, None), (None, None, None)],
)
def test_amounts_are_the_same_only_in_one_currency(one: str | None, two: str | None, expected: Truth) -> None:
    """`same_as` between amounts of different or unknown currency is undecided."""
    bails = [fact("Bailed", amount=5, **({"currency": code} if code else {})) for code in (one, two)]

    assert answer("anchor.amount: {same_as: then.amount}", anchor=bails[0], then=bails[1]) is expected


def test_an_element_is_compared_with_another_fact() -> None:
    """`same_as` within `some` takes the path of a fact, and compares its currency with that of the element."""
    condition = "anchor.charges: {some: {amount: {same_as: then.amount}}}"

    assert answer(condition, anchor=charged(BRIBE), then=fact("Bailed", amount=12e6, currency="KZT")) is True
    assert answer(condition, anchor=charged(BRIBE), then=fact("Bailed", amount=12e6, currency="USD")) is None


@pytest.mark.parametrize(
    ("kind", "ground", "expected"),
    [
        ("civil", None, True),
        (None, "trust", True),
        ("criminal", None, None),
        ("criminal", "age", False),
        (None, None, None),
    ],
)
def test_one_alternative_of_any_suffices(kind: str | None, ground: str | None, expected: Truth) -> None:
    """`any` holds if one alternative does, and is undecided if none does and one may."""
    condition = "any: [{anchor.kind: civil}, {then.ground: trust}]"
    facts = {
        "anchor": charged(**({"kind": kind} if kind else {})),
        "then": fact("Dismissed", **({"ground": ground} if ground else {})),
    }

    assert answer(condition, **facts) is expected


@pytest.mark.parametrize(
    ("case", "post", "expected"),
    [(True, True, True), (True, None, None), (None, False, False), (True, False, False)],
)
def test_an_alternative_may_ask_for_the_same_values(case: Truth, post: Truth, expected: Truth) -> None:
    """`same` and `new` within `any` are answered by the caller, and all of them must hold."""
    condition = where("any: [{same: [case_id, post]}, {anchor.kind: civil, new: agency}]")
    facts = {"anchor": charged(kind="criminal")}

    assert condition.holds(facts, {"case_id": case, "post": post}.get, unknown) is expected
    assert condition.holds({"anchor": charged(kind="civil")}, unknown, {"agency": True}.get) is True


def test_all_conditions_must_hold() -> None:
    """One condition that fails decides; without it, one that is undecided leaves all undecided."""
    condition = "{anchor.kind: criminal, anchor.authority: court, anchor.jurisdiction: KZ}"

    assert answer(condition, anchor=charged(kind="civil")) is False
    assert answer(condition, anchor=charged(kind="criminal", authority="court")) is None
    assert answer(condition, anchor=charged(kind="criminal", authority="court", jurisdiction="KZ")) is True


FILE = """
any:
  - {same: [post, case_id], then.ground: {present: true}}
  - any: [{anchor.in_absentia: "false"}, {new: agency}]
anchor.charges: {some: {currency: KZT, amount: {at_least: "10000000", at_most: "2e1"}, counts: ["10", "9"]}}
then.type: [Dismissed, Charged]
anchor.kind: {not: [civil, criminal, civil]}
""".replace('"2e1"', '"20000000.50"')
NORMAL = {
    "anchor.charges": {
        "some": {"amount": {"at_least": 10_000_000, "at_most": 20_000_000.5}, "counts": [9, 10], "currency": "KZT"}
    },
    "anchor.kind": {"not": ["civil", "criminal"]},
    "any": [
        {"any": [{"anchor.in_absentia": False}, {"new": ["agency"]}]},
        {"same": ["case_id", "post"], "then.ground": {"present": True}},
    ],
    "then.type": ["Charged", "Dismissed"],
}


def test_the_normal_form_is_sorted_and_plain() -> None:
    """The normal form has numbers and booleans, sorted lists, and each value once."""
    held = Holder(where=where(FILE))

    assert {"where": NORMAL} == held.model_dump(exclude_defaults=True)
    assert {"where": NORMAL} == json.loads(held.model_dump_json())
    assert {} == Holder().model_dump(exclude_defaults=True)


def test_both_forms_are_equal_conditions() -> None:
    """The form of a file and the stored form are equal, with one hash and one normal form."""
    stored = Where.read(json.loads(json.dumps(NORMAL)))

    assert where(FILE) == stored
    assert hash(where(FILE)) == hash(stored)
    assert NORMAL == stored.plain()
    assert where("anchor.kind: [civil]") == where("anchor.kind: civil")
    assert Where.read(stored) is stored


def test_conditions_are_compiled_once() -> None:
    """The closures of an object are made the first time and kept."""
    condition = where(FILE)
    condition.holds({}, unknown, unknown)
    first = vars(condition)["_decide"]
    condition.holds({}, unknown, unknown)

    assert vars(condition)["_decide"] is first


def test_every_field_has_one_kind_of_value() -> None:
    """Each field holds the same kind in all types; `by` alone is a text or a mapping."""
    assert {"by"} == {name for name, kind in FIELDS.items() if kind.base != "list" and kind.inner}
    assert {"number"} == {FIELDS["amount"].base, FIELDS["charges"].inner["counts"].base}
    assert {"aliases", "after", "classes", "charges", "parts", "sources"} == {
        name for name, kind in FIELDS.items() if kind.base == "list"
    }
    assert not FIELDS.keys() & {"data", "reason"}


_NUMBERS = st.integers(0, 10**6) | st.sampled_from([0.5, "7", "12.50"])
_LISTED = {"text": strategies.names, "number": _NUMBERS, "boolean": st.booleans() | st.sampled_from(["true", "false"])}


def values(name: str) -> st.SearchStrategy[Any]:
    """Values that the field *name* of a fact may be compared with."""
    if name == "type":
        return st.sampled_from(["Dismissed", "custody", "Charged"])
    kind = FIELDS[name]
    return st.sampled_from(sorted(kind.words)) if kind.words else _LISTED[kind.base]


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    """Conditions on any fields, which are accepted as they are."""
    drawn: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=3, unique=True)):
        role, kind = draw(st.sampled_from(["anchor", "then"])), FIELDS[name]
        path = f"{role}.{name}"
        if kind.base == "list":
            some = draw(st.sampled_from([{"article": "366"}, {"amount": {"at_most": 5}, "currency": "USD"}]))
            drawn[path] = {"some": some} if name == "charges" else {"present": draw(st.booleans())}
            continue
        choices = [values(name), st.lists(values(name), min_size=1, max_size=3)]
        choices += [st.fixed_dictionaries({"not": choice}) for choice in choices]
        choices.append(st.just({"same_as": f"{draw(st.sampled_from(['anchor', 'then', 'absent']))}.{name}"}))
        if kind.base == "text":
            choices.append(st.fixed_dictionaries({"contains": strategies.names, "starts_with": strategies.names}))
        drawn[path] = draw(st.one_of(choices))
    for path in [path for path in drawn if path.endswith(".amount")]:
        drawn[path.replace("amount", "currency")] = "USD"
    if depth and draw(st.booleans()):
        drawn["any"] = draw(st.lists(conditions(depth - 1), min_size=1, max_size=2))
        drawn["any"][0] |= {"same": draw(st.sampled_from(RELATED)), "new": ["post"]}
    return drawn


def fact_of(line: dict[str, Any]) -> Fact:
    """Return the fact of a line."""
    return fact(line["type"], **line["data"])


@st.composite
def odd_facts(draw: st.DrawFn) -> Fact:
    """Facts with any JSON in any field, as no validated fact has."""
    names = st.sampled_from(sorted(FIELDS.keys() - {"occurred", "published", "type"}))
    return fact("Charged", **draw(st.dictionaries(names, strategies.json_values, max_size=6)))


@given(
    conditions(),
    st.dictionaries(
        st.sampled_from(["anchor", "then"]), strategies.lines.map(fact_of) | odd_facts(), min_size=1, max_size=2
    ),
    st.sampled_from([True, False, None]),
)
@settings(max_examples=100, deadline=None)
def test_evaluation_is_total(written: dict[str, Any], facts: dict[str, Fact], related: Truth) -> None:
    """Any conditions have an answer about any facts, and the normal form has the same one."""
    condition = Where.read(written)
    stored = Where.read(json.loads(canonical(condition.plain())))
    result = condition.holds(facts, lambda _: related, lambda _: related)

    assert result in {True, False, None}
    assert stored == condition
    assert stored.holds(facts, lambda _: related, lambda _: related) is result
