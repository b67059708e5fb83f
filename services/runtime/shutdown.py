"""How a command that runs for long is asked to end: once, politely; the second signal ends it as it stands."""

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ShutdownSignal(threading.Event):
    """
    Set by the first SIGINT or SIGTERM.

    Attributes:
        by: which of them it was; None before.
    """

    by: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """What a shell expects of a command that ended unfinished: 128 and the number of the signal."""
        return 128 + (self.by or 0)


@contextmanager
def stopping() -> Iterator[ShutdownSignal]:
    """Set the `ShutdownSignal` at the first SIGINT or SIGTERM; leave the second to the system."""
    stop = ShutdownSignal()

    def ask(number: int, _: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        stop.by = signal.Signals(number)
        # Not here: what the signal interrupts may be a wait that holds the very lock that this needs.
        _thread.start_new_thread(stop.set, ())

    before = {each: signal.signal(each, ask) for each in _SIGNALS}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
