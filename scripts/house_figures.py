"""
Count the figures of the house rules, and print each beside its limit.

The counted words are ``what``, ``who``, ``whoever``, ``whose`` and ``whom``. A method is a function defined in the body
of a class; properties and methods such as ``__init__`` are included. Docstrings are all strings that stand as a
statement. Code in backquotes or fences is left out. Code in ``alembic/versions`` is left out everywhere.
"""

import ast
import io
import json
import math
import re
import tokenize
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ("events", "projections", "services")
FOLDERS = (*SOURCE, "alembic", "benchmarks", "scripts", "tests")
ONE_MODULE_A_COMMAND = "services/cli"

WORDS_PER_THOUSAND = 3
DOC_COLUMNS = 120
DECISION_LINES = 10
FUNCTION_LINES = 50
FILE_LINES = 400
MODULES = 15
METHODS = 8

COUNTED = re.compile(r"\b(?:what|who|whoever|whose|whom)\b", re.IGNORECASE)
OPENING = re.compile(r"\W*(?:how|what|who|whose|which|why)\b", re.IGNORECASE)
WORD = re.compile(r"[^\W_][\w'-]*")
# As in Markdown, code in backquotes may run over a line's end, but never over an empty line.
CODE = re.compile(r"(?<!`)(`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)\1(?!`)", re.DOTALL)
LINK_TARGET = re.compile(r"(?<=\])\([^)\s]*\)")
FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")
HASH_COMMENT = re.compile(r"(?:^|\s)# (.*)$")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Passage(NamedTuple):
    """A piece of prose and the line of the file on which it begins, counted from 1."""

    line: int
    text: str


class Figure(NamedTuple):
    """One row of the table: its limit, the counts by name, and the places that could be improved."""

    name: str
    limit: str
    counts: dict[str, int | float | str]
    places: list[str]


@cache
def nodes(text: str) -> list[ast.AST]:
    """Return every node of a Python file."""
    return list(ast.walk(ast.parse(text)))


@cache
def without_code(text: str) -> str:
    """Return *text* without code in backquotes and without the targets of links; its lines stay where they are."""
    return LINK_TARGET.sub("", CODE.sub(lambda code: " " + "\n" * code[0].count("\n"), text))


@cache
def docstrings(text: str) -> list[Passage]:
    """Return the docstrings of a Python file, and every other string that stands as a statement."""
    statements = (node.value for node in nodes(text) if isinstance(node, ast.Expr))
    strings = (node for node in statements if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return sorted(Passage(node.lineno, str(node.value)) for node in strings)


@cache
def comments(text: str) -> list[Passage]:
    """Return the comments of a Python file without their number sign."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [Passage(token.start[0], token.string.lstrip("#")) for token in tokens if token.type == tokenize.COMMENT]


def hash_comments(text: str) -> list[Passage]:
    """Return the comments of a shell script or of a file of properties."""
    matches = ((line, HASH_COMMENT.search(row)) for line, row in enumerate(text.splitlines(), 1))
    return [Passage(line, match[1]) for line, match in matches if match]


def outside_fences(text: str) -> list[Passage]:
    """Return the lines of a Markdown file, except fenced code and the fences themselves."""
    lines = []
    opened = ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if opened:
            closes = fence and fence[1].startswith(opened) and not fence[2].strip()
            opened = "" if closes else opened
        elif fence:
            opened = fence[1]
        else:
            lines.append(Passage(number, line))
    return lines


def paragraphs(text: str) -> list[Passage]:
    """Return the runs of lines in a Markdown file without an empty line or fenced code inside."""
    runs: list[Passage] = []
    following = 0
    for number, line in outside_fences(text):
        if not line.strip():
            continue
        if number == following:
            runs[-1] = Passage(runs[-1].line, f"{runs[-1].text}\n{line}")
        else:
            runs.append(Passage(number, line))
        following = number + 1
    return runs


@cache
def prose(path: Path) -> list[Passage]:
    """Return the prose of a file: the paragraphs of a document, else the docstrings and the comments."""
    match path.suffix:
        case ".md":
            return paragraphs(read(path))
        case ".py":
            return sorted(docstrings(read(path)) + comments(read(path)))
        case _:
            return hash_comments(read(path))


def word_count(passages: Iterable[Passage]) -> int:
    """Return the number of words outside of code."""
    return sum(len(WORD.findall(without_code(text))) for _, text in passages)


def counted_words(passages: Iterable[Passage]) -> list[Passage]:
    """Return the line of each counted word, with the text of that line; a line with two of them comes twice."""
    lines = []
    for first, text in passages:
        rows = zip(text.split("\n"), without_code(text).split("\n"), strict=True)
        lines += [Passage(first + at, row) for at, (row, plain) in enumerate(rows) for _ in COUNTED.findall(plain)]
    return lines


def per_thousand(passages: Sequence[Passage]) -> float:
    """Return the number of counted words per 1,000 words."""
    return 1000 * len(counted_words(passages)) / max(1, word_count(passages))


def openings(text: str) -> list[Passage]:
    """Return the docstrings of a Python file that begin with a question word."""
    return [passage for passage in docstrings(text) if OPENING.match(passage.text)]


def long_lines(text: str) -> list[Passage]:
    """Return the lines of a Markdown file that are too long, except tables and fenced code."""
    return [row for row in outside_fences(text) if len(row.text) > DOC_COLUMNS and not row.text.startswith("|")]


def long_decisions(text: str) -> list[Passage]:
    """Return the headings of decisions with too many lines; empty lines and the heading are not counted."""
    sizes: Counter[Passage] = Counter()
    heading = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            heading = Passage(number, line.lstrip("# ")) if line.startswith("## ") else None
        elif line.strip() and heading:
            sizes[heading] += 1
    return [heading for heading, size in sizes.items() if size > DECISION_LINES]


def functions(text: str) -> Iterator[Function]:
    """Yield the functions and methods of a Python file, inner ones included."""
    return (node for node in nodes(text) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(function: Function) -> int:
    """Return the lines of *function* without its docstring."""
    first = function.body[0]
    promised = isinstance(first, ast.Expr) and ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if promised else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def methods(text: str) -> dict[str, int]:
    """Return the number of functions defined in the body of each class."""
    classes = (node for node in nodes(text) if isinstance(node, ast.ClassDef))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name: sum(isinstance(inner, kinds) for inner in node.body) for node in classes}


def code_lines(text: str) -> int:
    """Return the lines of a Python file that are neither empty nor a comment; docstrings are counted."""
    rows = text.splitlines()
    alone = {line for line, _ in comments(text) if rows[line - 1].lstrip().startswith("#")}
    return sum(bool(row.strip()) for number, row in enumerate(rows, 1) if number not in alone)


def percentile(numbers: Sequence[int], percent: int) -> int:
    """Return the smallest of *numbers* that *percent* of them do not exceed, or 0 if there are none."""
    return sorted(numbers)[max(0, math.ceil(len(numbers) * percent / 100) - 1)] if numbers else 0


@cache
def read(path: Path) -> str:
    """Return the text of the file."""
    return path.read_text(encoding="utf-8")


def name(path: Path) -> str:
    """Return the path relative to the root of the project."""
    return path.relative_to(ROOT).as_posix()


def python_files(*folders: str) -> list[Path]:
    """Return the Python files of *folders*, except migrations."""
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in paths if path.parent.name != "versions"]


def commented_files(folder: str) -> list[Path]:
    """Return the Python files of *folder*; of ``scripts`` also the shell scripts and the files of properties."""
    others = sorted((ROOT / folder).iterdir()) if folder == "scripts" else []
    return python_files(folder) + [path for path in others if path.is_file() and path.suffix in {"", ".properties"}]


def documents() -> list[Path]:
    """Return the Markdown files for readers: those of ``docs``, the README and the changelog."""
    return [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md"]


def places(path: Path, passages: Iterable[Passage]) -> list[str]:
    """Return each passage as one line of text, ``file:line: text``."""
    return [f"{name(path)}:{line}: {text.strip().partition(chr(10))[0]}" for line, text in passages]


def word_figure(title: str, paths: Sequence[Path]) -> Figure:
    """Return the rate of the counted words in *paths*."""
    passages = [passage for path in paths for passage in prose(path)]
    marked = [place for path in paths for place in places(path, counted_words(prose(path)))]
    counts: dict[str, int | float | str] = {
        "per 1,000": round(per_thousand(passages), 1),
        "counted": len(marked),
        "words": word_count(passages),
    }
    return Figure(f"what/who words, {title}", f"under {WORDS_PER_THOUSAND}", counts, marked)


def place_figure(title: str, marked: Iterable[str], kind: str, total: int) -> Figure:
    """Return the number of places that break a rule, beside the *total* of the *kind*."""
    broken = list(marked)
    return Figure(title, "0", {"number": len(broken), kind: total}, broken)


def length_figures(title: str, paths: Sequence[Path]) -> list[Figure]:
    """Return the figures of the functions and of the files of *paths*."""
    sizes = [
        (length(node), f"{name(path)}:{node.lineno}: {node.name}") for path in paths for node in functions(read(path))
    ]
    lines = [size for size, _ in sizes]
    counts = {"median": percentile(lines, 50), "90th": percentile(lines, 90), "longest": max(lines, default=0)}
    long_functions = [f"{place} ({size} lines)" for size, place in sizes if size > FUNCTION_LINES]
    files = sorted((len(read(path).splitlines()), name(path)) for path in paths)
    long_files = [f"{path} ({size} lines)" for size, path in files if size > FILE_LINES]
    longest_size, longest_file = files[-1] if files else (0, "none")
    return [
        Figure(f"function length, {title}", f"8 / 25 / {FUNCTION_LINES}", dict(counts), long_functions),
        Figure(f"longest file, {title}", str(FILE_LINES), {"lines": longest_size, "path": longest_file}, long_files),
    ]


def rule_figures(modules: Sequence[Path], texts: Sequence[Path]) -> list[Figure]:
    """Return the number of places that break a rule of docstrings, lines or decisions."""
    opened = (place for path in modules for place in places(path, openings(read(path))))
    docs = [path for path in texts if path.parent.name == "docs"]
    wide = (place for path in docs for place in places(path, long_lines(read(path))))
    decisions = [path for path in docs if path.stem == "decisions"]
    tall = (place for path in decisions for place in places(path, long_decisions(read(path))))
    totals = (
        sum(len(docstrings(read(path))) for path in modules),
        sum(len(outside_fences(read(path))) for path in docs),
        sum(read(path).count("\n## ") for path in decisions),
    )
    return [
        place_figure("docstrings that begin with a question word", opened, "docstrings", totals[0]),
        place_figure(f"lines of docs over {DOC_COLUMNS} characters", wide, "lines", totals[1]),
        place_figure(f"decisions over {DECISION_LINES} lines", tall, "decisions", totals[2]),
    ]


def module_figure(paths: Sequence[Path]) -> Figure:
    """Return the number of modules in each folder of the source."""
    modules = (path for path in paths if path.name not in {"__init__.py", "__main__.py"})
    sizes = Counter(name(path.parent) for path in modules)
    exempt = sizes.pop(ONE_MODULE_A_COMMAND, 0)
    over = [f"{folder} ({size})" for folder, size in sizes.most_common() if size > MODULES]
    counts: dict[str, int | float | str] = {
        "most": max(sizes.values(), default=0),
        f"over {MODULES}": ", ".join(over) or "none",
        f"{ONE_MODULE_A_COMMAND} (exempt)": exempt,
    }
    return Figure("modules in a folder, source", f"at most {MODULES}", counts, over)


def class_figure(paths: Sequence[Path]) -> Figure:
    """Return the number of classes with too many methods, and of all classes of the source."""
    classes = [(path, title, size) for path in paths for title, size in methods(read(path)).items()]
    large = [(path, title, size) for path, title, size in classes if size > METHODS]
    counts: dict[str, int | float | str] = {
        "number": len(large),
        "classes": len(classes),
        "names": ", ".join(f"{title} ({size})" for _, title, size in large) or "none",
    }
    marked = [f"{name(path)}: {title} ({size} methods)" for path, title, size in large]
    return Figure(f"classes with over {METHODS} methods, source", "1 in 20", counts, marked)


def suite_figures(source: Sequence[Path], tests: Sequence[Path]) -> list[Figure]:
    """Return the size of the tests beside the source, and the percentage of tests with a docstring."""
    own, others = (sum(code_lines(read(path)) for path in paths) for paths in (tests, source))
    named = [(path, node) for path in tests for node in functions(read(path)) if node.name.startswith("test")]
    bare = [f"{name(path)}:{node.lineno}: {node.name}" for path, node in named if not ast.get_docstring(node)]
    percent = round(100 * (len(named) - len(bare)) / max(1, len(named)), 1)
    ratio = round(own / max(1, others), 2)
    return [
        Figure("tests to source, lines", "1.2 to 1.5", {"ratio": ratio, "tests": own, "source": others}, []),
        Figure("tests with a docstring", "100 %", {"percent": percent, "tests": len(named)}, bare),
    ]


def figures(below: Sequence[Path] = (ROOT,)) -> list[Figure]:
    """Return all figures, counted over the files in the folders *below* or equal to one of them."""

    def limited(paths: Iterable[Path]) -> list[Path]:
        return [path for path in paths if any(path.is_relative_to(folder) for folder in below)]

    source, tests, texts = limited(python_files(*SOURCE)), limited(python_files("tests")), limited(documents())
    commented = {folder: limited(commented_files(folder)) for folder in FOLDERS}
    together = [path for paths in commented.values() for path in paths]
    return [
        *length_figures("source", source),
        *length_figures("tests", tests),
        *(word_figure(folder, paths) for folder, paths in commented.items()),
        word_figure("source together", source),
        word_figure("code together", together),
        *(word_figure(name(path), [path]) for path in texts),
        word_figure("docs together", texts),
        *rule_figures([path for path in together if path.suffix == ".py"], texts),
        module_figure(source),
        class_figure(source),
        *suite_figures(source, tests),
    ]


def table(rows: Sequence[Figure], *, listed: bool) -> Iterator[str]:
    """Yield the lines of the table; with *listed*, the places of each figure follow it."""
    width = max((len(row.name) for row in rows), default=0)
    limits = max((len(row.limit) for row in rows), default=0)
    yield f"{'figure':{width}}  {'house':{limits}}  now"
    for row in rows:
        counts = ", ".join(f"{title} {count}" for title, count in row.counts.items())
        yield f"{row.name:{width}}  {row.limit:{limits}}  {counts}"
        # The totals repeat the places of the folders and files before them.
        if listed and not row.name.endswith("together"):
            yield from (f"    {place}" for place in row.places)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures, as a table or as JSON."""
    example = "example:\n  .venv/bin/python scripts/house_figures.py --list docs projections/tracks/custody.py"
    parser = ArgumentParser(description=__doc__, epilog=example, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar="FOLDER", nargs="*", help="count only these folders or files")
    parser.add_argument("--list", action="store_true", help="print the place of each thing that a person could mend")
    parser.add_argument("--json", action="store_true", help="print JSON; the places are in it with --list")
    options = parser.parse_args(arguments)
    below = [Path(folder).resolve() for folder in options.folders] or [ROOT]
    for folder, path in zip(options.folders, below, strict=False):
        if not (path.exists() and path.is_relative_to(ROOT)):
            parser.error(f"{folder} is not in the project (want a folder or file such as docs or services/cli)")
    # A figure that is 0 for these folders is left out.
    rows = [row for row in figures(below) if any(count not in {0, "none"} for count in row.counts.values())]
    if options.json:
        shown = [row._asdict() if options.list else {**row._asdict(), "places": len(row.places)} for row in rows]
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        print("\n".join(table(rows, listed=options.list)))


if __name__ == "__main__":
    main()
