"""Years before 1000 have four digits, as ISO 8601 requires, in every table and sentence."""

import re
from pathlib import Path

import pytest

from services.words.terms import span
from tests.support.builders import appointed, described, dismissed
from tests.support.reading import ask, database_with

YEARS = ("0001", "0074", "0988")


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("-01-01T00:00:00Z", "-01-02T00:00:00Z", "{0}-01-01"),
        ("-03-01T00:00:00Z", "-04-01T00:00:00Z", "{0}-03"),
        ("-03-01T00:00:00Z", "-06-01T00:00:00Z", "{0}-03-01/{0}-05-31"),
        ("-03-01T10:05:00Z", "-03-01T11:00:00Z", "{0}-03-01T10:05Z/{0}-03-01T11:00Z"),
        (None, "-06-01T00:00:00Z", "../{0}-05-31"),
        ("-06-01T00:00:00Z", None, "{0}-06-01/.."),
    ],
)
def test_a_span_of_an_early_year_is_padded(year: str, start: str | None, end: str | None, said: str) -> None:
    """Python's %Y is padded on other systems, and not on Linux."""
    assert said.format(year) == span(start and f"{year}{start}", end and f"{year}{end}")


@pytest.mark.parametrize("year", YEARS)
def test_no_answer_has_a_shorter_year(tmp_path: Path, year: str) -> None:
    """Office holders of that time."""
    first = appointed(f"{year}-03-01", published="2022")
    database_with(tmp_path, described("2022", name="Ann"), first, dismissed(f"{year}-03/{year}-05", published="2022"))
    for command in ("status", "status a", "history a", "history a --format markdown", "alerts --all"):
        shown = ask(command, tmp_path).stdout

        assert year in shown or "alerts" in command, command
        assert [] == re.findall(r"(?<![0-9-])[0-9]{1,3}-[0-9]{2}(?:-[0-9]{2})?\b", shown)
