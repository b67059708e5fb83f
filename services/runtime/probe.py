"""An answer that may be long in coming, for somebody who cannot wait."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar, cast

Answer = TypeVar("Answer")


class ProbeTimeout(Exception):
    """No answer has come in time; whoever is asked goes on looking for it."""


class Probe(Generic[Answer]):
    """
    Asks in a thread of its own, one question at a time, and keeps the answer for a moment.

    Args:
        ask: gives the answer, or raises why there is none.
        wait_seconds: how long to wait for it.
        keep_seconds: how long an answer, or why there was none, is good.
    """

    def __init__(self, ask: Callable[[], Answer], wait_seconds: float, keep_seconds: float) -> None:
        self._ask = ask
        self._wait_seconds = wait_seconds
        self._keep_seconds = keep_seconds
        self._lock = threading.Lock()
        self._question: _Question[Answer] | None = None

    def latest(self) -> Answer | None:
        """Return the answer as it was given last, neither asking nor waiting; None where there is none now."""
        question = self._question
        return None if question is None else question.found

    def answer(self) -> Answer:
        """
        Return the answer.

        Raises:
            Late: if it has not come in time.
            Exception: whatever asking raised.
        """
        with self._lock:
            question = self._question
            if question is None or question.is_older_than(self._keep_seconds):
                question = self._question = _Question(self._ask)
        return question.answer(self._wait_seconds)


class _Question(Generic[Answer]):
    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._done = threading.Event()
        self._answered = 0.0
        self.found: Answer | None = None
        self._problem: Exception | None = None
        # Nobody waits for it at the end of the process.
        threading.Thread(target=self._look, name="casetrail-asking", daemon=True).start()

    def is_older_than(self, seconds: float) -> bool:
        """Whether it was answered so long ago."""
        return self._done.is_set() and time.monotonic() - self._answered > seconds

    def answer(self, seconds: float) -> Answer:
        """Return the answer, or raise why there is none."""
        if not self._done.wait(seconds):
            raise ProbeTimeout(f"no answer within {seconds} s")
        if self._problem is not None:
            raise self._problem
        return cast("Answer", self.found)

    def _look(self) -> None:
        try:
            self.found = self._ask()
        except Exception as problem:  # noqa: BLE001 - it is raised where the answer is wanted
            self._problem = problem
        self._answered = time.monotonic()
        self._done.set()
