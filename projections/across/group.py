"""
The group of an event: the value of the field by which a rule counts people (docs/rules.md).

It is the event's own field, else that of the post that the event concerns, else that of the post shown before it. Post,
agency and region are never combined from two posts. Texts compare without regard to case, width and white space.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from events.canonical import canonical
from events.facts import Fact
from events.text import comparison_form
from projections.history.lookup import reports_of
from projections.subjects.fold import Step
from projections.subjects.surroundings import Surroundings
from projections.tracks.post_words import Words


class Group(NamedTuple):
    """
    A group.

    Attributes:
        key: the text by which groups are compared.
        shown: the words of the source.
        jurisdiction: the jurisdiction of the group; None: it has none, such as a case.
    """

    key: str
    shown: str
    jurisdiction: str | None


class Place(NamedTuple):
    """The words of one source for one post."""

    post: str | None
    agency: str | None
    region: str | None
    jurisdiction: str | None


def group_of(by: str, anchor: Fact, step: Step) -> Group | None:
    """
    Return the group of the event for which *anchor* stands; None if it is not known.

    Args:
        by: agency, region, post, jurisdiction or case_id.
        anchor: a fact that counts, of a type before which the fold of *step* kept the status.
        step: the state of the fold of the person.
    """
    reports = [report.data for report in reports_of(step.history, anchor)]
    if by == "case_id":
        case_id = next((data["case_id"] for data in reports if "case_id" in data), None)
        return None if case_id is None else Group(case_id, case_id, None)
    around = step.status.around[anchor.id]
    own = [_place(report) for report in reports]
    places = [*own, *_posts(around, own)]
    placed = _place(around.placed.data if around.placed else {})
    if by == "jurisdiction":
        name = _first(by, [*places, placed])
        return None if name is None else Group(comparison_form(name), name, name)
    place = next((place for place in places if getattr(place, by) is not None), None)
    if place is None:
        return None
    words = [getattr(place, by)]
    if by == "post":
        words.append(_first("agency", [other for other in places if _same(other.post, place.post)]))
    # The law that a custody fact names comes last: a minister of one country can be detained in another.
    where = _first("jurisdiction", [place, placed, *places[len(own) :], *own])
    if where is None or None in words:
        return None
    return Group(_key(*words, where), ", ".join(words), where)


@lru_cache(maxsize=65536)
def _key(*words: str) -> str:
    return canonical([comparison_form(word) for word in words]).decode()


def _posts(around: Surroundings, own: list[Place]) -> list[Place]:
    """Return the post that the event concerns, and the one shown before it if it can be the same."""
    concerned = [_place_of(words) for words in around.concerned]
    alike = [Place(*map(_only, zip(*concerned, strict=True)))] if concerned else []
    shown = _shown(around)
    may_be_same = all(not _contradicts(place, shown) for place in (*own, *concerned))
    return [*alike, *([shown] if may_be_same else [])]


def _place(data: Mapping[str, str]) -> Place:
    return Place(data.get("post"), data.get("agency"), data.get("region"), data.get("jurisdiction"))


def _place_of(words: Words) -> Place:
    return Place(words.post, words.agency, words.region, words.fact.data.get("jurisdiction"))


def _shown(around: Surroundings) -> Place:
    """Return the post as the row shows it: that of an occupancy with words, else that of the latest description."""
    if around.shown is not None and not around.shown.is_blank:
        return _place_of(around.shown)
    return _place(around.described.data if around.described else {})


def _only(texts: tuple[str | None, ...]) -> str | None:
    """Return the text on which several posts agree; None if they do not."""
    return texts[0] if all(text is not None and _same(text, texts[0]) for text in texts) else None


def _contradicts(one: Place, other: Place) -> bool:
    """Return whether two sources cannot mean one post. A law that both name says nothing about the post."""
    pairs = zip(one[:3], other[:3], strict=True)
    return any(word is not None and named is not None and not _same(word, named) for word, named in pairs)


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and comparison_form(one) == comparison_form(other)


def _first(field: str, places: list[Place]) -> str | None:
    """Return the first value of *field* that one of *places* names; None if none does."""
    return next((value for place in places if (value := getattr(place, field)) is not None), None)
