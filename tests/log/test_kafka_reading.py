"""What a projector reads from Kafka in one batch, and when the consumer that gives it none is made anew."""

import time

import pytest
from sqlalchemy import Engine, func, literal_column, select, text

from projections.tables.schema import ledger
from tests.log.test_kafka_projector import EVERYONE, applied
from tests.support.builders import dismissed, suspended
from tests.support.topic import PARTITIONS, chosen, loop_of, migrated, running, send, source_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def waiting_for_a_lock(engine: Engine) -> bool:
    """Whether somebody waits for what another holds in PostgreSQL."""
    with engine.connect() as conn:
        return bool(conn.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_what_comes_while_a_partition_is_at_work_is_the_next_batch(
    kafka_server: str, kafka_topic: str, postgres_url: str
) -> None:
    """All of it, at however many times it came: the more a batch holds, the less each record costs."""
    engine, settings = migrated(postgres_url), chosen(kafka_server, kafka_topic)
    facts = [suspended(f"2022-03-{day:02}", subject=EVERYONE[0]) for day in range(1, 5)]
    with source_of(settings) as source, running(loop_of(engine, source)):
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
    """What waits its turn while others are worked on was not asked for: nothing is wrong with the consumer."""
    send(kafka_server, kafka_topic, [dismissed("2022-03-27", subject=who) for who in EVERYONE for _ in range(3)])
    with source_of(chosen(kafka_server, kafka_topic, stall_seconds=2)) as source:
        wait_until(lambda: not source.poll(0.1, 1) and len(source.assigned()) == PARTITIONS)
        for partition in range(PARTITIONS):
            source.seek(partition, 0)
        asked = source._consumer  # noqa: SLF001 - whether it is made anew
        read: list[int] = []

        def reads() -> bool:
            came = source.poll(0.1, 1)
            read.extend(came)
            if came and len(read) == 1:
                time.sleep(3)
            return source._consumer is not asked or len(read) == PARTITIONS * 3  # noqa: SLF001

        wait_until(reads)
        assert (asked, 3) == (source._consumer, read.count(read[0]))  # noqa: SLF001


def test_a_consumer_that_stalls_is_made_anew(kafka_server: str, kafka_topic: str, sqlite_url: str) -> None:
    """There are records, and none comes: the watchdog sees it."""
    lite = migrated(sqlite_url)
    with source_of(chosen(kafka_server, kafka_topic, stall_seconds=0.5)) as source:
        with running(loop_of(lite, source)):
            send(kafka_server, kafka_topic, [dismissed("2022-03-27")])
            wait_until(lambda: applied(lite, kafka_topic) == 1)
            stalled = source._consumer  # noqa: SLF001 - behind its back, as a fault would
            stalled.pause(*stalled.assignment())
            send(kafka_server, kafka_topic, [suspended("2022-03-01")])
            wait_until(lambda: applied(lite, kafka_topic) == 2)

        assert source._consumer is not stalled  # noqa: SLF001
    lite.dispose()
