"""The frame of a worker: turn after turn with a pause after each failure, and the ownership of its receiver."""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from events.errors import Unreachable
from projections.tables.database import UNAVAILABLE
from projections.tables.delivery.ownership import Ownership, release, take_over
from services.database import failed_with
from services.runtime.backoff import Backoff

STANDBY_SECONDS = 1.0
"""The pause of a worker while another notifier owns its receiver."""

logger = structlog.get_logger()


def take_turns(
    turn: Callable[[Callable[[], bool]], float],
    stop: threading.Event,
    beat: Callable[[], None],
    unreachable: Callable[[Unreachable, float], None] | None = None,
) -> None:
    """
    Take turns until *stop* is set. After a failure it tries again without a limit, with growing pauses.

    Args:
        turn: takes one turn and returns the seconds to wait after it; it is passed a function that shows a sign of life
            and returns whether to go on.
        stop: ends the wait.
        beat: shows a sign of life.
        unreachable: called when a turn ends because its receiver does not answer, with the pause in seconds.
    """
    backoff = Backoff()

    def goes_on() -> bool:
        beat()
        return not stop.is_set()

    while goes_on():
        try:
            seconds = turn(goes_on)
            backoff.reset()
        except UNAVAILABLE as problem:
            seconds = backoff.fail()
            logger.warning("database_failed", error=failed_with(problem), pause_seconds=round(seconds, 2))
        except Unreachable as problem:
            seconds = backoff.fail()
            assert unreachable is not None, "only a worker that connects meets a receiver that is away"
            unreachable(problem, seconds)
        stop.wait(seconds)


class Holding:
    """
    The ownership of a receiver by this notifier, as long as no other takes it over.

    Args:
        engine: the database.
        receiver: the name of the receiver.
        kind: its kind.
        owner: the name of the notifier, different from that of each other one.
    """

    def __init__(self, engine: Engine, receiver: str, kind: str, owner: str) -> None:
        self._engine = engine
        self._receiver = receiver
        self._kind = kind
        self._owner = owner
        self._own: Ownership | None = None

    @property
    def own(self) -> Ownership | None:
        """The ownership; None: this notifier does not have it."""
        return self._own

    def take(self) -> Ownership | None:
        """Return the ownership, taken over if it is free; None: another notifier has it."""
        self._own = self._own or take_over(self._engine, self._receiver, self._kind, self._owner)
        return self._own

    def pause_seconds(self, poll_seconds: float, *, is_idle: bool) -> float:
        """Return the pause after a turn."""
        if self._own is None:
            return STANDBY_SECONDS
        return poll_seconds if is_idle else 0

    def lose(self) -> None:
        """Record that another notifier has taken the receiver over."""
        logger.warning("receiver_lost", receiver=self._receiver)
        self._own = None

    def release(self) -> None:
        """Give the receiver up, so that another notifier can take it over at once."""
        if self._own is not None:
            try:
                release(self._engine, self._own)
            except UNAVAILABLE as problem:
                logger.warning("database_failed", error=failed_with(problem), pause_seconds=0)
            self._own = None
