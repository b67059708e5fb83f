"""The stored alerts across people equal those of a naive evaluator, which computes everything again at each instant."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.rules.rulebook import Rulebook
from tests.correlator.test_interleaving import TWO, UNTIL, stories
from tests.oracle.stored_oracle import Told, seen, stored_alerts
from tests.support.builders import Line, detained, facts, instant, retracted, stated
from tests.support.correlating import House, life, related


def clear(alerts: dict[str, Told], lines: list[Line]) -> dict[str, Told]:
    """
    Return *alerts*, with the cause of a step only if one fact alone was recorded at its instant.

    Of several facts of one instant, the program and the oracle may name different ones.
    """
    counts = Counter(instant(str(line["recorded"])) for line in lines)
    return {
        alert_id: replace(told, life=[step if counts[step[1]] <= 1 else (*step[:2], "", None) for step in told.life])
        for alert_id, told in alerts.items()
    }


@settings(max_examples=80)
@given(stories(), st.integers(1, 3), st.integers(1, 6))
def test_the_stored_alerts_are_those_of_the_oracle(lines: list[Line], partitions: int, rows: int) -> None:
    """Rule, anchor, evidence, people and each step of the life with its instant, cause and fact are the same."""
    house = House(partitions, rules=TWO, rows=rows).judge(lines, UNTIL)

    assert clear(stored_alerts(facts(*lines), TWO, instant(UNTIL)), lines) == clear(seen(house.alerts()), lines)


@st.composite
def relatives(draw: st.DrawFn) -> list[Line]:
    """Facts of three people who are often related, some of them of one instant, with the news of each taken back."""
    lines: list[Line] = []
    for number in range(draw(st.integers(3, 14))):
        day, subject = 1 + number * draw(st.integers(0, 1)), draw(st.sampled_from("abc"))
        keys = {"subject": subject, "id": f"f{number}", "recorded": f"2022-09-{day:02}T12:00:00Z"}
        before = [line for line in lines if line["type"] != "Retracted" and line["recorded"] <= keys["recorded"]]
        kind = draw(st.sampled_from(["held", "held", "ahead", "freed", "related", "related", "withdrawn", "mend"]))
        other = draw(st.sampled_from("abc"))
        match kind:
            case "mend" if before:
                line = retracted(draw(st.sampled_from(before)), "2022-09-01", id=keys["id"])
            case "related" | "withdrawn":
                name = "RelationAsserted" if kind == "related" else "RelationWithdrawn"
                line = stated(name, f"2022-01-{1 + number:02}", other=other, relation="sibling", **keys)
            case "freed":
                line = stated("Released", draw(st.sampled_from(["2022-02-20", "2022-03"])), **keys)
            case "ahead":
                line = detained("2022-11-15", published="2022-09-01", **keys)
            case _:
                line = detained(draw(st.sampled_from(["2022-01-10", "2022-02", "2022-02-10"])), **keys)
        lines.append(line | {"recorded": keys["recorded"]})
    return sorted(lines, key=lambda line: str(line["recorded"]))


@settings(max_examples=80)
@given(relatives(), st.integers(1, 3))
def test_the_alerts_about_relatives_are_those_of_the_oracle(lines: list[Line], partitions: int) -> None:
    """Relations that come, are withdrawn and taken back have the same instants, causes and facts in both."""
    rules = Rulebook((related(),))
    house = House(partitions, rules=rules).judge(lines, UNTIL)

    assert stored_alerts(facts(*lines), rules, instant(UNTIL)) == seen(house.alerts())


def test_an_alert_ends_by_the_retraction_of_the_relation_in_the_other_history() -> None:
    """The cause is the retraction, although nothing links the two people any more."""
    sibling = stated(
        "RelationAsserted", "2022-01-01", subject="b", other="a", relation="sibling", recorded="2022-02-01T00:00:00Z"
    )
    both = [
        detained("2022-01-10", subject="a", recorded="2022-02-02T00:00:00Z"),
        detained("2022-02-10", subject="b", recorded="2022-02-11T00:00:00Z"),
    ]
    wrong = retracted(sibling, "2022-03-01", recorded="2022-03-01T00:00:00Z")
    house = House(2, rules=Rulebook((related(),))).judge([sibling, *both, wrong], UNTIL)

    assert [["open 2022-02-11 followed", "retracted 2022-03-01 retracted"]] == [life(one) for one in house.alerts()]
