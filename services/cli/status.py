"""status: people and their status, now or at a moment."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from events.errors import BadInput
from projections.queries.subjects import Filter, status_of, statuses, view_of
from projections.rules.values import STATUSES
from projections.subjects.shapes import StatusJson
from projections.subjects.summary import NOT_HEADLINES
from projections.subjects.view import AsOf
from projections.tables.database import snapshot
from services.settings import load_settings
from services.words.listing import list_words
from services.words.person import person_lines
from services.words.terms import service_words, words

from .app import app, database
from .layout import Column, cell, show
from .options import AsOfOption, JsonOption, KnownAtOption, LimitOption, moment_of
from .output import FINDINGS, emit, emit_array, print_lines, say
from .unknown import say_unknown

COLUMNS = (
    Column("subject", 0),
    Column("name", 1, below=True),
    Column("headline", 2, below=True),
    Column("since", 4),
    Column("service", 5),
    Column("custody", 6),
    Column("case", 7),
    # A headline such as "detained" is never printed without it.
    Column("before the law", 3, below=True, least=18),
)
TABLE_ROWS = 1000
"""The most rows of a table without a limit: a table is made for people, and is in memory as a whole."""

HEADLINES = tuple(
    dict.fromkeys(
        [
            "deceased",
            *(word for word in STATUSES["custody"] if word not in NOT_HEADLINES),
            *STATUSES["stage"],
            "wanted",
            *STATUSES["service"],
        ]
    )
)

Words = list[str] | None


@app.command(
    epilog="\b\nExamples:\n  casetrail status --service dismissed --agency police\n"
    "  casetrail status kz-kudebaev --as-of 2022-06-30"
)
def status(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="People to show in full.")] = None,
    *,
    name: Annotated[str | None, typer.Option(help="Part of the name in any known spelling, or of the id.")] = None,
    service: Annotated[Words, typer.Option(help="A service status; repeatable.")] = None,
    custody: Annotated[Words, typer.Option(help="A custody status; repeatable.")] = None,
    stage: Annotated[Words, typer.Option(help="The furthest stage of a case; repeatable.")] = None,
    headline: Annotated[Words, typer.Option(help="The headline, one word for the whole status; repeatable.")] = None,
    agency: Annotated[str | None, typer.Option(help="Part of the agency's name.")] = None,
    jurisdiction: Annotated[str | None, typer.Option(help="A country or region, such as KZ.")] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show the status of all people, or of the named people in full. Filters select among all people.

    With --as-of, it is the status at an instant. With --known-at, only facts that had been recorded by then count.
    """
    moment = moment_of(as_of, known_at)
    wanted = Filter(
        name=name,
        service=_checked("--service", service, STATUSES["service"]),
        custody=_checked("--custody", custody, STATUSES["custody"]),
        stage=_checked("--stage", stage, STATUSES["stage"]),
        headline=_checked("--headline", headline, HEADLINES),
        agency=agency,
        jurisdiction=jurisdiction,
    )
    if ids and wanted != Filter():
        raise BadInput("both ids and filters", "one of the two")
    engine = database(load_settings())
    if ids:
        _show_people(engine, list(dict.fromkeys(ids)), moment, as_json=as_json)
        return
    with snapshot(engine) as conn:
        if as_json:
            emit_array(statuses(conn, wanted, moment, limit))
        else:
            _show_table(statuses(conn, wanted, moment, limit), limit)


def _show_people(engine: Engine, ids: list[str], moment: AsOf, *, as_json: bool) -> None:
    rows: list[StatusJson] = []
    with snapshot(engine) as conn:
        for subject_id in ids:
            view = view_of(conn, subject_id, moment)
            if view is None:
                say_unknown(conn, subject_id, moment)
                continue
            row = status_of(conn, view, moment)
            if not as_json:
                print_lines([*([""] if rows else []), *person_lines(row, view, moment)])
            rows.append(row)
    if as_json:
        emit(rows)
    if len(rows) < len(ids):
        raise typer.Exit(FINDINGS)


def _show_table(rows: Iterator[StatusJson], limit: int | None) -> None:
    shown = show(COLUMNS, map(cells, islice(rows, TABLE_ROWS if limit is None else limit)))
    if not shown:
        say("there are no people to show (`casetrail lag` shows whether all published facts are projected)")
        return
    if next(rows, None) is not None:
        say(f"the first {shown} are shown; --json prints all, --limit sets another number, filters show fewer")


def cells(row: StatusJson) -> Iterable[Any]:
    """Yield the cells of one person in a table, in the order of `COLUMNS`."""
    terms = list_words(row)
    yield cell(row["subject_id"])
    yield cell(row["name"] or "")
    yield cell(words(row["headline"]), "bold")
    yield cell(_since(row))
    yield cell(service_words(row["service"]["status"]))
    yield cell(terms.custody)
    yield cell(terms.case)
    yield cell(terms.before_the_law)


def _since(row: StatusJson) -> str:
    """Return the date on which the headline began, as its source wrote it."""
    if row["headline"] == "wanted" and row["wanted"]:
        return row["wanted"]["since"] or ""
    cells = (row["service"], row["custody"], row["stage"])
    since: dict[str, str | None] = {cell["status"]: cell["since"] for cell in reversed(cells) if cell}
    return since[row["headline"]] or ""


def _checked(option: str, values: Words, words: Iterable[str]) -> tuple[str, ...]:
    """Return the values of an option, after a check that each is one of *words*."""
    for value in values or ():
        if value not in words:
            raise BadInput(f'"{value}" is not known', f"one of {', '.join(words)}", option)
    return tuple(values or ())
