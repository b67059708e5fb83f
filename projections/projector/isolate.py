"""What can befall a batch: its partition is lost, another partition is in the way, or a record is too much for us."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError

from projections.tables.checkpoint import PartitionLost
from projections.tables.database import AWAY

RACES = 5
"""How often a batch is tried again because another partition was applying the same fact at that very moment."""

DEADLOCK = "40P01"  # PostgreSQL, appendix A of its manual: deadlock_detected

Item = TypeVar("Item")
Result = TypeVar("Result")


def isolate_failures(
    work: Callable[[Sequence[Item], Exception | None], list[Result]], items: Sequence[Item], races: int = RACES
) -> list[Result]:
    """
    Do *work* on all of *items*, so that one on which the program itself fails holds nobody else up.

    Args:
        work: does some of them in one transaction; given a failure, it notes that as the fate of the one item it is
            given, and so cannot fail in the same way.
        items: at least one.
        races: how often it is done again because of a race.

    Raises:
        Lost, SQLAlchemyError: where not the items are at fault.
    """
    try:
        return work(items, None)
    except Exception as problem:
        if _is_race(problem) and races:
            # Another partition has applied a fact of the same id at this moment; looked up again, it is known.
            return isolate_failures(work, items, races - 1)
        not_theirs = isinstance(problem, SQLAlchemyError) and not isinstance(problem, (DataError, IntegrityError))
        if not_theirs or isinstance(problem, PartitionLost):
            raise
        if len(items) == 1:
            return work(items, problem)
    middle = len(items) // 2
    return [*isolate_failures(work, items[:middle]), *isolate_failures(work, items[middle:])]


def is_of_one(problem: Exception) -> bool:
    """Whether *problem* may be about one of several partitions, or who else was at it: by parts it may go well."""
    return _is_race(problem) or not isinstance(problem, (PartitionLost, *AWAY))


def _is_race(problem: Exception) -> bool:
    """Whether two partitions met: over one id, or each over an id that the other had taken first (a deadlock)."""
    deadlocked = isinstance(problem, OperationalError) and getattr(problem.orig, "sqlstate", None) == DEADLOCK
    return deadlocked or isinstance(problem, IntegrityError)
