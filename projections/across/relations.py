"""
Relations between people, as their histories assert them (docs/rules.md).

A relation says what the other person is to the subject. In each history the last assertion or withdrawal of a pair and
relation counts. One history that asserts it suffices, in either direction.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from events.facts import Fact
from projections.history.history import History
from projections.rules.patterns.across import RELATING
from projections.rules.values import RELATIONS

INVERSE: Final = {
    **{name: name for name in ("sibling", "spouse", "relative", "associate")},
    "parent": "child",
    "child": "parent",
    "subordinate": "superior",
    "superior": "subordinate",
}
"""By relation of a person to a subject, the relation of the subject to this person."""


class Relation(NamedTuple):
    """
    A relation that stands.

    Attributes:
        subject_id: a person.
        relation: the relation of the other person to this one.
        other: the other person.
        facts: the ids of the facts that assert it, one of each history that does.
        recorded: the instant at which the first of these was recorded.
    """

    subject_id: str
    relation: str
    other: str
    facts: tuple[str, ...]
    recorded: datetime


def relations_of(history: History) -> list[Relation]:
    """Return the relations that the history of one person asserts. A relation to oneself is none."""
    last: dict[tuple[str, str, str], Fact] = {}
    for fact in _in_order(history):
        last[fact.subject, fact.data["relation"], fact.data["other"]] = fact
    return [
        Relation(*key, (fact.id,), history.facts[fact.id].recorded)
        for key, fact in last.items()
        if fact.type == "RelationAsserted" and key[0] != key[2]
    ]


def relations_to(subject_id: str, own: Iterable[Relation], of_others: Iterable[Relation]) -> list[Relation]:
    """
    Return the relations of other people to *subject_id*, by relation in the order of the vocabulary, then by person.

    Args:
        subject_id: the subject.
        own: the relations that the subject's history asserts.
        of_others: those that the histories of other people assert, to anybody.
    """
    held: dict[tuple[str, str], Relation] = {(one.relation, one.other): one for one in own}
    for one in sorted(of_others):
        if one.other != subject_id:
            continue
        relation = INVERSE[one.relation]
        before = held.get((relation, one.subject_id))
        facts = (*(before.facts if before else ()), *one.facts)
        recorded = min(before.recorded, one.recorded) if before else one.recorded
        held[relation, one.subject_id] = Relation(subject_id, relation, one.subject_id, facts, recorded)
    return sorted(held.values(), key=lambda one: (RELATIONS.index(one.relation), one.other))


def _in_order(history: History) -> list[Fact]:
    """Return the facts about relations in world order; an assertion without a date first, such a withdrawal last."""
    dated = [fact for kind in sorted(RELATING) for fact in history.by_type.get(kind, ())]
    undated = [fact for fact in history.undated if fact.type in RELATING]
    # A withdrawal says that the relation never was. Where it has no date, an older error is not told again.
    asserted = [fact for fact in undated if fact.type == "RelationAsserted"]
    withdrawn = [fact for fact in undated if fact.type == "RelationWithdrawn"]
    return [*asserted, *sorted(dated, key=history.place), *withdrawn]
