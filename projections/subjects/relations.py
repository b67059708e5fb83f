"""The relations of other people to one person, as the person's own history states them."""

from events.facts import Fact
from projections.history.history import History

RELATING = frozenset({"RelationAsserted", "RelationWithdrawn"})
"""The fact types that relate two people."""


def asserted(history: History) -> dict[tuple[str, str], Fact]:
    """
    Return the relations that stand, by (subject_id of the other person, relation), each with the fact that states it.

    The last fact about a person and a relation in world order counts. Without a date, an assertion comes first and a
    withdrawal last: it says that the relation never was, and an older error is not repeated.
    """
    standing: dict[tuple[str, str], Fact] = {}
    for fact in _in_order(history):
        key = (fact.data["other"], fact.data["relation"])
        if fact.type == "RelationAsserted":
            standing[key] = fact
        else:
            standing.pop(key, None)
    return standing


def _in_order(history: History) -> list[Fact]:
    dated = [fact for kind in sorted(RELATING) for fact in history.by_type.get(kind, ())]
    undated = [fact for fact in history.undated if fact.type in RELATING]
    first = [fact for fact in undated if fact.type == "RelationAsserted"]
    last = [fact for fact in undated if fact.type == "RelationWithdrawn"]
    return [*first, *sorted(dated, key=history.place), *last]
