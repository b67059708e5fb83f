"""The evidence of alerts across people, which is rows, so that evidence that grows is an insert."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Table, select

from .database import in_values, values_parameter


class Evidence(NamedTuple):
    """The facts in the evidence of an alert, in their order, and the people they are about, by subject_id."""

    fact_ids: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


NO_EVIDENCE = Evidence()


def evidence_of_alerts(conn: Connection, table: Table, alert_ids: Iterable[str]) -> dict[str, Evidence]:
    """Return the evidence of the alerts *alert_ids* in *table*, by the alert; those of one person have no rows."""
    query = (
        select(table.c.alert_id, table.c.fact_id, table.c.subject_id)
        .where(in_values(conn.dialect.name, table.c.alert_id))
        .order_by(table.c.alert_id, table.c.n, table.c.at, table.c.fact_id)
    )
    facts: dict[str, list[tuple[str, str]]] = {}
    for alert_id, fact_id, subject_id in conn.execute(query, values_parameter(conn, alert_ids)):
        facts.setdefault(alert_id, []).append((fact_id, subject_id))
    return {alert_id: _evidence(rows) for alert_id, rows in facts.items()}


def _evidence(rows: Sequence[tuple[str, str]]) -> Evidence:
    return Evidence(tuple(fact_id for fact_id, _ in rows), tuple(sorted({subject_id for _, subject_id in rows})))
