"""Text from outside that may neither end a line early nor change the direction of other text."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

# Names stand between FSI and PDI, which isolate their direction. Everything else that changes it is removed.
ISOLATED: Final = re.compile("\u2068([^\u2066-\u2069]*)\u2069")
_ISOLATES: Final = re.compile("[\u2066-\u2069]")
_DIRECTIONS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066\u2067\ufeff]")
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACES: Final = re.compile(r"\s+")
_WEB: Final = ("http://", "https://")
_ANSWER_CHARACTERS: Final = 200


class Piece(NamedTuple):
    """A part of a paragraph: text, a name from outside, or the URL of a source."""

    kind: Literal["text", "name", "link"]
    text: str


def clean(text: str) -> str:
    """
    Return *text* without control characters and without characters that change the direction of a line.

    Line feeds and tabs stay, and so does each pair of FSI and PDI around one name.
    """
    text = text.replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n").replace("\x85", "\n")
    text = _CONTROLS.sub(" ", _DIRECTIONS.sub("", text))
    parts = ISOLATED.split(text)
    # The split alternates: text between pairs, and the content of a pair.
    return "".join(f"\u2068{part}\u2069" if index % 2 else _ISOLATES.sub("", part) for index, part in enumerate(parts))


def one_line(text: str) -> str:
    """Return *text*, cleaned, with one blank for each run of white space."""
    return _SPACES.sub(" ", clean(text)).strip()


def pieces(paragraph: str, links: Sequence[str]) -> Iterator[Piece]:
    """Yield the parts of *paragraph*. Only *links* become links, so that a name that looks like a URL is text."""
    urls = sorted((link for link in links if link.lower().startswith(_WEB)), key=len, reverse=True)
    pattern = "|".join([ISOLATED.pattern, *map(re.escape, urls)])
    end = 0
    for match in re.finditer(pattern, paragraph):
        yield Piece("text", paragraph[end : match.start()])
        yield Piece("link", match[0]) if match[1] is None else Piece("name", match[1])
        end = match.end()
    yield Piece("text", paragraph[end:])


def short_answer(text: str, *secrets: str | None) -> str:
    """Return the answer of a receiver as one short line, with `…` in place of each of *secrets*."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    line = one_line(text)
    return line if len(line) <= _ANSWER_CHARACTERS else f"{line[: _ANSWER_CHARACTERS - 1]}…"
