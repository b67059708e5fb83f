"""Writes beside the projectors, from the command line: no broker is needed for them."""

from sqlalchemy import Engine

from projections.projector.side_writer import Visitor
from projections.tables.origin import partitions_of
from projections.tables.schema import TOPIC


def visitor(engine: Engine, partition: int) -> Visitor:
    """Return the one who writes beside the projector of *partition*, whatever log it was projected from."""
    with engine.connect() as conn:
        topic, count = next(iter(partitions_of(conn).items()), (TOPIC, 1))
    if count == 1:
        return Visitor(engine, partition, topic=topic)
    from .broker.homes import home_of  # noqa: PLC0415 - Kafka's client takes long to load; one partition needs none

    return Visitor(engine, partition, topic=topic, home=home_of(count))
