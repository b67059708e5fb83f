"""The log from which a database was built, and the checkpoints of its partitions."""

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, Engine, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from events.errors import Infrastructure

from .bulk import store
from .checkpoint import Checkpoint
from .database import write_transaction
from .schema import OF_LOG, TOPIC, log, origin, partitions

OTHER_LOG = "name its log with CASETRAIL_LOG and CASETRAIL_KAFKA_TOPIC, or use another database"


class Origin(NamedTuple):
    """
    A row of ``origin``: the topic from which a database was built. The fields are the columns, in their order.

    Attributes:
        topic: the topic.
        topic_id: Kafka's own id of the topic; None: not known.
        database_id: the id of the database.
    """

    topic: str
    topic_id: str | None
    database_id: str


def note_partitions(engine: Engine, topic: str, count: int, topic_id: str | None = None) -> Origin:
    """
    Record the topic and its number of partitions at the first run. Check at each later run that they are the same.

    Args:
        engine: the database.
        topic: the topic of facts.
        count: the number of its partitions.
        topic_id: Kafka's own id of the topic; None where the broker does not report it, which passes for any.

    Raises:
        Infrastructure: if the number differs, if the topic was created again, or if this database was built from
            another log. Positions would mean other records, and records would be skipped.
    """
    while True:
        with engine.connect() as conn:
            if conn.scalar(select(func.count()).select_from(log)):
                what = "this database holds a log of its own, and the records in it would never be read"
                raise Infrastructure(what, "use an empty database for Kafka, or CASETRAIL_LOG=local")
            counts, first = partitions_of(conn), origin_of(conn, topic)
        if counts:
            _compare(counts, topic, count)
        if first:
            compare_ids(topic, first.topic_id, topic_id)
        if counts and first and (first.topic_id or topic_id is None):
            return first
        # Another projector may write the same rows at the same time.
        with suppress(IntegrityError), write_transaction(engine) as conn:
            _store(conn, Origin(topic, topic_id, str(uuid4())), first, 0 if counts else count)


def check_partitions(engine: Engine, topic: str, count: int, topic_id: str | None = None) -> None:
    """
    Check that this database was built from this *topic* with *count* partitions, or is new.

    Raises:
        Infrastructure: if it was built from another log.
    """
    with engine.connect() as conn:
        counts, first = partitions_of(conn), origin_of(conn, topic)
    if counts:
        _compare(counts, topic, count)
    if first:
        compare_ids(topic, first.topic_id, topic_id)


def compare_ids(topic: str, first: str | None, present: str | None) -> None:
    """
    Check by Kafka's ids that *topic* was not deleted and created again; None is any id.

    Args:
        topic: the name of the topic.
        first: its id at the first run.
        present: its id now.

    Raises:
        Infrastructure: if the ids differ.
    """
    if first and present and first != present:
        what = f"topic {topic} has the id {present}, but this database was built from {first}"
        reason = "the topic was deleted and created again, so positions mean other records"
        advice = "restore the topic, or use a new database; docs/production.md describes the use of a copy of the topic"
        raise Infrastructure(f"{what}: {reason}", advice)


def check_local(engine: Engine) -> None:
    """
    Check that this database was built from its own log, or is new.

    Raises:
        Infrastructure: if it was built from Kafka, where positions mean other records, or if the log is too short.
    """
    with engine.connect() as conn:
        counts = partitions_of(conn)
        position = conn.scalar(select(func.max(partitions.c.position)).where(OF_LOG)) or 0
        end = conn.scalar(select(func.max(log.c.log_offset) + 1)) or 0
    if counts not in ({}, {TOPIC: 1}):
        raise Infrastructure(f"this database was built from {_in_words(counts)} of Kafka", OTHER_LOG)
    if position > end:
        what = f"the log of this database ends at {end}, but was read up to {position}"
        raise Infrastructure(what, "use the log that it was built from with CASETRAIL_LOG=kafka, or restore a backup")


def partitions_of(conn: Connection) -> dict[str, int]:
    """Return the number of partitions of the log from which this database was built, by its topic; empty if new."""
    query = select(partitions.c.topic, func.count().label("partitions")).where(OF_LOG).group_by(partitions.c.topic)
    return {row.topic: row.partitions for row in conn.execute(query)}


def origin_of(conn: Connection, topic: str) -> Origin | None:
    """Return the ids of *topic* and of this database; None before the first run."""
    row = conn.execute(select(origin).where(origin.c.topic == topic)).one_or_none()
    return None if row is None else Origin(*row)


def progress_of(engine: Engine, topic: str) -> list[Checkpoint]:
    """Return the checkpoint of each partition of *topic*, in their order."""
    query = select(partitions).where(partitions.c.topic == topic, OF_LOG).order_by(partitions.c.partition)
    with engine.connect() as conn:
        return [Checkpoint(**row) for row in conn.execute(query).mappings()]


def _store(conn: Connection, new: Origin, first: Origin | None, count: int) -> None:
    """Store the rows of *count* new partitions, and the row of the origin or its id if that was not known."""
    if count:
        store(conn, partitions, [tuple(vars(Checkpoint(new.topic, number)).values()) for number in range(count)])
    if first is None:
        conn.execute(insert(origin).values(new._asdict()))
    else:
        unknown = and_(origin.c.topic == new.topic, origin.c.topic_id.is_(None))
        conn.execute(update(origin).where(unknown).values(topic_id=new.topic_id))


def _compare(counts: Mapping[str, int], topic: str, count: int) -> None:
    if set(counts) != {topic}:
        raise Infrastructure(f"this database was built from {_in_words(counts)}, not from {topic}", OTHER_LOG)
    if counts[topic] != count:
        what = f"topic {topic} has {count} partitions, but this database was built from {counts[topic]}"
        reason = "subjects would map to other partitions"
        raise Infrastructure(f"{what}, so {reason}", "restore the topic, or use a new database")


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} partitions of {topic}" for topic, count in sorted(counts.items()))
