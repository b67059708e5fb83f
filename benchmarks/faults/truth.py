"""The expected outcomes of the records in the log, computed from the records alone."""

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
    """A record as it stands in a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]

    @property
    def event(self) -> dict[str, Any]:
        """Return the CloudEvent in it."""
        if self.headers.get("content-type", b"").startswith(b"application/cloudevents+json"):
            whole: dict[str, Any] = json.loads(self.value or b"")
            return whole
        attributes = {name[3:]: text.decode() for name, text in self.headers.items() if name.startswith("ce_")}
        return {**attributes, "data": json.loads(self.value or b"")}


def read(address: str, topic: str) -> list[ReadRecord]:
    """Return all records of *topic*, in the order of each partition."""
    result: list[ReadRecord] = []
    with closing(KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False)) as consumer:
        places = _places(consumer, topic)
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        consumer.seek_to_beginning(*places)
        while any(consumer.position(place) < ends[place] for place in places):
            for place, records in consumer.poll(timeout_ms=200).items():
                result += [ReadRecord(place.partition, r.offset, r.key, r.value, dict(r.headers)) for r in records]
    return sorted(result, key=lambda record: (record.partition, record.offset))


def ends(address: str, topic: str) -> dict[int, int]:
    """Return the end offset of each partition of *topic*."""
    with closing(KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False)) as consumer:
        return {place.partition: end for place, end in consumer.end_offsets(_places(consumer, topic)).items()}


def outcomes(log: list[ReadRecord], partitions: int) -> dict[Place, str]:
    """
    Return the expected outcome of each record.

    Facts with one id are about one person, and so stand in one partition. The first of them is applied.
    """
    return {(record.partition, record.offset): outcome for record, outcome in _classified(log, partitions)}


def unread(log: list[ReadRecord], partitions: int) -> Counter[str]:
    """
    Return the expected number of waiting records about each person.

    These are conflicts, and parked records with the person's key.
    """
    result: Counter[str] = Counter()
    for record, outcome in _classified(log, partitions):
        if outcome == "conflict":
            result[record.event["subject"]] += 1
        elif outcome == "parked" and record.key is not None:
            result[record.key.decode()] += 1
    return result


def _classified(log: list[ReadRecord], partitions: int) -> Iterator[tuple[ReadRecord, str]]:
    first: dict[str, Any] = {}
    for record in log:
        if BAD in record.headers:
            yield record, "parked"
            continue
        event = record.event
        if (murmur2(event["subject"].encode()) & 0x7FFFFFFF) % partitions != record.partition:
            yield record, "forwarded"
            continue
        content = [event[name] for name in ("source", "type", "subject", "dataversion", "data")]
        if event["id"] not in first:
            first[event["id"]] = content
            yield record, "applied"
        else:
            yield record, "duplicate" if first[event["id"]] == content else "conflict"


def _places(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
