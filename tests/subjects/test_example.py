"""The example of a purge in Kazakhstan in 2022: the statements of its article, and no others."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from events.decode import complete
from events.facts import Fact
from projections.projector.backtest import backtest
from tests.support.places import ROOT
from tests.support.rules import dismissals

EXAMPLE = ROOT / "examples" / "kazakhstan-2022.ndjson"
PUBLISHED = "2022-04-28T00:00:00Z"  # the end of the day on which the article is assumed to have appeared
A_YEAR_ON = datetime(2023, 4, 28, tzinfo=UTC)
DEPUTIES = ("kz-knb-deputy-1", "kz-knb-deputy-2")


def lines() -> list[bytes]:
    """Return the lines of the example."""
    return EXAMPLE.read_bytes().splitlines()


def facts(subject_id: str, *types: str) -> list[Fact]:
    """Return the facts of *types* about one person, in the order of the file."""
    every = (complete(line, A_YEAR_ON)[0] for line in lines())
    return [fact for fact in every if fact.subject == subject_id and fact.type in types]


@cache
def report(until: datetime = A_YEAR_ON) -> dict[str, Any]:
    """Return the report as of *until*, if the article had been published to the log when it appeared."""
    return {**backtest(lines(), dismissals(), until).report}


def statuses() -> dict[str, Any]:
    """Return the status of each person."""
    return {status["subject_id"]: status for status in report()["subjects"]}


def cell(subject_id: str, track: str) -> str | None:
    """Return the status of one person on one track, in one word."""
    found = statuses()[subject_id][track]
    return found and str(found["status"])


def alerts(until: datetime = A_YEAR_ON) -> list[tuple[str, str, str]]:
    """Return the alerts at *until*: rule, person and state."""
    return [(alert["rule"], alert["subject_id"], alert["state"]) for alert in report(until)["alerts"]]


def test_every_line_is_applied() -> None:
    """The first file of a new user has no duplicates, conflicts or unreadable lines."""
    assert report()["counts"] == {"read": 25, "applied": 25, "duplicate": 0, "conflict": 0, "parked": 0}


def test_only_the_people_the_article_speaks_of_have_a_status() -> None:
    """Azamat Aimbetov only accuses: he has no row. The statistics of the first quarter concern no single person."""
    everybody = {"kz-masimov-karim", "kz-masimov-nurlan", "kz-kudebaev", "kz-bukharbaev", *DEPUTIES}

    assert everybody == statuses().keys()
    assert ["Azamat Aimbetov"] == [fact.data["by"]["name"] for fact in facts("kz-bukharbaev", "Accused")[:1]]
    assert not any(b"725" in line for line in lines())


def test_nothing_in_the_example_is_flagged() -> None:
    """The vague dates are such that each fact follows from the state before it."""
    assert [] == [status["anomalies"] for status in statuses().values() if status["anomalies"]]


def test_everybody_is_presumed_innocent() -> None:
    """No person has a verdict."""
    assert {"presumed_innocent"} == {status["presumption"] for status in statuses().values()}


def test_every_fact_names_its_article_and_says_why_its_day_is_approximate() -> None:
    """The article has no date, so only facts known to the day are published on a plain day."""
    read = [json.loads(line)["data"] for line in lines()]

    assert {"Kazakhstan: Purge of law enforcement agencies from corrupt officials continues"} == {
        source["title"] for data in read for source in data["sources"]
    }
    assert all("no date" in data["note"] for data in read if data["published"] != "2022-04-27")
    assert ["2022-04-25"] == [data["occurred"] for data in read if data["published"] == "2022-04-27"]


def test_kudebaev_stands_as_dismissed_and_nothing_has_followed() -> None:
    """His silence alert opens once 90 days and a settling time of 7 are over, counted from the latest possible day."""
    (alert,) = report()["alerts"]

    assert "dismissed" == cell("kz-kudebaev", "service") == statuses()["kz-kudebaev"]["headline"]
    assert PUBLISHED == statuses()["kz-kudebaev"]["service"]["since_latest"]
    assert ("dismissed-without-follow-up", "kz-kudebaev", "open") == (
        alert["rule"],
        alert["subject_id"],
        alert["state"],
    )
    assert [fact.id for fact in facts("kz-kudebaev", "Dismissed")] == alert["evidence"]
    assert [{"state": "open", "at": "2022-08-03T00:00:00Z", "cause": "deadline", "fact_id": None}] == alert["life"]
    assert "Serik Kudebaev was dismissed" in alert["explanation"]


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (datetime(2022, 8, 3, tzinfo=UTC), []),
        (datetime(2022, 8, 3, 0, 0, 1, tzinfo=UTC), [("dismissed-without-follow-up", "kz-kudebaev", "open")]),
    ],
    ids=["at the instant", "a second later"],
)
def test_silence_is_reported_once_the_clock_is_past_its_instant(
    until: datetime, expected: list[tuple[str, str, str]]
) -> None:
    """At the very instant a follow-up could still be on its way into the log."""
    assert expected == alerts(until)


def test_bukharbaev_is_detained_and_no_longer_suspended() -> None:
    """Suspended on some day before his detention, and former by the time of the article: in that order."""
    status = statuses()["kz-bukharbaev"]

    assert "detained" == status["headline"] == cell("kz-bukharbaev", "custody")
    assert "left_office" == cell("kz-bukharbaev", "service")
    assert "investigation" == cell("kz-bukharbaev", "stage")
    assert (1, ["kz-bukharbaev-fraud"]) == (status["open_cases"], [case["case_id"] for case in status["cases"]])
    assert "Anti-Corruption Agency" == status["cases"][0]["authority"]
    assert ("Shymkent", "KZ") == (status["region"], status["jurisdiction"])


def test_when_bukharbaev_was_detained_and_when_it_became_known_are_kept_apart() -> None:
    """Two days lie between them, and the status counts from the first."""
    (detained,) = facts("kz-bukharbaev", "Detained")
    custody = statuses()["kz-bukharbaev"]["custody"]

    assert ("2022-04-25", "2022-04-27") == (detained.data["occurred"], detained.data["published"])
    assert ("2022-04-25T00:00:00Z", "2022-04-26T00:00:00Z") == (custody["since_earliest"], custody["since_latest"])


def test_nobody_was_dismissed_and_then_arrested() -> None:
    """Bukharbaev is called former, but no source reported a dismissal, so no rule may state one."""
    assert [] == facts("kz-bukharbaev", "Dismissed", "Removed")
    assert "dismissal-before-arrest" not in {rule for rule, _, _ in alerts()}


def test_the_two_deputies_are_two_people_without_names() -> None:
    """They share a post and a former superior, and still remain two people."""
    for subject_id in DEPUTIES:
        status = statuses()[subject_id]
        (relation,) = facts(subject_id, "RelationAsserted")

        assert (None, "deputy head", "National Security Committee") == (
            status["name"],
            status["post"],
            status["agency"],
        )
        assert ("detained", "unknown") == (cell(subject_id, "custody"), cell(subject_id, "service"))
        assert ("kz-masimov-karim", "superior") == (relation.data["other"], relation.data["relation"])


def test_karim_masimov_is_charged_with_three_things_one_with_a_sum() -> None:
    """Charged, detained, former; not remanded, since the article names no court."""
    (case,) = statuses()["kz-masimov-karim"]["cases"]

    assert ("left_office", "detained", "charged") == tuple(
        cell("kz-masimov-karim", track) for track in ("service", "custody", "stage")
    )
    assert [{}, {}, {"amount": 2_000_000, "currency": "USD"}] == [
        {name: value for name, value in charge.items() if name != "title"} for charge in case["charges"]
    ]


def test_nurlan_masimov_is_wanted_as_a_suspect() -> None:
    """No scope is stated, which reads as national, the least a search can be; he is the brother."""
    (relation,) = facts("kz-masimov-nurlan", "RelationAsserted")
    (wanted,) = facts("kz-masimov-nurlan", "Wanted")

    assert ("left_office", "national", "suspect") == tuple(
        cell("kz-masimov-nurlan", track) for track in ("service", "wanted", "stage")
    )
    assert "scope" not in wanted.data
    assert ("kz-masimov-karim", "sibling") == (relation.data["other"], relation.data["relation"])
