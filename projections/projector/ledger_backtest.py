"""A backtest on the facts of a ledger: the alerts that other rules would have raised. The ledger is only read."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import groupby
from tempfile import TemporaryDirectory

from sqlalchemy import Connection

from events.record import again, event_of
from projections.alerts.shapes import AlertJson
from projections.correlator.replay import judge_from_the_beginning
from projections.rules.rulebook import Rulebook
from projections.tables.bulk import store
from projections.tables.checkpoint import Checkpoint, insert_first
from projections.tables.columns import METADATA
from projections.tables.database import open_database, write_transaction
from projections.tables.ledger_rows import FactRow, applied_pages, facts_by_subject, ledger_partitions
from projections.tables.schema import TOPIC, ledger

from .backtest import Line, replay_recorded, stored_alerts

FACTS = 20_000
"""The number of facts from which on a part of the people is replayed, so that memory does not grow with the ledger."""
PAGE = 1000
"""The number of rows to copy at once."""

Tell = Callable[[int], None]
"""Called with the number of facts read since the last call."""


def backtest_ledger(
    conn: Connection, rulebook: Rulebook, until: datetime, tell: Tell = lambda _: None, *, facts: int = FACTS
) -> Iterator[list[AlertJson]]:
    """
    Yield the alerts of a backtest on the applied facts of the ledger: of a part of the people at a time, then across.

    Each fact counts from the instant at which the ledger recorded it. The ledger is read once for the rules of one
    person, and once for those across people.

    Args:
        conn: a transaction that sees one state of the database.
        rulebook: the rules, in force all the time.
        until: facts recorded later are left out; the watermark at the end. Aware UTC.
        tell: called with the number of facts read since the last call.
        facts: the number of facts from which on a part is replayed, and about the number that rules across people keep
            in memory.
    """
    if rulebook.rules:
        yield from _of_one_person(conn, Rulebook(rulebook.rules), until, tell, facts)
    if rulebook.across:
        yield _across(conn, rulebook, until, tell, facts)


def _of_one_person(
    conn: Connection, rulebook: Rulebook, until: datetime, tell: Tell, facts: int
) -> Iterator[list[AlertJson]]:
    """Yield the alerts of a part of the people at a time, without those who have no fact from which a rule starts."""
    part: list[Line] = []
    with closing(facts_by_subject(conn, until)) as rows:
        for _, group in groupby(rows, key=lambda row: row.subject_id):
            own = list(group)
            if not rulebook.anchors.isdisjoint(_type(row) for row in own):
                part += map(_line, own)
            tell(len(own))
            if len(part) >= facts:
                yield replay_recorded(part, rulebook, until)["alerts"]
                part = []
    if part:
        yield replay_recorded(part, rulebook, until)["alerts"]


def _across(conn: Connection, rulebook: Rulebook, until: datetime, tell: Tell, facts: int) -> list[AlertJson]:
    """Return the alerts of the rules across people, which the correlator's own steps find in a copy of the ledger."""
    with TemporaryDirectory(prefix="casetrail-") as folder:
        # A file, since SQLite then keeps some pages of it in memory and not all.
        engine = open_database(f"sqlite:///{folder}/backtest.db")
        try:
            METADATA.create_all(engine)
            with write_transaction(engine) as copy, closing(applied_pages(conn, until, PAGE)) as pages:
                for page in pages:
                    store(copy, ledger, [entry.row() for entry in page])
                    tell(len(page))
                for number in ledger_partitions(copy):
                    insert_first(copy, Checkpoint(TOPIC, number, watermark=until))
            judge_from_the_beginning(engine, rulebook, until, facts)
            with engine.connect() as copy:
                return stored_alerts(copy)
        finally:
            engine.dispose()


def _type(row: FactRow) -> str:
    return again(row.headers, row.value, row.recorded).type


def _line(row: FactRow) -> Line:
    return Line(row.seq, row.recorded, row.subject_id.encode(), event_of(row.headers, row.value), None)
