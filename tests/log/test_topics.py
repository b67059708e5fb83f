"""Kafka's topics: created as facts need them, and refused if they would lose or reorder facts."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource

from events.errors import Infrastructure, Unreachable
from services.log.kafka.topics import Topic, cautions, create, partition_count, require_alerts_topic
from services.settings import Settings
from tests.support.commands import run

pytestmark = pytest.mark.slow

NOBODY = "127.0.0.1:1"
"""An address at which nothing listens."""

SAFE = {"retention.ms": "-1"}

FAULTS = {
    "cleanup.policy": ("compact,delete", "only the last facts of each person would be kept"),
    "retention.ms": ("604800000", "older facts would be deleted"),
    "retention.bytes": ("1000000", "facts beyond that size would be deleted"),
    "message.timestamp.type": ("CreateTime", "ordered by the clocks of their publishers"),
    "max.message.bytes": ("900000", "the largest facts, of 1000000 bytes, would be refused"),
    "unclean.leader.election.enable": ("true", "acknowledged facts could be lost"),
}


@pytest.fixture
def settings(kafka_server: str) -> Iterator[Settings]:
    """Yield settings that name two missing topics, and delete these topics afterwards."""
    name = f"casetrail.test.{uuid4().hex}"
    settings = Settings(
        log="kafka",
        kafka_bootstrap_servers=kafka_server,
        kafka_partitions=2,
        kafka_topic=name,
        kafka_alerts_topic=f"{name}.alerts",
    )
    yield settings
    with closing(KafkaAdminClient(bootstrap_servers=kafka_server)) as admin:
        made = {settings.kafka_topic, settings.kafka_alerts_topic} & {*admin.list_topics()}
        if made:
            admin.delete_topics(list(made))


def configured(address: str, topic: str) -> dict[str, str]:
    """Return every setting of *topic* as the broker describes it."""
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        answer = admin.describe_configs([ConfigResource("TOPIC", topic)], config_filter="all")
    return {name: entry["value"] for name, entry in answer["topic"][topic].items()}


def env(settings: Settings) -> dict[str, str]:
    """Return the same settings as the variables of a process."""
    return {f"CASETRAIL_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}


class TestCreate:
    """`topics create`."""

    def test_both_are_made_as_they_must_be_and_made_once(self, settings: Settings) -> None:
        """Facts are kept for ever, are stamped by the broker, and the largest one fits."""
        first, second = create(settings), create(settings)

        assert [True, True] == [made.created for made in first]
        assert [False, False] == [made.created for made in second]
        assert {
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": "1048588",
            "unclean.leader.election.enable": "false",
            "compression.type": "producer",
        }.items() <= configured(settings.kafka_bootstrap_servers, settings.kafka_topic).items()
        assert "-1" == configured(settings.kafka_bootstrap_servers, settings.kafka_alerts_topic)["retention.ms"]
        assert (2, 2) == (partition_count(settings), require_alerts_topic(settings).partitions)

    def test_several_at_once_do_no_harm(self, settings: Settings) -> None:
        """Each container may run it at its start. Each topic is created by one of them."""
        with ThreadPoolExecutor(3) as pool:
            results = [result for some in pool.map(create, [settings] * 3) for result in some]

        assert 2 == sum(result.created for result in results)
        assert {2} == {result.topic.partitions for result in results}

    def test_more_replicas_than_brokers_are_refused_in_the_brokers_words(self, settings: Settings) -> None:
        """The message names the number of brokers."""
        with pytest.raises(Infrastructure, match=r"does not create the topic .* only 1 broker"):
            create(settings.model_copy(update={"kafka_replication": 3}))

    def test_the_number_of_partitions_of_one_that_is_there_stays(
        self, settings: Settings, kafka_topics: Callable[..., str], tmp_path: Path
    ) -> None:
        """Another number would move people to other partitions. The command says that it stays."""
        topic = kafka_topics(3, {**SAFE})
        done = run("topics create", tmp_path, env=env(settings) | {"CASETRAIL_KAFKA_TOPIC": topic})

        assert 0 == done.returncode
        assert f"{topic}: exists already, 3 partitions, replicas of each: 1" in done.stderr
        assert "this number is not changed, although CASETRAIL_KAFKA_PARTITIONS is 2" in done.stderr

    def test_programs_read_json(self, settings: Settings, tmp_path: Path) -> None:
        """There is one object a topic, and nothing else on stdout."""
        done = run("topics create --json", tmp_path, env=env(settings))
        shape = {"partitions": 2, "replicas": 1, "created": True}

        assert (0, "") == (done.returncode, done.stderr)
        assert [
            {"topic": settings.kafka_topic, **shape},
            {"topic": settings.kafka_alerts_topic, **shape},
        ] == json.loads(done.stdout)

    def test_with_the_local_log_the_topics_are_said_to_be_unused(self, settings: Settings, tmp_path: Path) -> None:
        """Without the message, the reason for empty topics would be hard to find."""
        done = run("topics create", tmp_path, env=env(settings) | {"CASETRAIL_LOG": "local"})

        assert 0 == done.returncode
        assert "CASETRAIL_LOG is local: the topics are not used" in done.stderr

    def test_a_name_that_kafka_does_not_take_is_bad_input(self, settings: Settings, tmp_path: Path) -> None:
        """The name is checked before the broker is asked."""
        done = run("topics create", tmp_path, env=env(settings) | {"CASETRAIL_KAFKA_TOPIC": "the facts"})

        assert (2, "") == (done.returncode, done.stdout)
        assert (
            'casetrail: CASETRAIL_KAFKA_TOPIC: "the facts" is not a name for a topic (want 1 to 249 of' in done.stderr
        )

    def test_a_broker_that_is_away_is_the_machines_fault(self, settings: Settings, tmp_path: Path) -> None:
        """The message is one plain line, without a library's words."""
        done = run("topics create", tmp_path, env=env(settings) | {"CASETRAIL_KAFKA_BOOTSTRAP_SERVERS": NOBODY})

        assert (3, "") == (done.returncode, done.stdout)
        assert f"casetrail: Kafka at {NOBODY}: nothing listens there" in done.stderr
        assert 1 == len(done.stderr.splitlines())


class TestFaults:
    """A topic that casetrail did not create."""

    @pytest.mark.parametrize("setting", FAULTS)
    def test_what_would_lose_or_reorder_facts_is_refused_by_name(
        self, settings: Settings, kafka_topics: Callable[..., str], setting: str
    ) -> None:
        """Both `topics create` and the commands that use a topic refuse it."""
        value, harm = FAULTS[setting]
        bad = settings.model_copy(update={"kafka_topic": kafka_topics(1, {**SAFE, setting: value})})

        for refuse in (create, partition_count):
            with pytest.raises(Infrastructure, match=f"{bad.kafka_topic} .*: {setting} is {value} .*{harm}") as refused:
                refuse(bad)
            others = set(FAULTS) - {setting}
            assert set() == {other for other in others if f"{other} is" in str(refused.value)}

    def test_all_of_them_are_named_at_once(
        self, settings: Settings, kafka_topics: Callable[..., str], tmp_path: Path
    ) -> None:
        """One run names every fault."""
        topic = kafka_topics(1, {setting: value for setting, (value, _) in FAULTS.items()})
        done = run("topics create", tmp_path, env=env(settings) | {"CASETRAIL_KAFKA_TOPIC": topic})

        assert (3, "") == (done.returncode, done.stdout)
        assert set() == {setting for setting in FAULTS if f"{setting} is" not in done.stderr}

    def test_notices_may_be_deleted_after_a_time_but_not_compacted(
        self, settings: Settings, kafka_topics: Callable[..., str]
    ) -> None:
        """Readers decide how long notices are of use. No notice of a person may be missing."""
        brief = kafka_topics(1, {"retention.ms": "604800000", "message.timestamp.type": "CreateTime"})
        compacted = kafka_topics(1, {"cleanup.policy": "compact"})

        assert 1 == require_alerts_topic(settings.model_copy(update={"kafka_alerts_topic": brief})).partitions
        with pytest.raises(Infrastructure, match=r"cleanup\.policy is compact"):
            require_alerts_topic(settings.model_copy(update={"kafka_alerts_topic": compacted}))

    def test_the_error_for_a_missing_topic_names_the_command_to_run(self, settings: Settings) -> None:
        """Newcomers forget this step first."""
        with pytest.raises(Infrastructure, match=rf"no topic {settings.kafka_topic} \(run `casetrail topics create`\)"):
            partition_count(settings)

    def test_a_broker_that_is_away_may_come_back(self, settings: Settings) -> None:
        """The error has its own type, on which a service tries again."""
        away = settings.model_copy(update={"kafka_bootstrap_servers": NOBODY})

        with pytest.raises(Unreachable, match=f"Kafka at {NOBODY}: nothing listens there"):
            partition_count(away, seconds=0.5)

    @pytest.mark.parametrize(
        ("replicas", "settings", "said"),
        [
            (1, {"min.insync.replicas": "1"}, ["it has one replica"]),
            (3, {"min.insync.replicas": "1"}, ["min.insync.replicas is 1: of 3 replicas"]),
            (3, {"min.insync.replicas": "2"}, []),
            (3, {}, ["this user may not describe its settings"]),
        ],
    )
    def test_a_risk_is_reported_and_not_refused(self, replicas: int, settings: dict[str, str], said: list[str]) -> None:
        """A developer's machine has one broker, and that is not an error."""
        risks = cautions(Topic("t", 6, replicas, settings))

        assert len(said) == len(risks)
        assert all(words in caution for words, caution in zip(said, risks, strict=True))
