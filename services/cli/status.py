"""status: the people and their status, now or at a moment."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from events.errors import BadInput
from projections.queries.subjects import Filter, status_of, statuses, story_of
from projections.rules.values import STATUSES
from projections.subjects.status import NOT_HEADLINES
from projections.subjects.view import AsOf
from projections.tables.database import snapshot
from services.settings import load_settings
from services.words.listing import list_words
from services.words.person import person_lines
from services.words.terms import service_words, words

from .app import Json, app, database
from .layout import Column, cell, show
from .options import AsOfOption, KnownAtOption, Limit, moment_of
from .output import FINDINGS, emit, emit_array, lines, say
from .unknown import say_unknown

COLUMNS = (
    Column("subject", 0),
    Column("name", 1, below=True),
    Column("headline", 2, below=True),
    Column("since", 4),
    Column("service", 5),
    Column("custody", 6),
    Column("case", 7),
    # A headline such as detained never stands without it.
    Column("before the law", 3, below=True, least=18),
)
TABLE_ROWS = 1000
"""The most rows a table shows where no limit is given: it is made to be read, and held in memory whole."""

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


def _known(option: str, given: Words, known: Iterable[str]) -> tuple[str, ...]:
    for word in given or ():
        if word not in known:
            raise BadInput(f'"{word}" is not known', f"one of {', '.join(known)}", option)
    return tuple(given or ())


@app.command(
    epilog="\b\nExamples:\n  casetrail status --service dismissed --agency police\n"
    "  casetrail status kz-kudebaev --as-of 2022-06-30"
)
def status(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="People to show in full.")] = None,
    *,
    name: Annotated[str | None, typer.Option(help="Part of the name in any known spelling, or of the id.")] = None,
    service: Annotated[Words, typer.Option(help="Service status; may be repeated.")] = None,
    custody: Annotated[Words, typer.Option(help="Custody status; may be repeated.")] = None,
    stage: Annotated[Words, typer.Option(help="Furthest stage of a case; may be repeated.")] = None,
    headline: Annotated[Words, typer.Option(help="The one word for lists; may be repeated.")] = None,
    agency: Annotated[str | None, typer.Option(help="Part of the agency's name.")] = None,
    jurisdiction: Annotated[str | None, typer.Option(help="Country or region, such as KZ.")] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """
    Show the status of everybody, or the named people in full. Filters choose among everybody.

    With --as-of it is the world at an instant, with --known-at what had been recorded by then.
    """
    moment = moment_of(as_of, known_at)
    wanted = Filter(
        name=name,
        service=_known("--service", service, STATUSES["service"]),
        custody=_known("--custody", custody, STATUSES["custody"]),
        stage=_known("--stage", stage, STATUSES["stage"]),
        headline=_known("--headline", headline, HEADLINES),
        agency=agency,
        jurisdiction=jurisdiction,
    )
    if ids and wanted != Filter():
        raise BadInput("ids and filters are given", "either people by id, or filters")
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
    found: list[dict[str, Any]] = []
    with snapshot(engine) as conn:
        for subject_id in ids:
            told = story_of(conn, subject_id, moment)
            if told is None:
                say_unknown(conn, subject_id, moment)
                continue
            own = status_of(conn, told, moment)
            if not as_json:
                lines([*([""] if found else []), *person_lines(own, told, moment)])
            found.append(own)
    if as_json:
        emit(found)
    if len(found) < len(ids):
        raise typer.Exit(FINDINGS)


def _show_table(found: Iterable[Mapping[str, Any]], limit: int | None) -> None:
    rows = iter(found)
    shown = show(COLUMNS, map(cells, islice(rows, TABLE_ROWS if limit is None else limit)))
    if not shown:
        say("there is nobody to show (`casetrail lag` tells whether all that is published is projected)")
        return
    if next(rows, None) is not None:
        say(f"the first {shown} are shown; --json gives all, --limit another number, filters fewer")


def cells(row: Mapping[str, Any]) -> Iterable[Any]:
    """Yield what a table says of one person, in the order of `COLUMNS`."""
    said = list_words(row)
    yield cell(row["subject_id"])
    yield cell(row["name"] or "")
    yield cell(words(row["headline"]), "bold")
    yield cell(_since(row))
    yield cell(service_words(row["service"]["status"]))
    yield cell(said.custody)
    yield cell(said.case)
    yield cell(said.before_the_law)


def _since(row: Mapping[str, Any]) -> str:
    """Return since when the headline holds, as its source wrote the date."""
    cells = (row["service"], row["custody"], row["stage"], row["wanted"])
    said = {found["status"]: found for found in reversed(cells) if found}
    found = row["wanted"] if row["headline"] == "wanted" else said[row["headline"]]
    return found["since"] or ""
