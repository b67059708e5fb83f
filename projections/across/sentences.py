"""The sentences of alerts across people, which a person can check."""

from typing import NamedTuple

from events.facts import Fact
from projections.rules.limits import Applied
from projections.rules.patterns.across import BY
from projections.rules.sentence import limit_words, worded

_RELATIONS = {BY: "accuser"}


class CountTold(NamedTuple):
    """
    The words about an episode.

    Attributes:
        people: the number of people in its fullest window.
        group: the group as the source of the alert's anchor writes it.
        first, last: the first and the last fact of the fullest window.
        limit: the limit that was applied; None: the rule has none.
    """

    people: int
    group: str
    first: Fact
    last: Fact
    limit: Applied | None = None


class PairTold(NamedTuple):
    """
    The words about a follow-up of another person.

    Attributes:
        name, other_name: the names of the subject and of the other person; empty: the subject_id stands for it.
        anchor: the event of the subject.
        relation: the relation of the other person to the subject, or `by`; empty without a follow-up.
        then: the follow-up; None: the sentence is about an alert that was retracted.
        limit: the limit that was applied; None: the rule has none.
    """

    name: str
    other_name: str
    anchor: Fact
    relation: str
    then: Fact | None
    limit: Applied | None = None


def count_sentence(explain: str, told: CountTold) -> str:
    """Return the sentence *explain* of a rule about an episode."""
    words = {"count": str(told.people), "group": told.group, **limit_words(told.limit)}
    return worded(explain, {"first": told.first, "last": told.last}, words)


def cleared_since(cleared: int, people: int, count: int) -> str:
    """
    Return the words to append to the sentence of a group: how many were cleared since; empty for none.

    Args:
        cleared: the number of people in the evidence who are cleared.
        people: the number of people in the evidence.
        count: the number that the sentence states, which is that of the fullest window alone.
    """
    if not cleared:
        return ""
    were = "was" if cleared == 1 else "were"
    whole = "them" if people == count else f"the {people} people in its evidence"
    return f" {cleared} of {whole} {were} cleared since."


def pair_sentence(explain: str, told: PairTold) -> str:
    """Return the sentence *explain* of a rule about a follow-up of another person."""
    other = told.other_name or (told.then.subject if told.then else "")
    words = {
        "name": told.name or told.anchor.subject,
        "subject": told.anchor.subject,
        "then.name": other,
        "then.relation": _RELATIONS.get(told.relation, told.relation),
        **limit_words(told.limit),
    }
    return worded(explain, {"anchor": told.anchor, "then": told.then}, words)
