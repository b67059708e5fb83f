"""The alerts across people, as they are stored: read with their evidence, and written as far as they changed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select

from projections.alerts.alert import Alert, Change
from projections.tables.bulk import store
from projections.tables.database import in_values, values_parameter
from projections.tables.evidence import EvidenceRow, evidence_rows
from projections.tables.rows import alert_from_row, change_row
from projections.tables.schema import Conclusions

from .chain_entries import Acknowledgement

class Keeping:
    """
    The alerts of some windows or people in memory, during one step.

    Args:
        tables: the tables of conclusions.

    Attributes:
        changes: the changes so far, in their order.
    """

    def __init__(self, tables: Conclusions) -> None:
        self.tables = tables
        self.changes: list[Change] = []
        # The written rows of the evidence of the alerts that were read, by alert and fact.
        self._written: dict[str, dict[str, EvidenceRow]] = {}

    def of_group(self, conn: Connection, rule_id: str, group: str) -> list[Alert]:
        """Return the alerts of a rule about a group, in any state."""
        table = self.tables.alerts
        return self._read(conn, (table.c.rule == rule_id, table.c.group_key == group))

    def of_people(self, conn: Connection, rule_id: str, subject_ids: Iterable[str]) -> list[Alert]:
        """Return the alerts of a rule across people that are about one of *subject_ids*, in any state."""
        table = self.tables.alerts
        among = in_values(conn.dialect.name, table.c.subject_id)
        return self._read(conn, (among, table.c.rule == rule_id, table.c.across), values_parameter(conn, subject_ids))

    def by_ids(self, conn: Connection, alert_ids: Iterable[str]) -> list[Alert]:
        """Return the alerts *alert_ids* that exist."""
        table = self.tables.alerts
        among = in_values(conn.dialect.name, table.c.alert_id)
        return self._read(conn, (among,), values_parameter(conn, alert_ids))

    def write(
        self,
        conn: Connection,
        before: Mapping[str, Alert],
        after: Iterable[Alert],
        evidence: Mapping[str, Sequence[EvidenceRow]],
        changes: Iterable[Change],
    ) -> None:
        """
        Write alerts as far as they changed.

        Args:
            conn: a transaction that writes.
            before: the alerts as they were read, by id.
            after: the alerts as they are now.
            evidence: by alert, the rows of its evidence; an alert that is not in it keeps its rows.
            changes: the changes in their lives, in their order.
        """
        changed = [alert for alert in after if before.get(alert.alert_id) != alert]
        # The evidence is rows, so a long one is not written again with each fact.
        store(conn, self.tables.alerts, [alert._replace(evidence=()) for alert in changed], replace=True)
        table = self.tables.alert_evidence
        for alert in changed:
            rows = evidence.get(alert.alert_id)
            if rows is None:
                continue
            old, new = self._written.get(alert.alert_id, {}), {row[1]: row for row in rows}
            for fact_id in old.keys() - new.keys():
                conn.execute(delete(table).where(table.c.alert_id == alert.alert_id, table.c.fact_id == fact_id))
            store(conn, table, [row for fact_id, row in new.items() if old.get(fact_id) != row], replace=True)
            self._written[alert.alert_id] = new
        noted = [*changes]
        store(conn, self.tables.alert_changes, [change_row(change) for change in noted])
        self.changes += noted

    def _read(
        self, conn: Connection, conditions: Iterable[ColumnElement[bool]], parameters: Mapping[str, Any] | None = None
    ) -> list[Alert]:
        table = self.tables.alerts
        rows = conn.execute(select(table).where(*conditions).order_by(table.c.alert_id), parameters or {}).all()
        alerts = [alert_from_row(row._asdict()) for row in rows]
        written = evidence_rows(conn, self.tables.alert_evidence, [alert.alert_id for alert in alerts])
        self._written |= written
        return [alert._replace(evidence=tuple(written.get(alert.alert_id, ()))) for alert in alerts]


def acknowledge_alert(
    conn: Connection, tables: Conclusions, said: Acknowledgement
) -> tuple[list[Change], str | None]:
    """
    Acknowledge an alert across people, if it is open.

    Returns:
        the changes, and the person it is about; None: a group.
    """
    keeping = Keeping(tables)
    (alert,) = keeping.by_ids(conn, [said.alert_id])
    if alert.state == "open":
        seen = alert._replace(state="acknowledged", changes=alert.changes + 1, changed_at=said.at)
        change = Change(seen, said.at, "person", None, said.person, said.note)
        keeping.write(conn, {alert.alert_id: alert}, [seen], {}, [change])
    return keeping.changes, alert.subject_id
