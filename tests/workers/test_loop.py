"""The loop decides if records of several partitions share a transaction or are projected in parallel."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine
from structlog.testing import capture_logs

from projections.ledger.chain import LogRecord
from projections.tables.schema import LIVE
from services.workers import projector_loop
from tests.support.builders import rows, suspended
from tests.support.rules import dismissals
from tests.support.three_partitions import THERE, TOPIC, batch, home, projectors


class ThreeRecords:
    """A log with all partitions assigned here; each has one record, about a subject of that partition."""

    topic = TOPIC
    partitions = len(THERE)
    slack = timedelta()
    home: Callable[[bytes], int] | None = staticmethod(home)
    stopped: Mapping[int, str] = {}

    def __init__(self, engine: Engine) -> None:
        lines = [[suspended("2022-03-01", subject=name)] for name in THERE]
        self.records = [batch(*pair)[1] for pair in zip(projectors(engine), lines, strict=True)]
        self.positions: dict[int, int] = {}

    def assigned(self) -> frozenset[int]:
        """Return all partitions."""
        return frozenset(range(self.partitions))

    def seek(self, partition: int, position: int) -> None:
        """Read on from *position*."""
        self.positions[partition] = position

    def pause(self, partition: int) -> None:
        """Read no more of *partition*."""
        del self.positions[partition]

    def poll(self, wait_seconds: float, limit: int) -> Mapping[int, Sequence[LogRecord]]:
        """Return the unread records; wait if there are none."""
        unread = {n: self.records[n][position:][:limit] for n, position in self.positions.items()}
        self.positions |= {n: position + len(unread[n]) for n, position in self.positions.items()}
        records_by_partition = {n: records for n, records in unread.items() if records}
        time.sleep(0 if records_by_partition else wait_seconds)
        return records_by_partition

    def next_offset(self, partition: int, position: int) -> int:
        """Return *position*: this log has no marks of transactions."""
        del partition
        return position

    def ends(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Return the ends, which never move."""
        return {partition: len(self.records[partition]) for partition in partitions}

    def still_ends_at(self, conn: Connection, partition: int, position: int) -> bool:
        """Return whether *position* is the end."""
        del conn
        return position == len(self.records[partition])

    def rejoin(self) -> None:
        """Fail: no other process takes a partition."""
        raise AssertionError

    def close(self) -> None:
        """Fail: the loop does not own the log."""
        raise AssertionError


@pytest.mark.parametrize(
    ("few", "expected"), [(100, [{0: 1, 1: 1, 2: 1}]), (2, [{0: 1}, {1: 1}, {2: 1}])], ids=["few", "many"]
)
def test_few_records_share_a_transaction_and_many_do_not(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, few: int, expected: list[dict[int, int]]
) -> None:
    """With few records, most of the cost is that of the transaction itself."""
    monkeypatch.setattr(projector_loop, "FEW_RECORDS", few)
    source = ThreeRecords(engine)
    loop = projector_loop.Loop(engine, dismissals(), source, batch_records=8000, clock_margin_seconds=10)
    with capture_logs() as entries:
        loop.drain(source.ends(range(source.partitions)))
    batches = [entry["records"] for entry in entries if entry["event"] == "batch_projected"]

    assert expected == sorted(batches, key=min)
    assert [*THERE] == [row["subject_id"] for row in rows(engine, LIVE.subjects)]
