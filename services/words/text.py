"""The words of a message, in one language."""

from typing import NamedTuple


class Text(NamedTuple):
    """
    The words of a message, in one language.

    Attributes:
        title: the first line, with the people, the finding and its date. One line.
        body: the other paragraphs, in order: the reason, the evidence with its sources, the presumption, the change.
        language: the language of these words.
        links: the URLs of the sources. Nothing else in the words becomes a link, because a name may look like one.

    A name may stand between the characters U+2068 and U+2069, which isolate its direction.
    """

    title: str
    body: tuple[str, ...]
    language: str
    links: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        """All of it as plain text, with blank lines between the paragraphs."""
        return "\n\n".join((self.title, *self.body))
