"""Copy a live SQLite database, and check the copy before it is renamed to its final name."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import DatabaseError

from events.errors import BadInput
from projections.queries import verify as audit
from projections.tables.database import open_database, snapshot
from projections.tables.ledger_rows import ledger_size
from services.database import revisions

PAGES = 2000
"""The number of pages that are copied between two reports of the progress: 8 MB."""

COPIED = 0.5
"""The share of the work that is done when all pages are copied and none is checked."""

Tell = Callable[[float], None]
"""Takes the share of the work that is done, from 0 to 1."""


class Copy(NamedTuple):
    """
    A copy of a database.

    Attributes:
        file: the copy.
        size: its size in bytes.
        rows: the number of ledger rows that were verified, by partition; None if the chain was not walked, because
            the schema is another release's or the file is damaged.
        findings: the damage and the breaks of the chain. If there is one, the copy was removed.
    """

    file: Path
    size: int
    rows: Mapping[int, int] | None
    findings: Sequence[audit.Finding]


def back_up(engine: Engine, file: Path, tell: Tell = lambda _: None) -> Copy:
    """
    Copy the database of *engine* to *file* as it is at one instant, while other processes write to it.

    Only its owner can read the copy. It is written under another name beside *file*, checked, and then renamed, so that
    an existing *file* is always complete.

    Args:
        engine: a SQLite database in a file.
        file: the copy; must not exist.
        tell: called with the progress.

    Raises:
        BadInput: if the database is PostgreSQL, *file* exists, or its folder is missing.
        sqlite3.Error, OSError: if the copy cannot be written.
    """
    _check_possible(engine, file)
    with _part_file(file) as part:
        _copy(engine, part, tell)
        rows, findings = _examine(part, tell)
        size = part.stat().st_size
        if not findings:
            _publish(part, file)
    return Copy(file, size, rows, findings)


def _check_possible(engine: Engine, file: Path) -> None:
    if engine.dialect.name == "postgresql":
        raise BadInput("the database is PostgreSQL", "pg_dump --format=custom, and pg_restore for the way back")
    if os.path.lexists(file):
        raise BadInput("exists already", "the name of a file that does not exist", str(file))
    if not file.absolute().parent.is_dir():
        raise BadInput("its folder is missing", "a file in a folder that exists", str(file))


@contextmanager
def _part_file(file: Path) -> Iterator[Path]:
    """Create an empty file beside *file* that only its owner can read; remove it after the block if it still exists."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as problem:
        raise BadInput(problem.strerror or str(problem), "a file in a folder that you may write", str(file)) from None
    try:
        yield part
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)


def _copy(engine: Engine, part: Path, tell: Tell) -> None:
    with snapshot(engine) as conn, closing(sqlite3.connect(part)) as target:
        # The transaction begins here. Without it, SQLite starts the copy again at each write of another process.
        conn.execute(text("SELECT count(*) FROM sqlite_master"))
        source = conn.connection.driver_connection
        assert isinstance(source, sqlite3.Connection), "SQLite is reached by the standard library's driver"
        source.backup(target, pages=PAGES, progress=lambda _, left, total: tell(COPIED * (1 - left / total)))


def _examine(part: Path, tell: Tell) -> tuple[Mapping[int, int] | None, Sequence[audit.Finding]]:
    """Return the number of verified ledger rows, by partition, and the findings."""
    engine = open_database(URL.create("sqlite", database=str(part.absolute())))
    try:
        current, wanted = revisions(engine)
        with snapshot(engine) as conn:
            findings = _damage(conn)
            if findings or current != wanted:
                return None, findings
            return audit.verify(conn, tell=_walking(conn, tell))
    finally:
        engine.dispose()


def _walking(conn: Connection, tell: Tell) -> Callable[[int], None]:
    """Return a function that reports the progress for each number of rows that were walked."""
    rows = ledger_size(conn) or 1
    walked = 0

    def walk(count: int) -> None:
        nonlocal walked
        walked += count
        tell(COPIED + (1 - COPIED) * walked / rows)

    return walk


def _damage(conn: Connection) -> list[audit.Finding]:
    """Return the damage that SQLite itself finds in the pages of a database."""
    try:
        lines = [str(line) for line in conn.scalars(text("PRAGMA quick_check"))]
    except DatabaseError as problem:
        # Some damage makes the check itself fail.
        lines = [str(problem.orig)]
    if lines == ["ok"]:
        return []
    return [audit.Finding(None, None, None, f"the file is damaged: {line}") for line in lines]


def _publish(part: Path, file: Path) -> None:
    """Flush *part* to the disk and rename it to *file*, unless *file* was created meanwhile."""
    _sync(part)
    try:
        os.link(part, file)
    except FileExistsError:
        raise BadInput("exists already", "the name of a file that does not exist", str(file)) from None
    except OSError:
        # A disk without links, such as a memory stick.
        part.rename(file)
    with suppress(OSError):  # some disks cannot sync a folder
        _sync(file.absolute().parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
