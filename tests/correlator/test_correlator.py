"""The correlator: its place, its chain, the life of alerts across people, and changes of rules."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from events.errors import BadInput
from projections.alerts.acknowledgement import Acknowledgement, Unacknowledgement
from projections.correlator.correlator import Correlator, acknowledge_across
from projections.projector.projector import Projector
from projections.projector.rebuild import rebuild
from projections.queries.alerts import AlertFilter, alerts
from projections.queries.verify import verify
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import PartitionLost
from projections.tables.columns import METADATA
from projections.tables.database import open_database
from projections.tables.schema import CORRELATOR, LIVE, ledger, outbox, partitions
from tests.support.builders import (
    Line,
    described,
    detained,
    instant,
    retracted,
    rows,
    stated,
)
from tests.support.correlating import ACROSS, TOPIC, House, counting, life, ministry, related, siblings

NOW = instant("2030")
UNTIL = "2023-06-01"
COUNT = Rulebook((counting(),))
PAIRS = Rulebook((related(),))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty database of each kind with all tables."""
    engine = open_database(database_url)
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


def two_detained() -> list[Line]:
    """Return the detentions of a and, later, of b."""
    return [
        detained("2022-01-10", subject="a", recorded="2022-01-10T12:00:00Z"),
        detained("2022-02-01", subject="b", recorded="2022-02-01T12:00:00Z"),
    ]


def acknowledge(house: House, alert: dict[str, Any]) -> None:
    """Acknowledge *alert* as Aigul."""
    acknowledge_across(house.engine, TOPIC, Acknowledgement(alert["alert_id"], "Aigul", "seen", instant("2022-07-01")))


def notices(house: House) -> list[tuple[str, list[str]]]:
    """Return the state and the people of each notice of the correlator."""
    own = [row for row in rows(house.engine, outbox) if row["partition"] == CORRELATOR]
    return [(row["notice"]["state"], row["notice"]["subjects"]) for row in own]


def is_rebuilt(house: House) -> bool:
    """Return whether a rebuild of *house* concludes the same."""
    return rebuild(house.engine, house.rules, lambda _: None, exchange=False) == []


def test_a_group_is_counted_across_partitions(engine: Engine) -> None:
    """Three officials of one ministry make one alert when the third is known, and a fourth adds evidence quietly."""
    house = House(3, engine).judge(ministry("abcd"), UNTIL)
    (alert,) = house.alerts()

    assert ["open 2022-02-09 followed", "open 2022-02-13 followed"] == life(alert)
    assert (None, "agency", "Ministry", list("abcd")) == (
        *(alert[name] for name in ("subject_id", "group_by", "group_shown", "people")),
    )
    assert [("open", ["a", "b", "c"])] == notices(house)
    assert "4 officials of Ministry were detained between 2022-02-01 and 2022-02-13." == alert["explanation"]
    assert is_rebuilt(house)
    with engine.connect() as conn:
        assert [] == verify(conn).findings


def test_a_relation_known_late_completes_the_pattern(engine: Engine) -> None:
    """The alert is the subject's, opens when the relation becomes known, and ends with its withdrawal."""
    house = House(2, engine, PAIRS).judge([*two_detained(), siblings()], "2022-03-01")
    (alert,) = house.alerts()

    assert (["open 2022-02-20 followed"], "a", ["a", "b"]) == (life(alert), alert["subject_id"], alert["people"])

    gone = stated(
        "RelationWithdrawn", "2022-03-02", subject="a", other="b", relation="sibling", recorded="2022-03-02T12:00:00Z"
    )
    house.judge([gone], UNTIL)
    (alert,) = house.alerts()
    assert ["open 2022-02-20 followed", "retracted 2022-03-02 retracted"] == life(alert)
    assert is_rebuilt(house)


def test_a_retraction_brings_a_group_under_its_number() -> None:
    """The alert of a group is retracted with the cause of the fact that took back the evidence."""
    lines = ministry("abc")
    gone = retracted(lines[-1], "2022-05-01", recorded="2022-05-01T12:00:00Z")
    (alert,) = House(2, rules=COUNT).judge([*lines, gone], UNTIL).alerts()

    assert ["open 2022-02-09 followed", "retracted 2022-05-01 retracted"] == life(alert)


def test_a_multiple_reopens_an_acknowledged_alert() -> None:
    """The sixth of three is told, and the acknowledged alert is open again; the fourth and fifth are not told."""
    house = House(2, rules=COUNT).judge(ministry("abc"), "2022-02-12")
    acknowledge(house, house.alerts()[0])
    house.judge([line for line in ministry("abcdef") if line not in ministry("abc")], UNTIL)
    (alert,) = house.alerts()

    assert ["open", "acknowledged", "acknowledged", "acknowledged", "open"] == [step[0] for step in alert["life"]]
    assert ["open", "acknowledged", "open"] == [state for state, _ in notices(house)]
    assert is_rebuilt(house)


def test_nothing_at_the_horizon_is_judged() -> None:
    """A fact recorded at the horizon itself waits, because another partition may record more at this instant."""
    house = House(1, rules=COUNT).judge(ministry("abc"), "2022-01-05")

    assert [] == house.alerts()
    assert instant("2022-02-09T12:00:00Z") == house.correlator.checkpoint.watermark
    house.declare("2022-03-01")
    house.correlator.catch_up(NOW)
    assert 1 == len(house.alerts())


def test_a_partition_without_a_watermark_holds_everything_back() -> None:
    """While one partition has read nothing, nothing across people is judged."""
    house = House(3, rules=COUNT)
    house.project(ministry("a"))
    house.correlator.catch_up(NOW)

    assert None is house.correlator.horizon()
    assert None is house.correlator.checkpoint.watermark


def test_a_correlator_that_lost_its_place_cannot_write(engine: Engine) -> None:
    """The first of two correlators is fenced by the epoch, and the second concludes everything."""
    house = House(2, engine, COUNT)
    first, second = house.correlator, house.correlate()
    house.project(ministry("abc"))
    house.declare(UNTIL)

    with pytest.raises(PartitionLost):
        first.catch_up(NOW)
    assert [] == house.alerts()
    second.catch_up(NOW)
    assert 1 == len(house.alerts())


def test_an_acknowledgement_stands_in_the_correlators_chain() -> None:
    """The acknowledgement names the horizon at which it was written, and the correlator goes on undisturbed."""
    house = House(2, rules=COUNT).judge(ministry("abc"), "2022-02-12")
    acknowledge(house, house.alerts()[0])
    own = [row for row in rows(house.engine, ledger) if row["partition"] == CORRELATOR]

    assert ["rules", "acknowledgement"] == [row["entry"] for row in own]
    assert "2022-02-13T00:00:00Z" == json.loads(own[-1]["value"])["horizon"]
    house.judge([line for line in ministry("abcd") if line not in ministry("abc")], UNTIL)
    assert ["open", "acknowledged", "acknowledged"] == [step[0] for step in house.alerts()[0]["life"]]
    assert is_rebuilt(house)


def test_another_version_of_a_rule_continues_quietly() -> None:
    """An alert that goes on under another version stays acknowledged, and nobody is told."""
    house = House(2, rules=COUNT).judge(ministry("abcd"), "2022-06-01")
    acknowledge(house, house.alerts()[0])
    before = notices(house)
    within = {"distinct": "subject", "at_least": 3, "by": "agency", "within": 60 * 86400}
    house.rules = Rulebook((counting(count=within),))
    house.correlator = house.correlate()
    (alert,) = house.alerts()

    assert ["superseded", "acknowledged"] == [step[0] for step in alert["life"]][-2:]
    assert before == notices(house)
    assert is_rebuilt(house)


def test_a_rule_that_is_removed_supersedes_its_alerts() -> None:
    """Without the rule its alerts are superseded, and this is told."""
    house = House(1, rules=ACROSS).judge(ministry("abc"), "2022-06-01")
    house.rules = Rulebook(())
    house.correlator = house.correlate()

    assert ["open", "superseded"] == [step[0] for step in house.alerts()[0]["life"]]
    assert ["open", "superseded"] == [state for state, _ in notices(house)]
    assert is_rebuilt(house)


def test_a_new_rule_is_backfilled_quietly() -> None:
    """Alerts that a new rule finds in old history open at the change of rules, and nobody is told."""
    house = House(2, rules=PAIRS).judge(ministry("abc"), "2022-06-01")
    house.rules = ACROSS
    house.correlator = house.correlate()
    (alert,) = house.alerts()

    assert ["open 2022-06-02 rule_changed"] == life(alert)
    assert [] == notices(house)
    assert is_rebuilt(house)


def test_the_first_rules_across_people_are_quiet_about_the_past(engine: Engine) -> None:
    """Alerts below the horizon open at their own instants and are told to nobody; what follows later is told."""
    house = House(2, engine, rules=Rulebook(())).judge(ministry("abc"), "2022-02-12")
    house.rules = ACROSS
    house.correlator = house.correlate()
    house.correlator.catch_up(NOW)
    (alert,) = house.alerts()

    assert ["open 2022-02-09 followed"] == life(alert)
    assert [] == notices(house)
    house.judge([line for line in ministry("abcdef") if line not in ministry("abc")], UNTIL)
    assert [("open", list("abcdef"))] == notices(house)
    assert is_rebuilt(house)
    whole = House(1).judge(ministry("abcdef"), UNTIL).alerts()
    assert [life(one) for one in whole] == [life(one) for one in house.alerts()]


def test_a_first_correlator_tells_of_the_past_if_asked() -> None:
    """With the setting, what the first rules across people find in old history is told."""
    house = House(2, rules=Rulebook(())).judge(ministry("abc"), "2022-02-12")
    house.correlator = Correlator(house.engine, ACROSS, topic=TOPIC, tell_backfilled=True)
    house.correlator.assign(NOW)
    house.correlator.catch_up(NOW)

    assert ["open"] == [state for state, _ in notices(house)]


def test_old_history_ends_where_the_projectors_put_the_rules_in_force() -> None:
    """Facts that the projectors read with the rules in force are told of, even by a correlator that starts later."""
    house = House(2, rules=Rulebook(())).judge(ministry("ab"), "2022-02-06")
    for number in range(2):
        house.projectors[number] = Projector(house.engine, ACROSS, number, topic=TOPIC, home=house.home)
        house.projectors[number].assign(instant("2022-02-06"))
    house.project([line for line in ministry("abc") if line not in ministry("ab")])
    house.declare(UNTIL)
    house.rules = ACROSS
    house.correlator = house.correlate()
    house.correlator.catch_up(NOW)

    assert ["open"] == [state for state, _ in notices(house)]
    assert is_rebuilt(house)


def test_an_end_of_a_quiet_alert_is_quiet() -> None:
    """Nobody is told of the end of an alert that was found in old history."""
    house = House(2, rules=Rulebook(())).judge(ministry("abc"), "2022-02-12")
    house.rules = ACROSS
    house.correlator = house.correlate()
    house.judge([retracted(ministry("abc")[-1], "2022-05-01", recorded="2022-05-01T12:00:00Z")], UNTIL)

    assert ["open", "retracted"] == [step[0] for step in house.alerts()[0]["life"]]
    assert [] == notices(house)
    assert is_rebuilt(house)


def test_a_name_changes_the_sentence_of_both_sides() -> None:
    """The sentence calls the subject and the relative by their latest names."""
    names = [
        described("2022-03-01", subject=one, name=name, recorded="2022-03-01T12:00:00Z")
        for one, name in (("a", "Serik"), ("b", "Aru"))
    ]
    (alert,) = House(2, rules=PAIRS).judge([*two_detained(), siblings(), *names], UNTIL).alerts()

    assert "Serik was detained (2022-01-10); sibling Aru was detained." == alert["explanation"]


def test_queries_find_a_group_by_each_of_its_people() -> None:
    """The alert of a group is among the alerts of each person in its evidence, and of nobody else."""
    house = House(2, rules=COUNT).judge(ministry("abc"), UNTIL)
    with house.engine.connect() as conn:
        by_person = {one: [*alerts(conn, AlertFilter(subject_id=one))] for one in "acx"}

    assert [1, 1, 0] == [len(found) for found in by_person.values()]
    assert ("Ministry", list("abc"), None) == (
        *(by_person["a"][0][name] for name in ("group", "subjects", "subject_id")),
    )


def test_an_alert_whose_evidence_was_taken_back_beyond_the_horizon_is_in_doubt() -> None:
    """Until the horizon has passed the retraction, the alert stands and is marked."""
    lines = ministry("abc")
    house = House(2, rules=COUNT).judge(lines, UNTIL)
    house.project([retracted(lines[-1], "2023-06-05", recorded="2023-06-05T12:00:00Z")])
    with house.engine.connect() as conn:
        (before,) = alerts(conn, AlertFilter())
    house.declare("2023-07-01")
    house.correlator.catch_up(NOW)
    with house.engine.connect() as conn:
        (after,) = alerts(conn, AlertFilter())

    assert [("open", True), ("retracted", False)] == [(one["state"], one["in_doubt"]) for one in (before, after)]


def test_without_rules_across_people_nothing_is_written() -> None:
    """A rulebook without rules across people leaves no row of a correlator."""
    house = House(1, rules=Rulebook(()))
    house.judge(ministry("abc"), UNTIL)

    assert house.correlator.idle
    assert [0] == [row["partition"] for row in rows(house.engine, partitions)]


def test_a_projector_leaves_the_alerts_of_the_correlator_alone() -> None:
    """Facts about the subject of an alert across people do not change this alert in the person's partition."""
    house = House(2, rules=PAIRS).judge([*two_detained(), siblings()], "2022-03-01")
    before = house.alerts()
    later = detained("2022-03-05", subject="a", recorded="2022-03-05T12:00:00Z")
    house.project([later])

    assert before == house.alerts()
    assert [] == [row for row in rows(house.engine, LIVE.alert_changes) if row["state"] == "retracted"]


def test_a_memory_that_holds_nothing_changes_nothing() -> None:
    """A correlator that keeps almost no facts in memory concludes the same."""
    lines = [*ministry("abcdef"), siblings()]
    small = House(2)
    small.correlator = Correlator(small.engine, ACROSS, topic=TOPIC, cache_facts=1, rows=1)
    small.correlator.assign(NOW)

    assert House(2).judge(lines, UNTIL).alerts() == small.judge(lines, UNTIL).alerts()


def test_an_acknowledgement_across_people_ends_at_its_instant(engine: Engine) -> None:
    """The alert is open again at the instant of the end, once the horizon has passed it, and nobody is told."""
    house = House(2, engine, rules=COUNT).judge(ministry("abc"), "2022-07-01")
    said = Acknowledgement(house.alerts()[0]["alert_id"], "Aigul", "seen", instant("2022-07-01"), instant("2022-08-01"))
    acknowledge_across(engine, TOPIC, said)
    house.judge([], "2022-08-01")
    before = house.alerts()[0]["state"]
    house.judge([], "2022-12-01")
    (alert,) = house.alerts()

    assert ("acknowledged", "open") == (before, alert["state"])
    assert "open 2022-08-02 ack_ended" == life(alert)[-1]
    assert ["open", "acknowledged"] == [state for state, _ in notices(house)]
    assert is_rebuilt(house)


def test_an_acknowledgement_across_people_is_taken_back(engine: Engine) -> None:
    """The alert is open again, its earlier end has no effect any more, and the chain verifies."""
    house = House(2, engine, rules=COUNT).judge(ministry("abc"), "2022-07-01")
    own = house.alerts()[0]["alert_id"]
    said = Acknowledgement(own, "Aigul", "seen", instant("2022-07-01"), instant("2022-08-01"))
    acknowledge_across(engine, TOPIC, said)
    acknowledge_across(engine, TOPIC, Unacknowledgement(own, "Kim", None, instant("2022-07-02")))
    house.judge([line for line in ministry("abcd") if line not in ministry("abc")], "2022-12-01")
    (alert,) = house.alerts()

    assert ["open", "acknowledged", "open", "open"] == [step[0] for step in alert["life"]]
    assert [("unacknowledged", "followed")] == [tuple(step[2] for step in alert["life"])[-2:]]
    assert ["open", "acknowledged"] == [state for state, _ in notices(house)]
    with engine.connect() as conn:
        assert [] == verify(conn).findings
    assert is_rebuilt(house)


def test_a_multiple_before_the_end_leaves_nothing_to_open() -> None:
    """The sixth of three opens the acknowledged alert with a notice, and its end passes without an effect."""
    house = House(2, rules=COUNT).judge(ministry("abc"), "2022-02-12")
    own = house.alerts()[0]["alert_id"]
    said = Acknowledgement(own, "Aigul", None, instant("2022-07-01"), instant("2022-08-01"))
    acknowledge_across(house.engine, TOPIC, said)
    house.judge([line for line in ministry("abcdef") if line not in ministry("abc")], UNTIL)
    (alert,) = house.alerts()

    assert "ack_ended" not in {step[2] for step in alert["life"]}
    assert None is alert["acknowledged_until"]
    assert is_rebuilt(house)


def test_an_end_below_the_horizon_is_refused() -> None:
    """An acknowledgement across people cannot end where every step has been taken."""
    house = House(2, rules=COUNT).judge(ministry("abc"), "2022-07-01")
    said = Acknowledgement(house.alerts()[0]["alert_id"], "Aigul", None, NOW, instant("2022-06-30"))

    with pytest.raises(BadInput, match="alerts are concluded up to there"):
        acknowledge_across(house.engine, TOPIC, said)
