"""Pauses after failures: longer after each failure in a row, up to a limit, and random."""

import random
import time

PAUSE_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Backoff:
    """
    The failures in a row of one kind of attempt, and the pause before the next attempt.

    Attributes:
        failures: the number of failures since the last success.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._until = 0.0

    @property
    def is_pausing(self) -> bool:
        """Return whether the pause after the last failure still runs."""
        return time.monotonic() < self._until

    def fail(self) -> float:
        """Count a failure, start the pause after it, and return the length of the pause in seconds."""
        seconds = jittered(PAUSE_SECONDS[min(self.failures, len(PAUSE_SECONDS) - 1)])
        self.failures += 1
        self._until = time.monotonic() + seconds
        return seconds

    def reset(self) -> None:
        """Forget the failures: an attempt has succeeded."""
        self.failures = 0
        self._until = 0.0


def jittered(seconds: float) -> float:
    """Return *seconds* changed at random by up to a half: two that failed together then do not retry together."""
    return seconds * random.uniform(0.5, 1.5)  # noqa: S311 - not a secret
