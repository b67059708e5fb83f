"""The nearest spelling of a word: a slip of the fingers is put right, another word is not."""

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

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


# Besides format characters (category Cf): the other characters that Unicode says are not to be seen.
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


_DOTLESS: Final = "\N{LATIN SMALL LETTER DOTLESS I}"


_DOT: Final = "\N{COMBINING DOT ABOVE}"


# A small i with its marks: one of them can be the dot that a capital dotted I leaves behind when it becomes small.
_I: Final = re.compile("i[\u0300-\u036f]+")


_IE: Final = "\N{CYRILLIC SMALL LETTER IE}"


_YO: Final = re.compile(f"{_IE}\N{COMBINING DIAERESIS}+")


def search_form(name: str) -> str:
    """
    Return *name* as names are searched for.

    Letters are the same in every width, case and normal form. The four letters of the Turkic i (dotted and dotless,
    capital and small) are one, because people and programs write each for the other. The Cyrillic letter yo is ye; a
    short i stays another letter than i. Invisible characters are left out. Blanks of every kind and number are one
    space.
    """
    # Taken apart for the folding and put together at the end, so that a letter that is kept is one with its mark.
    visible = "".join(character for character in _apart(name) if unicodedata.category(character) != "Cf")
    text = _apart(_UNSEEN.sub("", visible).casefold())
    text = _I.sub(lambda found: found[0].replace(_DOT, ""), text.replace(_DOTLESS, "i"))
    return unicodedata.normalize("NFC", " ".join(_YO.sub(_IE, text).split()))


def _apart(text: str) -> str:
    """Return *text* in the normal form in which every mark is a character of its own."""
    return unicodedata.normalize("NFKD", text)


@lru_cache(maxsize=65536)
def folded(text: str) -> str:
    """Return *text* as the words of a post or a charge are compared: NFKC, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def printable(text: str) -> str:
    """Return *text* as every database can store it: no NUL, no lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


QUOTED_CHARACTERS: Final = 80


def quote(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return *value* as JSON, cut to `QUOTED_CHARACTERS`; what cannot be seen is written as an escape."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    end = "..." if len(text) > QUOTED_CHARACTERS else ""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text[:QUOTED_CHARACTERS]) + end
