"""
The planner of a receiver: decides on the notices of the outbox, and writes the decisions down.

It moves the receiver's place in the outbox in the same transaction, so that each notice is decided on once.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, cast

import structlog
from sqlalchemy import Connection, Engine

from projections.tables.database import UNAVAILABLE
from projections.tables.delivery.messages import (
    ENDS,
    NewMessage,
    Written,
    drop,
    messages_about,
    messages_of_alerts,
    stop_reminders,
    write_down,
)
from projections.tables.delivery.ownership import Ownership, owned
from projections.tables.delivery.tries import put_state, receiver_state, with_given_up
from projections.tables.outbox import Outgoing, move_cursor, notices_of_cursor, unsent
from services.delivery.config.model import DeliveryConfig, Receiver
from services.delivery.routing.decide import ENDED_FIRST, Audience, Decision, Earlier, decide
from services.delivery.routing.notice import Notice
from services.delivery.routing.routes import fitting_routes
from services.delivery.routing.silence import is_silenced
from services.runtime.fault import fault_of

from .surroundings import Surroundings, addresses_of, next_digest, notices_of, surroundings

if TYPE_CHECKING:
    from services.delivery.message import MessageKind

PAGE_ROWS = 200

NOT_DECIDED = "not decided on"

logger = structlog.get_logger()


class Undecidable(Exception):
    """A notice cannot be decided on; its text is the fault."""


@contextmanager
def deciding(conn: Connection) -> Iterator[None]:
    """
    Undo the writes inside, if a notice cannot be decided on: one must not keep people from being told of the others.

    Raises:
        Undecidable: in place of any error but those of a database that is away.
    """
    try:
        with conn.begin_nested():
            yield
    except UNAVAILABLE:
        raise
    except Exception as problem:
        raise Undecidable(fault_of(problem)) from problem


class Planner:
    """
    Plans the messages of one receiver.

    Args:
        engine: the database.
        config: the configuration.
        receiver: the receiver.
    """

    def __init__(self, engine: Engine, config: DeliveryConfig, receiver: Receiver) -> None:
        self.engine = engine
        self.config = config
        self.receiver = receiver

    def plan(self, own: Ownership, now: datetime) -> bool:
        """
        Decide on the next notices of each partition; return whether more may wait.

        Raises:
            ReceiverLost: if another notifier has taken the receiver over.
            SQLAlchemyError: if the database failed.
        """
        with self.engine.connect() as conn:
            if all(cursor.sent == cursor.last for cursor in unsent(conn, own.receiver)):
                return False
        is_full = False
        with owned(self.engine, own) as conn:
            around = surroundings(conn)
            for cursor in unsent(conn, own.receiver):
                rows = notices_of_cursor(conn, cursor, PAGE_ROWS)
                if rows:
                    self._decide_all(conn, rows, around, now)
                is_full |= len(rows) == PAGE_ROWS
                last = rows[-1].n if len(rows) == PAGE_ROWS else cursor.last
                move_cursor(conn, own.receiver, cursor, last, now)
        return is_full

    def audience(self, notice: Notice, around: Surroundings, now: datetime) -> Audience:
        """Return the addresses of the receiver, as *notice* meets them."""
        return Audience(
            addresses_of(self.receiver),
            around.muted,
            tuple(fitting_routes(self.config, self.receiver.name, notice)),
            is_silenced(notice, around.silences, now),
            next_digest(self.receiver, now),
        )

    def _decide_all(self, conn: Connection, rows: Sequence[Outgoing], around: Surroundings, now: datetime) -> None:
        """Decide on the notices *rows*. One that cannot be decided on is given up, and the others go on."""
        try:
            with deciding(conn):
                for run in runs(notices_of(conn, rows)):
                    self._decide(conn, run, around, now)
        except Undecidable as problem:
            if len(rows) > 1:
                for row in rows:
                    self._decide_all(conn, [row], around, now)
            else:
                self._give_up(conn, rows[0], str(problem), now)

    def _give_up(self, conn: Connection, row: Outgoing, fault: str, now: datetime) -> None:
        """
        Write down that a notice could not be decided on, for each address that it may concern.

        An end drops the messages that wait all the same: nobody is told of an opening after the end.
        """
        name = self.receiver.name
        logger.error("notice_not_decided", receiver=name, notice=row.notice_id, fault=fault)
        kind = _kind(row)
        if kind == "acknowledged":
            return  # it is for nobody
        if row.alert_id:
            earlier = [*messages_of_alerts(conn, name, [row.alert_id])]
        else:
            earlier = [*messages_about(conn, name, [row.subject_id] if row.subject_id else [])]
        if kind in ENDS and row.alert_id:
            drop(conn, name, [(message.number, ENDED_FIRST) for message in earlier if message.is_waiting])
            stop_reminders(conn, name, [row.alert_id])
        addresses = dict.fromkeys([*addresses_of(self.receiver), *(message.address for message in earlier)])
        write_down(conn, name, [_undecided(row, kind, address, fault) for address in addresses], now)
        put_state(conn, with_given_up(receiver_state(conn, name), kind, now))

    def _decide(self, conn: Connection, notices: Sequence[Notice], around: Surroundings, now: datetime) -> None:
        """Decide on *notices*, no two of which are of one alert or one person."""
        alerts = {notice.alert_id for notice in notices if notice.alert_id}
        people = {person for notice in notices if not notice.alert_id for person in notice.facets.subjects}
        earlier: dict[str, list[Earlier]] = {}
        name = self.receiver.name
        for row in (*messages_of_alerts(conn, name, alerts), *messages_about(conn, name, people)):
            earlier.setdefault(row.key, []).append(_earlier(row))
        new: list[NewMessage] = []
        for notice in notices:
            keys = [notice.alert_id] if notice.alert_id else sorted(notice.facets.subjects)
            own = [message for key in keys for message in earlier.get(key, ())]
            decision = decide(notice, self.audience(notice, around, now), own, now)
            drop(conn, name, decision.dropped)
            new += new_messages(notice, decision)
        write_down(conn, name, new, now)
        stop_reminders(conn, name, {notice.alert_id for notice in notices if notice.alert_id and notice.kind in ENDS})


def runs(notices: Iterable[Notice]) -> Iterator[list[Notice]]:
    """Yield *notices* in runs, in which no alert and no person has two: a decision depends on the one before."""
    run: list[Notice] = []
    keys: set[str] = set()
    for notice in notices:
        own = {notice.alert_id} if notice.alert_id else set(notice.facets.subjects)
        if own & keys:
            yield run
            run, keys = [], set()
        run.append(notice)
        keys |= own
    yield run


def _earlier(row: Written) -> Earlier:
    return Earlier(row.number, row.address, cast("MessageKind", row.kind), row.is_waiting, row.is_told, row.not_before)


def _kind(row: Outgoing) -> str:
    """Return the occasion of a notice that may be damaged."""
    if row.kind != "notice":
        return row.kind
    state = str((row.notice or {}).get("state"))
    return state if state in {"open", "acknowledged", *ENDS} else "change"


def _undecided(row: Outgoing, kind: str, address: str, fault: str) -> NewMessage:
    return NewMessage(
        address=address,
        notice_id=row.notice_id,
        kind=kind,
        alert_id=row.alert_id,
        partition=row.partition,
        n=row.n,
        sequence=row.n,
        state="given_up",
        people=[row.subject_id] if row.subject_id else [],
        why=f"{NOT_DECIDED}: {fault}",
    )


def new_messages(notice: Notice, decision: Decision) -> Iterator[NewMessage]:
    """Yield the messages of a *decision*, as they are written down."""
    for message in decision.messages:
        yield NewMessage(
            address=message.address,
            notice_id=notice.notice_id,
            kind=message.kind,
            alert_id=notice.alert_id,
            partition=notice.partition,
            n=notice.n,
            sequence=notice.n,
            state=message.state,
            people=sorted(notice.facets.subjects),
            why=message.why,
            not_before=message.not_before,
            remind_seconds=int(message.remind.total_seconds()) if message.remind else None,
        )
