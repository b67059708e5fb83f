"""How alerts and their notices are read from the tables."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, and_, func, or_, select

from projections.alerts.alert import STANDING
from projections.alerts.shapes import alert_json, notice_id
from projections.tables.ledger_rows import unread
from projections.tables.rows import alert_from_row
from projections.tables.schema import APPLIED, LIVE, ledger, outbox, partitions

from .subjects import Filter, employed

CHUNK = 500
NOTICES = 500

table, alert_changes, subjects = LIVE.alerts, LIVE.alert_changes, LIVE.subjects


class AlertFilter(NamedTuple):
    """
    Which alerts are wanted; None: any.

    Attributes:
        states: the states wanted; empty: any.
        rule, subject_id, severity: each exactly.
        agency: a part of the name of an agency in which the subject holds or held a post; capitals do not matter.
        since: changed at this instant or after, aware UTC.
        known_at: as it was at this instant, aware UTC: changes after it are left out, alerts not opened yet too.
    """

    states: frozenset[str] = frozenset()
    rule: str | None = None
    subject_id: str | None = None
    severity: str | None = None
    agency: str | None = None
    since: datetime | None = None
    known_at: datetime | None = None


def alerts(conn: Connection, wanted: AlertFilter, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield each alert that *wanted* lets through with its life, latest opened first, in bounded memory."""
    return islice(_alerts(conn, wanted), limit)


def alerts_like(conn: Connection, start: str) -> list[dict[str, Any]]:
    """Return the alerts, two at the most, whose id begins with *start*."""
    like = _latest(AlertFilter()).where(table.c.alert_id.startswith(start, autoescape=True)).limit(2)
    return list(_told(conn, conn.execute(like).mappings().all(), None, unread(conn)))


def rules_met(conn: Connection) -> set[str]:
    """Return the id of each rule of which there is an alert, whatever its state."""
    return set(conn.scalars(select(table.c.rule).distinct()))


def partition_of(conn: Connection, subject_id: str) -> int:
    """Return the partition in which *subject_id*, who has an alert, is projected."""
    partition = conn.scalar(select(subjects.c.position_partition).where(subjects.c.subject_id == subject_id))
    assert isinstance(partition, int), "who has an alert has a status"
    return partition


def notices_end(conn: Connection) -> dict[int, int]:
    """Return the number of the last notice of each partition."""
    rows = conn.execute(select(partitions.c.partition, partitions.c.notices))
    return {row.partition: row.notices for row in rows}


def notices_after(conn: Connection, cursor: Mapping[int, int]) -> list[tuple[int, int, dict[str, Any]]]:
    """
    Return the next notices as (partition, n, notice), those of each partition in their order.

    Args:
        conn: a connection.
        cursor: the number of the last notice seen, by partition; one that is not named is read from its beginning.
    """
    unseen = [and_(outbox.c.partition == partition, outbox.c.n > n) for partition, n in cursor.items()]
    query = (
        select(outbox.c.partition, outbox.c.n, outbox.c.notice)
        .where(outbox.c.kind == "notice", or_(outbox.c.partition.not_in(cursor), *unseen))
        .order_by(outbox.c.partition, outbox.c.n)
        .limit(NOTICES)
    )
    rows = conn.execute(query)
    return [(partition, n, notice) for partition, n, notice in rows]


def standing_counts(conn: Connection) -> dict[tuple[str, str], int]:
    """Return how many alerts stand, by state and severity."""
    query = select(table.c.state, table.c.severity, func.count()).where(table.c.state.in_(sorted(STANDING)))
    rows = conn.execute(query.group_by(table.c.state, table.c.severity))
    return {(state, severity): count for state, severity, count in rows}


def _alerts(conn: Connection, wanted: AlertFilter) -> Iterator[dict[str, Any]]:
    query = _latest(wanted) if wanted.known_at is None else _at(wanted, wanted.known_at)
    for name in ("rule", "subject_id", "severity"):
        value = getattr(wanted, name)
        query = query.where(table.c[name] == value) if value is not None else query
    ordered = query.order_by(table.c.opened_at.desc(), table.c.alert_id)
    waiting = unread(conn, wanted.subject_id)
    # Closed even where a limit ends the reading early.
    with conn.execute(ordered.execution_options(yield_per=CHUNK)) as result:
        for page in result.mappings().partitions(CHUNK):
            people = [row["subject_id"] for row in page]
            there = set(employed(conn, people, Filter(agency=wanted.agency)))
            rows = [row for row in page if row["subject_id"] in there]
            yield from _told(conn, rows, wanted.known_at, waiting)


def _latest(wanted: AlertFilter) -> Select[Any]:
    query = select(table)
    if wanted.states:
        query = query.where(table.c.state.in_(sorted(wanted.states)))
    return query.where(table.c.changed_at >= wanted.since) if wanted.since else query


def _at(wanted: AlertFilter, known_at: datetime) -> Select[Any]:
    last = (
        select(alert_changes.c.alert_id, func.max(alert_changes.c.n).label("n"))
        .where(alert_changes.c.at <= known_at)
        .group_by(alert_changes.c.alert_id)
        .subquery()
    )
    change = alert_changes.alias("change")
    kept = [column for column in table.columns if column.name not in {"state", "rule_version", "changes", "changed_at"}]
    then = (change.c.state, change.c.rule_version, change.c.n.label("changes"), change.c.at.label("changed_at"))
    query = (
        select(*kept, *then)
        .join(last, last.c.alert_id == table.c.alert_id)
        .join(change, and_(change.c.alert_id == last.c.alert_id, change.c.n == last.c.n))
    )
    if wanted.states:
        query = query.where(change.c.state.in_(sorted(wanted.states)))
    return query.where(change.c.at >= wanted.since) if wanted.since else query


def _told(
    conn: Connection, rows: Sequence[RowMapping], known_at: datetime | None, waiting: Counter[str]
) -> Iterator[dict[str, Any]]:
    lives: dict[str, list[Mapping[str, Any]]] = {row["alert_id"]: [] for row in rows}
    steps = select(alert_changes).where(alert_changes.c.alert_id.in_(lives))
    if known_at is not None:
        steps = steps.where(alert_changes.c.at <= known_at)
    for step in conn.execute(steps.order_by(alert_changes.c.alert_id, alert_changes.c.n)).mappings():
        lives[step["alert_id"]].append(dict(step))
    said = _said(conn, rows, known_at) if known_at is not None else {}
    for row in rows:
        alert = alert_from_row(dict(row))
        told = alert_json(alert, lives[alert.alert_id], waiting[alert.subject_id])
        yield {**told, **said.get(alert.alert_id, {})}


def _said(conn: Connection, rows: Sequence[RowMapping], known_at: datetime) -> dict[str, dict[str, Any]]:
    """Return evidence and sentence as the notice told them, of alerts to which later facts may have added."""
    later = (
        select(ledger.c.subject_id)
        .where(APPLIED, ledger.c.recorded > known_at)
        .where(ledger.c.subject_id.in_({row["subject_id"] for row in rows}))
        .distinct()
    )
    grown = set(conn.scalars(later))
    ids = [notice_id(row["alert_id"], row["changes"]) for row in rows if row["subject_id"] in grown]
    sent = conn.execute(select(outbox.c.alert_id, outbox.c.notice).where(outbox.c.notice_id.in_(ids)))
    return {alert_id: {name: notice[name] for name in ("evidence", "explanation")} for alert_id, notice in sent}
