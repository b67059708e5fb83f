"""conflicts: records with the id of a known fact, and other content."""

from collections.abc import Iterable
from typing import Any

from projections.queries.rejected import ConflictJson, Position, conflicts, flat
from projections.tables.database import snapshot
from services.settings import load_settings
from services.words.terms import safe

from .app import app, database
from .layout import Column, cell, show
from .options import JsonOption
from .output import emit_array, say


@app.command("conflicts", epilog="\b\nExample:\n  casetrail conflicts --json")
def show_conflicts(as_json: JsonOption = False) -> None:
    """Show records that repeat a fact's id with other content. Both are shown side by side. The first one counts."""
    with snapshot(database(load_settings())) as conn:
        records = conflicts(conn)
        if as_json:
            emit_array(records)
            return
        is_empty = True
        for conflict in records:
            _show_conflict(conflict)
            is_empty = False
    if is_empty:
        say("there are no conflicts")


def _show_conflict(conflict: ConflictJson) -> None:
    print(f"fact {safe(conflict['fact_id'])} about {safe(conflict['subject_id'])}")
    if by := conflict["first_retracted_by"]:
        print(f"  the first was retracted since, by the fact {safe(by)}")
    if conflict["same_text"]:
        print("  both have the same text: they differ in their Unicode normal form only")
    for name, side in (("first", conflict["first"]), ("other", conflict["other"])):
        print(f"  {name}: position {Position(**side['position'])}, recorded {side['recorded']}")
    title = "first, retracted" if conflict["first_retracted_by"] else "first, in force"
    columns = [Column(""), Column("field", 1), Column(title, 2, below=True), Column("other", 3, below=True)]
    show(columns, _fields(conflict))


def _fields(conflict: ConflictJson) -> Iterable[Iterable[Any]]:
    """Yield a row for each field that either side has."""
    first, other = (flat(side["content"]) for side in (conflict["first"], conflict["other"]))
    for field in dict.fromkeys((*first, *other)):
        differs = field in conflict["differs"]
        style = "bold" if differs else ""
        sides = (cell(side.get(field, "(nothing)"), style) for side in (first, other))
        yield ("≠" if differs else "", cell(field, style), *sides)
