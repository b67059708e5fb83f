"""`casetrail rules explain` for rules across people: the group and the people counted, or the facts of the others."""

from pathlib import Path
from typing import Any

import pytest

from projections.tables.database import open_database
from services.database import migrate
from tests.across.test_rulefiles import COUNT, LIMITS, OF
from tests.support.builders import Line, accused, acquitted, charged, detained, released, retracted, stated, wanted
from tests.support.correlating import House, ministry, siblings
from tests.support.reading import answer, ask
from tests.support.rules import book

RULES = COUNT + OF.partition("\n")[2]
COUNTS, RELATIVES = "officials-of-one-agency", "relatives"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test, with the rules of the contract."""
    monkeypatch.chdir(tmp_path)


def judged(lines: list[Line], until: str = "2022-06-01", text: str = RULES) -> None:
    """Write a database in which *lines* are judged up to *until* by the rules *text*."""
    Path(".env").write_text("CASETRAIL_RULES=rules.yaml\n", "utf-8")
    rules = book(text)
    engine = open_database(f"sqlite:///{Path.cwd() / 'casetrail.db'}")
    migrate(engine)
    House(1, engine, rules).judge(lines, until)
    engine.dispose()


def told(rule: str, subject: str, *args: str) -> tuple[str, list[tuple[Any, ...]]]:
    """Return the answer for the last event, and each reason: its name, what it speaks for, and its words."""
    shown = answer(" ".join(["rules explain", rule, subject, *args]), Path.cwd())["anchors"][-1]
    return shown["value"], [(one["what"], one["holds"], *one["detail"].values()) for one in shown["reasons"]]


def test_a_count_names_the_people_counted() -> None:
    """The group, the fullest window with each fact, and the alert of the group."""
    judged(ministry("abc"))
    shown = ask(f"rules explain {COUNTS} a", Path.cwd()).stdout

    assert told(COUNTS, "a") == (
        "standing",
        [
            ("group", None, "agency", "Ministry"),
            ("window", True, "3", "3", "2022-02-01", "2022-02-09"),
            ("counted", True, "a", "Detained", "2022-02-01"),
            ("counted", True, "b", "Detained", "2022-02-05"),
            ("counted", True, "c", "Detained", "2022-02-09"),
        ],
    )
    assert "\na, as known at 2022-06-01T23:59:59.999999Z\nThe other people: as far as 2022-06-02T00:00:00Z\n" in shown
    assert "the fullest window around the event counts 3 people, where 3 are needed, from 2022-02-01" in shown
    assert "  yes  counted: b, Detained 2022-02-05 (" in shown
    assert ": open\n" in shown


def test_a_count_tells_who_is_missing() -> None:
    """With two of three, it says by when one more person would complete it; an earlier knowledge is asked alike."""
    judged(ministry("abc"))
    earlier = told(COUNTS, "a", "--known-at 2022-02-06T00:00:00Z")

    assert "void" == earlier[0]
    assert ("window", False, "2", "3", "2022-02-01", "2022-02-05") in earlier[1]
    assert ("missing", False, "1", "2022-05-02T00:00:00Z", "Arrested, Detained") in earlier[1]
    assert "one more person of the group with an event of the types Arrested, Detained by 2022-05-02" in (
        ask(f"rules explain {COUNTS} a --known-at 2022-02-06T00:00:00Z", Path.cwd()).stdout
    )


def test_one_more_by_that_instant_completes_it() -> None:
    """The instant is exact: the fact that ends then is counted, and one a day later is not."""
    two = ministry("ab")
    post = stated("Appointed", "2021-05-01", subject="c", agency="Ministry", jurisdiction="KZ", post="x")
    for day, value in (("2022-05-01", "standing"), ("2022-05-02", "void")):
        Path("casetrail.db").unlink(missing_ok=True)
        judged([*two, post, detained(day, subject="c", recorded=f"{day}T23:00:00Z")])
        assert value == told(COUNTS, "a")[0]


def test_without_a_group_nothing_is_counted() -> None:
    """A detention of somebody without a known agency counts in no group."""
    judged([detained("2022-02-01", subject="a", recorded="2022-02-01T12:00:00Z")])

    assert told(COUNTS, "a") == ("void", [("no_group", False, "agency")])


def test_a_law_that_knows_no_time() -> None:
    """An event on a day without a law completes no count."""
    law = LIMITS.replace("2020-01-01", "2023-01-01")
    judged(ministry("abc"), text=COUNT.replace("P90D", "{limit: stay}") + law)

    assert told(COUNTS, "a")[1][1:] == [("no_limit", False, "stay"), ("not_counted", False)]


def test_an_event_at_the_horizon_is_not_judged_yet() -> None:
    """A fact recorded at the horizon or later is not judged, and an alert with evidence taken back is in doubt."""
    lines = ministry("abc")
    gone = retracted(lines[-1], "2022-06-02", recorded="2022-06-02T12:00:00Z")
    late = detained("2022-06-02", subject="a", id="late", recorded="2022-06-02T12:00:00Z")
    judged(lines)
    engine = open_database(f"sqlite:///{Path.cwd() / 'casetrail.db'}")
    House(1, engine, book(RULES)).project([gone, late])
    engine.dispose()

    assert told(COUNTS, "a") == ("void", [("beyond", False)])
    assert answer(f"rules explain {COUNTS} a", Path.cwd())["anchors"][0]["in_doubt"]
    assert ": open, in doubt\n" in ask(f"rules explain {COUNTS} a", Path.cwd()).stdout


def test_a_rule_that_is_not_in_force_knows_nobody() -> None:
    """Another version than that of the correlator has no rows: the answer says so."""
    judged(ministry("abc"))
    Path("rules.yaml").write_text(RULES.replace("at_least: 3", "at_least: 2"), "utf-8")

    assert told(COUNTS, "a") == ("void", [("not_in_force", False)])
    assert answer(f"rules explain {COUNTS} a", Path.cwd())["judged_before"] is None


def pair(*more: Line) -> list[Line]:
    """Return the detention of a and facts of the sibling b, with the relation."""
    return [detained("2022-01-10", subject="a", recorded="2022-01-10T12:00:00Z"), siblings(), *more]


def of_b(line: Line) -> Line:
    """Return *line* about b, recorded on the first of May if nothing is said."""
    return {"recorded": "2022-05-01T12:00:00Z"} | line | {"subject": "b"}


@pytest.mark.parametrize(
    ("follow", "effect"),
    [
        (detained("2022-02-01"), "completes"),
        (detained("2022-01-09"), "before"),
        (detained("2022-01"), "undecided"),
        (wanted("2022-09-01", recorded="2022-09-01T12:00:00Z"), "late"),
    ],
)
def test_each_follow_up_has_its_effect(follow: Line, effect: str) -> None:
    """It completes the pattern, or the reason for which it does not is told."""
    judged(pair(of_b(follow)), "2023-01-01")
    value, reasons = told(RELATIVES, "a")

    assert ("standing" if effect == "completes" else "void") == value
    assert ("relation", True, "b", "sibling") == reasons[0]
    assert ("b", effect) == (reasons[1][2], reasons[1][-1])
    assert "  b, " in ask(f"rules explain {RELATIVES} a", Path.cwd()).stdout


def test_an_end_and_a_clearing_are_told() -> None:
    """A pattern that has ended names its follow-up, and the person who is cleared."""
    free = OF + "    over: Released\n"
    judged(pair(of_b(detained("2022-02-01")), of_b(released("2022-03-01"))), text=free)
    assert ("ended", "ended") == (told(RELATIVES, "a")[0], told(RELATIVES, "a")[1][1][-1])

    Path("casetrail.db").unlink()
    trial = [of_b(charged("2022-03-01")), of_b(acquitted("2022-04-01", final=True))]
    judged(pair(of_b(detained("2022-02-01")), *trial))
    assert ("other_cleared", False, "b") in told(RELATIVES, "a")[1]


def test_relations_that_do_not_count() -> None:
    """Without a relation of the rule, those known are listed; a relative without an event is named."""
    boss = stated("RelationAsserted", "2022-02-20", subject="a", other="b", relation="superior")
    judged([pair()[0], boss, of_b(released("2022-02-01"))])
    assert [("relation", False), ("no_relation", False)] == [one[:2] for one in told(RELATIVES, "a")[1]]

    Path("casetrail.db").unlink()
    judged(pair())
    assert ("no_follow_up", None, "b", "Arrested, Detained, Wanted") in told(RELATIVES, "a")[1]


def test_the_one_whom_the_anchor_names() -> None:
    """With `of: by`, the anchor names the other person, or nobody."""
    text = OF.replace("[sibling, spouse, parent, child, relative]", "by").replace(
        "[Detained, Arrested]\n", "Accused\n", 1
    )
    said = accused("2022-01-10", subject="a", recorded="2022-01-10T12:00:00Z", by={"subject_id": "b"})
    nobody = accused("2022-01-11", subject="c", recorded="2022-01-11T12:00:00Z")
    judged([said, nobody, of_b(detained("2022-02-01"))], text=text)
    assert ("standing", ("named", True, "b")) == (told(RELATIVES, "a")[0], told(RELATIVES, "a")[1][0])
    assert ("void", [("names_nobody", False)]) == told(RELATIVES, "c")
