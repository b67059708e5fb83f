"""A rule explained for one person: each reason agrees with the engine, and names the facts behind it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import parse_instant
from projections.alerts.alert import STANDING
from projections.alerts.explained import Explained, explained
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.chain import ChainRule
from projections.rules.patterns.lasting import LastingRule
from projections.rules.patterns.pattern import Rule
from projections.rules.patterns.sequence import SequenceRule
from tests.support.builders import (
    Line,
    acquitted,
    arrested,
    charged,
    corrected,
    detained,
    died,
    dismissed,
    facts,
    reinstated,
    released,
    retracted,
    stated,
    suspended,
)

DAY = 86_400
SHAPE: dict[str, Any] = {"id": "x", "title": "x", "on": ["Dismissed"], "explain": "x"}
SILENCE: dict[str, Any] = SHAPE | {"absent": ["Charged", "Detained"], "for": 90 * DAY, "settle": 7 * DAY}
SEQUENCE: dict[str, Any] = SHAPE | {"then": ["Detained", "Arrested"], "within": 90 * DAY}


def rule_of(data: dict[str, Any], **more: Any) -> Rule:
    """Return the rule of *data* with *more* keys."""
    model = AbsenceRule if "absent" in data else SequenceRule
    return model.model_validate(data | more)


def explain(rule: Rule, *lines: Line, clock: str = "2024") -> Explained:
    """Explain *rule* for the person of *lines* at *clock*."""
    at = parse_instant(clock)
    known = [fact for fact in facts(*lines) if fact.recorded <= at]
    return explained(rule, "a", sorted(known, key=lambda fact: fact.recorded), at)


def told(result: Explained) -> list[tuple[str, bool | None]]:
    """Return the reasons of the only anchor, each as its kind and its answer."""
    (anchor,) = result.anchors
    return [(reason.what, reason.holds) for reason in anchor.reasons]


def detail(result: Explained, what: str) -> dict[str, str]:
    """Return the detail of the first reason of one kind, of the only anchor."""
    (anchor,) = result.anchors
    return dict(next(reason.detail for reason in anchor.reasons if reason.what == what))


def test_a_silence_that_stands_is_explained() -> None:
    """The deadline has passed, and no follow-up is known."""
    result = explain(rule_of(SILENCE), dismissed("2022-03-27"))

    assert [("deadline", True), ("none_prevents", True)] == told(result)
    assert {"deadline": "2022-06-26T00:00:00Z", "opens": "2022-07-03T00:00:00Z"} == detail(result, "deadline")
    assert (None, ["open"]) == (result.due, [alert.state for alert in result.alerts])


def test_before_the_deadline_the_next_instant_is_told() -> None:
    """The alert opens once the log's clock is past that instant."""
    result = explain(rule_of(SILENCE), dismissed("2022-03-27"), clock="2022-05-01")

    assert [("deadline", False)] == told(result)
    assert parse_instant("2022-07-03T00:00:00Z") == result.due == result.anchors[0].due


@pytest.mark.parametrize(
    ("follow", "holds", "order", "effect"),
    [
        (detained("2022-04-20"), False, "after", "prevents"),
        (detained("2022-08-20"), False, "after", "ends"),
        (detained("2022-03"), False, "undecided", "prevents"),
        (detained("2022-02-20"), None, "before", "none"),
        (died("2022-05-01"), False, "after", "prevents"),
    ],
)
def test_each_follow_up_of_a_silence_has_its_effect(
    follow: Line,
    holds: bool | None,  # noqa: FBT001 - a value of the table
    order: str,
    effect: str,
) -> None:
    """One before the deadline prevents the alert, a later one ends it, and one before the anchor does not count."""
    result = explain(rule_of(SILENCE), dismissed("2022-03-27"), follow)

    assert ("follow_up", holds) in told(result)
    assert (order, effect, "yes") == tuple(
        detail(result, "follow_up")[name] for name in ("order", "effect", "conditions")
    )


def test_a_follow_up_without_the_value_asked_for_is_undecided() -> None:
    """It prevents the silence before the deadline, and the reader sees that its source says too little."""
    rule = rule_of(SILENCE, same=["case_id"])
    result = explain(rule, dismissed("2022-03-27", case="k"), detained("2022-04-20"))
    other = explain(rule, dismissed("2022-03-27", case="k"), charged("2022-04-20", case="m"))

    assert ("undecided", "prevents") == (
        detail(result, "follow_up")["conditions"],
        detail(result, "follow_up")["effect"],
    )
    assert ("no", "none") == (detail(other, "follow_up")["conditions"], detail(other, "follow_up")["effect"])
    assert ("none_prevents", True) in told(other)


def test_the_word_of_unless_that_held_is_named_with_its_fact() -> None:
    """Of several words, the one that was the status, and the fact that set it."""
    rule = rule_of(SILENCE, unless={"custody": ["detained", "remanded"], "open_cases": {"at_least": 1}})
    result = explain(rule, arrested("2022-03-01", id="held"), charged("2022-02-01", id="case"), dismissed("2022-03-27"))
    custody, cases = result.anchors[0].reasons

    assert ("remanded", "yes", ("held",)) == (custody.detail["found"], custody.detail["has"], custody.facts)
    assert (False, "at_least 1", ("case",)) == (cases.holds, cases.detail["wanted"], cases.facts)
    assert "void" == result.anchors[0].value


def test_an_exception_that_did_not_hold_speaks_for_the_pattern() -> None:
    """A released person is not in custody."""
    rule = rule_of(SILENCE, unless={"custody": ["detained"]})
    result = explain(rule, detained("2022-03-01"), released("2022-03-02"), dismissed("2022-03-27"))

    assert ("unless", True) == told(result)[0]
    assert ("", "no") == (detail(result, "unless")["found"], detail(result, "unless")["has"])


def test_jurisdiction_and_where_are_told_apart() -> None:
    """Each condition has its own answer."""
    rule = rule_of(SILENCE, jurisdiction=["KZ"], where={"anchor.ground": "corruption", "anchor.post": "mayor"})
    result = explain(rule, dismissed("2022-03-27", jurisdiction="KG", ground="corruption", post="judge"))

    assert [("jurisdiction", False), ("where", True), ("where", False), ("together", False)] == told(result)
    assert {"wanted": "KZ", "found": "KG"} == detail(result, "jurisdiction")


def test_conditions_on_an_amount_are_asked_with_their_currency() -> None:
    """An amount alone is not a valid condition, so it is asked with its currency."""
    where = {"anchor.amount": {"at_least": 5}, "anchor.currency": "KZT"}
    rule = rule_of(SILENCE | {"on": ["Bailed"]}, where=where)
    result = explain(rule, stated("Bailed", "2022-03-27", amount=4, currency="KZT"))

    assert [("where", False), ("where", True), ("together", False)] == told(result)


def test_a_sequence_names_the_facts_that_complete_it() -> None:
    """One in time completes it, a later one does not."""
    result = explain(rule_of(SEQUENCE), dismissed("2022-03-27"), detained("2022-04-20"), arrested("2022-12-20"))

    assert [("follow_up", True), ("follow_up", None)] == told(result)
    assert ("standing", ["open"]) == (result.anchors[0].value, [alert.state for alert in result.alerts])


def test_a_sequence_without_a_follow_up_says_so() -> None:
    """That no known event completes it is a reason too."""
    assert [("none_completes", False)] == told(explain(rule_of(SEQUENCE), dismissed("2022-03-27")))


def test_an_event_of_over_changes_the_answer() -> None:
    """A reader sees which event ended the pattern."""
    rule = rule_of(SEQUENCE, over=["Released"])
    result = explain(rule, dismissed("2022-03-27"), detained("2022-04-20"), released("2022-05-01"))

    assert "ended" == result.anchors[0].value
    assert ["completes", "changes"] == [reason.detail["effect"] for reason in result.anchors[0].reasons]


def test_a_cleared_person_ends_a_sequence() -> None:
    """The pattern is there, and nothing is said of it."""
    story = [dismissed("2022-03-27"), detained("2022-04-20"), released("2022-06-01"), charged("2022-04-21")]
    result = explain(rule_of(SEQUENCE), *story, acquitted("2022-09-01", final=True))

    assert ("cleared", False) == told(result)[-1]
    assert "ended" == result.anchors[0].value


def test_a_fact_without_a_year_is_named() -> None:
    """It may lie in the time searched, so that nothing is said; as an anchor it starts nothing."""
    result = explain(
        rule_of(SILENCE),
        dismissed("2022-03-27"),
        detained("XXXX-04-01", published="2022-12-31", id="u"),
        dismissed("XXXX-05-01", published="2022-12-31", id="v"),
    )

    assert ("undated", False) in told(result)
    assert "void" == result.anchors[0].value
    assert [("undated_anchor", ("v",))] == [(reason.what, reason.facts) for reason in result.not_anchors]


def test_a_fact_without_a_year_does_not_disturb_the_conditions() -> None:
    """Each condition is asked alone; a suspension without a year is no part of it."""
    rule = rule_of(SILENCE, unless={"custody": ["detained"]})
    result = explain(rule, stated("Suspended", "XXXX-04-01", published="2022-12-31"), dismissed("2022-03-27"))

    assert ("unless", True) == told(result)[0]


def test_an_announced_fact_is_named_with_the_instant_at_which_it_counts() -> None:
    """An announced dismissal counts from its day on; an announced detention never does."""
    result = explain(
        rule_of(SILENCE | {"absent": ["Detained", "Appointed"]}),
        dismissed("2022-03-27"),
        detained("2022-05-01", published="2022-04-01"),
        stated("Appointed", "2022-06-01", published="2022-04-01"),
        dismissed("2022-07-01", published="2022-04-02", id="later"),
        clock="2022-04-03",
    )
    counts = [reason.detail["counts"] for reason in result.anchors[0].reasons if reason.what == "announced"]

    assert ["", "2022-06-02T00:00:00Z"] == counts
    assert ["later"] == [reason.facts[0] for reason in result.not_anchors]
    assert parse_instant("2022-06-02T00:00:00Z") == result.due


def test_a_rule_that_counts_from_until_says_that_there_is_none() -> None:
    """Without an end there is no deadline."""
    rule = rule_of(SILENCE | {"on": ["Suspended"]}, **{"from": "until"})

    assert [("no_until", False)] == told(explain(rule, stated("Suspended", "2022-03-27")))


def test_a_person_without_an_anchor_has_no_reasons() -> None:
    """The reader learns it from the list of anchors, which is empty."""
    assert Explained((), (), (), None) == explain(rule_of(SILENCE), detained("2022-03-27"))
    assert Explained((), (), (), None) == explain(rule_of(SILENCE))


def test_reports_of_one_event_are_one_anchor() -> None:
    """Two papers that report one dismissal are one anchor with two reports."""
    result = explain(
        rule_of(SILENCE), dismissed("2022-03-27", id="p"), dismissed("2022-03", id="q", published="2022-03-31")
    )

    assert [("p", "q")] == [anchor.reports for anchor in result.anchors]


def test_corrections_are_applied_before_the_reasons() -> None:
    """A corrected detention has its new day, and a retracted one is gone."""
    held, gone = detained("2022-04-20", id="h"), detained("2022-04-21", id="g")
    result = explain(
        rule_of(SILENCE),
        dismissed("2022-03-27"),
        held,
        gone,
        corrected(held, "2022-09-01", occurred="2022-08-20", published="2022-09-01"),
        retracted(gone),
    )

    assert [("follow_up", False)] == told(result)[1:]
    assert ("2022-08-20", "ends") == (detail(result, "follow_up")["occurred"], detail(result, "follow_up")["effect"])


LIMIT = {"limit": "stay", "entries": [{"jurisdiction": "KZ", "from": "2020-01-01", "value": 2 * DAY, "source": "L"}]}
QUIET: dict[str, Any] = SHAPE | {
    "steps": [{"then": ["Detained"], "within": 90 * DAY}, {"absent": ["Charged"], "for": 9 * DAY}]
}
LASTING: dict[str, Any] = {
    "id": "x", "title": "x", "explain": "x", "while": {"service": ["suspended"]}, "for": 9 * DAY,
}  # fmt: skip


def test_a_fact_without_a_year_counts_against_a_pattern_only_if_it_prevents_it() -> None:
    """One that can begin a status, or be a step, prevents nothing; one that can end it does."""
    quiet, lasting = ChainRule.model_validate(QUIET), LastingRule.model_validate(LASTING)
    later = {"published": "2022-12-31", "id": "u"}
    chain = [dismissed("2022-03-27"), detained("2022-04-20")]

    assert ("undated", None) in told(explain(quiet, *chain, detained("XXXX-05-01", **later)))
    assert ("undated", False) in told(explain(quiet, *chain, charged("XXXX-05-01", **later)))
    assert ("undated", None) in told(explain(lasting, suspended("2022-03-27"), suspended("XXXX-05-01", **later)))
    assert ("undated", False) in told(explain(lasting, suspended("2022-03-27"), reinstated("XXXX-05-01", **later)))


@pytest.mark.parametrize(("day", "effect"), [("2022-04-25", "prevents"), ("2022-05-25", "ends")])
def test_the_event_that_ends_a_silence_behind_steps_is_named(day: str, effect: str) -> None:
    """Alone it would do nothing, since there would be no chain."""
    result = explain(ChainRule.model_validate(QUIET), dismissed("2022-03-27"), detained("2022-04-20"), charged(day))
    assert effect in [reason.detail["effect"] for reason in result.anchors[0].reasons if reason.what == "follow_up"]


def test_the_event_that_ends_a_status_is_named() -> None:
    """One before the deadline prevents the alert, a later one ends it, and an event that began nothing is told."""
    lasting = LastingRule.model_validate(LASTING)
    early = explain(lasting, suspended("2022-03-27"), reinstated("2022-04-01"))
    late = explain(lasting, suspended("2022-03-27"), reinstated("2022-05-01"))
    again = explain(lasting, suspended("2022-03-27"), suspended("2022-03-29"))

    assert ("void", "prevents") == (early.anchors[0].value, detail(early, "follow_up")["effect"])
    assert ("ended", "ends") == (late.anchors[0].value, detail(late, "follow_up")["effect"])
    assert ("not_begun", False) in [(reason.what, reason.holds) for reason in again.anchors[1].reasons]


def test_a_limit_without_a_value_is_named() -> None:
    """Nothing else is asked of such an anchor, in each pattern that takes a limit."""
    steps = [{"then": ["Detained"], "within": LIMIT}]
    sequence = {key: value for key, value in SEQUENCE.items() if key != "within"}
    for rule in (
        rule_of(SILENCE | {"for": LIMIT}),
        rule_of(sequence | {"within": LIMIT}),
        ChainRule.model_validate(SHAPE | {"steps": steps}),
    ):
        assert [("no_limit", False)] == told(explain(rule, dismissed("2022-03-27", jurisdiction="RU")))
        assert "no_limit" not in dict(told(explain(rule, dismissed("2022-03-27", jurisdiction="KZ"))))


def test_a_status_that_does_not_last_is_told() -> None:
    """The follow-ups do not explain such a silence, and the status does."""
    rule = rule_of(SILENCE | {"on": ["Suspended"]}, still={"service": ["suspended"]})
    late = stated("Reinstated", "XXXX-05-01", published="2022-12-31", id="u")

    assert ("still", True) in told(explain(rule, suspended("2022-03-27")))
    assert ("still", False) in told(explain(rule, suspended("2022-03-27"), reinstated("2022-04-01")))
    assert ("undated", False) in told(explain(rule, suspended("2022-03-27"), late))


def test_an_anchor_for_which_an_earlier_one_speaks_is_told() -> None:
    """With `once`, its own pattern is there, and it raises no alert."""
    result = explain(rule_of(SILENCE, once="subject"), dismissed("2022-03-27"), dismissed("2022-05-27", post="judge"))
    first, second = result.anchors

    assert ("standing", "void") == (first.value, second.value)
    assert "once" not in {reason.what for reason in first.reasons}
    assert ("once", False) == (second.reasons[-1].what, second.reasons[-1].holds)


RULES = [
    rule_of(SILENCE | {"absent": ["Charged", "Detained", "Arrested", "Released"], "on": ["Dismissed", "Detained"]}),
    rule_of(SILENCE, unless={"custody": ["detained", "remanded"], "stage": ["charged", "trial"]}),
    rule_of(SILENCE | {"on": ["Charged", "Detained"]}, same=["case_id"]),
    rule_of({key: value for key, value in SILENCE.items() if key != "for"}, before=60 * DAY),
    rule_of(SEQUENCE | {"on": ["Dismissed", "Suspended", "Charged"], "then": ["Detained", "Arrested", "Convicted"]}),
    rule_of(SEQUENCE | {"on": ["Charged", "Appointed"]}, certainty="possible", unless={"open_cases": {"at_least": 1}}),
    rule_of(SEQUENCE | {"on": ["Detained"], "then": ["Released", "Arrested"]}, over=["Detained"]),
]  # fmt: skip


DATES = (
    "2022-03-27",
    "2022-03",
    "2022-04-10",
    "2022-04-10T10:00:00Z",
    "2022-05~",
    "2022-07-20",
    "2022-11",
    "XXXX-04-01",
)
KINDS = ("Dismissed", "Suspended", "Charged", "Detained", "Detained", "Arrested", "Released", "Convicted", "Died")


@st.composite
def stories(draw: st.DrawFn) -> list[Line]:
    """Facts about one person, of the types that the rules above read, on few days; some have no year."""
    story: list[Line] = []
    for number in range(draw(st.integers(1, 7))):
        kind, day = draw(st.sampled_from(KINDS)), draw(st.sampled_from(DATES))
        case = draw(st.sampled_from("km")) if kind in {"Charged", "Convicted"} else draw(st.sampled_from(["k", None]))
        published = draw(st.sampled_from(["2022-12-31", "2023-02-01"]))
        story.append(stated(kind, day, published=published, case=case, id=f"f{number}"))
        if draw(st.integers(0, 9)) == 0:
            story.append(retracted(draw(st.sampled_from(story)), "2023-03-01", id=f"r{number}"))
    return story


@settings(max_examples=200)
@given(lines=stories(), rule=st.sampled_from(RULES))
def test_the_reasons_agree_with_the_answer(lines: list[Line], rule: Rule) -> None:
    """Every answer has a reason on its side, and the alerts are those that the values allow."""
    result = explain(rule, *lines, clock="2045")

    for anchor in result.anchors:
        effects = {reason.detail["effect"] for reason in anchor.reasons if reason.what == "follow_up"}
        against = {reason.what for reason in anchor.reasons if reason.holds is False}
        match anchor.value:
            case "standing":
                assert against <= {"follow_up"} if not rule.waits else not against
                assert rule.waits or "completes" in effects
            case "ended":
                assert "ends" in effects if rule.waits else "completes" in effects
            case "void":
                assert against
                assert "other" not in against
    standing = {alert.anchor for alert in result.alerts if alert.state in STANDING}
    assert {anchor.anchor.id for anchor in result.anchors if anchor.value == "standing"} == standing
