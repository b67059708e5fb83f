"""Kafka's topics, made as facts need them, and refused where they would lose or reorder facts."""

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
from services.log.kafka.topics import Topic, cautions, checked, create, seen_alerts
from services.settings import Settings
from tests.support.commands import run

pytestmark = pytest.mark.slow

NOBODY = "127.0.0.1:1"
"""Where nothing listens."""

SAFE = {"retention.ms": "-1"}

FAULTS = {
    "cleanup.policy": ("compact,delete", "only the last facts would be kept"),
    "retention.ms": ("604800000", "older facts would be deleted"),
    "retention.bytes": ("1000000", "facts beyond that size would be deleted"),
    "message.timestamp.type": ("CreateTime", "ordered by the clocks of those who publish"),
    "max.message.bytes": ("900000", "the largest facts, of 1000000 bytes, would be refused"),
    "unclean.leader.election.enable": ("true", "facts acknowledged already could be lost"),
}


@pytest.fixture
def chosen(kafka_server: str) -> Iterator[Settings]:
    """Settings that name two topics which are not there yet; they are deleted afterwards."""
    name = f"casetrail.test.{uuid4().hex}"
    chosen = Settings(
        log="kafka",
        kafka_bootstrap_servers=kafka_server,
        kafka_partitions=2,
        kafka_topic=name,
        kafka_alerts_topic=f"{name}.alerts",
    )
    yield chosen
    with closing(KafkaAdminClient(bootstrap_servers=kafka_server)) as admin:
        made = {chosen.kafka_topic, chosen.kafka_alerts_topic} & {*admin.list_topics()}
        if made:
            admin.delete_topics(list(made))


def configured(address: str, topic: str) -> dict[str, str]:
    """Every setting of *topic* as the broker has it."""
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        answer = admin.describe_configs([ConfigResource("TOPIC", topic)], config_filter="all")
    return {name: entry["value"] for name, entry in answer["topic"][topic].items()}


def env(chosen: Settings) -> dict[str, str]:
    """The same settings as the variables of a process."""
    return {f"CASETRAIL_{name.upper()}": str(getattr(chosen, name)) for name in chosen.model_fields_set}


class TestCreate:
    """`topics create`."""

    def test_both_are_made_as_they_must_be_and_made_once(self, chosen: Settings) -> None:
        """Kept for ever, stamped by the broker, large enough for the largest fact."""
        first, second = create(chosen), create(chosen)

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
        }.items() <= configured(chosen.kafka_bootstrap_servers, chosen.kafka_topic).items()
        assert "-1" == configured(chosen.kafka_bootstrap_servers, chosen.kafka_alerts_topic)["retention.ms"]
        assert (2, 2) == (checked(chosen), seen_alerts(chosen).partitions)

    def test_several_at_once_do_no_harm(self, chosen: Settings) -> None:
        """Each container may do it at its start; each topic is made by one of them."""
        with ThreadPoolExecutor(3) as pool:
            made = [each for some in pool.map(create, [chosen] * 3) for each in some]

        assert 2 == sum(each.created for each in made)
        assert {2} == {each.topic.partitions for each in made}

    def test_more_replicas_than_brokers_are_refused_in_the_brokers_words(self, chosen: Settings) -> None:
        """Which name the number of brokers there is."""
        with pytest.raises(Infrastructure, match=r"does not make the topic .* only 1 broker"):
            create(chosen.model_copy(update={"kafka_replication": 3}))

    def test_the_number_of_partitions_of_one_that_is_there_stays(
        self, chosen: Settings, kafka_topics: Callable[..., str], tmp_path: Path
    ) -> None:
        """Another one would move people to other partitions; whoever asked for it is told."""
        topic = kafka_topics(3, {**SAFE})
        done = run("topics create", tmp_path, env=env(chosen) | {"CASETRAIL_KAFKA_TOPIC": topic})

        assert 0 == done.returncode
        assert f"{topic}: is there already, 3 partitions, replicas of each: 1" in done.stderr
        assert "that number stays, though CASETRAIL_KAFKA_PARTITIONS is 2" in done.stderr

    def test_programs_read_json(self, chosen: Settings, tmp_path: Path) -> None:
        """One object a topic, nothing else on stdout."""
        done = run("topics create --json", tmp_path, env=env(chosen))
        shape = {"partitions": 2, "replicas": 1, "created": True}

        assert (0, "") == (done.returncode, done.stderr)
        assert [
            {"topic": chosen.kafka_topic, **shape},
            {"topic": chosen.kafka_alerts_topic, **shape},
        ] == json.loads(done.stdout)

    def test_whoever_has_not_chosen_kafka_is_told(self, chosen: Settings, tmp_path: Path) -> None:
        """Else nobody would know why the topics stay empty."""
        done = run("topics create", tmp_path, env=env(chosen) | {"CASETRAIL_LOG": "local"})

        assert 0 == done.returncode
        assert "CASETRAIL_LOG is local: nothing uses them" in done.stderr

    def test_a_name_that_kafka_does_not_take_is_bad_input(self, chosen: Settings, tmp_path: Path) -> None:
        """To be corrected by whoever typed it, whatever the broker is up to."""
        done = run("topics create", tmp_path, env=env(chosen) | {"CASETRAIL_KAFKA_TOPIC": "the facts"})

        assert (2, "") == (done.returncode, done.stdout)
        assert 'casetrail: CASETRAIL_KAFKA_TOPIC: "the facts" is no name for a topic (want 1 to 249 of' in done.stderr

    def test_a_broker_that_is_away_is_the_machines_fault(self, chosen: Settings, tmp_path: Path) -> None:
        """In plain words, and without those of a library."""
        done = run("topics create", tmp_path, env=env(chosen) | {"CASETRAIL_KAFKA_BOOTSTRAP_SERVERS": NOBODY})

        assert (3, "") == (done.returncode, done.stdout)
        assert f"casetrail: Kafka at {NOBODY}: nothing listens there" in done.stderr
        assert 1 == len(done.stderr.splitlines())


class TestFaults:
    """A topic that somebody else made."""

    @pytest.mark.parametrize("setting", FAULTS)
    def test_what_would_lose_or_reorder_facts_is_refused_by_name(
        self, chosen: Settings, kafka_topics: Callable[..., str], setting: str
    ) -> None:
        """By whoever makes topics, and by whoever uses them."""
        value, harm = FAULTS[setting]
        bad = chosen.model_copy(update={"kafka_topic": kafka_topics(1, {**SAFE, setting: value})})

        for refuse in (create, checked):
            with pytest.raises(Infrastructure, match=f"{bad.kafka_topic} .*: {setting} is {value} .*{harm}") as refused:
                refuse(bad)
            others = set(FAULTS) - {setting}
            assert set() == {other for other in others if f"{other} is" in str(refused.value)}

    def test_all_of_them_are_named_at_once(
        self, chosen: Settings, kafka_topics: Callable[..., str], tmp_path: Path
    ) -> None:
        """Not one after the other, each with another start."""
        topic = kafka_topics(1, {setting: value for setting, (value, _) in FAULTS.items()})
        done = run("topics create", tmp_path, env=env(chosen) | {"CASETRAIL_KAFKA_TOPIC": topic})

        assert (3, "") == (done.returncode, done.stdout)
        assert set() == {setting for setting in FAULTS if f"{setting} is" not in done.stderr}

    def test_notices_may_be_deleted_after_a_time_but_not_compacted(
        self, chosen: Settings, kafka_topics: Callable[..., str]
    ) -> None:
        """How long they are of use is for whoever reads them to say; of one person's none may be missing."""
        brief = kafka_topics(1, {"retention.ms": "604800000", "message.timestamp.type": "CreateTime"})
        compacted = kafka_topics(1, {"cleanup.policy": "compact"})

        assert 1 == seen_alerts(chosen.model_copy(update={"kafka_alerts_topic": brief})).partitions
        with pytest.raises(Infrastructure, match=r"cleanup\.policy is compact"):
            seen_alerts(chosen.model_copy(update={"kafka_alerts_topic": compacted}))

    def test_a_missing_one_is_met_with_what_to_run(self, chosen: Settings) -> None:
        """The first thing a newcomer forgets."""
        with pytest.raises(Infrastructure, match=rf"no topic {chosen.kafka_topic} \(run `casetrail topics create`\)"):
            checked(chosen)

    def test_a_broker_that_is_away_may_come_back(self, chosen: Settings) -> None:
        """So that is another error, upon which a service tries again."""
        away = chosen.model_copy(update={"kafka_bootstrap_servers": NOBODY})

        with pytest.raises(Unreachable, match=f"Kafka at {NOBODY}: nothing listens there"):
            checked(away, seconds=0.5)

    @pytest.mark.parametrize(
        ("replicas", "settings", "said"),
        [
            (1, {"min.insync.replicas": "1"}, ["it has one replica"]),
            (3, {"min.insync.replicas": "1"}, ["min.insync.replicas is 1: of 3 replicas"]),
            (3, {"min.insync.replicas": "2"}, []),
            (3, {}, ["its settings are not for us to see"]),
        ],
    )
    def test_what_is_not_safe_is_told_and_not_refused(
        self, replicas: int, settings: dict[str, str], said: list[str]
    ) -> None:
        """On one's own machine there is one broker, and that is no error."""
        told = cautions(Topic("t", 6, replicas, settings))

        assert len(said) == len(told)
        assert all(words in caution for words, caution in zip(said, told, strict=True))
