"""Projectors of three partitions, and people who belong to them."""

from collections.abc import Sequence

from sqlalchemy import Engine

from projections.ledger.chain import LogRecord
from projections.projector.projector import Projector
from projections.rules.rulebook import Rulebook
from tests.support.builders import instant, records
from tests.support.reading import Line
from tests.support.rules import dismissals

TOPIC = "three"


THERE = ("a", "b", "c")
"""The person of most tests in each of the partitions 0, 1 and 2."""


PEOPLE = "abcdefghi"


def home(key: bytes) -> int:
    """Return the partition of *key*: one of three for each of `PEOPLE`, and 0 for all others."""
    return max(PEOPLE.find(key.decode()), 0) % len(THERE)


def projectors(engine: Engine, rules: Rulebook | None = None) -> list[Projector]:
    """Return one projector a partition."""
    result = [Projector(engine, rules or dismissals(), number, topic=TOPIC, home=home) for number in range(len(THERE))]
    for projector in result:
        projector.assign(instant("2022-01-01"))
    return result


def batch(held: Projector, lines: Sequence[Line | bytes]) -> tuple[Projector, list[LogRecord]]:
    """Return a projector and *lines* as the next records of its partition."""
    number = held.checkpoint.partition
    batch_records = records(lines, held.checkpoint.position)
    return held, [record._replace(topic=TOPIC, partition=number) for record in batch_records]
