"""The alerts across people, as they are stored: read with their evidence, and written as far as they changed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid5

from sqlalchemy import ColumnElement, Connection, delete, select

from projections.alerts.alert import NAMESPACE, STANDING, Alert, Change, Trigger
from projections.alerts.steps import AlertStep, acknowledged, continued, superseded
from projections.tables.across import EvidenceRow, evidence_rows
from projections.tables.bulk import store
from projections.tables.database import in_values, values_parameter
from projections.tables.rows import alert_from_row, change_row
from projections.tables.schema import Conclusions

from .chain_entries import Acknowledgement


class Interrupted:
    """
    The alerts that a change of rules superseded, until the other version finds their pattern for the same anchor.

    Attributes:
        before: the alerts as they stood, by id.
        changes: the changes that superseded them, by id; one of an alert that continues is told to nobody.
    """

    def __init__(self) -> None:
        self.before: dict[str, Alert] = {}
        self.changes: dict[str, Change] = {}


class Sheet:
    """
    Some alerts during one step: as they are stored, and as they are now.

    Args:
        stored: the rows of their evidence, by alert and fact, in the order of the alerts.
        alerts: the alerts.
        interrupted: the alerts that the change of rules superseded, if one is under way.

    Attributes:
        alerts: the alerts as they are now, by id.
        changes: the changes in their lives, in their order.
    """

    def __init__(
        self, alerts: Iterable[Alert], stored: Mapping[str, Mapping[str, EvidenceRow]], interrupted: Interrupted
    ) -> None:
        self.alerts = {alert.alert_id: alert for alert in alerts}
        self.changes: list[Change] = []
        self._before = dict(self.alerts)
        self._stored = stored
        self._interrupted = interrupted
        self._evidence: dict[str, Sequence[EvidenceRow]] = {}

    def support(self, alert_id: str, rows: Sequence[EvidenceRow]) -> None:
        """Put other evidence in the place of that of an alert."""
        self._evidence[alert_id] = rows

    def keep(self, alert: Alert) -> None:
        """Put *alert* in place of itself, without a change in its life."""
        self.alerts[alert.alert_id] = alert

    def record(self, step: AlertStep) -> Alert:
        """Put an alert in its new state, record the change, and return the alert."""
        alert, change = step
        changed = alert._replace(changes=alert.changes + 1, changed_at=change.at)
        self.alerts[alert.alert_id] = changed
        self.changes.append(change._replace(alert=changed))
        return changed

    def open(self, step: AlertStep) -> Alert:
        """Record the opening of an alert; one that continues under other rules is told neither of its two changes."""
        alert_id = step[0].alert_id
        before = self._interrupted.before.pop(alert_id, None)
        if before is None:
            return self.record(step)
        if before.trial == step[0].trial:
            self._interrupted.changes[alert_id] = self._interrupted.changes[alert_id]._replace(told=False)
        return self.record(continued(step, before))

    def write(self, conn: Connection, tables: Conclusions) -> list[Change]:
        """Write the alerts that changed, their evidence and the changes; return the changes."""
        changed = [alert for alert in self.alerts.values() if self._before.get(alert.alert_id) != alert]
        # The evidence is rows, so a long one is not written again with each fact.
        store(conn, tables.alerts, [alert._replace(evidence=()) for alert in changed], replace=True)
        table = tables.alert_evidence
        for alert_id, rows in self._evidence.items():
            old, new = self._stored.get(alert_id, {}), {row.fact_id: row for row in rows}
            for fact_id in old.keys() - new.keys():
                conn.execute(delete(table).where(table.c.alert_id == alert_id, table.c.fact_id == fact_id))
            store(conn, table, [row for fact_id, row in new.items() if old.get(fact_id) != row], replace=True)
        store(conn, tables.alert_changes, [change_row(change) for change in self.changes])
        return self.changes


def of_group(conn: Connection, tables: Conclusions, rule_id: str, group: str, interrupted: Interrupted) -> Sheet:
    """Return the alerts of a rule about a group, in any state."""
    table = tables.alerts
    return _read(conn, tables, (table.c.rule == rule_id, table.c.group_key == group), None, interrupted)


def of_person(conn: Connection, tables: Conclusions, rule_id: str, subject_id: str, interrupted: Interrupted) -> Sheet:
    """Return the alerts of a rule across people that are about one person, in any state."""
    table = tables.alerts
    conditions = (table.c.subject_id == subject_id, table.c.rule == rule_id, table.c.across)
    return _read(conn, tables, conditions, None, interrupted)


def supersede_standing(conn: Connection, tables: Conclusions, rule_ids: Iterable[str], trigger: Trigger) -> Interrupted:
    """Supersede the standing alerts across people of rules that changed; `write_superseded` writes the changes."""
    table, interrupted = tables.alerts, Interrupted()
    conditions = (table.c.across, in_values(conn.dialect.name, table.c.rule), table.c.state.in_(sorted(STANDING)))
    sheet = _read(conn, tables, conditions, values_parameter(conn, rule_ids), interrupted)
    for alert in [*sheet.alerts.values()]:
        sheet.record(superseded(alert, trigger, "rule_changed"))
        interrupted.before[alert.alert_id] = alert
        interrupted.changes[alert.alert_id] = sheet.changes[-1]
    store(conn, table, [alert._replace(evidence=()) for alert in sheet.alerts.values()], replace=True)
    return interrupted


def write_superseded(conn: Connection, tables: Conclusions, interrupted: Interrupted) -> list[Change]:
    """Write the changes that superseded alerts, once it is known which of these continue; return the changes."""
    changes = [*interrupted.changes.values()]
    store(conn, tables.alert_changes, [change_row(change) for change in changes])
    return changes


def new_id(rule_id: str, anchor: str) -> str:
    """Return the id of an alert that opens with the fact *anchor*."""
    return str(uuid5(NAMESPACE, f"{rule_id} {anchor}"))


def is_taken(conn: Connection, tables: Conclusions, alert_id: str) -> bool:
    """Return whether there is an alert with an id."""
    return conn.scalar(select(tables.alerts.c.alert_id).where(tables.alerts.c.alert_id == alert_id)) is not None


def acknowledge_alert(conn: Connection, tables: Conclusions, said: Acknowledgement) -> tuple[list[Change], str | None]:
    """
    Acknowledge an alert across people, if it is open.

    Returns:
        the changes, and the person it is about; None: a group.
    """
    sheet = _read(conn, tables, (tables.alerts.c.alert_id == said.alert_id,), None, Interrupted())
    (alert,) = sheet.alerts.values()
    if alert.state == "open":
        sheet.record(acknowledged(alert, said.person, said.note, said.at))
    return sheet.write(conn, tables), alert.subject_id


def _read(
    conn: Connection,
    tables: Conclusions,
    conditions: Iterable[ColumnElement[bool]],
    parameters: Mapping[str, Any] | None,
    interrupted: Interrupted,
) -> Sheet:
    query = select(tables.alerts).where(*conditions).order_by(tables.alerts.c.alert_id)
    alerts = [alert_from_row(row._asdict()) for row in conn.execute(query, parameters or {})]
    stored = evidence_rows(conn, tables.alert_evidence, [alert.alert_id for alert in alerts])
    return Sheet(
        [alert._replace(evidence=tuple(stored.get(alert.alert_id, ()))) for alert in alerts], stored, interrupted
    )
