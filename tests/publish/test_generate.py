"""Invented facts: equal for equal seeds, plausible, and untidy to the intended degree."""

import json
import tracemalloc
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from events.decode import complete
from events.edtf import parse
from events.errors import BadInput, Unreadable
from events.vocabulary import DATA
from projections.projector.backtest import backtest
from projections.rules.files.loading import pack
from services.publish.samples import generate
from tests.support.commands import run

UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = 1000
LEFT_OUT = ("after", "authority", "ground", "region")
"""Particulars that a second paper leaves out."""


@cache
def lines(*, tidy: bool = False) -> list[bytes]:
    """The lines about a thousand people."""
    return list(generate(PEOPLE, 1, until=UNTIL, tidy=tidy))


@cache
def report() -> dict[str, Any]:
    """The report of a backtest of these lines."""
    return {**backtest(lines(), pack(), UNTIL).report}


def events(*, tidy: bool = False) -> list[dict[str, Any]]:
    """The lines that are JSON, parsed."""
    found = []
    for line in lines(tidy=tidy):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def counts(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The counts of all cases of one person."""
    return [count for case in row["cases"] for count in case["counts"]]


def before(fact_id: str) -> str:
    """The id of the previous fact about the same person."""
    subject, _, serial = fact_id.rpartition("-")
    return f"{subject}-{int(serial) - 1}"


def unlike(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """The fields that differ, or that only one of two facts has."""
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def verdicts(case: dict[str, Any]) -> set[str]:
    """The statuses of the counts of one case."""
    return {count["status"] for count in case["counts"]}


def held(hold: dict[str, Any]) -> bool:
    """Whether a person is in custody in one case."""
    return hold["status"] in {"detained", "remanded", "house_arrest", "imprisoned"}


def codes(of: list[bytes]) -> Counter[str]:
    """The number of the lines *of* that cannot be read, by the reason."""
    found: Counter[str] = Counter()
    for line in of:
        try:
            complete(line, UNTIL)
        except Unreadable as problem:
            found[problem.code] += 1
    return found


def test_a_seed_gives_the_same_lines_again_and_another_seed_others() -> None:
    """A benchmark or a failing test can be repeated with the same facts."""
    again, other = list(generate(20, 7, until=UNTIL)), list(generate(20, 8, until=UNTIL))

    assert again == list(generate(20, 7, until=UNTIL))
    assert again != other


def test_a_later_number_to_begin_with_gives_other_people() -> None:
    """Two files can then be published into one database."""
    one, other = (
        {json.loads(line)["id"] for line in generate(20, 7, first=first, until=UNTIL, tidy=True)} for first in (1, 21)
    )

    assert one
    assert one & other == set()


def test_the_facts_are_as_many_as_asked_for() -> None:
    """A mean of ten facts for 100,000 people is a million facts, plus duplicates and malformed lines."""
    counts = report()["counts"]

    assert (10 * PEOPLE, PEOPLE) == (counts["applied"], len(report()["subjects"]))
    assert len(lines()) == counts["read"] == sum(counts.values()) - counts["read"]


def test_duplicates_conflicts_and_malformed_lines_are_among_them() -> None:
    """Each kind that a projector must distinguish occurs. Together they are about two in a hundred lines."""
    counts = report()["counts"]

    assert all(counts[outcome] > 0 for outcome in ("duplicate", "conflict", "parked"))
    assert {"not_json", "unknown_type", "invalid"} == codes(lines()).keys()
    assert 0.01 < 1 - counts["applied"] / counts["read"] < 0.04


def test_tidy_lines_can_all_be_read_and_never_conflict() -> None:
    """Duplicates stay, since publishing a fact twice is not an error."""
    contents = {(event["id"], json.dumps(event["data"])) for event in events(tidy=True)}

    assert not codes(lines(tidy=True))
    assert len(contents) == len({fact_id for fact_id, _ in contents}) == 10 * PEOPLE < len(lines(tidy=True))


def test_every_type_of_the_vocabulary_occurs() -> None:
    """All 64 types occur, so that a reader of the facts sees the whole vocabulary."""
    assert set(DATA) | {"Vanished"} == {event["type"] for event in events()}


@pytest.mark.parametrize(
    ("shape", "holds"),
    [
        ("two posts held", lambda row: sum(post["status"] == "in_office" for post in row["posts"]) > 1),
        ("an acting post", lambda row: any(post["acting"] for post in row["posts"])),
        ("a post that moved", lambda row: any(post["status"] == "moved" for post in row["posts"])),
        ("three counts", lambda row: any(len(case["counts"]) > 2 for case in row["cases"])),
        ("a mixed verdict", lambda row: any({"convicted", "acquitted"} <= verdicts(case) for case in row["cases"])),
        ("counts on appeal", lambda row: any(count["on_appeal"] for count in counts(row))),
        ("replaced counts", lambda row: any(count["status"] == "replaced" for count in counts(row))),
        ("a pardon", lambda row: any(count["status"] == "pardoned" for count in counts(row))),
        ("parts of a sentence", lambda row: any(len(case["parts"]) > 1 for case in row["cases"])),
        ("two open cases", lambda row: row["open_cases"] > 1),
        ("a disciplinary case", lambda row: any(case["kind"] == "disciplinary" for case in row["cases"])),
        ("held in two cases", lambda row: len([hold for hold in row["custody_cases"] if held(hold)]) > 1),
        ("a hold with an ordered end", lambda row: any(hold["until"] for hold in row["custody_cases"])),
        ("two searches", lambda row: len(row["searches"]) > 1),
        ("two measures", lambda row: len(row["measures"]) > 1),
        ("a death", lambda row: row["service"]["status"] == "deceased"),
        ("two reports of one event", lambda row: row["service"]["facts"] > 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_some_people_have_two_of_everything(shape: str, holds: Any) -> None:
    """Among a thousand people, each pair of things that can exist side by side occurs."""
    assert any(holds(row) for row in report()["subjects"]), shape


def test_one_life_in_four_has_such_shapes_and_the_others_are_plain() -> None:
    """Benchmarks stay comparable: most people have one post and one case at a time, and about ten facts."""
    marks = {"after", "plea", "acting", "concurrent", "kind", "until", "classes", "post_id", "parts", "program"}
    about: dict[str, set[str]] = {event["subject"]: set() for event in events(tidy=True)}
    for event in events(tidy=True):
        charges = {name for charge in event["data"].get("charges", ()) for name in charge}
        about[event["subject"]] |= (event["data"].keys() | charges) & (marks | {"count_id"})

    assert 0.2 * PEOPLE < sum(map(bool, about.values())) < 0.3 * PEOPLE


def test_papers_that_report_one_event_put_its_date_with_another_precision() -> None:
    """The reports agree though their sources and the precision of their dates differ."""
    facts = {event["id"]: event for event in events(tidy=True)}
    second = [event for event in facts.values() if "publisher" in event["data"]["sources"][0]]
    pairs = [(facts[before(event["id"])], event) for event in second]
    differ = {name for name in ("occurred", "sources") for one, two in pairs if one["data"][name] != two["data"][name]}

    assert {"occurred", "sources"} == differ
    for one, two in pairs:
        assert (one["type"], one["subject"]) == (two["type"], two["subject"])
        assert unlike(one["data"], two["data"]) <= {"occurred", "published", "sources", *LEFT_OUT}


def test_a_fact_that_came_after_another_names_it_and_has_its_date() -> None:
    """The source states that it followed on the same day."""
    facts = {event["id"]: event for event in events(tidy=True)}
    later = [event for event in facts.values() if "after" in event["data"]]

    assert {"Acquitted", "Released", "Detained"} <= {event["type"] for event in later}
    for event in later:
        (earlier,) = event["data"]["after"]
        assert facts[earlier]["data"]["occurred"] == event["data"]["occurred"]
        assert facts[earlier]["subject"] == event["subject"]


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("exact", lambda occurred, _: len(occurred) == len("2022-03-27")),
        ("a month", lambda occurred, _: len(occurred) == len("2022-03")),
        ("marked", lambda occurred, _: parse(occurred).marked),
        ("an interval", lambda occurred, _: "/" in occurred),
        ("a date-time", lambda occurred, _: "T" in occurred),
        ("undated", lambda occurred, _: not parse(occurred).dated),
        ("announced", lambda occurred, published: occurred > f"{published}~" and "X" not in occurred),
        ("known late", lambda occurred, published: occurred[:4].isdigit() and occurred[:4] < published[:4]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_dates_are_as_vague_and_as_late_as_sources_are(kind: str, holds: Any) -> None:
    """Each form of a date that changes a conclusion occurs."""
    assert any(holds(event["data"]["occurred"], event["data"]["published"]) for event in events()), kind


def test_corrections_and_retractions_speak_of_facts_there_are() -> None:
    """Their targets exist. A retraction may also retract a correction."""
    types = {event["id"]: event["type"] for event in events(tidy=True)}
    about = [event for event in events(tidy=True) if event["type"] in {"Corrected", "Retracted"}]
    targets = {(event["type"], types[event["data"]["fact_id"]] == "Corrected") for event in about}

    assert {("Corrected", False), ("Retracted", False), ("Retracted", True)} == targets
    assert "correction_misfit" not in {flag["code"] for person in report()["subjects"] for flag in person["anomalies"]}


def test_lines_come_in_the_order_in_which_they_were_recorded() -> None:
    """No line is recorded before it was published or after the end, and the lines of people are mixed."""
    recorded = [event["recorded"] for event in events()]

    assert recorded == sorted(recorded)
    assert recorded[-1] < "2026-01-01"
    assert all(event["recorded"][:10] >= event["data"]["published"] for event in events())
    assert sum(a["subject"] != b["subject"] for a, b in pairwise(events())) > len(recorded) / 2


def test_alerts_of_both_rules_open_and_end_in_every_way() -> None:
    """The careers are plausible enough for the rules to find something."""
    lives = {(alert["rule"], *(step["state"] for step in alert["life"])) for alert in report()["alerts"]}

    assert {
        ("dismissed-without-follow-up", "open"),
        ("dismissed-without-follow-up", "open", "resolved"),
        ("dismissed-without-follow-up", "open", "retracted"),
        ("dismissal-before-arrest", "open"),
        ("dismissal-before-arrest", "open", "retracted"),
    } <= lives


def test_only_careers_under_way_are_held_in_memory() -> None:
    """A line is yielded before later careers are generated."""
    tracemalloc.start()
    try:
        size = sum(len(line) for line in generate(3000, 1, until=UNTIL))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < size / 3


def test_one_person_with_one_fact_is_enough() -> None:
    """This is the smallest request."""
    (line,) = generate(1, 1, facts_per_subject=1, until=UNTIL, tidy=True)

    assert "SubjectDescribed" == json.loads(line)["type"]


def test_a_year_without_four_digits_is_refused() -> None:
    """The first careers begin years before, and dates have four digits."""
    with pytest.raises(BadInput, match=r"until: the year 999 \(want a year from 1000 on\)"):
        next(generate(1, 1, until=datetime(999, 1, 1, tzinfo=UTC)))


def test_the_command_writes_the_same_to_stdout_and_to_a_file(tmp_path: Path) -> None:
    """The output has one fact a line and nothing else."""
    printed = run("generate --subjects 20 --seed 3", tmp_path)
    written = run("generate --subjects 20 --seed 3 -o facts.ndjson", tmp_path)

    assert (0, "") == (printed.returncode, printed.stderr)
    assert (0, "", "") == (written.returncode, written.stdout, written.stderr)
    assert printed.stdout == (tmp_path / "facts.ndjson").read_text()
    assert list(generate(20, 3, until=UNTIL)) == printed.stdout.encode().splitlines()


def test_the_command_takes_an_end_a_mean_and_tidiness(tmp_path: Path) -> None:
    """Each option reaches the generator."""
    done = run("generate --subjects 4 --seed 3 --first 9 --facts-per-subject 6 --until 2019-12-31 --tidy", tmp_path)
    expected = generate(4, 3, first=9, facts_per_subject=6, until=datetime(2020, 1, 1, tzinfo=UTC), tidy=True)

    assert list(expected) == done.stdout.encode().splitlines()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--subjects 1 --until soon", '"soon" is not a date'),
        ("--subjects 1 -o missing/facts.ndjson", "missing/facts.ndjson: No such file or directory"),
        ("--subjects 0", "--subjects"),
        ("", "--subjects"),
    ],
)
def test_the_command_says_what_is_wrong_with_an_option(tmp_path: Path, options: str, said: str) -> None:
    """It is a usage error: exit code 2, and nothing on stdout."""
    done = run(f"generate {options}", tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert said in done.stderr
