"""What a transaction is going to write: gathered first, so that a table is asked once, whoever writes to it."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Table

from projections.alerts.alert import Change

from .bulk import store
from .database import given


class Writes:
    """
    What is to be cleared and stored.

    Whoever looks in the database for what may be here, or has another version of a row that is here, writes it first.

    Attributes:
        cleared: whose rows which statement is to clear, before anything is stored.
        rows: what is to be stored in which table, and whether in the place of rows with the same keys.
        changes: of alerts, each alert's in order, for whoever tells them.
    """

    def __init__(self) -> None:
        self.cleared: dict[Delete, list[str]] = {}
        self.rows: dict[tuple[Table, bool], list[Sequence[Any]]] = {}
        self.changes: list[Change] = []

    def clear(self, statement: Delete, subject_ids: Iterable[str]) -> None:
        """Have *statement* clear the rows of *subject_ids*, before anything is stored."""
        self.cleared.setdefault(statement, []).extend(subject_ids)

    def put(self, table: Table, rows: Iterable[Sequence[Any]], *, replace: bool = False) -> None:
        """Have *rows* stored, as `store` does it."""
        self.rows.setdefault((table, replace), []).extend(rows)

    def tell(self, changes: Iterable[Change]) -> None:
        """Have *changes* of an alert told, in their order."""
        self.changes.extend(changes)

    def take(self, other: "Writes") -> None:
        """Take over what *other* has to clear and to store, which has nothing of it then."""
        for statement, subject_ids in other.cleared.items():
            self.clear(statement, subject_ids)
        for (table, replace), rows in other.rows.items():
            self.put(table, rows, replace=replace)
        other.cleared, other.rows = {}, {}

    def write(self, conn: Connection) -> None:
        """Clear and store all of it."""
        cleared, rows = self.cleared, self.rows
        self.cleared, self.rows = {}, {}
        for statement, subject_ids in cleared.items():
            if subject_ids:
                conn.execute(statement, given(conn, subject_ids))
        for (table, replace), of_table in rows.items():
            store(conn, table, of_table, replace=replace)
