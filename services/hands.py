"""Work on partitions: on several side by side, on each a piece at a time."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self


class Hands:
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
        self._given: dict[int, Future[object]] = {}

    def __enter__(self) -> Self:
        """Start no thread before there is work for it."""
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

    def give(self, partition: int, work: Callable[[], object]) -> None:
        """Begin *work* on *partition*, which is settled, as soon as a hand is free."""
        self._given[partition] = _at_once(work) if self._pool is None else self._pool.submit(work)

    def wait(self, seconds: float) -> None:
        """Wait until a piece of what is under way is done, at most so long."""
        wait(self._under_way(), timeout=seconds, return_when=FIRST_COMPLETED)

    def settle(self, partition: int) -> None:
        """Wait for the work on *partition*, if there is any, and raise what it raised."""
        piece = self._given.pop(partition, None)
        if piece is not None:
            piece.result()

    def forget(self, partition: int) -> None:
        """Wait for the work on *partition*, whatever comes of it."""
        piece = self._given.pop(partition, None)
        if piece is not None:
            wait([piece])

    def _under_way(self) -> list[Future[object]]:
        return [piece for piece in self._given.values() if not piece.done()]


def _at_once(work: Callable[[], object]) -> Future[object]:
    piece: Future[object] = Future()
    try:
        piece.set_result(work())
    except Exception as problem:  # noqa: BLE001 - as an executor does
        piece.set_exception(problem)
    return piece
