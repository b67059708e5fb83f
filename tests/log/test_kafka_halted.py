"""A halted partition is checked again, and continues only if no record would be skipped."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, update
from structlog.testing import capture_logs

from projections.tables.checkpoint import Checkpoint
from projections.tables.database import write_transaction
from projections.tables.origin import note_partitions, progress_of
from projections.tables.schema import partitions
from services.log.kafka.halt_causes import producers_time
from services.log.kafka.reader import KafkaReader
from tests.support.builders import dismissed
from tests.support.topic import PARTITIONS, loop_of, migrated, reader_of, running, send, settings_for, subject_at
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

FIRST = subject_at(0)


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[Engine]:
    """Yield a migrated database, of the kind that is faster to open."""
    made = migrated(sqlite_url)
    yield made
    made.dispose()


@pytest.fixture
def source(kafka_server: str, kafka_topic: str) -> Iterator[KafkaReader]:
    """Yield a member of the group that soon checks halted partitions again."""
    with reader_of(settings_for(kafka_server, kafka_topic, stall_seconds=0.3, clock_margin_seconds=0)) as made:
        yield made


def first(engine: Engine, source: KafkaReader) -> Checkpoint:
    """Return the checkpoint of partition 0."""
    return progress_of(engine, source.topic)[0]


def continued(logs: list[Any], partition: int) -> int:
    """Return the number of log events that say that *partition* continues."""
    return [(each["event"], each.get("partition")) for each in logs].count(("partition_goes_on", partition))


@pytest.mark.parametrize("cause", ["out_of_range", "producers_time"])
def test_a_partition_that_can_be_read_after_all_continues(
    kafka_server: str, source: KafkaReader, lite: Engine, cause: str
) -> None:
    """After the log was repaired no restart is needed. No record is read twice, and none is left out."""
    with capture_logs() as logs, running(loop_of(lite, source)):
        send(kafka_server, source.topic, [dismissed("2022-03-27", subject=FIRST)])
        wait_until(lambda: first(lite, source).position == 1)
        # As if the broker had reported it a moment ago.
        halted = source._causes.out_of_range(0, 1) if cause == "out_of_range" else producers_time(1)  # noqa: SLF001
        source._halted.halt(0, halted)  # noqa: SLF001
        wait_until(lambda: first(lite, source).epoch == 2)
        send(kafka_server, source.topic, [dismissed("2022-03-28", subject=FIRST)])
        wait_until(lambda: first(lite, source).position == 2)

    assert {} == source.stopped
    assert 1 == continued(logs, 0)
    assert (2, 2) == (first(lite, source).read, first(lite, source).applied)


def test_a_log_that_has_only_grown_past_the_position_is_not_read(
    kafka_server: str, source: KafkaReader, lite: Engine
) -> None:
    """Its end was lost and written again. The new records before the position would be skipped."""
    note_partitions(lite, source.topic, PARTITIONS)
    with write_transaction(lite) as conn:
        conn.execute(update(partitions).where(partitions.c.partition == 0).values(position=2))
    with running(loop_of(lite, source)):
        wait_until(lambda: 0 in source.stopped)
        before = source.stopped[0]
        send(kafka_server, source.topic, [dismissed("2022-03-27", subject=FIRST, id=str(n)) for n in range(4)])
        wait_until(lambda: "has grown to 4" in source.stopped.get(0, ""))

    assert before.startswith("the position is 2, and the log holds 0 to 0: records are gone")
    assert (2, 0) == (first(lite, source).position, first(lite, source).read)
