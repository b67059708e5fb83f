"""Work on partitions: on several side by side, on each a piece at a time."""

import sys
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

THREADS = 2
"""While one partition waits for PostgreSQL, another goes on; SQLite has one writer at a time, and waits little."""

SWITCH_SECONDS = 0.02
"""How long one of them thinks before the other may: at Python's 0.005 the two hinder each other by a sixth."""

Work = Callable[[], Mapping[int, Exception]]
"""Works on some partitions, and returns what failed over one of them, by its number; if it raises, all have failed."""


class PartitionPool:
    """
    Does the work within a ``with`` block, and is done with all of it at its end.

    Args:
        threads: how many pieces of work at once; 0: whoever gives one does it.

    Attributes:
        threads: the same.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._given: dict[int, Future[Mapping[int, Exception]]] = {}

    def __enter__(self) -> Self:
        """Start no thread before there is work for it."""
        if self.threads:
            sys.setswitchinterval(SWITCH_SECONDS)
        self._pool = ThreadPoolExecutor(self.threads, "casetrail-partition") if self.threads else None
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Wait for what is under way."""
        if self._pool is not None:
            self._pool.shutdown()
        self._given.clear()

    @property
    def given(self) -> frozenset[int]:
        """The partitions with work that `settle` was not asked about yet."""
        return frozenset(self._given)

    @property
    def done(self) -> frozenset[int]:
        """Of these, those that are done."""
        return frozenset(partition for partition, piece in self._given.items() if piece.done())

    @property
    def free(self) -> bool:
        """Whether work given now begins at once."""
        return self._pool is None or len(self._under_way()) < self.threads

    def give(self, partition: int, work: Work) -> None:
        """Begin *work* on *partition*, which is settled, as soon as a hand is free."""
        if self._pool is None:
            self.do([partition], work)
        else:
            self._given[partition] = self._pool.submit(work)

    def do(self, partitions: Collection[int], work: Work) -> None:
        """Do *work* on *partitions*, which are settled, here and now."""
        self._given |= dict.fromkeys(partitions, _at_once(work))

    def wait(self, seconds: float) -> None:
        """Wait until a piece of what is under way is done, at most so long."""
        wait(self._under_way(), timeout=seconds, return_when=FIRST_COMPLETED)

    def settle(self, partition: int) -> None:
        """Wait for the work on *partition*, if there is any, and raise what failed over it."""
        piece = self._given.pop(partition, None)
        failed = piece.result() if piece is not None else {}
        if partition in failed:
            raise failed[partition]

    def forget(self, partition: int) -> None:
        """Wait for the work on *partition*, whatever comes of it."""
        piece = self._given.pop(partition, None)
        if piece is not None:
            wait([piece])

    def _under_way(self) -> set[Future[Mapping[int, Exception]]]:
        return {piece for piece in self._given.values() if not piece.done()}


def _at_once(work: Work) -> Future[Mapping[int, Exception]]:
    piece: Future[Mapping[int, Exception]] = Future()
    try:
        piece.set_result(work())
    except Exception as problem:  # noqa: BLE001 - as an executor does
        piece.set_exception(problem)
    return piece
