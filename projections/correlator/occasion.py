"""The occasion of a change in an alert across people: the fact that arrived, and the cause."""

from collections.abc import Collection, Iterable

from events.facts import Fact
from projections.alerts.alert import Alert, Trigger
from projections.alerts.steps import AlertStep, ended
from projections.history.corrections import ABOUT_FACTS

WITHDRAWN = "RelationWithdrawn"
"""A withdrawn relation was never true, whatever its date."""

TAKING_BACK = ABOUT_FACTS | {WITHDRAWN}
"""The types of facts that take other facts back."""


def occasion(trigger: Trigger, arrived: Iterable[Fact], about: Collection[str], evidence: Collection[str]) -> Trigger:
    """
    Return *trigger* with the fact that brought a change about.

    Of several facts of one instant, a correction or retraction comes first, then a fact in the evidence, then any other
    of the people concerned; of equals the last.

    Args:
        trigger: the occasion of the step.
        arrived: the facts that the step brought.
        about: the people concerned.
        evidence: the facts in the evidence.
    """
    if trigger.kind != "fact":
        return trigger
    own = [fact for fact in arrived if fact.subject in about]
    fact = max(own, key=lambda one: (one.type in TAKING_BACK, one.id in evidence, one.order), default=None)
    return trigger._replace(kind="time" if fact is None else "fact", fact=fact)


def ended_by(alert: Alert, state: str, trigger: Trigger) -> AlertStep:
    """Return *alert* when it ends as *state*, as `ended` does; a withdrawn relation retracts it."""
    after, change = ended(alert, state, trigger)
    is_withdrawn = trigger.fact is not None and trigger.fact.type == WITHDRAWN
    return after, change._replace(cause="retracted") if is_withdrawn and state == "retracted" else change
