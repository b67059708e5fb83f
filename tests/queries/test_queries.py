"""Queries return the same on both databases, and from stored rows and from the fold."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from projections.projector.side_writer import SideWriter
from projections.queries.alerts import AlertFilter, alerts, alerts_like, notices_after, notices_end
from projections.queries.rejected import Position, conflicts, parked
from projections.queries.subjects import Filter, similar_ids, status_of, statuses, view_of
from projections.subjects.history_shapes import history_json
from projections.subjects.view import NOW, AsOf
from projections.tables.database import open_database, snapshot
from services.database import migrate
from tests.oracle.histories import RECORDED
from tests.oracle.histories import histories as any_story
from tests.support import builders
from tests.support.builders import Line, charged, corrected, described, detained, dismissed, instant, retracted, stated

FAR = AsOf(known_at=instant("2040"))
FIRST = dismissed("2022-03-27")
FACTS = (
    described("2022-01-01", name="Ann 100%", agency="Police"),
    FIRST,
    corrected(FIRST, occurred="2022-03-20"),
    detained("2022-04-20", case="c"),
    charged("2022-05", subject="B", case="z", id="z"),
    charged("2022-05", subject="B", case="Z", id="Z"),
    stated("Detained", "XXXX-01", subject="B"),
    retracted(FIRST, id="of nothing here") | {"subject": "B"},
    dismissed("2022-06-01", subject="c"),
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return a database with a few people, a conflict and two parked records."""
    engine = open_database(database_url)
    migrate(engine)
    projector = builders.projector(engine)
    builders.project(projector, [*FACTS, FIRST | {"source": "urn:other"}, b"{", b"\xff"])
    projector.advance_watermark(instant("2023-01-01"), instant("2023-01-01"))
    yield engine
    engine.dispose()


def test_both_databases_return_the_same(engine: Engine) -> None:
    """It holds for statuses, alerts, notices, parked records and conflicts, now and at another moment."""
    with snapshot(engine) as conn:
        everybody = list(statuses(conn, Filter()))
        listed = list(alerts(conn, AlertFilter()))
        beginning = notices_after(conn, {})

        assert {"a", "B", "c"} == {each["subject_id"] for each in everybody}
        assert everybody == list(statuses(conn, Filter(), FAR))
        assert ["a"] == [each["subject_id"] for each in statuses(conn, Filter(name="100%"))]
        assert ["B"] == [each["subject_id"] for each in statuses(conn, Filter(stage=("charged",), name="b"))]
        assert ["a"] == [each["subject_id"] for each in statuses(conn, Filter(agency="POLICE", jurisdiction=None))]
        assert "c" in similar_ids(conn, "c")
        assert {"open"} == {each["state"] for each in listed}
        assert listed == list(alerts(conn, AlertFilter(known_at=instant("2040"))))
        assert listed[:1] == alerts_like(conn, listed[0]["alert_id"][:8])
        assert {0: len(beginning)} == notices_end(conn)
        assert beginning[1:] == notices_after(conn, {0: 1})
        assert [Position(0, 10), Position(0, 11)] == [record.position for record in parked(conn)]
        assert [["source"]] == [conflict["differs"] for conflict in conflicts(conn)]


def test_both_databases_accept_a_side_write(engine: Engine) -> None:
    """An acknowledgement, a dismissal and a replay are written beside the projector."""
    side_writer = SideWriter(engine, 0)
    with snapshot(engine) as conn:
        alert = next(alerts(conn, AlertFilter()))
        first, second = parked(conn)
    side_writer.acknowledge(alert["alert_id"], alert["subjects"][0], "ann", None, instant("2023-01-02"))
    side_writer.dismiss(first.seq, "a test", instant("2023-01-02"))
    side_writer.replay([second.seq], instant("2023-01-02"))

    with snapshot(engine) as conn:
        assert ["acknowledged"] == [each["state"] for each in alerts_like(conn, alert["alert_id"])]
        assert [Position(0, 11)] == [record.position for record in parked(conn)]
        assert ["a test", None] == [record.dismissed for record in parked(conn, dismissed=True)]


INSTANTS = st.sampled_from([instant(text) for text in (*RECORDED, "2022-03-08", "2022-03-15", "2022-05")])


def projected(lines: list[Line], until: datetime | None = None) -> Engine:
    """Return a database in memory that read those of *lines* recorded until *until*."""
    projector = builders.projector(rules=None)
    read = [line for line in lines if until is None or builders.fact(line).recorded <= until]
    if read:
        builders.project(projector, read)
    if until:
        # Timers fire strictly before the watermark.
        after = until + timedelta(microseconds=1)
        projector.advance_watermark(after, after)
    return projector.engine


def answers(engine: Engine, moment: AsOf = NOW) -> list[dict[str, Any]]:
    """Return the status of every person at *moment*."""
    with snapshot(engine) as conn:
        return [dict(status) for status in statuses(conn, Filter(), moment)]


@settings(max_examples=60)
@given(any_story(), INSTANTS)
@example([dismissed("2022-03-10", recorded="2022-03-10T00:00:00Z")], instant("2022-03-09"))
def test_known_at_an_instant_is_the_answer_of_that_instant(lines: list[Line], then: datetime) -> None:
    """A query today about a day returns the same as a query on that day, with anomalies and positions."""
    story = sorted(lines, key=lambda line: str(line["recorded"]))

    assert answers(projected(story, then)) == answers(projected(story), AsOf(known_at=then))


@settings(max_examples=60)
@given(st.data(), any_story(), INSTANTS)
def test_the_world_at_an_instant_does_not_depend_on_the_order_of_arrival(
    data: st.DataObject, lines: list[Line], then: datetime
) -> None:
    """The same facts in any order lead to the same status at an instant, apart from the position."""
    shuffled = data.draw(st.permutations(lines))

    def world(story: list[Line]) -> list[dict[str, Any]]:
        at_once = [line | {"recorded": "2022-06-01T00:00:00Z"} for line in story]
        return [status | {"position": None} for status in answers(projected(at_once), AsOf(as_of=then))]

    assert world(lines) == world(shuffled)


@settings(max_examples=60)
@given(any_story(), st.builds(AsOf, st.none() | INSTANTS, st.none() | INSTANTS))
def test_a_history_holds_every_known_fact_once_and_agrees_with_the_status(lines: list[Line], moment: AsOf) -> None:
    """With any corrections and retractions, only facts that had not happened are left out, and none is listed twice."""
    engine = projected(sorted(lines, key=lambda line: str(line["recorded"])))
    with snapshot(engine) as conn:
        view = view_of(conn, "a", moment)
        if view is None:
            return
        shown = history_json(view, moment, status_of(conn, view, moment))
    ids = [fact["id"] for fact in shown["facts"]]
    states = {fact["id"]: fact for fact in shown["facts"]}
    counted = {fact.id for fact in view.world}

    assert sorted(set(ids)) == sorted(ids)
    assert moment.as_of or set(ids) == view.facts.keys()
    assert counted == {
        id_ for id_, each in states.items() if each["section"] == "world" and each["data_in_force"] is not None
    }
    assert shown["status"] in answers(engine, moment)
