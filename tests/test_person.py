"""One person in full: what stands there, on what it rests, and at which instant."""

import re
from pathlib import Path

import pytest

from tests.reading import ask, known
from tests.stories import corrected, detained


def test_what_was_corrected_names_the_source_of_the_correction(tmp_path: Path) -> None:
    """The article alone does not say what stands there: it said another day."""
    first = detained("2022-03-27", sources=[{"title": "Article"}])
    known(tmp_path, first, corrected(first, occurred="2022-03-26", id="later"))
    shown = ask("status a", tmp_path).stdout

    assert "detained, since 2022-03-26\n" in shown
    assert "    source: “Article”\n    as corrected, published 2022-05-01, fact later\n" in shown
    assert "    source of the correction: “Decree”\n" in shown


def test_a_correction_that_was_corrected_names_both(tmp_path: Path) -> None:
    """What stands there is what the second says, on a way that leads through the first."""
    first = detained("2022-03-27")
    once = corrected(first, occurred="2022-03-26", id="once")
    twice = corrected(once, "2022-06-01", id="twice", data=first["data"] | {"occurred": "2022-03-25"})
    known(tmp_path, first, once, twice)
    shown = ask("status a", tmp_path).stdout

    assert "detained, since 2022-03-25\n" in shown
    assert re.search("as corrected, published 2022-05-01, fact once\n.*\n.*published 2022-06-01, fact twice\n", shown)


@pytest.mark.parametrize("command", ["status a", "history a"])
def test_a_view_at_an_instant_says_so(tmp_path: Path, command: str) -> None:
    """Quoted without it, a word of then would be one of today; and today's needs none."""
    known(tmp_path, detained("2022-03-27"))
    then = ask(f"{command} --as-of 2022-03-01 --known-at 2022-05-01", tmp_path).stdout

    assert "  The world as of 2022-03-02T00:00:00Z. What was known at 2022-05-02T00:00:00Z.\n" in then
    assert "The world" not in ask(command, tmp_path).stdout
