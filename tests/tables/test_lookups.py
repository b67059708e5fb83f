"""The queries of a batch."""

from typing import Any

from sqlalchemy import event

from tests.support.builders import database, detained, project, projector, suspended


def test_histories_are_found_by_an_index() -> None:
    """SQLite must find people by their index and not scan the partition, which may be long."""
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


def test_a_new_person_needs_a_query_for_facts_only() -> None:
    """A person without facts has no conclusions either, so there are no rows to read or to delete."""
    held = projector(engine := database())
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    project(held, [suspended("2022-03-01", subject="c")])
    event.remove(engine, "before_cursor_execute", note)

    assert any(statement.startswith("SELECT ledger.subject_id") for statement in statements)
    assert not any(statement.startswith("DELETE") or "FROM alerts" in statement for statement in statements)
