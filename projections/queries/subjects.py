"""Queries for statuses and histories: from the stored rows for now, and by the same fold for another moment."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import NamedTuple

from sqlalchemy import Connection, select

from events.decode import restore
from events.record import event_of
from events.text import near_words, search_form
from projections.subjects.shapes import StatusJson, status_json
from projections.subjects.view import NOW, AsOf, LedgerFact, SubjectView, status_at, view_at
from projections.tables.ledger_rows import FactRow, facts_by_subject, subject_facts
from projections.tables.parked_rows import unread_counts
from projections.tables.part_rows import part_rows
from projections.tables.rows import named, subject_row
from projections.tables.schema import LIVE, NamedRow, partitions

CHUNK = 1000
NEAR = 5

subjects, posts, names = LIVE.subjects, LIVE.posts, LIVE.names


class Filter(NamedTuple):
    """
    Conditions on people; an empty tuple or None: no condition.

    Attributes:
        name: a part of any known spelling of the name, or of the subject_id, in either case of the letters.
        service, custody, stage, headline: the accepted words.
        agency: a part of the name of an agency in which they hold or held a post, in either case of the letters. With
            *service*, both hold for one and the same post: dismissed from this agency and not from another one.
        jurisdiction: the whole of its name, in either case of the letters.
    """

    name: str | None = None
    service: tuple[str, ...] = ()
    custody: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    headline: tuple[str, ...] = ()
    agency: str | None = None
    jurisdiction: str | None = None


def statuses(conn: Connection, wanted: Filter, moment: AsOf = NOW, limit: int | None = None) -> Iterator[StatusJson]:
    """
    Yield the status of each person that meets *wanted*, by subject_id, in bounded memory.

    Args:
        conn: a transaction that sees one state of the database.
        wanted: conditions on the status at *moment*.
        moment: the moment. A person about whom nothing was known by then is left out.
        limit: the largest number to yield.
    """
    rows = _stored(conn, wanted) if moment == NOW else _at(conn, wanted, moment)
    return islice(rows, limit)


def status_of(conn: Connection, view: SubjectView, moment: AsOf = NOW) -> StatusJson:
    """Return the status of one person at *moment*: the stored one, or the fold of *view*."""
    unread = unread_counts(conn, view.subject_id)
    if moment == NOW:
        return next(_rows(conn, [view.subject_id], unread))
    return _folded(view, unread)[0]


def statuses_with_ids(conn: Connection, subject_ids: Sequence[str]) -> dict[str, StatusJson]:
    """Return the stored status of each of *subject_ids* that has one."""
    return {status["subject_id"]: status for status in _rows(conn, subject_ids, unread_counts(conn))}


def view_of(conn: Connection, subject_id: str, moment: AsOf = NOW) -> SubjectView | None:
    """Return one person's facts as they were at *moment*, or None if nothing was known about the person."""
    lines = [_line(row) for row in subject_facts(conn, subject_id)]
    if not lines:
        return None
    watermark = conn.scalar(select(partitions.c.watermark).where(partitions.c.partition == lines[-1].partition))
    return view_at(subject_id, lines, moment, _concluded(watermark))


def concluded_at(conn: Connection, view: SubjectView) -> datetime:
    """Return the last instant up to which time has passed in the stored rows about the person of *view*."""
    partition = list(view.facts.values())[-1].partition
    return _concluded(conn.scalar(select(partitions.c.watermark).where(partitions.c.partition == partition)))


def similar_ids(conn: Connection, unknown: str) -> list[str]:
    """Return a few subject_ids that a person who typed *unknown* may have meant."""
    by_name = [status["subject_id"] for status in statuses(conn, Filter(name=unknown), limit=NEAR)]
    alike = subjects.c.subject_id.startswith(unknown[:2], autoescape=True)
    candidates = conn.scalars(select(subjects.c.subject_id).where(alike).order_by(subjects.c.subject_id).limit(CHUNK))
    return list(dict.fromkeys([*by_name, *near_words(unknown, candidates.all(), most=NEAR)]))[:NEAR]


def agencies(conn: Connection) -> set[str]:
    """Return the name of every agency in which a post is known, present or former."""
    held = select(posts.c.agency).where(posts.c.agency.is_not(None))
    described = select(subjects.c.agency).where(subjects.c.agency.is_not(None))
    return set(conn.scalars(held.union(described)))


def employed(conn: Connection, subject_ids: list[str], wanted: Filter) -> list[str]:
    """Return those of *subject_ids* with a present or former post in the wanted agency; all without a wanted agency."""
    if wanted.agency is None:
        return subject_ids
    described = select(subjects.c.subject_id, subjects.c.agency, subjects.c.service_status.label("status"))
    held = select(posts.c.subject_id, posts.c.agency, posts.c.status)
    matches = {
        row.subject_id
        for table, query in ((subjects, described), (posts, held))
        for row in conn.execute(query.where(table.c.subject_id.in_(subject_ids), table.c.agency.is_not(None)))
        if _fits_post(wanted, row.agency, row.status)
    }
    return [subject_id for subject_id in subject_ids if subject_id in matches]


def _stored(conn: Connection, wanted: Filter) -> Iterator[StatusJson]:
    page = select(subjects.c.subject_id, subjects.c.jurisdiction).order_by(subjects.c.subject_id).limit(CHUNK)
    for column, words in (
        (subjects.c.service_status, wanted.service if wanted.agency is None else ()),
        (subjects.c.custody_status, wanted.custody),
        (subjects.c.stage_status, wanted.stage),
        (subjects.c.headline, wanted.headline),
    ):
        page = page.where(column.in_(words)) if words else page
    unread = unread_counts(conn)
    rows = conn.execute(page).all()
    while rows:
        subject_ids = [row.subject_id for row in rows if _is_in(wanted, row.jurisdiction)]
        subject_ids = _named(conn, employed(conn, subject_ids, wanted), wanted.name)
        yield from _rows(conn, subject_ids, unread)
        rows = conn.execute(page.where(subjects.c.subject_id > rows[-1].subject_id)).all()


def _named(conn: Connection, subject_ids: list[str], name: str | None) -> list[str]:
    """Return those of *subject_ids* with *name* in the id or in any spelling of their name."""
    if name is None:
        return subject_ids
    part = search_form(name)
    spelled = select(names.c.subject_id).where(
        names.c.subject_id.in_(subject_ids), names.c.folded.contains(part, autoescape=True)
    )
    matches = set(conn.scalars(spelled))
    return [subject_id for subject_id in subject_ids if subject_id in matches or part in search_form(subject_id)]


def _rows(conn: Connection, subject_ids: Sequence[str], unread: Counter[str]) -> Iterator[StatusJson]:
    parts: dict[str, dict[str, list[NamedRow]]] = {subject_id: {} for subject_id in subject_ids}
    for table in LIVE.parts:
        for row in conn.execute(select(table).where(table.c.subject_id.in_(subject_ids))).mappings():
            parts[row["subject_id"]].setdefault(table.name, []).append(row)
    query = select(subjects).where(subjects.c.subject_id.in_(subject_ids)).order_by(subjects.c.subject_id)
    for subject in conn.execute(query).mappings():
        # By code point, as the fold orders them. The order of the database depends on its collation.
        own = {name: sorted(rows, key=_key) for name, rows in parts[subject["subject_id"]].items()}
        yield status_json(dict(subject), own, unread[subject["subject_id"]])


def _key(row: NamedRow) -> tuple[str, int]:
    return (row["case_id"] if "stage_status" in row or "charge_fact_id" in row else "", row.get("n", 0))


def _at(conn: Connection, wanted: Filter, moment: AsOf) -> Iterator[StatusJson]:
    clock = _concluded(conn.scalar(select(partitions.c.watermark).order_by(partitions.c.watermark.desc()).limit(1)))
    unread = unread_counts(conn)
    # Closed even where a limit ends the reading early.
    with closing(facts_by_subject(conn, moment.known_at)) as rows:
        for subject_id, group in groupby(rows, key=lambda row: row.subject_id):
            view = view_at(subject_id, map(_line, group), moment, clock)
            if view is None:
                continue
            status, spellings = _folded(view, unread)
            if _fits(wanted, status, spellings):
                yield status


def _folded(view: SubjectView, unread: Counter[str]) -> tuple[StatusJson, Iterable[str]]:
    """Return the status that follows from *view*, and every spelling of the name."""
    status = status_at(view)
    last = list(view.facts.values())[-1]
    position = (last.partition, last.offset)
    subject = named(
        subjects, subject_row(view.subject_id, status, view.history, view.history.agreeing(), position, None)
    )
    rows = part_rows(view.subject_id, status, view.history)
    parts = {table.name: [named(table, row) for row in own] for table, own in zip(LIVE.parts, rows, strict=True)}
    return status_json(subject, parts, unread[view.subject_id]), status.names


def _fits(wanted: Filter, status: StatusJson, spellings: Iterable[str]) -> bool:
    for words, cell in (
        # With an agency, the service asked for is that of a post in it.
        (wanted.service if wanted.agency is None else (), status["service"]),
        (wanted.custody, status["custody"]),
        (wanted.stage, status["stage"]),
    ):
        if words and (cell is None or cell["status"] not in words):
            return False
    if wanted.headline and status["headline"] not in wanted.headline:
        return False
    if not _is_in(wanted, status["jurisdiction"]):
        return False
    agencies = [
        (status["agency"], status["service"]["status"]),
        *((post["agency"], post["status"]) for post in status["posts"]),
    ]
    if wanted.agency is not None and not any(_fits_post(wanted, agency, service) for agency, service in agencies):
        return False
    return wanted.name is None or any(
        search_form(wanted.name) in search_form(spelling) for spelling in (status["subject_id"], *spellings)
    )


# Not in SQL: SQLite ignores the case of ASCII letters only, and PostgreSQL follows the rules of its locale.
def _is_in(wanted: Filter, jurisdiction: str | None) -> bool:
    return wanted.jurisdiction is None or search_form(wanted.jurisdiction) == search_form(jurisdiction or "")


def _fits_post(wanted: Filter, agency: str | None, status: str) -> bool:
    if wanted.agency is None or search_form(wanted.agency) not in search_form(agency or ""):
        return False
    return not wanted.service or status in wanted.service


def _line(row: FactRow) -> LedgerFact:
    event = event_of(row.headers, row.value)
    return LedgerFact(restore(event, row.recorded), row.partition, row.log_offset, row.seq, row.hash, event)


def _concluded(watermark: datetime | None) -> datetime:
    """Return the last instant up to which announced facts count in the stored rows. Later ones are not applied yet."""
    return watermark - timedelta(microseconds=1) if watermark else datetime.min.replace(tzinfo=UTC)
