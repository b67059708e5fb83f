"""The cases of tests/cases: careers and records that went wrong, and the right answers for them."""

import json
import re
from functools import cache
from typing import Any

import pytest
from sqlalchemy import Engine

from projections.projector.backtest import backtest
from projections.projector.projector import Projector
from projections.projector.rebuild import rebuild
from projections.rules.files.loading import pack
from projections.tables.schema import LIVE
from tests.support.builders import Line, Row, fact, instant, project, projector, retracted, rows, statuses
from tests.support.places import CASES
from tests.support.reading import ask
from tests.support.rules import dismissals

EXPECTED: dict[str, list[Row]] = json.loads((CASES / "expected.json").read_text("utf-8"))
SPOKEN_OF = {"open", "acknowledged"}
COUNT = re.compile(r"cases\[(.*?)\]\.counts\[(.*)\]\.status")
# Files without an entry, each with a test below or in the module that is named.
ELSEWHERE = {
    "approximate": "here",
    "blank-source": "test_decode",
    "charge-key-order": "here",
    "dotless-i": "test_names",
    "future-published": "here",
    "invisible-in-name": "test_names",
    "retracted-then-confirmed-1": "here",
    "retracted-then-confirmed-2": "here",
    "space-in-ids": "test_decode",
}


def lines(name: str) -> list[Line]:
    """Return the facts of a file."""
    return [json.loads(line) for line in (CASES / f"{name}.ndjson").read_bytes().splitlines()]


@cache
def report(name: str, until: str) -> dict[str, Any]:
    """Return the output of ``backtest FILE --until INSTANT --json``, with the rules that ship."""
    with (CASES / name).open("rb") as facts:
        return {**backtest(facts, pack(), instant(until)).report}


def person(name: str, until: str, subject: str) -> Row:
    """Return the row of one person in a report."""
    (row,) = (row for row in report(name, until)["subjects"] if row["subject_id"] == subject)
    return dict(row)


def at_path(row: Row, path: str) -> Any:
    """Return the value in *row* at *path*; null if a cell on the way is null."""
    if found := COUNT.fullmatch(path):
        (case,) = (case for case in row["cases"] if case["case_id"] == found[1])
        (status,) = (count["status"] for count in case["counts"] if found[2] in (count["title"], count["article"]))
        return status
    value: Any = row
    for name in path.split("."):
        value = None if value is None else value[name]
    return value


def expectations(key: str) -> list[Any]:
    """Return the entries of expected.json with *key*, each with its file, for a test."""
    return [
        pytest.param(name, entry, id=f"{name.removesuffix('.ndjson')} {entry['until']}")
        for name, entries in EXPECTED.items()
        for entry in entries
        if key in entry
    ]


@pytest.mark.parametrize(("name", "entry"), expectations("expect"))
def test_the_status_is_the_right_one(name: str, entry: Row) -> None:
    """At the instant of each entry, for each path in it."""
    row = person(name, entry["until"], entry["subject"])

    assert entry["expect"] == {path: at_path(row, path) for path in entry["expect"]}


@pytest.mark.parametrize(("name", "entry"), expectations("open_alerts"))
def test_the_alerts_that_stand_are_the_right_ones(name: str, entry: Row) -> None:
    """Return the rules of all alerts that are open or acknowledged, over all people."""
    standing = [alert["rule"] for alert in report(name, entry["until"])["alerts"] if alert["state"] in SPOKEN_OF]

    assert sorted(entry["open_alerts"]) == sorted(standing)


def test_every_file_has_its_answer_or_its_test() -> None:
    """A case without a test proves nothing."""
    files = {path.stem for path in CASES.glob("*.ndjson")}

    assert files == {name.removesuffix(".ndjson") for name in EXPECTED} | ELSEWHERE.keys()


def stamped(engine: Engine, name: str) -> Projector:
    """A projector that has read a file on the first of November 2026."""
    held = projector(engine)
    project(held, lines(name), stamped="2026-11-01T00:00:00Z")
    return held


@pytest.mark.parametrize(
    ("subject", "since"), [("approx", "2022-03-27~"), ("unsure", "2022-03-27?"), ("exact", "2022-03-27")]
)
def test_the_marks_of_a_date_stay_visible(engine: Engine, subject: str, since: str) -> None:
    """In JSON, in the row of the person and in that of the hold, as the source wrote them."""
    stamped(engine, "approximate")
    (row,) = (row for row in statuses(engine) if row["subject_id"] == subject)
    (in_subjects,) = (row for row in rows(engine, LIVE.subjects) if row["subject_id"] == subject)
    (in_holds,) = (row for row in rows(engine, LIVE.holds) if row["subject_id"] == subject)

    assert since == row["custody"]["since"] == row["custody_cases"][0]["since"]
    assert since == in_subjects["custody_since"] == in_holds["since"]


def test_the_marks_of_a_date_stay_visible_in_tables() -> None:
    """Beside the headline."""
    shown = ask(f"backtest {CASES / 'approximate.ndjson'}", CASES).stdout

    assert {"approx": "2022-03-27~", "exact": "2022-03-27", "unsure": "2022-03-27?"} == dict(
        re.findall(r"(approx|exact|unsure)\b.*?(2022-03-27[~?]?)", shown)
    )


def test_the_order_of_the_keys_of_a_charge_is_no_difference(engine: Engine) -> None:
    """A rebuild reads JSON from the ledger that a database may write in another order."""
    stamped(engine, "charge-key-order")

    assert [] == rebuild(engine, dismissals(), lambda _: None, exchange=False)


def test_what_is_dated_in_the_far_future_is_flagged_and_does_not_count(engine: Engine) -> None:
    """A typing error in the year: neither the detention nor the dismissal counts, and a birth ahead is flagged."""
    stamped(engine, "future-published").advance_watermark(instant("2030"), instant("2030"))
    found = {row["subject_id"]: row for row in statuses(engine)}

    assert ("unknown", "unknown") == (found["fut-4"]["headline"], found["fut-3"]["headline"])
    assert {"fut-3": ["dated_ahead"], "fut-4": ["dated_ahead"], "fut-6": ["born_ahead"]} == {
        name: [flag["code"] for flag in row["anomalies"]] for name, row in found.items()
    }


def test_a_dismissal_dated_ahead_counts_once_its_day_is_over(engine: Engine) -> None:
    """A case or custody fact never does."""
    stamped(engine, "future-published").advance_watermark(instant("2210"), instant("2210"))
    found = {row["subject_id"]: row["headline"] for row in statuses(engine)}

    assert ("dismissed", "unknown") == (found["fut-3"], found["fut-4"])


def test_a_detention_that_another_article_confirms_stands_after_a_retraction(engine: Engine) -> None:
    """Another article is another fact: a retraction of the first leaves the second."""
    held = projector(engine)
    first, second = lines("retracted-then-confirmed-1"), lines("retracted-then-confirmed-2")
    detention = first[1] | {"id": fact(first[1]).id}
    project(held, [first[0], detention, retracted(detention)])
    (row,) = statuses(engine)
    assert "dismissed" == row["headline"]

    project(held, second)
    (row,) = statuses(engine)
    assert ("detained", fact(second[0]).id) == (row["headline"], row["custody"]["fact_id"])
    assert fact(second[0]).id != detention["id"]
