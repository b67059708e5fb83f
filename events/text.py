"""
Functions on text: forms for comparison, for search, for storage and for messages, and spellings near a word.

Two functions compare spellings. `nearest_spelling` corrects a slip of the fingers and never proposes another word.
`near_words` proposes similar words, for a reader to choose from.
"""

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

QUOTED_CHARACTERS: Final = 80
BRIEF_CHARACTERS: Final = 60

_SHORT: Final = 6
"""Words up to this length may differ in one letter, longer words in two."""
_MOST_LETTERS: Final = 2
# Words of the same field that lie within two letters of a type. To propose that type would turn one thing into
# another: a retrial into a pension, a swearing-in into an indictment.
_OTHER_WORDS: Final = (
    "abused chaired changed convinced detailed detailled ejected evicted indebted inducted rearrested reassigned "
    "recharged rehired reported reproved retained retried returned revoked suspected"
)
# Besides format characters (category Cf): the other characters that Unicode says are not to be seen.
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_DOTLESS: Final = "\N{LATIN SMALL LETTER DOTLESS I}"
_DOT: Final = "\N{COMBINING DOT ABOVE}"
# A small i with its marks. One of the marks can be the dot of a capital dotted I that was made small.
_I: Final = re.compile("i[\u0300-\u036f]+")
_IE: Final = "\N{CYRILLIC SMALL LETTER IE}"
_YO: Final = re.compile(f"{_IE}\N{COMBINING DIAERESIS}+")


@lru_cache(maxsize=65536)
def comparison_form(text: str) -> str:
    """Return *text* as the words of a post or a charge are compared: NFKC, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


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
    text = _I.sub(lambda match: match[0].replace(_DOT, ""), text.replace(_DOTLESS, "i"))
    return unicodedata.normalize("NFC", " ".join(_YO.sub(_IE, text).split()))


def storable(text: str) -> str:
    """Return *text* as every database can store it: NUL and lone surrogates become escapes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def printable_bytes(value: bytes) -> str:
    """Return *value* as text that is safe to print: bytes and characters that are not printable become escapes."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in value.decode(errors="backslashreplace")
    )


def quote(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return *value* as JSON, cut to `QUOTED_CHARACTERS`; characters that cannot be seen become escapes."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    end = "..." if len(text) > QUOTED_CHARACTERS else ""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text[:QUOTED_CHARACTERS]) + end


def quote_briefly(value: object) -> str:
    """Return *value* as messages on rules quote it: cut to `BRIEF_CHARACTERS`, a list or mapping by its kind alone."""
    if isinstance(value, str):
        return f'"{value[:BRIEF_CHARACTERS]}"' if value else "nothing"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    return str(value)[:BRIEF_CHARACTERS]


def nearest_spelling(word: str, spellings: Iterable[str]) -> str | None:
    """
    Return the one of *spellings* of which *word* is a typing error; None if *word* is another word.

    The first letter must be the same. Fingers seldom miss that one, and "Jailed" is not "Bailed". One letter (in words
    over six letters, two) may be missing, added, wrong, or swapped with its neighbour. The case of letters is ignored.
    """
    form = word.casefold()
    if form in _OTHER_WORDS.split():
        return None
    distances = {name: _distance(form, name.casefold()) for name in spellings if form[:1] == name[:1].casefold()}
    close = [name for name, distance in distances.items() if distance <= _letters_allowed(form, name)]
    return min(close, key=distances.__getitem__, default=None)


def near_words(word: str, words: Iterable[str], most: int = 3, cutoff: float = 0.6) -> list[str]:
    """
    Return those of *words* that look like *word*, the most similar first; the case of letters is ignored.

    Args:
        word: the word as a person wrote it.
        words: the words that exist.
        most: the largest number to return.
        cutoff: the least similarity, from 0 (any word) to 1 (the same word), as `difflib` measures it.
    """
    by_form: dict[str, list[str]] = {}
    for name in words:
        by_form.setdefault(name.casefold(), []).append(name)
    forms = difflib.get_close_matches(word.casefold(), by_form, n=most, cutoff=cutoff)
    return [name for form in forms for name in by_form[form]][:most]


def wanted_type(word: str, types: Iterable[str]) -> str:
    """
    Return the text to show as wanted instead of *word*, which is not a type: the type that was meant, else `Noted`.

    Args:
        word: the type as it was written.
        types: the types of the vocabulary.
    """
    meant = nearest_spelling(word, types)
    if meant:
        return f"perhaps {meant}"
    return "Noted, whose title is the action in the source's own words; `casetrail schema` lists every type"


def _apart(text: str) -> str:
    """Return *text* in the normal form in which every mark is a character of its own."""
    return unicodedata.normalize("NFKD", text)


def _letters_allowed(word: str, spelling: str) -> int:
    return 1 if max(len(word), len(spelling)) <= _SHORT else _MOST_LETTERS


def _distance(one: str, other: str) -> int:
    """Return the number of letters to add, drop, replace or swap with the next one to turn *one* into *other*."""
    if abs(len(one) - len(other)) > _MOST_LETTERS:
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
