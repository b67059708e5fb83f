"""The alerts that are open, sent to a receiver that was not told of them, such as a new one."""

from datetime import datetime

from sqlalchemy import Connection, Engine

from projections.tables.delivery.by_hand import locked
from projections.tables.delivery.messages import messages_of_alerts, write_down
from projections.tables.outbox import Outgoing, last_openings
from services.delivery.config.model import DeliveryConfig, Receiver

from .planning import Planner, new_messages
from .routing.decide import decide
from .surroundings import notices_of, surroundings

PAGE_ROWS = 200


def resend_open(engine: Engine, config: DeliveryConfig, receiver: Receiver, now: datetime) -> int | None:
    """
    Write down the openings of all alerts that are open and that a route to *receiver* fits, as if they opened now.

    An address that was told of an alert, or has its message waiting, is left out. A notifier sends the messages.

    Returns:
        the number of messages; None if no notifier has ever served the receiver.
    """
    with locked(engine, receiver.name) as conn:
        if conn is None:
            return None
        rows = last_openings(conn)
        pages = [rows[start : start + PAGE_ROWS] for start in range(0, len(rows), PAGE_ROWS)]
        return sum(_resend(conn, Planner(engine, config, receiver), page, now) for page in pages)


def _resend(conn: Connection, planner: Planner, rows: list[Outgoing], now: datetime) -> int:
    around, name = surroundings(conn), planner.receiver.name
    notices = notices_of(conn, rows)
    earlier = [*messages_of_alerts(conn, name, {notice.alert_id for notice in notices if notice.alert_id})]
    has = {(row.key, row.address) for row in earlier if row.is_told or row.is_waiting}
    new = []
    for notice in notices:
        decision = decide(notice, planner.audience(notice, around, now), [], now)
        new += [message for message in new_messages(notice, decision) if (notice.alert_id, message.address) not in has]
    write_down(conn, name, new, now)
    return len(new)
