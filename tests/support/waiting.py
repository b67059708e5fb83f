"""Waiting for something that another process does."""

import time
from collections.abc import Callable

from tests.support.commands import SECONDS


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until *true* returns True."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, f"not so after {SECONDS} s"
        time.sleep(0.02)
