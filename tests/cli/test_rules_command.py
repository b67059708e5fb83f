"""`casetrail rules`: the list, one rule in full, and the check of rule files."""

import json
from pathlib import Path

import pytest

from projections.rules.files.loading import pack
from tests.support.chains import ACCUSED, QUIET
from tests.support.commands import run
from tests.support.places import ROOT
from tests.support.reading import answer, ask, database_with
from tests.support.rules import SEQUENCE, SILENCE
from tests.support.scenario_db import populate

PACK = pack().every


def rules_file(folder: Path, text: str = SILENCE, name: str = "mine.yaml") -> str:
    """Write *text* as a rule file, and return its name."""
    (folder / name).write_text(text, "utf-8")
    return name


def in_force(folder: Path, **env: str) -> set[str]:
    """Return the ids of the rules of which exactly the listed version is in force."""
    return {rule["rule"] for rule in answer("rules list", folder, **env) if rule["in_force"]}


def test_the_pack_is_listed_without_a_database(tmp_path: Path) -> None:
    """A newcomer can read the rules before the first fact."""
    found = answer("rules list", tmp_path)

    assert [rule.id for rule in PACK] == [rule["rule"] for rule in found]
    assert {None} == {rule["in_force"] for rule in found}
    assert {rule.id: rule.version for rule in PACK} == {rule["rule"]: rule["version"] for rule in found}
    assert ["rule", "title", "severity", "pattern", "version", "enabled", "in_force", "alerts"] == list(found[0])
    assert [(rule.enabled, None) for rule in PACK] == [(rule["enabled"], rule["alerts"]) for rule in found]
    assert "without a database: there is no database" in ask("rules list", tmp_path).stderr


def test_a_database_tells_which_rules_are_in_force(tmp_path: Path) -> None:
    """A file that was edited after the projector started is not in force yet."""
    database_with(tmp_path)
    name = rules_file(tmp_path)

    assert {"dismissal-before-arrest", "dismissed-without-follow-up"} == in_force(tmp_path)
    assert [False] == [rule["in_force"] for rule in answer("rules list", tmp_path, CASETRAIL_RULES=name)]


def test_another_version_of_a_rule_is_not_in_force(tmp_path: Path) -> None:
    """The same id with another time to wait is another version."""
    database_with(tmp_path)
    own = ROOT / "projections" / "rules" / "pack" / "dismissals.yaml"
    name = rules_file(tmp_path, own.read_text("utf-8").replace("P180D", "P181D"))

    assert {"dismissed-without-follow-up"} == in_force(tmp_path, CASETRAIL_RULES=name)


def test_the_alerts_of_each_rule_are_counted_by_state(tmp_path: Path) -> None:
    """The numbers are those of all versions of a rule, and a rule without an alert has none."""
    populate(database_with(tmp_path))
    listed = {rule["rule"]: rule for rule in answer("rules list", tmp_path)}
    arrest, quiet = (listed[name] for name in ("dismissal-before-arrest", "dismissed-without-follow-up"))

    assert {"open": 0, "acknowledged": 1, "resolved": 0, "retracted": 1, "superseded": 0} == quiet["alerts"]
    assert {"open": 2, "acknowledged": 0, "resolved": 0, "retracted": 0, "superseded": 0} == arrest["alerts"]
    assert "1 acknowledged, 1 retracted" in ask("rules list", tmp_path).stdout
    assert "none" in ask("rules list", tmp_path, CASETRAIL_RULES=rules_file(tmp_path)).stdout


def test_a_database_that_does_not_answer_is_no_obstacle(tmp_path: Path) -> None:
    """The rules are listed, and the message says why the numbers are missing."""
    done = ask("rules list", tmp_path, CASETRAIL_DATABASE_URL="postgresql+psycopg://x@127.0.0.1:1/x")

    assert (0, True) == (done.returncode, "dismissal-before-arrest" in done.stdout)
    assert "without a database: it does not answer" in done.stderr


def test_a_database_that_was_never_projected_has_no_rules_in_force(tmp_path: Path) -> None:
    """The value is false and not null: there is a database, and it has no rules yet."""
    assert 0 == run("init", tmp_path).returncode
    assert {False} == {rule["in_force"] for rule in answer("rules list", tmp_path)}


def test_the_table_says_the_pattern_in_short(tmp_path: Path) -> None:
    """The types it starts from, the types it waits for, and the time."""
    shown = ask("rules list", tmp_path).stdout

    leaving = "Dismissed or LeftOffice or Removed or Resigned or Retired or TermEnded"
    assert f"{leaving}, then Arrested or Detained or HouseArrested within 180 days (certain)" in shown
    assert "for 90 days, settled 7 days" in shown
    assert "no database" in shown


def test_a_chain_is_listed_and_shown_step_by_step(tmp_path: Path) -> None:
    """Each step has its types and its time, and a silence at the end its own words."""
    name = rules_file(tmp_path, ACCUSED + QUIET.partition("\n")[2])
    found = {rule["rule"]: rule["pattern"] for rule in answer("rules list", tmp_path, CASETRAIL_RULES=name)}
    shown = ask("rules show case-that-stopped", tmp_path, CASETRAIL_RULES=name).stdout

    assert {
        "accused-then-arrested": "Accused, then InvestigationOpened or MaterialsReferred within 90 days, then Arrested"
        " or Detained within 30 days, all within 100 days (certain)",
        "case-that-stopped": "Accused, then InvestigationOpened within 90 days, then none of 2 types for 30 days,"
        " settled 7 days (certain)",
    } == found
    assert (
        "steps: (then InvestigationOpened; within 90 days; as case), (absent Charged, Detained; for 30 days;"
        " settle 7 days)"
    ) in shown


def test_show_gives_one_rule_as_it_is_understood(tmp_path: Path) -> None:
    """Tracks are shown as the types in them, and times in days."""
    shown = ask("rules show dismissed-without-follow-up", tmp_path).stdout
    found = answer("rules show dismissed-without-follow-up", tmp_path)

    assert "rule: dismissed-without-follow-up\ntitle: Dismissed, and nothing followed\nseverity: warning\n" in shown
    assert "for: 90 days\n" in shown
    assert "on: Dismissed, Removed\n" in shown
    assert (
        "unless: service deceased; custody bailed, detained, extradited, house_arrest, imprisoned, paroled, remanded; "
        "stage appeal, charged, convicted, indicted, investigation, materials_referred, overturned, suspect, trial\n"
    ) in shown
    assert "Detained" in found["definition"]["absent"]


def test_an_unknown_rule_is_said_to_be_so(tmp_path: Path) -> None:
    """The exit code is 1, and the message names a similar rule."""
    done = ask("rules show dismissal-before-arest", tmp_path)

    assert (1, "") == (done.returncode, done.stdout)
    assert "dismissal-before-arrest" in done.stderr


def test_a_file_that_can_be_used_passes(tmp_path: Path) -> None:
    """The exit code is 0, for a folder of files too."""
    (tmp_path / "rules").mkdir()
    rules_file(tmp_path / "rules", SILENCE, "one.yaml")
    rules_file(tmp_path / "rules", SEQUENCE, "two.yaml")

    assert (0, []) == (ask("rules check rules", tmp_path).returncode, answer("rules check rules", tmp_path))
    assert "no problem was found\n" == ask("rules check rules/one.yaml rules/two.yaml", tmp_path).stderr


def test_every_mistake_is_told_with_its_line_and_column(tmp_path: Path) -> None:
    """Problems of all files are on stdout, in the form that editors read, and the exit code is 1."""
    first = rules_file(tmp_path, SILENCE.replace("P90D", "90 days").replace("warning", "loud"))
    second = rules_file(tmp_path, SEQUENCE.replace("Detained", "Detaned"), "second.yaml")
    done = ask(f"rules check {first} {second} missing.yaml", tmp_path)
    printed = done.stdout.splitlines()

    assert (1, "") == (done.returncode, done.stderr)
    assert ["mine.yaml:4:15", "mine.yaml:7:10", "second.yaml:5:11", "missing.yaml:1:1"] == [
        line.split(": ")[0] for line in printed
    ]
    assert "(want " in printed[0]


def test_mistakes_as_json_have_their_place_in_fields(tmp_path: Path) -> None:
    """A plugin of an editor can read them."""
    name = rules_file(tmp_path, SILENCE.replace("P90D", "90 days"))
    (problem,) = answer(f"rules check {name}", tmp_path)

    assert ["file", "line", "column", "what", "wanted", "kind"] == list(problem)
    assert ("mine.yaml", 7, 10) == (problem["file"], problem["line"], problem["column"])
    assert problem["kind"] == "problem"


def test_a_note_is_no_reason_to_fail(tmp_path: Path) -> None:
    """A rule that is silent in a jurisdiction for want of a limit is correct, and its author should know."""
    limit = "limits:\n  - {name: stay, jurisdiction: KZ, from: 2015-01-01, value: P2D, source: A law}\n"
    rule = SILENCE.replace("P90D", "{limit: stay}")
    name = rules_file(tmp_path, rule + "    jurisdiction: [KZ, KG]\n" + limit)
    anywhere = rules_file(tmp_path, rule + limit, "anywhere.yaml")
    done = ask(f"rules check {name} {anywhere}", tmp_path)
    (note, _) = answer(f"rules check {name} {anywhere}", tmp_path)

    assert (0, "no problem was found\n") == (done.returncode, done.stderr)
    told = (
        "mine.yaml:7:10: note: silence is silent in KG: the limit stay has no entry there"
        " (want an entry in limits, or jurisdiction without KG)\n"
        "anywhere.yaml:7:10: note: silence speaks in KZ alone, since the limit stay has no other entry"
        " (want entries of other jurisdictions, if it should speak there)\n"
    )

    assert told == done.stdout
    assert ("note", 7, 10) == (note["kind"], note["line"], note["column"])


def test_a_limit_is_shown_with_its_laws(tmp_path: Path) -> None:
    """The rule holds the values, so a reader needs no other file."""
    limits = (
        "limits:\n"
        "  - {name: stay, jurisdiction: KZ, from: 2015-01-01, until: 2018-02-28, value: P3D, source: Old law}\n"
        "  - {name: stay, jurisdiction: KZ, from: 2018-03-01, value: P2D, longest: PT72H, source: New law}\n"
    )
    rules_file(tmp_path, SILENCE.replace("P90D", "{limit: stay}") + limits)
    done = ask("rules show silence", tmp_path, CASETRAIL_RULES="mine.yaml")

    assert (
        "for: the limit stay: 72 hours, in KZ from 2015-01-01 until 2018-02-28 (Old law);"
        " 48 hours, 72 hours at most, in KZ from 2018-03-01 (New law)"
    ) in done.stdout
    assert "pattern: Dismissed, and none of" in done.stdout
    assert "for the limit stay, settled 7 days" in done.stdout


def test_a_mistake_is_quoted_safely(tmp_path: Path) -> None:
    """A rule file from outside cannot send commands to the terminal."""
    name = rules_file(tmp_path, SILENCE.replace("P90D", '"\\e[31m\\u202e"'))

    assert not {"\x1b", "\u202e"} & set(ask(f"rules check {name}", tmp_path).stdout)


@pytest.mark.parametrize("command", ["list", "show silence"])
def test_rules_in_the_settings_that_cannot_be_used_are_a_mistake_of_usage(tmp_path: Path, command: str) -> None:
    """The message has the place of the problem, as in `rules check`."""
    name = rules_file(tmp_path, SILENCE.replace("P90D", "90 days"))
    done = ask(f"rules {command}", tmp_path, CASETRAIL_RULES=name)

    assert (2, "") == (done.returncode, done.stdout)
    assert "mine.yaml:7:10" in done.stderr


def test_conditions_on_data_are_shown_in_words(tmp_path: Path) -> None:
    """Nested conditions stay readable, alternatives included."""
    either = "any: [{anchor.jurisdiction: KZ}, {then.place: {present: true}}]"
    where = f"    where:\n      anchor.ground: {{not: health}}\n      {either}\n"
    name = rules_file(tmp_path, SEQUENCE + where)
    shown = ask("rules show sequence", tmp_path, CASETRAIL_RULES=name).stdout

    assert "where: anchor.ground not health; any (anchor.jurisdiction KZ), (then.place present true)" in shown


def test_the_schema_is_for_editors(tmp_path: Path) -> None:
    """It is JSON, and needs neither a database nor a rule file."""
    assert "urn:casetrail:schema:rules" == json.loads(ask("rules schema", tmp_path).stdout)["$id"]
