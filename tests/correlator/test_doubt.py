"""An opening whose evidence was taken back beyond the horizon is held until the horizon has passed the correction."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.projector.rebuild import rebuild
from projections.rules.rulebook import Rulebook
from projections.tables.schema import CORRELATOR, outbox
from tests.support.builders import Line, corrected, instant, report, retracted, rows
from tests.support.correlating import House, counting, life, ministry, related

NOW = instant("2030")
COUNT = Rulebook((counting(),))
LINES = ministry("abc")
UNTIL = "2023-06-01"
GONE = retracted(LINES[-1], "2022-03-05", recorded="2022-03-05T12:00:00Z")


def told(house: House) -> list[str]:
    """Return the states that the notices of the correlator tell."""
    return [row["notice"]["state"] for row in rows(house.engine, outbox) if row["partition"] == CORRELATOR]


def openings(house: House) -> list[list[str]]:
    """Return the evidence in each notice of an opening."""
    notices = [row["notice"] for row in rows(house.engine, outbox) if row["partition"] == CORRELATOR]
    return [notice["evidence"] for notice in notices if notice["state"] == "open"]


def lagging(lines: list[Line], ahead: list[Line]) -> House:
    """Return a house whose horizon is behind the facts *ahead*, which one partition has read already."""
    house = House(2, rules=COUNT)
    house.project(lines)
    for projector in house.projectors:
        projector.advance_watermark(instant("2022-03-01"), NOW)
    house.project(ahead)
    house.correlator.catch_up(NOW)
    return house


def test_an_opening_in_doubt_is_held() -> None:
    """The step that opens the alert is not taken while the retraction of its evidence is beyond the horizon."""
    house = lagging(LINES, [GONE])

    assert ([], []) == (house.alerts(), told(house))
    assert instant("2022-02-09T12:00:00Z") == house.correlator.checkpoint.watermark
    assert [] == rebuild(house.engine, COUNT, lambda _: None, exchange=False)
    assert not house.correlator.advance(NOW)


def test_a_held_opening_has_the_life_that_it_would_have_had() -> None:
    """Once the horizon has passed the retraction, opening and end are written at their own instants."""
    house = lagging(LINES, [GONE])
    house.declare(UNTIL)
    house.correlator.catch_up(NOW)
    (alert,) = house.alerts()

    assert ["open 2022-02-09 followed", "retracted 2022-03-05 retracted"] == life(alert)
    assert ["open", "retracted"] == told(house)
    assert House(1, rules=COUNT).judge([*LINES, GONE], UNTIL).alerts() == house.alerts()


def test_a_held_opening_is_released_to_another_correlator() -> None:
    """Another correlator that takes the place holds the same step, and takes it when the horizon has moved."""
    house = lagging(LINES, [GONE])
    house.correlator = house.correlate()
    house.correlator.catch_up(NOW)
    assert [] == house.alerts()

    house.declare(UNTIL)
    house.correlator.catch_up(NOW)
    assert ["open", "retracted"] == told(house)


def test_a_retraction_of_other_facts_holds_nothing() -> None:
    """A correction beyond the horizon of a fact that is no evidence does not hold an opening."""
    other = retracted(LINES[0], "2022-03-05", recorded="2022-03-05T12:00:00Z")
    house = lagging(LINES, [other])

    assert ["open"] == told(house)


def test_a_multiple_in_doubt_is_held() -> None:
    """The sixth of three is not told while its evidence is taken back beyond the horizon; the opening stands."""
    lines = ministry("abcdef")
    house = lagging(lines, [retracted(lines[-1], "2022-03-05", recorded="2022-03-05T12:00:00Z")])
    assert ["open"] == told(house)

    house.declare(UNTIL)
    house.correlator.catch_up(NOW)
    assert ["open", "open"] == told(house)


def test_a_change_of_rules_that_opens_in_doubt_is_held() -> None:
    """With CASETRAIL_TELL_BACKFILLED a new rule tells of old history, but not of evidence that was taken back."""
    house = House(2, rules=Rulebook((related(),)))
    house.project(LINES)
    house.declare("2022-03-01")
    house.correlator.catch_up(NOW)
    house.project([GONE])
    house.rules = Rulebook((counting(), related()))
    house.correlator = house.correlate(tell_backfilled=True)
    house.correlator.catch_up(NOW)
    assert ([], []) == (house.alerts(), told(house))

    house.declare(UNTIL)
    house.correlator.catch_up(NOW)
    assert ["open", "retracted"] == told(house)
    assert [] == rebuild(house.engine, house.rules, lambda _: None, exchange=False)


@st.composite
def mended(draw: st.DrawFn) -> list[Line]:
    """Detentions in one ministry, with corrections and retractions of some of them, in the order of recording."""
    lines = ministry("abcdef"[: draw(st.integers(3, 6))])
    detentions = [line for line in lines if line["type"] == "Detained"]
    for number in range(draw(st.integers(1, 4))):
        of = draw(st.sampled_from(detentions))
        day = f"2022-02-{draw(st.integers(5, 28)):02}T{13 + number}:00:00Z"
        if day > of["recorded"]:
            keys = {"id": f"m{number}", "recorded": day}
            gone = retracted(of, "2022-03-01", **keys)
            lines.append(draw(st.sampled_from([gone, corrected(of, "2022-03-01", occurred="2021-01-01", **keys)])))
    return sorted(lines, key=lambda line: str(line["recorded"]))


@settings(max_examples=60)
@given(mended(), st.data())
def test_held_or_not_the_rows_are_the_same(lines: list[Line], data: st.DataObject) -> None:
    """Whatever was held on the way, alerts, changes and notices are those of one partition judged at once."""
    house = House(3, rules=COUNT, rows=data.draw(st.integers(1, 6)))
    left: dict[int, list[Line]] = {number: [] for number in range(3)}
    for line in lines:
        left[house.home(line["subject"].encode())].append(line)
    read: list[Line] = []
    while any(left.values()):
        number = data.draw(st.sampled_from([number for number, own in left.items() if own]))
        size = data.draw(st.integers(1, 3))
        house.project_in(number, left[number][:size])
        read += left[number][:size]
        del left[number][:size]
        ends = st.sampled_from(["2022-02-15", UNTIL])
        for each, own in left.items():
            # A partition without more facts does not hold back the horizon.
            if not own:
                house.projectors[each].advance_watermark(instant(data.draw(ends)), NOW)
        before = len(openings(house))
        house.correlator.catch_up(NOW)
        horizon = house.correlator.horizon()
        ahead = [line for line in read if horizon is not None and instant(line["recorded"]) >= horizon]
        gone = {line["data"]["fact_id"] for line in ahead if "fact_id" in line["data"]}
        assert all(gone.isdisjoint(evidence) for evidence in openings(house)[before:])
    house.declare(UNTIL)
    house.correlator.catch_up(NOW)
    whole = House(1, rules=COUNT).judge(lines, UNTIL)

    assert by_id(whole.alerts()) == by_id(house.alerts())
    assert told(whole) == told(house)
    assert [] == rebuild(house.engine, COUNT, lambda _: None, exchange=False)
    assert {one["alert_id"]: one["state"] for one in report(lines, UNTIL, COUNT)["alerts"]} == {
        one["alert_id"]: one["state"] for one in house.alerts()
    }


def by_id(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *alerts* by id."""
    return sorted(alerts, key=lambda alert: str(alert["alert_id"]))
