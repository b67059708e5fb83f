"""How statuses and histories are read from the tables: now from the stored rows, at a moment by the same fold."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from itertools import groupby, islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, select

from events.decode import restore

from .conclude import folded
from .ledger import event_of
from .shapes import case_row, named, status_json, subject_row
from .status import Status
from .story import NOW, Line, Moment, Story, story
from .tables import APPLIED, LIVE, ledger, partitions

CHUNK = 1000
NEAR = 5

subjects, cases, names = LIVE.subjects, LIVE.cases, LIVE.names


class Filter(NamedTuple):
    """
    Which people are wanted; an empty tuple or None: any.

    Attributes:
        name: a part of any known spelling of the name, or of the subject_id; capitals do not matter.
        service, custody, stage, headline: the words wanted.
        agency: a part of the agency's name; capitals do not matter.
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
    conn: Connection, wanted: Filter, moment: Moment = NOW, limit: int | None = None
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


def status_of(conn: Connection, told: Story, moment: Moment = NOW) -> dict[str, Any]:
    """Return the status that follows from a person's facts at *moment*: the stored one, or the fold."""
    if moment == NOW:
        return next(_rows(conn, [told.subject_id]))
    return _folded(told)[0]


def story_of(conn: Connection, subject_id: str, moment: Moment = NOW) -> Story | None:
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


def _stored(conn: Connection, wanted: Filter) -> Iterator[dict[str, Any]]:
    page = (
        select(subjects.c.subject_id, subjects.c.agency, subjects.c.jurisdiction)
        .order_by(subjects.c.subject_id)
        .limit(CHUNK)
    )
    for column, words in (
        (subjects.c.service_status, wanted.service),
        (subjects.c.custody_status, wanted.custody),
        (subjects.c.stage_status, wanted.stage),
        (subjects.c.headline, wanted.headline),
    ):
        page = page.where(column.in_(words)) if words else page
    rows = conn.execute(page).all()
    while rows:
        described = [row.subject_id for row in rows if _described(wanted, row.agency, row.jurisdiction)]
        yield from _rows(conn, _named(conn, described, wanted.name))
        rows = conn.execute(page.where(subjects.c.subject_id > rows[-1].subject_id)).all()


def _named(conn: Connection, subject_ids: list[str], name: str | None) -> list[str]:
    """Return those of *subject_ids* whose name, in any spelling, or whose id holds *name*."""
    if name is None:
        return subject_ids
    part = folded(name)
    spelled = select(names.c.subject_id).where(
        names.c.subject_id.in_(subject_ids), names.c.folded.contains(part, autoescape=True)
    )
    found = set(conn.scalars(spelled))
    return [subject_id for subject_id in subject_ids if subject_id in found or part in folded(subject_id)]


def _rows(conn: Connection, subject_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    tried: dict[str, list[Any]] = {}
    for case in conn.execute(
        select(cases).where(cases.c.subject_id.in_(subject_ids)).order_by(cases.c.subject_id, cases.c.case_id)
    ).mappings():
        tried.setdefault(case["subject_id"], []).append(case)
    found = select(subjects).where(subjects.c.subject_id.in_(subject_ids)).order_by(subjects.c.subject_id)
    for subject in conn.execute(found).mappings():
        # By code point, as the fold has them, whatever order the database keeps.
        own = sorted(tried.get(subject["subject_id"], []), key=lambda case: case["case_id"])
        yield status_json(dict(subject), own)


def _at(conn: Connection, wanted: Filter, moment: Moment) -> Iterator[dict[str, Any]]:
    known = _facts().order_by(ledger.c.subject_id, ledger.c.partition, ledger.c.seq)
    if moment.known_at is not None:
        known = known.where(ledger.c.recorded <= moment.known_at)
    clock = _concluded(conn.scalar(select(partitions.c.watermark).order_by(partitions.c.watermark.desc()).limit(1)))
    # Closed even where a limit ends the reading early.
    with conn.execute(known.execution_options(yield_per=CHUNK)) as rows:
        for subject_id, group in groupby(rows, key=lambda row: row.subject_id):
            told = story(subject_id, map(_line, group), moment, clock)
            found, spellings = _folded(told) if told else (None, ())
            if found and _fits(wanted, found, spellings):
                yield found


def _folded(told: Story) -> tuple[dict[str, Any], Iterable[str]]:
    """Return the status that follows from *told*, and every spelling of the name."""
    status = Status(facts=told.world)
    last = list(told.lines.values())[-1]
    position = (last.partition, last.offset)
    subject = named(subjects, subject_row(told.subject_id, status, told.history.flags, position, None))
    tried = [
        named(cases, case_row(told.subject_id, case_id, status.cases[case_id])) for case_id in sorted(status.cases)
    ]
    return status_json(subject, tried), status.names


def _fits(wanted: Filter, found: dict[str, Any], spellings: Iterable[str]) -> bool:
    for name in ("service", "custody", "stage"):
        words = getattr(wanted, name)
        if words and (found[name] is None or found[name]["status"] not in words):
            return False
    if wanted.headline and found["headline"] not in wanted.headline:
        return False
    if not _described(wanted, found["agency"], found["jurisdiction"]):
        return False
    return wanted.name is None or any(
        folded(wanted.name) in folded(spelling) for spelling in (found["subject_id"], *spellings)
    )


def _described(wanted: Filter, agency: str | None, jurisdiction: str | None) -> bool:
    # Here and not in SQL: SQLite folds ASCII only, and PostgreSQL by the rules of whatever locale it has.
    if wanted.jurisdiction is not None and folded(wanted.jurisdiction) != folded(jurisdiction or ""):
        return False
    return wanted.agency is None or folded(wanted.agency) in folded(agency or "")


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
