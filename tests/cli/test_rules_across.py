"""`casetrail rules` with rules across people: they are checked, listed and shown like the others."""

from pathlib import Path

from tests.across.test_rulefiles import COUNT, OF
from tests.support.commands import run
from tests.support.reading import answer

EVERY = COUNT + OF.partition("\n")[2]


def test_they_are_listed_and_shown(tmp_path: Path) -> None:
    """The list has the pattern in short, and `show` the definition."""
    (tmp_path / "mine.yaml").write_text(EVERY, "utf-8")
    count, of = answer("rules list", tmp_path, CASETRAIL_RULES="mine.yaml")
    shown = answer("rules show relatives", tmp_path, CASETRAIL_RULES="mine.yaml")

    assert count["pattern"] == "3 people of one agency: Arrested or Detained within 90 days (certain)"
    assert of["pattern"] == (
        "Arrested or Detained, then Arrested or Detained or Wanted of the child or parent or relative or sibling or"
        " spouse within 180 days (certain)"
    )
    assert shown["definition"]["of"] == ["child", "parent", "relative", "sibling", "spouse"]


def test_they_are_checked(tmp_path: Path) -> None:
    """A right file has no problem, and a wrong one is refused."""
    (tmp_path / "mine.yaml").write_text(EVERY, "utf-8")
    (tmp_path / "wrong.yaml").write_text(COUNT.replace("at_least: 3", "at_least: 1"), "utf-8")

    assert run("rules check mine.yaml", tmp_path).returncode == 0
    assert run("rules check wrong.yaml", tmp_path).returncode == 1
