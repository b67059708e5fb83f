"""The alerts across people, as they are stored: read with their evidence, and written as far as they changed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, select

from projections.alerts.acknowledgement import Acknowledgement, Unacknowledgement
from projections.alerts.alert import STANDING, Alert, Change, Trigger, unworded
from projections.alerts.steps import AlertStep, ack_ended, acknowledged, continued, superseded, unacknowledged
from projections.tables.across import EvidenceRow, evidence_rows
from projections.tables.bulk import store
from projections.tables.database import in_values, values_parameter
from projections.tables.rows import alert_from_row, change_row
from projections.tables.schema import Conclusions

Owner = tuple[str, str | None, str | None]
"""A rule, and the person or the group that an alert is about."""

Rows = dict[str, EvidenceRow]
"""Evidence, by fact and in its order."""


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
        alerts: the alerts, in the order of their ids.
        interrupted: the alerts that the change of rules superseded, if one is under way.

    Attributes:
        alerts: the alerts as they are now, by id.
        changes: the changes in their lives, in their order.
    """

    def __init__(self, alerts: Iterable[Alert], interrupted: Interrupted) -> None:
        self.alerts = {alert.alert_id: alert for alert in alerts}
        self.changes: list[Change] = []
        self._before = dict(self.alerts)
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

    def write(self, desk: "Desk") -> list[Change]:
        """Put the alerts that changed, their evidence and the changes on *desk*; return the changes."""
        for alert in self.alerts.values():
            if self._before.get(alert.alert_id) != alert or alert.alert_id in self._evidence:
                desk.put(alert, self._evidence.get(alert.alert_id))
        desk.changes += self.changes
        return self.changes


class Desk:
    """
    The alerts across people during one transaction: each is read once, and written once at its end.

    Not longer: an acknowledgement may be written between two transactions.

    Args:
        conn: a transaction that writes.
        tables: the tables of conclusions.

    Attributes:
        changes: the changes that `write` has still to write.
    """

    def __init__(self, conn: Connection, tables: Conclusions) -> None:
        self.conn = conn
        self.tables = tables
        self._forget()

    def _forget(self) -> None:
        self.changes: list[Change] = []
        self._alerts: dict[str, Alert] = {}
        self._evidence: dict[str, Rows] = {}
        # By rule and person, or rule and group: the alerts.
        self._owned: dict[Owner, set[str]] = {}
        # The people whose alerts were read, and those who have one.
        self._people: set[str] = set()
        self._about: set[str | None] = set()
        # The alerts to write, and the evidence of some as it is stored.
        self._changed: set[str] = set()
        self._stored: dict[str, Rows] = {}

    def read_people(self, subject_ids: Iterable[str]) -> None:
        """Read the alerts about some people at once."""
        missing = set(subject_ids) - self._people
        if missing:
            self._people |= missing
            self._read(_of_people(self.conn.dialect.name, self.tables), values_parameter(self.conn, missing))

    def has_alerts(self, subject_id: str) -> bool:
        """Return whether any alert across people is about one person, in any state."""
        if subject_id not in self._people:
            self.read_people([subject_id])
        return subject_id in self._about

    def of_person(self, rule_id: str, subject_id: str) -> list[Alert]:
        """Return the alerts of a rule across people that are about one person, in any state."""
        if subject_id not in self._people:
            self.read_people([subject_id])
        return self._owned_by((rule_id, subject_id, None))

    def of_group(self, rule_id: str, group: str) -> list[Alert]:
        """Return the alerts of a rule about a group, in any state."""
        owner = (rule_id, None, group)
        if owner not in self._owned:
            self._owned[owner] = set()
            self._read(_of_group(self.tables), {"of_rule": rule_id, "of_group": group})
        return self._owned_by(owner)

    def one(self, alert_id: str) -> Alert | None:
        """Return the alert with an id; None: there is none."""
        if alert_id not in self._alerts:
            self._read(_of_id(self.tables), {"of_id": alert_id})
        return self._alerts.get(alert_id)

    def where(self, conditions: Iterable[ColumnElement[bool]], parameters: Mapping[str, Any]) -> list[Alert]:
        """Return the alerts that fulfil *conditions*, and no others, before any other alert is read."""
        self._read(select(self.tables.alerts).where(*conditions), parameters)
        return [self._alerts[alert_id] for alert_id in sorted(self._alerts)]

    def put(self, alert: Alert, evidence: Sequence[EvidenceRow] | None) -> None:
        """Put *alert* in the place of itself, with other evidence unless that is None."""
        own = alert.alert_id
        if evidence is not None:
            self._stored.setdefault(own, self._evidence.get(own, {}))
            self._evidence[own] = {row.fact_id: row for row in evidence}
        self._hold(alert, self._evidence.setdefault(own, {}))
        self._changed.add(own)

    def write(self) -> None:
        """Write everything that changed, and forget all alerts."""
        table = self.tables.alert_evidence
        # The evidence is rows, so a long one is not written again with each fact.
        alerts = [self._alerts[own]._replace(evidence=()) for own in sorted(self._changed)]
        store(self.conn, self.tables.alerts, alerts, replace=True)
        gone, come = [], []
        for own, old in self._stored.items():
            new = self._evidence[own]
            gone += [{"of_id": own, "of_fact": fact_id} for fact_id in old.keys() - new.keys()]
            come += [row for fact_id, row in new.items() if old.get(fact_id) != row]
        if gone:
            these = (table.c.alert_id == bindparam("of_id"), table.c.fact_id == bindparam("of_fact"))
            self.conn.execute(delete(table).where(*these), gone)
        store(self.conn, table, come, replace=True)
        store(self.conn, self.tables.alert_changes, [change_row(change) for change in self.changes])
        self._forget()

    def _hold(self, alert: Alert, evidence: Rows) -> None:
        self._alerts[alert.alert_id] = alert._replace(evidence=tuple(evidence))
        self._about.add(alert.subject_id)
        owner = (alert.rule, alert.subject_id, alert.group_key)
        self._owned.setdefault(owner, set()).add(alert.alert_id)

    def _owned_by(self, owner: Owner) -> list[Alert]:
        return [self._alerts[alert_id] for alert_id in sorted(self._owned.get(owner, ()))]

    def _read(self, query: Select[Any], parameters: Mapping[str, Any]) -> None:
        alerts = [alert_from_row(row._asdict()) for row in self.conn.execute(query, parameters)]
        # One that was read by its id, or opened since, may have changed.
        new = [alert for alert in alerts if alert.alert_id not in self._alerts]
        if new:
            stored = evidence_rows(self.conn, self.tables.alert_evidence, [alert.alert_id for alert in new])
            for alert in new:
                self._evidence[alert.alert_id] = stored.get(alert.alert_id, {})
                self._hold(alert, self._evidence[alert.alert_id])


def supersede_standing(conn: Connection, tables: Conclusions, rule_ids: Iterable[str], trigger: Trigger) -> Interrupted:
    """Supersede the standing alerts across people of rules that changed; `write_superseded` writes the changes."""
    table, interrupted = tables.alerts, Interrupted()
    conditions = (table.c.across, in_values(conn.dialect.name, table.c.rule), table.c.state.in_(sorted(STANDING)))
    desk = Desk(conn, tables)
    sheet = Sheet(desk.where(conditions, values_parameter(conn, rule_ids)), interrupted)
    for alert in [*sheet.alerts.values()]:
        sheet.record(superseded(alert, trigger, "rule_changed"))
        interrupted.before[alert.alert_id] = alert
        interrupted.changes[alert.alert_id] = sheet.changes[-1]
    store(conn, table, [alert._replace(evidence=()) for alert in sheet.alerts.values()], replace=True)
    return interrupted


def unword(conn: Connection, tables: Conclusions, versions: Mapping[str, str]) -> None:
    """Put the default form into alerts across people that ended under other versions of their rules than *versions*."""
    table = tables.alerts
    conditions = (
        table.c.across,
        in_values(conn.dialect.name, table.c.rule),
        table.c.state.in_(["resolved", "retracted"]),
    )
    rows = conn.execute(select(table).where(*conditions), values_parameter(conn, versions)).all()
    stale = [one for row in rows if (one := alert_from_row(row._asdict())).rule_version != versions[one.rule]]
    store(conn, table, [unworded(one)._replace(evidence=()) for one in stale], replace=True)


def write_superseded(conn: Connection, tables: Conclusions, interrupted: Interrupted) -> list[Change]:
    """Write the changes that superseded alerts, once it is known which of these continue; return the changes."""
    changes = [*interrupted.changes.values()]
    store(conn, tables.alert_changes, [change_row(change) for change in changes])
    return changes


def acknowledge_alert(
    conn: Connection, tables: Conclusions, said: Acknowledgement | Unacknowledgement
) -> tuple[list[Change], str | None]:
    """
    Acknowledge an alert across people if it is open, or take that back if it is acknowledged.

    Returns:
        the changes, and the person it is about; None: a group.
    """
    desk = Desk(conn, tables)
    alert = desk.one(said.alert_id)
    assert alert is not None, "the alert was found before"
    sheet = Sheet([alert], Interrupted())
    match said:
        case Acknowledgement() if alert.state == "open":
            sheet.record(acknowledged(alert, said))
        case Unacknowledgement() if alert.state == "acknowledged":
            sheet.record(unacknowledged(alert, said))
        case _:
            pass
    changes = sheet.write(desk)
    desk.write()
    return changes, alert.subject_id


def acknowledgement_ends(conn: Connection, tables: Conclusions, until: datetime) -> dict[datetime, list[str]]:
    """Return the alerts across people whose acknowledgements end before *until*, by the instant."""
    ends: dict[datetime, list[str]] = {}
    for row in conn.execute(_ending(tables), {"until": until}):
        ends.setdefault(row.acknowledged_until, []).append(row.alert_id)
    return ends


def end_acknowledgements(desk: Desk, alert_ids: Iterable[str], at: datetime) -> list[Change]:
    """Open the alerts of *alert_ids* again that are still acknowledged until *at*; return the changes."""
    alerts = [alert for alert_id in alert_ids if (alert := desk.one(alert_id)) is not None]
    sheet = Sheet(alerts, Interrupted())
    for alert in alerts:
        if alert.acknowledged_until == at:
            sheet.record(ack_ended(alert, at))
    return sheet.write(desk)


# Built once: most transactions execute them.
@cache
def _of_people(dialect: str, tables: Conclusions) -> Select[Any]:
    table = tables.alerts
    return select(table).where(in_values(dialect, table.c.subject_id), table.c.across)


@cache
def _of_group(tables: Conclusions) -> Select[Any]:
    table = tables.alerts
    return select(table).where(table.c.rule == bindparam("of_rule"), table.c.group_key == bindparam("of_group"))


@cache
def _ending(tables: Conclusions) -> Select[Any]:
    table = tables.alerts
    query = select(table.c.alert_id, table.c.acknowledged_until)
    query = query.where(table.c.acknowledged_until < bindparam("until"), table.c.across)
    return query.order_by(table.c.acknowledged_until, table.c.alert_id)


@cache
def _of_id(tables: Conclusions) -> Select[Any]:
    return select(tables.alerts).where(tables.alerts.c.alert_id == bindparam("of_id"))
