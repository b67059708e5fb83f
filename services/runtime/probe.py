"""A cached call with a timeout, for a caller that cannot wait for a slow answer."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar, cast

Answer = TypeVar("Answer")


class ProbeTimeout(Exception):
    """No answer has come in time; the call still runs."""


class Probe(Generic[Answer]):
    """
    A call that runs in a thread of its own, one at a time; its answer is kept for a moment.

    Args:
        ask: returns the answer, or raises an error.
        wait_seconds: the longest wait for the answer.
        keep_seconds: the time for which an answer, or an error, is used again.
    """

    def __init__(self, ask: Callable[[], Answer], wait_seconds: float, keep_seconds: float) -> None:
        self._ask = ask
        self._wait_seconds = wait_seconds
        self._keep_seconds = keep_seconds
        self._lock = threading.Lock()
        self._call: _Call[Answer] | None = None

    def latest(self) -> Answer | None:
        """Return the answer of the latest call, without a new call or a wait; None if it has no answer now."""
        call = self._call
        return None if call is None else call.result

    def answer(self) -> Answer:
        """
        Return the answer.

        Raises:
            ProbeTimeout: if it has not come in time.
            Exception: any error that the call raised.
        """
        with self._lock:
            call = self._call
            if call is None or call.is_older_than(self._keep_seconds):
                call = self._call = _Call(self._ask)
        return call.answer(self._wait_seconds)


class _Call(Generic[Answer]):
    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._done = threading.Event()
        self._ended = 0.0
        self.result: Answer | None = None
        self._problem: Exception | None = None
        # A daemon: the process does not wait for an answer at its end.
        threading.Thread(target=self._run, name="casetrail-probe", daemon=True).start()

    def is_older_than(self, seconds: float) -> bool:
        """Return whether the call ended more than *seconds* ago."""
        return self._done.is_set() and time.monotonic() - self._ended > seconds

    def answer(self, seconds: float) -> Answer:
        """Return the answer, or raise the error of the call; wait for it at most *seconds*."""
        if not self._done.wait(seconds):
            raise ProbeTimeout(f"no answer within {seconds} s")
        if self._problem is not None:
            raise self._problem
        return cast("Answer", self.result)

    def _run(self) -> None:
        try:
            self.result = self._ask()
        except Exception as problem:  # noqa: BLE001 - raised where the answer is asked for
            self._problem = problem
        self._ended = time.monotonic()
        self._done.set()
