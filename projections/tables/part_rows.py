"""Rows of the tables for the parts of a person: posts, cases, counts, custody, searches and measures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy import Table

from events.facts import Fact
from projections.history.history import History
from projections.subjects.lookup import open_by_case
from projections.subjects.status import Status
from projections.subjects.summary import is_counted
from projections.tracks.cases import CRIMINAL, Case
from projections.tracks.cell import Cell
from projections.tracks.counts import Count
from projections.tracks.custody import Hold
from projections.tracks.measures import Measure
from projections.tracks.post import Post
from projections.tracks.searches import Search

NO_CELL = (None,) * 6
_NO_SENTENCE: Final[tuple[Any, ...]] = (None, None, [], None, [], None, None, None)
"""The last columns of a case that is known from custody alone."""

Row = tuple[Any, ...]
Agreeing = Mapping[str, int]
"""The number of facts that report an event, by the id of the fact that stands for it; 1 for an id not in it."""


def post_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``posts``."""
    return [(subject_id, n, *_post_row(post, agreeing)) for n, post in enumerate(status.posts.all)]


def case_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``cases``."""
    cases = open_by_case(status).items()
    return [_rows_of_case(subject_id, case_id, status, agreeing, open_now)[0] for case_id, open_now in cases]


def count_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``counts``."""
    cases = open_by_case(status).items()
    of_cases = (_rows_of_case(subject_id, case_id, status, agreeing, open_now)[1] for case_id, open_now in cases)
    return [*chain.from_iterable(of_cases)]


def hold_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``holds``."""
    holds = sorted(status.custody.holds.items(), key=lambda item: item[0] or "")
    return [
        (subject_id, n, *_hold_row(case_id, hold, agreeing), not hold.is_active or is_counted(status.cases, case_id))
        for n, (case_id, hold) in enumerate(holds)
        if hold.fact is not None
    ]


def search_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``searches``."""
    return [
        (subject_id, n, *_search_row(search, agreeing), is_counted(status.cases, search.case_id))
        for n, search in enumerate(status.custody.searches)
    ]


def measure_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``measures``."""
    return [(subject_id, n, *_measure_row(measure, agreeing)) for n, measure in enumerate(status.measures.standing)]


PART_ROWS: Final[tuple[Callable[[str, Status, Agreeing], list[Row]], ...]] = (
    post_rows,
    case_rows,
    count_rows,
    hold_rows,
    search_rows,
    measure_rows,
)
"""The functions that make the rows, in the order of `Conclusions.parts`. Rows have the order of the columns."""


def part_rows(subject_id: str, status: Status, history: History) -> list[list[Row]]:
    """Return the rows of all parts, in the order of `Conclusions.parts`."""
    agreeing = history.agreeing()
    return [make(subject_id, status, agreeing) for make in PART_ROWS]


class WrittenParts(NamedTuple):
    """
    The rows of a person's parts in the tables.

    Attributes:
        rows: the rows by their keys, by the name of the table.
        fold: the fold that made them, and the number of times that its reports were grouped again.
        marks: the marks of the fold at that time.
    """

    rows: dict[str, dict[Row, Row]]
    fold: tuple[Status, int] | None = None
    marks: tuple[object, ...] = ()


def changed_part_rows(
    subject_id: str,
    fold: tuple[Status, int],
    agreeing: Agreeing,
    tables: Sequence[Table],
    written: WrittenParts | None,
) -> tuple[list[tuple[Table, Sequence[Row], bool]], WrittenParts]:
    """
    Return the rows of parts that differ from the written ones, and all rows as they are once these are written.

    Args:
        subject_id: the person.
        fold: the status, and the number of times that the reports of its history were grouped again.
        agreeing: the numbers of reports.
        tables: the tables of the parts.
        written: the written rows; None: not known.

    Returns:
        for each table that changes: the rows that differ, and whether to delete first all rows of the person, since the
        written ones are not known, or one of them is gone.
    """
    status, _ = fold
    marks = _marks(status)
    rows_before = written.rows if written else {}
    same = written.marks if written and written.fold == fold else (None,) * len(marks)
    rows_now, changed = dict(rows_before), list[tuple[Table, Sequence[Row], bool]]()
    for table, make, mark, old in zip(tables, PART_ROWS, marks, same, strict=True):
        if written is not None and mark == old:
            continue
        before = rows_before.get(table.name)
        rows = make(subject_id, status, agreeing)
        if not rows and not before and written is not None:
            continue
        keys = len(table.primary_key)
        now = rows_now[table.name] = {row[:keys]: row for row in rows}
        if written is None or (before is not None and not before.keys() <= now.keys()):
            changed.append((table, rows, True))
        else:
            new = [row for key, row in now.items() if before is None or before.get(key) != row]
            changed.append((table, new, False))
    return changed, WrittenParts(rows_now, fold, marks)


def _marks(status: Status) -> tuple[object, ...]:
    """Return for each part, in the order of `Conclusions.parts`, a value that differs if its rows may differ."""
    held = (status.custody.steps, status.case_steps, status.posts.died is None)
    return (status.posts.steps, held, status.case_steps, held, held, status.measures.steps)


def since_row(fact: Fact | None, agreeing: Agreeing) -> Row:
    """Return the columns of a beginning: the source's text, the instants, the fact and the number of reports."""
    if fact is None:
        return (None, None, None, None, 0)
    occurred = fact.occurred
    return (fact.data["occurred"], occurred.earliest, occurred.latest, fact.id, agreeing.get(fact.id, 1))


def cell_rows(cells: Iterable[Cell | None], agreeing: Agreeing) -> Row:
    """Return the columns of several statuses, one after the other."""
    return tuple(chain.from_iterable(cell_row(cell, agreeing) for cell in cells))


def cell_row(cell: Cell | None, agreeing: Agreeing) -> Row:
    """Return the columns of one status."""
    return (cell.status, *since_row(cell.fact, agreeing)) if cell else NO_CELL


def _rows_of_case(
    subject_id: str,
    case_id: str,
    status: Status,
    agreeing: Agreeing,
    open_now: bool,  # noqa: FBT001 - a column
) -> tuple[Row, list[Row]]:
    """
    Return the row of a case and the rows of its counts.

    The rows are kept until the case changes. A person may have hundreds of cases, and one more fact concerns one.
    """
    case = status.cases.get(case_id)
    if case is None:
        return (subject_id, case_id, CRIMINAL, None, *NO_CELL, open_now, False, *_NO_SENTENCE), []
    cached = status.kept.get(case_id)
    if cached is None or cached[:2] != (case.steps, open_now) or cached[2] is not agreeing:
        counts = [(subject_id, case_id, n, *_count_row(count, agreeing)) for n, count in enumerate(case.counts.all)]
        rows = ((subject_id, case_id, *_case_row(case, agreeing, open_now)), counts)
        cached = status.kept[case_id] = (case.steps, open_now, agreeing, rows)
    return cached[3]


def _case_row(case: Case, agreeing: Agreeing, open_now: bool) -> Row:  # noqa: FBT001 - a column
    sentence = case.sentence
    charges = case.charges_by
    authority = case.authority_by
    return (
        case.kind,
        _id(case.kind_by),
        *cell_row(case.stage, agreeing),
        open_now,
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


def _post_row(post: Post, agreeing: Agreeing) -> Row:
    words, fact, began = post.words, post.fact, post.began
    stated = (words.post, words.agency, words.region, words.fact.data.get("jurisdiction"), words.post_id)
    return (
        *stated,
        words.fact.id if any(word is not None for word in stated) else None,
        post.acting,
        _id(post.acting_by),
        post.status,
        *since_row(fact, agreeing),
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
        *since_row(fact, agreeing),
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
    stated = (fact.data.get("authority"), fact.data.get("place"))
    return (case_id, hold.status, *since_row(fact, agreeing), *ordered, *stated)


def _search_row(search: Search, agreeing: Agreeing) -> Row:
    case_id, scope, jurisdiction, fact = search
    return (case_id, scope, jurisdiction, fact.data.get("authority"), *since_row(fact, agreeing))


def _measure_row(measure: Measure, agreeing: Agreeing) -> Row:
    fact, until = measure.fact, measure.until
    stated = [fact.data.get(name) for name in ("kind", "title", "authority", "program", "case_id")]
    ordered = (until.data["until"], until.id) if until else (None, None)
    return (*stated, *ordered, *since_row(fact, agreeing))


def _in_order(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return *items* with their keys in one order. SQLite keeps JSON as text, so equal items need equal text."""
    return [dict(sorted(item.items())) for item in items]


def _id(fact: Fact | None) -> str | None:
    return fact.id if fact else None
