"""The rules in force: their versions, types, sentences and documentation."""

import json
import re
from pathlib import Path

import pytest

from events.errors import BadInput
from events.vocabulary import TRACKS
from projections.rules.files.loading import load, pack
from projections.rules.rulebook import PATTERNS, Rulebook
from projections.rules.sentence import explain_text
from projections.rules.values import FIELDS, LASTING, NOT_STATED, STATUSES
from tests.support.places import ROOT
from tests.support.rules import SEQUENCE, SILENCE, book, dismissals, english, fact, problems, sequence, silence

DOCS = ROOT / "docs" / "rules.md"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder, so that messages name files as a person would type them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestVersion:
    """The version of a rule."""

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
        """Comments, the order of lists and another spelling of a duration do not change the version."""
        assert silence().version == silence(SILENCE.replace(old, new)).version

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("id: silence", "id: quiet"),
            ("warning", "critical"),
            ("on: Dismissed", "on: Removed"),
            ("[case, Died]", "case"),
            ("P90D", "P91D"),
            ("P7D", "P0D"),
            ("[detained, remanded]", "detained"),
            ("at_least: 1", "at_least: 2"),
        ],
    )
    def test_any_other_change_changes_it(self, old: str, new: str) -> None:
        """Any other change of a rule changes its version, and the version of the book."""
        before, after = book(SILENCE), book(SILENCE.replace(old, new, 1))

        assert before.rules[0].version != after.rules[0].version
        assert before.version != after.version

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("Dismissed, and nothing followed", "Silence"),
            ("was dismissed", "was removed"),
            ("    explain", "    ended_explain: '{name} {then.type}'\n    explain"),
            ("    explain", "    retracted_explain: '{name}'\n    explain"),
            ("    explain", "    why: it is rare\n    explain"),
            ("    explain", "    wrong_when: a source is slow\n    explain"),
            ("    explain", "    enabled: trial\n    explain"),
            ("    explain", "    enabled: false\n    explain"),
        ],
    )
    def test_words_change_the_version_of_the_book_only(self, old: str, new: str) -> None:
        """Words and `enabled` change no conclusion of a rule, but they are stated in the ledger."""
        before, after = book(SILENCE), book(SILENCE.replace(old, new, 1))

        assert before.rules[0].version == after.rules[0].version
        assert before.version != after.version
        assert after == Rulebook.from_json(after.as_json())

    def test_a_default_written_out_does_not_change_it(self) -> None:
        """A default that is written out does not change the version."""
        spelled = SEQUENCE.replace("    within", "    severity: notice\n    certainty: certain\n    within")

        assert sequence().version == sequence(spelled).version

    def test_the_shipped_versions_stand(self) -> None:
        """The versions of the pack never change by accident, because a new version supersedes every open alert."""
        assert {rule.id: rule.version for rule in dismissals().rules} == {
            "dismissal-before-arrest": "9016f9a51317",
            "dismissed-without-follow-up": "a7e09556a006",
        }

    def test_twelve_hex_digits(self) -> None:
        """A version is short enough to read out, and long enough to avoid collisions."""
        assert all(re.fullmatch("[0-9a-f]{12}", text) for text in (pack().version, *(r.version for r in pack().rules)))


class TestRulebook:
    """The rules in force, together."""

    def test_the_ledger_keeps_the_same_rules(self) -> None:
        """A rebuild reads the rules from the ledger, and they are the same rules."""
        kept = pack().as_json()

        assert pack() == Rulebook.from_json(kept)
        assert pack().version == Rulebook.from_json(kept).version
        assert kept == json.dumps(json.loads(kept), separators=(",", ":"), ensure_ascii=False, sort_keys=True)

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"rules": [1]}', '{"rules": [{"absent": "case"}]}', '{"rules": 1}']
    )
    def test_an_unreadable_rulebook_is_an_error(self, text: str) -> None:
        """A stored rulebook that cannot be read is an error, not an empty rulebook."""
        with pytest.raises(BadInput, match="the stored rulebook is not readable"):
            Rulebook.from_json(text)

    def test_a_rule_is_evaluated_only_for_its_types(self) -> None:
        """A rule names its anchor, its follow-ups, the tracks of its exception, and death."""
        assert {"Dismissed", "Detained", "Died"} == sequence().types
        assert {"Dismissed", *TRACKS["case"], *TRACKS["custody"], "Died"} == silence().types

    @pytest.mark.parametrize(
        ("condition", "tracks"),
        [
            ("service: suspended", {"service"}),
            ("custody: detained", {"custody", "case"}),
            ("wanted: national", {"custody", "case"}),
            ("stage: charged", {"case"}),
            ("presumption: convicted", {"case", "custody"}),
            ("open_cases: {at_most: 0}", {"case", "custody"}),
        ],
    )
    def test_an_exception_reads_its_tracks(self, condition: str, tracks: set[str]) -> None:
        """An exception adds its tracks to the rule, because a fact of them can change the status."""
        rule = sequence(SEQUENCE.replace("    within", f"    unless: {{{condition}}}\n    within"))

        assert rule.unless is not None
        assert tracks == rule.unless.tracks
        assert {"Dismissed", "Detained", "Died", *(kind for track in tracks for kind in TRACKS[track])} == rule.types

    def test_rules_by_type(self) -> None:
        """Rules are looked up by type for every record; a type without rules has none."""
        assert [r.id for r in dismissals().by_type["Detained"]] == [
            "dismissal-before-arrest",
            "dismissed-without-follow-up",
        ]
        assert [r.id for r in dismissals().by_type["Charged"]] == [
            "dismissal-before-arrest",
            "dismissed-without-follow-up",
        ]
        assert [r.id for r in dismissals().continued_by["Charged"]] == ["dismissed-without-follow-up"]
        assert [r.id for r in dismissals().by_type["Resigned"]][:1] == ["dismissal-before-arrest"]
        assert dismissals().by_type["Corrected"] == ()
        assert {"Dismissed", "Removed", "Resigned", "Retired", "TermEnded", "LeftOffice"} == dismissals().anchors

    def test_death_follows_every_silence_that_does_not_start_from_it(self) -> None:
        """Death follows every silence that does not start from it, in each rule (docs/design.md, 4.3)."""
        unnamed = SILENCE.replace("[case, Died]", "[case]")

        assert "Died" in silence(unnamed).follow - silence(unnamed).absent
        assert "Died" not in silence(unnamed.replace("on: Dismissed", "on: Died")).follow

    def test_rules_are_frozen(self) -> None:
        """A rule in force cannot be changed under its alerts."""
        with pytest.raises(ValueError, match="frozen"):
            pack().rules[0].title = "Another"


class TestExplanation:
    """The sentence of an alert, which a person can check."""

    def test_the_shipped_sentences(self) -> None:
        """The sentences of the pack are readable, with the dates exactly as in their sources."""
        arrest, quiet = dismissals().rules
        dismissed, detained = fact("Dismissed", occurred="2022-03~"), fact("HouseArrested", occurred="2022-04-25")

        assert (
            explain_text(english(quiet), "A. B.", "kz-a", dismissed, None)
            == "A. B. was dismissed (2022-03~); no new step of a case, no custody and no return to office"
            " is known in the 90 days after."
        )
        assert (
            explain_text(english(arrest), "A. B.", "kz-a", dismissed, detained)
            == "A. B.: dismissed (2022-03~), then house arrested (2022-04-25)."
        )

    def test_every_field(self) -> None:
        """Each placeholder is replaced by its field; a missing field is shown as not stated."""
        placeholders = "; ".join(f"{{anchor.{field}}}" for field in FIELDS)
        rule = sequence(
            SEQUENCE.replace("{name} was dismissed and {then.type}.", f"{{subject}}: {placeholders}; {{then.place}}")
        )

        assert (
            f"kz-a: dismissed; 2022-03-27; 2022-03-28; Dismissed-1; {NOT_STATED}; chief; police; Almaty; {NOT_STATED}; "
            f"{NOT_STATED}; {NOT_STATED}; {NOT_STATED}"
        ) == explain_text(
            english(rule), "", "kz-a", fact("Dismissed", post="chief", agency="police", region="Almaty"), None
        )

    def test_the_subject_stands_in_for_a_name(self) -> None:
        """A person without a known name is called by the subject id."""
        assert explain_text(english(dismissals().rules[1]), "", "kz-a", fact("Dismissed"), None).startswith(
            "kz-a was dismissed"
        )

    def test_a_name_is_text_and_nothing_more(self) -> None:
        """Braces and line breaks in the data neither name placeholders nor break the sentence."""
        sentence = explain_text(
            english(sequence()), "{then.type}\n{0.__class__} \\1", "kz-a", fact("Dismissed"), fact("Detained")
        )

        assert sentence == r"{then.type} {0.__class__} \1 was dismissed and detained."


REFERENCE = "## Checking" + DOCS.read_text().partition("\n## Checking")[2]
"""The page without the tutorial, which has its own test."""


class TestDocs:
    """docs/rules.md agrees with the code."""

    def test_the_examples_load(self, folder: Path) -> None:
        """The examples of the page can be loaded, and are rules of the pack."""
        for number, example in enumerate(re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)):
            (folder / f"{number}.yaml").write_text(example)

        assert all(rule in pack().rules for rule in load(folder).rules)

    def test_the_messages_are_those_of_the_program(self) -> None:
        """The messages of the page are those of the program for the same mistakes."""
        (shown,) = re.findall(r"```text\n(.*?)```", REFERENCE, re.DOTALL)
        mistaken = SILENCE.replace("warning", "warnin").replace("on: Dismissed", "on: Dismised").replace("P90D", "P3M")

        assert shown.splitlines() == problems(mistaken)

    def test_every_key_word_and_field_is_there(self) -> None:
        """Every key, word and field of a rule is in the docs."""
        text = DOCS.read_text()
        keys = {field.alias or name for model in PATTERNS.values() for name, field in model.model_fields.items()}
        words = {*keys, *STATUSES, *FIELDS, *(word for words in STATUSES.values() for word in words)}
        words |= {*LASTING, *(word for words in LASTING.values() for word in words)}
        words |= {"open_cases", "at_least", "at_most", "info", "notice", "warning", "critical", "certain", "possible"}
        words |= {"{name}", "{subject}", "{anchor.FIELD}", "{then.FIELD}", "service", "case", "custody"}

        assert {word for word in words if f"`{word}`" not in text} == set()
        assert NOT_STATED in text

    def test_the_keys_of_its_table_are_the_keys_of_a_rule(self) -> None:
        """The table of keys in the docs has no other key than those of a rule."""
        table = DOCS.read_text().partition("| key | needed |")[2].partition("\n\n")[0]
        keys = {field.alias or name for model in PATTERNS.values() for name, field in model.model_fields.items()}

        assert keys | {"tests"} == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
