"""The notices of the correlator's changes, in its own rows of the outbox; an opening in doubt is not told yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from projections.alerts.alert import Change
from projections.tables.bulk import store
from projections.tables.ledger_rows import subjects_of_facts, taken_back_since
from projections.tables.outbox import to_notify
from projections.tables.parked_rows import unread_counts_at
from projections.tables.rows import notice_row
from projections.tables.schema import CORRELATOR, outbox


class Doubt(NamedTuple):
    """
    An opening in doubt.

    Attributes:
        at: the instant of the step that opens the alert.
        until: the instant at which the last correction of its evidence was recorded, at the horizon or beyond.
    """

    at: datetime
    until: datetime


def first_in_doubt(conn: Connection, changes: Sequence[Change], horizon: datetime) -> Doubt | None:
    """Return the first of the told openings in *changes* whose evidence was taken back at *horizon* or later."""
    openings = [change for change in changes if change.told and change.alert.state == "open"]
    if not openings:
        return None
    of_fact = subjects_of_facts(conn, {fact_id for change in openings for fact_id in change.alert.evidence})
    gone = taken_back_since(conn, set(of_fact.values()), horizon)
    doubts = [
        Doubt(change.at, max(gone[fact_id] for fact_id in taken))
        for change in openings
        if (taken := gone.keys() & set(change.alert.evidence))
    ]
    return min(doubts, default=None)


def write_notices(conn: Connection, last: int, changes: Sequence[Change]) -> int:
    """
    Write the notices of *changes*, as `to_notify` selects them, behind the number *last*; return the last number.

    The unread records of an alert are those of all people in its evidence.
    """
    told = to_notify(conn, changes)
    if not told:
        return last
    of_fact = subjects_of_facts(conn, {fact_id for change in told for fact_id in change.alert.evidence})
    people = [sorted({of_fact[fact_id] for fact_id in change.alert.evidence}) for change in told]
    pairs = [(subject_id, change.at) for change, own in zip(told, people, strict=True) for subject_id in own]
    unread = unread_counts_at(conn, pairs)
    rows = [
        notice_row(CORRELATOR, n, change, sum(unread[subject_id, change.at] for subject_id in own), own)
        for n, (change, own) in enumerate(zip(told, people, strict=True), last + 1)
    ]
    store(conn, outbox, rows)
    return last + len(rows)
