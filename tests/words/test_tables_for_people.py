"""Tables on terminals of any width: no word is broken, and each column that is left out is named."""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from services.cli.layout import GAP, Column, laid_out, placed
from services.words.listing import list_words
from tests.support.builders import charged, convicted, described, detained, dismissed, retracted, wanted
from tests.support.commands import fact_line, facts_file, ready
from tests.support.reading import Line, ask, database_with, on_terminal
from tests.support.status_rows import cell, row

WIDTHS = (60, 72, 80, 100, 120)
LONG_ID = "kz-a-very-long-name-of-the-register-of-officials-0000017"
FACTS: tuple[Line | bytes, ...] = (
    described("2022-01-01", subject="kz-a", name="Mukhtar Kabulovich Bukharbaev", agency="Police"),
    dismissed("2022-02-01", subject="kz-a"),
    detained("2022-04-25", subject=LONG_ID, case="c"),
    described("2022-01-01", subject=LONG_ID, name="Нурлан Абильмажинович Мухаметкалиев"),
    wanted("2022-03-01", subject="kz-c", scope="international"),
    charged("2022-03", subject="kz-c"),
    convicted("2022-03-01", subject="kz-d"),
    b'{"nonsense"',
    json.dumps({"type": "Detained", "subject": "kz-nobody-has-an-id-as-long-as-this"}).encode(),
    dismissed("2022-02-02", subject="kz-a", id="Dismissed kz-a 2022-02-01"),
)
BACKTEST = "backtest facts.ndjson --until 2023-01-01"
TABLES = ("status", "alerts --all", "rules list", "parked list", "conflicts", BACKTEST)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that fills every table, and a file of its facts."""
    made = tmp_path_factory.mktemp("tables")
    engine = database_with(made, *FACTS, passed="2023-01-01")
    engine.dispose()
    facts_file(made, *(line if isinstance(line, bytes) else json.dumps(line) for line in FACTS))
    return made


def words(text: str) -> set[str]:
    """The words of a table, without its rule and the colons after the titles of values below a row."""
    return {word.rstrip(":") for word in re.sub("─+", "", text).split()}


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", TABLES)
def test_no_table_breaks_a_word_or_the_line(folder: Path, command: str, columns: int) -> None:
    """Every word is a word of the same table without a limit of width."""
    wide = ask(command, folder)
    narrow = on_terminal(command, folder, columns)
    table = [line for line in narrow.stdout.splitlines() if line not in wide.stdout.splitlines()]

    assert wide.returncode == narrow.returncode
    assert set() == words(narrow.stdout) - words(wide.stdout)
    assert [] == [line for line in table if cell_len(line) > columns]


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", TABLES)
def test_what_has_no_room_stands_below_or_is_named(folder: Path, command: str, columns: int) -> None:
    """Each column is in the table, under its rows, or in a message on stderr."""
    header = ask(command, folder).stdout
    titles = [title for title in re.split(r"\s{2,}", _header(header)) if title]
    shown = on_terminal(command, folder, columns)
    there = " ".join(shown.stdout.split())

    assert titles
    for title in titles:
        beside = set(title.split()) <= words(shown.stdout)
        assert beside or f"{title}:" in there or title in shown.stderr
    if "columns left out" in shown.stderr:
        assert "(a wider terminal or --json shows them)" in shown.stderr


def _header(text: str) -> str:
    """The line above the first rule of a table."""
    lines = text.splitlines()
    return next(above for above, line in pairwise(lines) if line.startswith("─"))


def test_nothing_is_cut_where_the_output_is_no_terminal(folder: Path) -> None:
    """COLUMNS has no effect: a file has no width."""
    for command in TABLES:
        assert ask(command, folder).stdout == ask(command, folder, COLUMNS="40").stdout
    assert LONG_ID in ask("status", folder).stdout
    assert "columns left out" not in ask("status", folder, COLUMNS="40").stderr


def test_a_name_longer_than_any_terminal_is_whole_in_a_file(tmp_path: Path) -> None:
    """Rich's own consoles have a greatest width."""
    name = "Ann " + "a" * 120_000
    database_with(tmp_path, described("2022-01-01", name=name))

    assert name in ask("status", tmp_path).stdout


def test_the_presumption_is_the_last_to_go(folder: Path) -> None:
    """A headline such as "detained" is never printed alone, even on a narrow terminal."""
    for columns in (30, 60):
        assert "presumed" in on_terminal("status", folder, columns).stdout


def test_the_lag_of_a_partition_has_all_its_columns(tmp_path: Path) -> None:
    """The lag is read from the log, so that this table needs one."""
    ready(tmp_path)
    ask(f"publish {facts_file(tmp_path, fact_line())}", tmp_path)
    ask("project", tmp_path)
    for columns in WIDTHS:
        shown = on_terminal("lag", tmp_path, columns)

        assert [] == [line for line in shown.stdout.splitlines() if cell_len(line) > columns]
        assert {"partition", "lag", "seconds", "watermark"} <= words(shown.stdout)
        assert "progress" in shown.stdout + shown.stderr
        assert [] == re.findall("T[0-9:.]+$", shown.stdout, re.MULTILINE)


COLUMNS = (Column("id"), Column("number", 2), Column("remark", 1, below=True, least=12))


def table(width: int | None, *rows: tuple[str, str, str]) -> list[str]:
    """The lines of a table of three columns."""
    cells = [[Text(value) for value in row] for row in rows]
    out = Console(width=200)
    return [line.plain for line in laid_out(COLUMNS, cells, placed(COLUMNS, cells, width), out, width or 200)]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            None,
            [
                "id    number  remark",
                "─" * 40,
                "kz-1  7       what there is to say of it",
            ],
        ),
        (30, ["id    number  remark", "─" * 30, "kz-1  7       what there is to", "              say of it"]),
        (25, ["id    remark", "─" * 25, "kz-1  what there is to", "      say of it"]),
        (16, ["id", "────", "kz-1", "  remark: what", "  there is to", "  say of it"]),
        (3, ["id", "───", "kz-", "1", "  r", "  e", "  m"]),
    ],
)
def test_the_least_important_column_goes_first(width: int | None, expected: list[str]) -> None:
    """A sentence goes below before it becomes narrow. The id is folded last, when nothing else is left."""
    assert expected == table(width, ("kz-1", "7", "what there is to say of it"))[: len(expected)]


def test_a_word_wider_than_the_terminal_does_not_take_the_place_of_all_others() -> None:
    """The word is broken in any case, and the other columns keep their room."""
    shown = table(40, ("kz-1", "7", "https://news.example/" + "a" * 60))

    assert "id    number  remark" == shown[0]
    assert "kz-1  7       https://news.example/aaaaa" == shown[2]


CELL = st.text("abc 的", max_size=30)


@example([("", "", " aaaaaaaa的的"), ("aaaaaa的", "", "")], 22)
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=4), st.integers(20, 90))
def test_any_table_keeps_to_the_width_and_to_its_words(rows: list[tuple[str, str, str]], width: int) -> None:
    """It holds for any text, with letters of two cells too."""
    shown = table(width, *rows)
    fitting = {word for row in rows for cell in row for word in cell.split() if cell_len(word) + len(GAP) <= width}
    said = {word for line in shown for word in line.split()}
    columns = placed(COLUMNS, [[Text(value) for value in row] for row in rows], width)
    kept = {word for row in rows for at in (*columns, 2) for word in row[at].split()} & fitting

    assert [] == [line for line in shown if cell_len(line) > width]
    assert set() == kept - said


@pytest.mark.parametrize("make", [dismissed, detained])
def test_a_retraction_that_nobody_sees_hides_nothing(tmp_path: Path, make: Callable[..., Line]) -> None:
    """An empty table prints nothing, and no titles."""
    fact = make("2022-03-27")
    database_with(tmp_path, fact, retracted(fact))

    assert "" == on_terminal("alerts", tmp_path, 80).stdout


def test_a_list_names_searches_beside_custody() -> None:
    """A person may be bailed in one country and wanted in another."""
    status = row(custody=cell("bailed"), wanted=cell("international"))

    assert "released on bail; wanted, international" == list_words(status).custody
