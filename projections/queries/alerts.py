"""Queries for alerts and their notices."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, and_, case, func, or_, select

from projections.alerts.alert import STANDING
from projections.alerts.shapes import AlertJson, NoticeJson, notice_id
from projections.rules.language_words import was_said
from projections.tables.across import Evidence, evidence_of_alerts
from projections.tables.ledger_rows import subjects_with_facts_after, taken_back_since
from projections.tables.parked_rows import unread_counts
from projections.tables.rows import alert_with_evidence
from projections.tables.schema import CORRELATOR, LIVE, outbox, partitions

from .subjects import Filter, employed

CHUNK = 500
NOTICES = 500

table, alert_changes, alert_evidence, subjects = LIVE.alerts, LIVE.alert_changes, LIVE.alert_evidence, LIVE.subjects


class AlertFilter(NamedTuple):
    """
    Conditions on alerts; None: no condition.

    Attributes:
        states: the accepted states; empty: no condition.
        rule, severity: the exact value.
        subject_id: the person, or one of the people in the evidence.
        agency: a part of the name of an agency in which one of these people holds or held a post, in either case of
            the letters.
        since: changed at this instant or after, aware UTC.
        known_at: the alert as it was at this instant, aware UTC. Later changes and later alerts are left out.
        trial: only alerts of rules on trial; else they are left out. A trial is not a statement about a person.
    """

    states: frozenset[str] = frozenset()
    rule: str | None = None
    subject_id: str | None = None
    severity: str | None = None
    agency: str | None = None
    since: datetime | None = None
    known_at: datetime | None = None
    trial: bool = False


def alerts(conn: Connection, wanted: AlertFilter, limit: int | None = None) -> Iterator[AlertJson]:
    """Yield each alert that meets *wanted* with its life, latest opened first, in bounded memory."""
    return islice(_alerts(conn, wanted), limit)


def alerts_like(conn: Connection, start: str) -> list[AlertJson]:
    """Return the alerts with an id that begins with *start*, at most two."""
    query = select(table).where(table.c.alert_id.startswith(start, autoescape=True)).limit(2)
    return list(_with_life(conn, conn.execute(query).mappings().all(), None, unread_counts(conn)))


def rules_with_alerts(conn: Connection) -> set[str]:
    """Return the id of each rule that has an alert in any state."""
    return set(conn.scalars(select(table.c.rule).distinct()))


def alert_counts(conn: Connection) -> dict[str, dict[str, int]]:
    """Return the number of alerts of each rule that has any, by state; those on trial are left out."""
    query = select(table.c.rule, table.c.state, func.count()).where(table.c.trial.is_(False))
    rows = conn.execute(query.group_by(table.c.rule, table.c.state))
    counts: dict[str, dict[str, int]] = {}
    for rule, state, number in rows:
        counts.setdefault(rule, {})[state] = number
    return counts


def partition_of(conn: Connection, alert_id: str) -> int:
    """Return the partition with the acknowledgements of an alert: the correlator's, or that of its person."""
    query = (
        select(case((table.c.across, CORRELATOR), else_=subjects.c.position_partition))
        .select_from(table.outerjoin(subjects, subjects.c.subject_id == table.c.subject_id))
        .where(table.c.alert_id == alert_id)
    )
    partition = conn.scalar(query)
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
    """Return the number of alerts in a state that stands, by state and severity; those on trial are left out."""
    query = select(table.c.state, table.c.severity, func.count()).where(table.c.state.in_(sorted(STANDING)))
    query = query.where(table.c.trial.is_(False))
    rows = conn.execute(query.group_by(table.c.state, table.c.severity))
    return {(state, severity): count for state, severity, count in rows}


def _alerts(conn: Connection, wanted: AlertFilter) -> Iterator[AlertJson]:
    query = _latest(wanted) if wanted.known_at is None else _at(wanted, wanted.known_at)
    for name in ("rule", "severity"):
        value = getattr(wanted, name)
        query = query.where(table.c[name] == value) if value is not None else query
    if wanted.subject_id is not None:
        groups = select(alert_evidence.c.alert_id).where(alert_evidence.c.subject_id == wanted.subject_id)
        query = query.where(or_(table.c.subject_id == wanted.subject_id, table.c.alert_id.in_(groups)))
    ordered = query.order_by(table.c.opened_at.desc(), table.c.alert_id)
    unread = unread_counts(conn)
    # Closed even where a limit ends the reading early.
    with conn.execute(ordered.execution_options(yield_per=CHUNK)) as result:
        for page in result.mappings().partitions(CHUNK):
            people = _people_of(conn, page)
            every = sorted({subject_id for own in people.values() for subject_id in own})
            matches = set(employed(conn, every, Filter(agency=wanted.agency)))
            rows = [row for row in page if not matches.isdisjoint(people[row["alert_id"]])]
            yield from _with_life(conn, rows, wanted.known_at, unread)


def _people_of(conn: Connection, rows: Sequence[RowMapping]) -> dict[str, Sequence[str]]:
    """Return the people of each alert, by its id."""
    across = evidence_of_alerts(conn, alert_evidence, [row["alert_id"] for row in rows if row["across"]])
    return {
        row["alert_id"]: across[row["alert_id"]].people if row["alert_id"] in across else [row["subject_id"]]
        for row in rows
    }


def _latest(wanted: AlertFilter) -> Select[Any]:
    query = select(table).where(table.c.trial.is_(wanted.trial))
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
    changing = {"state", "rule_version", "changes", "changed_at", "trial"}
    constant = [column for column in table.columns if column.name not in changing]
    of_change = (change.c.state, change.c.rule_version, change.c.trial)
    numbers = (change.c.n.label("changes"), change.c.at.label("changed_at"), table.c.changes.label("latest"))
    query = (
        select(*constant, *of_change, *numbers)
        .join(last, last.c.alert_id == table.c.alert_id)
        .join(change, and_(change.c.alert_id == last.c.alert_id, change.c.n == last.c.n))
        .where(change.c.trial.is_(wanted.trial))
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
    evidence = evidence_of_alerts(conn, alert_evidence, [row["alert_id"] for row in rows if row["across"]])
    doubtful = _in_doubt(conn, evidence)
    for row in rows:
        columns = dict(row)
        later = columns.pop("latest", row["changes"]) != row["changes"]
        alert = alert_with_evidence(columns, lives[row["alert_id"]], evidence, unread)
        alert["in_doubt"] = row["alert_id"] in doubtful and row["state"] in STANDING
        if notice := notices.get(row["alert_id"]):
            alert["evidence"], alert["explanation"] = notice["evidence"], notice["explanation"]
        elif later:
            # No notice was written of the change, or nothing but the rules changed since.
            alert["explanation"] = _earlier_words(row)
        yield alert


def _in_doubt(conn: Connection, evidence: Mapping[str, Evidence]) -> set[str]:
    """Return the alerts across people with evidence that was taken back at the horizon of the correlator or later."""
    judged = conn.scalar(select(partitions.c.watermark).where(partitions.c.partition == CORRELATOR))
    if not evidence or judged is None:
        return set()
    people = {subject_id for own in evidence.values() for subject_id in own.people}
    gone = taken_back_since(conn, people, judged)
    return {alert_id for alert_id, own in evidence.items() if not gone.keys().isdisjoint(own.fact_ids)}


def _earlier_words(row: RowMapping) -> str:
    """Return the sentence of an alert at an earlier change, in the words known by now."""
    said: str = row["said"]
    if row["state"] in STANDING:
        return said
    language: str = row["languages"]["said"]["language"] if row["languages"] else "en"
    return was_said(said, row["changed_at"], language)


def _earlier_notices(conn: Connection, rows: Sequence[RowMapping], known_at: datetime) -> dict[str, NoticeJson]:
    """Return the notices of the alerts in *rows* to which facts after *known_at* may have added evidence."""
    people = _people_of(conn, rows)
    later = subjects_with_facts_after(conn, {subject_id for own in people.values() for subject_id in own}, known_at)
    ids = [notice_id(row["alert_id"], row["changes"]) for row in rows if not later.isdisjoint(people[row["alert_id"]])]
    sent = conn.execute(select(outbox.c.alert_id, outbox.c.notice).where(outbox.c.notice_id.in_(ids)))
    return dict(sent.all())
