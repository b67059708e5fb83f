"""Heartbeats: each part of the service notes one every turn, so that a monitor can read the age of the last one."""

import time


class Heartbeat:
    """The last heartbeat of one part."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def beat(self) -> None:
        """Note a heartbeat now."""
        self._last = time.monotonic()

    @property
    def age_seconds(self) -> float:
        """The seconds since the last heartbeat."""
        return time.monotonic() - self._last
