"""The checks of `casetrail doctor` with CASETRAIL_LOG=kafka: the broker and its topics."""

from collections.abc import Iterator
from contextlib import suppress

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from events.errors import BadInput, Infrastructure
from services.delivery.statuses.receiver import wants_statuses
from services.log.base import Extent
from services.log.kafka.clients import open_admin
from services.log.kafka.diagnosis import diagnose, unreachable
from services.log.kafka.topics import ANSWER_SECONDS, Topic, cautions, describe, faults
from services.settings import Settings

from .check import USAGE, Check

_ADVICE = "set it with Kafka's kafka-configs.sh, or choose another topic"


def broker(settings: Settings) -> Check:
    """Check that a broker answers, that its certificate is trusted, and that it accepts the login."""
    try:
        diagnosis = diagnose(settings)
    except BadInput as problem:
        return Check("kafka", "error", str(problem), "correct it; docs/operating.md lists them all", USAGE)
    if diagnosis:
        return Check("kafka", "error", diagnosis.what, diagnosis.wanted)
    login = f" as {settings.kafka_sasl_username}" if settings.kafka_security_protocol.startswith("SASL") else ""
    return Check(
        "kafka", "ok", f"{settings.kafka_bootstrap_servers} answers, {settings.kafka_security_protocol}{login}"
    )


def topics(settings: Settings) -> Iterator[Check]:
    """Yield the checks of the topics of facts, of notices and, if it is used, of statuses. The broker has to answer."""
    try:
        names = [settings.kafka_topic, settings.kafka_alerts_topic]
        # A wrong delivery.yaml is an error of its own check.
        with suppress(BadInput):
            names += [settings.kafka_status_topic] if wants_statuses(settings) else []
        with open_admin(settings, ANSWER_SECONDS) as (client, _):
            for name in names:
                topic = describe(client, name)
                yield from _topic(topic, settings) if topic else [_missing(name)]
    except Infrastructure as problem:
        yield Check("topic", "error", str(problem), "see the broker's ACLs")
    except KafkaError as problem:
        yield Check("topic", "error", str(unreachable(settings, problem)), "see the broker's log")


def topic_id(settings: Settings) -> str | None:
    """Return Kafka's id of the topic of facts; None if it is unknown."""
    try:
        with open_admin(settings, ANSWER_SECONDS) as (client, _):
            topic = describe(client, settings.kafka_topic)
    except (KafkaError, Infrastructure, BadInput):
        return None
    return topic.topic_id if topic else None


def extents(settings: Settings) -> dict[int, Extent]:
    """Return the extent of each partition of the topic of facts; empty if it is unknown."""
    try:
        with open_admin(settings, ANSWER_SECONDS) as (client, _):
            topic = describe(client, settings.kafka_topic)
            if topic is None:
                return {}
            starts, ends = (_offsets(client, topic, spec) for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST))
    except (KafkaError, Infrastructure, BadInput):
        return {}
    return {number: Extent(starts[number], ends[number]) for number in range(topic.partitions)}


def _missing(name: str) -> Check:
    return Check("topic", "error", f"there is no {name}", "run `casetrail topics create`")


def _topic(topic: Topic, settings: Settings) -> Iterator[Check]:
    shape = f"{topic.name}, {topic.partitions} partitions"
    problems = faults(topic, settings)
    for problem in problems:
        yield Check("topic", "error", f"{shape}: {problem}", _ADVICE)
    warnings = cautions(topic)
    for warning in warnings:
        yield Check("topic", "warning", f"{shape}: {warning}", "see docs/production.md for safer settings")
    if not problems and not warnings:
        yield Check("topic", "ok", f"{shape}, replicas of each: {topic.replicas}")


def _offsets(client: KafkaAdminClient, topic: Topic, spec: OffsetSpec) -> dict[int, int]:
    wanted = {TopicPartition(topic.name, number): spec for number in range(topic.partitions)}
    return {place.partition: at.offset for place, at in client.list_partition_offsets(wanted).items()}
