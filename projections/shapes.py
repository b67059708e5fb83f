"""The shapes that programs read: statuses, alerts and notices as plain JSON values. Grown only by addition."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid5

from sqlalchemy import Table

from events.edtf import format_instant
from events.facts import Fact

from .alert import NAMESPACE, Alert, Change
from .cases import CRIMINAL
from .cells import Cell
from .counts import Count
from .custody import Hold, Search
from .history import History
from .ledger import Entry
from .measures import Measure
from .posts import Post
from .status import Status
from .tables import LIVE, NamedRow, column_names

CELLS = ("service", "custody", "wanted", "stage")
DESCRIBED = ("name", "post", "agency", "region", "jurisdiction")
NO_CELL = (None,) * 6
NO_SINCE = (None, None, None)
NO_RECORD = (None, None, None, None)

Row = tuple[Any, ...]
Agreeing = Mapping[str, int]
"""How many facts report an event, by the fact that stands for it; one where it is not named."""


def subject_row(
    subject_id: str, status: Status, history: History, position: tuple[int, int], due: datetime | None
) -> Row:
    """
    Return the row of ``subjects``, the values of its columns in their order.

    Args:
        subject_id: the person.
        status: the fold of what counts.
        history: their facts, with what is to be said of single ones.
        position: (partition, offset) of the last fact folded in.
        due: the next instant at which time alone could change an answer.
    """
    row, agreeing = status.summary(), history.agreeing()
    described = _described(status, row.shown)
    return (
        subject_id,
        *[value for value, _ in described],
        *[fact_id for _, fact_id in described],
        row.headline,
        *_cell_row(row.service, agreeing),
        *_cell_row(row.custody, agreeing),
        *_cell_row(row.wanted, agreeing),
        *_cell_row(row.stage, agreeing),
        row.open_cases,
        row.convicted_cases,
        *row.counts.values(),
        row.presumption,
        [{"code": code, "fact_id": fact_id} for code, fact_id in (*sorted({*status.flags()}), *history.flags)],
        *position,
        due,
    )


def part_rows(subject_id: str, status: Status, history: History) -> tuple[list[Row], ...]:
    """
    Return the rows of the tables that keep a person's parts, in the order of `Conclusions.parts`.

    Each row is the values of the table's columns in their order.
    """
    agreeing = history.agreeing()
    held = sorted(status.custody.holds.items(), key=lambda item: item[0] or "")
    return (
        [(subject_id, n, *_post_row(post, agreeing)) for n, post in enumerate(status.posts.all)],
        [case_row(subject_id, case_id, status, agreeing) for case_id in status.case_ids()],
        [
            (subject_id, case_id, n, *_count_row(count, agreeing))
            for case_id, case in sorted(status.cases.items())
            for n, count in enumerate(case.counts.all)
        ],
        [
            (subject_id, n, *_hold_row(case_id, hold, agreeing), not hold.is_active or status.is_counted(case_id))
            for n, (case_id, hold) in enumerate(held)
            if hold.fact is not None
        ],
        [
            (subject_id, n, *_search_row(search, agreeing), status.is_counted(search.case_id))
            for n, search in enumerate(status.custody.searches)
        ],
        [(subject_id, n, *_measure_row(measure, agreeing)) for n, measure in enumerate(status.measures.standing)],
    )


def case_row(subject_id: str, case_id: str, status: Status, agreeing: Agreeing) -> Row:
    """Return the row of ``cases``, the values of its columns in their order."""
    case, is_open = status.cases.get(case_id), status.is_open(case_id)
    if case is None:
        return (
            subject_id,
            case_id,
            CRIMINAL,
            None,
            *NO_CELL,
            is_open,
            False,
            None,
            None,
            [],
            None,
            [],
            None,
            None,
            None,
        )
    sentence = case.sentence
    charges = case.charges_by
    authority = case.authority_by
    return (
        subject_id,
        case_id,
        case.kind,
        _id(case.kind_by),
        *_cell_row(case.stage, agreeing),
        is_open,
        case.suspended_by is not None,
        _id(case.suspended_by),
        sentence.data.get("sentence") if sentence else None,
        _in_order(sentence.data.get("parts", [])) if sentence else [],
        _id(sentence),
        _in_order(charges.data["charges"]) if charges else [],
        _id(charges),
        authority.data["authority"] if authority else None,
        _id(authority),
    )


def named(table: Table, row: Iterable[Any]) -> dict[str, Any]:
    """Return a *row* of *table*, its values in the order of the columns, by the names of the columns."""
    return dict(zip(column_names(table), row, strict=True))


def status_json(subject: NamedRow, parts: Mapping[str, Sequence[NamedRow]], unread: int = 0) -> dict[str, Any]:
    """
    Return the status of one person.

    Args:
        subject: their row of ``subjects``.
        parts: their rows of the other tables, by the table's name, in the order of the keys.
        unread: the number of records about them that wait: conflicts, and what could not be read.
    """
    return {
        "subject_id": subject["subject_id"],
        **{name: subject[name] for name in DESCRIBED},
        **{f"{name}_fact_id": subject[f"{name}_fact_id"] for name in DESCRIBED},
        "headline": subject["headline"],
        **{name: _cell(subject, f"{name}_") for name in CELLS},
        "open_cases": subject["open_cases"],
        "convicted_cases": subject["convicted_cases"],
        "counts": {name: subject[f"counts_{name}"] for name in ("undecided", "convicted", "acquitted", "ended")},
        "presumption": subject["presumption"],
        "anomalies": subject["anomalies"],
        "unread": unread,
        "posts": [_post_json(row) for row in parts.get("posts", ())],
        "cases": [_case_json(row, parts.get("counts", ())) for row in parts.get("cases", ())],
        "custody_cases": [_part_json(row) for row in parts.get("holds", ())],
        "searches": [_part_json(row) for row in parts.get("searches", ())],
        "measures": [_part_json(row) for row in parts.get("measures", ())],
        "position": {"partition": subject["position_partition"], "offset": subject["position_offset"]},
    }


def alert_from_row(row: NamedRow) -> Alert:
    """Return the alert of a row of ``alerts``, whose columns it has for fields."""
    return Alert(**{**row, "evidence": tuple(row["evidence"])})


def change_row(change: Change) -> tuple[Any, ...]:
    """Return the row of ``alert_changes``, the values of its columns in their order."""
    alert = change.alert
    what = (alert.state, change.at, change.cause, change.fact_id, alert.rule_version, change.person, change.note)
    return (alert.alert_id, alert.changes, *what)


def change_json(row: NamedRow) -> dict[str, Any]:
    """Return one step in the life of an alert; ``by`` and ``note`` only where a person took it."""
    by_person = {"by": row["person"], "note": row["note"]} if row["person"] else {}
    return {
        "state": row["state"],
        "at": format_instant(row["at"]),
        "cause": row["cause"],
        "fact_id": row["fact_id"],
        **by_person,
    }


def alert_json(alert: Alert, life: Iterable[NamedRow], unread: int = 0) -> dict[str, Any]:
    """
    Return an alert.

    Args:
        alert: its latest state.
        life: its rows of ``alert_changes``, in their order.
        unread: the number of records about the person that wait: conflicts, and what could not be read.
    """
    return {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "rule_version": alert.rule_version,
        "severity": alert.severity,
        "subject_id": alert.subject_id,
        "state": alert.state,
        "anchor": alert.anchor,
        "evidence": list(alert.evidence),
        "unread": unread,
        "explanation": alert.explanation,
        "life": [change_json(row) for row in life],
    }


def notice_id(alert_id: str, number: int) -> str:
    """Return the key by which a receiver knows a notice again: UUIDv5 of the alert and the number of its change."""
    return str(uuid5(NAMESPACE, f"{alert_id} {number}"))


def notice_row(partition: int, n: int, change: Change, unread: int = 0) -> tuple[Any, ...]:
    """Return the row of ``outbox`` that tells of *change*, the *n*-th notice of *partition*; *unread* as for alerts."""
    alert = change.alert
    key = notice_id(alert.alert_id, alert.changes)
    told = alert_json(alert, [named(LIVE.alert_changes, change_row(change))], unread)
    return (partition, n, "notice", key, alert.subject_id, alert.alert_id, {"notice_id": key, **told}, *NO_RECORD)


def forward_row(partition: int, n: int, entry: Entry, target: int) -> tuple[Any, ...]:
    """Return the row of ``outbox`` that sends the record of *entry* on to the partition *target* its key belongs to."""
    key = f"{entry.topic}/{entry.partition}/{entry.log_offset}"
    return (partition, n, "forward", key, entry.subject_id, None, None, target, entry.key, entry.headers, entry.value)


def _in_order(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return *items* with their keys in one order: SQLite keeps the text, and would tell the same apart."""
    return [dict(sorted(item.items())) for item in items]


def _id(fact: Fact | None) -> str | None:
    return fact.id if fact else None


def _described(status: Status, shown: Post | None) -> list[tuple[str | None, str | None]]:
    """Return name, post, agency, region and jurisdiction, each with the id of the fact that says so."""
    words = shown.words if shown is not None and not shown.words.is_blank else None
    name, other = status.described.get("name"), status.described.get("post")
    if words is not None:
        named_by = words.fact.id
        posts = [(word, named_by if word is not None else None) for word in (words.post, words.agency, words.region)]
    else:
        posts = [_said(other, name) for name in ("post", "agency", "region")]
    place = _said(status.described.get("jurisdiction"), "jurisdiction")
    if place[0] is None and shown is not None:
        place = _said(shown.words.fact, "jurisdiction")
    return [_said(name, "name"), *posts, place]


def _said(fact: Fact | None, name: str) -> tuple[str | None, str | None]:
    value = fact.data.get(name) if fact is not None else None
    return (value, fact.id) if fact is not None and value is not None else (None, None)


def _since_row(fact: Fact | None, agreeing: Agreeing) -> Row:
    if fact is None:
        return (None, None, None, None, 0)
    occurred = fact.occurred
    return (fact.data["occurred"], occurred.earliest, occurred.latest, fact.id, agreeing.get(fact.id, 1))


def _cell_row(cell: Cell | None, agreeing: Agreeing) -> Row:
    return (cell.status, *_since_row(cell.fact, agreeing)) if cell else NO_CELL


def _post_row(post: Post, agreeing: Agreeing) -> Row:
    words, fact, began = post.words, post.fact, post.began
    said = (words.post, words.agency, words.region, words.fact.data.get("jurisdiction"), words.post_id)
    return (
        *said,
        words.fact.id if any(word is not None for word in said) else None,
        post.acting,
        _id(post.acting_by),
        post.status,
        *_since_row(fact, agreeing),
        began.data["occurred"] if began else None,
        began.occurred.earliest if began else None,
        began.occurred.latest if began else None,
        _id(began),
        fact.data.get("ground"),
        post.until.data["until"] if post.status == "suspended" and post.until else None,
    )


def _count_row(count: Count, agreeing: Agreeing) -> Row:
    charge, fact, verdict = count.charge, count.fact, count.verdict_by
    return (
        charge.get("count_id"),
        charge.get("article"),
        charge.get("title"),
        count.number,
        charge.get("amount"),
        charge.get("currency"),
        _id(count.by),
        count.status,
        *_since_row(fact, agreeing),
        fact.data.get("authority"),
        count.verdict,
        _id(verdict),
        count.final is not None,
        _id(count.final),
        count.appeal is not None,
        _id(count.appeal),
        bool(verdict and verdict.data.get("in_absentia", False)),
        count.is_rehabilitated,
        _id(count.sentence),
    )


def _hold_row(case_id: str | None, hold: Hold, agreeing: Agreeing) -> Row:
    fact, until = hold.fact, hold.until
    assert fact is not None, "a hold that is shown rests on a fact"
    ordered = (until.data["until"], until.id) if until else (None, None)
    said = (fact.data.get("authority"), fact.data.get("place"))
    return (case_id, hold.status, *_since_row(fact, agreeing), *ordered, *said)


def _search_row(search: Search, agreeing: Agreeing) -> Row:
    case_id, scope, jurisdiction, fact = search
    return (case_id, scope, jurisdiction, fact.data.get("authority"), *_since_row(fact, agreeing))


def _measure_row(measure: Measure, agreeing: Agreeing) -> Row:
    fact, until = measure.fact, measure.until
    said = [fact.data.get(name) for name in ("kind", "title", "authority", "program", "case_id")]
    ordered = (until.data["until"], until.id) if until else (None, None)
    return (*said, *ordered, *_since_row(fact, agreeing))


def _since_json(row: NamedRow, prefix: str = "") -> dict[str, Any]:
    return {
        "since": row[f"{prefix}since"],
        "since_earliest": _text(row[f"{prefix}since_earliest"]),
        "since_latest": _text(row[f"{prefix}since_latest"]),
        "fact_id": row[f"{prefix}fact_id"],
        "facts": row[f"{prefix}facts"],
    }


def _cell(row: NamedRow, prefix: str) -> dict[str, Any] | None:
    status = row[f"{prefix}status"]
    return None if status is None else {"status": status, **_since_json(row, prefix)}


def _part_json(row: NamedRow, *others: str) -> dict[str, Any]:
    """Return a row of a person's part as it is, without its key and with instants as text."""
    left_out = {"subject_id", "n", *others}
    return {name: _text(value) for name, value in row.items() if name not in left_out}


def _post_json(row: NamedRow) -> dict[str, Any]:
    began = {"since": row["began"], "since_earliest": row["began_earliest"], "since_latest": row["began_latest"]}
    own = _part_json(row, "began", "began_earliest", "began_latest", "began_fact_id")
    at = {name: _text(value) for name, value in began.items()} | {"fact_id": row["began_fact_id"]}
    return {**own, "began": at if row["began_fact_id"] is not None else None}


def _case_json(row: NamedRow, counts: Iterable[NamedRow]) -> dict[str, Any]:
    case_id = row["case_id"]
    own = [_part_json(count, "case_id") for count in counts if count["case_id"] == case_id]
    return {
        "case_id": case_id,
        "kind": row["kind"],
        "kind_fact_id": row["kind_fact_id"],
        "stage": _cell(row, "stage_"),
        "open": bool(row["is_open"]),
        "suspended": row["suspended"],
        "suspended_fact_id": row["suspended_fact_id"],
        "counts": own,
        **{name: row[name] for name in ("sentence", "parts", "sentence_fact_id", "charges", "charges_fact_id")},
        "authority": row["authority"],
        "authority_fact_id": row["authority_fact_id"],
    }


def _text(value: Any) -> Any:  # noqa: ANN401 - a value of a column
    return format_instant(value) if isinstance(value, datetime) else value
