"""The form in which names are searched for: two spellings that a reader takes for one name are one."""

import re
import unicodedata
from typing import Final

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


def folded(name: str) -> str:
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
