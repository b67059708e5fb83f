"""Tables for people: as wide as the terminal at most, and of any width where the output goes elsewhere."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from services.words.terms import safe

from .output import console, say

GAP = "  "
RULE = "─"


class Column(NamedTuple):
    """
    A column of a table.

    Attributes:
        title: its heading.
        rank: where the terminal is too narrow for all columns, the one with the greatest rank goes first.
        below: whether it goes under its row then, as ``title: value``; else it is left out, and stderr says so.
        least: the least width in which its sentences read well.
    """

    title: str
    rank: int = 0
    below: bool = False
    least: int = 0


Row = Sequence[Text]


def show(columns: Sequence[Column], rows: Iterable[Iterable[Any]]) -> int:
    """
    Print *rows* under the titles of *columns*, if there are any rows, and return their number.

    Lines break between words. A column goes below its row, or is left out, before a word of any column is broken.

    Args:
        columns: at least one.
        rows: a value for each column; a `Text` keeps its style.
    """
    cells = [[value if isinstance(value, Text) else cell(value) for value in row] for row in rows]
    if cells:
        out = console()
        width = out.width if sys.stdout.isatty() else None
        widths = placed(columns, cells, width)
        for line in laid_out(columns, cells, widths, out, width or _taken(widths.values())):
            out.print(line, no_wrap=True, overflow="ignore", crop=False)
        missing = [column.title for at, column in enumerate(columns) if at not in widths and not column.below]
        if missing:
            say(f"columns left out for lack of width: {', '.join(missing)} (a wider terminal or --json shows them)")
    return len(cells)


def placed(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> Mapping[int, int]:
    """
    Return the widths of the columns that stand beside each other, by the place of the column.

    Args:
        columns: all of them.
        rows: the cells.
        width: of the terminal; None: all columns are as wide as their content.
    """
    wanted, least = _wanted(columns, rows), _least(columns, rows, width)
    kept = list(range(len(columns)))
    if width is None or _taken(wanted) <= width:
        return dict(enumerate(wanted))
    while len(kept) > 1 and _taken(least[at] for at in kept) > width:
        kept.remove(max(kept, key=lambda at: (columns[at].rank, at)))
    widths = {at: min(least[at], width) for at in kept}
    while _taken(widths.values()) < width and (narrow := [at for at in kept if widths[at] < wanted[at]]):
        widths[min(narrow, key=widths.__getitem__)] += 1
    return widths


def laid_out(
    columns: Sequence[Column], rows: Sequence[Row], widths: Mapping[int, int], out: Console, width: int
) -> Iterator[Text]:
    """Yield the lines of a table within *width*: the columns that have *widths*, and some of the others below rows."""
    yield from _beside([Text(columns[at].title, "bold") for at in widths], list(widths.values()), out)
    yield Text(RULE * _taken(widths.values()))
    left = [at for at, column in enumerate(columns) if at not in widths and column.below]
    under = sorted(left, key=lambda at: columns[at].rank)
    for row in rows:
        yield from _beside([row[at] for at in widths], list(widths.values()), out)
        said = [Text.assemble((f"{columns[at].title}: ", "dim"), row[at]) for at in under if row[at].plain]
        for text in _packed(said, width - len(GAP)):
            yield from (Text(GAP) + line for line in _wrapped(text, width - len(GAP), out))


def _wanted(columns: Sequence[Column], rows: Sequence[Row]) -> list[int]:
    """Return the width of the widest cell of each column."""
    titles = [Text(column.title) for column in columns]
    return [max(cell_len(row[at].plain) for row in [titles, *rows]) for at in range(len(columns))]


def _least(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> list[int]:
    """
    Return the least width of each column in which no word is broken, and sentences read well.

    A word that is wider than the terminal is broken in any case. It counts as a third of the terminal, so that not
    everything else has to make room for it.
    """
    least = []
    for at, wanted in enumerate(_wanted(columns, rows)):
        texts = [columns[at].title, *(row[at].plain for row in rows)]
        words = {cell_len(word) for text in texts for word in text.split()}
        fitting = (word if width is None or word <= width else width // 3 for word in words)
        least.append(max(*fitting, min(columns[at].least, wanted), 0))
    return least


def _taken(widths: Iterable[int]) -> int:
    """Return the width of a line whose columns have *widths*."""
    beside = list(widths)
    return sum(beside) + len(GAP) * (len(beside) - 1)


def _packed(texts: Iterable[Text], width: int) -> list[Text]:
    """Return *texts*, several on one line where they fit."""
    packed: list[Text] = []
    for text in texts:
        if packed and cell_len(packed[-1].plain) + len(GAP) + cell_len(text.plain) <= width:
            packed[-1] = Text.assemble(packed[-1], GAP, text)
        else:
            packed.append(text)
    return packed


def _wrapped(text: Text, width: int, out: Console) -> Iterable[Text]:
    # Rich counts blanks at the beginning as part of the first word, and would break it to make room for them.
    begun = text[len(text.plain) - len(text.plain.lstrip()) :]
    wrapped = begun.wrap(out, max(width, 1), overflow="fold") or [begun]
    for line in wrapped:
        line.rstrip()
    return wrapped


def _beside(cells: Row, widths: Sequence[int], out: Console) -> Iterator[Text]:
    """Yield the lines of one row, each cell in its own width."""
    stacks = [_wrapped(text, width, out) for text, width in zip(cells, widths, strict=True)]
    for beside in zip_longest(*stacks, fillvalue=Text()):
        line = Text()
        for text, width in zip(beside, widths, strict=True):
            line.append_text(text).append(" " * (width - cell_len(text.plain)) + GAP)
        line.rstrip()
        yield line


def cell(text: object, style: str = "") -> Text:
    """Return *text* for a table, whatever markup stands in it."""
    return Text(safe(text), style, overflow="fold")
