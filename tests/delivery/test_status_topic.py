"""The topic of statuses on a real broker: its records, two notifiers at once, and a restart."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kafka.consumer.fetcher import ConsumerRecord

from events.errors import Infrastructure
from projections.queries.subjects import Filter, statuses
from services.delivery.statuses.topic import StatusTopic
from services.log.kafka.topics import create_status_topic, require_status_topic
from tests.support.builders import detained, dismissed
from tests.support.commands import start
from tests.support.outboxes import Place, topic_records

pytestmark = pytest.mark.slow

COMPACTED = {"cleanup.policy": "compact"}


@pytest.fixture
def place(kafka_server: str, kafka_topics: Callable[..., str], sqlite_url: str) -> Iterator[Place]:
    """Return a place on the shared broker, with a topic of statuses."""
    place = Place(kafka_server, kafka_topics, sqlite_url)
    place.settings = place.settings.model_copy(update={"kafka_status_topic": kafka_topics(2, COMPACTED)})
    yield place
    place.engine.dispose()


def environment(place: Place, folder: Path) -> dict[str, str]:
    """Return the settings of a notifier with a receiver of statuses."""
    topic = place.settings.kafka_status_topic
    (folder / "delivery.yaml").write_text(f"receivers: {{stream: {{kafka: {topic}}}}}\nroutes: []\n", "utf-8")
    return place.variables() | {"CASETRAIL_KAFKA_STATUS_TOPIC": topic}


def last_values(records: list[ConsumerRecord]) -> dict[str, dict[str, object]]:
    """Return the values with the highest numbers, by their keys, as compaction keeps them."""
    values = [(record.key.decode(), json.loads(record.value)) for record in records]
    return dict(sorted(values, key=lambda item: int(item[1]["sequence"])))


def test_the_last_record_of_each_key_is_the_status(place: Place, tmp_path: Path) -> None:
    """Two notifiers run at once and write each change once; a third one, later, writes only those since."""
    people = [f"p{n}" for n in range(12)]
    place.project(*(dismissed("2022-03-27", subject=person) for person in people))
    env, topic = environment(place, tmp_path), place.settings.kafka_status_topic
    with ExitStack() as stack:
        both = [stack.enter_context(start("run notifier", tmp_path, env)) for _ in range(2)]
        first = topic_records(place.settings, topic, len(people))
        for notifier in both:
            notifier.process.terminate()
        codes = [notifier.end()[0] for notifier in both]
    place.project(detained("2022-04-20", subject="p3"))
    with start("run notifier", tmp_path, env) as notifier:
        every = topic_records(place.settings, topic, len(people) + 1)
        notifier.process.terminate()
        codes.append(notifier.end()[0])
    with place.engine.connect() as conn:
        stored = {status["subject_id"]: json.loads(json.dumps(status)) for status in statuses(conn, Filter())}
    last = last_values(every)
    headers = dict(every[-1].headers)

    assert [0, 0, 0] == codes
    assert (len(people), len(people) + 1) == (len(first), len(every))
    assert [*range(1, len(every) + 1)] == sorted(json.loads(record.value)["sequence"] for record in every)
    assert stored == {key: {n: v for n, v in value.items() if n != "sequence"} for key, value in last.items()}
    assert ("casetrail.status.changed.v1", "urn:casetrail", "application/json") == tuple(
        headers[name].decode() for name in ("ce_type", "ce_source", "content-type")
    )
    assert {record.key for record in every} == {dict(record.headers)["ce_subject"] for record in every}


def test_the_topic_is_made_compacted_and_refused_otherwise(place: Place, kafka_topics: Callable[..., str]) -> None:
    """With another policy it would lose people, or grow for ever."""
    again = create_status_topic(place.settings)
    deleting = place.settings.model_copy(update={"kafka_status_topic": kafka_topics(1)})

    assert [(False, "compact")] == [(result.created, result.topic.settings["cleanup.policy"]) for result in again]
    assert 2 == require_status_topic(place.settings).partitions
    with pytest.raises(Infrastructure, match=r"cleanup\.policy is delete"):
        StatusTopic(deleting)
