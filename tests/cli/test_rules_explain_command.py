"""`casetrail rules explain`: the reasons in words and as JSON, with the alert that the database has."""

from pathlib import Path

import pytest

from projections.alerts.explained import explained
from projections.rules.reasons import Reason
from services.words.reasons import reason_words
from tests.alerts.test_explained import RULES
from tests.support.builders import arrested, detained, dismissed, facts, instant, released
from tests.support.reading import answer, ask, database_with

QUIET = "dismissed-without-follow-up"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database of four people: one silent case, one in custody, one detained late, one never gone."""
    story = [
        dismissed("2022-03-27", subject="a", id="d"),
        detained("2022-03-01", subject="b", id="held"),
        dismissed("2022-03-27", subject="b"),
        dismissed("2022-03-27", subject="c"),
        released("2022-03-27", subject="q"),
        detained("2022-04-20", subject="c", id="late", recorded="2022-09-01T00:00:00Z"),
    ]
    database_with(tmp_path, *story, passed="2022-10-01").dispose()
    return tmp_path


def test_an_open_alert_is_explained(folder: Path) -> None:
    """The anchor, each condition, the deadline and the alert stand below each other."""
    shown = ask(f"rules explain {QUIET} a", folder).stdout

    assert f"{QUIET}: Dismissed, and nothing followed\na, as known at 2022-10-01T23:59:59.999999Z\n" in shown
    assert "Dismissed, 2022-03-27 (fact d): the rule finds its pattern\n" in shown
    assert "  yes  unless service deceased: it was not\n" in shown
    assert "the deadline is 2022-06-26T00:00:00Z; an alert can open from 2022-07-03T00:00:00Z on\n" in shown
    assert ": open\n\nIf no fact arrives, the answer does not change.\n" in shown


def test_a_silent_rule_is_explained(folder: Path) -> None:
    """The word of the status that held stands with its fact."""
    shown = ask(f"rules explain {QUIET} b", folder).stdout

    assert "the rule stays silent\n" in shown
    assert "   no  unless custody bailed, detained" in shown
    assert ": it was detained (held)\n" in shown
    assert "  no alert in the database\n" in shown


def test_an_earlier_knowledge_can_be_asked_for(folder: Path) -> None:
    """Before the detention became known, the alert was open; now it is retracted."""
    now = answer(f"rules explain {QUIET} c", folder)["anchors"][0]
    then = answer(f"rules explain {QUIET} c --known-at 2022-08-01", folder)["anchors"][0]

    assert ("void", "retracted") == (now["value"], now["state"])
    assert ("standing", "open") == (then["value"], then["state"])
    assert ["late"] == next(reason["facts"] for reason in now["reasons"] if reason["what"] == "follow_up")


def test_the_next_instant_is_told(folder: Path) -> None:
    """Before the deadline, a reader learns when to look again."""
    shown = ask(f"rules explain {QUIET} a --known-at 2022-05-01", folder).stdout

    assert "If no fact arrives, the answer can change next at 2022-07-03T00:00:00Z.\n" in shown
    assert "2022-07-03T00:00:00Z" == answer(f"rules explain {QUIET} a --known-at 2022-05-01", folder)["due"]


def test_a_person_without_an_anchor_is_told_the_types(folder: Path) -> None:
    """The exit code is 0: silence has a reason."""
    done = ask(f"rules explain {QUIET} q", folder)

    assert (0, True) == (done.returncode, "starts: Dismissed, Removed.\n" in done.stdout)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (f"{QUIET} zz", "zz is not known"),
        ("dismissed-without-folow-up a", f"no rule dismissed-without-folow-up is known (known: {QUIET}"),
        (f"{QUIET} a --known-at 2000", "a is not known at that instant"),
    ],
)
def test_an_unknown_rule_or_person_is_said_to_be_so(folder: Path, args: str, message: str) -> None:
    """The exit code is 1, and similar names are proposed."""
    done = ask(f"rules explain {args}", folder)

    assert (1, "") == (done.returncode, done.stdout)
    assert message in done.stderr


def test_every_reason_has_words() -> None:
    """No reason is printed as a code, whatever the rule and the story."""
    story = facts(
        arrested("2022-03-01"), dismissed("2022-03-27"), detained("2022-04"), detained("XXXX-01-01", published="2022")
    )
    for rule in RULES:
        for anchor in explained(rule, "a", story, instant("2023")).anchors:
            assert all(reason_words(reason).startswith(("yes  ", " no  ", "  -  ")) for reason in anchor.reasons)
    for what in ("cleared", "no_until", "none_completes", "none_prevents", "not_begun", "other", "together"):
        assert reason_words(Reason(what, None))
    assert reason_words(Reason("no_limit", None, {"limit": "remand"}))
    assert reason_words(Reason("once", None, {"once": "case"}))
    assert reason_words(Reason("still", None, {"wanted": "service suspended", "has": "no"}))
    assert "  -  7 more events of these types" == reason_words(Reason("more", None, {"number": "7"}))
