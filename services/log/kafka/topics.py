"""The topics of facts and of notices: made as they must be, and never used as they must not."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import KafkaError, TopicAlreadyExistsError, TopicAuthorizationFailedError

from events.errors import Infrastructure, Unreachable
from services.settings import Settings

from .clients import admin
from .diagnosis import await_answer, overheard, refused, why

ANSWER_SECONDS = 5.0
"""How long a broker has to answer."""

PAUSE_SECONDS = 0.1

DEFAULT_BATCH_BYTES = 1_048_588
"""Kafka's own default of max.message.bytes."""

LARGEST_BYTES = 1_000_000
"""What a record takes at most: the largest fact, its headers and its key."""

Answer = TypeVar("Answer")


class RequiredSetting(NamedTuple):
    """
    A setting that a topic has to have.

    Attributes:
        setting: its name in Kafka.
        value: with which it is made.
        holds: whether an existing topic may have another value.
        harm: what would happen otherwise.
    """

    setting: str
    value: str
    holds: Callable[[str], bool]
    harm: str


class Topic(NamedTuple):
    """
    A topic as the broker has it.

    Attributes:
        name: its name.
        partitions: how many it has.
        replicas: of the partition that has the fewest.
        settings: all of them, the broker's defaults included; none where we may not see them.
        topic_id: Kafka's own id of it, another each time that it is made, as Kafka's tools write it; None where the
            broker gives none.
    """

    name: str
    partitions: int
    replicas: int
    settings: Mapping[str, str]
    topic_id: str | None = None


class Made(NamedTuple):
    """What `create` came to: the topic, and whether it was not there before."""

    topic: Topic
    created: bool


_FACTS = (
    RequiredSetting(
        "cleanup.policy", "delete", {"delete", ""}.__contains__, "of each person only the last facts would be kept"
    ),
    RequiredSetting("retention.ms", "-1", "-1".__eq__, "older facts would be deleted"),
    RequiredSetting("retention.bytes", "-1", "-1".__eq__, "facts beyond that size would be deleted"),
    RequiredSetting(
        "message.timestamp.type",
        "LogAppendTime",
        "LogAppendTime".__eq__,
        "facts would be ordered by the clocks of those who publish them",
    ),
    RequiredSetting(
        "max.message.bytes",
        str(DEFAULT_BATCH_BYTES),
        lambda value: int(value) >= LARGEST_BYTES,
        f"the largest facts, of {LARGEST_BYTES} bytes, would be refused",
    ),
    RequiredSetting(
        "unclean.leader.election.enable", "false", "false".__eq__, "facts acknowledged already could be lost"
    ),
)
# Notices may be deleted after a time, which is for whoever reads them to say; but not some of one person's.
_NOTICES = (
    RequiredSetting(
        "cleanup.policy", "delete", {"delete", ""}.__contains__, "of each person only the last notice would be kept"
    ),
)
_NOTICES_KEPT = {"retention.ms": "-1", "retention.bytes": "-1"}


def create(settings: Settings) -> list[Made]:
    """
    Make the topics of facts and of notices where they are not there yet.

    Raises:
        Infrastructure: if one that is there would lose or reorder facts, saying which of its settings; if the broker
            refuses to make one.
        Unreachable: if the broker does not answer.
    """
    wanted = {settings.kafka_topic: _kept(_FACTS), settings.kafka_alerts_topic: _kept(_NOTICES) | _NOTICES_KEPT}
    with asking(settings, ANSWER_SECONDS) as client:
        made = [_one(client, settings, name, configs) for name, configs in wanted.items()]
    problems = [_harmful(each.topic, faults(each.topic, settings)) for each in made if faults(each.topic, settings)]
    if problems:
        raise Infrastructure("; ".join(problems))
    return made


def seen(settings: Settings, seconds: float = ANSWER_SECONDS) -> Topic:
    """
    See that the topic of facts is there and keeps them, and return it.

    Args:
        settings: the settings.
        seconds: how long the broker has to answer.

    Raises:
        Infrastructure: if the topic is missing, or would lose or reorder facts.
        Unreachable: if the broker does not answer, which may pass.
    """
    return _seen(settings, settings.kafka_topic, seconds)


def checked(settings: Settings, seconds: float = ANSWER_SECONDS) -> int:
    """See the same, return how many partitions it has, and raise the same."""
    return seen(settings, seconds).partitions


def seen_alerts(settings: Settings, seconds: float = ANSWER_SECONDS) -> Topic:
    """See the same of the topic of notices, and raise the same."""
    return _seen(settings, settings.kafka_alerts_topic, seconds)


def largest_batch(topic: Topic) -> int:
    """Return how many bytes of records *topic* takes at once; Kafka's own default where that is not for us to see."""
    return int(topic.settings.get("max.message.bytes", DEFAULT_BATCH_BYTES))


def look(client: KafkaAdminClient, name: str) -> Topic | None:
    """
    Return the topic *name* as the broker has it, or None where there is none.

    Raises:
        Infrastructure: if we may not see it.
    """
    (found,) = retrying(lambda: client.describe_topics([name]))
    if found["error_code"] == TopicAuthorizationFailedError.errno:
        raise Infrastructure(f"the topic {name} is not for us to see (want an ACL that lets us describe it)")
    if found["error_code"] or not found["partitions"]:
        return None
    answer = retrying(lambda: client.describe_configs([ConfigResource("TOPIC", name)], config_filter="all"))
    settings = {setting: str(entry["value"]) for setting, entry in answer["topic"][name].items()}
    replicas = min(len(partition["replica_nodes"]) for partition in found["partitions"])
    return Topic(name, len(found["partitions"]), replicas, settings, id_of(found))


def id_of(described: Mapping[str, Any]) -> str | None:
    """Return the id of a topic that a client has *described*, as Kafka's tools write it; None where it has none."""
    told = UUID(str(described.get("topic_id") or UUID(int=0)))
    return urlsafe_b64encode(told.bytes).decode().rstrip("=") if told.int else None


def faults(topic: Topic, settings: Settings) -> list[str]:
    """Return each setting of *topic*, of facts or of notices, that would lose or reorder them: what and why."""
    wishes = _NOTICES if topic.name == settings.kafka_alerts_topic else _FACTS
    return [
        f"{wish.setting} is {topic.settings[wish.setting]} (want {wish.value}, or {wish.harm})"
        for wish in wishes
        if wish.setting in topic.settings and not wish.holds(topic.settings[wish.setting])
    ]


def cautions(topic: Topic) -> list[str]:
    """Return what is not safe about *topic* and does not keep us from using it."""
    if not topic.settings:
        return ["its settings are not for us to see"]
    if topic.replicas == 1:
        return ["it has one replica: what is on that broker's disk is lost with it"]
    if topic.settings.get("min.insync.replicas") == "1":
        return [f"min.insync.replicas is 1: of {topic.replicas} replicas one may have all there is of a new fact"]
    return []


@contextmanager
def asking(settings: Settings, seconds: float) -> Iterator[KafkaAdminClient]:
    """
    Give what asks the broker while the block runs.

    Raises:
        Unreachable: if none answers for so many *seconds*, or it refuses, within the block too.
    """
    await_answer(settings, seconds)
    entered = False
    with overheard() as said:
        try:
            with admin(settings, ANSWER_SECONDS) as (client, _):
                entered = True
                yield client
        except KafkaError as problem:
            reason = why(settings, problem) if entered else str(refused(settings, [str(problem), *said]))
            raise Unreachable(reason) from problem


def retrying(ask: Callable[[], Answer]) -> Answer:
    """Ask again while the answer is that of a broker that has only just started, or lost its place."""
    end = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return ask()
        except KafkaError as problem:
            if not problem.retriable or time.monotonic() > end:
                raise
            time.sleep(PAUSE_SECONDS)


def _kept(wishes: tuple[RequiredSetting, ...]) -> dict[str, str]:
    return {wish.setting: wish.value for wish in wishes} | {"compression.type": "producer"}


def _seen(settings: Settings, name: str, seconds: float) -> Topic:
    with asking(settings, seconds) as client:
        topic = look(client, name)
    if topic is None:
        raise Infrastructure(f"Kafka has no topic {name} (run `casetrail topics create`)")
    if problems := faults(topic, settings):
        raise Infrastructure(_harmful(topic, problems))
    return topic


def _one(client: KafkaAdminClient, settings: Settings, name: str, configs: Mapping[str, str]) -> Made:
    topic = look(client, name)
    created = topic is None and _made(client, settings, name, configs)
    topic = topic or look(client, name)
    if topic is None:
        raise Infrastructure(
            f"Kafka has made the topic {name} and does not show it (run `casetrail topics create` again)"
        )
    return Made(topic, created)


def _made(client: KafkaAdminClient, settings: Settings, name: str, configs: Mapping[str, str]) -> bool:
    """Make a topic and wait until it can be used; return False if somebody else was faster."""
    shape = {
        "num_partitions": settings.kafka_partitions,
        "replication_factor": settings.kafka_replication or -1,
        "configs": dict(configs),
    }
    answer = retrying(lambda: client.create_topics({name: shape}, raise_errors=False))
    (told,) = answer["topics"]
    if told["error_code"] not in {0, TopicAlreadyExistsError.errno}:
        raise Infrastructure(f"Kafka does not make the topic {name}: {told['error_message']}")
    client.wait_for_topics([name])
    return not told["error_code"]


def _harmful(topic: Topic, problems: list[str]) -> str:
    return f"the topic {topic.name} would lose or reorder what is in it: {'; '.join(problems)}"
