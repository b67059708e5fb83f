"""What a batch asks of the database, and what it does not."""

from typing import Any

from sqlalchemy import event

from tests.support.builders import database, detained, project, projector, suspended


def test_histories_are_looked_up_and_not_searched_for() -> None:
    """However long the ledger is: SQLite must find people by their index, not walk the partition."""
    held = projector(engine := database())
    project(held, [suspended("2022-03-01", subject="a"), suspended("2022-03-01", subject="b")])
    plans: list[str] = []

    def explain(_conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT ledger.subject_id"):
            plans.extend(row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    event.listen(engine, "before_cursor_execute", explain)
    project(held, [detained("2022-04-01", subject="c")])
    event.remove(engine, "before_cursor_execute", explain)

    assert any("ix_ledger_subject_id" in step for step in plans)
    assert not any("SCAN ledger" in step or "sqlite_autoindex_ledger" in step for step in plans)


def test_of_somebody_new_nothing_is_looked_up_but_facts() -> None:
    """There are none, so there is nothing that was concluded of them, and nothing to clear."""
    held = projector(engine := database())
    told: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        told.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    project(held, [suspended("2022-03-01", subject="c")])
    event.remove(engine, "before_cursor_execute", note)

    assert any(statement.startswith("SELECT ledger.subject_id") for statement in told)
    assert not any(statement.startswith("DELETE") or "FROM alerts" in statement for statement in told)
