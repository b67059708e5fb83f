"""A page of a feed as data, the same for Atom and JSON Feed."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from services.delivery.message import Message

Address: TypeAlias = Callable[[int | None], str]
"""Returns the address of a page by its number; None: the current page."""


class Entry(NamedTuple):
    """
    An alert in its latest state, the clearing of a person, or a message about the work itself.

    Attributes:
        entry_id: its id, the same for its whole life.
        message: the latest message about it.
        published: since when the feed has it.
        updated: when it last changed.
    """

    entry_id: UUID
    message: Message
    published: datetime
    updated: datetime


class Page(NamedTuple):
    """
    A page of a feed: the current one, or an archive.

    Attributes:
        name: the name of the feed.
        feed_id: the id of the feed, the same on all pages.
        language: the language of the entries.
        number: the number of the archive, from 1; None: the current page.
        archives: the number of archives, which is that of the newest one.
        updated: when it last changed.
        entries: the entries, the newest first.
    """

    name: str
    feed_id: UUID
    language: str
    number: int | None
    archives: int
    updated: datetime
    entries: tuple[Entry, ...]

    @property
    def earlier(self) -> int | None:
        """The number of the archive with the entries before these; None: there is none."""
        earlier = self.archives if self.number is None else self.number - 1
        return earlier or None

    @property
    def later(self) -> int | None:
        """The number of the archive with the entries after these; None: the current page has them."""
        return None if self.number is None or self.number == self.archives else self.number + 1
