"""
Relations between people, as their histories assert them (docs/rules.md).

A relation says what the other person is to the subject. In each history the last assertion or withdrawal of a pair and
relation counts. One history that asserts it suffices, in either direction.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from projections.history.history import History
from projections.rules.values import RELATIONS
from projections.subjects.relations import asserted

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
    return [
        Relation(fact.subject, relation, other, (fact.id,), history.facts[fact.id].recorded)
        for (other, relation), fact in asserted(history).items()
        if other != fact.subject
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
