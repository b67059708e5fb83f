"""Records of several partitions in one transaction: the result is the same as with one transaction each."""

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
from projections.tables import timers
from projections.tables.checkpoint import PartitionLost, compare_and_set
from projections.tables.database import write_transaction
from projections.tables.schema import LIVE, ledger, outbox, partitions
from tests.oracle.histories import SHORT, histories
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
from tests.support.ledgers import failing_statements
from tests.support.rules import dismissals
from tests.support.three_partitions import PEOPLE, THERE, TOPIC, batch, home, projectors

NOW = instant("2030")


def outcomes(engine: Engine) -> list[tuple[int, int, str]]:
    """Return partition, offset and outcome of every record that was read."""
    return [(row["partition"], row["log_offset"], row["outcome"]) for row in rows(engine, ledger) if row["outcome"]]


@contextmanager
def commits(engine: Engine) -> Iterator[list[object]]:
    """Yield the list of commits during the block."""
    connections: list[object] = []

    def note(conn: object) -> None:
        connections.append(conn)

    event.listen(engine, "commit", note)
    try:
        yield connections
    finally:
        event.remove(engine, "commit", note)


def test_batches_of_several_partitions_commit_together(engine: Engine) -> None:
    """Batches of several partitions commit together, each with its own position, chain and notices."""
    held = projectors(engine)
    with commits(engine) as committed:
        failed = project_several(
            [
                batch(held[0], [dismissed("2022-03-27", subject="a")]),
                batch(held[1], [dismissed("2022-03-01", subject="b"), detained("2022-03-27", subject="b")]),
                batch(held[2], [b"{"]),
            ],
            NOW,
        )

    assert ({}, 1) == (failed, len(committed))
    assert [(0, 0, "applied"), (1, 0, "applied"), (1, 1, "applied"), (2, 0, "parked")] == outcomes(engine)
    assert [1, 2, 1] == [projector.checkpoint.position for projector in held]
    assert [vars(projector.checkpoint) for projector in held] == rows(engine, partitions)
    assert [(1, 1)] == [(row["partition"], row["n"]) for row in rows(engine, outbox)]
    with engine.connect() as conn:
        assert verify(conn, ()).findings == []


@pytest.mark.parametrize("moved", [{}, {"ground": "bribery"}], ids=["same", "other"])
def test_an_id_that_comes_in_two_partitions_at_once_is_applied_once(engine: Engine, moved: dict[str, str]) -> None:
    """An id that comes in two partitions of one transaction is applied in the first and known in the second."""
    held = projectors(engine)
    one, other = dismissed("2022-03-27", subject="a", id="one"), dismissed("2022-03-27", subject="b", id="one", **moved)
    project_several([batch(held[0], [one]), batch(held[1], [other])], NOW)

    assert [(0, 0, "applied"), (1, 0, "conflict")] == outcomes(engine)
    assert ["a"] == [row["subject_id"] for row in rows(engine, LIVE.subjects)]


def test_a_failing_record_delays_no_other_partition(engine: Engine) -> None:
    """A record that fails in one partition is parked, and all other records are applied."""
    held = projectors(engine)
    batches = [
        batch(held[0], [suspended("2022-03-01", subject="a")]),
        batch(held[1], [suspended("2022-03-01", subject="b"), suspended("2022-03-02", subject="b", id="poison")]),
    ]
    with failing_statements(engine, "'poison'", ValueError("boom"), times=3):
        failed = project_several(batches, NOW)

    assert {} == failed
    assert [(0, 0, "applied"), (1, 0, "applied"), (1, 1, "parked")] == outcomes(engine)


def test_a_permanent_failure_is_reported_for_its_partition_alone(engine: Engine) -> None:
    """A partition that keeps failing is reported alone: none of its records is written, and all of the others are."""
    held = projectors(engine)
    batches = [batch(held[0], [suspended("2022-03-01", subject="poison")]), batch(held[1], [b"{"])]
    with (
        failing_statements(engine, "poison", ValueError("boom"), times=99),
        failing_statements(engine, "failed: ValueError", ValueError("boom"), times=99),
    ):
        failed = project_several(batches, NOW)

    assert [0] == list(failed)
    assert isinstance(failed[0], ValueError)
    assert [(1, 0, "parked")] == outcomes(engine)
    assert [0, 1] == [projector.checkpoint.position for projector in held[:2]]


@pytest.mark.parametrize("lost", [0, 2])
def test_a_lost_partition_stops_the_whole_transaction(engine: Engine, lost: int) -> None:
    """If one partition was lost, no batch of the transaction is written, and the error names the partition."""
    held = projectors(engine)
    Projector(engine, dismissals(), lost, topic=TOPIC, home=home).assign(NOW)
    batches = [
        batch(projector, [suspended("2022-03-01", subject=person)])
        for projector, person in zip(held, THERE, strict=True)
    ]
    with pytest.raises(PartitionLost, match=f"partition {lost} "):
        project_several(batches, NOW)

    assert [] == outcomes(engine)
    assert [0, 0, 0] == [projector.checkpoint.position for projector in held]


def test_a_failure_of_the_database_is_reported_and_can_be_repeated(engine: Engine) -> None:
    """A failing database is reported, no record is written, and the same batches can be projected again."""
    held = projectors(engine)
    batches = [
        batch(projector, [suspended("2022-03-01", subject=person)])
        for projector, person in zip(held, THERE, strict=True)
    ]
    with (
        failing_statements(engine, "commit", OperationalError("commit", {}, Exception("gone"))),
        pytest.raises(OperationalError),
    ):
        project_several(batches, NOW)

    assert [] == outcomes(engine)
    assert {} == project_several(batches, NOW)
    assert 3 == len(rows(engine, LIVE.subjects))


def test_a_race_is_repeated_by_each_partition(engine: Engine) -> None:
    """After a race over an id, each partition repeats its batch by itself."""
    held = projectors(engine)
    batches = [
        batch(projector, [suspended("2022-03-01", subject=person)])
        for projector, person in zip(held, THERE, strict=True)
    ]
    with failing_statements(engine, "ledger", IntegrityError("insert", {}, Exception("twice")), times=1):
        assert {} == project_several(batches, NOW)

    assert [(0, 0, "applied"), (1, 0, "applied"), (2, 0, "applied")] == outcomes(engine)


@settings(max_examples=60)
@given(histories(people=PEOPLE, most=9), st.lists(st.integers(1, 4), min_size=9, max_size=9))
def test_joint_and_separate_transactions_agree(lines_drawn: list[Line], sizes: list[int]) -> None:
    """One transaction for several partitions leads to the same rows as one for each, with timers that are due."""
    rules = rulebook(**SHORT)
    apart, together = (projectors(database(), rules) for _ in range(2))
    left = sorted(lines_drawn, key=lambda line: line["recorded"])
    for size in sizes:
        some, left = left[:size], left[size:]
        lots = [(n, [line for line in some if home(line["subject"].encode()) == n]) for n in range(len(THERE))]
        drawn = [(number, lines) for number, lines in lots if lines]
        for number, lines in drawn:
            apart[number].project(batch(apart[number], lines)[1], NOW)
        if drawn:
            with patch.multiple(timers, SOME=1, CHUNK=2):
                project_several([batch(together[number], lines) for number, lines in drawn], NOW)
    for projector in apart:
        projector.advance_watermark(NOW, NOW)
    with patch.multiple(timers, SOME=1, CHUNK=2):
        for projector in together:
            projector.advance_watermark(NOW, NOW)

    assert not left
    assert conclusions(apart[0].engine) == conclusions(together[0].engine)
    for table in (ledger, partitions):
        assert rows(apart[0].engine, table) == rows(together[0].engine, table)
    assert notices(apart[0].engine) == notices(together[0].engine)


def notices(engine: Engine) -> list[Any]:
    """Return the notices without their numbers, sorted; those of one alert stay in order."""
    return sorted((row["alert_id"] or "", row["notice_id"], str(row["notice"])) for row in rows(engine, outbox, "n"))


@pytest.mark.parametrize("several", [[1], [0, 1, 2]], ids=["one", "several"])
def test_a_changed_partition_row_is_not_set(engine: Engine, several: list[int]) -> None:
    """A partition row is not set if position, watermark, epoch or chain place differs from the start."""
    held = [projector.checkpoint for projector in projectors(engine)]
    steps = [(held[number], replace(held[number], position=7)) for number in several]
    stale = [(replace(start, seq=start.seq + (end.partition == 1)), end) for start, end in steps]
    with pytest.raises(PartitionLost), write_transaction(engine) as conn:
        compare_and_set(conn, stale)

    assert [0, 0, 0] == [row["position"] for row in rows(engine, partitions)]
    with write_transaction(engine) as conn:
        compare_and_set(conn, steps)
    assert [7 * (number in several) for number in range(3)] == [row["position"] for row in rows(engine, partitions)]
