"""
The steps of an alert: it opens, is refreshed, ends or is superseded. Each returns the alert and its change.

Nothing here depends on a rule being about one person only, except the sentences.
"""

from collections.abc import Collection
from datetime import datetime

from events.facts import Fact
from projections.history.corrections import ABOUT_FACTS
from projections.history.history import History
from projections.history.lookup import evidence_of
from projections.rules.languages import Told, told
from projections.rules.patterns.pattern import Finding, Rule
from projections.rules.sentence import explain_text

from .acknowledgement import Acknowledgement, Unacknowledgement
from .alert import STANDING, Alert, Change, Trigger, alert_id_of, stating, unworded, worded

AlertStep = tuple[Alert, Change]
"""The alert in its new state, and the change, which is numbered and dated when it is recorded."""


def opened(  # noqa: PLR0913, PLR0917 - the parts of which an alert is made
    before: Alert | None, rule: Rule, finding: Finding, history: History, names: tuple[str, str], trigger: Trigger
) -> AlertStep:
    """
    Return the alert that opens on *finding*, and its change.

    Args:
        before: the alert of the same event that ended earlier; it opens again.
        rule: the rule.
        finding: a finding that stands.
        history: the facts that count.
        names: the person's subject_id, and the name for the sentence.
        trigger: the occasion.
    """
    subject_id, name = names
    evidence, sentence = _evidence(finding, history), _sentence(rule, finding, history, subject_id, name)
    alert = opening(before, rule, (subject_id, finding.anchor.id), evidence, sentence, trigger)
    cause, fact_id = _opening_cause(finding, evidence, history, trigger)
    return alert, Change(alert, trigger.at, cause, fact_id, told=alert.told)


def opening(  # noqa: PLR0913, PLR0917 - the parts of which an alert is made
    before: Alert | None,
    rule: Rule,
    about: tuple[str | None, str],
    evidence: tuple[str, ...],
    sentence: Told,
    trigger: Trigger,
) -> Alert:
    """
    Return an open alert. It is told, unless its rule is on trial, or a change of rules found it in old history.

    Args:
        before: the alert of the same event that ended earlier; it opens again.
        rule: the rule.
        about: the subject_id, None for a group, and the fact_id of the anchor.
        evidence: the ids of the facts.
        sentence: the sentence.
        trigger: the occasion.
    """
    subject_id, anchor = about
    return Alert(
        alert_id=before.alert_id if before else alert_id_of(rule.id, anchor),
        rule=rule.id,
        rule_version=rule.version,
        severity=rule.severity,
        subject_id=subject_id,
        state="open",
        anchor=anchor,
        evidence=evidence,
        changes=before.changes if before else 0,
        opened_at=before.opened_at if before else trigger.at,
        changed_at=trigger.at,
        first_anchor=before.first_anchor if before else anchor,
        trial=rule.is_trial,
        told=not rule.is_trial and trigger.tells,
        **stating(sentence),
    )


def pattern_cause(trigger: Trigger, evidence: Collection[str], completing: str) -> tuple[str, str | None]:
    """
    Return the cause of the opening of an alert that needs no time to pass, and the fact that brought it about.

    Args:
        trigger: the occasion, with its fact.
        evidence: the facts in the evidence.
        completing: the fact that completes the pattern, if its time brought it about.
    """
    fact = trigger.fact
    if trigger.kind == "rules":
        return ("rule_changed", None)
    if fact is None:
        return ("followed", completing)
    if fact.type in ABOUT_FACTS:
        return (fact.type.lower(), fact.id)
    # The fact that brought an alert back need not belong to it: another case, after the person was cleared, does too.
    return ("followed" if fact.id in evidence else "world_changed", fact.id)


def continued(step: AlertStep, before: Alert) -> AlertStep:
    """
    Return the *step* of an alert that opens again in the change of rules that superseded it.

    An acknowledgement stays. Between trial and force nothing is continued for a receiver: it was told of the end.

    Args:
        step: the step as `opened` returned it.
        before: the alert as it stood before the change.
    """
    alert, change = step
    if before.state == "acknowledged":
        until = before.acknowledged_until
        alert = alert._replace(state="acknowledged", person=before.person, note=before.note, acknowledged_until=until)
        change = change._replace(person=before.person, note=before.note, until=until)
    if before.trial == alert.trial:
        alert, change = alert._replace(told=before.told), change._replace(told=False)
    return alert, change


def refreshed(alert: Alert, rule: Rule, finding: Finding, history: History, name: str) -> Alert:
    """Return a standing alert with the evidence and the sentence of *finding*."""
    sentence = _sentence(rule, finding, history, alert.subject, name)
    return alert._replace(evidence=_evidence(finding, history), **stating(sentence))


def reworded(alert: Alert, rule: Rule, finding: Finding | None, history: History, name: str) -> Alert:
    """
    Return an alert that does not stand with the sentence of *rule* for its state; without one, with the default form.

    Args:
        alert: the alert after its end.
        rule: the rule in force. The sentence of another version than the alert's is not taken.
        finding: the finding of its event; None: it has none, and an anchor that is gone is quoted as it was published.
        history: the facts.
        name: the person's name.
    """
    text = {"resolved": rule.ended_explain, "retracted": rule.retracted_explain}.get(alert.state)
    anchor = finding.anchor if finding else history.counting.get(alert.anchor, history.facts.get(alert.anchor))
    if text is None or anchor is None or alert.rule_version != rule.version:
        return unworded(alert)
    then, named = None, None
    if finding is not None and alert.state == "resolved":
        then = finding.ended_by or next(iter(finding.lasting or finding.completing), None)
        named = rule.facts_told(finding)
    limit = rule.limit_at(anchor, history)

    def word(text: str, language: str) -> str:
        return explain_text(text, name, alert.subject, anchor, then, named=named, limit=limit, language=language)

    return worded(alert, told(text, rule.language, word))


def superseded(alert: Alert, trigger: Trigger, cause: str) -> AlertStep:
    """Return *alert* when another alert, or another version of its rule, continues in its place."""
    fact = trigger.fact if cause == "same_event" else None
    return _step(_over(alert, "superseded", trigger), trigger, cause, fact)


def ended(alert: Alert, state: str, trigger: Trigger) -> AlertStep:
    """Return *alert* when it ends as *state*: resolved or retracted. Its sentence has the default form."""
    fact = trigger.fact
    if trigger.kind == "rules":
        cause = "rule_changed"
    elif fact is not None and fact.type in ABOUT_FACTS:
        cause = fact.type.lower()
    else:
        cause = "world_changed" if state == "resolved" else "late_knowledge"
    return _step(_over(alert, state, trigger), trigger, cause, fact)


def acknowledged(alert: Alert, said: Acknowledgement) -> AlertStep:
    """Return an open *alert* when a person acknowledges it, by their own clock."""
    seen = alert._replace(state="acknowledged", person=said.person, note=said.note, acknowledged_until=said.until)
    return seen, Change(seen, said.at, "person", None, said.person, said.note, alert.told, said.until)


def unacknowledged(alert: Alert, said: Unacknowledgement) -> AlertStep:
    """Return an acknowledged *alert* when a person takes that back; nobody is told, since it stood all the time."""
    again = _open_again(alert)
    return again, Change(again, said.at, "unacknowledged", None, said.person, said.note, told=False)


def ack_ended(alert: Alert, at: datetime) -> AlertStep:
    """Return an acknowledged *alert* when the end of its acknowledgement has come; nobody is told, likewise."""
    again = _open_again(alert)
    return again, Change(again, at, "ack_ended", None, told=False)


def _open_again(alert: Alert) -> Alert:
    return alert._replace(state="open", person=None, note=None, acknowledged_until=None)


def _step(alert: Alert, trigger: Trigger, cause: str, fact: Fact | None) -> AlertStep:
    # A receiver that never heard of the opening needs no end.
    return alert, Change(alert, trigger.at, cause, fact.id if fact else None, told=alert.told)


def _over(alert: Alert, state: str, trigger: Trigger) -> Alert:
    until = trigger.at if alert.state in STANDING else alert.said_until
    return unworded(alert._replace(state=state, said_until=until, acknowledged_until=None))


def _evidence(finding: Finding, history: History) -> tuple[str, ...]:
    return evidence_of(history, (finding.anchor, *finding.completing))


def _sentence(rule: Rule, finding: Finding, history: History, subject_id: str, name: str) -> Told:
    # Of the facts that complete the pattern, the first that no later event has ended.
    then = next(iter(finding.lasting or finding.completing), None)
    named, limit = rule.facts_told(finding), rule.limit_at(finding.anchor, history)

    def word(text: str, language: str) -> str:
        return explain_text(text, name, subject_id, finding.anchor, then, named=named, limit=limit, language=language)

    return told(rule.explain, rule.language, word)


def _opening_cause(
    finding: Finding, evidence: tuple[str, ...], history: History, trigger: Trigger
) -> tuple[str, str | None]:
    """Return the cause of an opening, and the fact that brought it about; None: no fact did."""
    if finding.opens is None:
        return pattern_cause(trigger, evidence, (finding.lasting or finding.completing)[0].id)
    if trigger.kind == "rules":
        return ("rule_changed", None)
    if finding.opens == trigger.at:
        return ("deadline", None)
    # The silence began long before: a correction or retraction recorded at this instant made it known.
    causes = [f for f in history.facts.values() if f.recorded == trigger.at and f.type in ABOUT_FACTS]
    if causes:
        last = max(causes, key=lambda fact: fact.id)
        return (last.type.lower(), last.id)
    return ("rule_changed" if trigger.rules_since == trigger.at else "deadline", None)
