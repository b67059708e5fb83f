"""Tasks in threads of their own, which end together."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

WAKE_SECONDS = 0.5
"""Python handles a signal in the main thread. The system may deliver it to another thread, which wakes no wait."""


def run_together(
    tasks: Sequence[Callable[[], None]], stop: threading.Event, name: str, waiting: Callable[[], None]
) -> None:
    """
    Run *tasks* until *stop* is set or one of them ends; then set *stop*, and wait for the others.

    The calling thread only waits, so that it can handle signals.

    Args:
        tasks: the tasks, at least one. Each ends when *stop* is set.
        stop: asks them to end.
        name: the beginning of the names of their threads.
        waiting: called every half second until then.

    Raises:
        Exception: the error with which a task ended.
    """
    with ThreadPoolExecutor(len(tasks), thread_name_prefix=name) as pool:
        running = [pool.submit(task) for task in tasks]
        try:
            while not (stop.is_set() or wait(running, WAKE_SECONDS, FIRST_COMPLETED).done):
                waiting()
        finally:
            stop.set()
            while wait(running, WAKE_SECONDS).not_done:
                pass
    for task in running:
        task.result()
