"""A page as Atom (RFC 4287), with the links of an archived feed (RFC 5005, section 4)."""

from xml.etree.ElementTree import Element, SubElement, tostring

from events.edtf import format_instant

from .content import division, title
from .page import Address, Entry, Page

MEDIA_TYPE = "application/atom+xml"

# The names stand in the file as they are here: with namespaces of its own, ElementTree would write a prefix before
# every name, and readers that do not parse XML properly would find nothing.
_NAMESPACES = {"xmlns": "http://www.w3.org/2005/Atom", "xmlns:fh": "http://purl.org/syndication/history/1.0"}
_XHTML = "http://www.w3.org/1999/xhtml"


def atom(page: Page, address: Address) -> bytes:
    """
    Return *page* as an Atom document.

    Args:
        page: the page.
        address: the addresses of the pages.
    """
    feed = Element("feed", {**_NAMESPACES, "xml:lang": page.language})
    _add(feed, "id", page.feed_id.urn)
    _add(feed, "title", page.name)
    _add(feed, "updated", format_instant(page.updated))
    _add(SubElement(feed, "author"), "name", "casetrail")
    _add(feed, "generator", "casetrail")
    if page.number is not None:
        SubElement(feed, "fh:archive")
    for relation, href in _links(page, address):
        SubElement(feed, "link", rel=relation, type=MEDIA_TYPE, href=href)
    for entry in page.entries:
        _add_entry(feed, entry)
    written: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _links(page: Page, address: Address) -> list[tuple[str, str]]:
    links = [("self", address(page.number))]
    if page.number is not None:
        links.append(("current", address(None)))
    if page.earlier is not None:
        links.append(("prev-archive", address(page.earlier)))
    if page.later is not None:
        links.append(("next-archive", address(page.later)))
    return links


def _add_entry(feed: Element, entry: Entry) -> None:
    element = SubElement(feed, "entry")
    _add(element, "id", entry.entry_id.urn)
    _add(element, "title", title(entry.message))
    _add(element, "published", format_instant(entry.published))
    _add(element, "updated", format_instant(entry.updated))
    SubElement(element, "category", scheme="urn:casetrail:kind", term=entry.message.kind)
    content = SubElement(element, "content", type="xhtml")
    words = division(entry.message)
    words.set("xmlns", _XHTML)
    content.append(words)


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text
