"""A backtest on the facts of a ledger: the same alerts as a backtest of a file, and nothing is written."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from projections.projector.ledger_backtest import backtest_ledger
from projections.rules.rulebook import Rulebook
from projections.tables.columns import METADATA
from projections.tables.database import snapshot
from tests.support.builders import (
    Line,
    alerts,
    charged,
    corrected,
    database,
    detained,
    dismissed,
    instant,
    project,
    projector,
    retracted,
    rows,
    stated,
)
from tests.support.rules import dismissals
from tests.support.scenario_db import populate


def found(engine: Engine, until: str = "2030", facts: int = 20_000) -> list[Any]:
    """Return the alerts of the two rules about dismissals on the facts of *engine*, in the order of a backtest."""
    with snapshot(engine) as conn:
        parts = list(backtest_ledger(conn, dismissals(), instant(until), facts=facts))
    return sorted(chain.from_iterable(parts), key=lambda alert: (alert["life"][0]["at"], alert["alert_id"]))


def person(name: str) -> list[Line]:
    """Return the facts of one person, whose silence ended late."""
    gone = dismissed("2022-03-27", subject=name, recorded="2022-03-28T09:00:00Z")
    return [gone, detained("2022-04-20", subject=name, recorded="2022-09-01T00:00:00Z")]


def noted(occurred: str, **fields: Any) -> Line:
    """Return a fact that no rule reads."""
    return stated("Noted", occurred, title="x", **fields)


KINDS: list[Callable[..., Line]] = [dismissed, detained, charged, noted]


@st.composite
def stories(draw: st.DrawFn) -> list[Line]:
    """Facts about three people, corrected and retracted at times, each recorded on a day of its own."""
    story: list[Line] = []
    for number in range(draw(st.integers(1, 12))):
        recorded = f"2023-01-{number + 1:02}T00:00:00Z"
        about = [line for line in story if line["type"] not in {"Corrected", "Retracted"}]
        if about and draw(st.integers(0, 4)) == 0:
            target, change = draw(st.sampled_from(about)), draw(st.sampled_from([corrected, retracted]))
            story.append(change(target, recorded=recorded, id=f"f{number}"))
            continue
        day = f"2022-{draw(st.integers(1, 12)):02}"
        subject = draw(st.sampled_from("abc"))
        kind = draw(st.sampled_from(KINDS))
        story.append(kind(day, subject=subject, recorded=recorded, id=f"f{number}"))
    return story


@settings(max_examples=60)
@given(story=stories(), facts=st.integers(1, 12))
def test_it_finds_the_same_as_a_backtest_of_the_file(story: list[Line], facts: int) -> None:
    """However many people are replayed together, each alert has the same life as in a replay of everything."""
    engine = database()
    project(projector(engine), story)

    assert alerts(story) == found(engine, facts=facts)
    engine.dispose()


def test_facts_recorded_later_are_left_out() -> None:
    """The clock stops at `until`, as that of a backtest does."""
    engine = database()
    project(projector(engine), person("a"))

    assert ["open"] == [step["state"] for step in found(engine, "2022-08-30")[0]["life"]]
    assert ["open", "retracted"] == [step["state"] for step in found(engine)[0]["life"]]
    engine.dispose()


def test_nothing_is_written(engine: Engine) -> None:
    """Every row of the database stays as it was, in both kinds of database."""
    populate(engine)
    before = {name: rows(engine, table) for name, table in METADATA.tables.items()}

    assert found(engine)
    assert before == {name: rows(engine, table) for name, table in METADATA.tables.items()}


@pytest.mark.parametrize(("facts", "parts"), [(1, 3), (4, 2), (100, 1)])
def test_people_are_replayed_a_part_at_a_time(facts: int, parts: int) -> None:
    """Memory is bounded by a part of the people; those without an anchor of a rule are read and left out."""
    engine = database()
    told: list[int] = []
    quiet = [noted("2022", subject="q")]
    project(projector(engine), [line for name in "xyz" for line in person(name)] + quiet)
    with snapshot(engine) as conn:
        alerts = list(backtest_ledger(conn, dismissals(), instant("2030"), told.append, facts=facts))

    assert parts == len(alerts)
    assert 7 == sum(told)
    assert {"x", "y", "z"} == {alert["subject_id"] for part in alerts for alert in part}
    engine.dispose()


def test_no_rules_find_nothing() -> None:
    """Without rules nobody is replayed."""
    engine = database()
    project(projector(engine), person("a"))
    with snapshot(engine) as conn:
        assert [] == list(backtest_ledger(conn, Rulebook(()), instant("2030")))
    engine.dispose()
