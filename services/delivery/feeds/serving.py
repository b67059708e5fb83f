"""The pages of a feed as bytes: one at a time, or all of them as files."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final, NamedTuple

from sqlalchemy import Engine

from projections.tables.database import snapshot
from services.delivery.config.model import Feed, Receiver

from .atom import atom
from .json_feed import json_feed
from .page import Address, Page
from .reading import archive_count, read_page

FORMATS: Final[Mapping[str, Callable[[Page, Address], bytes]]] = {"atom": atom, "json": json_feed}
"""The formats, by the ends of the names of their files."""


class Exported(NamedTuple):
    """The numbers of pages of a feed, and of the files that were written because they have changed."""

    pages: int
    written: int


def feed_page(engine: Engine, receiver: Receiver, number: int | None, form: str, address: Address) -> bytes:
    """
    Return a page of the feed of *receiver*.

    Args:
        engine: the database.
        receiver: a receiver of the kind `feed`.
        number: the number of an archive; None: the current page.
        form: `atom` or `json`.
        address: the addresses of the pages.

    Raises:
        BadInput: if the feed has no such page.
    """
    with snapshot(engine) as conn:
        return FORMATS[form](read_page(conn, receiver, number), address)


def export_feed(engine: Engine, receiver: Receiver, folder: Path, base_url: str = "") -> Exported:
    """
    Write all pages of the feed of *receiver* into *folder*, in both formats, a page in memory at a time.

    The current page is written last, so that every archive that it names exists. A file that has not changed is left as
    it is.

    Args:
        engine: the database.
        receiver: a receiver of the kind `feed`.
        folder: an existing folder.
        base_url: the address under which the folder is served; empty: the links are relative.

    Raises:
        OSError: if a file cannot be written.
    """
    assert isinstance(receiver.target, Feed), "only the receiver of a feed has pages"
    name, start = receiver.target.name, f"{base_url.rstrip('/')}/" if base_url else ""
    written = 0
    with snapshot(engine) as conn:
        archives = archive_count(conn, receiver.name)
        for number in (*range(1, archives + 1), None):
            page = read_page(conn, receiver, number)
            for form, write in FORMATS.items():
                data = write(page, _addresses(start + name, form))
                written += _write(folder / _addresses(name, form)(number), data)
    return Exported(archives + 1, written)


def _addresses(start: str, form: str) -> Address:
    def address(number: int | None) -> str:
        # With a dot, which no name has: the feed desk-1 is not the first archive of desk.
        return f"{start}.{form}" if number is None else f"{start}.{number}.{form}"

    return address


def _write(path: Path, data: bytes) -> bool:
    """Write *data* if the file has other bytes; a server never sees a part of it. Return whether it was written."""
    with suppress(FileNotFoundError):
        if path.read_bytes() == data:
            return False
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)  # readable by a server that runs as another user
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return True
