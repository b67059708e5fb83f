"""The batches that a projector reads from Kafka, and the watchdog that recreates a stalled consumer."""

import time

import pytest
from sqlalchemy import Engine, func, literal_column, select, text

from projections.tables.schema import ledger
from tests.log.test_kafka_projector import EVERYONE, applied
from tests.support.builders import dismissed, suspended
from tests.support.topic import PARTITIONS, loop_of, migrated, reader_of, running, send, settings_for
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def waiting_for_a_lock(engine: Engine) -> bool:
    """Return whether a transaction waits for a lock in PostgreSQL."""
    with engine.connect() as conn:
        return bool(conn.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_records_that_arrive_while_a_partition_is_at_work_are_the_next_batch(
    kafka_server: str, kafka_topic: str, postgres_url: str
) -> None:
    """They are one batch, even if they arrive one by one: in a larger batch each record costs less."""
    engine, settings = migrated(postgres_url), settings_for(kafka_server, kafka_topic)
    facts = [suspended(f"2022-03-{day:02}", subject=EVERYONE[0]) for day in range(1, 5)]
    with reader_of(settings) as source, running(loop_of(engine, source)):
        send(kafka_server, kafka_topic, facts[:1])
        wait_until(lambda: applied(engine, kafka_topic) == 1)
        with engine.begin() as conn:
            conn.exec_driver_sql("LOCK TABLE ledger IN SHARE MODE")
            send(kafka_server, kafka_topic, facts[1:2])
            wait_until(lambda: waiting_for_a_lock(engine))
            for fact in facts[2:]:
                send(kafka_server, kafka_topic, [fact])
                time.sleep(0.5)
        wait_until(lambda: applied(engine, kafka_topic) == len(facts))
    with engine.connect() as conn:
        records = select(func.count()).where(ledger.c.entry == "record").group_by(literal_column("xmin::text"))
        assert [1, 1, 2] == sorted(conn.scalars(records))
    engine.dispose()


def test_to_be_busy_with_other_partitions_is_no_stall(kafka_server: str, kafka_topic: str) -> None:
    """A partition that waits for its turn was not polled: the consumer is not at fault."""
    send(kafka_server, kafka_topic, [dismissed("2022-03-27", subject=who) for who in EVERYONE for _ in range(3)])
    with reader_of(settings_for(kafka_server, kafka_topic, stall_seconds=2)) as source:
        wait_until(lambda: not source.poll(0.1, 1) and len(source.assigned()) == PARTITIONS)
        for partition in range(PARTITIONS):
            source.seek(partition, 0)
        consumer = source._consumer  # noqa: SLF001 - shows whether it is recreated
        read: list[int] = []

        def reads() -> bool:
            came = source.poll(0.1, 1)
            read.extend(came)
            if came and len(read) == 1:
                time.sleep(3)
            return source._consumer is not consumer or len(read) == PARTITIONS * 3  # noqa: SLF001

        wait_until(reads)
        assert (consumer, 3) == (source._consumer, read.count(read[0]))  # noqa: SLF001


def test_a_consumer_that_stalls_is_recreated(kafka_server: str, kafka_topic: str, sqlite_url: str) -> None:
    """Records are waiting and none is polled: the watchdog notices."""
    lite = migrated(sqlite_url)
    with reader_of(settings_for(kafka_server, kafka_topic, stall_seconds=0.5)) as source:
        with running(loop_of(lite, source)):
            send(kafka_server, kafka_topic, [dismissed("2022-03-27")])
            wait_until(lambda: applied(lite, kafka_topic) == 1)
            stalled = source._consumer  # noqa: SLF001 - pauses it as a fault would
            stalled.pause(*stalled.assignment())
            send(kafka_server, kafka_topic, [suspended("2022-03-01")])
            wait_until(lambda: applied(lite, kafka_topic) == 2)

        assert source._consumer is not stalled  # noqa: SLF001
    lite.dispose()
