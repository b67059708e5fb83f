"""The structure of the code: imports, pure folders, and limits of length."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from scripts.house_figures import FILE_LINES, FUNCTION_LINES, MODULES, functions, length, python_files, read
from tests.support.places import ROOT, each_path

HOUSE = ("events", "projections", "services")  # each may import itself and the packages before it
AROUND = ("alembic", "benchmarks", "scripts", "tests")

# A folder may import itself and the folders before it in its list. The modules beside the folders stand first.
FOLDERS = {
    "projections": (
        *("history", "tracks", "subjects", "rules", "alerts", "across", "ledger"),
        *("tables", "queries", "correlator", "projector"),
    ),
    "services": ("runtime", "log", "publish", "words", "delivery", "operate", "workers", "cli"),
}
PURE = ("events", *(f"projections/{name}" for name in FOLDERS["projections"][:7]))
READING = {"projections/rules/files/loading.py"}  # the only pure module that reads files: rule files

NOT_FOR_CONCLUSIONS = {"kafka", "logging", "structlog"}
NOT_PURE = NOT_FOR_CONCLUSIONS | {
    *("random", "secrets", "time"),
    *("http", "socket", "ssl", "subprocess", "urllib"),
    *("alembic", "psycopg", "sqlalchemy", "sqlite3"),
}
IMPURE_NAMES = {"getenv", "now", "today", "urandom", "utcnow", "uuid1", "uuid4"}
READING_NAMES = {"open", "read_bytes", "read_text"}


@cache
def tree(path: Path) -> ast.Module:
    """Return the parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of every import of *path*, anywhere in the file."""
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
    """Return the first part of each dotted name."""
    return {name.partition(".")[0] for name in names}


def names_used(path: Path) -> set[str]:
    """Return every attribute that *path* uses, every function that it calls by name, and every name that it imports."""
    nodes = list(ast.walk(tree(path)))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return attributes | called | {name.rpartition(".")[2] for name in imports(path)}


def pure() -> list[Path]:
    """Return the modules of the pure folders."""
    return python_files(*PURE)


def module_name(path: Path) -> str:
    """Return the dotted name of the module at *path*."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path) -> set[str]:
    """Return the modules of the project that *path* imports, deferred imports included."""
    own_modules = modules()
    result = set()
    for name in imports(path):
        module = name if name in own_modules else name.rpartition(".")[0]
        if module in own_modules and module != module_name(path):
            result.add(module)
    return result


@cache
def modules() -> dict[str, Path]:
    """Return every module of the project, by its dotted name."""
    return {module_name(path): path for path in python_files(*HOUSE)}


def height(module: str) -> int:
    """Return the place of *module*'s folder in the order of its package; -1 for a module beside the folders."""
    package, _, below = module.partition(".")
    folders, folder = FOLDERS.get(package, ()), below.partition(".")[0]
    return folders.index(folder) if folder in folders else -1


def hand_written() -> list[Path]:
    """Return every text file of the project, without the files that tools write."""
    top_level = [path for path in ROOT.iterdir() if path.is_file() and path.suffix not in {".db", ".db-shm", ".db-wal"}]
    folders = [*HOUSE, *AROUND, ".ci", "docs", "examples", "requirements"]
    below = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in top_level + below if "__pycache__" not in path.parts and path.name != ".env")


@each_path(python_files(*HOUSE))
def test_imports_run_one_way(path: Path) -> None:
    """Imports run from services to projections to events, so that facts never depend on conclusions."""
    own = path.relative_to(ROOT).parts[0]
    allowed = set(HOUSE[: HOUSE.index(own) + 1])

    assert top(imports(path)) & {*HOUSE, *AROUND} - {"alembic"} <= allowed


@each_path(python_files("projections", "services"))
def test_folders_import_one_way(path: Path) -> None:
    """A folder imports only itself and the folders named before it, deferred imports included."""
    own = module_name(path)
    package = own.partition(".")[0]
    above = {
        name for name in imported_modules(path) if name.partition(".")[0] == package and height(name) > height(own)
    }

    assert above == set()


def test_no_modules_import_one_another_in_a_circle() -> None:
    """A circle of imports has no first module to read, and it may fail, depending on the first import."""
    left = {name: imported_modules(path) for name, path in modules().items() if path.stem != "__init__"}
    while free := {name for name, wanted in left.items() if not wanted & left.keys()}:
        left = {name: wanted for name, wanted in left.items() if name not in free}

    assert left == {}


@pytest.mark.parametrize("package", FOLDERS)
def test_every_folder_has_its_place_in_the_order(package: str) -> None:
    """Every folder has a place in the order, because a folder outside of the list could import anything."""
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}

    assert folders == set(FOLDERS[package])


def test_no_folder_has_more_modules_than_a_reader_can_hold() -> None:
    """A folder has at most fifteen modules; services/cli/ has one for each command."""
    folders = Counter(
        str(path.parent.relative_to(ROOT)) for path in python_files(*HOUSE) if path.stem not in {"__init__", "__main__"}
    )
    del folders["services/cli"]

    assert {folder: number for folder, number in folders.items() if number > MODULES} == {}


@each_path(pure())
def test_pure_folders_are_functions_of_their_arguments(path: Path) -> None:
    """Pure folders use no clock, randomness, SQL, network or logging, so that every replay concludes the same."""
    may_read = READING_NAMES if path.relative_to(ROOT).as_posix() in READING else set()

    assert top(imports(path)) & NOT_PURE == set()
    assert names_used(path) & ((IMPURE_NAMES | READING_NAMES) - may_read) == set()


@each_path(python_files("events", "projections"))
def test_only_services_log_and_talk_to_kafka(path: Path) -> None:
    """Only services log or use Kafka; a projector returns its findings."""
    assert top(imports(path)) & NOT_FOR_CONCLUSIONS == set()


@each_path(python_files("tests"))
def test_every_test_has_a_docstring(path: Path) -> None:
    """Every test has a docstring."""
    tests = [function for function in functions(read(path)) if function.name.startswith("test")]

    assert [test.name for test in tests if not ast.get_docstring(test)] == []


@each_path(python_files(*HOUSE, *AROUND))
def test_files_and_functions_stay_short(path: Path) -> None:
    """Files and functions stay within the limits of the house rules."""
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= FILE_LINES
    assert {f.name: length(f) for f in functions(read(path)) if length(f) > FUNCTION_LINES} == {}


def test_nothing_names_a_place_on_one_machine() -> None:
    """No file contains a path of one machine, which works nowhere else."""
    places = [f"/{folder}/" for folder in ("work", "tmp", "home", "root")]
    texts = {path.relative_to(ROOT): path.read_text(encoding="utf-8", errors="replace") for path in hand_written()}

    assert [(str(path), place) for path, text in texts.items() for place in places if place in text] == []


def test_the_locks_name_no_address() -> None:
    """The locks name packages and no registry, because the machine that installs them chooses the registry."""
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    lines = [line for lock in locks for line in lock.read_text("utf-8").splitlines()]

    assert [lock.stem for lock in locks] == ["build", "runtime", "test"]
    assert [line for line in lines if "://" in line or line.startswith("-")] == []


def test_the_folder_of_migrations_is_not_a_package() -> None:
    """The folder of migrations has no __init__.py, which would hide the library of the same name."""
    assert (ROOT / "alembic" / "env.py").exists()
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_the_rules_above_look_at_something() -> None:
    """The rules above check something: each package has modules, and the pure modules are among them."""
    looked_at = {path.relative_to(ROOT).as_posix() for path in pure()}

    assert all(python_files(folder) for folder in (*HOUSE, *PURE))
    assert {"events/edtf.py", "projections/tracks/posts.py", "projections/subjects/status.py"} <= looked_at
    assert "projections/tables/schema.py" not in looked_at
    assert "projections.history.history" in imported_modules(ROOT / "projections" / "rules" / "patterns" / "absence.py")


def asks_which_log(path: Path) -> bool:
    """Return whether *path* compares the setting `log`, or matches on it."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Compare(left=left, comparators=others):
                operands = [left, *others]
            case ast.Match(subject=subject):
                operands = [subject]
            case _:
                operands = []
        if any(isinstance(operand, ast.Attribute) and operand.attr == "log" for operand in operands):
            return True
    return False


def test_one_module_asks_which_log_is_in_use() -> None:
    """Every other module of the services calls services/log/open.py; the settings may check themselves."""
    asking = {path.relative_to(ROOT).as_posix() for path in python_files("services") if asks_which_log(path)}

    assert {"services/log/open.py"} == asking - {"services/settings.py"}


def uses_columns_of(path: Path, table: str) -> bool:
    """Return whether *path* takes a column of the variable *table*, as in ``ledger.c.seq``."""
    attributes = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute) and node.attr == "c")
    return any(isinstance(node.value, ast.Name) and node.value.id == table for node in attributes)


def test_one_place_reads_the_ledger() -> None:
    """Only projections/tables/ selects rows of the ledger; the writers of chains and of a copy add rows."""
    paths = [path for path in python_files("projections", "services") if "tables" not in path.parts]
    importing = {path.name for path in paths if "projections.tables.schema.ledger" in imports(path)}

    assert [] == [path.relative_to(ROOT).as_posix() for path in paths if uses_columns_of(path, "ledger")]
    assert {"partition_writer.py", "correlator.py", "ledger_backtest.py"} == importing
    assert uses_columns_of(ROOT / "projections" / "tables" / "ledger_rows.py", "ledger")
