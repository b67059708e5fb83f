"""A notice that a receiver gave up, or has already, queued again under the same id."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select

from projections.alerts.alert import STANDING
from projections.tables.delivery.again import (
    Past,
    Queued,
    is_told_about_people_of,
    is_told_of,
    later_message,
    past_messages,
    people_of,
    send_again,
)
from projections.tables.delivery.by_hand import locked
from projections.tables.delivery.messages import CLEARINGS, ENDS
from projections.tables.delivery.tries import receiver_state
from projections.tables.delivery.waiting import states_of
from projections.tables.outbox import notices_at
from projections.tables.schema import LIVE
from services.delivery.config.model import DeliveryConfig, Receiver
from services.delivery.planning import NOT_DECIDED, Planner, Undecidable, deciding
from services.delivery.routing.decide import DIGEST, IN_DIGESTS, SILENCE
from services.delivery.routing.silence import is_silenced
from services.delivery.surroundings import Surroundings, addresses_of, next_digest, notices_of, surroundings

_OPENINGS = frozenset({"open", "change", "reminder"})


class Refusal(NamedTuple):
    """A receiver and an address (empty: all) to which nothing is sent again, and the reason."""

    receiver: str
    address: str
    why: str


class Again(NamedTuple):
    """The messages of a notice that were queued again, each a receiver and an address, and those that were not."""

    queued: list[tuple[str, str]]
    refused: list[Refusal]


def resend_notice(engine: Engine, config: DeliveryConfig, notice_id: str, receiver: str | None, now: datetime) -> Again:
    """
    Queue a notice again for each receiver that gave it up; *receiver*, if it is named, may also have it already.

    A receiver that is named has messages of the notice. No address is told of an opening after the end, or of an end
    without the opening.
    """
    with engine.connect() as conn:
        rows = past_messages(conn, notice_id)
    names = [receiver] if receiver else sorted({row.receiver for row in rows if row.state == "given_up"})
    again = Again([], [])
    for name in names:
        if name not in config.receivers:
            again.refused.append(Refusal(name, "", "it is not in delivery.yaml any more"))
            continue
        with locked(engine, name) as conn:
            assert conn is not None, "a notifier has served a receiver with messages"
            own = [row for row in past_messages(conn, notice_id) if row.receiver == name]
            planner = Planner(engine, config, config.receivers[name])
            _resend(conn, planner, _chosen(own, may_have_it=receiver is not None), again, now)
    if not again.queued and not again.refused:
        # Two commands at once: the caller saw it given up, and by now it is not.
        receivers = sorted({row.receiver for row in rows})
        again.refused.extend(Refusal(name, "", "it is being sent again already") for name in receivers)
    return again


def _chosen(rows: list[Past], *, may_have_it: bool) -> list[Past]:
    """Return the messages that were given up; if none was, and the receiver may have it already, the delivered ones."""
    given_up = [row for row in rows if row.state == "given_up"]
    if given_up or not may_have_it:
        return given_up
    return [row for row in rows if row.state == "delivered"] or rows


def _resend(conn: Connection, planner: Planner, rows: Iterable[Past], again: Again, now: datetime) -> None:
    """Queue *rows* again, and add the results to *again*."""
    receiver = planner.receiver
    if receiver_state(conn, receiver.name).state == "disabled":
        why = f"it is disabled (`casetrail delivery enable {receiver.name}`)"
        again.refused.append(Refusal(receiver.name, "", why))
        return
    around = surroundings(conn)
    messages = []
    for row in rows:
        reasons = chain(_reasons(conn, receiver, row, around), _reasons_of_undecided(conn, planner, row, around, now))
        why = next(reasons, "")
        if why:
            again.refused.append(Refusal(row.receiver, row.address, why))
        else:
            again.queued.append((row.receiver, row.address))
            messages.append((row, _queued(conn, receiver, row, around, now)))
    send_again(conn, messages, now)


def _reasons(conn: Connection, receiver: Receiver, row: Past, around: Surroundings) -> Iterator[str]:
    """Yield the reasons for which a message must not be sent again."""
    if row.state in {"queued", "held"}:
        yield f"it waits already ({row.state}{f': {row.why}' if row.why else ''})"
    if row.state == "dropped":
        yield f"it was dropped: {row.why}"
    if row.kind in _OPENINGS:
        yield from _reasons_of_opening(conn, receiver, row, around)
    elif row.kind in ENDS:
        state = _state(conn, row)
        if state != row.kind:
            yield f"the alert is {state} now (`casetrail delivery show {row.alert_id}`)"
        if not is_told_of(conn, row.receiver, row.address, row.alert_id):
            yield "it was not told of the opening, and so is told of no end"
    elif row.kind in CLEARINGS:
        if _is_cleared(conn, people_of(conn, row)) != (row.kind == "cleared"):
            yield "the presumption of the person has changed since"
        if not is_told_about_people_of(conn, row):
            yield "it was told of no alert about the person"


def _reasons_of_opening(conn: Connection, receiver: Receiver, row: Past, around: Surroundings) -> Iterator[str]:
    state = _state(conn, row)
    if state not in STANDING:
        advice = f"`casetrail delivery show {row.alert_id}` shows who is told of that"
        yield f"the alert is {state}, and nobody is accused again of what has ended ({advice})"
    if later := later_message(conn, row):
        yield f"a later notice replaces it (`casetrail delivery resend {later}`)"
    if not is_told_of(conn, row.receiver, row.address, row.alert_id):
        if row.address not in addresses_of(receiver):
            yield "the address is not in delivery.yaml any more"
        if row.address.casefold() in around.muted:
            yield f"the address is muted (`casetrail delivery unmute {row.address}`)"


def _reasons_of_undecided(
    conn: Connection, planner: Planner, row: Past, around: Surroundings, now: datetime
) -> Iterator[str]:
    """Yield the reasons against a notice that was not decided on: it was for each address that it might concern."""
    if row.partition is None or row.n is None or not (row.why or "").startswith(NOT_DECIDED):
        return
    try:
        with deciding(conn):
            (notice,) = notices_of(conn, [*notices_at(conn, [(row.partition, row.n)]).values()])
            routes = planner.audience(notice, around, now).routes
    except Undecidable as problem:
        yield f"it cannot be decided on: {problem}"
        return
    if not routes and row.kind in _OPENINGS and not is_told_of(conn, row.receiver, row.address, row.alert_id):
        yield "no route sends it there"


def _queued(conn: Connection, receiver: Receiver, row: Past, around: Surroundings, now: datetime) -> Queued:
    """Return the state in which a message waits: a silence holds an opening, and a digest carries what it would."""
    if row.kind in {"open", "reminder"} and row.partition is not None and row.n is not None:
        (notice,) = notices_of(conn, [*notices_at(conn, [(row.partition, row.n)]).values()])
        if is_silenced(notice, around.silences, now):
            return Queued("held", SILENCE)
    digest_at = next_digest(receiver, now) if row.kind in IN_DIGESTS else None
    return Queued(why=DIGEST, not_before=digest_at) if digest_at else Queued()


def _state(conn: Connection, row: Past) -> str:
    return states_of(conn, [row.alert_id or ""]).get(row.alert_id or "", "not known")


def _is_cleared(conn: Connection, subject_ids: Iterable[str]) -> bool:
    subjects = LIVE.subjects.c
    standing = conn.scalars(select(subjects.presumption).where(subjects.subject_id.in_([*subject_ids])))
    return "cleared" in {*standing}
