"""The sentences of alerts across people, which a person can check."""

from typing import NamedTuple

from events.facts import Fact
from projections.rules.language_words import relation_in_words
from projections.rules.limits import Applied
from projections.rules.sentence import limit_words, worded


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


def count_sentence(explain: str, told: CountTold, language: str = "en") -> str:
    """Return the sentence *explain* of a rule about an episode."""
    words = {"count": str(told.people), "group": told.group, **limit_words(told.limit, language)}
    return worded(explain, {"first": told.first, "last": told.last}, words, language)


def pair_sentence(explain: str, told: PairTold, language: str = "en") -> str:
    """Return the sentence *explain* of a rule about a follow-up of another person."""
    other = told.other_name or (told.then.subject if told.then else "")
    words = {
        "name": told.name or told.anchor.subject,
        "subject": told.anchor.subject,
        "then.name": other,
        "then.relation": relation_in_words(told.relation, language),
        **limit_words(told.limit, language),
    }
    return worded(explain, {"anchor": told.anchor, "then": told.then}, words, language)
