"""Shutdown of a long command: the first signal asks it to end, and the second one kills it."""

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ShutdownSignal(threading.Event):
    """
    An event that the first SIGINT or SIGTERM sets.

    Attributes:
        by: the signal that set it; None before.
    """

    by: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """The exit code that a shell expects of a command ended by the signal: 128 and the number of the signal."""
        return 128 + (self.by or 0)


@contextmanager
def stopping() -> Iterator[ShutdownSignal]:
    """Yield a `ShutdownSignal` that the first SIGINT or SIGTERM sets; the second one has the system's default."""
    stop = ShutdownSignal()

    def on_signal(number: int, _: FrameType | None) -> None:
        for signal_number in _SIGNALS:
            signal.signal(signal_number, signal.SIG_DFL)
        stop.by = signal.Signals(number)
        # Not in this thread: the signal may interrupt a wait that holds the lock which `set` needs.
        _thread.start_new_thread(stop.set, ())

    handlers = {signal_number: signal.signal(signal_number, on_signal) for signal_number in _SIGNALS}
    try:
        yield stop
    finally:
        for signal_number, handler in handlers.items():
            signal.signal(signal_number, handler)
