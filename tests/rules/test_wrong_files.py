"""Ways to be wrong: each with its message and its place, any damage inside the file, and nothing changed before."""

import ast
import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.rules.files import yaml_source
from projections.rules.files.loading import RulesError, load, load_written
from projections.rules.rulebook import Rulebook
from projections.rules.values import WANTED
from projections.tables.columns import METADATA
from projections.tables.database import open_database
from tests.projector.test_running_rule_tests import CHANGES
from tests.support.builders import rows
from tests.support.commands import fact_line, facts_file
from tests.support.reading import ask, database_with
from tests.support.rules import SEQUENCE, SILENCE

EXAMPLES = {"SEQUENCE": SEQUENCE, "SILENCE": SILENCE}
WANTED_WORDS = {"YAML": yaml_source.YAML_WANTED, "TIME": WANTED["for"], "TYPES": WANTED["on"], "ID": WANTED["id"]}
"""The wanted values for which the table has one word."""


class Case(NamedTuple):
    """A wrong file, as the table names it, its content, and each of its problems."""

    name: str
    content: str | bytes
    expected: list[str]


def _case(block: str) -> Case:
    """Read one case of the table, which says in its head how it is written."""
    name, *expected = block.splitlines()
    kind, _, rest = name.partition(" ")
    if kind == "file":
        return Case(name, ast.literal_eval(rest), expected)
    if kind == "after":
        return Case(name, SEQUENCE + ast.literal_eval(rest), expected)
    old, new = (ast.literal_eval(part) for part in rest.split(" -> "))
    assert old in EXAMPLES[kind]
    return Case(name, EXAMPLES[kind].replace(old, new, 1), expected)


_, *_BLOCKS = (Path(__file__).parent / "wrong_files.txt").read_text("utf-8").split("\n\n")[1:]
CASES = [_case(block) for block in _BLOCKS]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder, so that messages name files as a person would type them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(content: str | bytes) -> list[str]:
    """Return the problems of a file with *content*, without its name."""
    Path("r.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RulesError) as refused:
        load(Path("r.yaml"))
    return [str(problem).removeprefix("r.yaml:") for problem in refused.value.problems]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:60])
def test_a_wrong_file_is_refused_with_its_place(case: Case) -> None:
    """Each mistake is named with its line, its column and the wanted value, and no other problem is reported."""
    found = problems(case.content)

    assert len(case.expected) == len(found)
    for expected, problem in zip(case.expected, found, strict=True):
        whole = re.sub(r"\(want ([A-Z]+)\)", lambda word: f"(want {WANTED_WORDS[word[1]]})", expected)
        assert problem.startswith(whole.removesuffix("...")) if whole.endswith("...") else problem == whole


def test_an_id_in_two_files_is_one_too_many(folder: Path) -> None:
    """The second file is refused, and names the first place."""
    (folder / "a.yaml").write_text(SEQUENCE, "utf-8")
    (folder / "b.yaml").write_text(SEQUENCE + SEQUENCE.partition("\n")[2], "utf-8")

    with pytest.raises(RulesError) as refused:
        load(Path())
    assert [
        'b.yaml:2:9: "sequence" is the id of the rule at a.yaml:2:9 too (want another id)',
        'b.yaml:8:9: "sequence" is the id of the rule at a.yaml:2:9 too (want another id)',
    ] == [str(problem) for problem in refused.value.problems]


def test_a_folder_without_rules_and_a_file_that_is_gone_are_told(folder: Path) -> None:
    """Both are problems of the first line."""
    for path, words in ((Path("gone.yaml"), "No such file or directory"), (folder, "no rule file is in this folder")):
        with pytest.raises(RulesError, match=words) as refused:
            load(path)
        assert [(1, 1)] == [(problem.line, problem.column) for problem in refused.value.problems]


def test_there_are_at_least_sixty_ways() -> None:
    """The table covers the file, the keys, the durations and the conditions."""
    assert len(CASES) >= 60
    assert len(CASES) == len({case.content for case in CASES})


WHOLE = (SILENCE + CHANGES + SEQUENCE.partition("\n")[2]).replace(
    "    within",
    "    where: {anchor.ground: {not: [x, y]}, any: [{then.case_id: {same_as: anchor.case_id}}]}\n    within",
)
NOISE = st.one_of(
    st.sampled_from(
        ["\t", "\n", ": ", "- ", *"{}[]'\"#|>%@~", "&a ", "*a", "!!x ", "? ", "<<", "P1D", "{name}", "1e3"]
    ),
    st.sampled_from(["\x00", "\x85", "\u2028", "\ufeff", "\ud7ff", "\U0001f600"]),
    st.text(max_size=3),
)


def places_are_inside(content: bytes) -> None:
    """Check that *content* is a rulebook, or that each problem lies inside of it and says what is wanted."""
    file = Path("damaged.yaml")
    file.write_bytes(content)
    lines = content.decode("utf-8", "replace").split("\n")
    # PyYAML counts the other breaks of Unicode as lines too.
    last = len(lines) + sum(line.count(mark) for line in lines for mark in "\r\x85\u2028\u2029")
    longest = max(map(len, lines)) + 1
    book, found = Rulebook(()), []
    try:
        book = load_written(file).book
    except RulesError as error:
        found = error.problems

    assert bool(book.rules) != bool(found)
    assert book == Rulebook.from_json(book.as_json())
    assert all(1 <= problem.line <= last and 1 <= problem.column <= longest for problem in found)
    assert all(problem.what and problem.wanted for problem in found)


@settings(max_examples=150)
@given(data=st.data())
def test_any_damage_to_the_text_is_a_rulebook_or_has_a_place(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Damage at any place of a valid file, tests included, raises nothing but its problems."""
    text = WHOLE
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.getbasetemp())
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(text)))
            text = text[:at] + data.draw(NOISE) + text[at + data.draw(st.integers(0, 6)) :]
        places_are_inside(text.encode("utf-8", "replace"))


def _everywhere(value: object, path: tuple[int | str, ...] = ()) -> list[tuple[int | str, ...]]:
    """Return the path to each value in *value*."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [deeper for step, held in inner for deeper in _everywhere(held, (*path, step))]


@settings(max_examples=150)
@given(data=st.data())
def test_any_other_value_at_any_key_is_a_rulebook_or_has_a_place(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A value of another kind at any depth, a key more, or one less, raises nothing but problems."""
    whole = yaml.load(WHOLE, Loader=yaml.BaseLoader)  # noqa: S506 - the loader without types
    paths = _everywhere(whole)
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(paths))
        held = whole
        try:
            for step in way:
                held = held[step]
            if data.draw(st.booleans()):
                held[last] = data.draw(
                    st.sampled_from(
                        ["", "x", "1", "true", "2022-03-27", "P1D", [], {}, ["x"], [[]], [{}], {"x": "y"}, {"some": {}}]
                    )
                )
            else:
                del held[last]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.getbasetemp())
        places_are_inside(json.dumps(whole, indent=1).encode())


@pytest.mark.parametrize("command", ["project", "run", "rules list", "rules test", "backtest facts.ndjson"])
def test_nothing_changes_before_everything_is_right(folder: Path, command: str) -> None:
    """With a bad rule file no command that reads rules writes a row, although records wait to be projected."""
    database_with(folder).dispose()
    facts_file(folder, fact_line())
    assert 0 == ask("publish facts.ndjson", folder).returncode
    (folder / "bad.yaml").write_text(SEQUENCE + SILENCE.partition("\n")[2].replace("P90D", "P3M"), "utf-8")
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    before = {name: rows(engine, table) for name, table in METADATA.tables.items()}

    done = ask(command, folder, CASETRAIL_RULES="bad.yaml")

    assert before == {name: rows(engine, table) for name, table in METADATA.tables.items()}
    assert (2, True) == (done.returncode, "bad.yaml:13:10" in done.stderr)
    engine.dispose()
