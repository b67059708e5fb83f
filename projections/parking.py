"""The records that are parked: which still are, and what they held."""

from typing import Any

from sqlalchemy import Select, func, not_, select, text

from .ledger import LogRecord
from .tables import NamedRow, ledger

# In the words of the partial indexes, which SQLite does not use for anything that merely implies them.
TROUBLED = text("ledger.outcome in ('parked', 'conflict')")
LATER_AFTERWARDS = text("later.entry in ('replay', 'dismissal')")


def still_parked(partition: int | None = None, code: str = "", *, dismissed: bool = False) -> Select[Any]:
    """
    Return the query of the ledger rows whose record is parked still, in the order in which they were.

    Args:
        partition: of this one only; all if None.
        code: reasons that begin so.
        dismissed: those too that somebody dismissed.
    """
    later = ledger.alias("later")
    superseded = (
        select(later.c.seq)
        .where(
            later.c.partition == ledger.c.partition,
            later.c.log_offset == ledger.c.log_offset,
            LATER_AFTERWARDS,
            later.c.entry.in_(["replay"] if dismissed else ["replay", "dismissal"]),
            later.c.seq > ledger.c.seq,
        )
        .exists()
    )
    query = select(ledger).where(
        TROUBLED, ledger.c.outcome == "parked", ledger.c.entry != "dismissal", not_(superseded)
    )
    if partition is not None:
        query = query.where(ledger.c.partition == partition)
    return query.where(func.coalesce(ledger.c.reason, "").startswith(code)).order_by(ledger.c.partition, ledger.c.seq)


def record_of(row: NamedRow) -> LogRecord:
    """Return the record that a row of the ledger tells of."""
    position = (row["topic"], row["partition"], row["log_offset"])
    return LogRecord(*position, row["stamped"], row["key"], row["headers"], row["value"])
