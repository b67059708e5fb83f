"""How statuses and histories are read from the tables: now from the stored rows, at a moment by the same fold."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from itertools import groupby, islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, select

from events.decode import restore
from events.record import event_of
from events.text import search_form
from projections.subjects.shapes import status_json
from projections.subjects.view import NOW, AsOf, Line, SubjectView, story
from projections.subjects.view import folded as status_folded
from projections.tables.ledger_rows import unread
from projections.tables.part_rows import part_rows
from projections.tables.rows import named, subject_row
from projections.tables.schema import APPLIED, LIVE, NamedRow, ledger, partitions

CHUNK = 1000
NEAR = 5

subjects, posts, names = LIVE.subjects, LIVE.posts, LIVE.names


class Filter(NamedTuple):
    """
    Which people are wanted; an empty tuple or None: any.

    Attributes:
        name: a part of any known spelling of the name, or of the subject_id; capitals do not matter.
        service, custody, stage, headline: the words wanted.
        agency: a part of the name of an agency in which they hold or held a post; capitals do not matter. With
            *service*, of one and the same post: somebody dismissed from there and not from elsewhere.
        jurisdiction: the whole of it; capitals do not matter.
    """

    name: str | None = None
    service: tuple[str, ...] = ()
    custody: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    headline: tuple[str, ...] = ()
    agency: str | None = None
    jurisdiction: str | None = None


def statuses(
    conn: Connection, wanted: Filter, moment: AsOf = NOW, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """
    Yield the status of each person that *wanted* lets through, by subject_id, in bounded memory.

    Args:
        conn: a transaction that sees one state of the database.
        wanted: which people; it looks at their status at *moment*.
        moment: when. Only people of whom something was known by then are yielded.
        limit: the most to yield.
    """
    found = _stored(conn, wanted) if moment == NOW else _at(conn, wanted, moment)
    return islice(found, limit)


def status_of(conn: Connection, told: SubjectView, moment: AsOf = NOW) -> dict[str, Any]:
    """Return the status that follows from a person's facts at *moment*: the stored one, or the fold."""
    if moment == NOW:
        return next(_rows(conn, [told.subject_id], unread(conn, told.subject_id)))
    return _folded(told, unread(conn, told.subject_id))[0]


def story_of(conn: Connection, subject_id: str, moment: AsOf = NOW) -> SubjectView | None:
    """Return one person's facts as they stood at *moment*, or None if nothing was known of them."""
    rows = conn.execute(_facts().where(ledger.c.subject_id == subject_id).order_by(ledger.c.partition, ledger.c.seq))
    lines = [_line(row) for row in rows]
    if not lines:
        return None
    watermark = conn.scalar(select(partitions.c.watermark).where(partitions.c.partition == lines[-1].partition))
    return story(subject_id, lines, moment, _concluded(watermark))


def near(conn: Connection, unknown: str) -> list[str]:
    """Return a few subject_ids that somebody who typed *unknown* may have meant."""
    inside = [found["subject_id"] for found in statuses(conn, Filter(name=unknown), limit=NEAR)]
    alike = subjects.c.subject_id.startswith(unknown[:2], autoescape=True)
    candidates = conn.scalars(select(subjects.c.subject_id).where(alike).order_by(subjects.c.subject_id).limit(CHUNK))
    return list(dict.fromkeys([*inside, *get_close_matches(unknown, candidates.all(), n=NEAR)]))[:NEAR]


def employed(conn: Connection, subject_ids: list[str], wanted: Filter) -> list[str]:
    """Return those of *subject_ids* who have or had a post in the agency that is wanted, if one is."""
    if wanted.agency is None:
        return subject_ids
    described = select(subjects.c.subject_id, subjects.c.agency, subjects.c.service_status.label("status"))
    held = select(posts.c.subject_id, posts.c.agency, posts.c.status)
    found = {
        row.subject_id
        for table, query in ((subjects, described), (posts, held))
        for row in conn.execute(query.where(table.c.subject_id.in_(subject_ids), table.c.agency.is_not(None)))
        if _fits_post(wanted, row.agency, row.status)
    }
    return [subject_id for subject_id in subject_ids if subject_id in found]


def _stored(conn: Connection, wanted: Filter) -> Iterator[dict[str, Any]]:
    page = select(subjects.c.subject_id, subjects.c.jurisdiction).order_by(subjects.c.subject_id).limit(CHUNK)
    for column, words in (
        (subjects.c.service_status, wanted.service if wanted.agency is None else ()),
        (subjects.c.custody_status, wanted.custody),
        (subjects.c.stage_status, wanted.stage),
        (subjects.c.headline, wanted.headline),
    ):
        page = page.where(column.in_(words)) if words else page
    waiting = unread(conn)
    rows = conn.execute(page).all()
    while rows:
        found = [row.subject_id for row in rows if _is_in(wanted, row.jurisdiction)]
        found = _named(conn, employed(conn, found, wanted), wanted.name)
        yield from _rows(conn, found, waiting)
        rows = conn.execute(page.where(subjects.c.subject_id > rows[-1].subject_id)).all()


def _named(conn: Connection, subject_ids: list[str], name: str | None) -> list[str]:
    """Return those of *subject_ids* whose name, in any spelling, or whose id holds *name*."""
    if name is None:
        return subject_ids
    part = search_form(name)
    spelled = select(names.c.subject_id).where(
        names.c.subject_id.in_(subject_ids), names.c.folded.contains(part, autoescape=True)
    )
    found = set(conn.scalars(spelled))
    return [subject_id for subject_id in subject_ids if subject_id in found or part in search_form(subject_id)]


def _rows(conn: Connection, subject_ids: Sequence[str], waiting: Counter[str]) -> Iterator[dict[str, Any]]:
    parts: dict[str, dict[str, list[NamedRow]]] = {subject_id: {} for subject_id in subject_ids}
    for table in LIVE.parts:
        for row in conn.execute(select(table).where(table.c.subject_id.in_(subject_ids))).mappings():
            parts[row["subject_id"]].setdefault(table.name, []).append(row)
    found = select(subjects).where(subjects.c.subject_id.in_(subject_ids)).order_by(subjects.c.subject_id)
    for subject in conn.execute(found).mappings():
        # By code point, as the fold has them, whatever order the database keeps.
        own = {name: sorted(rows, key=_key) for name, rows in parts[subject["subject_id"]].items()}
        yield status_json(dict(subject), own, waiting[subject["subject_id"]])


def _key(row: NamedRow) -> tuple[str, int]:
    return (row["case_id"] if "stage_status" in row or "charge_fact_id" in row else "", row.get("n", 0))


def _at(conn: Connection, wanted: Filter, moment: AsOf) -> Iterator[dict[str, Any]]:
    known = _facts().order_by(ledger.c.subject_id, ledger.c.partition, ledger.c.seq)
    if moment.known_at is not None:
        known = known.where(ledger.c.recorded <= moment.known_at)
    clock = _concluded(conn.scalar(select(partitions.c.watermark).order_by(partitions.c.watermark.desc()).limit(1)))
    waiting = unread(conn)
    # Closed even where a limit ends the reading early.
    with conn.execute(known.execution_options(yield_per=CHUNK)) as rows:
        for subject_id, group in groupby(rows, key=lambda row: row.subject_id):
            told = story(subject_id, map(_line, group), moment, clock)
            found, spellings = _folded(told, waiting) if told else (None, ())
            if found and _fits(wanted, found, spellings):
                yield found


def _folded(told: SubjectView, waiting: Counter[str]) -> tuple[dict[str, Any], Iterable[str]]:
    """Return the status that follows from *told*, and every spelling of the name."""
    status = status_folded(told)
    last = list(told.lines.values())[-1]
    position = (last.partition, last.offset)
    subject = named(subjects, subject_row(told.subject_id, status, told.history, position, None))
    rows = part_rows(told.subject_id, status, told.history)
    parts = {
        table.name: [named(table, row) for row in of_table] for table, of_table in zip(LIVE.parts, rows, strict=True)
    }
    return status_json(subject, parts, waiting[told.subject_id]), status.names


def _fits(wanted: Filter, found: dict[str, Any], spellings: Iterable[str]) -> bool:
    for name in ("service", "custody", "stage"):
        words = getattr(wanted, name) if name != "service" or wanted.agency is None else ()
        if words and (found[name] is None or found[name]["status"] not in words):
            return False
    if wanted.headline and found["headline"] not in wanted.headline:
        return False
    if not _is_in(wanted, found["jurisdiction"]):
        return False
    employed = [(found["agency"], found["service"]["status"]), *((p["agency"], p["status"]) for p in found["posts"])]
    if wanted.agency is not None and not any(_fits_post(wanted, agency, status) for agency, status in employed):
        return False
    return wanted.name is None or any(
        search_form(wanted.name) in search_form(spelling) for spelling in (found["subject_id"], *spellings)
    )


# Here and not in SQL: SQLite folds ASCII only, and PostgreSQL by the rules of whatever locale it has.
def _is_in(wanted: Filter, jurisdiction: str | None) -> bool:
    return wanted.jurisdiction is None or search_form(wanted.jurisdiction) == search_form(jurisdiction or "")


def _fits_post(wanted: Filter, agency: str | None, status: str) -> bool:
    if wanted.agency is None or search_form(wanted.agency) not in search_form(agency or ""):
        return False
    return not wanted.service or status in wanted.service


def _facts() -> Select[Any]:
    return select(
        ledger.c.subject_id,
        ledger.c.headers,
        ledger.c.value,
        ledger.c.recorded,
        ledger.c.partition,
        ledger.c.log_offset,
        ledger.c.seq,
        ledger.c.hash,
    ).where(APPLIED)


def _line(row: Row[Any]) -> Line:
    event = event_of(row.headers, row.value)
    return Line(restore(event, row.recorded), row.partition, row.log_offset, row.seq, row.hash, event)


def _concluded(watermark: datetime | None) -> datetime:
    """Return the instant up to which announced facts count in the stored rows: those due later have not been asked."""
    return watermark - timedelta(microseconds=1) if watermark else datetime.min.replace(tzinfo=UTC)
