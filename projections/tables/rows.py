"""Rows of the tables for a person, an alert, a change and an outgoing record."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table

from events.facts import Fact
from projections.alerts.alert import Alert, Change
from projections.alerts.clearing import Clearing
from projections.alerts.shapes import AlertJson, alert_json, clearing_id, clearing_json, notice_json
from projections.history.history import History
from projections.ledger.chain import Entry
from projections.subjects.status import Status
from projections.tracks.post import Post

from .across import NO_EVIDENCE, Evidence
from .part_rows import Agreeing, Row, cell_rows
from .schema import LIVE, NamedRow, column_names

NO_RECORD = (None, None, None, None)
NO_UNREAD: Mapping[str, int] = {}


def subject_row(  # noqa: PLR0913, PLR0917 - the parts of a row
    subject_id: str,
    status: Status,
    history: History,
    agreeing: Agreeing,
    position: tuple[int, int],
    due: datetime | None,
) -> Row:
    """
    Return the row of ``subjects``, the values of its columns in their order.

    Args:
        subject_id: the person.
        status: the status from the facts that count.
        history: the person's facts, with the flags of single ones.
        agreeing: the numbers of reports of its events.
        position: (partition, offset) of the last fact folded in.
        due: the next instant at which time alone could change an answer; None: there is none.
    """
    row = status.summary()
    described = _described(status, row.shown)
    return (
        subject_id,
        *[value for value, _ in described],
        *[fact_id for _, fact_id in described],
        row.headline,
        *cell_rows((row.service, row.custody, row.wanted, row.stage), agreeing),
        row.open_cases,
        row.convicted_cases,
        *row.counts.values(),
        row.presumption,
        [{"code": code, "fact_id": fact_id} for code, fact_id in (*row.flags, *history.flags)],
        *position,
        due,
    )


def named(table: Table, row: Iterable[Any]) -> dict[str, Any]:
    """Return a *row* of *table*, which has its values in the order of the columns, by the names of the columns."""
    return dict(zip(column_names(table), row, strict=True))


def alert_from_row(row: NamedRow) -> Alert:
    """Return the alert of a row of ``alerts``. Its fields are the columns."""
    return Alert(**{**row, "evidence": tuple(row["evidence"])})


def alert_with_evidence(
    row: NamedRow, life: Iterable[NamedRow], evidence: Mapping[str, Evidence], unread: Mapping[str, int] = NO_UNREAD
) -> AlertJson:
    """
    Return the alert of a row of ``alerts`` as programs read it.

    Args:
        row: the row.
        life: its rows of ``alert_changes``, in their order.
        evidence: by alert, the evidence of those across people.
        unread: by person, the number of waiting records.
    """
    alert, people = alert_from_row(row), None
    if alert.across:
        fact_ids, people = evidence.get(alert.alert_id, NO_EVIDENCE)
        alert = alert._replace(evidence=fact_ids)
    about = people if people is not None else [alert.subject_id] if alert.subject_id is not None else []
    return alert_json(alert, life, sum(unread.get(subject_id, 0) for subject_id in about), people)


def change_row(change: Change) -> tuple[Any, ...]:
    """Return the row of ``alert_changes``, the values of its columns in their order."""
    alert = change.alert
    details = (alert.state, change.at, change.cause, change.fact_id, alert.rule_version, change.person, change.note)
    return (alert.alert_id, alert.changes, *details, alert.trial, change.told, change.until)


def notice_row(
    partition: int, n: int, change: Change, unread: int = 0, people: Sequence[str] | None = None
) -> tuple[Any, ...]:
    """
    Return the row of ``outbox`` with the notice of *change*, number *n* of *partition*.

    Args:
        partition: the partition, or the correlator.
        n: the number of the row.
        change: the change.
        unread: the number of waiting records about the people.
        people: the people in the evidence of an alert across people; None: it is about one person.
    """
    alert = change.alert
    notice = notice_json(alert, [named(LIVE.alert_changes, change_row(change))], unread, people)
    return (partition, n, "notice", notice["notice_id"], alert.subject_id, alert.alert_id, notice, *NO_RECORD)


def clearing_row(partition: int, n: int, clearing: Clearing, key: str | None = None) -> tuple[Any, ...]:
    """Return the row of ``outbox`` with the notice of *clearing*; its id is *key*, or follows from the clearing."""
    key = key or clearing_id(clearing)
    return (partition, n, clearing.kind, key, clearing.subject_id, None, clearing_json(clearing, key), *NO_RECORD)


def forward_row(partition: int, n: int, entry: Entry, target: int) -> tuple[Any, ...]:
    """Return the row of ``outbox`` that forwards the record of *entry* to *target*, the partition of its key."""
    key = f"{entry.topic}/{entry.partition}/{entry.log_offset}"
    return (partition, n, "forward", key, entry.subject_id, None, None, target, entry.key, entry.headers, entry.value)


def _described(status: Status, shown: Post | None) -> list[tuple[str | None, str | None]]:
    """Return name, post, agency, region and jurisdiction, each with the id of the fact that states it."""
    words = shown.words if shown is not None and not shown.words.is_blank else None
    name, other = status.described.get("name"), status.described.get("post")
    if words is not None:
        named_by = words.fact.id
        posts = [(word, named_by if word is not None else None) for word in (words.post, words.agency, words.region)]
    else:
        posts = [_stated(other, name) for name in ("post", "agency", "region")]
    place = _stated(status.described.get("jurisdiction"), "jurisdiction")
    if place[0] is None and shown is not None:
        place = _stated(shown.words.fact, "jurisdiction")
    return [_stated(name, "name"), *posts, place]


def _stated(fact: Fact | None, name: str) -> tuple[str | None, str | None]:
    value = fact.data.get(name) if fact is not None else None
    return (value, fact.id) if fact is not None and value is not None else (None, None)
