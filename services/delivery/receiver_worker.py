"""The worker of one receiver: takes it over, plans its messages, and sends them."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import structlog
from sqlalchemy import Engine

from events.edtf import BEGINNING
from events.errors import Unreachable
from projections.tables.database import UNAVAILABLE, database_clock
from projections.tables.delivery.ownership import Ownership, ReceiverLost, owned
from projections.tables.delivery.tries import put_state, receiver_state
from projections.tables.delivery.waiting import something_is_due
from services.runtime.fault import fault_of

from .operational import Weeks, tell_failures, tell_week
from .planning import Planner
from .releasing import begin_digests, release_held, remind
from .sending import Sender, in_state
from .serving import Holding, take_turns
from .surroundings import surroundings

EXTEND_EVERY = timedelta(seconds=20)

logger = structlog.get_logger()


class ReceiverWorker:
    """
    Serves one receiver until it is stopped.

    One receiver's trouble delays no other: each has a worker, with a thread and a connection of its own.

    Args:
        engine: the database.
        owner: the name of the notifier, different from that of each other one.
        planner: decides on the notices.
        sender: sends the messages.
        weeks: the weeks about which it reports.

    Attributes:
        holding: the ownership of the receiver.
    """

    def __init__(self, engine: Engine, owner: str, planner: Planner, sender: Sender, weeks: Weeks) -> None:
        self.engine = engine
        self.weeks = weeks
        self.planner = planner
        self.sender = sender
        self.receiver = planner.receiver
        self.holding = Holding(engine, planner.receiver.name, planner.receiver.kind, owner)
        self._active: frozenset[str] | None = None
        self._extended_at = BEGINNING
        self._is_held = False
        self._noted: tuple[Ownership, str | None] | None = None

    def run(self, stop: threading.Event, poll_seconds: float, beat: Callable[[], None]) -> None:
        """
        Serve the receiver until *stop* is set.

        While the database is away, it tries again without a limit, and also after an unexpected error: a fault in the
        work for one receiver must not stop the others. The receiver counts as failing until a turn succeeds.
        """

        def turn(goes_on: Callable[[], bool]) -> float:
            try:
                is_busy = self.turn(goes_on)
                self._note_fault(None)
            except UNAVAILABLE:
                raise
            except Exception as problem:
                self._note_fault(fault_of(problem))
                raise Unreachable(fault_of(problem)) from problem
            return self.holding.pause_seconds(poll_seconds, is_idle=not is_busy)

        try:
            take_turns(turn, stop, beat, self._failed)
        finally:
            self.close()

    def turn(self, goes_on: Callable[[], bool]) -> bool:
        """
        Plan and send once; return whether there was something to do.

        Raises:
            SQLAlchemyError: if the database failed.
        """
        own = self.holding.take()
        if own is None:
            return False
        try:
            if self.planner.plan(own, self.sender.clock()):
                return True
            changed = self._release(own)
            return self.sender.send_due(own, goes_on) > 0 or changed
        except ReceiverLost:
            self.holding.lose()
            return False

    def close(self) -> None:
        """Give the receiver up, and close the connections to it."""
        self.sender.channel.close()
        self.holding.release()

    def _note_fault(self, fault: str | None) -> None:
        """Record that turns fail with *fault*, or that they succeed again."""
        own = self.holding.own
        # Noted once for each ownership: another notifier may have noted a fault before this one took over.
        if own is not None and (own, fault) != self._noted:
            self._noted = (own, fault)
            with suppress(ReceiverLost), owned(self.engine, own) as conn:
                state = receiver_state(conn, own.receiver)
                before, name = ("failing", "ok") if fault is None else ("ok", "failing")
                # A state that the receiver's own answers have brought about stays.
                if state.state == before and not state.failures:
                    put_state(conn, in_state(state, name, database_clock(conn))._replace(last_answer=fault))

    def _failed(self, problem: Unreachable, seconds: float) -> None:
        pause = round(seconds, 2)
        logger.error("turn_failed", receiver=self.receiver.name, fault=str(problem), pause_seconds=pause)

    def _release(self, own: Ownership) -> bool:
        """Write down the messages whose time has come; return whether there were any."""
        now = self.sender.clock()
        with self.engine.connect() as conn:
            around = surroundings(conn)
            active = frozenset(silence.silence_id for silence in around.silences if silence.is_active(now))
            is_due = something_is_due(conn, own.receiver, now)
        # A reminder under a silence is due all the time, and would make each turn of an idle receiver a write.
        can_wait = active == self._active and (not is_due or self._is_held)
        if can_wait and now < self._extended_at + EXTEND_EVERY:
            return False
        with owned(self.engine, own) as conn:
            counts = [
                release_held(conn, self.receiver, around, now),
                remind(conn, self.receiver, around, now),
                begin_digests(conn, self.receiver, now),
            ]
            tell_failures(conn, self.planner.config, self.receiver, now)
            tell_week(conn, self.planner.config, self.receiver, self.weeks, now)
        self._active, self._extended_at, self._is_held = active, now, is_due and not any(counts)
        return any(counts)
