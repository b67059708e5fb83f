"""A person's parts as rows of their tables: posts, cases, counts, custody, searches and measures."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, Final

from events.facts import Fact
from projections.history.history import History
from projections.subjects.status import Status
from projections.tracks.cases import CRIMINAL
from projections.tracks.cell import Cell
from projections.tracks.counts import Count
from projections.tracks.custody import Hold, Search
from projections.tracks.measures import Measure
from projections.tracks.posts import Post

NO_CELL = (None,) * 6

Row = tuple[Any, ...]
Agreeing = Mapping[str, int]
"""How many facts report an event, by the fact that stands for it; one where it is not named."""


def post_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``posts``."""
    return [(subject_id, n, *_post_row(post, agreeing)) for n, post in enumerate(status.posts.all)]


def case_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``cases``."""
    return [_rows_of_case(subject_id, case_id, status, agreeing)[0] for case_id in status.case_ids()]


def count_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``counts``."""
    of_cases = (_rows_of_case(subject_id, case_id, status, agreeing)[1] for case_id in sorted(status.cases))
    return [*chain.from_iterable(of_cases)]


def hold_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``holds``."""
    held = sorted(status.custody.holds.items(), key=lambda item: item[0] or "")
    return [
        (subject_id, n, *_hold_row(case_id, hold, agreeing), not hold.is_active or status.is_counted(case_id))
        for n, (case_id, hold) in enumerate(held)
        if hold.fact is not None
    ]


def search_rows(subject_id: str, status: Status, agreeing: Agreeing) -> list[Row]:
    """Return the rows of ``searches``."""
    return [
        (subject_id, n, *_search_row(search, agreeing), status.is_counted(search.case_id))
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
"""The makers of the rows, in the order of `Conclusions.parts`; each row is the columns' values in their order."""


def part_rows(subject_id: str, status: Status, history: History) -> list[list[Row]]:
    """Return the rows of all parts, in the order of `Conclusions.parts`."""
    agreeing = history.agreeing()
    return [make(subject_id, status, agreeing) for make in PART_ROWS]


def since_row(fact: Fact | None, agreeing: Agreeing) -> Row:
    """Return the columns that say since when, what it rests on and how many report it."""
    if fact is None:
        return (None, None, None, None, 0)
    occurred = fact.occurred
    return (fact.data["occurred"], occurred.earliest, occurred.latest, fact.id, agreeing.get(fact.id, 1))


def cell_row(cell: Cell | None, agreeing: Agreeing) -> Row:
    """Return the columns of one status."""
    return (cell.status, *since_row(cell.fact, agreeing)) if cell else NO_CELL


def _rows_of_case(subject_id: str, case_id: str, status: Status, agreeing: Agreeing) -> tuple[Row, list[Row]]:
    """
    Return the row of a case and the rows of its counts.

    The fold keeps them until the case moves: of a person with hundreds of cases, one more fact concerns one.
    """
    case, is_open = status.cases.get(case_id), status.is_open(case_id)
    if case is None:
        return _case_row(subject_id, case_id, status, agreeing), []
    kept = status.kept.get(case_id)
    if kept is None or kept[:2] != (case.steps, is_open) or kept[2] is not agreeing:
        counts = [(subject_id, case_id, n, *_count_row(count, agreeing)) for n, count in enumerate(case.counts.all)]
        rows = (_case_row(subject_id, case_id, status, agreeing), counts)
        kept = status.kept[case_id] = (case.steps, is_open, agreeing, rows)
    return kept[3]


def _case_row(subject_id: str, case_id: str, status: Status, agreeing: Agreeing) -> Row:
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
        *cell_row(case.stage, agreeing),
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


def _post_row(post: Post, agreeing: Agreeing) -> Row:
    words, fact, began = post.words, post.fact, post.began
    said = (words.post, words.agency, words.region, words.fact.data.get("jurisdiction"), words.post_id)
    return (
        *said,
        words.fact.id if any(word is not None for word in said) else None,
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
    said = (fact.data.get("authority"), fact.data.get("place"))
    return (case_id, hold.status, *since_row(fact, agreeing), *ordered, *said)


def _search_row(search: Search, agreeing: Agreeing) -> Row:
    case_id, scope, jurisdiction, fact = search
    return (case_id, scope, jurisdiction, fact.data.get("authority"), *since_row(fact, agreeing))


def _measure_row(measure: Measure, agreeing: Agreeing) -> Row:
    fact, until = measure.fact, measure.until
    said = [fact.data.get(name) for name in ("kind", "title", "authority", "program", "case_id")]
    ordered = (until.data["until"], until.id) if until else (None, None)
    return (*said, *ordered, *since_row(fact, agreeing))


def _in_order(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return *items* with their keys in one order: SQLite keeps the text, and would tell the same apart."""
    return [dict(sorted(item.items())) for item in items]


def _id(fact: Fact | None) -> str | None:
    return fact.id if fact else None
