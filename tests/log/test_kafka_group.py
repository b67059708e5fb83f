"""Projectors as members of a consumer group: without partitions, too many, or of another database."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment
from kafka.structs import MemberState
from sqlalchemy import Engine
from structlog.testing import capture_logs

from events.errors import Infrastructure
from projections.tables.checkpoint import Checkpoint
from projections.tables.database import open_database
from projections.tables.origin import Origin, progress_of
from services.log.kafka.membership import Membership
from services.settings import Settings
from tests.support.builders import dismissed, suspended
from tests.support.commands import run, start
from tests.support.topic import PARTITIONS, loop_of, migrated, reader_of, running, send, settings_for, total, variables
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[Engine]:
    """Yield a migrated database, of the kind that is faster to open."""
    made = migrated(sqlite_url)
    yield made
    made.dispose()


def late_assignor() -> type[CooperativeStickyAssignor]:
    """Return an assignor that assigns nothing until another member than itself has joined twice."""
    seen: set[str] = set()
    itself_and_another_twice = 3

    class LateAssignor(CooperativeStickyAssignor):  # type: ignore[misc] # kafka-python carries no types
        def assign(self, cluster: Any, members: Any) -> Any:
            seen.update(each.member_id for each in members)
            shared = super().assign(cluster, members)
            nothing = ConsumerProtocolAssignment(self.version, [], b"")
            return shared if len(seen) >= itself_and_another_twice else dict.fromkeys(shared, nothing)

    return LateAssignor


@contextmanager
def leader(settings: Settings, assignor: type[CooperativeStickyAssignor]) -> Iterator[None]:
    """Run the first member of the group during the block. It shares out the partitions by *assignor*."""
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


def logged(logs: Iterable[MutableMapping[str, Any]]) -> list[str]:
    """Return the names of the log events."""
    return [each["event"] for each in logs]


def progress(env: Mapping[str, str]) -> list[Checkpoint]:
    """Return the checkpoints of the database that the variables name."""
    engine = open_database(env["CASETRAIL_DATABASE_URL"])
    found = progress_of(engine, env["CASETRAIL_KAFKA_TOPIC"])
    engine.dispose()
    return found


class TestWithoutPartitions:
    """A member of the group that has no partition."""

    def test_it_joins_again_and_gets_some(self, kafka_server: str, kafka_topic: str, lite: Engine) -> None:
        """The leader assigned no partitions to any member, and would leave it so."""
        settings = settings_for(kafka_server, kafka_topic, stall_seconds=1)
        with (
            leader(settings, late_assignor()),
            capture_logs() as logs,
            reader_of(settings) as source,
            running(loop_of(lite, source)),
        ):
            wait_until(lambda: bool(source.owned))

        assert "consumer_without_partitions" in logged(logs)

    def test_one_too_many_takes_nothing_from_those_at_work(
        self, kafka_server: str, kafka_topics: Callable[..., str], lite: Engine
    ) -> None:
        """It asks less and less often. The member with the partition keeps it, with its epoch."""
        topic = kafka_topics(1)
        settings = settings_for(kafka_server, topic)
        with reader_of(settings, partitions=1) as one, running(loop_of(lite, one)):
            send(kafka_server, topic, [suspended("2022-03-01")])
            wait_until(lambda: total(progress_of(lite, topic)) == {"read": 1, "applied": 1})
            with (
                capture_logs() as logs,
                reader_of(settings.model_copy(update={"stall_seconds": 0.2}), partitions=1) as extra,
                running(loop_of(lite, extra)),
            ):
                wait_until(lambda: logged(logs).count("consumer_without_partitions") > 1)
                send(kafka_server, topic, [dismissed("2022-03-27")])
                wait_until(lambda: total(progress_of(lite, topic)) == {"read": 2, "applied": 2})

            assert [frozenset({0}), frozenset()] == [one.owned, extra.owned]
        assert [] == [each for each in logged(logs) if each.startswith("partition")]
        assert [1] == [each.epoch for each in progress_of(lite, topic)]


class TestJoining:
    """A member that joins, and one whose client has forgotten its join."""

    def test_it_joins_once(self, kafka_server: str, kafka_topic: str, lite: Engine) -> None:
        """The leader knows the partitions in time. Learning of them later, it would make all join again."""
        settings = settings_for(kafka_server, kafka_topic)
        with reader_of(settings) as source, running(loop_of(lite, source)):
            send(kafka_server, kafka_topic, [suspended("2022-03-01")])
            wait_until(lambda: total(progress_of(lite, kafka_topic)) == {"read": 1, "applied": 1})
            send(kafka_server, kafka_topic, [dismissed("2022-03-27")])
            wait_until(lambda: total(progress_of(lite, kafka_topic)) == {"read": 2, "applied": 2})
            generation = source._consumer.group_metadata().generation_id  # noqa: SLF001 - only this test uses it

        assert 1 == generation

    def test_one_whose_join_was_forgotten_joins_again(self, kafka_server: str, kafka_topic: str, lite: Engine) -> None:
        """It does at its first record: the client reads on without heartbeats, even another's partitions."""
        settings = settings_for(kafka_server, kafka_topic)
        with capture_logs() as logs, reader_of(settings) as source, running(loop_of(lite, source)):
            wait_until(lambda: len(source.owned) == PARTITIONS)
            # The state in which kafka-python 3.0.12 is left if the reason to join is gone before the answer is handled.
            coordinator = source._consumer._coordinator  # noqa: SLF001
            coordinator.state = MemberState.REBALANCING
            coordinator._disable_heartbeat()  # noqa: SLF001
            send(kafka_server, kafka_topic, [suspended("2022-03-01")])
            wait_until(lambda: "consumer_not_joined" in logged(logs))
            wait_until(lambda: total(progress_of(lite, kafka_topic)) == {"read": 1, "applied": 1})
            wait_until(lambda: len(source.owned) == PARTITIONS)

        assert 1 == logged(logs).count("consumer_not_joined")


class TestOneDatabase:
    """A group has the projectors of one database."""

    @pytest.fixture
    def env(
        self, kafka_server: str, kafka_topics: Callable[..., str], tmp_path: Path
    ) -> Callable[[str], dict[str, str]]:
        """Return a function that makes the variables of a database by its name, for one topic and one group."""
        topic = kafka_topics(PARTITIONS, {"retention.ms": "-1"})
        send(kafka_server, topic, [dismissed("2022-03-27")])

        def made(name: str) -> dict[str, str]:
            given = variables(kafka_server, topic, f"sqlite:///{tmp_path / name}.db", log_format="json")
            migrated(given["CASETRAIL_DATABASE_URL"]).dispose()
            return given

        return made

    def test_another_database_is_refused_while_it_is_at_work(
        self, env: Callable[[str], dict[str, str]], tmp_path: Path
    ) -> None:
        """It would get partitions that then stop here. Another projector of the same database may join."""
        one, other = env("one"), env("other")
        with start("run projector", tmp_path, one) as projector:
            wait_until(lambda: bool(progress(one)) and all(each.epoch for each in progress(one)))
            refused = [run(command, tmp_path, env=other) for command in ("project", "run projector")]
            beside = run("project --json", tmp_path, env=one)
            still = projector.process.poll()

        assert [3, 3] == [done.returncode for done in refused]
        assert all("CASETRAIL_KAFKA_GROUP" in done.stderr for done in refused)
        assert all(f"the consumer group {one['CASETRAIL_KAFKA_GROUP']} reads" in done.stderr for done in refused)
        assert (0, 1) == (beside.returncode, json.loads(beside.stdout)["read"]), beside.stderr
        assert still is None
        assert 0 == sum(each.epoch for each in progress(other))

    def test_without_members_another_database_takes_it_over(
        self, env: Callable[[str], dict[str, str]], tmp_path: Path
    ) -> None:
        """For example, it replaces a lost database. The service logs it, and then refuses the first one."""
        one, other = env("one"), env("other")
        before = run("project", tmp_path, env=one)
        with start("run projector", tmp_path, other) as projector:
            wait_until(lambda: bool(progress(other)) and all(each.epoch for each in progress(other)))
            refused = run("project", tmp_path, env=one)
            projector.process.terminate()
            _, _, logs = projector.end()

        assert (0, 3) == (before.returncode, refused.returncode)
        assert "group_taken_over" in logs

    def test_a_projector_that_was_overtaken_before_it_joined_reads_nothing(
        self, kafka_server: str, kafka_topic: str, lite: Engine
    ) -> None:
        """Two databases that start at the same time may both find the group without members."""
        settings = settings_for(kafka_server, kafka_topic)
        positions = dict.fromkeys(range(PARTITIONS), 0)
        Membership(settings, Origin(kafka_topic, None, "other")).claim(positions)
        enough = threading.Event()
        given_up = threading.Timer(60, enough.set)
        given_up.start()
        with reader_of(settings) as source, pytest.raises(Infrastructure, match="for the casetrail database other"):
            loop_of(lite, source).run(enough, 0.1)
        given_up.cancel()

        assert [0] * PARTITIONS == [each.epoch for each in progress_of(lite, kafka_topic)]
