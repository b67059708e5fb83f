"""An alert, the changes in its life, and the occasion of a change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid5

from events.facts import Fact
from projections.rules.language_words import was_said
from projections.rules.languages import Told

from .rules_change import RulesChange

NAMESPACE = UUID("b8f7a8a4-6d0e-5c3b-9a55-0f3c6f1f7d21")

STANDING = frozenset({"open", "acknowledged"})


class Alert(NamedTuple):
    """
    An alert in its latest state.

    The fields are the columns of ``alerts``, in their order. Rows are written by that order, so it is part of the
    schema.

    Attributes:
        alert_id: UUIDv5 of the rule and the first anchor.
        anchor: the best report of the event from which the rule starts, as far as it is known.
        evidence: every report of the events that make the pattern.
        explanation: the sentence for its state.
        first_anchor: the anchor it opened with; the alert belongs to the event that holds this fact.
        trial: whether its rule was on trial when it opened last.
        told: whether notices are written of it, as decided when it opened last.
        said: the last sentence while it stood.
        said_until: the instant at which that sentence ceased to be said; None while the alert stands.
        person, note: the person that acknowledged it since it opened last, and the note; None: nobody has.
        subject_id: the person; None: it is about a group.
        across: whether its rule concerns several people. Then the correlator keeps it, and not the person's projector.
        group_by, group_key, group_shown: the field that makes its group, the group as groups are compared, and as the
            source of the anchor writes it; None: it has no group.
        reached: the largest multiple of its rule's number of people that a window had; None: it counts nobody.
        acknowledged_until: the instant at which the acknowledgement ends; None: it has no end, or there is none.
        languages: the languages of `explanation` and of `said`, each with its other sentences; None: both are in
            English alone.
    """

    alert_id: str
    rule: str
    rule_version: str
    severity: str
    subject_id: str | None
    state: str
    anchor: str
    evidence: tuple[str, ...]
    explanation: str
    changes: int
    opened_at: datetime
    changed_at: datetime
    first_anchor: str
    trial: bool
    told: bool
    said: str
    said_until: datetime | None = None
    person: str | None = None
    note: str | None = None
    across: bool = False
    group_by: str | None = None
    group_key: str | None = None
    group_shown: str | None = None
    reached: int | None = None
    acknowledged_until: datetime | None = None
    languages: Mapping[str, Any] | None = None

    @property
    def subject(self) -> str:
        """The person, of an alert that is not about a group."""
        assert self.subject_id is not None, "the alert is about one person"
        return self.subject_id


class Change(NamedTuple):
    """
    A change in an alert's life, and the alert after it.

    Attributes:
        person, note: of an acknowledgement, of one that a change of rules left in place, or of its taking back.
        told: whether a notice is written of it.
        until: the end of that acknowledgement; None: it has no end, or there is none.
    """

    alert: Alert
    at: datetime
    cause: str
    fact_id: str | None
    person: str | None = None
    note: str | None = None
    told: bool = True
    until: datetime | None = None


class Trigger(NamedTuple):
    """
    The occasion of a step.

    Attributes:
        kind: *fact*: one arrived; *time*: time passed; *rules*: other rules came into force.
        at: the instant of the log's clock.
        fact: the fact that arrived, or the last whose time came; else None.
        rules_since: the instant from which the rules are in force; None: from the first record on.
        rules: the change of rules, if it is the occasion.
        is_old: whether the step is in history that is older than the rules.
    """

    kind: Literal["fact", "time", "rules"]
    at: datetime
    fact: Fact | None = None
    rules_since: datetime | None = None
    rules: RulesChange | None = None
    is_old: bool = False

    @property
    def tells(self) -> bool:
        """Whether an alert that opens now is told, if its rule is not on trial."""
        return not self.is_old and (self.rules is None or self.rules.tells_backfilled)


def alert_id_of(*parts: str) -> str:
    """Return the id of an alert: UUIDv5 of the rule's id, the first anchor, and the group where that is needed."""
    return str(uuid5(NAMESPACE, " ".join(parts)))


def stating(told: Told) -> dict[str, Any]:
    """Return the fields of an alert that stands, with the sentence *told*."""
    return {"explanation": told.text, "said": told.text, "languages": _languages(told, told)}


def worded(alert: Alert, told: Told) -> Alert:
    """Return an alert that does not stand any more with the sentence *told*."""
    return alert._replace(explanation=told.text, languages=_languages(told, told_of(alert, "said")))


def unworded(alert: Alert) -> Alert:
    """Return an alert that does not stand any more with its last sentence, and until when that was said."""
    said, until = told_of(alert, "said"), alert.said_until
    if until is None:
        return worded(alert, said)
    others = {language: was_said(text, until, language) for language, text in said.others.items()}
    return worded(alert, Told(was_said(said.text, until, said.language), said.language, others))


def told_of(alert: Alert, field: Literal["explanation", "said"]) -> Told:
    """Return a sentence of an alert with its languages."""
    text: str = getattr(alert, field)
    return Told(text) if alert.languages is None else Told(text, **alert.languages[field])


def _languages(explanation: Told, said: Told) -> dict[str, Any] | None:
    """Return the languages of both sentences as JSON values; None, as for most alerts, if both are English alone."""
    if explanation.language == said.language == "en" and not explanation.others and not said.others:
        return None
    both = {"explanation": explanation, "said": said}
    return {name: {"language": told.language, "others": dict(told.others)} for name, told in both.items()}
