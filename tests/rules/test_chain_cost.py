"""The cost of an anchor whose time is over, and of a hostile history."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.support.builders import accused, arrested, detained, history, investigated
from tests.support.chains import chain, rule, then

LATE = {"published": "2022-12-01", "recorded": "2022-12-01T00:00:00Z"}
STORY = (accused("2022-01-10"), investigated("2022-03-01"), arrested("2022-03-20"))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test."""
    monkeypatch.chdir(tmp_path)


def test_an_old_anchor_is_final() -> None:
    """Once no later fact can be in a certain chain, the anchor is asked no more."""
    read = chain()
    old = history(*STORY[:2], arrested("2022-06-01"))
    fresh = history(*STORY[:2])

    assert read.find(old.events[0], old).final
    assert not read.find(fresh.events[0], fresh).final


@pytest.mark.parametrize("shape", ["{0}/{1}", "{0}T10:00:00Z/{1}", "../{1}", "{0}~"])
@pytest.mark.parametrize("place", ["here", "nowhere"])
def test_hundreds_of_vague_facts(shape: str, place: str) -> None:
    """With 300 vague facts a search of five steps neither hangs nor misses the chain."""
    first = date(2021, 1, 1)
    lines = [accused("2021-01-05", **LATE)]
    for number in range(300):
        begin = first + timedelta(days=number * 7 % 140)
        end = begin + timedelta(days=1 + number * 11 % 60)
        occurred = shape.format(begin, end)
        lines.append(detained(occurred, case=f"c{number}", id=f"f{number}", place=f"place {number}", **LATE))
    lines.append(arrested("2021-05-20T00:00:00Z", place="here", **LATE))
    last = then("Arrested", 30, where={"then.place": place})
    (read,) = rule(*[then("Detained", 30)] * 4, last, certainty="possible").rules
    told = history(*lines)
    found = read.find(next(event for event in told.events if event.type == "Accused"), told)

    assert 302 == len(told.events)
    assert (5 if place == "here" else 0) == len(found.completing)
