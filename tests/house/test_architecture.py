"""The house keeps its shape: what imports what, what the deciding parts may use, how long things get."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.places import ROOT

HOUSE = ("events", "projections", "services")  # each may import itself and those before it
AROUND = ("alembic", "benchmarks", "scripts", "tests")

# A folder may import itself and the folders before it in its list. The modules beside the folders stand first.
FOLDERS = {
    "projections": (
        *("history", "tracks", "subjects", "rules", "alerts", "ledger"),
        *("tables", "queries", "projector"),
    ),
    "services": ("runtime", "log", "publish", "delivery", "operate", "words", "workers", "cli"),
}
PURE = ("events", *(f"projections/{name}" for name in FOLDERS["projections"][:6]))
READING = {"projections/rules/rulebook.py"}  # the one pure module that reads files: those of rules

NOT_FOR_CONCLUSIONS = {"kafka", "logging", "structlog"}
NOT_PURE = NOT_FOR_CONCLUSIONS | {
    *("random", "secrets", "time"),
    *("http", "socket", "ssl", "subprocess", "urllib"),
    *("alembic", "psycopg", "sqlalchemy", "sqlite3"),
}
IMPURE_NAMES = {"getenv", "now", "today", "urandom", "utcnow", "uuid1", "uuid4"}
READING_NAMES = {"open", "read_bytes", "read_text"}

FILE_LINES = 400
FOLDER_MODULES = 15
FUNCTION_LINES = 50

type_of_function = (ast.FunctionDef, ast.AsyncFunctionDef)


def sources(*folders: str) -> list[Path]:
    """The Python files of *folders*, written by hand; migrations, which are lists of tables, are not counted."""
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if path.parent.name != "versions"]


def each(paths: Iterable[Path]) -> pytest.MarkDecorator:
    """Parametrise a test by *paths*, named as a reader would type them."""
    return pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths])


@cache
def tree(path: Path) -> ast.Module:
    """The file, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """The dotted name of everything *path* imports, wherever in the file."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(level=level, module=module, names=names):
                package = path.relative_to(ROOT).parts[:-level] if level else ()
                stem = [*package, *([module] if module else [])]
                yield from (".".join([*stem, alias.name]) for alias in names)
            case _:
                pass


def top(names: Iterable[str]) -> set[str]:
    """The first part of each dotted name."""
    return {name.partition(".")[0] for name in names}


def names_used(path: Path) -> set[str]:
    """Every attribute *path* takes, every function it calls by name and every name it imports."""
    nodes = list(ast.walk(tree(path)))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return attributes | called | {name.rpartition(".")[2] for name in imports(path)}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method in *path*, inner ones too."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, type_of_function))


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of *function* without its docstring, which may be as long as the promise needs."""
    first = function.body[0]
    promised = isinstance(first, ast.Expr) and ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if promised else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def pure() -> list[Path]:
    """The modules of the pure folders, which are functions of their arguments."""
    return sources(*PURE)


def module_name(path: Path) -> str:
    """The dotted name of the module at *path*."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path) -> set[str]:
    """The modules of the house that *path* imports, deferred imports included."""
    known = modules()
    found = set()
    for name in imports(path):
        module = name if name in known else name.rpartition(".")[0]
        if module in known and module != module_name(path):
            found.add(module)
    return found


@cache
def modules() -> dict[str, Path]:
    """Every module of the house, by its dotted name."""
    return {module_name(path): path for path in sources(*HOUSE)}


def height(module: str) -> int:
    """The place of the folder of *module* in the order of its package; -1 for the modules beside the folders."""
    package, _, below = module.partition(".")
    folders, folder = FOLDERS.get(package, ()), below.partition(".")[0]
    return folders.index(folder) if folder in folders else -1


def hand_written() -> list[Path]:
    """Every text file of the project, outside of what tools keep beside it."""
    top_level = [path for path in ROOT.iterdir() if path.is_file() and path.suffix not in {".db", ".db-shm", ".db-wal"}]
    folders = [*HOUSE, *AROUND, ".ci", "docs", "examples", "requirements"]
    below = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in top_level + below if "__pycache__" not in path.parts and path.name != ".env")


@each(sources(*HOUSE))
def test_imports_run_one_way(path: Path) -> None:
    """From services to projections to events, so that what happened never depends on what we make of it."""
    own = path.relative_to(ROOT).parts[0]
    allowed = set(HOUSE[: HOUSE.index(own) + 1])

    assert top(imports(path)) & {*HOUSE, *AROUND} - {"alembic"} <= allowed


@each(sources("projections", "services"))
def test_folders_import_one_way(path: Path) -> None:
    """A folder imports only itself and the folders named before it, deferred imports included."""
    own = module_name(path)
    package = own.partition(".")[0]
    above = {
        name for name in imported_modules(path) if name.partition(".")[0] == package and height(name) > height(own)
    }

    assert above == set()


def test_no_modules_import_one_another_in_a_circle() -> None:
    """A circle has no first module to read, and its imports fail or not by the order in which they happen."""
    left = {name: imported_modules(path) for name, path in modules().items() if path.stem != "__init__"}
    while free := {name for name, wanted in left.items() if not wanted & left.keys()}:
        left = {name: wanted for name, wanted in left.items() if name not in free}

    assert left == {}


@pytest.mark.parametrize("package", FOLDERS)
def test_every_folder_has_its_place_in_the_order(package: str) -> None:
    """A folder that the list does not name could import anything."""
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}

    assert folders == set(FOLDERS[package])


def test_no_folder_has_more_modules_than_a_reader_can_hold() -> None:
    """Fifteen modules a folder; services/cli/ has one for each command."""
    folders = Counter(
        str(path.parent.relative_to(ROOT)) for path in sources(*HOUSE) if path.stem not in {"__init__", "__main__"}
    )
    del folders["services/cli"]

    assert {folder: number for folder, number in folders.items() if number > FOLDER_MODULES} == {}


@each(pure())
def test_pure_folders_are_functions_of_their_arguments(path: Path) -> None:
    """No clock, no randomness, no SQL, no network, no logging: the same facts conclude the same in every replay."""
    may_read = READING_NAMES if path.relative_to(ROOT).as_posix() in READING else set()

    assert top(imports(path)) & NOT_PURE == set()
    assert names_used(path) & ((IMPURE_NAMES | READING_NAMES) - may_read) == set()


@each(sources("events", "projections"))
def test_only_services_log_and_talk_to_kafka(path: Path) -> None:
    """The projector too stays silent: what it has to say, it returns."""
    assert top(imports(path)) & NOT_FOR_CONCLUSIONS == set()


@each(sources("tests"))
def test_every_test_says_what_it_promises(path: Path) -> None:
    """A test without a sentence is a test nobody can judge."""
    tests = [function for function in functions(path) if function.name.startswith("test")]

    assert [test.name for test in tests if not ast.get_docstring(test)] == []


@each(sources(*HOUSE, *AROUND))
def test_files_and_functions_stay_short(path: Path) -> None:
    """What does not fit in one look is split before it grows."""
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= FILE_LINES
    assert {f.name: length(f) for f in functions(path) if length(f) > FUNCTION_LINES} == {}


def test_nothing_names_a_place_on_one_machine() -> None:
    """A path from somebody's own machine works nowhere else."""
    places = [f"/{folder}/" for folder in ("work", "tmp", "home", "root")]
    texts = {path.relative_to(ROOT): path.read_text(encoding="utf-8", errors="replace") for path in hand_written()}

    assert [(str(path), place) for path, text in texts.items() for place in places if place in text] == []


def test_the_locks_name_no_address() -> None:
    """Where packages come from is the business of the machine that installs them; what they are is ours."""
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    lines = [line for lock in locks for line in lock.read_text("utf-8").splitlines()]

    assert [lock.stem for lock in locks] == ["build", "runtime", "test"]
    assert [line for line in lines if "://" in line or line.startswith("-")] == []


def test_the_folder_of_migrations_is_no_package() -> None:
    """An __init__.py there would hide the library of the same name."""
    assert (ROOT / "alembic" / "env.py").exists()
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_the_rules_above_look_at_something() -> None:
    """Each package of the house has modules, and the pure ones are among them."""
    looked_at = {path.relative_to(ROOT).as_posix() for path in pure()}

    assert all(sources(folder) for folder in (*HOUSE, *PURE))
    assert {"events/edtf.py", "projections/tracks/posts.py", "projections/subjects/status.py"} <= looked_at
    assert "projections/tables/schema.py" not in looked_at
    assert "projections.history.history" in imported_modules(ROOT / "projections" / "rules" / "evaluate.py")
