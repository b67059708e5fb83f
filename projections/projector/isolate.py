"""Failures of a batch: the partition is lost, another partition is in the way, or the program fails on a record."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError

from projections.tables.checkpoint import PartitionLost
from projections.tables.database import UNAVAILABLE

RACES = 5
"""The number of times that a batch is tried again because another partition applied the same fact just then."""

DEADLOCK = "40P01"  # PostgreSQL, appendix A of its manual: deadlock_detected

Item = TypeVar("Item")
Result = TypeVar("Result")


def isolate_failures(
    work: Callable[[Sequence[Item], Exception | None], list[Result]], items: Sequence[Item], races: int = RACES
) -> list[Result]:
    """
    Do *work* on all of *items*, so that an item on which the program itself fails does not stop the others.

    Args:
        work: does some items in one transaction. With a failure as its second argument, it records that failure as
            the outcome of the one item, and so cannot fail in the same way.
        items: at least one.
        races: the number of times that it is tried again because of a race.

    Raises:
        PartitionLost, SQLAlchemyError: if the items are not the cause.
    """
    try:
        return work(items, None)
    except Exception as problem:
        if _is_race(problem) and races:
            # Another partition applied a fact of the same id at this moment. The next look finds it.
            return isolate_failures(work, items, races - 1)
        elsewhere = isinstance(problem, SQLAlchemyError) and not isinstance(problem, (DataError, IntegrityError))
        if elsewhere or isinstance(problem, PartitionLost):
            raise
        if len(items) == 1:
            return work(items, problem)
    middle = len(items) // 2
    return [*isolate_failures(work, items[:middle]), *isolate_failures(work, items[middle:])]


def is_of_one(problem: Exception) -> bool:
    """Return whether *problem* may concern one of several partitions, so that the others can succeed alone."""
    return _is_race(problem) or not isinstance(problem, (PartitionLost, *UNAVAILABLE))


def _is_race(problem: Exception) -> bool:
    """Return whether two partitions met over one id, or each over an id that the other had taken (a deadlock)."""
    deadlocked = isinstance(problem, OperationalError) and getattr(problem.orig, "sqlstate", None) == DEADLOCK
    return deadlocked or isinstance(problem, IntegrityError)
