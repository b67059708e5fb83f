"""Failures over the data of single partitions, which must not hold up the other partitions."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from events.errors import Infrastructure, Unreachable
from projections.tables.checkpoint import PartitionLost
from projections.tables.database import UNAVAILABLE
from services.runtime.backoff import Backoff

logger = structlog.get_logger()


@dataclass
class Failure:
    """The last failure over the data of a partition, and the pause before the next attempt."""

    problem: Exception
    backoff: Backoff = field(default_factory=Backoff)


class PartitionFailures:
    """
    The partitions that have failed over their data, and have not succeeded since.

    Args:
        drop: called with a partition that has failed; stops the work on it.
    """

    def __init__(self, drop: Callable[[int], None]) -> None:
        self._drop = drop
        self._failures: dict[int, Failure] = {}

    @contextmanager
    def isolate(self, partition: int) -> Iterator[None]:
        """
        Keep a failure over the data of *partition* within this partition: note it, log it and drop the partition.

        Raises:
            PartitionLost, Infrastructure, Unreachable, SQLAlchemyError: failures that concern more than its data.
        """
        try:
            yield
        except (PartitionLost, Infrastructure, Unreachable, *UNAVAILABLE):
            raise
        except Exception as problem:  # noqa: BLE001 - any failure over data must not hold up the other partitions
            failure = self._failures.setdefault(partition, Failure(problem))
            failure.problem = problem
            seconds = failure.backoff.fail()
            self._drop(partition)
            # Not the message: it may hold names.
            place = traceback.extract_tb(problem.__traceback__)[-1]
            at = f"{place.filename}:{place.lineno}"
            error = type(problem).__name__
            logger.error("partition_failed", partition=partition, error=error, at=at, pause_seconds=round(seconds, 2))  # noqa: TRY400 - a traceback may hold names

    def is_pausing(self, partition: int) -> bool:
        """Return whether *partition* has failed and is not to be tried again yet."""
        failure = self._failures.get(partition)
        return failure is not None and failure.backoff.is_pausing

    def clear(self, partition: int) -> None:
        """Forget the failures of *partition*, which has succeeded."""
        self._failures.pop(partition, None)

    def raise_first(self) -> None:
        """Raise the problem of the first partition that has failed, if there is one."""
        for failure in self._failures.values():
            raise failure.problem
