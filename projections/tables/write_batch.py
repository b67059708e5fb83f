"""The rows that a transaction writes, collected first, so that each table gets one statement for all writers."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Delete, Table

from .bulk import store
from .database import values_parameter

if TYPE_CHECKING:
    from projections.alerts.alert import Change
    from projections.alerts.clearing import Clearing


class WriteBatch:
    """
    The rows to delete and to store, in this order.

    Call `write` before a query that may concern these rows, and before another version of a row is added.

    Attributes:
        deletes: the people to delete rows of, by the statement that deletes them.
        rows: the rows to store, by the table and whether they replace rows with the same keys.
        changes: the changes of alerts, and clearings, each alert's and each person's in their order, for the notices.
    """

    def __init__(self) -> None:
        self.deletes: dict[Delete, list[str]] = {}
        self.rows: dict[tuple[Table, bool], list[Sequence[Any]]] = {}
        self.changes: list[Change | Clearing] = []

    def add(self, table: Table, rows: Iterable[Sequence[Any]], *, replace: bool = False) -> None:
        """Add *rows* for *table*, as `store` takes them."""
        self.rows.setdefault((table, replace), []).extend(rows)

    def move_from(self, other: "WriteBatch") -> None:
        """Add the deletes, rows and changes of *other*, and remove them there."""
        for statement, subject_ids in other.deletes.items():
            self.deletes.setdefault(statement, []).extend(subject_ids)
        for key, rows in other.rows.items():
            self.rows.setdefault(key, []).extend(rows)
        self.changes.extend(other.changes)
        other.deletes, other.rows, other.changes = {}, {}, []

    def write(self, conn: Connection) -> None:
        """Delete and store all rows, and forget them."""
        deletes, rows = self.deletes, self.rows
        self.deletes, self.rows = {}, {}
        for statement, subject_ids in deletes.items():
            if subject_ids:
                conn.execute(statement, values_parameter(conn, subject_ids))
        for (table, replace), table_rows in rows.items():
            store(conn, table, table_rows, replace=replace)
