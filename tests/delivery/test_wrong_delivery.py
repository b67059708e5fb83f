"""Ways to write `delivery.yaml` wrong: each with its message and its place, any damage, and never a secret."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.rules.files.yaml_source import YAML_WANTED, Problem
from services.delivery.config.loading import DeliveryError, load_delivery
from services.delivery.config.values import NAME_WANTED, OUTSIDE_WANTED, SECRET_WANTED
from services.values import WEB_WANTED
from tests.support.delivery import EXAMPLE, folder_with_list

WANTED_WORDS = {
    "YAML": YAML_WANTED, "SECRET": SECRET_WANTED, "OUTSIDE": OUTSIDE_WANTED, "NAME": NAME_WANTED, "URL": WEB_WANTED,
}  # fmt: skip
"""The wanted values for which the table has one word."""
NOISE = st.one_of(
    st.sampled_from(["\t", "\n", ": ", "- ", *"{}[]'\"#|>%@~,/", "&a ", "*a", "!!x ", "? ", "<<", "P1D", "${A}", "-"]),
    st.sampled_from(["\x00", "\x85", "\u2028", "\ufeff", "\ud7ff", "\U0001f600"]),
    st.text(max_size=3),
)
VALUES = ["", "x", "1", "true", "P1D", "::1", "http://x", "a@b", [], {}, ["x"], [[]], [{}], {"x": "y"}, {"to": "x"}]


class Case(NamedTuple):
    """A wrong file, as the table names it, its content, and each of its problems."""

    name: str
    content: str | bytes
    expected: list[str]


def _case(block: str) -> Case:
    """Read one case of the table, which says in its head how it is written."""
    name, *expected = block.splitlines()
    if name.startswith("file "):
        return Case(name, ast.literal_eval(name.removeprefix("file ")), expected)
    old, new = map(ast.literal_eval, name.split(" -> "))
    assert old in EXAMPLE
    return Case(name, EXAMPLE.replace(old, new, 1), expected)


_, _, *_BLOCKS = (Path(__file__).parent / "wrong_delivery.txt").read_text("utf-8").split("\n\n")
CASES = [_case(block) for block in _BLOCKS]


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Change to a folder with the watchlist, so that messages name files as a person would type them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder_with_list(tmp_path_factory.mktemp("delivery")))
        yield


def problems(content: str | bytes) -> list[Problem]:
    """Return the problems of a file with *content*, or none if it can be loaded."""
    file = Path("delivery.yaml")
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    try:
        load_delivery(file)
    except DeliveryError as error:
        return error.problems
    return []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:60])
def test_a_wrong_file_is_refused_with_its_place(case: Case) -> None:
    """Each mistake is named with its line, its column and the wanted value, and no other problem is reported."""
    expected = [
        re.sub(r"\(want ([A-Z]+)\)", lambda word: f"(want {WANTED_WORDS[word[1]]})", line) for line in case.expected
    ]

    assert expected == [str(problem).removeprefix("delivery.yaml:") for problem in problems(case.content)]


def test_there_are_at_least_a_hundred_ways() -> None:
    """The table covers the file, the receivers, their values, the routes and the watchlists."""
    assert len(CASES) >= 100
    assert len(CASES) == len({case.content for case in CASES})


def test_no_problem_repeats_a_secret() -> None:
    """In every case of the table in which a secret is in the file, the problems do not contain it."""
    cases = [case for case in CASES if "hunter2" in str(case.content)]

    assert len(cases) > 10
    assert not any("hunter2" in str(problem) for case in cases for problem in problems(case.content))


def test_all_problems_are_told_at_once() -> None:
    """A file with several mistakes is read to its end, and the text of the error has them in the order of lines."""
    content = EXAMPLE.replace("C0123", "alerts").replace("PT5M", "soon").replace("lists/", "list/")

    Path("delivery.yaml").write_text(content, "utf-8")
    with pytest.raises(DeliveryError) as refused:
        load_delivery(Path("delivery.yaml"))
    assert ["4:23", "12:11", "22:25"] == [
        line.split(": ")[0].partition(":")[2] for line in str(refused.value).split("\n")
    ]


def test_a_file_that_is_gone_or_too_large_is_told() -> None:
    """Both are problems of the first line."""
    with pytest.raises(DeliveryError, match=r"^gone\.yaml:1:1: not readable: No such file or directory \(want "):
        load_delivery(Path("gone.yaml"))
    assert [(1, 1, "the file is over 1 MB")] == [
        (problem.line, problem.column, problem.what) for problem in problems("#" * 1_000_001)
    ]


def places_are_inside(content: str) -> list[Problem]:
    """Check that each problem of *content* lies inside of it, fits a line and says what is wanted; return them."""
    lines = content.encode("utf-8", "replace").decode().split("\n")
    # PyYAML counts the other breaks of Unicode as lines too.
    last = len(lines) + sum(line.count(mark) for line in lines for mark in "\r\x85\u2028\u2029")
    longest = max(map(len, lines)) + 1
    found = problems(content)

    assert all(1 <= problem.line <= last and 1 <= problem.column <= longest for problem in found)
    assert all(problem.what and problem.wanted and str(problem).isprintable() for problem in found)
    return found


@settings(max_examples=150)
@given(data=st.data())
def test_any_damage_to_the_text_loads_or_has_a_place(data: st.DataObject) -> None:
    """Damage at any place of a valid file raises nothing but its problems."""
    text = EXAMPLE
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(NOISE) + text[at + data.draw(st.integers(0, 6)) :]

    places_are_inside(text)


def _everywhere(value: object, path: tuple[int | str, ...] = ()) -> list[tuple[int | str, ...]]:
    """Return the path to each value in *value*."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [deeper for step, held in inner for deeper in _everywhere(held, (*path, step))]


def _at(whole: Any, way: list[int | str]) -> Any:
    for step in way:
        whole = whole[step]
    return whole


def example() -> tuple[Any, list[tuple[int | str, ...]]]:
    """Return the example as values, and the path to each of them."""
    whole = yaml.load(EXAMPLE, Loader=yaml.BaseLoader)  # noqa: S506 - the loader without types
    return whole, _everywhere(whole)


@settings(max_examples=150)
@given(data=st.data())
def test_any_other_value_at_any_key_loads_or_has_a_place(data: st.DataObject) -> None:
    """A value of another kind at any depth, or one less, raises nothing but problems."""
    whole, paths = example()
    *way, last = data.draw(st.sampled_from(paths))
    held = _at(whole, way)
    if data.draw(st.booleans()):
        held[last] = data.draw(st.sampled_from(VALUES))
    else:
        del held[last]

    places_are_inside(json.dumps(whole, indent=1))


@pytest.mark.parametrize("path", example()[1], ids=lambda path: ".".join(map(str, path)))
def test_a_token_at_any_place_is_refused_and_not_repeated(path: tuple[int | str, ...]) -> None:
    """A token that stands as a value, in a list or as a key, where it never belongs, is in no problem."""
    *way, last = path
    for put in ("whsec_hunter2", ["whsec_hunter2"], {"whsec_hunter2": "x"}):
        whole, _ = example()
        _at(whole, way)[last] = put
        found = places_are_inside(json.dumps(whole, indent=1))

        assert found
        assert not any("hunter2" in str(problem) for problem in found)
