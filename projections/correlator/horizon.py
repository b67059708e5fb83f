"""The horizon, and the applied rows below it, of all partitions."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from projections.tables.ledger_rows import AppliedRow, applied_after, rules_in_force
from projections.tables.schema import OF_LOG, partitions

ROWS = 4000
"""The number of rows of one partition that one transaction reads, if they are not all of one instant."""


class Page(NamedTuple):
    """
    The next rows of all partitions.

    Attributes:
        rows: every applied row that was not read before and was recorded before *until*, by instant.
        positions: the place of the last row read, by partition.
        until: all rows recorded strictly before this instant have been read.
    """

    rows: Mapping[datetime, list[AppliedRow]]
    positions: Mapping[int, int]
    until: datetime


def horizon_of(conn: Connection, topic: str) -> datetime | None:
    """
    Return the lowest watermark of all partitions of *topic*: the rows recorded strictly before it are complete.

    Returns:
        None if a partition has no watermark yet, or there is no partition.
    """
    watermarks = conn.scalars(select(partitions.c.watermark).where(partitions.c.topic == topic, OF_LOG)).all()
    known = [watermark for watermark in watermarks if watermark is not None]
    return min(known) if known and len(known) == len(watermarks) else None


def old_history(conn: Connection, topic: str) -> datetime | None:
    """
    Return the instant before which history is older than the rules across people, when they first come into force.

    It is the horizon, but not later than the partitions were when their projectors put these rules in force.

    Returns:
        None if there is no horizon yet, or every partition was read with these rules in force from the beginning.
    """
    horizon = horizon_of(conn, topic)
    since = []
    for row in conn.execute(select(partitions).where(partitions.c.topic == topic, OF_LOG)).mappings().all():
        # Until its projector has the new rules too, all that a partition holds was read without them.
        has_rules = bool(rules_in_force(conn, row["partition"]).across)
        since.append(row["rules_since"] if has_rules else row["watermark"])
    return min(horizon, max(known)) if horizon and (known := [one for one in since if one]) else None


def next_page(conn: Connection, positions: Mapping[int, int], topic: str, horizon: datetime, most: int = ROWS) -> Page:
    """
    Return the next rows of all partitions below *horizon*, about *most* of each partition.

    Args:
        conn: a connection.
        positions: the place of the last row read, by partition.
        topic: the log's topic.
        horizon: the limit; every partition has been read up to there.
        most: the number of rows of a partition at which the page ends. An instant is never divided.
    """
    numbers = conn.scalars(select(partitions.c.partition).where(partitions.c.topic == topic, OF_LOG)).all()
    until, read = horizon, list[AppliedRow]()
    for number in sorted(numbers):
        rows, end = _rows_of(conn, number, positions.get(number, 0), until, most)
        until = min(until, end)
        read += rows
    by_instant: dict[datetime, list[AppliedRow]] = {}
    reached = dict(positions)
    for row in read:
        if row.recorded < until:
            by_instant.setdefault(row.recorded, []).append(row)
            reached[row.partition] = row.seq
    return Page(by_instant, reached, until)


def _rows_of(
    conn: Connection, number: int, after: int, until: datetime, most: int
) -> tuple[list[AppliedRow], datetime]:
    """Return the next rows of a partition before *until*, and the instant before which they are complete."""
    while True:
        below = [row for row in applied_after(conn, number, after, most) if row.recorded < until]
        if len(below) < most:
            return below, until
        last = below[-1].recorded
        if below[0].recorded < last:
            # Rows of the last instant may follow: it belongs to the next page.
            return below, last
        most *= 2
