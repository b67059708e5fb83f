"""Work on several partitions side by side."""

import threading
from collections.abc import Mapping
from functools import partial

import pytest

from services.workers.partition_pool import PartitionPool

SECONDS = 60


def fail() -> Mapping[int, Exception]:
    """As work may."""
    raise LookupError


def wait_for(event: threading.Event | threading.Barrier) -> Mapping[int, Exception]:
    """Work that goes well once something has come about."""
    event.wait(SECONDS)
    return {}


def test_two_partitions_are_worked_on_at_once() -> None:
    """Each meets the other in the middle of its work."""
    both = threading.Barrier(2)
    with PartitionPool(2) as hands:
        for partition in range(2):
            hands.give(partition, partial(wait_for, both))
        for partition in range(2):
            hands.settle(partition)

    assert not hands.given


def test_a_hand_is_free_once_its_work_is_done() -> None:
    """And whoever waits for one is woken by it, or goes on after a while."""
    ends = threading.Event()
    with PartitionPool(1) as hands:
        before = hands.free
        hands.give(0, partial(wait_for, ends))
        hands.wait(0.01)
        during = hands.free
        ends.set()
        hands.wait(SECONDS)

        assert (True, False, True) == (before, during, hands.free)


@pytest.mark.parametrize("threads", [0, 2])
def test_what_work_raises_is_raised_where_it_is_settled(threads: int) -> None:
    """And not before; nor at all where it is forgotten."""
    with PartitionPool(threads) as hands:
        hands.give(0, fail)
        hands.give(1, fail)
        with pytest.raises(LookupError):
            hands.settle(0)
        hands.settle(0)
        hands.forget(1)
        hands.settle(1)


def test_of_several_partitions_one_can_fail_alone() -> None:
    """What work returns is the failure of that one; what it raises is that of all."""
    with PartitionPool(1) as hands:
        hands.do([0, 1], lambda: {1: LookupError()})
        hands.do([2, 3], fail)
        hands.settle(0)
        for partition in (1, 2, 3):
            with pytest.raises(LookupError):
                hands.settle(partition)


def test_work_can_be_done_here() -> None:
    """By whoever gives it, at once, though no hand is free."""
    ends = threading.Event()
    with PartitionPool(1) as hands:
        hands.give(0, partial(wait_for, ends))
        hands.do([1], lambda: {1: LookupError(threading.current_thread().name)})
        with pytest.raises(LookupError, match=threading.current_thread().name):
            hands.settle(1)
        ends.set()


def test_the_end_waits_for_what_is_under_way() -> None:
    """Nobody writes behind the back of whoever goes on."""
    begun, ended = threading.Event(), threading.Event()

    def work() -> Mapping[int, Exception]:
        begun.wait(SECONDS)
        ended.set()
        return {}

    with PartitionPool(1) as hands:
        hands.give(0, work)
        begun.set()

    assert ended.is_set()
