"""One person in full: the statements, the facts that support them, and the instant of the view."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from services.words.careers import counts, posts
from services.words.facts import detail_words
from services.words.listing import list_words
from tests.support.builders import (
    acquitted,
    appointed,
    charged,
    convicted,
    corrected,
    detained,
    dismissed,
    made_final,
    stated,
)
from tests.support.places import CASES
from tests.support.reading import answer, ask, database_with
from tests.support.status_rows import Row, case, count, post, row, view_of

CHARGE = charged("2022-03-01")
FILES = sorted(json.loads((CASES / "expected.json").read_text("utf-8")))


def test_what_was_corrected_names_the_source_of_the_correction(tmp_path: Path) -> None:
    """The first article alone does not support the statement: it named another day."""
    first = detained("2022-03-27", sources=[{"title": "Article"}])
    database_with(tmp_path, first, corrected(first, occurred="2022-03-26", id="later"))
    shown = ask("status a", tmp_path).stdout

    assert "detained, since 2022-03-26\n" in shown
    assert "    source: “Article”\n    as corrected, published 2022-05-01, fact later\n" in shown
    assert "    source of the correction: “Decree”\n" in shown


def test_a_correction_that_was_corrected_names_both(tmp_path: Path) -> None:
    """The second correction supports the statement, and the first leads to it."""
    first = detained("2022-03-27")
    once = corrected(first, occurred="2022-03-26", id="once")
    twice = corrected(once, "2022-06-01", id="twice", data=first["data"] | {"occurred": "2022-03-25"})
    database_with(tmp_path, first, once, twice)
    shown = ask("status a", tmp_path).stdout

    assert "detained, since 2022-03-25\n" in shown
    assert re.search("as corrected, published 2022-05-01, fact once\n.*\n.*published 2022-06-01, fact twice\n", shown)


@pytest.mark.parametrize("command", ["status a", "history a"])
def test_a_view_at_an_instant_says_so(tmp_path: Path, command: str) -> None:
    """Without the instant, an earlier status could be quoted as the present one. The present needs no instant."""
    database_with(tmp_path, detained("2022-03-27"))
    then = ask(f"{command} --as-of 2022-03-01 --known-at 2022-05-01", tmp_path).stdout

    assert "  The world as of 2022-03-02T00:00:00Z. What was known at 2022-05-02T00:00:00Z.\n" in then
    assert "The world" not in ask(command, tmp_path).stdout


def test_each_decision_stands_with_its_court_its_day_and_its_counts(tmp_path: Path) -> None:
    """A reader learns at the top which counts ended in guilty and which did not."""
    database_with(
        tmp_path,
        charged("2024-03-01", charges=[{"title": "bribery"}, {"title": "forgery"}]),
        convicted("2025-02-12", authority="City Court", charges=[{"title": "forgery"}]),
        acquitted("2025-02-12", authority="City Court", charges=[{"title": "bribery"}]),
        made_final("2025-03-12"),
    )
    shown = ask("status a", tmp_path).stdout

    assert "  Convicted by a final verdict in case c.\n" in shown
    assert "Convicted by a final verdict on 1 of 2 charges (“forgery”) by City Court on 2025-02-12" in shown
    assert "ACQUITTED by a final verdict on 1 of 2 charges (“bribery”) by City Court on 2025-02-12." in shown
    assert "    forgery: convicted by a final verdict by City Court on 2025-02-12, final on 2025-03-12" in shown
    assert "    bribery: ACQUITTED by a final verdict by City Court on 2025-02-12" in shown


def test_somebody_who_became_an_ambassador_is_in_office(tmp_path: Path) -> None:
    """The former post is called former, with its ground, and the new one is listed beside it."""
    database_with(
        tmp_path,
        appointed("2020-01-01", post="head", agency="Police"),
        dismissed("2022-03-27", post="head", agency="Police", ground="loss of trust"),
        appointed("2023-01-01", post="ambassador", agency="Foreign Ministry"),
    )
    shown = ask("status a", tmp_path).stdout

    assert "Service: in office, since 2023-01-01\n" in shown
    assert (
        "  former head, Police: dismissed, since 2022-03-27; ground: “loss of trust”; held since 2020-01-01\n" in shown
    )
    assert "  ambassador, Foreign Ministry: in office, since 2023-01-01\n" in shown


def test_a_man_who_is_held_in_another_case_is_not_said_to_be_released(tmp_path: Path) -> None:
    """Bailed in one case and in prison in another: the strictest custody counts."""
    database_with(
        tmp_path,
        stated("Imprisoned", "2022-03-01", case="one"),
        stated("Bailed", "2022-04-01", case="two", amount=5000, currency="USD"),
        stated("Released", "2022-05-01", case="two"),
    )
    shown = ask("status a", tmp_path).stdout

    assert "Custody: imprisoned, since 2022-03-01\n" in shown
    assert "  in case two: released, since 2022-05-01\n" in shown


def test_the_status_of_a_dossier_keeps_apart_what_may_differ(tmp_path: Path) -> None:
    """Posts, counts, custody and measures are separate, each with the fact that supports it."""
    sanctioned = stated("MeasureImposed", "2022-06-01", authority="OFAC")
    sanctioned["data"]["kind"] = "sanction"
    database_with(
        tmp_path,
        dismissed("2022-03~", published="2022-04-10", post="head", ground="loss of trust", id="sacked"),
        charged("2022-05-01", charges=[{"title": "bribery"}, {"title": "forgery"}], id="charge"),
        acquitted("2023-05-01", charges=[{"title": "bribery"}], authority="City Court", id="free"),
        detained("2022-05-02", case="c", until="2022-07-01", id="held"),
        sanctioned,
    )
    shown = ask("history a --format markdown", tmp_path).stdout

    assert (
        "- Service: dismissed, since 2022-03\\~ (fact `sacked`)\n    - former head: dismissed, since 2022-03\\~;"
        in shown
    )
    assert "    - bribery: ACQUITTED by City Court on 2023-05-01 (fact `free`" in shown
    assert "    - forgery: no verdict: alleged (fact `charge`)" in shown
    assert "detained until 2022-07-01 as ordered, nothing newer is known (fact `held`)" in shown
    assert "- measure: sanction, since 2022-06-01; by OFAC (fact `MeasureImposed a 2022-06-01`)" in shown


def test_a_term_that_ended_in_a_post_that_no_source_names_is_told_without_from() -> None:
    """The words do not state that the person left it."""
    ended = stated("TermEnded", "2022-03-01")
    (found,) = posts(row(posts=[post("term_ended", ended, acting=True)]), view_of(ended))

    assert "a post that no source names: term ended, since 2022-03-01" == found.text


@pytest.mark.parametrize(
    ("type_", "data", "expected"),
    [
        ("Accused", {"by": {"name": "X"}, "authority": "Paper 2"}, "by X; authority: Paper 2"),
        ("Accused", {"authority": "Paper 2"}, "authority: Paper 2"),
        ("AppealFiled", {"by": "defence", "authority": "High Court"}, "by the defence; authority: High Court"),
    ],
)
def test_an_authority_is_not_taken_for_the_accuser(type_: str, data: dict[str, Any], expected: str) -> None:
    """Two phrases with "by" would name two accusers."""
    assert expected == detail_words(view_of(CHARGE), type_, data)


def test_the_sum_of_a_charge_that_was_split_is_told_as_one_sum() -> None:
    """Five counts share 5,000 EUR: the two counts of the verdict are not another 5,000."""
    stated = charged("2022-03-01", charges=[{"title": "theft", "counts": 5, "amount": 5000, "currency": "EUR"}])
    known: Row = {"title": "theft", "amount": 5000, "currency": "EUR", "charge_fact_id": stated["id"]}
    split = case(count(counts=2, **known), count(counts=3, **known))
    single = case(count(counts=5, **known))

    assert ["theft, 5,000 EUR in all, 2 counts: no verdict: alleged", "theft, 5,000 EUR in all, 3 counts"] == [
        next(counts(split, view_of(stated))).text,
        list(counts(split, view_of(stated)))[1].text.partition(":")[0],
    ]
    assert "theft, 5,000 EUR, 5 counts: no verdict: alleged" == next(counts(single, view_of(stated))).text


def test_two_charges_of_one_sum_each_keep_their_sums() -> None:
    """The source states both sums. Neither is a part of the other."""
    charge: Row = {"title": "theft", "amount": 5000, "currency": "EUR"}
    stated = charged("2022-03-01", charges=[charge, charge])
    both = case(*[count(**charge, charge_fact_id=stated["id"])] * 2)

    assert not [line.text for line in counts(both, view_of(stated)) if "in all" in line.text]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], "ACQUITTED, on appeal"),
        ([count("dropped", CHARGE, title="y")], "ACQUITTED in part, on appeal"),
        ([count(title="y")], "on appeal, not final"),
        ([count("convicted", CHARGE, title="y", on_appeal=True)], "on appeal, not final"),
    ],
)
def test_an_acquittal_on_appeal_is_as_visible_as_one_that_is_not(others: list[Row], expected: str) -> None:
    """The prosecution's appeal does not turn it into an accusation."""
    free = count("acquitted", acquitted("2022-01-01"), title="x", on_appeal=True)

    assert expected == list_words(row(case(free, *others, stage="appeal"))).case


@pytest.mark.parametrize("file", FILES)
def test_no_life_is_told_as_more_than_it_is(tmp_path: Path, file: str) -> None:
    """In no layout is a person called cleared or finally convicted without a decision that proves it."""
    database_with(tmp_path, *map(json.loads, (CASES / file).read_text("utf-8").splitlines()))
    for status in answer("status", tmp_path):
        found = [each for of in status["cases"] for each in of["counts"]]
        final = any(each["verdict"] == "convicted" and each["final"] for each in found)
        subject = status["subject_id"]
        for command in (["status", subject], ["history", subject], ["history", subject, "--format", "markdown"]):
            shown = ask(command, tmp_path).stdout.lower()

            assert ("cleared" in shown) == (status["presumption"] == "cleared")
            assert final or "convicted by a final verdict" not in shown
            assert "no court has found it proven" not in shown or not any(
                each["verdict"] == "convicted" for each in found
            )
