"""The sentences of alerts across people, which a person can check."""

from events.facts import Fact
from projections.rules.patterns.across import BY, CountRule, OfRule
from projections.rules.sentence import worded

_RELATIONS = {BY: "accuser"}


def count_sentence(rule: CountRule, count: int, group: str, first: Fact, last: Fact) -> str:
    """
    Return the sentence of an episode.

    Args:
        rule: the rule.
        count: the number of people in its fullest window.
        group: the group as the source of the alert's anchor writes it.
        first: the first fact of the fullest window.
        last: its last fact.
    """
    return worded(rule.explain, {"first": first, "last": last}, {"count": str(count), "group": group})


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


def pair_sentence(rule: OfRule, names: tuple[str, str], anchor: Fact, relation: str, then: Fact) -> str:
    """
    Return the sentence of a follow-up about another person.

    Args:
        rule: the rule.
        names: the names of the subject and of the other person; the subject_id stands for an empty one.
        anchor: the event of the subject.
        relation: the relation of the other person to the subject, or `by`.
        then: the follow-up.
    """
    name, other_name = names
    words = {
        "name": name or anchor.subject,
        "subject": anchor.subject,
        "then.name": other_name or then.subject,
        "then.relation": _RELATIONS.get(relation, relation),
    }
    return worded(rule.explain, {"anchor": anchor, "then": then}, words)
