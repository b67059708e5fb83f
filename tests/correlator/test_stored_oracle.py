"""The stored alerts across people equal those of a naive evaluator, which computes everything again at each instant."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.correlator.test_interleaving import TWO, UNTIL, stories
from tests.oracle.stored_oracle import seen, stored_alerts
from tests.support.builders import Line, facts, instant
from tests.support.correlating import House


@settings(max_examples=80)
@given(stories(), st.integers(1, 3), st.integers(1, 6))
def test_the_stored_alerts_are_those_of_the_oracle(lines: list[Line], partitions: int, rows: int) -> None:
    """Rule, anchor, evidence, people and each step of the life with its instant, cause and fact are the same."""
    house = House(partitions, rules=TWO, rows=rows).judge(lines, UNTIL)

    assert stored_alerts(facts(*lines), TWO, instant(UNTIL)) == seen(house.alerts())
