"""Rule files: their content, their refusal, and the place of each problem."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import BadInput
from events.vocabulary import TRACKS
from projections.rules.files.loading import RulesError, load
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.sequence import SequenceRule
from projections.rules.rulebook import Rulebook
from projections.rules.values import STATUSES
from tests.support.rules import SEQUENCE, SILENCE, book, dismissals, problems, sequence, silence


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder, so that messages name files as a person would type them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestReading:
    """The content of a rule file."""

    def test_the_shipped_rules_about_dismissals_are_those_of_the_contract(self) -> None:
        """The pack has both patterns, with the documented figures."""
        arrest, quiet = dismissals().rules

        assert isinstance(quiet, AbsenceRule)
        assert isinstance(arrest, SequenceRule)
        assert (quiet.id, quiet.severity) == ("dismissed-without-follow-up", "warning")
        assert (timedelta(days=90), timedelta(days=7)) == (quiet.wait, quiet.settle)
        assert {"Dismissed", "Removed"} == quiet.on
        assert {"Accused", "AllegationWithdrawn", "Released", "Suspended"}.isdisjoint(quiet.absent)
        assert {"MaterialsReferred", "Charged", "Convicted", "Wanted", "Detained", "Reinstated", "Appointed"} < (
            quiet.absent
        )
        assert {*TRACKS["service"]} - {"Elected", "Appointed", "Transferred", "Reinstated", "DismissalAnnulled"} == (
            {*TRACKS["service"]} - quiet.absent
        )
        assert {"Dismissed", "Removed", "Resigned", "Retired", "TermEnded", "LeftOffice"} == arrest.on
        assert (arrest.id, arrest.severity, arrest.certainty) == ("dismissal-before-arrest", "notice", "certain")
        assert timedelta(days=180) == arrest.within

    def test_on_and_no_are_words(self) -> None:
        """YAML 1.1 reads `on` as true and NO as false; in a rule file they are words."""
        assert {"Dismissed"} == silence().on
        assert (
            'rules.yaml:5:9: "NO" is not a fact type' in problems(SILENCE.replace("Dismissed\n    a", "NO\n    a"))[0]
        )

    def test_a_word_does_for_a_list(self) -> None:
        """A single word and a list with this word are the same rule."""
        assert sequence(SEQUENCE.replace("[Dismissed]", "Dismissed")).version == sequence().version

    def test_a_track_stands_for_its_types(self) -> None:
        """The lower-case name of a track stands for all its types."""
        assert {*TRACKS["case"], "Died"} == silence().absent

    def test_defaults(self) -> None:
        """The defaults are notice, certain, no settling and no exception."""
        rule = sequence()

        assert (rule.severity, rule.certainty, rule.unless) == ("notice", "certain", None)
        assert timedelta(0) == silence(SILENCE.replace("    settle: P7D\n", "")).settle

    def test_a_text_may_be_folded_over_lines(self) -> None:
        """A sentence is one line, however the file folds it."""
        folded = SEQUENCE.replace(
            '"{name} was dismissed and {then.type}."', ">\n      {name} was dismissed\n      and {then.type}.\n"
        )

        assert sequence(folded) == sequence()

    @pytest.mark.parametrize(
        ("text", "length"),
        [
            ("P90D", timedelta(days=90)),
            ("P2W", timedelta(weeks=2)),
            ("PT12H", timedelta(hours=12)),
            ("P1DT6H", timedelta(days=1, hours=6)),
            ("P1W2DT3H4M5S", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5)),
            ("PT5M", timedelta(minutes=5)),
            ("P36525D", timedelta(days=36525)),
        ],
    )
    def test_durations(self, text: str, length: timedelta) -> None:
        """A duration has weeks, days, hours, minutes and seconds, alone or together."""
        assert length == silence(SILENCE.replace("P90D", text)).wait

    def test_a_folder_is_all_its_files(self, folder: Path) -> None:
        """Every .yaml and .yml file of a folder is read, except hidden files, and the rules are sorted by id."""
        (folder / "b.yml").write_text(SILENCE)
        (folder / "a.yaml").write_text(SEQUENCE)
        (folder / ".a.yaml").write_text("not: rules")
        (folder / "notes.txt").write_text("not rules")

        assert [rule.id for rule in load(folder).rules] == ["sequence", "silence"]

    def test_a_byte_order_mark_is_not_part_of_the_text(self) -> None:
        """A byte order mark, as editors on Windows write it, is not part of the text."""
        assert book(SILENCE) == book(b"\xef\xbb\xbf" + SILENCE.encode())


class TestRefusing:
    """The problems of a file, and their places."""

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("id: silence", "id: Silence", '2:9: "Silence" is not an id'),
            ("id: silence", "id: -x", '2:9: "-x" is not an id'),
            ("    title: Dismissed, and nothing followed\n", "", "2:5: title is missing"),
            ("Dismissed, and nothing followed", "", "3:11: nothing is not a text for this"),
            ("title:", "titel:", '3:5: unknown key "titel" (want title)'),
            ("warning", "warnin", '4:15: "warnin" is not a severity (want warning)'),
            ("warning", "[warning]", "4:15: a list is not a severity"),
            (
                "on: Dismissed",
                "on: Dismised",
                '5:9: "Dismised" is not a fact type that a rule can name (want Dismissed)',
            ),
            (
                "on: Dismissed",
                "on: dismissed",
                '5:9: "dismissed" is not a fact type that a rule can name (want Dismissed)',
            ),
            ("on: Dismissed", "on:", "5:8: nothing is here"),
            ("on: Dismissed", "on: []", "5:9: nothing is here"),
            ("on: Dismissed", "on: {a: b}", "5:9: a mapping is here"),
            ("on: Dismissed", "on: Corrected", '5:9: "Corrected" is not a fact type that a rule can name'),
            ("[case, Died]", "[case, Deid]", '6:20: "Deid" is not a fact type that a rule can name (want Died)'),
            ("[case, Died]", "[case, [Died]]", "6:20: a list is not a fact type"),
            ("P90D", "P3M", '7:10: "P3M" has months or years, which have no fixed length (want days, such as P90D)'),
            ("P90D", "P1Y", '7:10: "P1Y" has months or years'),
            ("P90D", "P1Y2M3DT4H", '7:10: "P1Y2M3DT4H" has months or years'),
            ("P90D", "P0D", "7:10: the time is zero or less"),
            ("P90D", "-P9D", '7:10: "-P9D" is not a duration'),
            ("P90D", "P", '7:10: "P" is not a duration'),
            ("P90D", "P9DT", '7:10: "P9DT" is not a duration'),
            ("P90D", "PT", '7:10: "PT" is not a duration'),
            ("P90D", "P1.5D", '7:10: "P1.5D" is not a duration'),
            ("P90D", "90", '7:10: "90" is not a duration'),
            ("P90D", "P٣D", '7:10: "P٣D" is not a duration'),
            ("P90D", "P36526D", "7:10: the time is negative or too long"),
            ("P90D", f"P{'9' * 5000}D", "7:10: the time is negative or too long"),
            ("    for: P90D\n", "", "2:5: neither for nor before is in this rule"),
            ("for: P90D", "wait: P90D", '7:5: unknown key "wait"'),
            ("settle: P7D", "certainty: certain", "8:5: certainty belongs to another pattern (want absent"),
            ("[detained, remanded]", "[detained, remandd]", '10:27: "remandd" is not a custody status (want remanded)'),
            ("custody: [detained, remanded]", "custdy: detained", '10:7: unknown key "custdy" (want custody)'),
            ("{at_least: 1}", "{at_lest: 1}", '11:20: unknown key "at_lest" (want at_least)'),
            ("{at_least: 1}", "{}", "11:19: open_cases has no figure"),
            ("{at_least: 1}", "{at_least: 2, at_most: 1}", "11:19: at_least is more than at_most"),
            ("{at_least: 1}", "{at_least: -1}", '11:30: "-1" is not a number of cases'),
            ("{at_least: 1}", "{at_least: true}", '11:30: "true" is not a number of cases'),
            ("{at_least: 1}", "1", '11:19: "1" is not what open_cases takes'),
            (
                "anchor.occurred",
                "anchor.ocurred",
                "12:37: {anchor.ocurred} is not a placeholder here (want {anchor.occurred})",
            ),
            ("anchor.occurred", "then.occurred", "12:37: {then.occurred} is not a placeholder here"),
            ("{name}", "{name.__class__}", "12:15: {name.__class__} is not a placeholder here"),
            ("{name}", "{name!r}", "12:15: {name!r} is not a placeholder here"),
            ("{name}", "{0}", "12:15: {0} is not a placeholder here"),
            ("{name}", "{name", "12:15: { is not a placeholder here"),
            ("{name}", "name}", "12:19: } is not a placeholder here"),
        ],
    )
    def test_the_place_of_a_mistake(self, old: str, new: str, message: str) -> None:
        """Each mistake is named with its line, its column and the wanted value."""
        messages = problems(SILENCE.replace(old, new, 1))

        assert any(problem.startswith(f"rules.yaml:{message}") for problem in messages), messages

    def test_unless_needs_a_condition(self) -> None:
        """An exception without a condition is refused."""
        text = SEQUENCE.replace("    within", "    unless: {}\n    within")

        assert [problem.partition(" (")[0] for problem in problems(text)] == ["rules.yaml:6:13: no condition is here"]

    @pytest.mark.parametrize(("field", "word"), [(field, word) for field, words in STATUSES.items() for word in words])
    def test_every_status_word_is_taken_by_its_field_alone(self, field: str, word: str) -> None:
        """A status word is accepted in its own field and refused in others."""
        text = SEQUENCE.replace("    within", f"    unless: {{{field}: {word}}}\n    within")
        other = next(name for name, words in STATUSES.items() if word not in words)
        unless = sequence(text).unless

        assert unless is not None
        assert {word} == getattr(unless, field)
        assert f'"{word}" is not' in problems(text.replace(f"{field}:", f"{other}:"))[0]

    def test_a_rule_has_one_pattern(self) -> None:
        """A rule has one pattern: both at once and neither are refused."""
        both = SILENCE + "    then: Detained\n    within: P9D\n"
        neither = SEQUENCE.replace("    then: Detained\n    within: P180D\n", "")

        assert "rules.yaml:2:5: both absent and then are in this rule" in problems(both)[0]
        found = problems(neither)[0]
        assert "rules.yaml:2:5: neither absent nor count nor while nor then nor steps is in this rule" in found

    def test_all_problems_of_all_files_are_reported_at_once(self, folder: Path) -> None:
        """All problems of all files are reported at once, so that one check is enough."""
        (folder / "a.yaml").write_text(
            SILENCE.replace("warning", "loud").replace("P90D", "P3M").replace("{name}", "{x}")
        )
        (folder / "b.yaml").write_text("rules: [a\n")
        (folder / "c.yaml").write_text(SEQUENCE.replace("Detained", "Detaind"))

        with pytest.raises(RulesError) as refused:
            load(Path())

        assert [(problem.file, problem.line) for problem in refused.value.problems] == [
            ("a.yaml", 4),
            ("a.yaml", 7),
            ("a.yaml", 12),
            ("b.yaml", 1),
            ("c.yaml", 5),
        ]
        assert str(refused.value).count("\n") == 4
        assert isinstance(refused.value, BadInput)

    def test_two_rules_of_one_id(self, folder: Path) -> None:
        """An id names one rule across all files, even if the rule has another problem."""
        (folder / "a.yaml").write_text(SEQUENCE)
        (folder / "b.yaml").write_text(SEQUENCE.replace("P180D", "soon"))

        with pytest.raises(RulesError, match=r'b\.yaml:2:9: "sequence" is the id of the rule at a\.yaml:2:9 too'):
            load(Path())

    def test_rules_without_an_id_do_not_share_it(self) -> None:
        """Two missing ids are reported as missing, not as the same id."""
        nameless = SEQUENCE.replace("id: sequence", "id:")

        assert [problem.partition(" (")[0] for problem in problems(nameless + nameless.partition("\n")[2])] == [
            "rules.yaml:2:8: nothing is not an id",
            "rules.yaml:8:8: nothing is not an id",
        ]

    def test_a_key_given_twice(self) -> None:
        """A key that stands twice is refused, although YAML libraries silently take the last one."""
        assert problems(SEQUENCE.replace("    title", "    id: sequence\n    title")) == [
            'rules.yaml:3:5: the key "id" is here twice (want each key once)'
        ]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "1:1: the file is empty"),
            ("# nothing\n", "1:1: the file is empty"),
            ("- id: x\n", "1:1: a list is here"),
            ("rules:\n", "1:7: no rules are here"),
            ("rules: []\n", "1:8: no rules are here"),
            ("rules: {a: b}\n", "1:8: no rules are here"),
            ("rules:\n  - x\n", '2:5: "x" is not a rule'),
            ("rule: []\n", '1:1: unknown key "rule" (want rules)'),
            (SEQUENCE + "rule: []\n", '8:1: unknown key "rule" (want rules)'),
            (SEQUENCE + "---\nrules: []\n", "8:1: not YAML: but found another document"),
            ("rules:\n\t- id: x\n", "2:1: not YAML: found character '\\t'"),
            (SEQUENCE.replace('"{name}', "{name}").replace('."', "."), "7:21: not YAML"),
            (SEQUENCE.replace('type}."', "type}."), "7:14: not YAML: found unexpected end of stream"),
            ("rules: [a\n", "1:8: not YAML"),
            ("rules:\n  - ? [a]\n    : b\n", "2:7: a key is a list or a mapping"),
            ("rules:\n  - {x: \x07}\n", "2:9: a character no text file has"),
            (
                SEQUENCE.replace("title: Dismissed, then detained", 'title: "\\ud800"'),
                "3:12: a NUL or half a character",
            ),
            (SEQUENCE.replace("title: Dismissed, then detained", 'title: "\\0"'), "3:12: a NUL or half a character"),
            (SEQUENCE.replace("on: [Dismissed]", 'on: "\\ud800"'), "4:9: a NUL or half a character"),
            (SEQUENCE.replace("title: Dismissed, then detained", 'title: "\\U00110000"'), "3:"),
            (SEQUENCE.replace("[Dismissed]", "!!python/object:os.system x"), "4:9: tag:yaml.org,2002:python"),
            (b"rules:\n  - id: caf\xe9\n", "2:12: the file is not UTF-8"),
            (SEQUENCE.encode("utf-16"), "1:1: the file is not UTF-8"),
            (SEQUENCE + "#" * 1_000_000, "1:1: the file is over 1 MB"),
            ("rules: " + "[" * 100_000, "1:"),
            ("rules: " + "- " * 100_000, "1:"),
        ],
    )
    def test_other_files_are_refused_with_a_place(self, text: str | bytes, message: str) -> None:
        """A file with any content is refused with a place, never with a traceback."""
        assert any(problem.startswith(f"rules.yaml:{message}") for problem in problems(text))

    def test_aliases_are_refused_and_not_followed(self) -> None:
        """
        Aliases are refused, since a dozen lines of them can stand for a billion words.

        The rest of the file is checked too.
        """
        bomb = "a: &a [x, x]\n" + "".join(
            f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        )
        messages = problems(bomb + SEQUENCE.replace("[Dismissed]", "*a").replace("P180D", "soon"))

        assert sum("is an alias" in problem for problem in messages) == 8 * 2 + 1
        assert sum("is an anchor" in problem for problem in messages) == 9
        assert sum('"soon" is not a duration' in problem for problem in messages) == 1
        assert not any(":13:9: nothing" in problem for problem in messages)

    def test_missing_files_are_reported(self, folder: Path) -> None:
        """A missing file and an empty folder are reported as such."""
        with pytest.raises(RulesError, match=r"^gone\.yaml:1:1: not readable: No such file"):
            load(Path("gone.yaml"))
        with pytest.raises(RulesError, match="no rule file is in this folder"):
            load(folder)

    @given(data=st.data())
    def test_any_text_is_a_rulebook_or_a_list_of_problems(
        self, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Any damaged file is either a rulebook or a list of problems, and every problem lies inside the file."""
        lines = SILENCE.splitlines() + SEQUENCE.splitlines()[1:]
        for _ in range(data.draw(st.integers(1, 4))):
            row = data.draw(st.integers(0, len(lines) - 1))
            column = data.draw(st.integers(0, len(lines[row])))
            cut = data.draw(st.integers(0, 5))
            noise = data.draw(st.text(st.sampled_from("{}[]:,-\"'#&*!|>%@?\t \n\x00\x85é\ud7ffaP1"), max_size=4))
            lines[row] = lines[row][:column] + noise + lines[row][column + cut :]
        file = tmp_path_factory.getbasetemp() / "damaged.yaml"
        file.write_text("\n".join(lines), encoding="utf-8", newline="")

        read, messages = Rulebook(()), []
        try:
            read = load(file)
        except RulesError as error:
            messages = error.problems

        assert bool(read.rules) != bool(messages)
        assert read == Rulebook.from_json(read.as_json())
        assert all(problem.line >= 1 and problem.column >= 1 and problem.wanted for problem in messages)
