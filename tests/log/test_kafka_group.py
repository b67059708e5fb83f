"""Projectors as members of a consumer group: who is given nothing, who is too many, and whose group it is."""

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
from tests.support.topic import PARTITIONS, chosen, loop_of, migrated, running, send, source_of, total, variables
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[Engine]:
    """A migrated database, where its kind does not matter."""
    made = migrated(sqlite_url)
    yield made
    made.dispose()


def isolate_failures() -> type[CooperativeStickyAssignor]:
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


def progress(env: Mapping[str, str]) -> list[Checkpoint]:
    """How far the database of these variables is."""
    engine = open_database(env["CASETRAIL_DATABASE_URL"])
    found = progress_of(engine, env["CASETRAIL_KAFKA_TOPIC"])
    engine.dispose()
    return found


class TestGivenNothing:
    """A member of the group that has no partition."""

    def test_it_joins_anew_and_is_given_some(self, kafka_server: str, kafka_topic: str, lite: Engine) -> None:
        """Whoever shared the partitions out gave none to anybody, and would leave it at that."""
        settings = chosen(kafka_server, kafka_topic, stall_seconds=1)
        with (
            leader(settings, isolate_failures()),
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
            send(kafka_server, topic, [suspended("2022-03-01")])
            wait_until(lambda: total(progress_of(lite, topic)) == {"read": 1, "applied": 1})
            with (
                capture_logs() as logs,
                source_of(settings.model_copy(update={"stall_seconds": 0.2}), partitions=1) as extra,
                running(loop_of(lite, extra)),
            ):
                wait_until(lambda: said(logs).count("consumer_without_partitions") > 1)
                send(kafka_server, topic, [dismissed("2022-03-27")])
                wait_until(lambda: total(progress_of(lite, topic)) == {"read": 2, "applied": 2})

            assert [frozenset({0}), frozenset()] == [one.ours, extra.ours]
        assert [] == [each for each in said(logs) if each.startswith("partition")]
        assert [1] == [each.epoch for each in progress_of(lite, topic)]


class TestJoining:
    """A member that comes, and one whose client has forgotten that it was to come."""

    def test_it_joins_once(self, kafka_server: str, kafka_topic: str, lite: Engine) -> None:
        """It knows the partitions that it shares out: learning of them later, it would have all join again."""
        settings = chosen(kafka_server, kafka_topic)
        with source_of(settings) as source, running(loop_of(lite, source)):
            send(kafka_server, kafka_topic, [suspended("2022-03-01")])
            wait_until(lambda: total(progress_of(lite, kafka_topic)) == {"read": 1, "applied": 1})
            send(kafka_server, kafka_topic, [dismissed("2022-03-27")])
            wait_until(lambda: total(progress_of(lite, kafka_topic)) == {"read": 2, "applied": 2})
            generation = source._consumer.group_metadata().generation_id  # noqa: SLF001 - of no use to anybody else

        assert 1 == generation

    def test_one_whose_join_was_forgotten_joins_anew(self, kafka_server: str, kafka_topic: str, lite: Engine) -> None:
        """At its first record: the client reads on without heartbeats, whosever the partitions are."""
        settings = chosen(kafka_server, kafka_topic)
        with capture_logs() as logs, source_of(settings) as source, running(loop_of(lite, source)):
            wait_until(lambda: len(source.ours) == PARTITIONS)
            # As kafka-python 3.0.12 leaves it where what it was to join for has gone before its answer is looked at.
            coordinator = source._consumer._coordinator  # noqa: SLF001
            coordinator.state = MemberState.REBALANCING
            coordinator._disable_heartbeat()  # noqa: SLF001
            send(kafka_server, kafka_topic, [suspended("2022-03-01")])
            wait_until(lambda: "consumer_not_joined" in said(logs))
            wait_until(lambda: total(progress_of(lite, kafka_topic)) == {"read": 1, "applied": 1})
            wait_until(lambda: len(source.ours) == PARTITIONS)

        assert 1 == said(logs).count("consumer_not_joined")


class TestWhoseGroup:
    """A group has the projectors of one database."""

    @pytest.fixture
    def env(
        self, kafka_server: str, kafka_topics: Callable[..., str], tmp_path: Path
    ) -> Callable[[str], dict[str, str]]:
        """Make the settings of a database by its name; all of them read one topic, in one group."""
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
        """It would be given partitions that then stand still here; the same database may come at any time."""
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

    def test_where_nobody_is_in_it_another_database_takes_it_over(
        self, env: Callable[[str], dict[str, str]], tmp_path: Path
    ) -> None:
        """A new one in the place of one that is lost, say; the log tells, and the first one would be refused now."""
        one, other = env("one"), env("other")
        before = run("project", tmp_path, env=one)
        with start("run projector", tmp_path, other) as projector:
            wait_until(lambda: bool(progress(other)) and all(each.epoch for each in progress(other)))
            refused = run("project", tmp_path, env=one)
            projector.process.terminate()
            _, _, logs = projector.end()

        assert (0, 3) == (before.returncode, refused.returncode)
        assert "group_taken_over" in logs

    def test_who_was_overtaken_before_it_had_joined_reads_nothing(
        self, kafka_server: str, kafka_topic: str, lite: Engine
    ) -> None:
        """Two databases that start at the same time may both find nobody in the group."""
        settings = chosen(kafka_server, kafka_topic)
        positions = dict.fromkeys(range(PARTITIONS), 0)
        Membership(settings, Origin(kafka_topic, None, "other")).claim(positions)
        enough = threading.Event()
        given_up = threading.Timer(60, enough.set)
        given_up.start()
        with source_of(settings) as source, pytest.raises(Infrastructure, match="for the casetrail database other"):
            loop_of(lite, source).run(enough, 0.1)
        given_up.cancel()

        assert [0] * PARTITIONS == [each.epoch for each in progress_of(lite, kafka_topic)]
