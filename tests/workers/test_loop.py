"""The loop's own choice: what is worked on together, and what side by side."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine
from structlog.testing import capture_logs

from projections.ledger.chain import LogRecord
from projections.rules.rulebook import pack
from projections.tables.schema import LIVE
from services.workers import projector_loop as loop
from tests.support.builders import rows, suspended
from tests.support.three_partitions import THERE, TOPIC, batch, home, projectors


class Told:
    """A log of which all partitions are ours, each with one record about whoever is at home there."""

    topic = TOPIC
    partitions = len(THERE)
    slack = timedelta()
    home: Callable[[bytes], int] | None = staticmethod(home)
    stopped: Mapping[int, str] = {}

    def __init__(self, engine: Engine) -> None:
        told = [[suspended("2022-03-01", subject=name)] for name in THERE]
        self.records = [batch(held, lines)[1] for held, lines in zip(projectors(engine), told, strict=True)]
        self.positions: dict[int, int] = {}

    def assigned(self) -> frozenset[int]:
        """All, all the time."""
        return frozenset(range(self.partitions))

    def seek(self, partition: int, position: int) -> None:
        """From there on."""
        self.positions[partition] = position

    def hold(self, partition: int) -> None:
        """Not any more."""
        del self.positions[partition]

    def poll(self, wait_seconds: float, limit: int) -> Mapping[int, Sequence[LogRecord]]:
        """What has not been read."""
        found = {n: self.records[n][position:][:limit] for n, position in self.positions.items()}
        self.positions |= {n: position + len(found[n]) for n, position in self.positions.items()}
        came = {n: records for n, records in found.items() if records}
        time.sleep(0 if came else wait_seconds)
        return came

    def passed(self, partition: int, position: int) -> int:
        """Everything here is a record."""
        del partition
        return position

    def ends(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """They do not move."""
        return {partition: len(self.records[partition]) for partition in partitions}

    def still_ends_at(self, conn: Connection, partition: int, position: int) -> bool:
        """As it does."""
        del conn
        return position == len(self.records[partition])

    def rejoin(self) -> None:
        """Nobody else is there."""
        raise AssertionError

    def close(self) -> None:
        """Nobody is told."""
        raise AssertionError


@pytest.mark.parametrize(
    ("few", "expected"), [(100, [{0: 1, 1: 1, 2: 1}]), (2, [{0: 1}, {1: 1}, {2: 1}])], ids=["few", "many"]
)
def test_few_records_share_a_transaction_and_many_do_not(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, few: int, expected: list[dict[int, int]]
) -> None:
    """Where few wait, most of the work is what any transaction takes."""
    monkeypatch.setattr(loop, "FEW_RECORDS", few)
    source = Told(engine)
    made = loop.Loop(engine, pack(), source, batch_records=8000, clock_margin_seconds=10)
    with capture_logs() as said:
        made.drain(source.ends(range(source.partitions)))
    batches = [event["records"] for event in said if event["event"] == "batch_projected"]

    assert expected == sorted(batches, key=min)
    assert [*THERE] == [row["subject_id"] for row in rows(engine, LIVE.subjects)]
