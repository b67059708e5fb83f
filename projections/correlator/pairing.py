"""Rules about a related person: the alerts of one subject, from the histories of the subject and of the others."""

from collections.abc import Collection, Mapping, Sequence

from events.facts import Fact
from projections.across.contribution import contributions_of
from projections.across.pairs import Follow, PairFinding, Side, pair_findings
from projections.across.relations import relations_of, relations_to
from projections.across.sentences import PairTold, pair_sentence
from projections.alerts.alert import STANDING, Alert, Change, Trigger, stating, unworded, worded
from projections.alerts.lifecycle import ENDINGS, by_event, name_in
from projections.alerts.steps import opening, pattern_cause, superseded
from projections.rules.languages import Sentence, Told, told
from projections.rules.patterns.across import OfRule
from projections.tables.across import EvidenceRow

from .counting import Scene
from .keeping import Sheet
from .occasion import ended_by, occasion
from .people import Person
from .recording import Links


class Pairing:
    """
    Judges rules about a related person.

    Args:
        links: the links between people.
    """

    def __init__(self, links: Links) -> None:
        self.links = links

    def judge(self, scene: Scene, rules: Sequence[OfRule], subject_id: str, about: Collection[str]) -> list[Change]:
        """Judge *rules* for one subject after news about some people; return the changes of the alerts."""
        subject = scene.people([subject_id]).get(subject_id)
        if subject is None:
            # No fact of this person is of a type that concerns the rules.
            return []
        others = scene.people(self.links.of(scene.desk.conn, subject))
        if not others and not scene.desk.has_alerts(subject_id):
            return []
        people = {subject_id: subject, **others}
        changes: list[Change] = []
        for rule in rules:
            sheet = Sheet(scene.desk.of_person(rule.id, subject_id), scene.interrupted)
            findings = _findings(rule, subject, others)
            if not sheet.alerts and not any(finding.value == "standing" for finding in findings):
                continue
            trigger = occasion(scene.trigger, scene.arrived, about, {*_evidence_of(sheet, findings)})
            # An alert opens by a fact of its own evidence, though that of another anchor came at the same instant.
            openings = {
                finding.anchor.fact_id: occasion(scene.trigger, scene.arrived, about, finding.evidence)
                for finding in findings
            }
            self._follow(sheet, rule, findings, people, subject, trigger, openings)
            changes += sheet.write(scene.desk)
        return changes

    def _follow(  # noqa: PLR0913, PLR0917 - the findings, and the people with whom they are worded
        self,
        sheet: Sheet,
        rule: OfRule,
        findings: Sequence[PairFinding],
        people: Mapping[str, Person],
        subject: Person,
        trigger: Trigger,
        openings: Mapping[str, Trigger],
    ) -> None:
        current = _assign(sheet, rule, subject, trigger)
        of_alert: dict[str, PairFinding] = {}
        for finding in findings:
            alert = current.pop(finding.anchor.fact_id, None)
            if alert is not None:
                of_alert[alert.alert_id] = finding
            if finding.value == "standing":
                _stand(sheet, rule, finding, alert, people, openings[finding.anchor.fact_id])
            elif alert is not None and alert.state in ENDINGS[finding.value][1]:
                sheet.record(ended_by(alert, ENDINGS[finding.value][0], trigger))
        for alert in current.values():
            # A condition of the rule exempts the anchor now.
            if alert.state in ENDINGS["void"][1]:
                sheet.record(ended_by(alert, ENDINGS["void"][0], trigger))
        for alert in [*sheet.alerts.values()]:
            if alert.state in {"resolved", "retracted"} and alert.trial == rule.is_trial:
                sheet.keep(_reworded(alert, rule, of_alert.get(alert.alert_id), people, subject))


def _findings(rule: OfRule, subject: Person, others: Mapping[str, Person]) -> list[PairFinding]:
    own = subject.step
    told = [one for person in others.values() for one in relations_of(person.fold.history)]
    relations = relations_to(subject.subject_id, relations_of(own.history), told)
    sides = {other_id: _side(rule, person) for other_id, person in others.items()}
    return pair_findings(rule, _side(rule, subject), sides, relations)


def _side(rule: OfRule, person: Person) -> Side:
    step = person.step
    return Side(contributions_of(rule, step), step.history.counting, step.status.clearing())


def _evidence_of(sheet: Sheet, findings: Sequence[PairFinding]) -> list[str]:
    before = [fact_id for alert in sheet.alerts.values() for fact_id in alert.evidence]
    return [*before, *(fact_id for finding in findings for fact_id in finding.evidence)]


def _assign(sheet: Sheet, rule: OfRule, subject: Person, trigger: Trigger) -> dict[str, Alert]:
    """Return the alert of each event: of several that report it, the first to open continues, the others end."""
    owned, without = by_event(rule, sheet.alerts.values(), subject.fold.history)
    for alert in without:
        if alert.state in {*STANDING, "resolved"}:
            sheet.record(ended_by(alert, "retracted", trigger))
    current = {}
    for event, (first, *others) in owned.items():
        for other in others:
            if other.state in {*STANDING, "resolved"}:
                sheet.record(superseded(other, trigger, "same_event"))
        current[event] = first._replace(anchor=event)
        sheet.keep(current[event])
    return current


def _stand(  # noqa: PLR0913, PLR0917 - as for `Pairing._follow`
    sheet: Sheet,
    rule: OfRule,
    finding: PairFinding,
    before: Alert | None,
    people: Mapping[str, Person],
    trigger: Trigger,
) -> None:
    """Open the alert of a finding that stands, or keep it with its evidence and its sentence."""
    sentence = _sentence(rule, finding, people)
    if before is not None and before.state in STANDING:
        alert = before._replace(evidence=finding.evidence, **stating(sentence))
        sheet.keep(alert)
    else:
        anchor = finding.anchor
        alert = opening(before, rule, (anchor.subject_id, anchor.fact_id), finding.evidence, sentence, trigger)
        alert = alert._replace(across=True)
        follow = finding.told
        assert follow is not None, "a finding that stands has a follow-up"
        cause, fact_id = pattern_cause(trigger, finding.evidence, follow.held.fact_id)
        sheet.open((alert, Change(alert, trigger.at, cause, fact_id, told=alert.told)))
    sheet.support(alert.alert_id, _rows(alert.alert_id, finding, people))


def _reworded(
    alert: Alert, rule: OfRule, finding: PairFinding | None, people: Mapping[str, Person], subject: Person
) -> Alert:
    """
    Return an alert that does not stand with the sentence of *rule* for its state; without one, with the default form.

    An anchor that is gone is quoted as it was published. A retracted pattern has no follow-up.
    """
    text = rule.ended_explain if alert.state == "resolved" else rule.retracted_explain
    history = subject.fold.history
    anchor = history.counting.get(alert.anchor, history.facts.get(alert.anchor))
    if text is None or anchor is None or alert.rule_version != rule.version:
        return unworded(alert)
    follow = finding.told if finding is not None and alert.state == "resolved" else None
    return worded(alert, _worded(rule, text, _told(rule, anchor, follow, people)))


def _sentence(rule: OfRule, finding: PairFinding, people: Mapping[str, Person]) -> Told:
    assert finding.told is not None, "a finding that stands has a follow-up"
    anchor = people[finding.anchor.subject_id].fold.history.counting[finding.anchor.fact_id]
    return _worded(rule, rule.explain, _told(rule, anchor, finding.told, people))


def _worded(rule: OfRule, sentence: Sentence, pair: PairTold) -> Told:
    return told(sentence, rule.language, lambda text, language: pair_sentence(text, pair, language))


def _told(rule: OfRule, anchor: Fact, follow: Follow | None, people: Mapping[str, Person]) -> PairTold:
    subject = people[anchor.subject]
    name = name_in(subject.fold.status, subject.subject_id)
    limit = rule.limit_at(anchor, subject.fold.history)
    if follow is None:
        return PairTold(name, "", anchor, "", None, limit)
    other = people[follow.held.subject_id]
    then = other.fold.history.counting[follow.held.fact_id]
    return PairTold(name, name_in(other.fold.status, other.subject_id), anchor, follow.relation, then, limit)


def _rows(alert_id: str, finding: PairFinding, people: Mapping[str, Person]) -> list[EvidenceRow]:
    of_fact = {fact_id: person.subject_id for person in people.values() for fact_id in person.fold.history.facts}
    return [EvidenceRow(alert_id, fact_id, of_fact[fact_id], n, None) for n, fact_id in enumerate(finding.evidence)]
