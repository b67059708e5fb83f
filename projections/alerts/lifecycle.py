"""The life of alerts: each opens, is refreshed, ends or continues as the findings of its rule change."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from projections.history.history import History
from projections.rules.findings import Answer
from projections.rules.patterns.pattern import Rule, Visible
from projections.subjects.fold import Step
from projections.subjects.status import Status

from .alert import STANDING, Alert, Change, Trigger
from .steps import AlertStep, ended, opened, refreshed, superseded

ENDINGS = {"ended": ("resolved", {*STANDING, "retracted"}), "void": ("retracted", {*STANDING, "resolved"})}
"""By the value of a finding, the state in which its alert ends, and the states in which it can."""


class Lifecycle:
    """
    The alerts of one person.

    Args:
        subject_id: the person.
        alerts: the alerts so far, by alert_id.

    Attributes:
        changes: the changes since the last write, in their order.
        touched: ids of the alerts that differ from their written rows.
    """

    def __init__(self, subject_id: str, alerts: dict[str, Alert]) -> None:
        self.subject_id = subject_id
        self.alerts = alerts
        self.changes: list[Change] = []
        self.touched: set[str] = set()
        # The alert of each event, by rule and the fact that stands for the event.
        self._current: dict[tuple[str, str], str] = {}
        # The name in the sentences of the alerts, as far as they were worded here.
        self._name: str | None = None

    def renamed(self, status: Status) -> set[str]:
        """Return the ids of the rules with alerts that call the person by another name than *status* does."""
        if _name_in(status, self.subject_id) == self._name:
            return set()
        return {alert.rule for alert in self.alerts.values()}

    def follow(self, answers: Iterable[Answer], step: Step, trigger: Trigger) -> datetime | None:
        """
        Update the alerts by *answers*; return the next instant at which time alone could change one.

        Args:
            answers: the findings of rules that may differ from those before.
            step: the facts that count, and the status with the person's name.
            trigger: the occasion.
        """
        instants = []
        history, name = step.history, _name_in(step.status, self.subject_id)
        for rule, whole, visible in answers:
            if whole and self.alerts:
                self._assign(rule, history, trigger)
            for seen in visible:
                instants += [seen.due, self._step(rule, seen, history, name, trigger)]
        return min((instant for instant in instants if instant is not None), default=None)

    def supersede_others(self, versions: Mapping[str, str], trigger: Trigger) -> None:
        """Supersede the standing alerts of rules that have another version in *versions*, or none."""
        for alert in list(self.alerts.values()):
            if alert.state in STANDING and versions.get(alert.rule) != alert.rule_version:
                self._record(superseded(alert, trigger, "rule_changed"))

    def acknowledge(self, alert_id: str, person: str, note: str | None, at: datetime) -> bool:
        """Record that *person* acknowledges an open alert; return False if it is not open."""
        alert = self.alerts.get(alert_id)
        if alert is None or alert.state != "open":
            return False
        self._record((alert._replace(state="acknowledged"), Change(alert, at, "person", None, person, note)))
        return True

    def _step(self, rule: Rule, seen: Visible, history: History, name: str, trigger: Trigger) -> datetime | None:
        """Take the alert of one finding a step; return the instant at which a silence may be stated."""
        finding, value, _ = seen
        alert_id = self._current.get((rule.id, finding.anchor.id))
        alert = self.alerts[alert_id] if alert_id is not None else None
        if value != "standing":
            state, endable = ENDINGS[value]
            if alert is not None and alert.state in endable:
                self._record(ended(alert, state, trigger))
            return None
        if rule.waits and trigger.kind != "time" and (alert is None or alert.state not in STANDING):
            # Silence is stated only once every record of this very instant is in.
            return max(finding.opens or trigger.at, trigger.at)
        self._name = name
        if alert is None or alert.state not in STANDING:
            alert = self._record(opened(alert, rule, finding, history, (self.subject_id, name), trigger))
            self._current[rule.id, finding.anchor.id] = alert.alert_id
        elif (new := refreshed(alert, rule, finding, history, name)) != alert:
            self.alerts[alert.alert_id] = new
            self.touched.add(alert.alert_id)
        return None

    def _assign(self, rule: Rule, history: History, trigger: Trigger) -> None:
        """Decide which alert of *rule* each event has: of several that report it, the first to open continues."""
        owned: dict[str, list[Alert]] = {}
        for alert in list(self.alerts.values()):
            if alert.rule != rule.id:
                continue
            event = _event_of(rule, alert, history)
            if event is not None:
                owned.setdefault(event, []).append(alert)
            elif alert.state in {*STANDING, "resolved"}:
                self._record(ended(alert, "retracted", trigger))
        self._current = {key: alert_id for key, alert_id in self._current.items() if key[0] != rule.id}
        for event, alerts in owned.items():
            first, *others = sorted(alerts, key=lambda alert: (alert.opened_at, alert.alert_id))
            for other in others:
                if other.state in {*STANDING, "resolved"}:
                    self._record(superseded(other, trigger, "same_event"))
            self._current[rule.id, event] = first.alert_id
            if first.anchor != event:
                self.alerts[first.alert_id] = first._replace(anchor=event)
                self.touched.add(first.alert_id)

    def _record(self, step: AlertStep) -> Alert:
        """Put an alert in its new state, record the change, and return the alert."""
        alert, change = step
        changed = alert._replace(changes=alert.changes + 1, changed_at=change.at)
        self.alerts[alert.alert_id] = changed
        self.touched.add(alert.alert_id)
        self.changes.append(change._replace(alert=changed))
        return changed


def _name_in(status: Status, subject_id: str) -> str:
    described = status.described.get("name")
    name: str = described.data["name"] if described else subject_id
    return name


def _event_of(rule: Rule, alert: Alert, history: History) -> str | None:
    """Return the fact that stands for the event of *alert*; None if none of its facts counts any more."""
    for fact_id in (alert.first_anchor, alert.anchor):
        fact = history.counting.get(fact_id)
        if fact is not None and fact.type in rule.on:
            return history.stands_for.get(fact_id, fact_id)
    return None
