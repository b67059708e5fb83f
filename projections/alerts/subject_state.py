"""
The life of a finding over the log's clock, for one person.

A casefile is everything the projector holds of one person between records: the history, its fold, the alerts
and the next instant at which time alone could change something. Its steps are pure: each returns by leaving
the changes it made in ``changes``, in the order in which they came about.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid5

from events.edtf import LOCAL_DAY_SLACK
from events.facts import Fact, Order
from events.vocabulary import TRACK_OF
from projections.history.history import ABOUT_FACTS, BEGINNING, History
from projections.rules.evaluate import Finding, extend, find, visible_at
from projections.rules.explain import explain_text
from projections.rules.rulebook import AbsenceRule, Rule, Rulebook
from projections.subjects.status import Status

from .alert import NAMESPACE, STANDING, Alert, Change, Trigger, said_until

CLEARING = frozenset({"service", "case", "custody"})
"""The tracks whose facts can change whether a person is cleared: death, a verdict, custody in a case of its own."""


class Casefile:
    """
    Everything held of one person.

    Attributes:
        subject_id: the person.
        history: their facts.
        alerts: by alert_id.
        due: the next instant at which time alone could change something; None: never.
        changes: what the steps since the last write brought about.
        touched: ids of the alerts whose row is to be written.
        position: (partition, offset) of the last fact taken in.
        written_names, written_parts, written_due: what the tables hold of them, as far as this casefile knows.
        written_marks: the fold, its marks and the history's, when the parts were written.
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
        self.alerts: dict[str, Alert] = {}
        self.due: datetime | None = None
        self.changes: list[Change] = []
        self.touched: set[str] = set()
        self.position = (0, -1)
        self.written_names: dict[str, None] | None = None
        self.written_parts: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]] | None = None
        self.written_marks: tuple[tuple[Status, int], tuple[object, ...]] | None = None
        self.written_due: datetime | None = None
        self.size = 0
        self.rested: Order | None = None
        self._status: Status | None = None
        # By rule, what facts at the end can change; a rule not asked yet is left out.
        self._findings: dict[str, tuple[Finding, ...]] = {}
        # The alert of each event, by rule and the fact that stands for the event.
        self._current: dict[tuple[str, str], str] = {}
        # Whether the person was cleared when rules were last asked; None: not known.
        self._cleared: bool | None = None
        self._rested_exact: bool | None = None
        # The name in the sentences of alerts, as far as this casefile has put any into words.
        self._spoken_of: str | None = None

    @property
    def status(self) -> Status:
        """The fold of what counts by now."""
        if self._status is None:
            history = self.history
            self._status = Status(self.rulebook.anchors, history.events, history.placing, history.stands_for)
        return self._status

    def rest(self) -> bool:
        """
        Keep the status alone, if facts that come in world order need no more; return whether they do not.

        They do where an alert, a timer, an anchor of a rule, a correction or an uncertain date is in the history.
        """
        world = self.history.events
        if self.alerts or self.due or not self.history.is_plain or {f.type for f in world} & self.rulebook.anchors:
            return False
        self._status = self.status
        self.rested = world[-1].order
        exact = {end for fact in world for end in (fact.occurred.earliest_exact, fact.occurred.latest_exact)}
        self._rested_exact = exact.pop() if len(exact) == 1 else None
        self.history = History((), BEGINNING)
        return True

    def takes(self, facts: Iterable[Fact | None]) -> bool:
        """
        Whether the fold alone can take in *facts*, in this order; None stands for an entry without a fact.

        A fact that overlaps an earlier one may be a report of the same event, for which the history is needed.
        """
        last = self.rested
        if last is None:
            return True
        for fact in facts:
            if fact is None or fact.ahead or not fact.occurred.dated or "after" in fact.data:
                return False
            if fact.type in ABOUT_FACTS or fact.type in self.rulebook.anchors:
                return False
            span = fact.occurred
            alike = span.earliest_exact == span.latest_exact == self._rested_exact
            spare = timedelta() if alike else LOCAL_DAY_SLACK
            if span.earliest is None or span.earliest - last[0] < spare:
                return False
            last = fact.order
        return True

    def apply(self, fact: Fact) -> None:
        """Take in a fact at its ``recorded``; timers due before that must have fired."""
        if self.rested is not None:
            self.status.advance(fact)
            self.rested = fact.order
            return
        clock, history = fact.recorded, self.history
        come = history.advance(clock)
        continues = history.add(fact, clock) and not come
        at_end = continues and bool(history.events) and history.events[-1] is fact
        if not continues:
            self._refold()
        elif at_end and self._status is not None:
            self._status.advance(fact)
        self._due_by(history.next_due)
        # A fact that others stand behind moves them, whatever their types.
        moves = not continues and history.is_tied
        rules = self.rulebook.rules if come or moves else self._rules_touched(fact, at_end=at_end)
        self._look(rules, Trigger("fact", clock, fact), fact if at_end else None)

    def advance_watermark(self, until: datetime) -> bool:
        """Fire the timers due strictly before *until*, each at its own instant; return whether there was one."""
        fired = False
        while self.due is not None and self.due < until:
            at, self.due, fired = self.due, None, True
            come = self.history.advance(at)
            if come:
                self._refold()
            self._due_by(self.history.next_due)
            rules = self.rulebook.rules if come else self.rulebook.silences
            self._look(rules, Trigger("time", at, come[-1] if come else None))
        return fired

    def change_rules(self, rulebook: Rulebook, at: datetime) -> None:
        """Put *rulebook* in force from *at* on: alerts of other versions are superseded, the new rules are asked."""
        self.rulebook, self.rules_since = rulebook, at
        self._refold()
        versions = {rule.id: rule.version for rule in rulebook.rules}
        trigger = Trigger("rules", at)
        for alert in list(self.alerts.values()):
            if alert.state in STANDING and versions.get(alert.rule) != alert.rule_version:
                self._supersede(alert, trigger, "rule_changed")
        self._look(rulebook.rules, trigger)

    def acknowledge(self, alert_id: str, person: str, note: str | None, at: datetime) -> bool:
        """Note that *person* has seen an open alert; return False if it is not open."""
        alert = self.alerts.get(alert_id)
        if alert is None or alert.state != "open":
            return False
        acknowledged = alert._replace(state="acknowledged", changes=alert.changes + 1, changed_at=at)
        self.alerts[alert_id] = acknowledged
        self.touched.add(alert_id)
        self.changes.append(Change(acknowledged, at, "person", None, person, note))
        return True

    def _refold(self) -> None:
        self._status = None
        self._findings = {}

    @property
    def _name(self) -> str:
        described = self.status.described.get("name")
        name: str = described.data["name"] if described else self.subject_id
        return name

    def _rules_touched(self, fact: Fact, *, at_end: bool) -> Iterable[Rule]:
        if fact.type in ABOUT_FACTS:
            return self.rulebook.rules
        named = self.rulebook.continued_by(fact.type) if at_end else self.rulebook.by_type(fact.type)
        if not self.alerts and not self.status.before:
            return named
        speaking: set[str] = set()
        if fact.type == "SubjectDescribed" and self._name != self._spoken_of:
            # The name stands in the sentence of the alert.
            speaking = {alert.rule for alert in self.alerts.values()}
        if fact.id in self.history.stands_for:
            # Another report of an event stands in the evidence, of what is settled too.
            speaking |= {rule.id for rule in named}
        if self._cleared is None or not at_end or TRACK_OF[fact.type] in CLEARING:
            cleared = self.status.is_cleared()
            if self._cleared is not cleared:
                # Nothing is said of an arrest while the person is cleared of what followed.
                self._cleared = cleared
                speaking |= {rule.id for rule in self.rulebook.sequences}
        if not speaking:
            return named
        for rule_id in speaking:
            self._findings.pop(rule_id, None)
        speaking |= {rule.id for rule in named}
        return [rule for rule in self.rulebook.rules if rule.id in speaking]

    def _look(self, rules: Iterable[Rule], trigger: Trigger, last: Fact | None = None) -> None:
        """Compare what *rules* find with the alerts there are; *last*: all that has come since, at the end."""
        if not self.alerts and not self.status.before:
            # No fact from which any rule starts.
            return
        for rule in rules:
            before = self._findings.get(rule.id)
            if before is None:
                anchors = self.history.of(rule.on)
                self._assign(rule, trigger)
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
            findings = [extend(rule, finding, fact) for finding in before]
            changed = [now for now, was in zip(findings, before, strict=True) if now is not was]
        if fact.type in rule.on:
            found = find(rule, fact, self.history, self.status)
            findings.append(found)
            changed.append(found)
        return findings, changed

    def _compare(self, rule: Rule, finding: Finding, trigger: Trigger) -> None:
        alert = self._alert_of(rule, finding)
        state = alert.state if alert else None
        value, due = visible_at(rule, finding, self.history, trigger.at)
        if value == "standing" and finding.opens is None and self.status.is_cleared():
            value = "ended"
        self._due_by(due)
        match value:
            case "standing" if alert and state in STANDING:
                self._refresh(alert, rule, finding)
            case "standing" if isinstance(rule, AbsenceRule) and trigger.kind != "time":
                # Silence is said only once every record of this very instant is in.
                self._due_by(max(finding.opens or trigger.at, trigger.at))
            case "standing":
                self._open(rule, finding, trigger)
            case "ended" if alert and state in {"open", "acknowledged", "retracted"}:
                self._end(alert, "resolved", trigger)
            case "void" if alert and state in {"open", "acknowledged", "resolved"}:
                self._end(alert, "retracted", trigger)

    def _alert_of(self, rule: Rule, finding: Finding) -> Alert | None:
        alert_id = self._current.get((rule.id, finding.anchor.id))
        return self.alerts[alert_id] if alert_id is not None else None

    def _assign(self, rule: Rule, trigger: Trigger) -> None:
        """Say which alert of *rule* each event has: of several that report it, the one that opened first goes on."""
        if not self.alerts:
            return
        owned: dict[str, list[Alert]] = {}
        for alert in list(self.alerts.values()):
            if alert.rule != rule.id:
                continue
            event = self._event_of(rule, alert)
            if event is not None:
                owned.setdefault(event, []).append(alert)
            elif alert.state in {*STANDING, "resolved"}:
                self._end(alert, "retracted", trigger)
        self._current = {key: alert_id for key, alert_id in self._current.items() if key[0] != rule.id}
        for event, alerts in owned.items():
            first, *others = sorted(alerts, key=lambda alert: (alert.opened_at, alert.alert_id))
            for other in others:
                if other.state in {*STANDING, "resolved"}:
                    self._supersede(other, trigger, "same_event")
            self._current[rule.id, event] = first.alert_id
            if first.anchor != event:
                self.alerts[first.alert_id] = first._replace(anchor=event)
                self.touched.add(first.alert_id)

    def _event_of(self, rule: Rule, alert: Alert) -> str | None:
        """Return the fact that stands for the event of *alert*; None if none of its facts counts any more."""
        for fact_id in (alert.first_anchor, alert.anchor):
            fact = self.history.counting(fact_id)
            if fact is not None and fact.type in rule.on:
                return self.history.stands_for.get(fact_id, fact_id)
        return None

    def _open(self, rule: Rule, finding: Finding, trigger: Trigger) -> None:
        before = self._alert_of(rule, finding)
        opened = Alert(
            alert_id=before.alert_id if before else str(uuid5(NAMESPACE, f"{rule.id} {finding.anchor.id}")),
            rule=rule.id,
            rule_version=rule.version,
            severity=rule.severity,
            subject_id=self.subject_id,
            state="open",
            anchor=finding.anchor.id,
            evidence=self._evidence(finding),
            explanation=self._sentence(rule, finding),
            changes=before.changes if before else 0,
            opened_at=before.opened_at if before else trigger.at,
            changed_at=trigger.at,
            first_anchor=before.first_anchor if before else finding.anchor.id,
        )
        self._current[rule.id, finding.anchor.id] = opened.alert_id
        cause, fact_id = self._why_open(finding, trigger)
        self._change(opened, trigger, cause, fact_id)

    def _refresh(self, alert: Alert, rule: Rule, finding: Finding) -> None:
        told = alert._replace(evidence=self._evidence(finding), explanation=self._sentence(rule, finding))
        if told != alert:
            self.alerts[alert.alert_id] = told
            self.touched.add(alert.alert_id)

    def _supersede(self, alert: Alert, trigger: Trigger, cause: str) -> None:
        fact = trigger.fact if cause == "same_event" else None
        said = said_until(alert, trigger.at)
        self._change(alert._replace(state="superseded", explanation=said), trigger, cause, fact.id if fact else None)

    def _end(self, alert: Alert, state: str, trigger: Trigger) -> None:
        fact = trigger.fact
        if trigger.kind == "rules":
            cause = "rule_changed"
        elif fact is not None and fact.type in ABOUT_FACTS:
            cause = fact.type.lower()
        else:
            cause = "world_changed" if state == "resolved" else "late_knowledge"
        ended = alert._replace(state=state, explanation=said_until(alert, trigger.at))
        self._change(ended, trigger, cause, fact.id if fact else None)

    def _why_open(self, finding: Finding, trigger: Trigger) -> tuple[str, str | None]:
        if trigger.kind == "rules":
            return ("rule_changed", None)
        if finding.opens is None:
            return self._what_followed(finding, trigger.fact)
        if finding.opens == trigger.at:
            return ("deadline", None)
        # It was silent long before: what was recorded at this instant made the silence known.
        told = [f for f in self.history.facts.values() if f.recorded == trigger.at and f.type in ABOUT_FACTS]
        if told:
            last = max(told, key=lambda fact: fact.id)
            return (last.type.lower(), last.id)
        return ("rule_changed" if self.rules_since == trigger.at else "deadline", None)

    def _what_followed(self, finding: Finding, fact: Fact | None) -> tuple[str, str]:
        """Return why a pattern of facts is there, *fact* having come last; None: its time has come."""
        if fact is None:
            return ("followed", finding.completing[0].id)
        if fact.type in ABOUT_FACTS:
            return (fact.type.lower(), fact.id)
        # The fact that brought an alert back may be no part of it: another case of somebody who was cleared.
        return ("followed" if fact.id in self._evidence(finding) else "world_changed", fact.id)

    def _sentence(self, rule: Rule, finding: Finding) -> str:
        then = finding.completing[0] if finding.completing else None
        self._spoken_of = self._name
        return explain_text(rule, self._spoken_of, self.subject_id, finding.anchor, then)

    def _change(self, alert: Alert, trigger: Trigger, cause: str, fact_id: str | None) -> None:
        changed = alert._replace(changes=alert.changes + 1, changed_at=trigger.at)
        self.alerts[alert.alert_id] = changed
        self.touched.add(alert.alert_id)
        self.changes.append(Change(changed, trigger.at, cause, fact_id))

    def _evidence(self, finding: Finding) -> tuple[str, ...]:
        events = (finding.anchor, *finding.completing)
        return tuple(report.id for event in events for report in self.history.reports(event))

    def _due_by(self, instant: datetime | None) -> None:
        if instant is not None and (self.due is None or instant < self.due):
            self.due = instant
