"""A sign of life: each part of the service gives one every turn, and whoever watches sees how long ago."""

import time


class Heartbeat:
    """The last sign of life of one part."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def beat(self) -> None:
        """Show life."""
        self._last = time.monotonic()

    @property
    def age_seconds(self) -> float:
        """How long ago that was."""
        return time.monotonic() - self._last
