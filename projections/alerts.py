"""
The life of a finding over the log's clock, for one person.

A casefile is everything the projector holds of one person between records: the history, its fold, the alerts
and the next instant at which time alone could change something. Its steps are pure: each returns by leaving
the changes it made in ``changes``, in the order in which they came about.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from events.facts import Fact, Order

from .evaluate import Finding, find, go_on, heard
from .history import ABOUT_FACTS, History
from .rulebook import Absence, Rule, Rulebook
from .sentences import explain_text
from .status import Status

NAMESPACE = UUID("b8f7a8a4-6d0e-5c3b-9a55-0f3c6f1f7d21")

BEGINNING = datetime.min.replace(tzinfo=UTC)
STANDING = frozenset({"open", "acknowledged"})


class Alert(NamedTuple):
    """An alert in its latest state; ``rule`` and ``anchor`` identify it."""

    alert_id: str
    rule: str
    rule_version: str
    severity: str
    subject_id: str
    state: str
    anchor: str
    evidence: tuple[str, ...]
    explanation: str
    changes: int
    opened_at: datetime
    changed_at: datetime


class Change(NamedTuple):
    """One step in an alert's life, and the alert after it. ``person`` and ``note`` belong to an acknowledgement."""

    alert: Alert
    at: datetime
    cause: str
    fact_id: str | None
    person: str | None = None
    note: str | None = None


class Trigger(NamedTuple):
    """What made us look: a fact that arrived, time that passed (with facts whose time came), or other rules."""

    kind: str
    at: datetime
    fact: Fact | None = None


class Casefile:
    """
    Everything held of one person.

    Attributes:
        subject_id: the person.
        history: their facts.
        alerts: by (rule id, anchor fact id).
        due: the next instant at which time alone could change something; None: never.
        changes: what the steps since the last write brought about.
        touched: keys of the alerts whose row is to be written.
        position: (partition, offset) of the last fact taken in.
        written_names, written_cases, written_due: what the tables hold of them, as far as this casefile knows.
        size: the number of facts when it was last written.
        rested: the place in world order of the last fact, if only the status is kept and not the history.
    """

    def __init__(
        self, subject_id: str, history: History, rulebook: Rulebook, *, rules_since: datetime | None = None
    ) -> None:
        self.subject_id = subject_id
        self.history = history
        self.rulebook = rulebook
        self.rules_since = rules_since
        self.alerts: dict[tuple[str, str], Alert] = {}
        self.due: datetime | None = None
        self.changes: list[Change] = []
        self.touched: set[tuple[str, str]] = set()
        self.position = (0, -1)
        self.written_names: dict[str, None] | None = None
        self.written_cases: dict[str, tuple[Any, ...]] | None = None
        self.written_due: datetime | None = None
        self.size = 0
        self.rested: Order | None = None
        self._status: Status | None = None
        # By rule, what facts at the end can change; a rule not asked yet is left out.
        self._findings: dict[str, tuple[Finding, ...]] = {}
        # The name in the sentences of alerts, as far as this casefile has put any into words.
        self._spoken_of: str | None = None

    @property
    def status(self) -> Status:
        """The fold of what counts by now."""
        if self._status is None:
            self._status = Status(self.rulebook.anchors, self.history.world)
        return self._status

    def rest(self) -> bool:
        """
        Keep the status alone, if facts that come in world order need no more; return whether they do not.

        They do where an alert, a timer, an anchor of a rule, a correction or an uncertain date is in the history.
        """
        kinds = {fact.type for fact in self.history.world}
        if self.alerts or self.due or not self.history.is_plain or kinds & self.rulebook.anchors:
            return False
        self._status = self.status
        self.rested = self.history.world[-1].order
        self.history = History((), BEGINNING)
        return True

    def takes(self, facts: Iterable[Fact | None]) -> bool:
        """Whether what is kept is enough to take in *facts*, in this order; None stands for what is not a fact."""
        last = self.rested
        if last is None:
            return True
        for fact in facts:
            if fact is None or fact.announced or not fact.occurred.dated or fact.order < last:
                return False
            if fact.type in ABOUT_FACTS or fact.type in self.rulebook.anchors:
                return False
            last = fact.order
        return True

    def apply(self, fact: Fact) -> None:
        """Take in a fact at its ``recorded``; timers due before that must have fired."""
        if self.rested is not None:
            self.status.advance(fact)
            self.rested = fact.order
            return
        clock = fact.recorded
        come = self.history.advance(clock)
        continues = self.history.add(fact, clock) and not come
        at_end = continues and bool(self.history.world) and self.history.world[-1] is fact
        if not continues:
            self._refold()
        elif at_end and self._status is not None:
            self._status.advance(fact)
        if self.history.announced:
            self._due_by(self.history.announced[0].occurred.latest)
        rules = self.rulebook.rules if come else self._rules_touched(fact, at_end=at_end)
        self._look(rules, Trigger("fact", clock, fact), fact if at_end else None)

    def pass_time(self, until: datetime) -> bool:
        """Fire the timers due strictly before *until*, each at its own instant; return whether there was one."""
        fired = False
        while self.due is not None and self.due < until:
            at, self.due, fired = self.due, None, True
            come = self.history.advance(at)
            if come:
                self._refold()
            if self.history.announced:
                self._due_by(self.history.announced[0].occurred.latest)
            rules = self.rulebook.rules if come else self.rulebook.silences
            self._look(rules, Trigger("time", at, come[-1] if come else None))
        return fired

    def change_rules(self, rulebook: Rulebook, at: datetime) -> None:
        """Put *rulebook* in force from *at* on: alerts of other versions are superseded, the new rules are asked."""
        self.rulebook, self.rules_since = rulebook, at
        self._refold()
        versions = {rule.id: rule.version for rule in rulebook.rules}
        trigger = Trigger("rules", at)
        for key, alert in list(self.alerts.items()):
            if alert.state in STANDING and versions.get(alert.rule) != alert.rule_version:
                self._change(key, alert._replace(state="superseded"), trigger, "rule_changed", None)
        self._look(rulebook.rules, trigger)

    def acknowledge(self, alert_id: str, person: str, note: str | None, at: datetime) -> bool:
        """Note that *person* has seen an open alert; return False if it is not open."""
        for key, alert in self.alerts.items():
            if alert.alert_id == alert_id and alert.state == "open":
                acknowledged = alert._replace(state="acknowledged", changes=alert.changes + 1, changed_at=at)
                self.alerts[key] = acknowledged
                self.touched.add(key)
                self.changes.append(Change(acknowledged, at, "person", None, person, note))
                return True
        return False

    def _refold(self) -> None:
        self._status = None
        self._findings = {}

    @property
    def _name(self) -> str:
        name, _ = self.status.described.get("name", (self.subject_id, ""))
        return name

    def _rules_touched(self, fact: Fact, *, at_end: bool) -> Iterable[Rule]:
        if fact.type in ABOUT_FACTS:
            return self.rulebook.rules
        named = self.rulebook.continued_by(fact.type) if at_end else self.rulebook.by_type(fact.type)
        if fact.type != "SubjectDescribed" or self._name == self._spoken_of:
            return named
        # The name stands in the sentence of the alert.
        speaking = {rule for rule, _ in self.alerts}
        for rule_id in speaking:
            self._findings.pop(rule_id, None)
        return [rule for rule in self.rulebook.rules if rule.id in speaking or rule in named]

    def _look(self, rules: Iterable[Rule], trigger: Trigger, last: Fact | None = None) -> None:
        """Compare what *rules* find with the alerts there are; *last*: all that has come since, at the end."""
        if not self.alerts and not self.status.before:
            # No fact from which any rule starts.
            return
        for rule in rules:
            before = self._findings.get(rule.id)
            if before is None:
                anchors = self.history.of(rule.on)
                self._close_without_anchor(rule, anchors, trigger)
                findings = changed = [find(rule, anchor, self.history, self.status) for anchor in anchors]
            elif last is None:
                findings = changed = [*before]
            elif before or last.type in rule.on:
                findings, changed = self._go_on(rule, before, last)
            else:
                continue
            for finding in changed:
                self._compare(rule, finding, trigger)
            self._findings[rule.id] = tuple([finding for finding in findings if not finding.final])

    def _go_on(self, rule: Rule, before: Iterable[Finding], fact: Fact) -> tuple[list[Finding], list[Finding]]:
        """Return what *rule* finds once *fact* has come at the end, and which of that is otherwise than *before*."""
        findings, changed = [*before], []
        if fact.type in rule.follow:
            findings = [go_on(rule, finding, fact) for finding in before]
            changed = [now for now, was in zip(findings, before, strict=True) if now is not was]
        if fact.type in rule.on:
            found = find(rule, fact, self.history, self.status)
            findings.append(found)
            changed.append(found)
        return findings, changed

    def _compare(self, rule: Rule, finding: Finding, trigger: Trigger) -> None:
        key = (rule.id, finding.anchor.id)
        alert = self.alerts.get(key)
        state = alert.state if alert else None
        value, due = heard(rule, finding, self.history, trigger.at)
        self._due_by(due)
        match value:
            case "standing" if alert and state in STANDING:
                self._refresh(key, alert, rule, finding)
            case "standing" if isinstance(rule, Absence) and trigger.kind != "time":
                # Silence is said only once every record of this very instant is in.
                self._due_by(max(finding.opens or trigger.at, trigger.at))
            case "standing":
                self._open(rule, finding, trigger)
            case "ended" if alert and state in {"open", "acknowledged", "retracted"}:
                self._end(key, alert, "resolved", trigger)
            case "void" if alert and state in {"open", "acknowledged", "resolved"}:
                self._end(key, alert, "retracted", trigger)

    def _close_without_anchor(self, rule: Rule, anchors: list[Fact], trigger: Trigger) -> None:
        if not self.alerts:
            return
        there = {anchor.id for anchor in anchors}
        for key, alert in list(self.alerts.items()):
            if alert.rule == rule.id and alert.anchor not in there and alert.state in {*STANDING, "resolved"}:
                self._end(key, alert, "retracted", trigger)

    def _open(self, rule: Rule, finding: Finding, trigger: Trigger) -> None:
        key = (rule.id, finding.anchor.id)
        before = self.alerts.get(key)
        opened = Alert(
            alert_id=before.alert_id if before else str(uuid5(NAMESPACE, f"{rule.id} {finding.anchor.id}")),
            rule=rule.id,
            rule_version=rule.version,
            severity=rule.severity,
            subject_id=self.subject_id,
            state="open",
            anchor=finding.anchor.id,
            evidence=_evidence(finding),
            explanation=self._sentence(rule, finding),
            changes=before.changes if before else 0,
            opened_at=before.opened_at if before else trigger.at,
            changed_at=trigger.at,
        )
        cause, fact_id = self._why_open(finding, trigger)
        self._change(key, opened, trigger, cause, fact_id)

    def _refresh(self, key: tuple[str, str], alert: Alert, rule: Rule, finding: Finding) -> None:
        told = alert._replace(evidence=_evidence(finding), explanation=self._sentence(rule, finding))
        if told != alert:
            self.alerts[key] = told
            self.touched.add(key)

    def _end(self, key: tuple[str, str], alert: Alert, state: str, trigger: Trigger) -> None:
        fact = trigger.fact
        if trigger.kind == "rules":
            cause = "rule_changed"
        elif fact is not None and fact.type in ABOUT_FACTS:
            cause = fact.type.lower()
        else:
            cause = "world_changed" if state == "resolved" else "late_knowledge"
        self._change(key, alert._replace(state=state), trigger, cause, fact.id if fact else None)

    def _why_open(self, finding: Finding, trigger: Trigger) -> tuple[str, str | None]:
        if trigger.kind == "rules":
            return ("rule_changed", None)
        if finding.opens is None:
            fact = trigger.fact
            if fact is None:
                return ("followed", finding.completing[0].id)
            return (fact.type.lower() if fact.type in ABOUT_FACTS else "followed", fact.id)
        if finding.opens == trigger.at:
            return ("deadline", None)
        # It was silent long before: what was recorded at this instant made the silence known.
        told = [f for f in self.history.facts.values() if f.recorded == trigger.at and f.type in ABOUT_FACTS]
        if told:
            last = max(told, key=lambda fact: fact.id)
            return (last.type.lower(), last.id)
        return ("rule_changed" if self.rules_since == trigger.at else "deadline", None)

    def _sentence(self, rule: Rule, finding: Finding) -> str:
        then = finding.completing[0] if finding.completing else None
        self._spoken_of = self._name
        return explain_text(rule, self._spoken_of, self.subject_id, finding.anchor, then)

    def _change(self, key: tuple[str, str], alert: Alert, trigger: Trigger, cause: str, fact_id: str | None) -> None:
        changed = alert._replace(changes=alert.changes + 1, changed_at=trigger.at)
        self.alerts[key] = changed
        self.touched.add(key)
        self.changes.append(Change(changed, trigger.at, cause, fact_id))

    def _due_by(self, instant: datetime | None) -> None:
        if instant is not None and (self.due is None or instant < self.due):
            self.due = instant


def _evidence(finding: Finding) -> tuple[str, ...]:
    return (finding.anchor.id, *(fact.id for fact in finding.completing))
