"""Plain English: the counts of the house rules, checked for code and docs."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from scripts import house_figures
from scripts.house_figures import FOLDERS, WORDS_PER_THOUSAND, Passage
from tests.support.places import ROOT, each_path

MODULE = '''\
"""
What a module is for.

Says who calls ``what`` and `who`.
"""

# The person who reads; `whom` is code.
NUMBER = "what # who"  # whose
"""Whoever stands alone."""


class Larger:
    """A class."""

    def method(self) -> None:
        """Which one."""

    @property
    def size(self) -> int:
        # Inside.
        return 1
'''
DOCUMENT = """\
# Who decides

A person who reads `what` they need, and ``who `whose` it
is``. See [the rules](docs/what.md).

```sh
what who # whom
~~~
```

| whoever | somewhatever |
"""


def passages(paths: Iterable[Path]) -> list[Passage]:
    """Return the prose of *paths*."""
    return [passage for path in paths for passage in house_figures.prose(path)]


def code() -> list[Path]:
    """Return the files of all folders of code that have docstrings or comments."""
    return [path for folder in FOLDERS for path in house_figures.commented_files(folder)]


@each_path(house_figures.python_files(*FOLDERS))
def test_no_docstring_begins_with_a_question_word(path: Path) -> None:
    """A docstring begins with a verb in the imperative or with a noun."""
    begun = house_figures.openings(house_figures.read(path))

    assert [] == house_figures.places(path, begun)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_docstrings_and_comments_of_a_folder_are_plain(folder: str) -> None:
    """
    The limit of the house rules holds for each folder.

    ``scripts/house_figures.py --list FOLDER`` lists the words.
    """
    texts = passages(house_figures.commented_files(folder))
    rate = house_figures.per_thousand(texts)

    assert rate < WORDS_PER_THOUSAND


def test_the_docstrings_and_comments_of_the_project_are_plain() -> None:
    """The limit of the house rules holds for all code together."""
    rate = house_figures.per_thousand(passages(code()))

    assert rate < WORDS_PER_THOUSAND


def test_the_docs_are_plain() -> None:
    """The limit of the house rules holds for the docs, the README and the changelog together."""
    rate = house_figures.per_thousand(passages(house_figures.documents()))

    assert rate < WORDS_PER_THOUSAND


@each_path(sorted((ROOT / "docs").glob("*.md")))
def test_no_line_of_the_docs_is_too_long(path: Path) -> None:
    """A line of the docs has at most 120 characters, except in tables and in fenced code."""
    long = house_figures.long_lines(house_figures.read(path))

    assert [] == house_figures.places(path, long)


def test_a_decision_has_at_most_ten_lines() -> None:
    """A decision, its reason and the rejected alternatives fit in ten lines."""
    path = ROOT / "docs" / "decisions.md"
    long = house_figures.long_decisions(house_figures.read(path))

    assert [] == house_figures.places(path, long)


def test_the_words_of_a_module_are_counted() -> None:
    """Docstrings and comments are counted; code in backquotes, strings and statements are not."""
    texts = sorted(house_figures.docstrings(MODULE) + house_figures.comments(MODULE))

    assert [2, 4, 7, 8, 9] == [line for line, _ in house_figures.counted_words(texts)]
    assert 5 + 4 + 6 + 1 + 3 + 2 + 2 + 1 == house_figures.word_count(texts)
    assert 1000 * 5 / 24 == house_figures.per_thousand(texts)


def test_the_words_of_a_document_are_counted() -> None:
    """Headings and tables are counted; fenced code, code in backquotes and the targets of links are not."""
    texts = house_figures.paragraphs(DOCUMENT)

    assert [1, 3, 11] == [line for line, _ in house_figures.counted_words(texts)]
    assert 2 + 7 + 3 + 2 == house_figures.word_count(texts)


def test_the_words_of_a_script_are_counted() -> None:
    """A comment of a shell script is counted; its first line and its commands are not."""
    script = "#!/bin/sh\n# Someone who reads.\necho who # what\n"

    assert [(2, "Someone who reads."), (3, "what")] == house_figures.hash_comments(script)


def test_every_counted_word_counts_once() -> None:
    """Upper case and a short form are counted; a longer word that contains a counted word is not."""
    text = "What who whoever WHOSE whom, who's. Whatever somewhat whole."

    assert [(3, text)] * 6 == house_figures.counted_words([Passage(3, text)])
    assert house_figures.per_thousand([]) == 0


def test_a_question_word_at_the_beginning_is_found() -> None:
    """Only the first word of a docstring counts, on whichever line it stands."""
    assert [1, 16] == [line for line, _ in house_figures.openings(MODULE)]
    assert [] == house_figures.openings('"""Whatever how."""')


@pytest.mark.parametrize("word", ["How", "What", "Who", "Whose", "Which", "Why"])
def test_each_question_word_is_found(word: str) -> None:
    """Each of the six words is found at the beginning of a docstring."""
    assert [(1, f"{word} it is.")] == house_figures.openings(f'"""{word} it is."""')


def test_a_long_line_is_found() -> None:
    """A line may have 120 characters; a table and fenced code may have more."""
    line = "x" * 120
    text = f"{line}\n{line}y\n|{line}\n```\n{line}y\n```\n{line}z\n"

    assert [2, 7] == [number for number, _ in house_figures.long_lines(text)]


def test_a_long_decision_is_found() -> None:
    """A decision may have ten lines; empty lines and the heading are not counted."""
    ten, eleven = "line\n\n" * 10, "line\n" * 11
    text = f"# Decisions\n\n{eleven}\n## Short\n\n{ten}\n## Long\n\n{eleven}"

    assert ["Long"] == [heading for _, heading in house_figures.long_decisions(text)]


def test_the_shape_of_a_module_is_counted() -> None:
    """Properties count as methods, a docstring is not part of its function, and a comment is not a line of code."""
    assert {"Larger": 2} == house_figures.methods(MODULE)
    assert [1, 3] == [house_figures.length(node) for node in house_figures.functions(MODULE)]
    assert 5 - 1 + 2 + 2 + 2 + 3 == house_figures.code_lines(MODULE)
    assert (5, 9, 0) == (
        house_figures.percentile(range(1, 11), 50),
        house_figures.percentile(range(1, 11), 90),
        house_figures.percentile([], 90),
    )


def test_the_rules_above_look_at_something() -> None:
    """The rules above check something: each folder has words to count, and so have the docs."""
    assert all(house_figures.word_count(passages(house_figures.commented_files(folder))) for folder in FOLDERS)
    assert {"docs/decisions.md", "README.md"} <= {house_figures.name(path) for path in house_figures.documents()}


def test_the_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The script prints one row for each figure, and on request each place that needs a change."""
    house_figures.main(["--list", str(ROOT / "docs" / "decisions.md"), str(ROOT / "alembic")])

    printed = capsys.readouterr().out
    assert "what/who words, docs/decisions.md" in printed
    assert "what/who words, alembic" in printed
    assert "what/who words, tests" not in printed
