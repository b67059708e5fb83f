"""`casetrail history`: all facts about one person, with the corrections and retractions of each."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from projections.ledger.chain import GENESIS
from services.words.terms import ANOMALIES
from tests.support.builders import (
    accused,
    acquitted,
    appointed,
    corrected,
    described,
    detained,
    dismissed,
    retracted,
    stated,
)
from tests.support.places import ROOT
from tests.support.reading import answer, ask, database_with

SOURCE = {"url": "https://n.example/a_b", "title": "Decree *7*", "publisher": "The Desk", "reliability": "B"}


def facts(folder: Path, options: str = "") -> dict[str, dict[str, Any]]:
    """The facts of the history of `a`, by id."""
    return {fact["id"]: fact for fact in answer(f"history a {options}", folder)["facts"]}


def test_facts_come_in_world_order_and_the_rest_apart(tmp_path: Path) -> None:
    """Facts without a year and announced facts must not be among those that happened."""
    late = dismissed("2022-03-27", id="dismissed", recorded="2022-04-01T00:00:00Z")
    database_with(
        tmp_path,
        late,
        stated("Detained", "XXXX-05-01", id="undated"),
        appointed("2031-06-01", published="2022-05-01", id="announced"),
        retracted(stated("Suspended", "2022-01-01"), id="about"),
        appointed("2020-01-01", id="appointed", recorded="2022-07-01T00:00:00Z"),
    )

    assert [
        ("appointed", "world"),
        ("dismissed", "world"),
        ("announced", "announced"),
        ("undated", "undated"),
        ("about", "about_facts"),
    ] == [(fact["id"], fact["section"]) for fact in answer("history a", tmp_path)["facts"]]
    assert re.findall("Appointed|Dismissed|Announced|Detained|About", ask("history a", tmp_path).stdout) == [
        "Appointed", "Dismissed", "Announced", "Appointed", "Detained", "About",
    ]  # fmt: skip


def test_each_fact_is_a_cloud_event_with_its_place_in_the_ledger(tmp_path: Path) -> None:
    """A reader in doubt can find the row, and compare its hash with another copy."""
    database_with(tmp_path, dismissed("2022-03-27", recorded="2022-03-29T10:00:00Z", sources=[SOURCE]))
    (fact,) = facts(tmp_path).values()

    assert ("1.0", "Dismissed", "urn:test:desk", "a") == (
        fact["specversion"], fact["type"], fact["source"], fact["subject"],
    )  # fmt: skip
    assert [SOURCE] == fact["data"]["sources"]
    assert "2022-03-29T10:00:00Z" == fact["recorded"]
    assert {"partition": 0, "offset": 0} == fact["position"]
    assert 2 == fact["seq"], "row 1 says which rules are in force"
    assert re.fullmatch("[0-9a-f]{64}", fact["hash"])
    assert fact["hash"] != GENESIS


def test_a_correction_shows_both_data_and_who_changed_it(tmp_path: Path) -> None:
    """The first statement is not hidden by the correction."""
    first = dismissed("2022-03-27", ground="loss of trust")
    second = corrected(first, occurred="2022-03-20", ground=None)
    database_with(tmp_path, first, second)
    found = facts(tmp_path)[first["id"]]
    shown = ask("history a", tmp_path).stdout

    assert ("corrected", second["id"]) == (found["state"], found["corrected_by"])
    assert ("2022-03-27", "2022-03-20") == (found["data"]["occurred"], found["data_in_force"]["occurred"])
    assert f"corrected: occurred 2022-03-27 -> 2022-03-20, by fact {second['id']}" in shown
    assert f"corrected: ground loss of trust -> (nothing), by fact {second['id']}" in shown
    assert "  2022-03-20: Dismissed [corrected]" in shown


def test_a_retraction_shows_by_whom_and_why(tmp_path: Path) -> None:
    """The statement stays visible and is marked, with the reason of the retraction."""
    first = dismissed("2022-03-27")
    database_with(tmp_path, first, retracted(first, id="taken back"))
    found = facts(tmp_path)[first["id"]]

    assert ("retracted", "taken back", None) == (found["state"], found["retracted_by"], found["data_in_force"])
    assert "2022-03-27: Dismissed [RETRACTED]" in ask("history a", tmp_path).stdout
    assert "retracted by fact taken back, reason: wrong" in ask("history a", tmp_path).stdout


def test_corrections_that_have_no_effect_say_why(tmp_path: Path) -> None:
    """Of two corrections the later counts. A correction of an unknown or retracted fact has no effect."""
    first, gone = dismissed("2022-03-27"), detained("2022-04-01", case="c")
    database_with(
        tmp_path,
        first,
        corrected(first, "2022-05-01", id="early", ground="x"),
        corrected(first, "2022-05-02", id="late", ground="y"),
        gone,
        retracted(gone, id="retraction"),
        corrected(gone, id="too late", occurred="2022-04-02"),
        retracted(appointed("2019-01-01"), id="of nothing"),
    )
    found = facts(tmp_path)

    assert ("no_effect", "superseded") == (found["early"]["state"], found["early"]["because"])
    assert ("in_force", None) == (found["late"]["state"], found["late"]["because"])
    assert ("no_effect", "target_retracted") == (found["too late"]["state"], found["too late"]["because"])
    assert ("no_effect", "target_missing") == (found["of nothing"]["state"], found["of nothing"]["because"])
    assert "in_force" == found["retraction"]["state"]
    assert 1 == ask("history a", tmp_path).stdout.count("speaks of a fact that is not known of this person")


def test_a_retracted_correction_gives_back_what_it_replaced(tmp_path: Path) -> None:
    """History is not rewritten: all three facts are shown, and the first one is in force again."""
    first = dismissed("2022-03-27")
    second = corrected(first, occurred="2022-03-20")
    database_with(tmp_path, first, second, retracted(second, id="never mind"))
    found = facts(tmp_path)

    assert "in_force" == found[first["id"]]["state"]
    assert "2022-03-27" == found[first["id"]]["data_in_force"]["occurred"]
    assert ("retracted", "never mind") == (found[second["id"]]["state"], found[second["id"]]["retracted_by"])


def test_anomalies_stand_with_the_fact_they_concern(tmp_path: Path) -> None:
    """Anomalies are codes in JSON and words for people."""
    database_with(tmp_path, stated("Released", "2022-03-27"), stated("Detained", "XXXX-05-01"))
    found = facts(tmp_path)

    assert ["not_in_custody"] == found["Released a 2022-03-27"]["anomalies"]
    assert ["undated"] == found["Detained a XXXX-05-01"]["anomalies"]
    assert "to be noted: reports a release, and no custody that it could end is known before it" in (
        ask("history a", tmp_path).stdout
    )


@pytest.mark.parametrize("layout", ["", " --format markdown"])
def test_a_report_of_an_event_names_the_fact_that_it_repeats(tmp_path: Path, layout: str) -> None:
    """Two papers report one dismissal: a reader does not count two."""
    database_with(tmp_path, dismissed("2022-03-27", id="first"), dismissed("2022-03-27", id="second"))
    shown = ask(f"history a{layout}", tmp_path).stdout

    assert "first" == facts(tmp_path)["second"]["report_of"]
    assert 1 == shown.count("reports the same event as fact first")
    assert "reports the same event as fact second" not in shown


def test_every_anomaly_has_its_words() -> None:
    """A new code of the fold must not reach a reader as a code."""
    code = "".join(path.read_text("utf-8") for path in (ROOT / "projections").rglob("*.py"))
    named = re.findall(r"""lag\(\s*"([a-z_]+)"|}\)?, "([a-z_]+)"\)""", code)

    assert set() == {flag or presupposed for flag, presupposed in named} - set(ANOMALIES)
    assert set() == {flag for flag in ANOMALIES if f'"{flag}"' not in code}


def test_the_date_stands_as_written_with_the_words_of_the_source(tmp_path: Path) -> None:
    """A vague date is not made precise."""
    database_with(tmp_path, dismissed("2022-03~", published="2022-04-10", occurred_text="recently"))
    shown = ask("history a", tmp_path).stdout

    assert "  2022-03~ (“recently”): Dismissed\n    published 2022-04-10\n" in shown


def test_sources_are_given_with_how_far_they_can_be_relied_on(tmp_path: Path) -> None:
    """A source has publisher, title, address and a rating on the Admiralty scale."""
    database_with(tmp_path, dismissed("2022-03-27", sources=[SOURCE]))

    assert "    source: The Desk, “Decree *7*”, https://n.example/a_b, rated B\n" in ask("history a", tmp_path).stdout


def test_known_at_leaves_out_what_came_later(tmp_path: Path) -> None:
    """A correction that was recorded later changes nothing."""
    first = dismissed("2022-03-27", recorded="2022-03-28T00:00:00Z")
    database_with(tmp_path, first, corrected(first, recorded="2022-05-01T00:00:00Z", occurred="2022-03-20"))
    found = facts(tmp_path, "--known-at 2022-04-29")

    assert [(first["id"], "in_force")] == [(fact["id"], fact["state"]) for fact in found.values()]
    assert "2022-04-30T00:00:00Z" == answer("history a --known-at 2022-04-29", tmp_path)["known_at"]


def test_as_of_leaves_out_what_had_not_happened(tmp_path: Path) -> None:
    """The date in force decides: a correction moves a fact to its own place."""
    first = dismissed("2022-03-27")
    database_with(
        tmp_path,
        appointed("2020-01-01"),
        first,
        corrected(first, "2022-05-21", occurred="2022-05-20", published="2022-05-21"),
    )

    assert ["Appointed", "Corrected"] == [fact["type"] for fact in facts(tmp_path, "--as-of 2022-05-19").values()]
    assert ["Appointed", "Dismissed", "Corrected"] == [
        fact["type"] for fact in facts(tmp_path, "--as-of 2022-05-20").values()
    ]


def test_somebody_unknown_has_no_history(tmp_path: Path) -> None:
    """The exit code is 1, similar ids are named, and programs get null."""
    database_with(tmp_path, described("2022-01-01", subject="kz-kudebaev"))
    done = ask("history kudebaev --json", tmp_path)

    assert (1, "null\n") == (done.returncode, done.stdout)
    assert "casetrail: kudebaev is not known (similar ids: kz-kudebaev)\n" == done.stderr


def test_somebody_known_later_was_not_mistyped(tmp_path: Path) -> None:
    """Similar ids would mislead, since the id itself is right."""
    database_with(tmp_path, *(described("2022-01-01", subject=f"kz-kudebae{end}") for end in "ov"))
    done = ask("history kz-kudebaev --known-at 2021", tmp_path)

    assert (1, "casetrail: kz-kudebaev is not known at that instant\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ({"name": "Azamat Aimbetov"}, "by: Azamat Aimbetov\n"),
        ({"subject_id": "kz-a"}, "by: [kz-a]\n"),
        ({"name": "Azamat Aimbetov", "subject_id": "kz-a"}, "by: Azamat Aimbetov [kz-a]\n"),
    ],
)
def test_the_accuser_is_told_in_words(tmp_path: Path, by: dict[str, str], expected: str) -> None:
    """The accuser is named by name, by id, or by both."""
    database_with(tmp_path, accused("2022-01-01", by=by))

    assert expected in ask("history a", tmp_path).stdout


def dossier(folder: Path, options: str = "") -> str:
    """The dossier of `a`."""
    return ask(f"history a --format markdown {options}", folder).stdout


def test_a_dossier_gives_each_fact_its_source_position_and_hash(tmp_path: Path) -> None:
    """A reader can check the dossier without trusting the desk or casetrail."""
    database_with(tmp_path, appointed("2020-01-01"), dismissed("2022-03-27", sources=[SOURCE]))
    written = dossier(tmp_path)

    for fact in facts(tmp_path).values():
        assert f"- ledger: position 0:{fact['position']['offset']}, row {fact['seq']}, hash `{fact['hash']}`" in written
    assert "<https://n.example/a_b>" in written
    assert "`casetrail audit verify`" in written


def test_a_dossier_has_the_status_on_top(tmp_path: Path) -> None:
    """The standing before the law comes before the accusations."""
    database_with(tmp_path, described("2022-01-01", name="Ann"), accused("2022-03-01"), acquitted("2022-09-01"))
    written = dossier(tmp_path)
    order = [written.index(part) for part in ("# Ann", "Cleared: ", "ACQUITTED", "## Status", "## In the order")]

    assert sorted(order) == order


def test_a_dossier_has_the_replies_and_the_life_of_each_alert(tmp_path: Path) -> None:
    """It has the person's own words, and each alert with its times, also a retracted one."""
    first = dismissed("2022-03-27")
    reply = stated("ReplyRecorded", "2022-04-05", fact_id=first["id"], text="I left > by myself.")
    late = detained("2022-04-20", recorded="2022-09-01T00:00:00Z", case="c")
    database_with(tmp_path, first, reply, late)
    written = dossier(tmp_path)

    assert f"To Dismissed, 2022-03-27 (fact {first['id']}):\n\n> I left \\> by myself.\n" in written
    assert "### dismissed-without-follow-up: retracted" in written
    assert "- 2022-07-03T00:00:00Z open (deadline)\n- 2022-09-01T00:00:00Z retracted (late knowledge" in written


def test_a_dossier_of_a_moment_knows_no_later_alert(tmp_path: Path) -> None:
    """A reader in August did not know of a retraction in September."""
    database_with(tmp_path, dismissed("2022-03-27"), detained("2022-04-20", recorded="2022-09-01T00:00:00Z", case="c"))

    assert "### dismissed-without-follow-up: open" in dossier(tmp_path, "--known-at 2022-08-30")
    assert "## Alerts" not in dossier(tmp_path, "--known-at 2022-05")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("<script>alert(1)</script>", "# \\<script\\>alert(1)\\</script\\>"),
        ("a](http://evil.example)[b", "# a\\](http://evil.example)\\[b"),
        ("# Ann\n# Bob", "# \\# Ann \\# Bob"),
        ("**Ann** `x`", "# \\*\\*Ann\\*\\* \\`x\\`"),
        ("- Ann", "# \\- Ann"),
    ],
)
def test_no_text_changes_the_shape_of_a_dossier(tmp_path: Path, name: str, expected: str) -> None:
    """A name produces neither headings nor links nor HTML."""
    database_with(tmp_path, described("2022-01-01", name=name))

    assert expected == dossier(tmp_path).splitlines()[0]


def test_json_is_one_object(tmp_path: Path) -> None:
    """Programs get the same shape with every --format."""
    database_with(tmp_path, dismissed("2022-03-27"))
    found = json.loads(ask("history a --format markdown --json", tmp_path).stdout)

    assert ["subject_id", "name", "as_of", "known_at", "status", "facts"] == list(found)
    assert "dismissed" == found["status"]["headline"]
