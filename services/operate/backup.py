"""Copy a live SQLite database, and check the copy before it gets its name."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL, Connection, Engine, func, select, text
from sqlalchemy.exc import DatabaseError

from events.errors import BadInput
from projections.queries import verify as audit
from projections.tables.database import open_database, snapshot
from projections.tables.schema import ledger
from services.database import revisions

PAGES = 2000
"""How many pages are copied between two reports of the progress: 8 MB."""

COPIED = 0.5
"""The share of the work that is done when everything is copied and nothing is checked."""

Tell = Callable[[float], None]
"""Takes the share of the work that is done, from 0 to 1."""


class Copy(NamedTuple):
    """
    A copy of a database.

    Attributes:
        file: the copy.
        size: its size in bytes.
        rows: the rows of its ledger that hold, by partition; None where its chain was not walked, because its schema
            is another release's or the file is damaged.
        findings: what is wrong with it. Then it was removed.
    """

    file: Path
    size: int
    rows: Mapping[int, int] | None
    findings: Sequence[audit.Finding]


def back_up(engine: Engine, file: Path, tell: Tell = lambda _: None) -> Copy:
    """
    Copy the database of *engine* to *file* as it is at one instant, while others write to it.

    The copy is readable by its owner alone. It is written under another name beside *file*, checked, and renamed: a
    *file* that is there is whole.

    Args:
        engine: a SQLite database in a file.
        file: the copy; must not exist.
        tell: called now and then.

    Raises:
        BadInput: if the database is a PostgreSQL one, *file* exists, or its folder does not.
        sqlite3.Error, OSError: if the copy cannot be written.
    """
    _check_possible(engine, file)
    with _under_another_name(file) as made:
        _copy(engine, made, tell)
        rows, findings = _examine(made, tell)
        size = made.stat().st_size
        if not findings:
            _settle(made, file)
    return Copy(file, size, rows, findings)


def _check_possible(engine: Engine, file: Path) -> None:
    if engine.dialect.name == "postgresql":
        raise BadInput("the database is PostgreSQL", "pg_dump --format=custom, and pg_restore for the way back")
    if os.path.lexists(file):
        raise BadInput("exists already", "the name of a file that does not exist", str(file))
    if not file.absolute().parent.is_dir():
        raise BadInput("its folder is missing", "a file in a folder that exists", str(file))


@contextmanager
def _under_another_name(file: Path) -> Iterator[Path]:
    """Make an empty file beside *file* that nobody else may read, and remove it in the end, whatever has happened."""
    made = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as problem:
        raise BadInput(problem.strerror or str(problem), "a file in a folder that you may write", str(file)) from None
    try:
        yield made
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            made.with_name(made.name + suffix).unlink(missing_ok=True)


def _copy(engine: Engine, made: Path, tell: Tell) -> None:
    with snapshot(engine) as conn, closing(sqlite3.connect(made)) as target:
        # The transaction begins here. Without it, SQLite starts the copy again at each write by somebody else.
        conn.execute(text("SELECT count(*) FROM sqlite_master"))
        source = conn.connection.driver_connection
        assert isinstance(source, sqlite3.Connection), "SQLite is reached by the standard library's driver"
        source.backup(target, pages=PAGES, progress=lambda _, left, total: tell(COPIED * (1 - left / total)))


def _examine(made: Path, tell: Tell) -> tuple[Mapping[int, int] | None, Sequence[audit.Finding]]:
    """Return the rows of the ledger that hold, and all that is wrong."""
    engine = open_database(URL.create("sqlite", database=str(made.absolute())))
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
    """Return what tells of the rows that were walked."""
    rows = conn.scalar(select(func.count()).select_from(ledger)) or 1
    walked = 0

    def walk(count: int) -> None:
        nonlocal walked
        walked += count
        tell(COPIED + (1 - COPIED) * walked / rows)

    return walk


def _damage(conn: Connection) -> list[audit.Finding]:
    """Return what SQLite itself finds wrong with the pages of a database."""
    try:
        found = [str(line) for line in conn.scalars(text("PRAGMA quick_check"))]
    except DatabaseError as problem:
        # Of some damage the check itself fails.
        found = [str(problem.orig)]
    return [] if found == ["ok"] else [audit.Finding(None, None, None, f"the file is damaged: {it}") for it in found]


def _settle(made: Path, file: Path) -> None:
    """Write all of *made* to the disk, and name it *file*, unless somebody has made a *file* meanwhile."""
    _sync(made)
    try:
        os.link(made, file)
    except FileExistsError:
        raise BadInput("exists already", "the name of a file that does not exist", str(file)) from None
    except OSError:
        # A disk without links, such as a memory stick.
        made.rename(file)
    with suppress(OSError):  # some disks cannot be asked it of a folder
        _sync(file.absolute().parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
