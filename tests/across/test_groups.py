"""The group of an event: its own field, that of the post it concerns, or that of the post shown before it."""

from typing import Any

import pytest

from projections.across.contribution import Contribution, contributions_of
from projections.rules.rulebook import Rulebook
from tests.support.across import counting, step
from tests.support.builders import (
    Line,
    alerts,
    appointed,
    arrested,
    corrected,
    described,
    detained,
    died,
    dismissed,
    instant,
    released,
    retracted,
    stated,
    suspended,
)
from tests.support.rules import dismissals

BOSS = appointed("2020-01-01", post="Head", agency="Customs", region="North", jurisdiction="KZ")


def contributions(*lines: Line, by: str = "agency", clock: str = "2030", **keys: Any) -> list[Contribution]:
    """Return the contributions of one person to a count of detentions, arrests and dismissals."""
    rule = counting(by=by, on=["Detained", "Arrested", "Dismissed", "Transferred", "Appointed", "Died"], **keys)
    return contributions_of(rule, step(rule, *lines, clock=clock))


def group(*lines: Line, by: str = "agency") -> str | None:
    """Return the group of the last event, as it is shown; None if it has none."""
    last = lines[-1]["id"]
    return {one.fact_id: one.shown for one in contributions(*lines, by=by)}.get(last)


def key(*lines: Line, by: str = "agency") -> str:
    """Return the group of the last event in the form for comparison."""
    return {one.fact_id: one.group for one in contributions(*lines, by=by)}[lines[-1]["id"]]


@pytest.mark.parametrize(
    ("by", "shown"), [("agency", "Customs"), ("region", "North"), ("post", "Head, Customs"), ("jurisdiction", "KZ")]
)
def test_a_custody_fact_has_the_group_of_the_post_shown_before_it(by: str, shown: str) -> None:
    """A detention names no post, so the one that the row showed before it counts, also after a dismissal."""
    assert group(BOSS, detained("2022-02-01"), by=by) == shown
    assert group(BOSS, dismissed("2022-01-01"), detained("2022-02-01"), by=by) == shown


def test_a_later_post_changes_no_group() -> None:
    """The group is that of the time of the event."""
    later = appointed("2022-06-01", post="Clerk", agency="Archive", jurisdiction="KZ")

    assert group(BOSS, later, detained("2022-02-01")) == "Customs"
    assert group(BOSS, later, detained("2022-07-01")) == "Archive"


def test_a_description_stands_in_for_a_post_that_is_not_known() -> None:
    """Where no post is known, the latest description before the event counts, as in the row."""
    known = described("2020-01-01", agency="Customs", jurisdiction="KZ")

    assert group(known, detained("2022-02-01")) == "Customs"
    assert group(described("2022-03-01", agency="Customs", jurisdiction="KZ"), detained("2022-02-01")) is None
    assert group(known, BOSS, described("2021-01-01", agency="Mint"), detained("2022-02-01")) == "Customs"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([detained("2022-02-01")], None),
        ([appointed("2020-01-01", post="Head", agency="Customs"), detained("2022-02-01")], None),
        (
            [appointed("2020-01-01", post="Head", agency="Customs"), detained("2022-02-01", jurisdiction="KZ")],
            '["customs","kz"]',
        ),
        (
            [appointed("2020-01-01", agency="Customs", jurisdiction="KZ"), detained("2022-02-01", jurisdiction="FR")],
            '["customs","kz"]',
        ),
        (
            [
                appointed("2020-01-01", agency="Customs"),
                described("2020-02-01", jurisdiction="KZ"),
                detained("2022-02-01", jurisdiction="FR"),
            ],
            '["customs","kz"]',
        ),
        ([dismissed("2022-01-01", agency="Customs", jurisdiction="KZ")], '["customs","kz"]'),
        ([BOSS, dismissed("2022-01-01", agency="\uff23USTOMS ")], '["customs","kz"]'),
        ([appointed("2020-01-01", post="Head", jurisdiction="KZ"), detained("2022-02-01")], None),
    ],
)
def test_an_agency_groups_with_its_jurisdiction(lines: list[Line], expected: str | None) -> None:
    """The jurisdiction is that of the agency's words, else the person's, else the event's; without one is no group."""
    assert {one.fact_id: one.group for one in contributions(*lines)}.get(lines[-1]["id"]) == expected


def test_spellings_are_one_group_and_other_names_are_not() -> None:
    """Case, width and white space do not matter. A renamed agency, or the same name elsewhere, is another group."""

    def named(agency: str, jurisdiction: str = "KZ") -> str:
        return key(appointed("2020-01-01", agency=agency, jurisdiction=jurisdiction), detained("2022-02-01"))

    assert named("Customs  Office") == named("customs office") == named("\uff23USTOMS OFFICE", "kz")
    assert len({named("Customs Office"), named("Customs Service"), named("Customs Office", "KG")}) == 3


def test_a_post_groups_by_its_agency_too() -> None:
    """Heads of two agencies are two groups; a post without an agency is in none."""
    head = appointed("2020-01-01", post="Head", jurisdiction="KZ", agency="Customs")

    assert key(head, detained("2022-02-01"), by="post") == '["head","customs","kz"]'
    assert group(appointed("2020-01-01", post="Head", jurisdiction="KZ"), detained("2022-02-01"), by="post") is None
    assert group(head, dismissed("2022-02-01", post="head"), by="post") == "head, Customs"


def test_a_case_is_one_text() -> None:
    """Cases group by their id exactly, and only by the event's own."""
    assert key(detained("2022-02-01", case="X-1"), by="case_id") == "X-1"
    assert group(detained("2022-02-01"), by="case_id") is None


def test_the_post_that_the_event_concerns_comes_before_the_one_shown() -> None:
    """A dismissal from one of two posts has the agency of that post, whichever the row shows."""
    second = appointed("2021-01-01", post="Member", agency="Board", jurisdiction="KZ")

    assert group(BOSS, second, dismissed("2022-02-01", post="Head")) == "Customs"
    assert group(BOSS, second, dismissed("2022-02-01", post="Member")) == "Board"
    # It says neither which, nor is the one shown said to be it.
    assert group(BOSS, second, dismissed("2022-02-01", post="Porter")) is None
    assert group(BOSS, second, detained("2022-02-01")) == "Board"


def test_a_transfer_is_about_the_post_that_is_left() -> None:
    """A transfer counts in the agency that the person leaves, an appointment in that of the new post."""
    moved = stated("Transferred", "2022-02-01", post="Head", to_post="Chief", to_agency="Mint")

    assert group(BOSS, moved) == "Customs"
    assert group(BOSS, appointed("2022-02-01", post="Chief", agency="Mint", jurisdiction="KZ")) == "Mint"


def test_a_death_concerns_no_post() -> None:
    """A death ends every post; its group is that of the post shown before it."""
    second = appointed("2021-01-01", post="Member", agency="Board", jurisdiction="KZ")

    assert group(BOSS, second, died("2022-02-01")) == "Board"


def test_reports_of_one_event_are_one_contribution() -> None:
    """The best report stands for the event, all reports are named, and the first one dates its knowledge."""
    first = arrested("2022-02", id="z", published="2022-03-01", recorded="2022-03-02T00:00:00Z")
    better = arrested("2022-02-03", id="a", recorded="2022-05-02T00:00:00Z")
    (one,) = (held for held in contributions(BOSS, first, better) if held.fact_id == "a")

    assert (one.reports, one.recorded) == (("a", "z"), instant("2022-03-02T00:00:00Z"))


def test_a_lesser_report_can_name_the_group() -> None:
    """A field that the best report lacks is taken from another report of the event."""
    best = dismissed("2022-02-03", id="a")
    other = dismissed("2022-02", id="z", agency="Mint", jurisdiction="KZ", published="2022-03-01")
    (one,) = contributions(best, other)

    assert (one.fact_id, one.shown) == ("a", "Mint")


def test_corrected_retracted_announced_and_undated_facts() -> None:
    """Only facts that count contribute, with their data in force."""
    held = detained("2022-02-01")
    away = corrected(BOSS, agency="Mint")
    ahead = dismissed("2022-06-01", published="2022-05-01", recorded="2022-05-01T00:00:00Z")

    assert [one.shown for one in contributions(BOSS, away, held) if one.fact_id == held["id"]] == ["Mint"]
    assert held["id"] not in {one.fact_id for one in contributions(BOSS, held, retracted(held))}
    assert ahead["id"] not in {one.fact_id for one in contributions(BOSS, ahead, clock="2022-05-15")}
    assert ahead["id"] in {one.fact_id for one in contributions(BOSS, ahead)}
    assert detained("XXXX-02-01")["id"] not in {one.fact_id for one in contributions(BOSS, detained("XXXX-02-01"))}


def test_conditions_of_the_rule_exempt_an_event() -> None:
    """`unless`, `where` and `jurisdiction` hold of the anchor, as in a rule about one person."""
    held, later = detained("2022-02-01", jurisdiction="KZ"), arrested("2022-02-05")
    lines = [BOSS, suspended("2022-01-01"), held, released("2022-02-03"), later]

    def ids(**keys: Any) -> set[str]:
        return {one.fact_id for one in contributions(*lines, **keys)} - {BOSS["id"]}

    assert ids() == {held["id"], later["id"]}
    assert ids(unless={"custody": ["released"]}) == {held["id"]}
    assert ids(unless={"service": ["suspended"]}) == set()
    assert ids(jurisdiction=["KZ"]) == {held["id"]}
    assert ids(where={"anchor.type": "Arrested"}) == {later["id"]}


def test_no_projector_judges_such_a_rule() -> None:
    """A rule across people raises no alert about one person, and disturbs no other rule."""
    lines = [BOSS, dismissed("2022-01-10"), detained("2022-02-01")]

    assert alerts(lines, rules=Rulebook((counting(2),))) == []
    assert alerts(lines, rules=Rulebook((*dismissals().rules, counting(2)))) == alerts(lines)
