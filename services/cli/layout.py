"""Tables for people: at most as wide as the terminal, and of any width if stdout is not a terminal."""

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
        rank: if the terminal is too narrow for all columns, the column with the greatest rank is removed first.
        below: whether a removed column is printed under its row, as ``title: value``. If not, it is left out, and a
            message on stderr names it.
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
            titles = ", ".join(missing)
            say(f"columns left out, the terminal is too narrow: {titles} (a wider terminal or --json shows them)")
    return len(cells)


def placed(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> Mapping[int, int]:
    """
    Return the widths of the columns that fit beside each other, by the place of the column.

    Args:
        columns: all of them.
        rows: the cells.
        width: the width of the terminal; None: all columns are as wide as their content.
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
    """
    Yield the lines of a table.

    Args:
        columns: all columns.
        rows: the cells.
        widths: as `placed` returned them; the other columns go below the rows, or are left out.
        out: the console that wraps the text.
        width: the greatest width of a line below a row.
    """
    yield from _beside([Text(columns[at].title, "bold") for at in widths], list(widths.values()), out)
    yield Text(RULE * _taken(widths.values()))
    left = [at for at, column in enumerate(columns) if at not in widths and column.below]
    under = sorted(left, key=lambda at: columns[at].rank)
    for row in rows:
        yield from _beside([row[at] for at in widths], list(widths.values()), out)
        texts = [Text.assemble((f"{columns[at].title}: ", "dim"), row[at]) for at in under if row[at].plain]
        for text in _packed(texts, width - len(GAP)):
            yield from (Text(GAP) + line for line in _wrapped(text, width - len(GAP), out))


def _wanted(columns: Sequence[Column], rows: Sequence[Row]) -> list[int]:
    """Return the width of the widest cell of each column."""
    titles = [Text(column.title) for column in columns]
    return [max(cell_len(row[at].plain) for row in [titles, *rows]) for at in range(len(columns))]


def _least(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> list[int]:
    """
    Return the least width of each column in which no word is broken, and sentences read well.

    A word that is wider than the terminal is broken in any case. It counts as a third of the terminal, so that the
    other columns keep some room.
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
    """Join *texts* to lines, as many on one line as fit in *width*."""
    packed: list[Text] = []
    for text in texts:
        if packed and cell_len(packed[-1].plain) + len(GAP) + cell_len(text.plain) <= width:
            packed[-1] = Text.assemble(packed[-1], GAP, text)
        else:
            packed.append(text)
    return packed


def _wrapped(text: Text, width: int, out: Console) -> Iterable[Text]:
    # Rich counts blanks at the beginning as part of the first word, and would break it to make room for them.
    stripped = text[len(text.plain) - len(text.plain.lstrip()) :]
    wrapped = stripped.wrap(out, max(width, 1), overflow="fold") or [stripped]
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
    """Return *text* as a cell; markup in it is printed as it is."""
    return Text(safe(text), style, overflow="fold")
