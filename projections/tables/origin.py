"""Which log a database was projected from, and how far each of its partitions has been read."""

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, Engine, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from events.errors import Infrastructure

from .bulk import store
from .checkpoint import Checkpoint
from .database import writing
from .schema import TOPIC, log, origin, partitions

ANOTHER = "(want another database, or the log that it was projected from: CASETRAIL_LOG, CASETRAIL_KAFKA_TOPIC)"


class Origin(NamedTuple):
    """
    Where a database comes from, as a row of ``origin`` says.

    Attributes:
        topic: the topic.
        topic_id: Kafka's own id of it; None: not known.
        database_id: the id of the database.
    """

    topic: str
    topic_id: str | None
    database_id: str


def note_partitions(engine: Engine, topic: str, count: int, topic_id: str | None = None) -> Origin:
    """
    Note at the first run that *topic* has *count* partitions and which it is; see at any later one that it is the same.

    Args:
        engine: the database.
        topic: the topic of facts.
        count: how many partitions it has.
        topic_id: Kafka's own id of it; None where the broker gives none, which passes for any.

    Raises:
        Infrastructure: if it has another number now, or was made again, or if this database was projected from another
            log: positions would mean something else, and records would be passed over.
    """
    while True:
        with engine.connect() as conn:
            if conn.scalar(select(func.count()).select_from(log)):
                msg = "this database holds a log of its own, whose records would never be read "
                raise Infrastructure(msg + "(want an empty database for Kafka, or CASETRAIL_LOG=local)")
            noted, known = partitions_of(conn), origin_of(conn, topic)
        if noted:
            _compare(noted, topic, count)
        if known:
            compare_ids(topic, known.topic_id, topic_id)
        if noted and known and (known.topic_id or topic_id is None):
            return known
        # Another projector may do it meanwhile.
        with suppress(IntegrityError), writing(engine) as conn:
            _note(conn, Origin(topic, topic_id, str(uuid4())), known, 0 if noted else count)


def check_partitions(engine: Engine, topic: str, count: int, topic_id: str | None = None) -> None:
    """
    See that this database was projected from this *topic* with *count* partitions, if it was at all.

    Raises:
        Infrastructure: if it was not.
    """
    with engine.connect() as conn:
        noted, known = partitions_of(conn), origin_of(conn, topic)
    if noted:
        _compare(noted, topic, count)
    if known:
        compare_ids(topic, known.topic_id, topic_id)


def compare_ids(topic: str, noted: str | None, found: str | None) -> None:
    """
    See that *topic* is the one that was *noted* and was not made again since, by Kafka's ids; None is any.

    Raises:
        Infrastructure: if it was made again.
    """
    if noted and found and noted != found:
        msg = f"the topic {topic} has the id {found}, this database was projected from {noted}: it was deleted and "
        what = "made again, and a position means another record there (want the topic as it was, or a new database; "
        raise Infrastructure(msg + what + "docs/production.md says what to do with a copy of it)")


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


def origin_of(conn: Connection, topic: str) -> Origin | None:
    """Return which *topic* it was, and the id of this database; None before the first run."""
    row = conn.execute(select(origin).where(origin.c.topic == topic)).one_or_none()
    return None if row is None else Origin(*row)


def progress_of(engine: Engine, topic: str) -> list[Checkpoint]:
    """Return how far each partition of *topic* has been read, in their order."""
    query = select(partitions).where(partitions.c.topic == topic).order_by(partitions.c.partition)
    with engine.connect() as conn:
        return [Checkpoint(**row) for row in conn.execute(query).mappings()]


def _note(conn: Connection, new: Origin, known: Origin | None, count: int) -> None:
    """Write the rows of so many partitions, and that of the origin or what was not known of it."""
    if count:
        store(conn, partitions, [tuple(vars(Checkpoint(new.topic, number)).values()) for number in range(count)])
    if known is None:
        conn.execute(insert(origin).values(new._asdict()))
    else:
        unknown = and_(origin.c.topic == new.topic, origin.c.topic_id.is_(None))
        conn.execute(update(origin).where(unknown).values(topic_id=new.topic_id))


def _compare(noted: Mapping[str, int], topic: str, count: int) -> None:
    if set(noted) != {topic}:
        msg = f"this database was projected from {_named(noted)}, not from {topic} {ANOTHER}"
        raise Infrastructure(msg)
    if noted[topic] != count:
        msg = f"the topic {topic} has {count} partitions, this database was projected from {noted[topic]}: "
        raise Infrastructure(msg + "people would change places (want a new database, or the topic as it was)")


def _named(noted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} partitions of {topic}" for topic, count in sorted(noted.items()))
