"""A partition that was stopped is looked at again, and goes on only where that passes over nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, update
from structlog.testing import capture_logs

from projections.tables.checkpoint import Checkpoint
from projections.tables.database import writing
from projections.tables.origin import note_partitions, progress_of
from projections.tables.schema import partitions
from services.log.kafka.reader import KafkaReader
from tests.support.builders import dismissed
from tests.support.topic import PARTITIONS, chosen, loop_of, migrated, running, send, source_of, subject_at
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

FIRST = subject_at(0)


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[Engine]:
    """A migrated database, where its kind does not matter."""
    made = migrated(sqlite_url)
    yield made
    made.dispose()


@pytest.fixture
def source(kafka_server: str, kafka_topic: str) -> Iterator[KafkaReader]:
    """A member of the group that looks again soon at what was stopped."""
    with source_of(chosen(kafka_server, kafka_topic, stall_seconds=0.3, clock_margin_seconds=0)) as made:
        yield made


def first(engine: Engine, source: KafkaReader) -> Checkpoint:
    """How far partition 0 is."""
    return progress_of(engine, source.topic)[0]


def looks(logs: list[Any], partition: int) -> int:
    """How often it was said of *partition* that it goes on."""
    return [(each["event"], each.get("partition")) for each in logs].count(("partition_goes_on", partition))


@pytest.mark.parametrize("why", ["out_of_range", "at_producers_time"])
def test_a_partition_that_can_be_read_after_all_goes_on(
    kafka_server: str, source: KafkaReader, lite: Engine, why: str
) -> None:
    """Whoever has mended the log need not restart anything; nothing is read twice, and nothing is left out."""
    with capture_logs() as logs, running(loop_of(lite, source)):
        send(kafka_server, source.topic, [dismissed("2022-03-27", subject=FIRST)])
        wait_until(lambda: first(lite, source).position == 1)
        # Behind its back, as if it had been so a moment ago.
        getattr(source._stops, why)(0, 1)  # noqa: SLF001
        wait_until(lambda: first(lite, source).epoch == 2)
        send(kafka_server, source.topic, [dismissed("2022-03-28", subject=FIRST)])
        wait_until(lambda: first(lite, source).position == 2)

    assert {} == source.stopped
    assert 1 == looks(logs, 0)
    assert (2, 2) == (first(lite, source).read, first(lite, source).applied)


def test_a_log_that_has_only_grown_past_the_position_is_not_read(
    kafka_server: str, source: KafkaReader, lite: Engine
) -> None:
    """Its end was lost and written anew since: what is new before the position would be passed over."""
    note_partitions(lite, source.topic, PARTITIONS)
    with writing(lite) as conn:
        conn.execute(update(partitions).where(partitions.c.partition == 0).values(position=2))
    with running(loop_of(lite, source)):
        wait_until(lambda: 0 in source.stopped)
        before = source.stopped[0]
        send(kafka_server, source.topic, [dismissed("2022-03-27", subject=FIRST, id=str(n)) for n in range(4)])
        wait_until(lambda: "has grown to 4" in source.stopped.get(0, ""))

    assert before.startswith("the position is 2, and the log holds 0 to 0: records are gone")
    assert (2, 0) == (first(lite, source).position, first(lite, source).read)
