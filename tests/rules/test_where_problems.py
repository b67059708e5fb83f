"""The problems of conditions on data (`where`), each at its line and column."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError, field_validator

from projections.rules.conditions.fact_fields import FIELDS
from projections.rules.conditions.where import Where
from projections.rules.files.yaml_source import read
from projections.rules.values import WANTED
from tests.support import strategies

OPERATORS = "one of not, present, contains, starts_with, same_as"


class Holder(BaseModel):
    """A rule with nothing but `where`."""

    where: Where | None = None


class Pattern(Holder):
    """A rule that has the facts `anchor` and `then`."""

    @field_validator("where")
    @classmethod
    def _roles(cls, where: Where) -> Where:
        return where.require_roles(("anchor", "then"))


def conditions(text: str) -> Where:
    """Return the conditions of a YAML text."""
    return Where.read(read("f", text.encode()).data)


def problems(text: str, model: type[Holder] = Holder) -> list[str]:
    """Return the problems of a YAML text with the key `where`, as the loader reports them."""
    source = read("f", text.encode())
    with pytest.raises(ValidationError) as refused:
        model.model_validate(source.data)
    for error in refused.value.errors():
        source.problem(error["loc"], error["ctx"]["what"], error["ctx"]["wanted"])
    return [str(problem) for problem in sorted(source.problems)]


def problem(text: str) -> str:
    """Return the only problem of the conditions in *text*, without the file."""
    (found,) = problems(f"where: {text}")
    return found.removeprefix("f:1:")


def test_a_rule_allows_its_own_roles() -> None:
    """The roles of every path are known, and a role that the pattern has not is a problem at its path."""
    text = """\
where:
  anchor.kind: {same_as: absent.kind}
  any:
    - {then.charges: {some: {article: {same_as: thn.ground}}}}
"""

    assert {"anchor", "absent", "then", "thn"} == conditions(text.partition("\n")[2]).roles
    assert [
        'f:2:26: "absent" in absent.kind is not a fact of this pattern (want one of anchor, then)',
        'f:4:49: "thn" in thn.ground is not a fact of this pattern (want then)',
    ] == problems(text, Pattern)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "7: nothing is here (want FORM)"),
        ("[]", "8: nothing is here (want FORM)"),
        ("{}", "8: nothing is here (want FORM)"),
        ("{kind: civil}", '15: "kind" is not a path (want anchor.kind)'),
        ("{anny: []}", '15: "anny" is not a path (want any)'),
        ("{Anchor.kind: civil}", '22: "Anchor.kind" is not a path (want a fact and a field: anchor.case_id)'),
        ("{anchor.knd: civil}", '21: "knd" is not a field here (want anchor.kind)'),
        (
            "{anchor.xyz: 1}",
            '21: "xyz" is not a field here (want a field of the data of a fact, such as anchor.case_id)',
        ),
        ("{anchor.kind.x: 1}", '24: "x" is not a part of anchor.kind (want anchor.kind)'),
        ("{anchor.by.nme: x}", '24: "nme" is not a part of anchor.by (want name)'),
        ("{anchor.charges.article: x}", "33: anchor.charges is a list (want anchor.charges: {some: {article: ...}})"),
        ("{anchor.kind: cvil}", '22: "cvil" is not a value of this field (want civil)'),
        ("{anchor.kind: [civil, '']}", "30: nothing is not a text for this (want a text of 1 to 1000 characters)"),
        ("{anchor.kind: []}", "22: nothing is here (want a list, and one item at least)"),
        ("{anchor.kind: {}}", "22: nothing is here (want a value, a list of values, or OPS)"),
        ("{anchor.kind: {at_least: 3}}", "33: at_least is not for a text (want OPS)"),
        ("{anchor.kind: {strts_with: c}}", '35: unknown operator "strts_with" (want starts_with)'),
        ("{anchor.kind: {is: civil}}", '27: unknown operator "is" (want OPS)'),
        (
            "{anchor.kind: {same_as: then.in_absentia}}",
            "32: then.in_absentia and anchor.kind are not comparable (want a path to a text)",
        ),
        ("{anchor.kind: {same_as: [a]}}", "32: a list is not a path (want a fact and a field, such as anchor.case_id)"),
        ("{anchor.kind: {present: yes}}", '32: "yes" is not true or false for this (want true or false)'),
        ("{anchor.final: 1}", '23: "1" is not true or false for this (want true or false)'),
        ("{anchor.type: [Dismised]}", '23: "Dismised" is not a fact type that a rule can name (want Dismissed)'),
        (
            "{anchor.type: Corrected}",
            '22: "Corrected" is not a fact type that a rule can name (want TYPES)',
        ),
        ("{anchor.currency: EURO}", '26: "EURO" is not a value of this field (want EUR)'),
        ("{anchor.charges: x}", '25: "x" is here, and anchor.charges is a list (want one of present, some)'),
        ("{anchor.charges: {some: {}}}", "32: nothing is here (want conditions on PARTS)"),
        (
            "{anchor.charges: {some: {counts: 1e3}}}",
            '41: "1e3" is not a number for this (want a number from 0 to 9007199254740991, such as 10000000)',
        ),
        ("{anchor.charges: {some: {charges: x}}}", '42: "charges" is not a field here (want one of PARTS)'),
        ("{anchor.charges: {contains: x}}", "36: contains is not for a list (want one of present, some)"),
        ("{any: {}}", "14: nothing is here (want a list, and one item at least)"),
        ("{any: [x]}", '15: "x" is here (want FORM)'),
        ("{any: [{same: pst}]}", '22: "pst" is not a value of this field (want post)'),
        ("{same: post}", "15: same is in where, and not in any (want same beside where, or in a mapping of any)"),
        (
            "{anchor.charges: {some: {counts: {at_least: 3, at_most: 2}}}}",
            "41: at_least is more than at_most (want a range with numbers in it)",
        ),
    ],
)
def test_a_mistake_is_named_at_its_place(text: str, expected: str) -> None:
    """A problem has its line and column, and the words that are wanted."""
    words = {
        "FORM": WANTED["where"],
        "TYPES": WANTED["on"],
        "OPS": OPERATORS,
        "PARTS": ", ".join(FIELDS["charges"].inner),
    }
    for short, long in words.items():
        expected = expected.replace(short, long)

    assert expected == problem(text)


@pytest.mark.parametrize("compared", ["5", "{at_least: 5}", "{at_most: 5}", "{not: 5}"])
@pytest.mark.parametrize("currency", [None, "[USD, KZT]", "{present: true}", "{not: USD}"])
def test_an_amount_needs_one_currency_beside_it(compared: str, currency: str | None) -> None:
    """A number is compared with amounts of one currency only, named in the same mapping."""
    beside = f", currency: {currency}" if currency else ""
    want = "(want one currency in the same mapping, such as currency: USD)"

    assert problem(f"{{anchor.charges: {{some: {{amount: {compared}{beside}}}}}}}").endswith(
        f"amount is compared without one currency beside it {want}"
    )
    assert conditions("anchor.amount: {present: true}").roles == {"anchor"}


def test_every_mistake_is_reported() -> None:
    """All problems are reported together, also those within lists."""
    text = "where:\n  anchor.knd: x\n  any:\n    - then.type: Dismissed\n    - {then.kind: [civil, cvil]}\n"

    assert [
        'f:2:15: "knd" is not a field here (want anchor.kind)',
        'f:5:27: "cvil" is not a value of this field (want civil)',
    ] == problems(text)


def nested(depth: int) -> Any:
    """Return conditions with `any` *depth* deep in one another."""
    return {"any": [nested(depth - 1)]} if depth else {"anchor.kind": "civil"}


@pytest.mark.parametrize(
    "value",
    [
        nested(4),
        nested(500),
        {"any": [{"anchor.kind": "civil"}] * 201},
        {"anchor.kind": ["civil"] * 100_000},
        {"anchor.type": ["Dismissed"] * 100_000},
        {f"anchor.x{number}": "y" for number in range(201)},
        {"anchor.post": "x" * 1001},
        {"anchor.post": "\ud800"},
        {"anchor.post": "\0"},
        {"anchor.post": 5},
        {"anchor.post": {"some": {}}},
        {"anchor.post": [["x"]]},
        {5: "x"},
        {"anchor." + "x" * 100_000: "y"},
        {"anchor.charges": {"some": {"counts": {"at_least": True}}}},
        {"anchor.charges": {"some": {"counts": {"at_least": float("nan")}}}},
        {"anchor.charges": {"some": {"counts": {"at_least": 10**400}}}},
        {"anchor.charges": {"some": {"counts": "9" * 10_000}}},
        {"anchor.__class__": "x"},
        {"anchor.by.__class__": "x"},
    ],
)
def test_hostile_conditions_are_refused(value: object) -> None:
    """Deep, long and strange values are problems, each with two sentences."""
    with pytest.raises(ValidationError) as refused:
        Where.read(value)

    assert {"what", "wanted"} == set().union(*(error["ctx"] for error in refused.value.errors()))


def test_any_may_lie_in_any_a_little() -> None:
    """Three levels of `any` are enough for every sentence of a rule, and are read."""
    assert nested(3) == Where.read(nested(3)).plain()


@given(
    st.recursive(
        strategies.json_values,
        lambda inner: st.dictionaries(
            st.sampled_from(
                ["any", "same", "anchor.kind", "anchor.charges", "some", "not", "amount", "anchor.by.name"]
            ),
            inner,
        ),
    )
)
@settings(max_examples=100, deadline=None)
def test_any_input_is_read_or_refused(value: Any) -> None:
    """Any JSON is read, or refused with problems; no other error escapes."""
    found: list[str] = []
    try:
        found = [] if (condition := Where.read(value)) == Where.read(condition.plain()) else ["another"]
    except ValidationError as refused:
        found = [error["type"] for error in refused.errors() if error["type"] != "rule"]

    assert [] == found
