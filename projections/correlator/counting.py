"""Rules that count people in one group: the alerts of the episodes that a step touches."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from events.facts import Fact
from projections.across.contribution import Contribution, contributions_of
from projections.across.episodes import Decision, GroupAlert, decide
from projections.across.runs import Episode, GroupChange, GroupRuns
from projections.across.sentences import CountTold, count_sentence
from projections.alerts.alert import STANDING, Alert, Change, Trigger, stating, unworded, worded
from projections.alerts.steps import ended, opening, pattern_cause, superseded
from projections.rules.language_words import cleared_since
from projections.rules.languages import Told, told
from projections.rules.patterns.across import CountRule
from projections.tables.across import EvidenceRow
from projections.tables.ledger_rows import subjects_of_facts
from projections.tables.schema import Conclusions

from .groups import Group, Groups
from .keeping import Desk, Interrupted, Sheet
from .occasion import occasion
from .people import People, Person
from .recording import Moves

OpenPeople = Callable[[Iterable[str]], Mapping[str, Person]]
"""Returns people as they are at the step."""


class Scene(NamedTuple):
    """
    The circumstances of one step.

    Attributes:
        desk: the alerts of the transaction.
        trigger: the occasion, without its fact.
        arrived: the facts that the step brought.
        people: returns people as they are at the step.
        interrupted: the alerts that the change of rules superseded, if one is under way.
    """

    desk: Desk
    trigger: Trigger
    arrived: Sequence[Fact]
    people: OpenPeople
    interrupted: Interrupted


class Counting:
    """
    Judges the groups of rules that count.

    Args:
        tables: the tables of conclusions.
        limit: the number of contributions to keep in memory.
    """

    def __init__(self, tables: Conclusions, limit: int) -> None:
        self.groups = Groups(tables, limit)

    def judge(self, scene: Scene, rule: CountRule, key: str, moves: Moves) -> list[Change]:
        """Judge a group after *moves*; return the changes of its alerts."""
        group, change = self.groups.moved(scene.desk.conn, rule, key, moves)
        about = {one.held.subject_id for one in (*moves.gone, *moves.come)}
        cleared = [one.held.fact_id for one in moves.come]
        return self._apply(scene, rule, key, group, change, about, cleared)

    def judge_all(self, scene: Scene, rule: CountRule) -> list[Change]:
        """Judge every group of *rule* again, after a change of rules."""
        changes = []
        for key in self.groups.keys(scene.desk.conn, rule):
            group, change = self.groups.all_of(scene.desk.conn, rule, key)
            changes += self._apply(scene, rule, key, group, change, set(), group.cleared)
            self._reword(scene, rule, key)
            scene.desk.write()
        return changes

    def _reword(self, scene: Scene, rule: CountRule, key: str) -> None:
        """Word the retracted alerts of a group again: the sentence of the rule can be another one."""
        sheet = Sheet(scene.desk.of_group(rule.id, key), scene.interrupted)
        for alert in [*sheet.alerts.values()]:
            if alert.state == "retracted" and alert.trial == rule.is_trial:
                sheet.keep(_reworded(scene, rule, alert))
        sheet.write(scene.desk)

    def _apply(  # noqa: PLR0913, PLR0917 - a group, its change, and its people
        self,
        scene: Scene,
        rule: CountRule,
        key: str,
        group: Group,
        change: GroupChange,
        about: set[str],
        refreshed: Iterable[str],
    ) -> list[Change]:
        if not (change.before or change.after) and next(iter(group.runs), None) is None:
            # Too few people before and after: no alert stands, and none opens. Most groups are like this.
            return []
        sheet = Sheet(scene.desk.of_group(rule.id, key), scene.interrupted)
        alerts = [
            GroupAlert(one.alert_id, one.anchor, one.first_anchor, one.state, one.opened_at, one.reached or 1)
            for one in sheet.alerts.values()
        ]
        decisions = decide(
            rule,
            group.runs,
            change,
            alerts,
            evidence_of=lambda alert_id: sheet.alerts[alert_id].evidence,
            is_taken=lambda alert_id: scene.desk.one(alert_id) is not None,
        )
        for decision in decisions:
            self._step(scene, sheet, rule, group, decision, about)
        self._refresh(scene, sheet, rule, group, {decision.alert_id for decision in decisions}, refreshed)
        return sheet.write(scene.desk)

    def _step(  # noqa: PLR0913, PLR0917 - as for `_apply`
        self, scene: Scene, sheet: Sheet, rule: CountRule, group: Group, decision: Decision, about: set[str]
    ) -> None:
        before = sheet.alerts.get(decision.alert_id)
        if decision.episode is None:
            assert before is not None, "only an alert that exists ends"
            trigger = occasion(scene.trigger, scene.arrived, about, before.evidence)
            if decision.kind == "supersede":
                sheet.record(superseded(before, trigger, "same_event"))
            else:
                sheet.keep(_reworded(scene, rule, sheet.record(ended(before, "retracted", trigger))))
            return
        alert = _alert(scene, rule, group, decision, before)
        trigger = occasion(scene.trigger, scene.arrived, about, alert.evidence)
        cause, fact_id = pattern_cause(trigger, alert.evidence, decision.episode.last.fact_id)
        grown = before is None or not set(alert.evidence) <= set(before.evidence)
        if decision.kind == "open":
            sheet.open((alert, Change(alert, trigger.at, cause, fact_id, told=alert.told)))
        elif decision.kind == "reach":
            # A multiple is news, even where nobody was told of the opening.
            told = not alert.trial and trigger.tells
            opened = alert._replace(
                state="open", person=None, note=None, told=alert.told or told, acknowledged_until=None
            )
            sheet.record((opened, Change(opened, trigger.at, cause, fact_id, told=told)))
        elif decision.kind == "grow" and grown:
            sheet.record((alert, Change(alert, trigger.at, cause, fact_id, told=False)))
        else:
            sheet.keep(alert)
        sheet.support(alert.alert_id, _rows(alert.alert_id, group.runs.evidence(decision.episode)))

    def _refresh(  # noqa: PLR0913, PLR0917 - as for `_apply`
        self, scene: Scene, sheet: Sheet, rule: CountRule, group: Group, done: set[str], touched: Iterable[str]
    ) -> None:
        """Word the alerts again whose episodes hold an event in *touched*, of which only the clearing may differ."""
        episodes = {episode.begins for fact_id in touched if (episode := group.runs.holding(fact_id)) is not None}
        for alert in [*sheet.alerts.values()]:
            home = group.runs.holding(alert.anchor) if alert.state in STANDING else None
            if home is not None and alert.alert_id not in done and home.begins in episodes:
                sheet.keep(
                    _alert(scene, rule, group, Decision("refresh", alert.alert_id, home, alert.reached or 1), alert)
                )


def _alert(scene: Scene, rule: CountRule, group: Group, decision: Decision, before: Alert | None) -> Alert:
    """Return the alert of a decision that stands, with the evidence and the sentence of its episode."""
    episode = decision.episode
    assert episode is not None, "an alert that stands has an episode"
    held = group.runs.evidence(episode)
    evidence = tuple(row.fact_id for row in _rows(decision.alert_id, held))
    sentence = _sentence(scene, rule, group, episode, held)
    if before is not None and decision.kind != "open":
        return before._replace(
            anchor=episode.anchor.fact_id,
            evidence=evidence,
            group_shown=episode.anchor.shown,
            reached=decision.reached,
            **stating(sentence),
        )
    alert = opening(before, rule, (None, episode.anchor.fact_id), evidence, sentence, scene.trigger)
    return alert._replace(
        alert_id=decision.alert_id,
        across=True,
        group_by=rule.count.by,
        group_key=episode.anchor.group,
        group_shown=episode.anchor.shown,
        reached=decision.reached,
    )


def _sentence(scene: Scene, rule: CountRule, group: Group, episode: Episode, held: Sequence[Contribution]) -> Told:
    people = {one.subject_id for one in held}
    cleared = {one.subject_id for one in held if group.cleared[one.fact_id]}
    first, last = (_fact(scene, one) for one in (episode.first, episode.last))
    count = CountTold(episode.people, episode.anchor.shown, first, last, rule.limit_of(episode.completing))

    def word(text: str, language: str) -> str:
        since = cleared_since(len(cleared), len(people), episode.people, language)
        return count_sentence(text, count, language) + since

    return told(rule.explain, rule.language, word)


def _reworded(scene: Scene, rule: CountRule, alert: Alert) -> Alert:
    """
    Return a retracted alert with the sentence of *rule* for it; without one, with the default form.

    The sentence quotes the last one: the facts as they were known just before the alert ended.
    """
    text, until = rule.retracted_explain, alert.said_until
    if text is None or until is None or alert.rule_version != rule.version:
        return unworded(alert)
    conn, tables = scene.desk.conn, scene.desk.tables
    subject_ids = {*subjects_of_facts(conn, alert.evidence).values()}
    people = People(tables, rule.on, len(subject_ids)).open(conn, subject_ids, until)
    held = [one for person in people.values() for one in contributions_of(rule, person.step)]
    runs = GroupRuns(rule, [one for one in held if one.group == alert.group_key])
    episode = runs.holding(alert.anchor)
    if episode is None:
        return unworded(alert)
    ends = (episode.first, episode.last)
    first, last = (people[one.subject_id].fold.history.counting[one.fact_id] for one in ends)
    count = CountTold(episode.people, alert.group_shown or "", first, last, rule.limit_of(episode.completing))
    return worded(alert, told(text, rule.language, lambda text, language: count_sentence(text, count, language)))


def _fact(scene: Scene, one: Contribution) -> Fact:
    """Return the fact of a contribution with the data in force."""
    person = scene.people([one.subject_id])[one.subject_id]
    return person.fold.history.counting[one.fact_id]


def _rows(alert_id: str, held: Sequence[Contribution]) -> list[EvidenceRow]:
    """Return the rows of the evidence: every report of each event, in the order of their ends and then of the ids."""
    rows = [
        EvidenceRow(alert_id, report, one.subject_id, 0, one.occurred.latest) for one in held for report in one.reports
    ]
    return sorted(rows, key=lambda row: (row.at is None, row.at, row.fact_id))
