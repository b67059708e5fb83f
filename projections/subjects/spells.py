"""
The spells of a status: the longest times in which one post, hold, search, case or measure has one of some words.

Each part counts by itself, with its facts in world order, as the tables show it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from events.facts import Fact
from projections.tracks.cell import Cell
from projections.tracks.custody import Hold

from .status import Status

PartKind: TypeAlias = Literal["service", "custody", "wanted", "stage", "measure"]
"""The parts with spells, by the words that they have: posts, holds, searches, cases and measures."""
Words: TypeAlias = frozenset[str]


class Spell(NamedTuple):
    """A time in which a part has one of some words: the event that began it, and the one that ended it, if one did."""

    begin: Fact
    end: Fact | None


def spells_of(status: Status, kind: PartKind, words: Words) -> Mapping[str, Sequence[Spell]]:
    """Return the spells of *words* in all parts of *kind*, by the id of the event that began them."""
    spells: dict[str, list[Spell]] | None = status.spells.get((kind, words))
    if spells is None:
        spells = status.spells[kind, words] = {}
        for spell in _SPELLS[kind](status, words):
            spells.setdefault(spell.begin.id, []).append(spell)
    return spells


def _of_posts(status: Status, words: Words) -> Iterator[Spell]:
    for post in status.posts.all:
        yield from _runs(post.course, words)


def _of_cases(status: Status, words: Words) -> Iterator[Spell]:
    for case in status.cases.values():
        yield from _runs(case.course, words)


def _of_holds(status: Status, words: Words) -> Iterator[Spell]:
    for hold in (*status.custody.holds.values(), *status.custody.merged):
        for spell in _runs(hold.course, words):
            yield spell if spell.end else spell._replace(end=_end_as_another(hold, words))


def _of_searches(status: Status, words: Words) -> Iterator[Spell]:
    ended = status.custody.ended_searches
    standing = [(search, None) for search in status.custody.searches if search.fact.id not in ended]
    for search, end in [*ended.values(), *standing]:
        if search.scope in words:
            yield Spell(search.fact, end)


def _of_measures(status: Status, words: Words) -> Iterator[Spell]:
    ended = status.measures.ended
    standing = [(measure, None) for measure in status.measures.standing if measure.fact.id not in ended]
    for measure, end in [*ended.values(), *standing]:
        if measure.fact.data.get("kind") in words:
            yield Spell(measure.fact, end)


_SPELLS: Final[Mapping[PartKind, Callable[[Status, Words], Iterator[Spell]]]] = {
    "service": _of_posts,
    "custody": _of_holds,
    "wanted": _of_searches,
    "stage": _of_cases,
    "measure": _of_measures,
}


def _runs(course: Iterable[Cell], words: Words) -> Iterator[Spell]:
    """Yield the longest runs of *course* in *words*; a change among these words ends nothing."""
    begin: Fact | None = None
    for word, fact in course:
        if word in words:
            begin = begin or fact
        elif begin is not None:
            yield Spell(begin, fact)
            begin = None
    if begin is not None:
        yield Spell(begin, None)


def _end_as_another(hold: Hold, words: Words) -> Fact | None:
    """Return the end of a spell that *hold* had when it turned out to be another one; None: it lasts."""
    while hold.into is not None:
        hold, length, told = hold.into
        if hold.course[length - 1].status not in words:
            return told
        for word, fact in hold.course[length:]:
            if word not in words:
                return fact
    return None
