"""Records of several partitions in one transaction: as if each had been projected by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event
from sqlalchemy.exc import IntegrityError, OperationalError

from projections.projector.projector import Projector, project_several
from projections.queries.verify import verify
from projections.rules.rulebook import pack
from projections.tables import timers
from projections.tables.checkpoint import PartitionLost, compare_and_set
from projections.tables.database import writing
from projections.tables.schema import LIVE, ledger, outbox, partitions
from tests.oracle.histories import SHORT, stories
from tests.support.builders import (
    Line,
    conclusions,
    database,
    detained,
    dismissed,
    instant,
    rows,
    rulebook,
    suspended,
)
from tests.support.ledgers import refusing
from tests.support.three_partitions import PEOPLE, THERE, TOPIC, batch, home, projectors

NOW = instant("2030")


def outcomes(engine: Engine) -> list[tuple[int, int, str]]:
    """Partition, offset and outcome of every record read."""
    return [(row["partition"], row["log_offset"], row["outcome"]) for row in rows(engine, ledger) if row["outcome"]]


@contextmanager
def commits(engine: Engine) -> Iterator[list[object]]:
    """The commits while the block runs."""
    seen: list[object] = []

    def note(conn: object) -> None:
        seen.append(conn)

    event.listen(engine, "commit", note)
    try:
        yield seen
    finally:
        event.remove(engine, "commit", note)


def test_all_of_them_commit_together(engine: Engine) -> None:
    """Each with its own position, chain and notices."""
    held = projectors(engine)
    with commits(engine) as seen:
        failed = project_several(
            [
                batch(held[0], [dismissed("2022-03-27", subject="a")]),
                batch(held[1], [dismissed("2022-03-01", subject="b"), detained("2022-03-27", subject="b")]),
                batch(held[2], [b"{"]),
            ],
            NOW,
        )

    assert ({}, 1) == (failed, len(seen))
    assert [(0, 0, "applied"), (1, 0, "applied"), (1, 1, "applied"), (2, 0, "parked")] == outcomes(engine)
    assert [1, 2, 1] == [each.held.position for each in held]
    assert [vars(each.held) for each in held] == rows(engine, partitions)
    assert [(1, 1)] == [(row["partition"], row["n"]) for row in rows(engine, outbox)]
    with engine.connect() as conn:
        assert verify(conn, ()).findings == []


@pytest.mark.parametrize("moved", [{}, {"ground": "bribery"}], ids=["same", "other"])
def test_an_id_that_comes_in_two_partitions_at_once_is_applied_once(engine: Engine, moved: dict[str, str]) -> None:
    """In the first of them; the other knows by then."""
    held = projectors(engine)
    one, other = dismissed("2022-03-27", subject="a", id="one"), dismissed("2022-03-27", subject="b", id="one", **moved)
    project_several([batch(held[0], [one]), batch(held[1], [other])], NOW)

    assert [(0, 0, "applied"), (1, 0, "conflict")] == outcomes(engine)
    assert ["a"] == [row["subject_id"] for row in rows(engine, LIVE.subjects)]


def test_what_fails_over_one_record_holds_no_other_partition_up(engine: Engine) -> None:
    """The record is parked, and all others are applied."""
    held = projectors(engine)
    batches = [
        batch(held[0], [suspended("2022-03-01", subject="a")]),
        batch(held[1], [suspended("2022-03-01", subject="b"), suspended("2022-03-02", subject="b", id="poison")]),
    ]
    with refusing(engine, "'poison'", ValueError("boom"), times=3):
        failed = project_several(batches, NOW)

    assert {} == failed
    assert [(0, 0, "applied"), (1, 0, "applied"), (1, 1, "parked")] == outcomes(engine)


def test_what_fails_for_good_is_told_of_its_partition_alone(engine: Engine) -> None:
    """Whatever is tried; nothing of it is written, and everything of the others is."""
    held = projectors(engine)
    batches = [batch(held[0], [suspended("2022-03-01", subject="poison")]), batch(held[1], [b"{"])]
    with (
        refusing(engine, "poison", ValueError("boom"), times=99),
        refusing(engine, "failed: ValueError", ValueError("boom"), times=99),
    ):
        failed = project_several(batches, NOW)

    assert [0] == list(failed)
    assert isinstance(failed[0], ValueError)
    assert [(1, 0, "parked")] == outcomes(engine)
    assert [0, 1] == [each.held.position for each in held[:2]]


@pytest.mark.parametrize("lost", [0, 2])
def test_of_one_that_is_lost_and_its_companions_nothing_is_written(engine: Engine, lost: int) -> None:
    """Whoever was in the middle of several is told, and begins again with those that are still its own."""
    held = projectors(engine)
    Projector(engine, pack(), lost, topic=TOPIC, home=home).assign(NOW)
    batches = [batch(each, [suspended("2022-03-01", subject=who)]) for each, who in zip(held, THERE, strict=True)]
    with pytest.raises(PartitionLost, match=f"partition {lost} "):
        project_several(batches, NOW)

    assert [] == outcomes(engine)
    assert [0, 0, 0] == [each.held.position for each in held]


def test_a_database_that_fails_is_told_and_the_same_can_be_done_again(engine: Engine) -> None:
    """Nothing was written, and every projector knows."""
    held = projectors(engine)
    batches = [batch(each, [suspended("2022-03-01", subject=who)]) for each, who in zip(held, THERE, strict=True)]
    with (
        refusing(engine, "commit", OperationalError("commit", {}, Exception("gone"))),
        pytest.raises(OperationalError),
    ):
        project_several(batches, NOW)

    assert [] == outcomes(engine)
    assert {} == project_several(batches, NOW)
    assert 3 == len(rows(engine, LIVE.subjects))


def test_a_race_is_run_again_by_each_for_itself(engine: Engine) -> None:
    """As over an id that somebody else applied at this very moment."""
    held = projectors(engine)
    batches = [batch(each, [suspended("2022-03-01", subject=who)]) for each, who in zip(held, THERE, strict=True)]
    with refusing(engine, "ledger", IntegrityError("insert", {}, Exception("twice")), times=1):
        assert {} == project_several(batches, NOW)

    assert [(0, 0, "applied"), (1, 0, "applied"), (2, 0, "applied")] == outcomes(engine)


@settings(max_examples=60)
@given(stories(people=PEOPLE, most=9), st.lists(st.integers(1, 4), min_size=9, max_size=9))
def test_together_is_as_each_by_itself(told: list[Line], sizes: list[int]) -> None:
    """Whatever comes of whom, with timers that are due on the way: by ones and twos, or all that are at once."""
    rules = rulebook(**SHORT)
    apart, together = (projectors(database(), rules) for _ in range(2))
    left = sorted(told, key=lambda line: line["recorded"])
    for size in sizes:
        some, left = left[:size], left[size:]
        lots = [(n, [line for line in some if home(line["subject"].encode()) == n]) for n in range(len(THERE))]
        drawn = [(number, lines) for number, lines in lots if lines]
        for number, lines in drawn:
            apart[number].project(batch(apart[number], lines)[1], NOW)
        if drawn:
            with patch.multiple(timers, SOME=1, CHUNK=2):
                project_several([batch(together[number], lines) for number, lines in drawn], NOW)
    for each in apart:
        each.advance_watermark(NOW, NOW)
    with patch.multiple(timers, SOME=1, CHUNK=2):
        for each in together:
            each.advance_watermark(NOW, NOW)

    assert not left
    assert conclusions(apart[0].engine) == conclusions(together[0].engine)
    for table in (ledger, partitions):
        assert rows(apart[0].engine, table) == rows(together[0].engine, table)
    assert notices(apart[0].engine) == notices(together[0].engine)


def notices(engine: Engine) -> list[Any]:
    """What is to be told, without its place: that of one alert is in order, and alerts have none among themselves."""
    return sorted((row["alert_id"], row["notice_id"], str(row["notice"])) for row in rows(engine, outbox, "n"))


@pytest.mark.parametrize("several", [[1], [0, 1, 2]], ids=["one", "several"])
def test_a_row_that_is_otherwise_than_it_was_is_not_set(engine: Engine, several: list[int]) -> None:
    """Position, watermark, epoch and place in the chain are compared, whoever looked at them before."""
    held = [each.held for each in projectors(engine)]
    steps = [(held[number], replace(held[number], position=7)) for number in several]
    stale = [(replace(start, seq=start.seq + (end.partition == 1)), end) for start, end in steps]
    with pytest.raises(PartitionLost), writing(engine) as conn:
        compare_and_set(conn, stale)

    assert [0, 0, 0] == [row["position"] for row in rows(engine, partitions)]
    with writing(engine) as conn:
        compare_and_set(conn, steps)
    assert [7 * (number in several) for number in range(3)] == [row["position"] for row in rows(engine, partitions)]
