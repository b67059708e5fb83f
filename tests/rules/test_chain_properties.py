"""Properties of the key `steps`: chains are those of the oracle, and one choice of instants decides."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import format_instant
from events.facts import Fact, make_fact
from events.vocabulary import TRACKS
from projections.history.history import History
from projections.projector.backtest import backtest
from projections.rules.conditions.relation import applies
from projections.rules.patterns.chain import ChainRule
from projections.rules.patterns.instants import ends_of, followed, less_than, started
from projections.rules.patterns.sequence import is_possible
from projections.rules.rulebook import Rulebook
from tests.oracle import oracle
from tests.oracle.chains import Chain, Quiet, Step, first_chain
from tests.oracle.chains import is_possible as possible_for_the_oracle
from tests.oracle.histories import RECORDED, raw
from tests.oracle.model_time import world
from tests.subjects.test_properties import END, Lives, found_lives, known
from tests.support.builders import SOURCES, Line, facts, instant

DAYS = timedelta(days=1)
DAYS_NEAR = (
    *("2022-03-01", "2022-03-03", "2022-03-05", "2022-03-06", "2022-03-08", "2022-03-10", "2022-03-12", "2022-03-15"),
    *("2022-03-05T10:00:00Z", "2022-03-08T13:59:59Z", "2022-03-08T14:00:00Z", "2022-03-02T10:00:00Z"),
)
DAYS_VAGUE = (
    *("2022-03-05~", "2022-03-1X", "2022-03", "../2022-03-10", "2022-03-10/..", "2022-03-01/2022-03-08"),
    *("2022-03-02T10:00:00Z/2022-03-12", "2022-03-04/2022-03-09T20:00:00Z", "2022-02/2022-04", "XXXX-03-05"),
)
KINDS = ("Accused", "InvestigationOpened", "Detained", "Arrested", "Charged")
AUTHORITIES = ("court", "police")
lengths = st.sampled_from([2 * DAYS, 3 * DAYS, 5 * DAYS, 8 * DAYS, 20 * DAYS])
types = st.sets(st.sampled_from(KINDS), min_size=1, max_size=2).map(frozenset)
untils = st.one_of(st.just(END), st.sampled_from([*map(instant, RECORDED)]))
rare = st.sampled_from([False, False, False, True])


@st.composite
def days(draw: st.DrawFn, vague: int = 35) -> str:
    """A day or a date-time near the others; *vague* in a hundred are vague."""
    return draw(st.sampled_from(DAYS_VAGUE if draw(st.integers(0, 99)) < vague else DAYS_NEAR))


def conditions(draw: st.DrawFn, *, conditional: bool) -> dict[str, Any]:
    """The conditions of a step; most steps have none."""
    if not conditional:
        return {}
    return {
        "same": draw(rare),
        "authority": draw(st.sampled_from(["", "", *AUTHORITIES])),
        "as_anchor": draw(rare),
        "as_before": draw(st.booleans()),
    }


@st.composite
def chains(draw: st.DrawFn, *, most: int = 3, quiet: bool = False) -> Chain:
    """A rule with up to *most* steps, half of them with conditions."""
    conditional = draw(st.booleans())
    steps = [
        Step(draw(types), draw(lengths), **conditions(draw, conditional=conditional))
        for _ in range(draw(st.integers(0 if quiet else 1, most)))
    ]
    silence = Quiet(
        draw(types),
        draw(lengths),
        draw(st.sampled_from([0 * DAYS, 2 * DAYS])),
        **conditions(draw, conditional=conditional),
    )
    return Chain(
        "a-chain",
        draw(types),
        tuple(steps),
        draw(st.none() | lengths) if steps else None,
        certain=draw(st.booleans()),
        quiet=silence if quiet else None,
        custody=draw(st.sampled_from([frozenset[str](), frozenset[str](), frozenset({"detained"})])),
        jurisdiction=draw(st.sampled_from([frozenset[str](), frozenset[str](), frozenset({"KZ"})])),
    )


@st.composite
def data_of(draw: st.DrawFn, kind: str, targets: Sequence[str]) -> dict[str, Any]:
    """Data of a fact of *kind*; facts that it names are of *targets*."""
    data: dict[str, Any] = {
        "occurred": draw(days()),
        "published": draw(st.sampled_from(("2022-04-30", "2022-04-30", "2022-03-16", "2022-03-09T12:00:00Z"))),
        "sources": SOURCES,
    }
    if kind in TRACKS["meta"]:
        return data | {"fact_id": draw(st.sampled_from(targets))}
    if kind in TRACKS["case"] or draw(st.booleans()):
        data["case_id"] = draw(st.sampled_from("cd"))
    if kind != "Died" and draw(st.booleans()):
        data["authority"] = draw(st.sampled_from(AUTHORITIES))
    if draw(st.booleans()):
        data["jurisdiction"] = "KZ"
    if not draw(st.integers(0, 8)):
        data["after"] = [draw(st.sampled_from(targets))]
    return data


@st.composite
def stories(draw: st.DrawFn, rule: Chain, *, most: int = 4) -> list[Line]:
    """Facts of one person, close in time and mostly of the types of *rule*."""
    parts = [rule.on, *(step.then for step in rule.steps), *([rule.quiet.then] if rule.quiet else [])]
    needed = [draw(st.sampled_from(sorted(part))) for part in parts[: len(rule.steps) + 1]]
    pool = st.sampled_from(
        [*(kind for part in parts for kind in sorted(part) * 3), "Died", "Acquitted", *TRACKS["meta"]]
    )
    drawn = [*needed, *draw(st.lists(pool, max_size=most))]
    ids = [f"f{n}" for n in range(len(drawn))]
    of = dict(zip(ids, drawn, strict=True))
    lines = []
    for name, kind in of.items():
        data = draw(data_of(kind, ids))
        if kind == "Corrected":
            target = of[data["fact_id"]]
            data["data"] = draw(data_of(target, ids)) | ({"data": {}} if target == kind else {})
        if kind == "Retracted":
            data["reason"] = "wrong"
        recorded = draw(st.sampled_from(RECORDED))
        lines.append(
            {"type": kind, "id": name, "source": "urn:test", "subject": "a", "data": data, "recorded": recorded}
        )
    return lines


def step_of(step: Step | Quiet, number: int, own: str) -> dict[str, Any]:
    """Return a step of the oracle as a step of the program."""
    where: dict[str, Any] = {}
    checks: list[dict[str, Any]] = []
    if step.authority:
        where[f"{own}.authority"] = step.authority
    before = "anchor" if number == 1 else f"step{number - 1}"
    if step.as_anchor:
        checks.append({f"{own}.authority": {"same_as": "anchor.authority"}})
    if step.as_before:
        checks.append({f"{before}.authority": {"same_as": f"{own}.authority"}})
    # An alternative that stands alone is the same as its conditions, and several of them need one another.
    for check in checks[:1]:
        where["any"] = [check]
    for check in checks[1:]:
        where |= check
    return ({"where": where} if where else {}) | ({"same": ["case_id"]} if step.same else {})


def chain_of(rule: Chain) -> ChainRule:
    """Return the rule of the oracle as a rule of the program."""
    steps: list[dict[str, Any]] = [
        {"then": sorted(step.then), "within": step.within, **step_of(step, number, "then")}
        for number, step in enumerate(rule.steps, 1)
    ]
    if rule.quiet:
        quiet = rule.quiet
        keys = {"absent": sorted(quiet.then), "for": quiet.wait, "settle": quiet.settle}
        steps.append(keys | step_of(quiet, len(steps) + 1, "absent"))
    optional = {
        "within": rule.whole,
        "unless": {"custody": sorted(rule.custody)} if rule.custody else None,
        "jurisdiction": sorted(rule.jurisdiction) or None,
    }
    return ChainRule.model_validate(
        {
            "id": rule.id,
            "title": "A rule",
            "on": sorted(rule.on),
            "explain": "{name}: {anchor.type}.",
            "steps": steps,
            "certainty": "certain" if rule.certain else "possible",
            **{key: value for key, value in optional.items() if value is not None},
        }
    )


def expected_lives(rule: Chain, lines: Sequence[Line], until: datetime) -> Lives:
    """Return the oracle's lives of the alerts of *rule*."""
    return {
        alert.id: (alert.anchor, [(state, format_instant(at)) for state, at in alert.life])
        for alert in oracle.lives(rule, known(lines, until), until)
    }


@pytest.mark.parametrize("end", ["a fact", "a silence"])
@settings(max_examples=150, derandomize=True)
@given(st.data(), untils)
def test_chains_live_as_those_of_the_oracle(end: str, data: st.DataObject, until: datetime) -> None:
    """Trying every tuple of events leads to the same alerts, states and instants."""
    rule = data.draw(chains(quiet=end == "a silence"))
    lines = data.draw(stories(rule))
    book = Rulebook((chain_of(rule),))

    assert expected_lives(rule, lines, until) == found_lives(backtest(raw(lines), book, until).report["alerts"])
    assert book == Rulebook.from_json(book.as_json())


@settings(max_examples=200, derandomize=True)
@given(st.data())
def test_the_first_chain_is_that_of_the_oracle(data: st.DataObject) -> None:
    """Of several chains, the first in world order is found, in any history and with any dates."""
    rule = data.draw(chains(most=4))
    told = facts(*data.draw(stories(rule, most=6)))
    clock = instant("2030")
    history = History(told, clock)
    events, _ = world(told, clock, None)
    read = chain_of(rule)

    for anchor in (event for event in events if event.type in rule.on):
        best = history.counting[anchor.id]
        expected = first_chain(rule, anchor, events, told)
        found = read.find(best, history)
        assert [event.id for event in expected or ()] == [fact.id for fact in found.completing]
        assert (expected is not None) == (found.value == "standing")
        assert applies(read.where, (), best, history)


def dated(name: str, occurred: str, published: str) -> Fact:
    """Return a fact with these dates."""
    data = {"occurred": occurred, "published": published}
    return make_fact(id=name, type="Detained", subject="a", source="urn:test", version="1", data=data)


spans = st.tuples(days(vague=60), st.sampled_from(("2022-04-30", "2022-03-08", "2022-03-08T12:00:00Z")))


@settings(max_examples=300, derandomize=True)
@given(spans, spans, lengths)
def test_two_facts_are_possible_as_in_a_sequence(one: tuple[str, str], two: tuple[str, str], within: timedelta) -> None:
    """A choice of instants for two facts exists exactly if a sequence of them is possible."""
    first, second = dated("a", *one), dated("b", *two)
    if first.occurred.dated and second.occurred.dated:
        bounds = started(ends_of(first.occurred))
        assert bounds is not None
        closed = followed(bounds, ends_of(second.occurred), less_than(within), None)

        assert is_possible(first, second, within) == (closed is not None)


@settings(max_examples=200, derandomize=True)
@given(st.lists(spans, min_size=2, max_size=5), st.lists(lengths, min_size=4, max_size=4), st.none() | lengths)
def test_instants_are_found_as_by_elimination(
    drawn: list[tuple[str, str]], withins: list[timedelta], whole: timedelta | None
) -> None:
    """The shortest paths find a choice of instants exactly if an elimination of one variable after another does."""
    told = [fact for n, text in enumerate(drawn) if (fact := dated(str(n), *text)).occurred.dated]
    if not told:
        return
    steps = tuple(Step(frozenset({"Detained"}), within) for within in withins[: len(told) - 1])
    rule = Chain("a", frozenset(), steps, whole, certain=False)
    bounds = started(ends_of(told[0].occurred))
    for fact, within in zip(told[1:], withins, strict=False):
        limit = None if whole is None else less_than(whole)
        bounds = bounds and followed(bounds, ends_of(fact.occurred), less_than(within), limit)

    assert possible_for_the_oracle(rule, [fact.occurred for fact in told]) == (bounds is not None)
