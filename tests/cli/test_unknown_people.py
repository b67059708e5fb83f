"""Messages about an id that no person has, beside an empty answer."""

from pathlib import Path

import pytest

from tests.support.builders import described, dismissed
from tests.support.commands import SECONDS, start
from tests.support.reading import ask, database_with

PEOPLE = (described("2022-01-01", subject="kz-kudebaev", name="Serik"), dismissed("2022-03-27", subject="kz-other"))


@pytest.mark.parametrize("options", ["", "--json", "--all", "--known-at 2023"])
def test_alerts_say_if_nobody_has_that_id(tmp_path: Path, options: str) -> None:
    """Similar ids are named, as in `status`. The answer itself is empty."""
    database_with(tmp_path, *PEOPLE).dispose()
    done = ask(f"alerts --subject kz-kudebaew {options}", tmp_path)

    assert 0 == done.returncode
    assert "casetrail: kz-kudebaew is not known" in done.stderr
    assert "(similar ids: kz-kudebaev)" in done.stderr
    assert "--json" not in options or "[]\n" == done.stdout


def test_of_somebody_who_is_known_that_is_not_said(tmp_path: Path) -> None:
    """An empty list is an answer about a known person."""
    database_with(tmp_path, *PEOPLE).dispose()
    done = ask("alerts --subject kz-kudebaev", tmp_path)

    assert (0, "") == (done.returncode, done.stdout)
    assert "not known" not in done.stderr


def test_somebody_who_was_not_known_yet_was_not_mistyped(tmp_path: Path) -> None:
    """At an instant before the first fact, no similar ids are named."""
    database_with(tmp_path, *PEOPLE).dispose()
    done = ask("alerts --subject kz-kudebaev --known-at 2021", tmp_path)

    assert "casetrail: kz-kudebaev is not known at that instant\n" in done.stderr


def test_an_id_from_outside_is_safe_to_print(tmp_path: Path) -> None:
    """The id may come from a script."""
    database_with(tmp_path, *PEOPLE).dispose()

    assert "\\x1b[31m is not known" in ask(["alerts", "--subject", "\x1b[31m"], tmp_path).stderr


def test_a_follower_is_told_too_and_goes_on(tmp_path: Path) -> None:
    """The first fact about that person may come later."""
    database_with(tmp_path, *PEOPLE).dispose()
    with start("alerts --follow --subject kz-kudebaew", tmp_path) as follower:
        assert "kz-kudebaew is not known" in follower.stderr.readline().decode()
        assert "following from cursor" in follower.stderr.readline().decode()
        follower.process.terminate()

        assert 0 == follower.process.wait(SECONDS)
