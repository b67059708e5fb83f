"""The alerts across people follow from the stored facts, whatever the partitions, batches, interleaving and crashes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from projections.projector.backtest import stored_alerts
from projections.projector.ledger_backtest import backtest_ledger
from projections.projector.rebuild import rebuild
from projections.rules.rulebook import Rulebook
from projections.tables.database import snapshot
from tests.support.builders import (
    Line,
    appointed,
    arrested,
    corrected,
    detained,
    instant,
    released,
    report,
    retracted,
    stated,
)
from tests.support.correlating import ACROSS, House, counting, ministry, related
from tests.support.ledgers import failing_statements

PEOPLE = "abcdef"
DAYS = ("2022-01-01", "2022-01-10", "2022-01", "2022-02-05", "2022-02-20", "2022-03-15", "2022-06-30", "2022-08")
UNTIL = "2023-06-01"
TWO = Rulebook(
    (counting(count={"distinct": "subject", "at_least": 2, "by": "agency", "within": 40 * 86400}), related())
)


@st.composite
def stories(draw: st.DrawFn) -> list[Line]:
    """Facts of a few people in the order in which they are recorded, several at one instant."""
    lines: list[Line] = []
    day = 0
    for number in range(draw(st.integers(4, 22))):
        day += draw(st.integers(0, 2))
        recorded = f"2022-{9 + day // 28:02}-{1 + day % 28:02}T12:00:00Z"
        lines.append(draw(_fact(number, lines)) | {"recorded": recorded})
    return lines


@st.composite
def _fact(draw: st.DrawFn, number: int, before: list[Line]) -> Line:
    subject, day, name = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from(DAYS)), f"f{number}"
    kind = draw(
        st.sampled_from(["appointed", "appointed", *(["held"] * 5), "released", "related", "unrelated", "mend"])
    )
    happened = [line for line in before if line["type"] in {"Detained", "Arrested", "Appointed", "RelationAsserted"}]
    if kind == "mend" and happened:
        of = draw(st.sampled_from(happened))
        mends = [retracted(of, "2022-09-01", id=name), corrected(of, "2022-09-01", id=name, occurred=day)]
        return draw(st.sampled_from(mends))
    other = draw(st.sampled_from(PEOPLE))
    match kind:
        case "appointed":
            agency = draw(st.sampled_from(["Ministry", "MINISTRY", "Court"]))
            keys = {"post": f"post {agency}", "agency": agency, "jurisdiction": "KZ"}
            return appointed("2021-05-01", subject=subject, id=name, **keys)
        case "released":
            return released(day, subject=subject, id=name)
        case "related" | "unrelated":
            make_type = "RelationAsserted" if kind == "related" else "RelationWithdrawn"
            return stated(make_type, day, subject=subject, id=name, other=other, relation="sibling")
        case _:
            make = draw(st.sampled_from([detained, arrested]))
            return make(day, subject=subject, id=name, published="2022-09-01")


def told(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of alerts without what is not a conclusion."""
    return sorted(alerts, key=lambda alert: str(alert["alert_id"]))


def whole(lines: list[Line], rules: Rulebook) -> list[dict[str, Any]]:
    """Return the alerts of one partition that is projected and judged at once."""
    return told(House(1, rules=rules).judge(lines, UNTIL).alerts())


@settings(max_examples=40)
@given(stories(), st.integers(1, 4), st.integers(1, 5), st.data())
def test_every_interleaving_produces_the_same_alerts(
    lines: list[Line], partitions: int, rows: int, data: st.DataObject
) -> None:
    """Any number of partitions, size of batches and order of work leads to the same alerts at the same instants."""
    house = House(partitions, rules=TWO, rows=rows)
    left: dict[int, list[Line]] = {number: [] for number in range(partitions)}
    for line in lines:
        left[house.home(line["subject"].encode())].append(line)
    while any(left.values()):
        number = data.draw(st.sampled_from([number for number, own in left.items() if own]))
        size = data.draw(st.integers(1, 4))
        house.project_in(number, left[number][:size])
        del left[number][:size]
        match data.draw(st.sampled_from(["", "judge", "judge", "take over"])):
            case "judge":
                house.correlator.catch_up(instant("2030"))
            case "take over":
                house.correlator = house.correlate()
                house.correlator.advance(instant("2030"))
    house.declare(UNTIL)
    house.correlator.catch_up(instant("2030"))

    assert whole(lines, TWO) == told(house.alerts())
    assert [] == rebuild(house.engine, TWO, lambda _: None, exchange=False)


@settings(max_examples=40)
@given(stories())
def test_a_backtest_raises_the_same_alerts(lines: list[Line]) -> None:
    """A backtest tells the same lives, evidence and sentences as the live correlator."""
    live = whole(lines, TWO)
    replayed = report(lines, UNTIL, TWO)["alerts"]

    assert {one["alert_id"]: (one["evidence"], one["explanation"], one["state"]) for one in live} == {
        one["alert_id"]: (one["evidence"], one["explanation"], one["state"]) for one in replayed
    }
    assert {one["alert_id"]: [step[0] for step in one["life"]] for one in live} == {
        one["alert_id"]: [step["state"] for step in one["life"]] for one in replayed
    }


@settings(max_examples=40)
@given(stories(), st.integers(1, 3), st.integers(1, 12))
def test_a_backtest_of_the_ledger_raises_the_same_alerts(lines: list[Line], partitions: int, facts: int) -> None:
    """A backtest of stored facts equals the live alerts in every part, however few facts it keeps in memory."""
    house = House(partitions, rules=TWO).judge(lines, UNTIL)
    with snapshot(house.engine) as conn:
        live = stored_alerts(conn)

        assert [live] == [*backtest_ledger(conn, TWO, instant(UNTIL), facts=facts)]


def test_a_backtest_holds_nothing_at_its_end() -> None:
    """A retraction at the very end of the clock is beyond the horizon, and does not hold back the alerts before it."""
    lines = ministry("abc")
    end = [retracted(lines[-1], "2022-05-01", recorded="2022-05-01T12:00:00Z")]

    assert ["open"] == [one["state"] for one in report([*lines, *end], "2022-05-01T12:00:00Z", ACROSS)["alerts"]]


@pytest.mark.parametrize("word", ["contributions", "alert_changes", "outbox", "commit", "UPDATE partitions"])
def test_a_crash_between_any_two_writes_changes_nothing(word: str) -> None:
    """After a failure of any statement the transaction is gone, and the next attempt concludes the same."""
    lines = ministry("abcd")
    house = House(2)
    house.project(lines)
    house.declare(UNTIL)
    with (
        failing_statements(house.engine, word, OperationalError("", None, Exception("lost"))),
        pytest.raises(OperationalError),
    ):
        house.correlator.catch_up(instant("2030"))
    assert [] == house.alerts()

    house.correlator.catch_up(instant("2030"))
    assert whole(lines, ACROSS) == told(house.alerts())
