"""Relations between a follow-up and its anchor: the same value in a field, or a value that is new (`same`, `new`)."""

from collections.abc import Collection
from typing import Any

from events.edtf import possibly_before
from events.facts import Fact
from events.text import comparison_form
from events.vocabulary import DATA, TRACKS
from projections.history.history import History
from projections.history.lookup import reports_of

from .clauses import Truth

WORDED = frozenset({"post", "agency"})
"""The fields in which two spellings of the same words are the same value. The others are ids and codes."""


def has_same(name: str, anchor: Fact, follow: Fact) -> Truth:
    """Return whether both facts have the same value in the field *name*; None if one of them does not name it."""
    one, other = _value(name, anchor), _value(name, follow)
    return None if one is None or other is None else one == other


def has_new(name: str, follow: Fact, anchor: Fact, event: Fact, history: History) -> Truth:
    """
    Return whether *follow* has a value in the field *name* that no fact possibly before the anchor had.

    Args:
        name: the field.
        follow: a report of the follow-up; None is returned if it does not name the field.
        anchor: the anchor. Its own value, and those of its reports, are not new.
        event: the fact that stands for the follow-up, whose own reports are left out.
        history: the facts that count.
    """
    value = _value(name, follow)
    if value is None:
        return None
    own = {report.id for report in reports_of(history, event)}
    anchors = {report.id for report in reports_of(history, anchor)}
    return not any(
        _value(name, fact) == value
        for fact in history.counting.values()
        if fact.id not in own and (fact.id in anchors or possibly_before(fact.occurred, anchor.occurred))
    )


def undecided(name: str) -> Truth:
    """Return None: without a follow-up, no relation to it can be decided."""
    del name
    return None


def types_with(names: Collection[str]) -> frozenset[str]:
    """Return the fact types that can have one of the fields *names*."""
    kinds = (kind for track, of_track in TRACKS.items() if track != "meta" for kind in of_track)
    return frozenset(kind for kind in kinds if DATA[kind].__annotations__.keys() & set(names))


def _value(name: str, fact: Fact) -> Any:  # noqa: ANN401 - a text, or None
    value = fact.data.get(name)
    return comparison_form(value) if name in WORDED and isinstance(value, str) else value
