"""The checkpoint of each partition: a row that every transaction that writes locks, compares and sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection, Select, bindparam, insert, not_, select, update
from sqlalchemy.exc import IntegrityError

from events.errors import CasetrailError, Infrastructure
from projections.ledger.chain import GENESIS

from .schema import LIVE, column_names, partitions

COMPARED = ("position", "watermark", "epoch", "seq")
OUTCOMES = ("applied", "duplicate", "conflict", "parked", "forwarded")


@dataclass(frozen=True)
class Checkpoint:
    """
    A partition's row: the position up to which it has been read, and the outcomes of its records.

    The fields are the columns of ``partitions``, in their order. Rows are written by that order, so it is part of the
    schema.
    """

    topic: str
    partition: int
    position: int = 0
    watermark: datetime | None = None
    epoch: int = 0
    seq: int = 0
    hash: str = GENESIS
    notices: int = 0
    rules_version: str | None = None
    rules_since: datetime | None = None
    read: int = 0
    applied: int = 0
    duplicate: int = 0
    conflict: int = 0
    parked: int = 0
    forwarded: int = 0
    progressed: datetime | None = None

    def same_assignment(self, earlier: "Checkpoint") -> bool:
        """Return whether no projector has written since *earlier*. A side writer may have."""
        return (self.position, self.watermark, self.epoch) == (earlier.position, earlier.watermark, earlier.epoch)


_LOCK = (
    select(partitions)
    .where(partitions.c.topic == bindparam("topic"), partitions.c.partition.in_(bindparam("numbers", expanding=True)))
    .order_by(partitions.c.partition)
    .with_for_update()
)
_SET = (
    update(partitions)
    .where(
        partitions.c.topic == bindparam("new_topic"),
        partitions.c.partition == bindparam("new_partition"),
        *(
            column.is_not_distinct_from(bindparam(f"old_{column.name}", type_=column.type))
            for column in partitions.columns
            if column.name in COMPARED
        ),
    )
    .values({column: bindparam(f"new_{column.name}", type_=column.type) for column in partitions.columns})
)
_SET_SEVERAL = " ".join(
    (
        "UPDATE partitions SET",
        ", ".join(f'"{name}" = ends."{name}"' for name in column_names(partitions)),
        "FROM json_populate_recordset(NULL::partitions, %s::json) AS starts",
        "JOIN json_populate_recordset(NULL::partitions, %s::json) AS ends USING (topic, partition)",
        "WHERE partitions.topic = ends.topic AND partitions.partition = ends.partition",
        *(f'AND partitions."{name}" IS NOT DISTINCT FROM starts."{name}"' for name in COMPARED),
    )
)
"""One statement of PostgreSQL for all rows."""


def lock(conn: Connection, checkpoints: Sequence[Checkpoint]) -> list[Checkpoint | None]:
    """
    Lock the rows of the partitions of *checkpoints* and return their present state; None for a row that does not exist.

    All are of one topic. They are locked in the order of their numbers, so that two transactions never deadlock.
    """
    numbers = [checkpoint.partition for checkpoint in checkpoints]
    stored = conn.execute(_LOCK, {"topic": checkpoints[0].topic, "numbers": numbers}).mappings()
    rows = {row["partition"]: Checkpoint(**row) for row in stored}
    return [rows.get(number) for number in numbers]


def compare_and_set(conn: Connection, steps: Sequence[tuple[Checkpoint, Checkpoint]]) -> None:
    """
    Set the rows of partitions, each from its old state to its new one.

    Raises:
        PartitionLost: if the columns `COMPARED` of a row do not have their old values.
    """
    if len(steps) > 1 and conn.dialect.name == "postgresql":
        starts, ends = ([vars(checkpoint) for checkpoint in side] for side in zip(*steps, strict=True))
        count = conn.exec_driver_sql(_SET_SEVERAL, (to_json(starts).decode(), to_json(ends).decode())).rowcount
    else:
        count = sum(conn.execute(_SET, _old_values(start) | _new_values(end)).rowcount for start, end in steps)
    if count != len(steps):
        raise PartitionLost(steps[0][0].partition)


def unconcluded() -> Select[tuple[int]]:
    """Select the partitions that have facts but no people, since a migration emptied the tables of people."""
    people = select(LIVE.subjects.c.subject_id).where(LIVE.subjects.c.position_partition == partitions.c.partition)
    return select(partitions.c.partition).where(partitions.c.applied > 0, not_(people.exists()))


def check_concluded(conn: Connection, partition: int) -> None:
    """
    Check that *partition* has people if it has facts.

    Raises:
        Infrastructure: if a migration emptied the tables of people, and they have not been filled again.
    """
    if conn.scalar(unconcluded().where(partitions.c.partition == partition)) is not None:
        what = f"nothing is concluded from the facts of partition {partition}"
        raise Infrastructure(what, "run `casetrail init`")


def insert_first(conn: Connection, first: Checkpoint) -> None:
    """
    Insert the row of a partition that has none.

    Raises:
        PartitionLost: if another process has inserted it.
    """
    try:
        conn.execute(insert(partitions).values(**vars(first)))
    except IntegrityError:
        raise PartitionLost(first.partition) from None


def _old_values(start: Checkpoint) -> dict[str, Any]:
    return {f"old_{name}": getattr(start, name) for name in COMPARED}


def _new_values(end: Checkpoint) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in vars(end).items()}


class PartitionLost(CasetrailError):
    """The partition was assigned to another projector; nothing of this batch was written."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} was assigned to another projector")
