"""A backtest on the facts of a ledger: the alerts that other rules would have raised. The ledger is only read."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from events.record import again, event_of
from projections.rules.rulebook import Rulebook
from projections.tables.ledger_rows import FactRow, facts_by_subject

from .backtest import BacktestJson, Line, replay_recorded

FACTS = 20_000
"""The number of facts from which on a part of the people is replayed, so that memory does not grow with the ledger."""


def backtest_ledger(
    conn: Connection,
    rulebook: Rulebook,
    until: datetime,
    tell: Callable[[int], None] = lambda _: None,
    *,
    facts: int = FACTS,
) -> Iterator[BacktestJson]:
    """
    Yield the reports of a backtest on the applied facts of the ledger, for a part of the people at a time.

    Each fact counts from the instant at which the ledger recorded it. People without a fact from which a rule starts
    are left out. With rules across people there is one report, since these need everybody.

    Args:
        conn: a transaction that sees one state of the database.
        rulebook: the rules, in force all the time.
        until: facts recorded later are left out; the watermark at the end. Aware UTC.
        tell: called with the number of facts read since the last call.
        facts: the number of facts from which on a part is replayed.
    """
    across = bool(rulebook.across)
    part: list[Line] = []
    with closing(facts_by_subject(conn, until)) as rows:
        for _, group in groupby(rows, key=lambda row: row.subject_id):
            own = list(group)
            if across or not rulebook.anchors.isdisjoint(_type(row) for row in own):
                part += map(_line, own)
            tell(len(own))
            if len(part) >= facts and not across:
                yield replay_recorded(part, rulebook, until)
                part = []
    if part:
        yield replay_recorded(part, rulebook, until)


def _type(row: FactRow) -> str:
    return again(row.headers, row.value, row.recorded).type


def _line(row: FactRow) -> Line:
    return Line(row.seq, row.recorded, row.subject_id.encode(), event_of(row.headers, row.value), None)
