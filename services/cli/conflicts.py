"""conflicts: records whose fact was known with other content."""

from collections.abc import Iterable, Mapping
from typing import Any

from projections.queries.rejected import Position, conflicts, flat
from projections.tables.database import snapshot
from services.settings import load_settings
from services.words.terms import safe

from .app import Json, app, database
from .layout import Column, cell, show
from .output import emit_array, say


@app.command("conflicts", epilog="\b\nExample:\n  casetrail conflicts --json")
def show_conflicts(as_json: Json = False) -> None:
    """Show records whose fact was known with other content. Both stand side by side; the first one counts."""
    with snapshot(database(load_settings())) as conn:
        found = conflicts(conn)
        if as_json:
            emit_array(found)
            return
        none = True
        for conflict in found:
            _show_conflict(conflict)
            none = False
    if none:
        say("there are no conflicts")


def _show_conflict(conflict: dict[str, Any]) -> None:
    print(f"fact {safe(conflict['fact_id'])} about {safe(conflict['subject_id'])}")
    if by := conflict["first_retracted_by"]:
        print(f"  the first was retracted since, by the fact {safe(by)}")
    if conflict["same_text"]:
        print("  both say the same: the texts differ in their Unicode normal form only")
    for name in ("first", "other"):
        side = conflict[name]
        print(f"  {name}: position {Position(**side['position'])}, recorded {side['recorded']}")
    stands = "first, retracted" if conflict["first_retracted_by"] else "first, stands"
    columns = [Column(""), Column("field", 1), Column(stands, 2, below=True), Column("other", 3, below=True)]
    show(columns, _fields(conflict))


def _fields(conflict: Mapping[str, Any]) -> Iterable[Iterable[Any]]:
    """Yield a row for each field that either side has."""
    first, other = (flat(conflict[name]["content"]) for name in ("first", "other"))
    for field in dict.fromkeys((*first, *other)):
        differs = field in conflict["differs"]
        style = "bold" if differs else ""
        sides = (cell(side.get(field, "(nothing)"), style) for side in (first, other))
        yield ("≠" if differs else "", cell(field, style), *sides)
