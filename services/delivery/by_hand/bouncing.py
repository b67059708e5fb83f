"""The bounce of a mail, which a person records: the address did not get the message."""

from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Engine

from projections.tables.delivery.again import BOUNCED, Past, carriers, record_bounce
from projections.tables.delivery.by_hand import locked


class Bounce(NamedTuple):
    """
    The result of recording a bounce.

    Attributes:
        outcome: *recorded*; *already*: it was recorded before; *not sent*: no mail of the notice was sent to the
            address.
        addresses: the addresses to which a mail of the notice was sent, or was to be sent.
        dropped: the number of messages that wait and are not sent now.
    """

    outcome: Literal["recorded", "already", "not sent"]
    addresses: list[str]
    dropped: int = 0


def bounce(engine: Engine, notice_id: str, address: str, now: datetime) -> Bounce:
    """Record that the last mail of a notice to *address* bounced, at each receiver that has the address."""
    with engine.connect() as conn:
        rows = [row for row in carriers(conn, notice_id) if row.address]
    addresses = sorted({row.address for row in rows})
    own = [row for row in rows if row.address.casefold() == address.casefold()]
    count, dropped = 0, 0
    for name in sorted({row.receiver for row in own}):
        with locked(engine, name) as conn:
            mails = [row for row in carriers(conn, notice_id) if row.receiver == name] if conn is not None else []
            mails = [row for row in mails if _is_out(row, address)]
            if conn is not None and mails:
                dropped += record_bounce(conn, max(mails, key=lambda row: row.number), now)
                count += 1
    if count:
        return Bounce("recorded", addresses, dropped)
    return Bounce("already" if any(row.why == BOUNCED for row in own) else "not sent", addresses)


def _is_out(row: Past, address: str) -> bool:
    """Return whether a mail was sent whole to *address*, or may have been, and no bounce is recorded."""
    return row.is_told and row.address.casefold() == address.casefold()
