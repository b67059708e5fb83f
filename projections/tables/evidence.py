"""The evidence of alerts across people, which is rows, so that evidence that grows is an insert."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Table, select

from .database import in_values, values_parameter


class EvidenceRow(NamedTuple):
    """A row of ``alert_evidence``. The fields are the columns, in their order."""

    alert_id: str
    fact_id: str
    subject_id: str
    n: int
    at: datetime | None


class Evidence(NamedTuple):
    """The facts in the evidence of an alert, in their order, and the people they are about, by subject_id."""

    fact_ids: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


NO_EVIDENCE = Evidence()


def evidence_rows(conn: Connection, table: Table, alert_ids: Iterable[str]) -> dict[str, dict[str, EvidenceRow]]:
    """Return the rows of the evidence of *alert_ids* in *table*, by alert and fact, in their order."""
    query = (
        select(table)
        .where(in_values(conn.dialect.name, table.c.alert_id))
        .order_by(table.c.alert_id, table.c.n, table.c.at.is_(None), table.c.at, table.c.fact_id)
    )
    rows: dict[str, dict[str, EvidenceRow]] = {}
    for row in conn.execute(query, values_parameter(conn, alert_ids)):
        rows.setdefault(row.alert_id, {})[row.fact_id] = EvidenceRow(*row)
    return rows


def evidence_of_alerts(conn: Connection, table: Table, alert_ids: Iterable[str]) -> dict[str, Evidence]:
    """Return the evidence of the alerts *alert_ids* in *table*, by the alert; those of one person have no rows."""
    return {
        alert_id: Evidence(tuple(rows), tuple(sorted({row.subject_id for row in rows.values()})))
        for alert_id, rows in evidence_rows(conn, table, alert_ids).items()
    }
