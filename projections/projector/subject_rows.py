"""The rows of people that differ from the written ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Delete, Table, delete

from events.text import search_form
from projections.alerts.alert import Change
from projections.alerts.subject_state import SubjectState
from projections.tables.database import in_values
from projections.tables.part_rows import WrittenParts, changed_part_rows
from projections.tables.rows import change_row, subject_row
from projections.tables.schema import Conclusions
from projections.tables.timers import Timers
from projections.tables.write_batch import WriteBatch


@dataclass
class CachedSubject:
    """
    A person in memory, and the contents of the tables as far as this process knows them.

    Args:
        state: the state.
        position: (partition, offset) of the last fact.
        written_due: the timer in the tables.
        names: the spellings in the tables; None: not knwrites.
        parts: the rows of parts in the tables; None: not knwrites.
        size: the number of facts when the person was last kept.
    """

    state: SubjectState
    position: tuple[int, int]
    written_due: datetime | None = None
    names: dict[str, None] | None = None
    parts: WrittenParts | None = None
    size: int = 0


def put_rows(
    subjects: Iterable[CachedSubject], tables: Conclusions, dialect: str, timers: Timers, writes: WriteBatch
) -> None:
    """
    Add to *writes* the row of each of *subjects*, and the other rows that differ from the written ones.

    All of them are regarded as written.

    Args:
        subjects: the people.
        tables: the tables of conclusions.
        dialect: the database's.
        timers: the partition's, which learn of every timer that moved.
        writes: the writes of the transaction.
    """
    part_tables, deleting = _statements(dialect, tables)
    names = writes.rows.setdefault((tables.names, False), [])
    people = writes.rows.setdefault((tables.subjects, True), [])
    for subject in subjects:
        state = subject.state
        status, history, subject_id = state.fold.status, state.fold.history, state.subject_id
        agreeing = history.agreeing()
        people.append(subject_row(subject_id, status, history, agreeing, subject.position, state.due))
        if subject.written_due != state.due:
            timers.moved(subject.written_due, state.due)
            subject.written_due = state.due
        fold = (status, history.regrouped)
        changed, subject.parts = changed_part_rows(subject_id, fold, agreeing, part_tables, subject.parts)
        for table, rows, is_deleted in changed:
            writes.rows.setdefault((table, True), []).extend(rows)
            if is_deleted:
                writes.deletes.setdefault(deleting[table], []).append(subject_id)
        if subject.names is None or not subject.names.keys() <= status.names.keys():
            writes.deletes.setdefault(deleting[tables.names], []).append(subject_id)
            subject.names = {}
        if len(subject.names) < len(status.names):
            names += [(subject_id, name, search_form(name)) for name in status.names if name not in subject.names]
            subject.names = dict(status.names)
        lifecycle = state.lifecycle
        if lifecycle.touched:
            alerts = [lifecycle.alerts[alert_id] for alert_id in lifecycle.touched]
            writes.rows.setdefault((tables.alerts, True), []).extend(alerts)
            changes = [change_row(change) for change in lifecycle.changes if isinstance(change, Change)]
            writes.rows.setdefault((tables.alert_changes, False), []).extend(changes)
            lifecycle.touched = set()
        writes.changes += lifecycle.changes
        lifecycle.changes = []


@cache
def _statements(dialect: str, tables: Conclusions) -> tuple[tuple[Table, ...], Mapping[Table, Delete]]:
    """
    Return the tables of parts, and the statements that delete the rows of people, by table.

    They are built once, as every batch executes them.
    """
    parts = tables.parts
    statements = {
        table: delete(table).where(in_values(dialect, table.c.subject_id)) for table in (tables.names, *parts)
    }
    return parts, statements
