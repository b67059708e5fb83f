"""What ought to have come of the records in the log, worked out from the records alone."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.partitioner.default import murmur2

from .feed import BAD

Place = tuple[int, int]
"""Partition and offset."""


class ReadRecord(NamedTuple):
    """A record as it lies in a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent in it."""
        if self.headers.get("content-type", b"").startswith(b"application/cloudevents+json"):
            whole: dict[str, Any] = json.loads(self.value or b"")
            return whole
        attributes = {name[3:]: text.decode() for name, text in self.headers.items() if name.startswith("ce_")}
        return {**attributes, "data": json.loads(self.value or b"")}


def read(address: str, topic: str) -> list[ReadRecord]:
    """Return all that is in *topic*, in the order of each partition."""
    found: list[ReadRecord] = []
    with closing(KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False)) as consumer:
        places = _places(consumer, topic)
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        consumer.seek_to_beginning(*places)
        while any(consumer.position(place) < ends[place] for place in places):
            for place, records in consumer.poll(timeout_ms=200).items():
                found += [ReadRecord(place.partition, r.offset, r.key, r.value, dict(r.headers)) for r in records]
    return sorted(found, key=lambda came: (came.partition, came.offset))


def ends(address: str, topic: str) -> dict[int, int]:
    """Return where each partition of *topic* ends."""
    with closing(KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False)) as consumer:
        return {place.partition: end for place, end in consumer.end_offsets(_places(consumer, topic)).items()}


def outcomes(came: list[ReadRecord], partitions: int) -> dict[Place, str]:
    """
    Return what each record is to become.

    Facts of one id are about one person, and so meet in one partition: the first there is applied.
    """
    return {(record.partition, record.offset): outcome for record, outcome in _judged(came, partitions)}


def unread(came: list[ReadRecord], partitions: int) -> Counter[str]:
    """Return how many records about each person are to wait: conflicts, and what is parked under the person's key."""
    found: Counter[str] = Counter()
    for record, outcome in _judged(came, partitions):
        if outcome == "conflict":
            found[record.event["subject"]] += 1
        elif outcome == "parked" and record.key is not None:
            found[record.key.decode()] += 1
    return found


def _judged(came: list[ReadRecord], partitions: int) -> Iterator[tuple[ReadRecord, str]]:
    first: dict[str, Any] = {}
    for record in came:
        if BAD in record.headers:
            yield record, "parked"
            continue
        event = record.event
        if (murmur2(event["subject"].encode()) & 0x7FFFFFFF) % partitions != record.partition:
            yield record, "forwarded"
            continue
        said = [event[name] for name in ("source", "type", "subject", "dataversion", "data")]
        if event["id"] not in first:
            first[event["id"]] = said
            yield record, "applied"
        else:
            yield record, "duplicate" if first[event["id"]] == said else "conflict"


def _places(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
