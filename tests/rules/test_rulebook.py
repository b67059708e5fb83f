"""Rules in force: what makes a rule another rule, when it is looked at, its sentence, and its documentation."""

import json
import re
from pathlib import Path

import pytest

from events.errors import BadInput
from events.vocabulary import TRACKS
from projections.rules.explain import explain_text
from projections.rules.rulebook import AbsenceRule, Rulebook, SequenceRule, load, pack
from projections.rules.values import FIELDS, NOT_STATED, STATUSES
from tests.support.places import ROOT
from tests.support.rules import SEQUENCE, SILENCE, book, fact, problems, sequence, silence

DOCS = ROOT / "docs" / "rules.md"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the working one, so that messages name files as a person would type them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestVersion:
    """When a rule is another rule."""

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("rules:\n", "# a comment\n\nrules:\n"),
            ("[case, Died]", f"[Died, {', '.join(TRACKS['case'])}]"),
            ("[detained, remanded]", "\n        - remanded\n        - detained"),
            ("P90D", "PT2160H"),
            ("P7D", "P1W"),
            ("title: Dismissed, and nothing followed", "title: 'Dismissed,   and nothing followed'"),
        ],
    )
    def test_layout_does_not_change_it(self, old: str, new: str) -> None:
        """Comments, order in lists, and another spelling of a duration say the same."""
        assert silence().version == silence(SILENCE.replace(old, new)).version

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("id: silence", "id: quiet"),
            ("Dismissed, and nothing followed", "Silence"),
            ("warning", "critical"),
            ("on: Dismissed", "on: Removed"),
            ("[case, Died]", "case"),
            ("P90D", "P91D"),
            ("P7D", "P0D"),
            ("[detained, remanded]", "detained"),
            ("at_least: 1", "at_least: 2"),
            ("was dismissed", "was removed"),
        ],
    )
    def test_whatever_it_says_changes_it(self, old: str, new: str) -> None:
        """A rule that says something else has another version, and so has the book."""
        before, after = book(SILENCE), book(SILENCE.replace(old, new, 1))

        assert before.rules[0].version != after.rules[0].version
        assert before.version != after.version

    def test_a_default_written_out_does_not_change_it(self) -> None:
        """Saying what holds anyway is not another rule."""
        spelled = SEQUENCE.replace("    within", "    severity: notice\n    certainty: certain\n    within")

        assert sequence().version == sequence(spelled).version

    def test_the_shipped_versions_stand(self) -> None:
        """A new version supersedes every open alert, so it must never come about by accident."""
        assert {rule.id: rule.version for rule in pack().rules} == {
            "dismissal-before-arrest": "bfd41e48a540",
            "dismissed-without-follow-up": "9d9a291f62b7",
        }

    def test_twelve_hex_digits(self) -> None:
        """Short enough to read out, long enough not to meet by chance."""
        assert all(re.fullmatch("[0-9a-f]{12}", text) for text in (pack().version, *(r.version for r in pack().rules)))


class TestRulebook:
    """The rules in force, together."""

    def test_it_survives_the_ledger(self) -> None:
        """A rebuild reads the rules that were in force, and they are the same rules."""
        kept = pack().as_json()

        assert pack() == Rulebook.from_json(kept)
        assert pack().version == Rulebook.from_json(kept).version
        assert kept == json.dumps(json.loads(kept), separators=(",", ":"), sort_keys=True)

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"rules": [1]}', '{"rules": [{"absent": "case"}]}', '{"rules": 1}']
    )
    def test_something_else_in_the_ledger_is_said_so(self, text: str) -> None:
        """What cannot be read is not taken for an empty rulebook."""
        with pytest.raises(BadInput, match="the stored rulebook is not readable"):
            Rulebook.from_json(text)

    def test_a_rule_is_looked_at_only_for_the_types_it_names(self) -> None:
        """Its anchor, its follow-ups, the tracks its exception reads, and death."""
        assert {"Dismissed", "Detained", "Died"} == sequence().types
        assert {"Dismissed", *TRACKS["case"], *TRACKS["custody"], "Died"} == silence().types

    @pytest.mark.parametrize(
        ("condition", "track"),
        [
            ("service: suspended", "service"),
            ("custody: detained", "custody"),
            ("wanted: national", "custody"),
            ("stage: charged", "case"),
            ("presumption: convicted", "case"),
            ("open_cases: {at_most: 0}", "case"),
        ],
    )
    def test_an_exception_reads_its_track(self, condition: str, track: str) -> None:
        """A fact of that track can change the status, and so the answer."""
        rule = sequence(SEQUENCE.replace("    within", f"    unless: {{{condition}}}\n    within"))

        assert rule.unless is not None
        assert {track} == rule.unless.tracks
        assert {"Dismissed", "Detained", "Died", *TRACKS[track]} == rule.types

    def test_rules_by_type(self) -> None:
        """Looked up for every record, so it is a table, and of nothing for a type that no rule names."""
        assert [r.id for r in pack().by_type("Detained")] == ["dismissal-before-arrest", "dismissed-without-follow-up"]
        assert [r.id for r in pack().by_type("Charged")] == ["dismissed-without-follow-up"]
        assert [r.id for r in pack().by_type("Resigned")][:1] == ["dismissal-before-arrest"]
        assert pack().by_type("SubjectDescribed") == ()
        assert {"Dismissed", "Removed", "Resigned", "Retired", "TermEnded", "LeftOffice"} == pack().anchors

    def test_death_follows_every_silence_that_does_not_start_from_it(self) -> None:
        """No rule has to name it: nobody waits for a follow-up about the dead (RULES 1)."""
        unnamed = SILENCE.replace("[case, Died]", "[case]")

        assert "Died" in silence(unnamed).follow - silence(unnamed).absent
        assert "Died" not in silence(unnamed.replace("on: Dismissed", "on: Died")).follow

    def test_rules_are_frozen(self) -> None:
        """A rule in force cannot be changed under the alerts that rest on it."""
        with pytest.raises(ValueError, match="frozen"):
            pack().rules[0].title = "Another"


class TestExplanation:
    """One sentence that a person can check."""

    def test_the_shipped_sentences(self) -> None:
        """They read as sentences, with the dates as their sources gave them."""
        arrest, quiet = pack().rules
        dismissed, detained = fact("Dismissed", occurred="2022-03~"), fact("HouseArrested", occurred="2022-04-25")

        assert (
            explain_text(quiet, "A. B.", "kz-a", dismissed, None)
            == "A. B. was dismissed (2022-03~); no new step of a case, no custody and no return to office"
            " is known in the 90 days after."
        )
        assert (
            explain_text(arrest, "A. B.", "kz-a", dismissed, detained)
            == "A. B.: dismissed (2022-03~), then house arrested (2022-04-25)."
        )

    def test_every_field(self) -> None:
        """Each placeholder gives its field; what the fact does not have is said not to be stated."""
        asked = "; ".join(f"{{anchor.{field}}}" for field in FIELDS)
        rule = sequence(
            SEQUENCE.replace("{name} was dismissed and {then.type}.", f"{{subject}}: {asked}; {{then.place}}")
        )

        assert (
            f"kz-a: dismissed; 2022-03-27; 2022-03-28; Dismissed-1; {NOT_STATED}; chief; police; Almaty; {NOT_STATED}; "
            f"{NOT_STATED}; {NOT_STATED}; {NOT_STATED}"
        ) == explain_text(rule, "", "kz-a", fact("Dismissed", post="chief", agency="police", region="Almaty"), None)

    def test_the_subject_stands_in_for_a_name(self) -> None:
        """A person whose name is not known still has an id."""
        assert explain_text(pack().rules[1], "", "kz-a", fact("Dismissed"), None).startswith("kz-a was dismissed")

    def test_a_name_is_text_and_nothing_more(self) -> None:
        """Braces and line breaks in the data neither name placeholders nor break the sentence."""
        said = explain_text(sequence(), "{then.type}\n{0.__class__} \\1", "kz-a", fact("Dismissed"), fact("Detained"))

        assert said == r"{then.type} {0.__class__} \1 was dismissed and detained."


class TestDocs:
    """docs/rules.md is what editors read, so it is held to the code."""

    def test_the_examples_load(self, folder: Path) -> None:
        """What is shown can be copied; and it is what ships."""
        for number, example in enumerate(re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)):
            (folder / f"{number}.yaml").write_text(example)

        assert pack() == load(folder)

    def test_the_messages_are_those_of_the_program(self) -> None:
        """A reader who makes the mistakes shown sees the lines shown."""
        (shown,) = re.findall(r"```text\n(.*?)```", DOCS.read_text(), re.DOTALL)
        mistaken = SILENCE.replace("warning", "warnin").replace("on: Dismissed", "on: Dismised").replace("P90D", "P3M")

        assert shown.splitlines() == problems(mistaken)

    def test_every_key_word_and_field_is_there(self) -> None:
        """Nothing that a rule can say is left for people to find out."""
        text = DOCS.read_text()
        keys = {
            field.alias or name for model in (AbsenceRule, SequenceRule) for name, field in model.model_fields.items()
        }
        words = {*keys, *STATUSES, *FIELDS, *(word for words in STATUSES.values() for word in words)}
        words |= {"open_cases", "at_least", "at_most", "info", "notice", "warning", "critical", "certain", "possible"}
        words |= {"{name}", "{subject}", "{anchor.FIELD}", "{then.FIELD}", "service", "case", "custody"}

        assert {word for word in words if f"`{word}`" not in text} == set()
        assert NOT_STATED in text

    def test_the_keys_of_its_table_are_the_keys_of_a_rule(self) -> None:
        """And nothing is promised that no rule can say."""
        table = DOCS.read_text().partition("| key | needed |")[2].partition("\n\n")[0]
        keys = {
            field.alias or name for model in (AbsenceRule, SequenceRule) for name, field in model.model_fields.items()
        }

        assert keys == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
