"""The sender of a receiver: tries the messages that are due, one after the other, and records each result."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, assert_never

import structlog
from sqlalchemy import Engine

from projections.tables.database import UNAVAILABLE
from projections.tables.delivery.messages import drop
from projections.tables.delivery.ownership import Ownership, owned
from projections.tables.delivery.tries import (
    BUNDLES,
    Due,
    ReceiverState,
    Result,
    begin_try,
    due_messages,
    finish_try,
    members,
    put_state,
    receiver_state,
    told_since,
    with_given_up,
)
from services.runtime.fault import fault_of

from .composing import Composer
from .message import Attempt, Channel, Message
from .releasing import LARGEST_BUNDLE, bundle

PAUSES: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""The pauses after failed tries. A message that fails after the last of them is given up."""
JITTER: Final = 0.1
"""The part of a pause by which it varies, so that the tries of many receivers do not meet."""
PAGE: Final = 50
BURST: Final = 20
EMPTY: Final = "nothing is left for it to carry"
BURST_TIME: Final = timedelta(minutes=1)

logger = structlog.get_logger()


class Sender:
    """
    Sends the messages of one receiver.

    Args:
        engine: the database.
        channel: the way to the receiver.
        composer: makes the messages of their rows.
        clock: returns the present instant; aware UTC.
        is_bursting: whether many openings become one summary.
    """

    def __init__(
        self,
        engine: Engine,
        channel: Channel,
        composer: Composer,
        clock: Callable[[], datetime],
        *,
        is_bursting: bool = True,
    ) -> None:
        self.engine = engine
        self.channel = channel
        self.composer = composer
        self.clock = clock
        self.is_bursting = is_bursting

    def send_due(self, own: Ownership, goes_on: Callable[[], bool]) -> int:
        """
        Try the messages that are due until one fails or *goes_on* is false; return the number of tries.

        Raises:
            ReceiverLost: if another notifier has taken the receiver over.
            SQLAlchemyError: if the database failed.
        """
        count = 0
        for due in self._next(own):
            if not goes_on():
                break
            count += 1
            if not self._try(own, due):
                break
        return count

    def _next(self, own: Ownership) -> Sequence[Due]:
        """Return the messages to try. While the receiver fails, one probes: the others use up no tries."""
        now = self.clock()
        while True:
            with self.engine.connect() as conn:
                state = receiver_state(conn, own.receiver)
                if state.state == "disabled" or (state.next_try is not None and state.next_try > now):
                    return ()
                rows = due_messages(conn, own.receiver, now, PAGE)
                openings = [row for row in rows if row.kind == "open"]
                told = told_since(conn, own.receiver, now - BURST_TIME) if openings else 0
            if not self.is_bursting or len(openings) <= BURST:
                break
            self._summarise(own, now)
        if self.is_bursting and told + len(openings) > BURST:
            # A few more than a minute may have wait until it is over, or until they are many.
            rows = [row for row in rows if row.kind != "open"]
        return rows[:1] if state.failures else rows

    def _summarise(self, own: Ownership, now: datetime) -> None:
        """Let one summary for each address carry the openings that are due."""
        with owned(self.engine, own) as conn:
            rows = [row for row in due_messages(conn, own.receiver, now, LARGEST_BUNDLE) if row.kind == "open"]
            for _, same in groupby(sorted(rows, key=lambda row: row.address), key=lambda row: row.address):
                bundle(conn, own.receiver, "summary", [*same], now)

    def _try(self, own: Ownership, due: Due) -> bool:
        """
        Try to send a message once; return whether the next one can be tried.

        A digest or a summary that carries nothing any more is dropped: its alerts have ended, or were given up. A
        message that cannot be worded is given up; of a digest or summary that cannot, the messages in it that cannot,
        or else the whole.
        """
        try:
            message = self._worded(due)
        except UNAVAILABLE:
            raise
        except Exception as problem:  # noqa: BLE001 - a message that cannot be worded must not end the others
            for bad, fault in self._unwordable(due) or [(due, fault_of(problem))]:
                self._give_up(own, bad, fault)
            return True
        if message is None:
            with owned(self.engine, own) as conn:
                drop(conn, own.receiver, [(due.number, EMPTY)])
            return True
        with owned(self.engine, own) as conn:
            is_waiting = begin_try(conn, due, self.clock(), message.stored)
        if not is_waiting:
            return True
        attempt = self._sent(message)
        now = self.clock()
        with owned(self.engine, own) as conn:
            before = receiver_state(conn, own.receiver)
            result, state = after(due, attempt, before, now)
            finish_try(conn, due, now, result)
            put_state(conn, with_given_up(state, due.kind, now) if result.state == "given_up" else state)
        log = logger.info if attempt.outcome == "delivered" else logger.warning
        log("message_tried", receiver=own.receiver, number=due.number, outcome=attempt.outcome, answer=attempt.answer)
        return attempt.outcome in {"delivered", "rejected", "impossible"}

    def _worded(self, due: Due) -> Message | None:
        """Return the message of *due* with the bytes to repeat, if it has some; None: all its alerts have ended."""
        with self.engine.connect() as conn:
            message = self.composer.message(conn, due)
        return message and message._replace(stored=message.stored or self.channel.compose(message))

    def _sent(self, message: Message) -> Attempt:
        try:
            return self.channel.send(message)
        except Exception as problem:  # noqa: BLE001 - as above. The receiver may have the whole message.
            return Attempt("rejected", fault_of(problem), sent_whole=True)

    def _unwordable(self, due: Due) -> list[tuple[Due, str]]:
        """Return the messages that the digest or summary *due* carries and that cannot be worded, with the faults."""
        with self.engine.connect() as conn:
            rows = members(conn, due.receiver, due.number) if due.kind in BUNDLES else []
        faults = []
        for row in rows:
            try:
                self._worded(row)
            except UNAVAILABLE:
                raise
            except Exception as problem:  # noqa: BLE001 - as above
                faults.append((row, fault_of(problem)))
        return faults

    def _give_up(self, own: Ownership, due: Due, fault: str) -> None:
        """Give up a message that cannot be worded. If the result of an earlier try is not known, it stays told."""
        now = self.clock()
        with owned(self.engine, own) as conn:
            begin_try(conn, due, now, None)
            finish_try(conn, due, now, Result("given_up", fault, is_told=False, why="not worded"))
            put_state(conn, with_given_up(receiver_state(conn, own.receiver), due.kind, now))
        logger.error("message_not_worded", receiver=own.receiver, number=due.number, fault=fault)


def after(due: Due, attempt: Attempt, before: ReceiverState, now: datetime) -> tuple[Result, ReceiverState]:
    """Return what *attempt* makes of a message and of the state *before* of its receiver."""
    waiting = Result("queued", attempt.answer, attempt.sent_whole)
    well = in_state(before, "ok", now)._replace(failures=0, next_try=None, last_answer=attempt.answer)
    failed = before._replace(failures=before.failures + 1, last_answer=attempt.answer)
    pause = timedelta(seconds=attempt.retry_after_seconds) if attempt.retry_after_seconds else _pause(before.failures)
    last = due.tries + 1 > len(PAUSES)
    given_up = waiting._replace(state="given_up", why=f"given up after {due.tries + 1} tries")
    match attempt.outcome:
        case "delivered":
            delivered = waiting._replace(state="delivered", is_told=True)
            return delivered._replace(reference=attempt.reference, takes_place=attempt.takes_place), well
        case "impossible":
            return waiting._replace(state="given_up", why="refused for good"), well
        case "rejected":
            return given_up if last else waiting._replace(not_before=now + _pause(due.tries)), well
        case "failed":
            failing = in_state(failed, "failing", now)._replace(next_try=now + pause)
            return given_up if last else waiting, failing
        case "gone":
            return waiting._replace(counts=False), in_state(failed, "disabled", now)
        case "refused":
            return waiting._replace(counts=False), in_state(failed, "refused", now)._replace(next_try=now + pause)
        case _:
            assert_never(attempt.outcome)


def in_state(state: ReceiverState, name: str, now: datetime) -> ReceiverState:
    """Return *state* under another name from *now* on, or as it is if it has that name already."""
    return state if state.state == name else state._replace(state=name, since=now)


def _pause(failures: int) -> timedelta:
    """Return the pause after *failures* earlier failures."""
    return PAUSES[min(failures, len(PAUSES) - 1)] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
