"""The decision on one notice or more, of which one that is damaged is named and ends no command."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from projections.tables.database import UNAVAILABLE
from services.runtime.fault import fault_of


class Undecidable(Exception):
    """A notice cannot be decided on; its text is the fault."""


@contextmanager
def deciding(conn: Connection) -> Iterator[None]:
    """
    Undo the writes inside, if a notice cannot be decided on.

    Raises:
        Undecidable: in place of any error but those of a database that is away.
    """
    try:
        with conn.begin_nested():
            yield
    except UNAVAILABLE:
        raise
    except Exception as problem:
        raise Undecidable(fault_of(problem)) from problem
