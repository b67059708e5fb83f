"""Which log a database was projected from, and how far each of its partitions has been read."""

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import IntegrityError

from events.errors import Infrastructure

from .database import store, writing
from .projector import Progress
from .tables import TOPIC, log, partitions

ANOTHER = "(want another database, or the log that it was projected from: CASETRAIL_LOG, CASETRAIL_KAFKA_TOPIC)"


def note_partitions(engine: Engine, topic: str, count: int) -> None:
    """
    Note at the first run that *topic* has *count* partitions; see at any later one that it still has.

    Raises:
        Infrastructure: if it has another number now, or if this database was projected from another log: positions
            would mean something else, and records would be passed over.
    """
    while True:
        with engine.connect() as conn:
            if conn.scalar(select(func.count()).select_from(log)):
                msg = "this database holds a log of its own, whose records would never be read "
                raise Infrastructure(msg + "(want an empty database for Kafka, or CASETRAIL_LOG=local)")
            noted = partitions_of(conn)
        if noted:
            _compare(noted, topic, count)
            return
        try:
            with writing(engine) as conn:
                store(conn, partitions, [tuple(vars(Progress(topic, number)).values()) for number in range(count)])
        except IntegrityError:
            # Another projector has noted them meanwhile.
            continue
        return


def check_partitions(engine: Engine, topic: str, count: int) -> None:
    """
    See that this database was projected from *topic* with *count* partitions, if it was at all.

    Raises:
        Infrastructure: if it was not.
    """
    with engine.connect() as conn:
        noted = partitions_of(conn)
    if noted:
        _compare(noted, topic, count)


def check_local(engine: Engine) -> None:
    """
    See that this database was projected from its own log, if it was at all.

    Raises:
        Infrastructure: if it was projected from Kafka: the positions would mean something else.
    """
    with engine.connect() as conn:
        noted = partitions_of(conn)
        position = conn.scalar(select(func.max(partitions.c.position))) or 0
        end = conn.scalar(select(func.max(log.c.log_offset) + 1)) or 0
    if noted not in ({}, {TOPIC: 1}):
        msg = f"this database was projected from {_named(noted)} of Kafka {ANOTHER}"
        raise Infrastructure(msg)
    if position > end:
        msg = f"the log of this database ends at {end}, yet it was read up to {position} "
        raise Infrastructure(msg + "(want the log that it was projected from: CASETRAIL_LOG=kafka, or a backup)")


def partitions_of(conn: Connection) -> dict[str, int]:
    """Return how many partitions the log has from which this database was projected, by its topic; empty if none."""
    query = select(partitions.c.topic, func.count().label("partitions")).group_by(partitions.c.topic)
    return {row.topic: row.partitions for row in conn.execute(query)}


def progress_of(engine: Engine, topic: str) -> list[Progress]:
    """Return how far each partition of *topic* has been read, in their order."""
    query = select(partitions).where(partitions.c.topic == topic).order_by(partitions.c.partition)
    with engine.connect() as conn:
        return [Progress(**row) for row in conn.execute(query).mappings()]


def _compare(noted: Mapping[str, int], topic: str, count: int) -> None:
    if set(noted) != {topic}:
        msg = f"this database was projected from {_named(noted)}, not from {topic} {ANOTHER}"
        raise Infrastructure(msg)
    if noted[topic] != count:
        msg = f"the topic {topic} has {count} partitions, this database was projected from {noted[topic]}: "
        raise Infrastructure(msg + "people would change places (want a new database, or the topic as it was)")


def _named(noted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} partitions of {topic}" for topic, count in sorted(noted.items()))
