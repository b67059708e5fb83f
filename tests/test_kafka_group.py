"""Projectors as members of a consumer group: who is given nothing, and who is too many."""

import threading
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import closing, contextmanager
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment
from sqlalchemy import Engine
from structlog.testing import capture_logs

from projections.partitioning import progress_of
from services.settings import Settings
from tests.stories import dismissed
from tests.test_run import wait_until
from tests.topic import chosen, loop_of, migrated, running, send, source_of, total

pytestmark = pytest.mark.slow


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[Engine]:
    """A migrated database, where its kind does not matter."""
    made = migrated(sqlite_url)
    yield made
    made.dispose()


def sparing() -> type[CooperativeStickyAssignor]:
    """An assignor that gives nobody anything until another than itself has joined a second time."""
    seen: set[str] = set()
    itself_and_another_twice = 3

    class Sparing(CooperativeStickyAssignor):  # type: ignore[misc] # kafka-python carries no types
        def assign(self, cluster: Any, members: Any) -> Any:
            seen.update(each.member_id for each in members)
            shared = super().assign(cluster, members)
            nothing = ConsumerProtocolAssignment(self.version, [], b"")
            return shared if len(seen) >= itself_and_another_twice else dict.fromkeys(shared, nothing)

    return Sparing


@contextmanager
def leader(settings: Settings, assignor: type[CooperativeStickyAssignor]) -> Iterator[None]:
    """The first member of the group, which shares out the partitions by *assignor*, while the block runs."""
    stop, joined = threading.Event(), threading.Event()
    member = KafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=settings.kafka_group,
        partition_assignment_strategy=[assignor],
        enable_auto_commit=False,
        heartbeat_interval_ms=200,
    )

    def poll() -> None:
        while not stop.is_set():
            member.poll(timeout_ms=100)
            if member.group_metadata().member_id:
                joined.set()

    with closing(member):
        member.subscribe([settings.kafka_topic])
        thread = threading.Thread(target=poll)
        thread.start()
        try:
            assert joined.wait(60)
            yield
        finally:
            stop.set()
            thread.join(60)


def said(logs: Iterable[MutableMapping[str, Any]]) -> list[str]:
    """The names of what was logged."""
    return [each["event"] for each in logs]


class TestGivenNothing:
    """A member of the group that has no partition."""

    def test_it_joins_anew_and_is_given_some(self, kafka_server: str, kafka_topic: str, lite: Engine) -> None:
        """Whoever shared the partitions out gave none to anybody, and would leave it at that."""
        settings = chosen(kafka_server, kafka_topic, stall_seconds=1)
        with (
            leader(settings, sparing()),
            capture_logs() as logs,
            source_of(settings) as source,
            running(loop_of(lite, source)),
        ):
            wait_until(lambda: bool(source.ours))

        assert "consumer_without_partitions" in said(logs)

    def test_one_too_many_takes_nothing_from_those_at_work(
        self, kafka_server: str, kafka_topics: Callable[..., str], lite: Engine
    ) -> None:
        """It asks less and less often; who has the partition keeps it, with its epoch, and goes on."""
        topic = kafka_topics(1)
        settings = chosen(kafka_server, topic)
        with source_of(settings, partitions=1) as one, running(loop_of(lite, one)):
            wait_until(lambda: [each.epoch for each in progress_of(lite, topic)] == [1])
            with (
                capture_logs() as logs,
                source_of(settings.model_copy(update={"stall_seconds": 0.2}), partitions=1) as extra,
                running(loop_of(lite, extra)),
            ):
                wait_until(lambda: said(logs).count("consumer_without_partitions") > 1)
                send(kafka_server, topic, [dismissed("2022-03-27")])
                wait_until(lambda: total(progress_of(lite, topic)) == {"read": 1, "applied": 1})

            assert [frozenset({0}), frozenset()] == [one.ours, extra.ours]
        assert [] == [each for each in said(logs) if each.startswith("partition")]
        assert [1] == [each.epoch for each in progress_of(lite, topic)]
