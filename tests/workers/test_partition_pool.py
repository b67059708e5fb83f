"""Tasks on several partitions at once."""

import threading
from collections.abc import Mapping
from functools import partial

import pytest

from services.workers.partition_pool import PartitionPool

SECONDS = 60


def fail() -> Mapping[int, Exception]:
    """Raise an error, as work may do."""
    raise LookupError


def wait_for(event: threading.Event | threading.Barrier) -> Mapping[int, Exception]:
    """Wait for *event*, then return without a failure."""
    event.wait(SECONDS)
    return {}


def test_two_partitions_are_worked_on_at_once() -> None:
    """Each task waits until the other one runs too."""
    both = threading.Barrier(2)
    with PartitionPool(2) as pool:
        for partition in range(2):
            pool.submit(partition, partial(wait_for, both))
        for partition in range(2):
            pool.result(partition)

    assert not pool.busy


def test_a_thread_is_free_once_its_task_is_done() -> None:
    """A caller that waits for a thread is woken by the end of a task, or by its timeout."""
    ends = threading.Event()
    with PartitionPool(1) as pool:
        before = pool.is_free
        pool.submit(0, partial(wait_for, ends))
        pool.wait(0.01)
        during = pool.is_free
        ends.set()
        pool.wait(SECONDS)

        assert (True, False, True) == (before, during, pool.is_free)


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_of_work_is_raised_by_its_result(threads: int) -> None:
    """It is not raised before, and not at all if the task is discarded."""
    with PartitionPool(threads) as pool:
        pool.submit(0, fail)
        pool.submit(1, fail)
        with pytest.raises(LookupError):
            pool.result(0)
        pool.result(0)
        pool.discard(1)
        pool.result(1)


def test_of_several_partitions_one_can_fail_alone() -> None:
    """Work returns the failures of single partitions; an error that it raises is the failure of all."""
    with PartitionPool(1) as pool:
        pool.run([0, 1], lambda: {1: LookupError()})
        pool.run([2, 3], fail)
        pool.result(0)
        for partition in (1, 2, 3):
            with pytest.raises(LookupError):
                pool.result(partition)


def test_work_can_run_in_the_thread_of_the_caller() -> None:
    """It runs at once, though no thread is free."""
    ends = threading.Event()
    with PartitionPool(1) as pool:
        pool.submit(0, partial(wait_for, ends))
        pool.run([1], lambda: {1: LookupError(threading.current_thread().name)})
        with pytest.raises(LookupError, match=threading.current_thread().name):
            pool.result(1)
        ends.set()


def test_the_end_waits_for_running_tasks() -> None:
    """No task still writes when the block has ended."""
    begun, ended = threading.Event(), threading.Event()

    def work() -> Mapping[int, Exception]:
        begun.wait(SECONDS)
        ended.set()
        return {}

    with PartitionPool(1) as pool:
        pool.submit(0, work)
        begun.set()

    assert ended.is_set()
