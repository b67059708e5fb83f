"""The worker of one receiver: takes it over, plans its messages, and sends them."""

import threading
from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from events.edtf import BEGINNING
from projections.tables.delivery.ownership import Ownership, ReceiverLost, owned
from projections.tables.delivery.waiting import something_is_due

from .operational import tell_failures, tell_week
from .planning import Planner
from .releasing import begin_digests, release_held, remind
from .sending import Sender
from .serving import Holding, take_turns
from .surroundings import surroundings

EXTEND_EVERY = timedelta(seconds=20)


class ReceiverWorker:
    """
    Serves one receiver until it is stopped.

    One receiver's trouble delays no other: each has a worker, with a thread and a connection of its own.

    Args:
        engine: the database.
        owner: the name of the notifier, different from that of each other one.
        planner: decides on the notices.
        sender: sends the messages.
        zone: the zone of weeks.

    Attributes:
        holding: the ownership of the receiver.
    """

    def __init__(self, engine: Engine, owner: str, planner: Planner, sender: Sender, zone: ZoneInfo) -> None:
        self.engine = engine
        self.zone = zone
        self.planner = planner
        self.sender = sender
        self.receiver = planner.receiver
        self.holding = Holding(engine, planner.receiver.name, planner.receiver.kind, owner)
        self._active: frozenset[str] | None = None
        self._extended_at = BEGINNING
        self._is_held = False

    def run(self, stop: threading.Event, poll_seconds: float, beat: Callable[[], None]) -> None:
        """Serve the receiver until *stop* is set. While the database is away, it tries again without a limit."""

        def turn(goes_on: Callable[[], bool]) -> float:
            return self.holding.pause_seconds(poll_seconds, is_idle=not self.turn(goes_on))

        try:
            take_turns(turn, stop, beat)
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
            tell_week(conn, self.planner.config, self.receiver, self.zone, now)
        self._active, self._extended_at, self._is_held = active, now, is_due and not any(counts)
        return any(counts)
