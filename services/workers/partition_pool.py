"""An executor by partition: several partitions at once, and one task at a time on each."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

THREADS = 2
"""One partition waits for PostgreSQL while another computes. SQLite has one writer at a time, and waits little."""

SWITCH_SECONDS = 0.02
"""Python's interval between thread switches. At its default of 0.005, two threads slow each other by a sixth."""

Work = Callable[[], Mapping[int, Exception]]
"""Works on some partitions, and returns the failures of single ones by partition. If it raises, all have failed."""

Task = Future[Mapping[int, Exception]]


class PartitionPool:
    """
    An executor within a ``with`` block, which waits at its end for all tasks that run.

    It has more than eight methods because tasks are started, observed and collected in two ways each. Most have one
    or two lines.

    Args:
        threads: the number of tasks that run at once. With 0, `submit` does the work in the thread of its caller.

    Attributes:
        threads: the same.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._executor: ThreadPoolExecutor | None = None
        self._tasks: dict[int, Task] = {}

    def __enter__(self) -> Self:
        """Open the executor; its threads start with the first tasks."""
        if self.threads:
            sys.setswitchinterval(SWITCH_SECONDS)
        self._executor = ThreadPoolExecutor(self.threads, "casetrail-partition") if self.threads else None
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Wait for the tasks that run."""
        if self._executor is not None:
            self._executor.shutdown()
        self._tasks.clear()

    @property
    def busy(self) -> frozenset[int]:
        """The partitions with a task, running or done, that `result` or `discard` has not collected."""
        return frozenset(self._tasks)

    @property
    def done(self) -> frozenset[int]:
        """The busy partitions with a task that is done."""
        return frozenset(partition for partition, task in self._tasks.items() if task.done())

    @property
    def is_free(self) -> bool:
        """Return whether a task that is submitted now begins at once."""
        return self._executor is None or len(_running(self._tasks.values())) < self.threads

    def submit(self, partition: int, work: Work) -> None:
        """Begin *work* on *partition*, which is not busy, as soon as a thread is free."""
        if self._executor is None:
            self.run([partition], work)
        else:
            self._tasks[partition] = self._executor.submit(work)

    def run(self, partitions: Collection[int], work: Work) -> None:
        """Do *work* on *partitions*, which are not busy, in the thread of the caller."""
        self._tasks |= dict.fromkeys(partitions, _finished(work))

    def wait(self, seconds: float) -> None:
        """Wait until a running task is done, but at most *seconds*."""
        wait(_running(self._tasks.values()), timeout=seconds, return_when=FIRST_COMPLETED)

    def result(self, partition: int) -> None:
        """Wait for the task on *partition*, if there is one, and raise the failure of this partition."""
        task = self._tasks.pop(partition, None)
        failures = task.result() if task is not None else {}
        if partition in failures:
            raise failures[partition]

    def discard(self, partition: int) -> None:
        """Wait for the task on *partition*, if there is one, and ignore its failure."""
        task = self._tasks.pop(partition, None)
        if task is not None:
            wait([task])


def _running(tasks: Iterable[Task]) -> set[Task]:
    return {task for task in tasks if not task.done()}


def _finished(work: Work) -> Task:
    task: Task = Future()
    try:
        task.set_result(work())
    except Exception as problem:  # noqa: BLE001 - as an executor does
        task.set_exception(problem)
    return task
