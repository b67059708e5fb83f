"""Rules start from events, not from reports (docs/design.md, 3.2 and 4.1)."""

from collections.abc import Iterable
from itertools import permutations

import pytest

from tests.support.builders import (
    Line,
    Row,
    arrest,
    charged,
    convicted,
    corrected,
    detained,
    dismissed,
    history,
    life,
    reinstated,
    retracted,
    silence,
    stated,
    states,
    statuses_of,
)

OPENED = "2022-07-07T00:00:00Z"
"""The instant at which silence after a dismissal "in March" is due: 90 days and 7 more after the first of April."""
FIRST = dismissed("2022-03-27", id="b", recorded="2022-03-28T09:00:00Z")
SENTENCE = (
    "a was dismissed (2022-03-27); no new step of a case, no custody and no return to office is known"
    " in the 90 days after."
)


def of_paper(number: int, occurred: str = "2022-03-27", **data: str) -> Line:
    """Return the report of the dismissal in one paper."""
    return dismissed(occurred, id=f"paper {number}", published="2022-04-01", recorded="2022-04-01T12:00:00Z", **data)


def better_after(opening: str = "2022-09-01") -> tuple[Line, Line]:
    """Return a vague report, on which an alert opens, and a better one that is recorded after that."""
    vague = dismissed("2022-03", id="vague", published="2022-04-01", recorded="2022-04-01T12:00:00Z")
    return vague, dismissed("2022-03-27", id="exact", published="2022-04-02", recorded=f"{opening}T00:00:00Z")


def by_id(found: Iterable[Row]) -> dict[str, list[tuple[str, str]]]:
    """Return the states of each alert with their causes, by its present anchor."""
    return {alert["anchor"]: [(step["state"], step["cause"]) for step in alert["life"]] for alert in found}


def groups(*lines: Line) -> dict[str, str]:
    """Return for each report the fact that stands for its event."""
    return dict(history(*lines).stands_for)


def test_three_papers_that_report_one_dismissal_raise_one_alert() -> None:
    """Its evidence names all three, the best first; the status rests on the best and counts them."""
    papers = [of_paper(1), of_paper(2, "2022-03"), of_paper(3, "2022-03-27~")]
    for story in permutations(papers):
        (alert,) = silence(story)
        assert ("paper 1", ["paper 1", "paper 2", "paper 3"]) == (alert["anchor"], alert["evidence"])
    (row,) = statuses_of(papers)

    assert ("dismissed", "paper 1", 3) == tuple(row["service"][name] for name in ("status", "fact_id", "facts"))


def test_the_evidence_of_a_sequence_names_every_report_of_both_events() -> None:
    """Of the dismissal and of the arrest."""
    story = [of_paper(1), of_paper(2), detained("2022-04-20", id="d1"), detained("2022-04-20", id="d2")]
    (alert,) = arrest(story)

    assert ["paper 1", "paper 2", "d1", "d2"] == alert["evidence"]


def test_a_report_that_comes_when_all_is_settled_is_named_too() -> None:
    """A year later, when no new fact could complete the sequence."""
    late = dismissed("2022-03-27", id="paper 9", published="2023-06-01")
    story = [of_paper(1), detained("2022-04-20", id="d1"), detained("2023-04-20", id="d2"), late]
    (alert,) = arrest(story)

    assert ["paper 1", "paper 9", "d1"] == alert["evidence"]


def test_a_better_report_moves_the_anchor_and_keeps_the_alert() -> None:
    """The alert_id stays, and no change row and no notice is written for that alone."""
    vague, exact = better_after()
    (before,), (after,) = silence([vague]), silence([vague, exact])

    assert ("vague", "exact") == (before["anchor"], after["anchor"])
    assert before["alert_id"] == after["alert_id"]
    assert before["life"] == after["life"]
    assert ["exact", "vague"] == after["evidence"]
    assert SENTENCE == after["explanation"]


def test_an_alert_stands_on_when_the_better_report_is_taken_back() -> None:
    """The first report still states the event: the anchor moves back, and no notice is written."""
    vague, exact = better_after()
    (alert,) = silence([vague, exact, retracted(exact, "2022-10-01")])

    assert (["open"], "vague", ["vague"]) == (states([alert]), alert["anchor"], alert["evidence"])


def test_an_alert_whose_first_anchor_is_gone_belongs_to_its_latest() -> None:
    """The better report alone states the event."""
    vague, exact = better_after()
    (alert,) = silence([vague, exact, retracted(vague, "2022-10-01")])

    assert (["open"], "exact", ["exact"]) == (states([alert]), alert["anchor"], alert["evidence"])
    assert alert["alert_id"] == silence([vague])[0]["alert_id"]


def test_an_alert_ends_when_its_last_report_is_taken_back() -> None:
    """No report of the event is left."""
    vague, exact = better_after()
    gone = [retracted(vague, "2022-10-01"), retracted(exact, "2022-10-05")]

    assert [("open", OPENED, "deadline"), ("retracted", "2022-10-06T00:00:00Z", "retracted")] == (
        life(silence([vague, exact, *gone]))
    )


def test_an_alert_whose_only_anchor_is_taken_back_is_retracted_though_others_report_the_event() -> None:
    """Neither its first nor its latest anchor is left: an alert opens on the other report (docs/design.md, 4.1)."""
    one, two = of_paper(1), of_paper(2)
    found = silence([one, two, retracted(one, "2022-09-01")])

    assert {
        "paper 1": [("open", "deadline"), ("retracted", "retracted")],
        "paper 2": [("open", "retracted")],
    } == by_id(found)


def two_events_that_merge() -> list[Line]:
    """Two dismissals, each with its alert, and a correction after which they are one event."""
    early = dismissed("2022-02-20", id="early", recorded="2022-02-21T00:00:00Z")
    late = dismissed("2022-03-27", id="late", recorded="2022-03-28T00:00:00Z")
    same = corrected(early, "2022-09-01", occurred="2022-03-27", published="2022-09-01")
    return [early, late, same]


def test_of_two_events_that_merge_the_alert_that_opened_first_continues() -> None:
    """The other is superseded, cause same_event, and its sentence no longer stands."""
    early, late, same = two_events_that_merge()
    before, after = silence([early, late]), silence([early, late, same])
    ids = {alert["anchor"]: alert["alert_id"] for alert in before}
    found = {alert["alert_id"]: alert for alert in after}
    first, other = found[ids["early"]], found[ids["late"]]

    assert [["open"], ["open", "superseded"]] == [states([first]), states([other])]
    assert ("superseded", "2022-09-02T00:00:00Z", "same_event") == life([other])[-1]
    assert ["early", "late"] == first["evidence"]
    assert other["explanation"].startswith("Was said until 2022-09-02: a was dismissed (2022-03-27)")


def test_events_that_part_again_have_their_alerts_again() -> None:
    """Each alert belongs to the event that holds its first anchor."""
    early, late, same = two_events_that_merge()
    found = silence([early, late, same, retracted(same, "2022-10-01")])

    assert {"early": [("open", "deadline")], "late": ["open", "superseded", "open"]} == {
        "early": by_id(found)["early"],
        "late": [state for state, _ in by_id(found)["late"]],
    }


def test_a_superseded_alert_does_not_come_back_while_its_event_is_one() -> None:
    """Time passes, and only one alert stands."""
    found = silence(two_events_that_merge(), until="2025")

    assert ["open", "superseded"] == sorted(alert["state"] for alert in found)


@pytest.mark.parametrize("state", ["resolved", "retracted"])
def test_the_sentence_is_true_in_each_state(state: str) -> None:
    """The sentence of an ended alert begins with the day until which it stood; if it stands again, that is gone."""
    day = {"resolved": "2022-08-20", "retracted": "2022-04-20"}[state]
    follow = detained(day, id="follow", recorded="2022-08-21T12:00:00Z")
    (opened,), (ended,) = silence([FIRST]), silence([FIRST, follow])
    (again,) = silence([FIRST, follow, retracted(follow, "2022-09-01")])

    assert ["open", state] == states([ended])
    assert [SENTENCE, f"Was said until 2022-08-21: {SENTENCE}", SENTENCE] == [
        alert["explanation"] for alert in (opened, ended, again)
    ]


def test_the_sentence_of_a_sequence_says_until_when_it_was_said() -> None:
    """The arrest was taken back."""
    follow = detained("2022-04-20", id="follow", recorded="2022-04-21T00:00:00Z")
    (alert,) = arrest([FIRST, follow, retracted(follow, "2022-06-01")])

    assert ["open", "retracted"] == states([alert])
    assert "Was said until 2022-06-02: a: dismissed (2022-03-27), then detained (2022-04-20)." == alert["explanation"]


def test_an_ended_alert_whose_anchor_moves_keeps_its_state() -> None:
    """A better report of a dismissal with a follow-up changes only the evidence."""
    vague, exact = better_after("2022-10-01")
    follow = detained("2022-08-20", recorded="2022-08-21T00:00:00Z")
    (alert,) = silence([vague, follow, exact])

    assert (["open", "resolved"], "exact") == (states([alert]), alert["anchor"])


@pytest.mark.parametrize(
    ("reports", "one", "other"),
    [
        (True, {}, {}),
        (True, {"post": "Head "}, {"post": "head"}),
        (True, {"post": "head"}, {"agency": "police"}),
        (True, {"ground": "bribery"}, {"ground": "age"}),
        (True, {"note": "one"}, {"note": "two"}),
        (False, {"post": "head"}, {"post": "deputy"}),
        (False, {"agency": "police"}, {"agency": "bank"}),
        (False, {"region": "north"}, {"region": "south"}),
        (False, {"jurisdiction": "KZ"}, {"jurisdiction": "RU"}),
        (False, {"post_id": "p1"}, {"post_id": "p2"}),
    ],
)
def test_reports_agree_unless_a_field_that_tells_differs(
    one: dict[str, str], other: dict[str, str], *, reports: bool
) -> None:
    """A field that only one of them names does not separate them, nor do words that change no status."""
    story = [dismissed("2022-03-27", id="a", **one), dismissed("2022-03-27", id="b", **other)]

    assert ({"b": "a"} if reports else {}) == groups(*story)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"case": "c"}, {"case": "d"}),
        ({"charges": [{"title": "bribe"}]}, {"charges": [{"title": "fraud"}]}),
        ({"final": True}, {"final": False}),
        ({"in_absentia": True}, {"in_absentia": False}),
    ],
)
def test_verdicts_that_differ_are_not_one(one: Row, other: Row) -> None:
    """Two verdicts of one day: in two cases, on two charges, final or not."""
    story = [convicted("2022-03-27", id="a", **one), convicted("2022-03-27", id="b", **other)]

    assert {} == groups(*story)


def test_facts_of_two_types_or_of_days_apart_are_not_one_event() -> None:
    """Agreement needs one type, one person and overlapping days."""
    assert {} == groups(detained("2022-03-27"), stated("Arrested", "2022-03-27"))
    assert {} == groups(detained("2022-03-27"), detained("2022-03-28"))
    assert {"x": "y"} == groups(detained("2022-03", id="x", published="2022-04-02"), detained("2022-03-28", id="y"))


def test_the_best_report_is_the_narrowest_then_the_unmarked_then_the_fuller_then_the_smaller_id() -> None:
    """The order of quality, for any order of arrival."""
    month = charged("2022-03", id="a", published="2022-05-01")
    marked = charged("2022-03-27~", id="b", published="2022-05-01")
    plain, twin = charged("2022-03-27", id="c"), charged("2022-03-27", id="d")
    for story in permutations([month, marked, plain, twin]):
        assert {"a": "c", "b": "c", "d": "c"} == groups(*story)


@pytest.mark.parametrize("vague_id", ["a", "z"])
def test_a_report_that_names_less_hides_no_charge_whatever_its_id(vague_id: str) -> None:
    """Ids are hashes. A report without the charge must not, by chance, convict a person of both charges."""
    both = charged("2022-03-01", charges=[{"title": "bribe"}, {"title": "fraud"}])
    vague = convicted("2022-06-01", id=vague_id)
    precise = convicted("2022-06-01", id="b", charges=[{"title": "bribe"}])
    (row,) = statuses_of([both, vague, precise])

    assert {"bribe": "convicted", "fraud": "undecided"} == {
        count["title"]: count["status"] for count in row["cases"][0]["counts"]
    }


def test_a_vague_report_is_one_of_the_better_of_two_events_that_it_overlaps() -> None:
    """Two detentions in one month, and a report of the month: it cannot be a report of both."""
    month = detained("2022-03", id="month", published="2022-05-01")
    first, second = detained("2022-03-05", id="first"), detained("2022-03-20", id="second")

    assert {"month": "first"} == groups(month, second, first)


def test_a_report_of_an_event_that_finds_a_better_one_leaves_the_evidence_of_the_first() -> None:
    """A dismissal of the 10th becomes known: the report that was published on the 12th can be of that one."""
    early = dismissed("2022-03", published="2022-03-05", id="early", recorded="2022-03-13T00:00:00Z")
    month = dismissed("2022-03", published="2022-03-12", id="month", recorded="2022-03-13T00:00:00Z")
    tenth = dismissed("2022-03-10", published="2022-03-12", id="tenth", recorded="2022-09-01T00:00:00Z")

    assert [["early", "month"]] == [alert["evidence"] for alert in silence([early, month])]
    story = [early, month, tenth]
    assert [["early"]] == [alert["evidence"] for alert in silence(story, until="2022-09-01T00:00:00Z")]
    assert [["early"], ["tenth", "month"]] == sorted(alert["evidence"] for alert in silence(story))


def test_a_person_dismissed_twice_has_two_events() -> None:
    """They are days apart, so each has an alert of its own."""
    story = [dismissed("2020-03-27", id="x"), reinstated("2021-01-01"), dismissed("2022-03-27", id="y")]

    assert ["x", "y"] == [alert["anchor"] for alert in silence(story)]
