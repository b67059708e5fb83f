"""The messages about an alert or a notice, as a table: the address, the instant, the state and the reason."""

from collections.abc import Iterator
from itertools import islice

from projections.queries.deliveries import DeliveryJson

from .layout import Column, show
from .output import say

COLUMNS = (
    Column("receiver", 0),
    Column("address", 1, below=True),
    Column("kind", 2),
    Column("state", 0),
    Column("why", 3, below=True, least=24),
    Column("told_at", 4, below=True),
    Column("decided_at", 8, below=True),
    Column("tries", 7, below=True),
    Column("last_answer", 5, below=True, least=24),
    Column("notice_id", 6, below=True),
    Column("carried_by", 9, below=True),
)
TABLE_ROWS = 1000


def show_deliveries(rows: Iterator[DeliveryJson], limit: int | None) -> int:
    """
    Print the first *limit* messages, and a message if there are more; return the number that was printed.

    Without a limit, a table has `TABLE_ROWS` rows at most: it is laid out in memory.
    """
    most = TABLE_ROWS if limit is None else limit
    names = [column.title for column in COLUMNS]
    cells = ([str("" if row[name] is None else row[name]) for name in names] for row in islice(rows, most))  # type: ignore[literal-required]
    shown = show(COLUMNS, cells)
    if limit is None and next(rows, None) is not None:
        say(
            f"the first {shown} messages are shown; `casetrail delivery show --json` prints all, --limit another number"
        )
    return shown
