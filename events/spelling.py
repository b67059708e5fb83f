"""The nearest spelling of a word: a slip of the fingers is put right, another word is not."""

from collections.abc import Iterable
from typing import Final

_SHORT: Final = 6
"""Up to this length one letter may differ, in longer words two."""
# Words of the same field that lie within two letters of a type. To propose that type would turn one thing into
# another: a retrial into a pension, a swearing-in into an indictment.
_OTHER_WORDS: Final = (
    "abused chaired changed convinced detailed detailled ejected evicted indebted inducted rearrested reassigned "
    "recharged rehired reported reproved retained retried returned revoked suspected"
)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """
    Return the one of *known* that *word* was most likely meant to be; None where it is another word.

    The first letter is the same, for the fingers seldom miss that one and "Jailed" is not "Bailed". One letter, in
    longer words two, is missing, too many, another or in the place of its neighbour. The case of letters is ignored.
    """
    folded = word.casefold()
    if folded in _OTHER_WORDS.split():
        return None
    distances = {each: _distance(folded, each.casefold()) for each in known if folded[:1] == each[:1].casefold()}
    close = [each for each, distance in distances.items() if distance <= _most(folded, each)]
    return min(close, key=distances.__getitem__, default=None)


def wanted_type(word: str, known: Iterable[str]) -> str:
    """
    Return what to write instead of *word*, which is not a type: the type it was meant to be, else `Noted`.

    Args:
        word: the type as it was written.
        known: the types.
    """
    close = nearest(word, known)
    if close:
        return f"perhaps {close}"
    return "Noted, whose title is the action in the source's own words; `casetrail schema` lists every type"


def _most(word: str, known: str) -> int:
    return 1 if max(len(word), len(known)) <= _SHORT else 2


def _distance(one: str, other: str) -> int:
    """Return how many letters to add, drop, replace or swap with the next lead from *one* to *other*."""
    if abs(len(one) - len(other)) > 2:  # noqa: PLR2004 - the most that `_most` takes
        return len(one) + len(other)
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, wanted in enumerate(other, 1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != wanted))
            if row > 1 < column and letter == other[column - 2] and one[row - 2] == wanted:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, last = last, current
    return last[-1]
