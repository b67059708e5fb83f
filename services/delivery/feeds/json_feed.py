"""A page as JSON Feed 1.1."""

from typing import Any
from xml.etree.ElementTree import tostring

from pydantic_core import to_json

from events.edtf import format_instant

from .content import division, plain, title
from .page import Address, Entry, Page

MEDIA_TYPE = "application/feed+json"
VERSION = "https://jsonfeed.org/version/1.1"


def json_feed(page: Page, address: Address) -> bytes:
    """
    Return *page* as a JSON Feed.

    Args:
        page: the page.
        address: the addresses of the pages.
    """
    feed = {
        "version": VERSION,
        "title": page.name,
        "feed_url": address(page.number),
        **({} if page.earlier is None else {"next_url": address(page.earlier)}),
        "authors": [{"name": "casetrail"}],
        "language": page.language,
        "items": [_item(entry) for entry in page.entries],
    }
    return to_json(feed, indent=1) + b"\n"


def _item(entry: Entry) -> dict[str, Any]:
    message = entry.message
    return {
        "id": entry.entry_id.urn,
        "title": title(message),
        "content_html": tostring(division(message), encoding="unicode", method="html"),
        "content_text": plain(message),
        "date_published": format_instant(entry.published),
        "date_modified": format_instant(entry.updated),
        "language": message.text.language,
        "tags": [message.kind],
        # The format allows fields of its own under names with an underscore.
        "_casetrail": {
            "kind": message.kind,
            "notice_id": message.notice_id,
            "sequence": message.sequence,
            "alert_id": message.alert["alert_id"] if message.alert else None,
            "subject_ids": list(message.subject_ids),
        },
    }
