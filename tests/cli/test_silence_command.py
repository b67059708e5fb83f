"""`casetrail silence`: silences are added, listed and ended."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import described, dismissed
from tests.support.reading import answer, ask, database_with

RULE = "dismissed-without-follow-up"
DAY = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
PAST = "2022-01-01"
BY = ["--by", "ann", "--why", "reported on"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database in which one person, of the police, was dismissed."""
    person = described("2022-01-01", subject="silent", name="Sam", agency="Police of Almaty")
    database_with(tmp_path, person, dismissed("2022-03-27", subject="silent"), passed="2022-08-01").dispose()
    return tmp_path


def added(folder: Path, *words: str, **env: str) -> dict[str, Any]:
    """Add a silence and return it."""
    silence = answer(["silence", "add", *words, *BY], folder, **env)
    assert isinstance(silence, dict)
    return silence


def test_a_silence_is_added_listed_and_ended(folder: Path) -> None:
    """A silence has its scope, end, author and reason, and is listed until it is over."""
    silence = added(folder, "--rule", RULE, "--subject", "silent", "--until", DAY)
    before = answer("silence list", folder)
    done = ask(f"silence end {silence['silence_id'][:8]} --by kim --why known", folder)
    again = ask(f"silence end {silence['silence_id'][:8]} --by kim --why known", folder)
    (after,) = answer("silence list --all", folder)

    assert {"rule": RULE, "subject": "silent", "agency": None, "until": f"{DAY}T00:00:00Z", "by": "ann"}.items() <= (
        silence.items()
    )
    assert [silence] == before
    assert (0, 1) == (done.returncode, again.returncode)
    assert "is over already" in again.stderr
    assert ("kim", "known") == (after["ended"]["by"], after["ended"]["why"])
    assert [] == answer("silence list", folder)
    assert 0 == ask("audit verify", folder).returncode
    assert 0 == ask("rebuild --check", folder).returncode


def test_the_table_shows_scope_and_state(folder: Path) -> None:
    """The table names the scope, the reason, and the person that ended a silence."""
    ended = added(folder, "--agency", "Police of Almaty", "--until", DAY)["silence_id"]
    ask(f"silence end {ended} --by kim --why known", folder)
    added(folder, "--subject", "silent", "--until", DAY)
    active, every = ask("silence", folder).stdout, ask("silence --all", folder).stdout

    assert ("subject silent" in active, "agency Police" in active) == (True, False)
    assert all(words in every for words in ("agency Police of Almaty", "ended by kim", "holds", "reported on"))


def test_a_date_means_its_start_in_the_zone(folder: Path) -> None:
    """A date begins five hours before UTC in Almaty, and an instant is taken as it is."""
    ends = [
        added(folder, "--subject", "silent", "--until", until, CASETRAIL_ZONE="Asia/Almaty")["until"]
        for until in ("2099-03-02", "2099-03", "2099-03-02T12:00:00+05:00")
    ]

    assert ["2099-03-01T19:00:00Z", "2099-02-28T19:00:00Z", "2099-03-02T07:00:00Z"] == ends


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--until", DAY, *BY], "the silence has no scope (want at least one of --rule, --subject and --agency)"),
        (["--subject", "silent", "--until", PAST, *BY], '--until: "2022-01-01" has passed'),
        (["--subject", "silent", "--until", "soon", *BY], "--until"),
        (["--subject", "silent", "--until", DAY, "--by", " ", "--why", "x"], "--by: the name is empty"),
        (["--subject", "silent", "--until", DAY, "--by", "ann", "--why", ""], "--why: the reason is empty"),
        (["--rule", "dismissed-without-follow", "--until", DAY, *BY], f"(want {RULE}"),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, words: list[str], message: str) -> None:
    """A silence without a scope, a future end, a name, a reason or a rule is refused with the wanted value."""
    done = ask(["silence", "add", *words], folder)

    assert 2 == done.returncode
    assert message in done.stderr
    assert [] == answer("silence list --all", folder)


def test_unknown_people_and_agencies_are_accepted_with_a_message(folder: Path) -> None:
    """A person or an agency may become known later, so a message names what is spelled alike."""
    person = ask(["silence", "add", "--subject", "silen", "--until", DAY, *BY], folder)
    agency = ask(["silence", "add", "--agency", "Police of Almati", "--until", DAY, *BY], folder)
    alike = ask(["silence", "add", "--agency", "police of almaty", "--until", DAY, *BY], folder)

    assert (0, 0, 0) == (person.returncode, agency.returncode, alike.returncode)
    assert "silen is not known (similar ids: silent)" in person.stderr
    assert "no post is known in Police of Almati (similar names: Police of Almaty)" in agency.stderr
    assert "no post" not in alike.stderr


def test_an_unknown_id_is_refused(folder: Path) -> None:
    """An id that no silence has ends with exit code 1, and one that is too short with 2."""
    assert 1 == ask(["silence", "end", "00000000", *BY], folder).returncode
    assert 2 == ask(["silence", "end", "0000", *BY], folder).returncode
