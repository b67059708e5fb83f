"""Projectors of three partitions, and people who belong to them."""

from collections.abc import Sequence

from sqlalchemy import Engine

from projections.ledger.chain import LogRecord
from projections.projector.projector import Projector
from projections.rules.rulebook import Rulebook, pack
from tests.support.builders import instant, records
from tests.support.reading import Line

TOPIC = "three"


THERE = ("a", "b", "c")
"""Who is at home in which partition, of those whom most of this is about."""


PEOPLE = "abcdefghi"


def home(key: bytes) -> int:
    """The partition of *key*: one of three for each of `PEOPLE`, the first for all others."""
    return max(PEOPLE.find(key.decode()), 0) % len(THERE)


def projectors(engine: Engine, rules: Rulebook | None = None) -> list[Projector]:
    """One of each partition."""
    made = [Projector(engine, rules or pack(), number, topic=TOPIC, home=home) for number in range(len(THERE))]
    for each in made:
        each.assign(instant("2022-01-01"))
    return made


def batch(held: Projector, lines: Sequence[Line | bytes]) -> tuple[Projector, list[LogRecord]]:
    """The *lines* as the next records of a partition."""
    number = held.held.partition
    told = records(lines, held.held.position)
    return held, [record._replace(topic=TOPIC, partition=number) for record in told]
