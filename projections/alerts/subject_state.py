"""
The state of one person between records: the fold, the findings of the rules, and the alerts.

Its steps are pure. Each leaves the changes of alerts, and the clearings of the person, in ``lifecycle.changes``, in
their order.
"""

from collections.abc import Iterable
from datetime import datetime

from events.facts import Fact
from projections.history.history import History
from projections.rules.findings import Answer, Findings
from projections.rules.rulebook import Rulebook
from projections.subjects.fold import Fold, Step

from .acknowledgement import Acknowledgement, Unacknowledgement
from .alert import Alert, Trigger
from .clearing import Clearing, clearing_cause
from .lifecycle import Lifecycle
from .rules_change import RulesChange


class SubjectState:
    """
    The state of one person.

    Args:
        subject_id: the person.
        history: the facts so far.
        rulebook: the rules in force.
        rules_since: the instant from which they are in force; None: from the first record on.
        alerts: the alerts so far.
        due: the next instant at which time alone could change something; None: never.
        cleared: whether the person's row says that they are cleared.

    Attributes:
        fold: the history and the status.
        lifecycle: the alerts, and their changes since the last write.
    """

    def __init__(  # noqa: PLR0913 - the parts that a database keeps apart
        self,
        subject_id: str,
        history: History,
        rulebook: Rulebook,
        *,
        rules_since: datetime | None = None,
        alerts: Iterable[Alert] = (),
        due: datetime | None = None,
        cleared: bool = False,
    ) -> None:
        self.subject_id = subject_id
        self.rulebook = rulebook
        self.rules_since = rules_since
        self.fold = Fold(history, rulebook.anchors)
        self.lifecycle = Lifecycle(subject_id, {alert.alert_id: alert for alert in alerts})
        self.due = due
        self._findings = Findings(rulebook)
        self._cleared = cleared

    def compact(self) -> bool:
        """Keep the status alone, if facts that arrive in world order need no more; return whether they do not."""
        return not self.lifecycle.alerts and not self.due and self.fold.compact()

    def apply(self, fact: Fact) -> None:
        """Fire the timers due before the ``recorded`` of *fact*, and apply it."""
        if self.due is not None:
            self.advance_watermark(fact.recorded)
        step = self.fold.apply(fact)
        self._compare(fact.recorded, fact, late=step is not None and step.last is None)
        if step is None:
            return
        if self._record_step(step):
            renamed = self.lifecycle.renamed(step.status) if fact.type == "SubjectDescribed" else ()
            answers = self._findings.after(fact, step, renamed)
            self._follow(answers, step, Trigger("fact", fact.recorded, fact, self.rules_since))

    def acknowledge(self, said: Acknowledgement | Unacknowledgement) -> None:
        """Record an acknowledgement or its taking back, once the timers due before it have fired."""
        if self.lifecycle.acknowledge(said) and isinstance(said, Acknowledgement):
            self._due_by(said.until)

    def advance_watermark(self, until: datetime) -> bool:
        """Fire the timers due strictly before *until*, each at its own instant; return whether there was one."""
        fired = False
        while self.due is not None and self.due < until:
            at, self.due, fired = self.due, None, True
            step = self.fold.advance(at)
            self._compare(at, step.arrived, late=False)
            if self._record_step(step):
                self._follow(self._findings.at(at, step), step, Trigger("time", at, step.arrived, self.rules_since))
            self._due_by(self.lifecycle.end_acknowledgements(at))
        return fired

    def change_rules(self, rules: RulesChange, at: datetime) -> None:
        """Put other *rules* in force from *at* on: supersede the alerts of those that changed, and ask them again."""
        self.rulebook, self.rules_since = rules.rulebook, at
        self._findings = Findings(self.rulebook)
        step = self.fold.restart(self.rulebook.anchors)
        if self._record_step(step):
            self._follow(self._findings.at(at, step), step, Trigger("rules", at, rules_since=at, rules=rules))

    def _record_step(self, step: Step) -> bool:
        """Record a step of the fold; return whether there is an alert, or a fact from which a rule starts."""
        self._due_by(step.due)
        if step.moved:
            self._findings.clear()
        return bool(self.lifecycle.alerts or step.status.before)

    def _compare(self, at: datetime, fact: Fact | None, *, late: bool) -> None:
        """Record that the person is cleared now, or no longer, ahead of the changes of alerts that follow from it."""
        status = self.fold.status
        before, self._cleared = self._cleared, status.is_cleared()
        if self._cleared is not before:
            cause, fact_id = clearing_cause(fact, late=late), fact.id if fact else None
            presumption = status.summary().presumption
            self.lifecycle.changes.append(Clearing(self.subject_id, at, cause, fact_id, presumption))

    def _follow(self, answers: list[Answer], step: Step, trigger: Trigger) -> None:
        if answers or trigger.rules is not None:
            self._due_by(self.lifecycle.follow(answers, step, trigger))

    def _due_by(self, instant: datetime | None) -> None:
        if instant is not None and (self.due is None or instant < self.due):
            self.due = instant
