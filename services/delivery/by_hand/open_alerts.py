"""The alerts that are open, sent to a receiver that was not told of them, such as a new one."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Engine

from projections.tables.delivery.again import Queued, past_of_receiver, send_again
from projections.tables.delivery.by_hand import locked
from projections.tables.delivery.messages import messages_of_alerts, write_down
from projections.tables.outbox import Outgoing, last_openings
from services.delivery.config.model import DeliveryConfig, Receiver
from services.delivery.planning import Planner, Undecidable, deciding, new_messages
from services.delivery.routing.decide import decide
from services.delivery.surroundings import notices_of, surroundings

from .sending_again import Again, Refusal

PAGE_ROWS = 200


def resend_open(engine: Engine, config: DeliveryConfig, receiver: Receiver, now: datetime) -> Again | None:
    """
    Write down the openings of all alerts that are open and that a route to *receiver* fits, as if they opened now.

    An address that was told of an alert, or has its message waiting, is left out. A notifier sends the messages.

    Returns:
        the messages, and the notices that cannot be decided on; None if no notifier has ever served the receiver.
    """
    with locked(engine, receiver.name) as conn:
        if conn is None:
            return None
        rows = last_openings(conn)
        pages = [rows[start : start + PAGE_ROWS] for start in range(0, len(rows), PAGE_ROWS)]
        planner = Planner(engine, config, receiver)
        return _joined(_resend_page(conn, planner, page, now) for page in pages)


def _resend_page(conn: Connection, planner: Planner, rows: list[Outgoing], now: datetime) -> Again:
    name = planner.receiver.name
    try:
        with deciding(conn):
            return Again([(name, address) for address in _resend(conn, planner, rows, now)], [])
    except Undecidable as problem:
        if len(rows) > 1:
            return _joined(_resend_page(conn, planner, [row], now) for row in rows)
        return Again([], [Refusal(name, "", f"the notice {rows[0].notice_id} cannot be decided on: {problem}")])


def _joined(parts: Iterable[Again]) -> Again:
    again = Again([], [])
    for part in parts:
        again.queued.extend(part.queued)
        again.refused.extend(part.refused)
    return again


def _resend(conn: Connection, planner: Planner, rows: list[Outgoing], now: datetime) -> list[str]:
    around, name = surroundings(conn), planner.receiver.name
    notices = notices_of(conn, rows)
    earlier = [*messages_of_alerts(conn, name, {notice.alert_id for notice in notices if notice.alert_id})]
    has = {(row.key, row.address) for row in earlier if row.is_told or row.is_waiting}
    new = []
    for notice in notices:
        decision = decide(notice, planner.audience(notice, around, now), [], now)
        new += [message for message in new_messages(notice, decision) if (notice.alert_id, message.address) not in has]
    # A message that was given up has its row, and is sent again under its id.
    past = past_of_receiver(conn, name, {message.notice_id for message in new})
    again = [(message, past.get((message.address, message.notice_id))) for message in new]
    write_down(conn, name, [message for message, row in again if row is None], now)
    send_again(conn, [(row, Queued(own.state, own.why, own.not_before)) for own, row in again if row], now)
    return [message.address for message in new]
