"""The steps of an alert: it opens, is refreshed, ends or is superseded. Each returns the alert and its change."""

from uuid import uuid5

from events.facts import Fact
from projections.history.corrections import ABOUT_FACTS
from projections.history.history import History
from projections.history.lookup import evidence_of
from projections.rules.patterns.pattern import Finding, Rule
from projections.rules.sentence import explain_text

from .alert import NAMESPACE, Alert, Change, Trigger, said_until

AlertStep = tuple[Alert, Change]
"""The alert in its new state, and the change, which is numbered and dated when it is recorded."""


def opened(  # noqa: PLR0913, PLR0917 - the parts of which an alert is made
    before: Alert | None, rule: Rule, finding: Finding, history: History, names: tuple[str, str], trigger: Trigger
) -> AlertStep:
    """
    Return the alert that opens on *finding*.

    Args:
        before: the alert of the same event that ended earlier; it opens again.
        rule: the rule.
        finding: a finding that stands.
        history: the facts that count.
        names: the person's subject_id, and the name for the sentence.
        trigger: the occasion.
    """
    subject_id, name = names
    evidence = _evidence(finding, history)
    alert = Alert(
        alert_id=before.alert_id if before else str(uuid5(NAMESPACE, f"{rule.id} {finding.anchor.id}")),
        rule=rule.id,
        rule_version=rule.version,
        severity=rule.severity,
        subject_id=subject_id,
        state="open",
        anchor=finding.anchor.id,
        evidence=evidence,
        explanation=_sentence(rule, finding, history, subject_id, name),
        changes=before.changes if before else 0,
        opened_at=before.opened_at if before else trigger.at,
        changed_at=trigger.at,
        first_anchor=before.first_anchor if before else finding.anchor.id,
    )
    cause, fact_id = _opening_cause(finding, evidence, history, trigger)
    return alert, Change(alert, trigger.at, cause, fact_id)


def refreshed(alert: Alert, rule: Rule, finding: Finding, history: History, name: str) -> Alert:
    """Return a standing alert with the evidence and the sentence of *finding*."""
    return alert._replace(
        evidence=_evidence(finding, history), explanation=_sentence(rule, finding, history, alert.subject_id, name)
    )


def superseded(alert: Alert, trigger: Trigger, cause: str) -> AlertStep:
    """Return *alert* when another alert, or another version of its rule, continues in its place."""
    fact = trigger.fact if cause == "same_event" else None
    return _said(alert, "superseded", trigger), Change(alert, trigger.at, cause, fact.id if fact else None)


def ended(alert: Alert, state: str, trigger: Trigger) -> AlertStep:
    """Return *alert* when it ends as *state*: resolved or retracted."""
    fact = trigger.fact
    if trigger.kind == "rules":
        cause = "rule_changed"
    elif fact is not None and fact.type in ABOUT_FACTS:
        cause = fact.type.lower()
    else:
        cause = "world_changed" if state == "resolved" else "late_knowledge"
    return _said(alert, state, trigger), Change(alert, trigger.at, cause, fact.id if fact else None)


def _said(alert: Alert, state: str, trigger: Trigger) -> Alert:
    return alert._replace(state=state, explanation=said_until(alert, trigger.at))


def _evidence(finding: Finding, history: History) -> tuple[str, ...]:
    return evidence_of(history, (finding.anchor, *finding.completing))


def _sentence(rule: Rule, finding: Finding, history: History, subject_id: str, name: str) -> str:
    # Of the facts that complete the pattern, the first that no later event has ended.
    then = next(iter(finding.lasting or finding.completing), None)
    limit = rule.limit_at(finding.anchor, history)
    return explain_text(rule.explain, name, subject_id, finding.anchor, then, limit=limit)


def _opening_cause(
    finding: Finding, evidence: tuple[str, ...], history: History, trigger: Trigger
) -> tuple[str, str | None]:
    """Return the cause of an opening, and the fact that brought it about; None: no fact did."""
    if trigger.kind == "rules":
        return ("rule_changed", None)
    if finding.opens is None:
        return _cause_of_pattern(finding, evidence, trigger.fact)
    if finding.opens == trigger.at:
        return ("deadline", None)
    # The silence began long before: a correction or retraction recorded at this instant made it known.
    causes = [f for f in history.facts.values() if f.recorded == trigger.at and f.type in ABOUT_FACTS]
    if causes:
        last = max(causes, key=lambda fact: fact.id)
        return (last.type.lower(), last.id)
    return ("rule_changed" if trigger.rules_since == trigger.at else "deadline", None)


def _cause_of_pattern(finding: Finding, evidence: tuple[str, ...], fact: Fact | None) -> tuple[str, str]:
    """Return the cause of a pattern that stands, with *fact* as the last to arrive; None: its time has come."""
    if fact is None:
        return ("followed", (finding.lasting or finding.completing)[0].id)
    if fact.type in ABOUT_FACTS:
        return (fact.type.lower(), fact.id)
    # The fact that brought an alert back need not belong to it: another case, after the person was cleared, does too.
    return ("followed" if fact.id in evidence else "world_changed", fact.id)
