"""
The alerts of the episodes of one group: each opens, grows, merges, splits or is retracted (docs/rules.md). Pure.

An alert belongs to the episode with its first anchor as evidence; if no episode has it, to that with its latest anchor,
then to that with the first of its other evidence.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from events.edtf import END_OF_TIME
from projections.alerts.alert import STANDING, alert_id_of
from projections.rules.patterns.across import CountRule

from .runs import Episode, GroupChange, GroupRuns

Kind = Literal["open", "reach", "grow", "refresh", "supersede", "retract"]
"""
`open`: a new alert, or one that had ended; `reach`: a multiple of the number for the first time, so that an
acknowledged alert is open again, with a notice; `grow`: more evidence, a change without a notice; `refresh`: another
anchor, sentence or less evidence, no change; `supersede`: another alert continues; `retract`: no episode is left.
"""


class GroupAlert(NamedTuple):
    """
    An alert of a group, as far as its life depends on it.

    Attributes:
        alert_id: its id.
        anchor, first_anchor: the ids of its latest and its first anchor.
        state: open, acknowledged, retracted or superseded.
        opened_at: the instant at which it first opened.
        reached: the largest multiple of the rule's number that one of its windows has reached: 1 for the number itself.
    """

    alert_id: str
    anchor: str
    first_anchor: str
    state: str
    opened_at: datetime
    reached: int


class Decision(NamedTuple):
    """
    A step in the life of an alert.

    Attributes:
        kind: the step.
        alert_id: the alert.
        episode: the episode that it is about from now on; None where it ends.
        reached: the largest multiple of the number so far.
        into: the alert that continues instead; None unless it is superseded.
    """

    kind: Kind
    alert_id: str
    episode: Episode | None
    reached: int
    into: str | None = None


def decide(  # noqa: PLR0913 - the group, its alerts, and two questions about other rows
    rule: CountRule,
    group: GroupRuns,
    change: GroupChange,
    alerts: Sequence[GroupAlert],
    *,
    evidence_of: Callable[[str], Iterable[str]],
    is_taken: Callable[[str], bool],
) -> list[Decision]:
    """
    Return the steps of the alerts of one group after a change: those that end, then those that continue or open.

    Args:
        rule: the rule.
        group: the group after the change.
        change: the change.
        alerts: every alert of the rule and group, in any state.
        evidence_of: returns the evidence of an alert, by its id, in its order.
        is_taken: returns whether an alert of another group has an id.
    """
    owned: dict[str, list[GroupAlert]] = {}
    touched = {episode.begins: episode for episode in change.after}
    decisions = []
    for alert in alerts:
        home = _home(alert, group, evidence_of)
        if home is not None:
            owned.setdefault(home.begins, []).append(alert)
        elif alert.state in STANDING:
            decisions.append(Decision("retract", alert.alert_id, None, alert.reached))
        # An alert that follows its first anchor leaves an episode without one.
        left = group.holding(alert.anchor)
        touched |= {episode.begins: episode for episode in (home, left) if episode is not None}
    grown = {episode.begins for held in change.gained if (episode := group.holding(held.fact_id)) is not None}
    new = {episode.begins for episode in change.after}
    for begins, episode in sorted(touched.items(), key=lambda item: _place(item[1])):
        own = sorted(owned.get(begins, ()), key=lambda one: (one.state not in STANDING, one.opened_at, one.alert_id))
        if own:
            decisions += _continued(rule, episode, own, is_new=begins in new, has_grown=begins in grown)
        else:
            reached = episode.people // rule.count.at_least
            decisions.append(Decision("open", _new_id(rule, episode, is_taken), episode, reached))
    return decisions


def _home(alert: GroupAlert, group: GroupRuns, evidence_of: Callable[[str], Iterable[str]]) -> Episode | None:
    """Return the episode to which *alert* belongs; None: no episode has any of its evidence."""
    for fact_id in (alert.first_anchor, alert.anchor):
        if episode := group.holding(fact_id):
            return episode
    if alert.state not in STANDING:
        # The life of an alert that ended goes on only with its anchor.
        return None
    return next((episode for fact_id in evidence_of(alert.alert_id) if (episode := group.holding(fact_id))), None)


def _continued(
    rule: CountRule, episode: Episode, own: Sequence[GroupAlert], *, is_new: bool, has_grown: bool
) -> list[Decision]:
    """Return the steps of the alerts that belong to *episode*: the first of *own* continues."""
    first, *others = own
    merged = [other for other in others if other.state in STANDING]
    decisions = [Decision("supersede", one.alert_id, None, one.reached, first.alert_id) for one in merged]
    # The receivers know the multiples that the alert of either part had reached.
    before = max(one.reached for one in (first, *merged))
    now = episode.people // rule.count.at_least
    kind: Kind | None = None
    if first.state not in STANDING:
        kind = "open"
    elif now > before:
        kind = "reach"
    elif has_grown or merged:
        kind = "grow"
    elif is_new or first.anchor != episode.anchor.fact_id:
        kind = "refresh"
    if kind is not None:
        decisions.append(Decision(kind, first.alert_id, episode, max(now, before)))
    return decisions


def _new_id(rule: CountRule, episode: Episode, is_taken: Callable[[str], bool]) -> str:
    anchor = episode.anchor
    alert_id = alert_id_of(rule.id, anchor.fact_id)
    # The alert of another group can have opened with this fact, before its group was corrected. It goes on there.
    return alert_id_of(rule.id, anchor.fact_id, anchor.group) if is_taken(alert_id) else alert_id


def _place(episode: Episode) -> tuple[datetime, str]:
    return (episode.anchor.occurred.latest or END_OF_TIME, episode.anchor.fact_id)
