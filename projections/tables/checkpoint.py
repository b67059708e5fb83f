"""How far each partition has been read: its row, which is locked, compared and set in every transaction that writes."""

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
    A partition's row: how far it has been read, and what its records became.

    The fields are the columns of ``partitions``.
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

    def is_that_of(self, held: "Checkpoint") -> bool:
        """Whether nobody but visitors has written since *held* was read."""
        return (self.position, self.watermark, self.epoch) == (held.position, held.watermark, held.epoch)


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
            column.is_not_distinct_from(bindparam(f"was_{column.name}", type_=column.type))
            for column in partitions.columns
            if column.name in COMPARED
        ),
    )
    .values({column: bindparam(f"new_{column.name}", type_=column.type) for column in partitions.columns})
)
_SET_SEVERAL = " ".join(
    (
        "UPDATE partitions SET",
        ", ".join(f'"{name}" = become."{name}"' for name in column_names(partitions)),
        "FROM json_populate_recordset(NULL::partitions, %s::json) AS was",
        "JOIN json_populate_recordset(NULL::partitions, %s::json) AS become USING (topic, partition)",
        "WHERE partitions.topic = become.topic AND partitions.partition = become.partition",
        *(f'AND partitions."{name}" IS NOT DISTINCT FROM was."{name}"' for name in COMPARED),
    )
)
"""PostgreSQL is asked once for all of them."""


def lock(conn: Connection, held: Sequence[Checkpoint]) -> list[Checkpoint | None]:
    """
    Lock the rows of the partitions *held* and return them as they stand; None where there is none yet.

    All are of one topic. They are locked in the order of their numbers, so that no two wait for each other.
    """
    numbers = [each.partition for each in held]
    found = conn.execute(_LOCK, {"topic": held[0].topic, "numbers": numbers}).mappings()
    rows = {row["partition"]: Checkpoint(**row) for row in found}
    return [rows.get(number) for number in numbers]


def compare_and_set(conn: Connection, steps: Sequence[tuple[Checkpoint, Checkpoint]]) -> None:
    """
    Set the rows of partitions, each from how it was to how it is to be.

    Raises:
        Lost: if one is otherwise than it was.
    """
    if len(steps) > 1 and conn.dialect.name == "postgresql":
        starts, ends = ([vars(each) for each in some] for some in zip(*steps, strict=True))
        done = conn.exec_driver_sql(_SET_SEVERAL, (to_json(starts).decode(), to_json(ends).decode())).rowcount
    else:
        done = sum(conn.execute(_SET, _was(start) | _becomes(end)).rowcount for start, end in steps)
    if done != len(steps):
        raise PartitionLost(steps[0][0].partition)


def unconcluded() -> Select[tuple[int]]:
    """Return the query of the partitions with facts of which nothing is concluded: a migration emptied the tables."""
    somebody = select(LIVE.subjects.c.subject_id).where(LIVE.subjects.c.position_partition == partitions.c.partition)
    return select(partitions.c.partition).where(partitions.c.applied > 0, not_(somebody.exists()))


def check_concluded(conn: Connection, partition: int) -> None:
    """
    Check that something is concluded from the facts of *partition*, if it has any.

    Raises:
        Infrastructure: if a migration emptied the tables of people, and nothing has filled them again.
    """
    if conn.scalar(unconcluded().where(partitions.c.partition == partition)) is not None:
        msg = f"nothing is concluded from the facts of partition {partition} (run `casetrail init`)"
        raise Infrastructure(msg)


def begin(conn: Connection, first: Checkpoint) -> None:
    """
    Make the row of a partition that has none.

    Raises:
        Lost: if somebody else has made it.
    """
    try:
        conn.execute(insert(partitions).values(**vars(first)))
    except IntegrityError:
        raise PartitionLost(first.partition) from None


def _was(start: Checkpoint) -> dict[str, Any]:
    return {f"was_{name}": getattr(start, name) for name in COMPARED}


def _becomes(end: Checkpoint) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in vars(end).items()}


class PartitionLost(CasetrailError):
    """The partition was assigned to another projector; nothing of this batch was written."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} was assigned to another projector")
