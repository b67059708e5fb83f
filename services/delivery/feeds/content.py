"""The content of an entry as XHTML: paragraphs, isolated names, and links to the sources only."""

import re
from collections.abc import Iterable, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from services.delivery.channels.cleaning import ISOLATED, clean, one_line, pieces
from services.delivery.message import Message

_ENDED: Final = frozenset({"resolved", "retracted", "superseded"})
# XML has no way to write these two; `clean` has removed the other characters that it excludes.
_NOT_IN_XML: Final = re.compile("[\ufffe\uffff]")


def title(message: Message) -> str:
    """Return the title of an entry, on one line."""
    return _NOT_IN_XML.sub("", one_line(message.text.title))


def paragraphs(message: Message) -> Sequence[str]:
    """Return the paragraphs below the title. Those of an alert that ended begin with the end."""
    body = message.text.body
    ordered = (*body[-1:], *body[:-1]) if message.kind in _ENDED else body
    return [_NOT_IN_XML.sub("", clean(paragraph)) for paragraph in ordered]


def plain(message: Message) -> str:
    """Return the paragraphs as plain text."""
    return "\n\n".join(ISOLATED.sub(r"\1", paragraph) for paragraph in paragraphs(message))


def division(message: Message) -> Element:
    """Return the paragraphs as one element `div`, without a namespace."""
    whole = Element("div")
    for paragraph in paragraphs(message):
        _fill(SubElement(whole, "p", dir="auto"), paragraph, message.text.links)
    return whole


def _fill(element: Element, paragraph: str, links: Iterable[str]) -> None:
    last: Element | None = None
    for piece in pieces(paragraph, tuple(links)):
        match piece.kind:
            case "name":
                last = SubElement(element, "bdi")
                last.text = piece.text
            case "link":
                last = SubElement(element, "a", href=piece.text, rel="noreferrer")
                last.text = piece.text
            case _:
                last = _add_text(element, last, piece.text)


def _add_text(element: Element, last: Element | None, text: str) -> Element | None:
    """Add *text* behind *last*, the last child of *element*, with a break for each line feed; return the last child."""
    first, *lines = text.split("\n")
    if last is None:
        element.text = (element.text or "") + first
    else:
        last.tail = (last.tail or "") + first
    for line in lines:
        last = SubElement(element, "br")
        last.tail = line
    return last
