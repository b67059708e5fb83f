"""Create the topics of facts, of notices and of statuses, and refuse topics that would lose or reorder records."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import KafkaError, TopicAlreadyExistsError, TopicAuthorizationFailedError

from events.errors import Infrastructure
from services.settings import Settings

from .clients import open_admin
from .diagnosis import await_answer, client_warnings, refused, unreachable

ANSWER_SECONDS = 5.0
"""The time that a broker has to answer."""

PAUSE_SECONDS = 0.1

DEFAULT_BATCH_BYTES = 1_048_588
"""Kafka's own default of max.message.bytes."""

LARGEST_BYTES = 1_000_000
"""The most bytes of a record: the largest fact, its headers and its key."""

CORRECT = "set it with Kafka's kafka-configs.sh, or choose another topic"

Answer = TypeVar("Answer")


class RequiredSetting(NamedTuple):
    """
    A setting that a topic must have.

    Attributes:
        setting: the name in Kafka.
        value: the value with which the topic is made.
        allows: returns whether an existing topic may have a value.
        harm: the harm that another value would do.
    """

    setting: str
    value: str
    allows: Callable[[str], bool]
    harm: str


class Topic(NamedTuple):
    """
    A topic as the broker describes it.

    Attributes:
        name: the name.
        partitions: the number of partitions.
        replicas: the number of replicas of the partition that has the fewest.
        settings: all settings, the broker's defaults included; empty if this user may not describe them.
        topic_id: Kafka's own id of the topic, as Kafka's tools write it. A topic created again has another. None if the
            broker has no ids.
    """

    name: str
    partitions: int
    replicas: int
    settings: Mapping[str, str]
    topic_id: str | None = None


class CreateResult(NamedTuple):
    """The topic that `create` was to make, and whether it made it."""

    topic: Topic
    created: bool


_FACTS = (
    RequiredSetting(
        "cleanup.policy", "delete", {"delete", ""}.__contains__, "only the last facts of each person would be kept"
    ),
    RequiredSetting("retention.ms", "-1", "-1".__eq__, "older facts would be deleted"),
    RequiredSetting("retention.bytes", "-1", "-1".__eq__, "facts beyond that size would be deleted"),
    RequiredSetting(
        "message.timestamp.type",
        "LogAppendTime",
        "LogAppendTime".__eq__,
        "facts would be ordered by the clocks of their publishers",
    ),
    RequiredSetting(
        "max.message.bytes",
        str(DEFAULT_BATCH_BYTES),
        lambda value: int(value) >= LARGEST_BYTES,
        f"the largest facts, of {LARGEST_BYTES} bytes, would be refused",
    ),
    RequiredSetting("unclean.leader.election.enable", "false", "false".__eq__, "acknowledged facts could be lost"),
)
# Readers of notices decide after which time they may be deleted. Compaction would delete some notices of a person.
_NOTICES = (
    RequiredSetting(
        "cleanup.policy", "delete", {"delete", ""}.__contains__, "only the last notice of each person would be kept"
    ),
)
# The present status of each person is the content of this topic, so everybody's last record must stay for ever.
_STATUSES = (RequiredSetting("cleanup.policy", "compact", "compact".__eq__, "statuses would be deleted or never end"),)
_NOTICES_KEPT = {"retention.ms": "-1", "retention.bytes": "-1"}


def create(settings: Settings) -> list[CreateResult]:
    """
    Create the topics of facts and of notices that are missing.

    Raises:
        Infrastructure: if an existing topic would lose or reorder facts, naming its settings; if the broker refuses to
            create one.
        Unreachable: if the broker does not answer.
    """
    wanted = {settings.kafka_topic: _configs(_FACTS), settings.kafka_alerts_topic: _configs(_NOTICES) | _NOTICES_KEPT}
    return _create(settings, wanted)


def create_status_topic(settings: Settings) -> list[CreateResult]:
    """Create the topic of statuses, if it is missing: it keeps the last record of each person. Raises the same."""
    return _create(settings, {settings.kafka_status_topic: _configs(_STATUSES)})


def require_topic(settings: Settings, seconds: float = ANSWER_SECONDS) -> Topic:
    """
    Return the topic of facts, after checking that it exists and keeps facts in order.

    Args:
        settings: the settings.
        seconds: how long the broker has to answer.

    Raises:
        Infrastructure: if the topic is missing, or would lose or reorder facts.
        Unreachable: if the broker does not answer now.
    """
    return _require(settings, settings.kafka_topic, seconds)


def partition_count(settings: Settings, seconds: float = ANSWER_SECONDS) -> int:
    """Return the number of partitions of the topic of facts, after the same checks; raises the same."""
    return require_topic(settings, seconds).partitions


def require_alerts_topic(settings: Settings, seconds: float = ANSWER_SECONDS) -> Topic:
    """Return the topic of notices, after the same checks; raises the same."""
    return _require(settings, settings.kafka_alerts_topic, seconds)


def require_status_topic(settings: Settings, seconds: float = ANSWER_SECONDS) -> Topic:
    """Return the topic of statuses, after checking that it keeps the last record of each person; raises the same."""
    return _require(settings, settings.kafka_status_topic, seconds)


def largest_batch(topic: Topic) -> int:
    """Return the most bytes of a batch that *topic* takes, or Kafka's default if its settings are not visible."""
    return int(topic.settings.get("max.message.bytes", DEFAULT_BATCH_BYTES))


def describe(client: KafkaAdminClient, name: str) -> Topic | None:
    """
    Return the topic *name* as the broker describes it, or None if there is none.

    Raises:
        Infrastructure: if this user may not describe it.
    """
    (description,) = retrying(lambda: client.describe_topics([name]))
    if description["error_code"] == TopicAuthorizationFailedError.errno:
        raise Infrastructure(f"this user may not describe the topic {name}", "add an ACL that allows Describe")
    if description["error_code"] or not description["partitions"]:
        return None
    answer = retrying(lambda: client.describe_configs([ConfigResource("TOPIC", name)], config_filter="all"))
    settings = {setting: str(entry["value"]) for setting, entry in answer["topic"][name].items()}
    replicas = min(len(partition["replica_nodes"]) for partition in description["partitions"])
    return Topic(name, len(description["partitions"]), replicas, settings, id_of(description))


def id_of(description: Mapping[str, Any]) -> str | None:
    """Return the id in the *description* of a topic, as Kafka's tools write it, or None if it has none."""
    topic_id = UUID(str(description.get("topic_id") or UUID(int=0)))
    return urlsafe_b64encode(topic_id.bytes).decode().rstrip("=") if topic_id.int else None


def faults(topic: Topic, settings: Settings) -> list[str]:
    """Return each setting of *topic* that would lose or reorder its records, with the harm."""
    required = {settings.kafka_alerts_topic: _NOTICES, settings.kafka_status_topic: _STATUSES}.get(topic.name, _FACTS)
    return [
        f"{wish.setting} is {topic.settings[wish.setting]} (want {wish.value}, or {wish.harm})"
        for wish in required
        if wish.setting in topic.settings and not wish.allows(topic.settings[wish.setting])
    ]


def cautions(topic: Topic) -> list[str]:
    """Return the risks of *topic* that are no reason to refuse it."""
    if not topic.settings:
        return ["this user may not describe its settings"]
    if topic.replicas == 1:
        return ["it has one replica: if the disk of that broker fails, its records are lost"]
    if topic.settings.get("min.insync.replicas") == "1":
        return [f"min.insync.replicas is 1: of {topic.replicas} replicas only one may hold a new fact"]
    return []


@contextmanager
def admin_client(settings: Settings, seconds: float) -> Iterator[KafkaAdminClient]:
    """
    Yield an administrator's client, and close it after the block.

    Raises:
        Unreachable: if no broker answers in *seconds*, or if it refuses, also within the block.
    """
    await_answer(settings, seconds)
    connected = False
    with client_warnings() as messages:
        try:
            with open_admin(settings, ANSWER_SECONDS) as (client, _):
                connected = True
                yield client
        except KafkaError as problem:
            if connected:
                raise unreachable(settings, problem) from problem
            raise refused(settings, [str(problem), *messages]).error() from problem


def retrying(ask: Callable[[], Answer]) -> Answer:
    """Return the answer of *ask*, asking again while a broker that has just started or lost its role refuses."""
    end = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return ask()
        except KafkaError as problem:
            if not problem.retriable or time.monotonic() > end:
                raise
            time.sleep(PAUSE_SECONDS)


def _configs(required: tuple[RequiredSetting, ...]) -> dict[str, str]:
    return {wish.setting: wish.value for wish in required} | {"compression.type": "producer"}


def _require(settings: Settings, name: str, seconds: float) -> Topic:
    with admin_client(settings, seconds) as client:
        topic = describe(client, name)
    if topic is None:
        raise Infrastructure(f"Kafka has no topic {name}", "run `casetrail topics create`")
    if problem := _problem(topic, settings):
        raise Infrastructure(problem, CORRECT)
    return topic


def _create(settings: Settings, wanted: Mapping[str, Mapping[str, str]]) -> list[CreateResult]:
    with admin_client(settings, ANSWER_SECONDS) as client:
        results = [_ensure(client, settings, name, configs) for name, configs in wanted.items()]
    problems = [problem for result in results if (problem := _problem(result.topic, settings))]
    if problems:
        raise Infrastructure("; ".join(problems), CORRECT)
    return results


def _ensure(client: KafkaAdminClient, settings: Settings, name: str, configs: Mapping[str, str]) -> CreateResult:
    topic = describe(client, name)
    created = topic is None and _create_topic(client, settings, name, configs)
    topic = topic or describe(client, name)
    if topic is None:
        what = f"Kafka has created the topic {name} but does not list it"
        raise Infrastructure(what, "run `casetrail topics create` again")
    return CreateResult(topic, created)


def _create_topic(client: KafkaAdminClient, settings: Settings, name: str, configs: Mapping[str, str]) -> bool:
    """Create a topic and wait until it can be used. Return False if another client was faster."""
    shape = {
        "num_partitions": settings.kafka_partitions,
        "replication_factor": settings.kafka_replication or -1,
        "configs": dict(configs),
    }
    answer = retrying(lambda: client.create_topics({name: shape}, raise_errors=False))
    (result,) = answer["topics"]
    if result["error_code"] not in {0, TopicAlreadyExistsError.errno}:
        raise Infrastructure(f"Kafka does not create the topic {name}: {result['error_message']}")
    client.wait_for_topics([name])
    return not result["error_code"]


def _problem(topic: Topic, settings: Settings) -> str:
    """Return one sentence with all faults of *topic*, or an empty text if it has none."""
    all_faults = "; ".join(faults(topic, settings))
    return f"the topic {topic.name} would lose or reorder its records: {all_faults}" if all_faults else ""
