"""The life of alerts: each opens, is refreshed, ends or continues as the findings of its rule change."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from projections.history.history import History
from projections.rules.findings import Answer
from projections.rules.patterns.pattern import Finding, Rule, Value, Visible
from projections.subjects.fold import Step
from projections.subjects.status import Status

from .acknowledgement import Acknowledgement, Unacknowledgement
from .alert import STANDING, Alert, Change, Trigger
from .rules_change import RulesChange
from .steps import (
    AlertStep,
    ack_ended,
    acknowledged,
    continued,
    ended,
    opened,
    refreshed,
    reworded,
    superseded,
    unacknowledged,
)

if TYPE_CHECKING:
    from .clearing import Clearing

ENDINGS = {"ended": ("resolved", {*STANDING, "retracted"}), "void": ("retracted", {*STANDING, "resolved"})}
"""By the value of a finding, the state in which its alert ends, and the states in which it can."""


class Lifecycle:
    """
    The alerts of one person.

    Args:
        subject_id: the person.
        alerts: the alerts so far, by alert_id.

    Attributes:
        changes: the changes since the last write, and the clearings of the person among them, in their order.
        touched: ids of the alerts that differ from their written rows.
    """

    def __init__(self, subject_id: str, alerts: dict[str, Alert]) -> None:
        self.subject_id = subject_id
        self.alerts = alerts
        self.changes: list[Change | Clearing] = []
        self.touched: set[str] = set()
        # The alert of each event, by rule and the fact that stands for the event.
        self._current: dict[tuple[str, str], str] = {}
        # The name in the sentences of the alerts, as far as they were worded here.
        self._name: str | None = None
        # During a change of rules, the alerts that it superseded: as they stood, and the place of that change.
        self._interrupted: dict[str, tuple[Alert, int]] = {}

    def renamed(self, status: Status) -> set[str]:
        """Return the ids of the rules with alerts that call the person by another name than *status* does."""
        if name_in(status, self.subject_id) == self._name:
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
        history, name = step.history, name_in(step.status, self.subject_id)
        if trigger.rules is not None:
            self._supersede(trigger.rules, trigger)
        for rule, whole, visible in answers:
            if whole and self.alerts:
                self._assign(rule, history, name, trigger)
            for seen in visible:
                instants += [seen.due, self._step(rule, seen, history, name, trigger)]
        self._interrupted = {}
        return min((instant for instant in instants if instant is not None), default=None)

    def acknowledge(self, said: Acknowledgement | Unacknowledgement) -> bool:
        """Record an acknowledgement of an open alert, or its taking back; return whether there is a change."""
        alert = self.alerts.get(said.alert_id)
        match said:
            case Acknowledgement() if alert is not None and alert.state == "open":
                self._record(acknowledged(alert, said))
            case Unacknowledgement() if alert is not None and alert.state == "acknowledged":
                self._record(unacknowledged(alert, said))
            case _:
                return False
        return True

    def end_acknowledgements(self, at: datetime) -> datetime | None:
        """Open the alerts again whose acknowledgements end by *at*; return the next end."""
        # By id, since people from the tables come in another order than those in memory.
        for _, alert in sorted(self.alerts.items()):
            if alert.acknowledged_until is not None and alert.acknowledged_until <= at:
                self._record(ack_ended(alert, at))
        ends = (alert.acknowledged_until for alert in self.alerts.values() if alert.acknowledged_until is not None)
        return min(ends, default=None)

    def _supersede(self, rules: RulesChange, trigger: Trigger) -> None:
        """Supersede the standing alerts of the rules that changed, before these are asked again."""
        for alert in list(self.alerts.values()):
            if alert.state in STANDING and alert.rule in rules.changed:
                self._record(superseded(alert, trigger, "rule_changed"))
                if rules.in_one_step:
                    self._interrupted[alert.alert_id] = (alert, len(self.changes) - 1)

    def _step(self, rule: Rule, seen: Visible, history: History, name: str, trigger: Trigger) -> datetime | None:
        """Take the alert of one finding a step; return the instant at which a silence may be stated."""
        finding, value, _ = seen
        alert_id = self._current.get((rule.id, finding.anchor.id))
        alert = self.alerts[alert_id] if alert_id is not None else None
        if value != "standing":
            if alert is not None and alert.trial == rule.is_trial:
                self._end(alert, value, rule, finding, history, name, trigger)
            return None
        stands = alert is not None and alert.state in STANDING
        if rule.waits and not stands and not _may_open(rule, finding, trigger):
            # Silence is stated only once every record of this very instant is in.
            return max(finding.opens or trigger.at, trigger.at)
        self._name = name
        if alert is not None and stands:
            self._keep(refreshed(alert, rule, finding, history, name))
        else:
            opening = opened(alert, rule, finding, history, (self.subject_id, name), trigger)
            self._current[rule.id, finding.anchor.id] = self._open(opening).alert_id
        return None

    def _end(  # noqa: PLR0913, PLR0917 - as for `_step`
        self, alert: Alert, value: Value, rule: Rule, finding: Finding, history: History, name: str, trigger: Trigger
    ) -> None:
        """End *alert* if its finding ended or became void; put the rule's sentence for its state in place."""
        state, endable = ENDINGS[value]
        if alert.state in endable:
            alert, change = ended(alert, state, trigger)
            self._record((reworded(alert, rule, finding, history, name), change))
        elif alert.state == state:
            self._keep(reworded(alert, rule, finding, history, name))
        self._name = name

    def _open(self, step: AlertStep) -> Alert:
        """Record the opening of an alert; one that continues under other rules is told neither of its two changes."""
        interrupted = self._interrupted.pop(step[0].alert_id, None)
        if interrupted is None:
            return self._record(step)
        before, place = interrupted
        if before.trial == step[0].trial:
            change = self.changes[place]
            assert isinstance(change, Change), "a superseded alert has changed there"
            self.changes[place] = change._replace(told=False)
        return self._record(continued(step, before))

    def _assign(self, rule: Rule, history: History, name: str, trigger: Trigger) -> None:
        """Decide which alert of *rule* each event has: of several that report it, the first to open continues."""
        owned, without = by_event(rule, [alert for alert in self.alerts.values() if alert.rule == rule.id], history)
        for alert in without:
            self._leave(alert, ended(alert, "retracted", trigger), rule, history, name)
        self._current = {key: alert_id for key, alert_id in self._current.items() if key[0] != rule.id}
        for event, (first, *others) in owned.items():
            for other in others:
                self._leave(other, superseded(other, trigger, "same_event"), rule, history, name)
            self._current[rule.id, event] = first.alert_id
            self._keep(first._replace(anchor=event))

    def _leave(self, alert: Alert, step: AlertStep, rule: Rule, history: History, name: str) -> None:
        """Record the *step* of an alert that has no event of its own any more; one that is retracted stays so."""
        if alert.trial != rule.is_trial:
            # It ended when its rule was put on trial, or in force, and says nothing of the rule as it is now.
            return
        if alert.state in {*STANDING, "resolved"}:
            self._record((reworded(step[0], rule, None, history, name), step[1]))
        elif alert.state == "retracted":
            self._keep(reworded(alert, rule, None, history, name))

    def _keep(self, alert: Alert) -> None:
        """Put *alert* in place of itself, without a change in its life."""
        if alert != self.alerts[alert.alert_id]:
            self.alerts[alert.alert_id] = alert
            self.touched.add(alert.alert_id)

    def _record(self, step: AlertStep) -> Alert:
        """Put an alert in its new state, record the change, and return the alert."""
        alert, change = step
        changed = alert._replace(changes=alert.changes + 1, changed_at=change.at)
        self.alerts[alert.alert_id] = changed
        self.touched.add(alert.alert_id)
        self.changes.append(change._replace(alert=changed))
        return changed


def _may_open(rule: Rule, finding: Finding, trigger: Trigger) -> bool:
    """Return whether a silence that stands may be stated now: time has passed, or other rules judge as at their row."""
    rules = trigger.rules
    if rules is None or not rules.in_one_step or rule.id not in rules.changed:
        return trigger.kind == "time"
    return finding.opens is None or finding.opens < trigger.at


def name_in(status: Status, subject_id: str) -> str:
    """Return the latest known name; the *subject_id* if none is known."""
    described = status.described.get("name")
    name: str = described.data["name"] if described else subject_id
    return name


def by_event(rule: Rule, alerts: Iterable[Alert], history: History) -> tuple[dict[str, list[Alert]], list[Alert]]:
    """Return the alerts of each event, the first to open ahead, and the alerts without an event."""
    owned: dict[str, list[Alert]] = {}
    without = []
    for alert in sorted(alerts, key=lambda alert: (alert.opened_at, alert.alert_id)):
        event = event_of(rule, alert, history)
        if event is None:
            without.append(alert)
        else:
            owned.setdefault(event, []).append(alert)
    return owned, without


def event_of(rule: Rule, alert: Alert, history: History) -> str | None:
    """Return the fact that stands for the event of *alert*; None if none of its facts counts any more."""
    for fact_id in (alert.first_anchor, alert.anchor):
        fact = history.counting.get(fact_id)
        if fact is not None and fact.type in rule.on:
            return history.stands_for.get(fact_id, fact_id)
    return None
