"""Queries for alerts and their notices."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, and_, func, or_, select

from projections.alerts.alert import STANDING
from projections.alerts.shapes import AlertJson, NoticeJson, alert_json, notice_id
from projections.tables.ledger_rows import subjects_with_facts_after
from projections.tables.parked_rows import unread_counts
from projections.tables.rows import alert_from_row
from projections.tables.schema import LIVE, outbox, partitions

from .subjects import Filter, employed

CHUNK = 500
NOTICES = 500

table, alert_changes, subjects = LIVE.alerts, LIVE.alert_changes, LIVE.subjects


class AlertFilter(NamedTuple):
    """
    Conditions on alerts; None: no condition.

    Attributes:
        states: the accepted states; empty: no condition.
        rule, subject_id, severity: the exact value.
        agency: a part of the name of an agency in which the subject holds or held a post, in either case of the
            letters.
        since: changed at this instant or after, aware UTC.
        known_at: the alert as it was at this instant, aware UTC. Later changes and later alerts are left out.
    """

    states: frozenset[str] = frozenset()
    rule: str | None = None
    subject_id: str | None = None
    severity: str | None = None
    agency: str | None = None
    since: datetime | None = None
    known_at: datetime | None = None


def alerts(conn: Connection, wanted: AlertFilter, limit: int | None = None) -> Iterator[AlertJson]:
    """Yield each alert that meets *wanted* with its life, latest opened first, in bounded memory."""
    return islice(_alerts(conn, wanted), limit)


def alerts_like(conn: Connection, start: str) -> list[AlertJson]:
    """Return the alerts with an id that begins with *start*, at most two."""
    query = _latest(AlertFilter()).where(table.c.alert_id.startswith(start, autoescape=True)).limit(2)
    return list(_with_life(conn, conn.execute(query).mappings().all(), None, unread_counts(conn)))


def rules_with_alerts(conn: Connection) -> set[str]:
    """Return the id of each rule that has an alert in any state."""
    return set(conn.scalars(select(table.c.rule).distinct()))


def alert_counts(conn: Connection) -> dict[str, dict[str, int]]:
    """Return the number of alerts of each rule that has any, by state."""
    rows = conn.execute(select(table.c.rule, table.c.state, func.count()).group_by(table.c.rule, table.c.state))
    counts: dict[str, dict[str, int]] = {}
    for rule, state, number in rows:
        counts.setdefault(rule, {})[state] = number
    return counts


def partition_of(conn: Connection, subject_id: str) -> int:
    """Return the partition of a person with an alert."""
    partition = conn.scalar(select(subjects.c.position_partition).where(subjects.c.subject_id == subject_id))
    assert isinstance(partition, int), "a person with an alert has a status"
    return partition


def notices_end(conn: Connection) -> dict[int, int]:
    """Return the number of the last notice of each partition."""
    rows = conn.execute(select(partitions.c.partition, partitions.c.notices))
    return {row.partition: row.notices for row in rows}


def notices_after(conn: Connection, cursor: Mapping[int, int]) -> list[tuple[int, int, NoticeJson]]:
    """
    Return the next notices as (partition, n, notice), those of each partition in their order.

    Args:
        conn: a connection.
        cursor: the number of the last notice read, by partition. A partition that is not in it is read from its start.
    """
    later = [and_(outbox.c.partition == partition, outbox.c.n > n) for partition, n in cursor.items()]
    query = (
        select(outbox.c.partition, outbox.c.n, outbox.c.notice)
        .where(outbox.c.kind == "notice", or_(outbox.c.partition.not_in(cursor), *later))
        .order_by(outbox.c.partition, outbox.c.n)
        .limit(NOTICES)
    )
    rows = conn.execute(query)
    return [(partition, n, notice) for partition, n, notice in rows]


def standing_counts(conn: Connection) -> dict[tuple[str, str], int]:
    """Return the number of alerts in a state that stands, by state and severity."""
    query = select(table.c.state, table.c.severity, func.count()).where(table.c.state.in_(sorted(STANDING)))
    rows = conn.execute(query.group_by(table.c.state, table.c.severity))
    return {(state, severity): count for state, severity, count in rows}


def _alerts(conn: Connection, wanted: AlertFilter) -> Iterator[AlertJson]:
    query = _latest(wanted) if wanted.known_at is None else _at(wanted, wanted.known_at)
    for name in ("rule", "subject_id", "severity"):
        value = getattr(wanted, name)
        query = query.where(table.c[name] == value) if value is not None else query
    ordered = query.order_by(table.c.opened_at.desc(), table.c.alert_id)
    unread = unread_counts(conn, wanted.subject_id)
    # Closed even where a limit ends the reading early.
    with conn.execute(ordered.execution_options(yield_per=CHUNK)) as result:
        for page in result.mappings().partitions(CHUNK):
            people = [row["subject_id"] for row in page]
            matches = set(employed(conn, people, Filter(agency=wanted.agency)))
            rows = [row for row in page if row["subject_id"] in matches]
            yield from _with_life(conn, rows, wanted.known_at, unread)


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
    constant = [
        column for column in table.columns if column.name not in {"state", "rule_version", "changes", "changed_at"}
    ]
    of_change = (change.c.state, change.c.rule_version, change.c.n.label("changes"), change.c.at.label("changed_at"))
    query = (
        select(*constant, *of_change)
        .join(last, last.c.alert_id == table.c.alert_id)
        .join(change, and_(change.c.alert_id == last.c.alert_id, change.c.n == last.c.n))
    )
    if wanted.states:
        query = query.where(change.c.state.in_(sorted(wanted.states)))
    return query.where(change.c.at >= wanted.since) if wanted.since else query


def _with_life(
    conn: Connection, rows: Sequence[RowMapping], known_at: datetime | None, unread: Counter[str]
) -> Iterator[AlertJson]:
    lives: dict[str, list[Mapping[str, Any]]] = {row["alert_id"]: [] for row in rows}
    changes = select(alert_changes).where(alert_changes.c.alert_id.in_(lives))
    if known_at is not None:
        changes = changes.where(alert_changes.c.at <= known_at)
    for change in conn.execute(changes.order_by(alert_changes.c.alert_id, alert_changes.c.n)).mappings():
        lives[change["alert_id"]].append(dict(change))
    notices = _earlier_notices(conn, rows, known_at) if known_at is not None else {}
    for row in rows:
        alert = alert_json(alert_from_row(dict(row)), lives[row["alert_id"]], unread[row["subject_id"]])
        if notice := notices.get(row["alert_id"]):
            alert["evidence"], alert["explanation"] = notice["evidence"], notice["explanation"]
        yield alert


def _earlier_notices(conn: Connection, rows: Sequence[RowMapping], known_at: datetime) -> dict[str, NoticeJson]:
    """Return the notices of the alerts in *rows* to which facts after *known_at* may have added evidence."""
    later = subjects_with_facts_after(conn, [row["subject_id"] for row in rows], known_at)
    ids = [notice_id(row["alert_id"], row["changes"]) for row in rows if row["subject_id"] in later]
    sent = conn.execute(select(outbox.c.alert_id, outbox.c.notice).where(outbox.c.notice_id.in_(ids)))
    return dict(sent.all())
