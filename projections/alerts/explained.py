"""A rule explained for one person: the reasons at each anchor, its alerts, and the next instant of a change."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from events.edtf import BEGINNING
from events.facts import Fact
from projections.history.history import History
from projections.rules.patterns.pattern import Rule
from projections.rules.reasons import AnchorReasons, Reason, not_anchors, reasons
from projections.rules.rulebook import Rulebook
from projections.subjects.fold import Fold

from .alert import Alert
from .subject_state import SubjectState


class Explained(NamedTuple):
    """
    A rule for one person at one instant.

    Attributes:
        anchors: the answer and its reasons for each anchor, in world order.
        not_anchors: the facts of the types from which the rule starts that do not count.
        alerts: the alerts that the rule has if it was in force all the time.
        due: the next instant at which the answer changes if no fact arrives; None: never.
    """

    anchors: tuple[AnchorReasons, ...]
    not_anchors: tuple[Reason, ...]
    alerts: tuple[Alert, ...]
    due: datetime | None


def explained(rule: Rule, subject_id: str, facts: Sequence[Fact], clock: datetime) -> Explained:
    """
    Explain *rule* for one person.

    Args:
        rule: the rule, as if it were enabled.
        subject_id: the person.
        facts: the facts about them that were recorded by *clock*, in the order of the ledger.
        clock: the instant of the log's clock, aware UTC; everything recorded by then is known.
    """
    step = Fold(History(facts, clock), rule.on).restart(rule.on)
    state = SubjectState(subject_id, History((), BEGINNING), Rulebook((rule,)))
    for fact in facts:
        state.apply(fact)
    state.advance_watermark(clock + timedelta(microseconds=1))
    alerts = sorted(state.lifecycle.alerts.values(), key=lambda alert: (alert.opened_at, alert.alert_id))
    return Explained(
        tuple(reasons(rule, step, clock)), tuple(not_anchors(rule, step.history)), tuple(alerts), state.due
    )
