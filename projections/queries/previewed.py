"""The notices that a preview of delivery decides on again: those of alerts that changed since, and clearings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, Select, func, select, union

from events.edtf import parse_instant
from projections.alerts.shapes import notice_id
from projections.tables.database import in_values, values_parameter
from projections.tables.outbox import Outgoing
from projections.tables.schema import LIVE, outbox

PAGE = 100
alerts, evidence = LIVE.alerts.c, LIVE.alert_evidence.c


class Changed(NamedTuple):
    """An alert, and the number of its changes, each of which may have a notice."""

    alert_id: str
    changes: int


def changed_count(conn: Connection, since: datetime) -> int:
    """Return the number of alerts that changed at *since* or later; those on trial are left out."""
    return int(conn.execute(select(func.count()).select_from(_changed(since).subquery())).scalar_one())


def changed_pages(conn: Connection, since: datetime) -> Iterator[list[Changed]]:
    """Yield these alerts, page by page, in bounded memory."""
    with conn.execute(_changed(since).execution_options(yield_per=PAGE)) as result:
        for page in result.partitions(PAGE):
            yield [Changed(row.alert_id, row.changes) for row in page]


def alerts_about(conn: Connection, subject_id: str) -> list[Changed]:
    """Return the alerts with a person in their evidence; those on trial are left out."""
    own = select(alerts.alert_id).where(alerts.subject_id == subject_id)
    across = select(evidence.alert_id).where(evidence.subject_id == subject_id)
    query = select(alerts.alert_id, alerts.changes).where(alerts.alert_id.in_(union(own, across)))
    return [Changed(*row) for row in conn.execute(query.where(alerts.trial.is_(False)).order_by(alerts.alert_id))]


def notices_by_alert(conn: Connection, page: Iterable[Changed]) -> Mapping[str, Sequence[Outgoing]]:
    """Return the notices of each alert that has any, in their order. Their ids are known, and their places are not."""
    ids = [notice_id(alert.alert_id, number) for alert in page for number in range(1, alert.changes + 1)]
    query = select(outbox).where(in_values(conn.dialect.name, outbox.c.notice_id))
    rows = [Outgoing(*row) for row in conn.execute(query, values_parameter(conn, ids))]
    rows.sort(key=lambda row: (row.alert_id or "", row.partition, row.n))
    return {alert_id or "": [*own] for alert_id, own in groupby(rows, key=lambda row: row.alert_id)}


def clearings_between(conn: Connection, start: datetime, end: datetime) -> Iterator[tuple[Outgoing, datetime]]:
    """Yield the notices of clearings from *start* to *end*, each with its instant, in bounded memory."""
    query = select(outbox).where(outbox.c.kind.in_(["cleared", "cleared_withdrawn"]))
    with conn.execute(query.execution_options(yield_per=PAGE)) as result:
        for row in result:
            clearing = Outgoing(*row)
            at = parse_instant((clearing.notice or {})["at"])
            if start <= at <= end:
                yield clearing, at


def _changed(since: datetime) -> Select[tuple[str, int]]:
    return select(alerts.alert_id, alerts.changes).where(alerts.changed_at >= since, alerts.trial.is_(False))
