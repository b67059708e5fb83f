"""Limits in rules: the value that an anchor selects, its sentence, its version and its stored form."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from events.edtf import parse
from events.errors import BadInput
from projections.rules.files.loading import load, notes, shipped_limits
from projections.rules.limits import in_words
from projections.rules.patterns.chain import ChainRule
from projections.rules.rulebook import Rulebook
from tests.support.builders import Line, alerts, arrested, charged, corrected, detained, released, retracted
from tests.support.rules import SEQUENCE, book, problems, silence

LIMITS = """\
limits:
  - {name: stay, jurisdiction: KZ, from: 2015-01-01, until: 2018-02-28, value: P10D, source: Old law}
  - {name: stay, jurisdiction: KZ, from: 2018-03-01, value: P5D, longest: P7D, source: New law}
  - {name: stay, jurisdiction: KG, from: 2010-01-01, value: P6D, longest: P20D, source: Law of KG}
"""
DAY = 86_400
HELD = """\
rules:
  - id: held
    title: Held for long
    on: Detained
    absent: Released
    for: {limit: stay}
    explain: "{name} was detained; the limit is {limit.value} ({limit.source})."
"""
SOON = """\
rules:
  - id: soon
    title: Charged soon
    on: Detained
    then: Charged
    within: {limit: stay}
    explain: "{name}: within {limit.value} ({limit.source})."
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test."""
    monkeypatch.chdir(tmp_path)


def opened(lines: list[Line], text: str, until: str = "2030") -> list[tuple[str, str]]:
    """Return the first opening of each alert, and its sentence."""
    return [(alert["life"][0]["at"], alert["explanation"]) for alert in alerts(lines, until, book(text + LIMITS))]


def held_from(occurred: str, **data: Any) -> Line:
    """Return a detention that is known only later, in KZ unless *data* says another jurisdiction."""
    late = {"published": "2019-12-01", "recorded": "2019-12-01T00:00:00Z"}
    return detained(occurred, **({"jurisdiction": "KZ"} | late | data))


class TestSelecting:
    """The anchor's jurisdiction and date select the value."""

    @pytest.mark.parametrize(
        ("occurred", "value", "source"),
        [
            ("2018-02-28", "10 days", "Old law"),
            ("2018-03-01", "7 days", "New law"),
            ("2018-02", "10 days", "Old law"),
            ("2018", "10 days", "Old law"),
            ("2018-03-01T13:59:00Z", "10 days", "Old law"),
            ("2018-03-01T14:00:00Z", "7 days", "New law"),
            ("2018-02-28T09:59:00Z", "10 days", "Old law"),
            ("2018-03-01~", "7 days", "New law"),
        ],
    )
    def test_an_absence_takes_the_longest_that_can_apply(self, occurred: str, value: str, source: str) -> None:
        """A date across the change takes both laws, and a date-time within 14 hours of it does too."""
        ((_, told),) = opened([held_from(occurred)], HELD)

        assert told == f"a was detained; the limit is {value} ({source})."

    def test_the_deadline_counts_the_value(self) -> None:
        """An old case is judged by the law of its day."""
        early = {"published": "2017-05-02", "recorded": "2017-05-02T00:00:00Z"}

        assert [("2017-05-12T00:00:00Z", "a was detained; the limit is 10 days (Old law).")] == opened(
            [detained("2017-05-01", jurisdiction="KZ", **early)], HELD
        )

    @pytest.mark.parametrize(("certainty", "last"), [("certain", 4), ("possible", 11)])
    @pytest.mark.parametrize(("spare", "is_found"), [(0, True), (1, False)])
    def test_a_sequence_takes_the_one_that_finds_less_or_more(
        self, certainty: str, last: int, spare: int, *, is_found: bool
    ) -> None:
        """Across a change of the law, a certain rule takes 5 days from the start, a possible one 10 from the end."""
        late = {"published": "2019-12-02", "recorded": "2019-12-02T00:00:00Z"}
        lines = [held_from("2018-02-28/2018-03-01"), charged(f"2018-03-{last + spare:02}", **late)]

        assert is_found == bool(opened(lines, SOON + f"    certainty: {certainty}\n"))

    def test_without_a_jurisdiction_nothing_is_said(self) -> None:
        """No report says that the law of a place applies."""
        assert [] == opened([held_from("2018-05-01", jurisdiction=None)], HELD)

    def test_in_a_jurisdiction_without_the_limit_nothing_is_said(self) -> None:
        """The table does not know the law of that place, nor of the time before its first entry."""
        assert [] == opened([held_from("2018-05-01", jurisdiction="US")], HELD)
        assert [] == opened([held_from("2014-12-31")], HELD)
        assert [] == opened([held_from("2014-12/2015-01")], HELD)

    def test_a_possible_rule_needs_a_value_only_for_some_of_the_days(self) -> None:
        """The law may have been in force."""
        follow = charged("2015-01-05", published="2019-12-02", recorded="2019-12-02T00:00:00Z")
        anchor = held_from("2014-12/2015-01")

        assert [] == opened([anchor, follow], SOON)
        assert ["a: within 10 days (Old law)."] == [
            told for _, told in opened([anchor, follow], SOON + "    certainty: possible\n")
        ]

    def test_reports_that_name_two_jurisdictions(self) -> None:
        """Each of the two laws can apply, so the longest does."""
        limit = book(HELD + LIMITS).rules[0].limits[0]

        applied = [limit.applied(parse("2018-05-01"), ("KZ", "KG"), one) for one in ("longest", "shortest", "possible")]
        assert ["Law of KG", "New law", "Law of KG"] == [one.source for one in applied if one]
        assert limit.applied(parse("2018-05-01"), ("KZ", "US"), "longest") is None

    def test_the_case_of_a_jurisdiction_does_not_matter(self) -> None:
        """The key jurisdiction reads it so too."""
        assert ["a was detained; the limit is 7 days (New law)."] == [
            told for _, told in opened([held_from("2018-05-01", jurisdiction="kz")], HELD)
        ]

    def test_a_report_that_names_the_jurisdiction_later_opens_the_alert(self) -> None:
        """The first report names no place, and the second one does."""
        lines = [
            held_from("2018-05-01", id="one", jurisdiction=None),
            held_from("2018-05-01", id="two", published="2020-01-01", recorded="2020-01-01T00:00:00Z"),
        ]

        assert ["2020-01-01T00:00:00Z"] == [at for at, _ in opened(lines, HELD)]

    def test_a_corrected_date_selects_another_law(self) -> None:
        """The sentence and the deadline follow the correction."""
        first = held_from("2018-05-01")
        moved = corrected(first, "2020-01-01", occurred="2017-05-01")
        (alert,) = alerts([first, moved], "2030", book(HELD + LIMITS))

        assert "10 days (Old law)" in alert["explanation"]

    def test_before_and_settle_take_a_limit(self) -> None:
        """Of several limits in a rule, the sentence names the first in the order for, before, settle."""
        rule = HELD.replace("    for: {limit: stay}", "    before: {limit: stay}\n    settle: {limit: stay}")
        late = {"published": "2019-12-01", "recorded": "2019-12-01T00:00:00Z"}
        anchor = held_from("2018-05-20")

        assert ["2019-12-08T00:00:00Z"] == [at for at, _ in opened([anchor], rule)]
        assert [] == opened([released("2018-05-13", **late), anchor], rule)
        assert 1 == len(opened([released("2018-05-12", **late), anchor], rule))

    def test_a_settle_without_a_value_says_nothing(self) -> None:
        """Where the law is not known, the time to wait for news is not either."""
        rule = HELD.replace("for: {limit: stay}", "for: P1D\n    settle: {limit: stay}")

        assert 1 == len(opened([held_from("2018-05-20")], rule))
        assert [] == opened([held_from("2018-05-20", jurisdiction="US")], rule)


class TestStored:
    """A rule holds the values of its limit."""

    def test_a_changed_table_changes_the_rules_that_use_it_alone(self) -> None:
        """Other rules keep their version and their alerts."""
        both = HELD + SEQUENCE.partition("\n")[2]
        before, after = book(both + LIMITS), book(both + LIMITS.replace("P7D", "P8D"))

        assert [False, True] == [
            one.version == other.version for one, other in zip(before.rules, after.rules, strict=True)
        ]

    @pytest.mark.parametrize(
        ("old", "new"),
        [("P10D", "PT240H"), ("value: P5D, longest: P7D", "longest: P1W, value: P5D"), ("limits:", "limits:\n  # law")],
    )
    def test_layout_does_not_change_it(self, old: str, new: str) -> None:
        """Another spelling of the same table is the same rule."""
        assert book(HELD + LIMITS).version == book(HELD + LIMITS.replace(old, new)).version

    def test_the_order_of_entries_does_not_change_it(self) -> None:
        """Entries are sorted."""
        first, *entries = LIMITS.splitlines(keepends=True)

        assert book(HELD + LIMITS).version == book(HELD + first + "".join(reversed(entries))).version

    @pytest.mark.parametrize("text", [HELD, SOON])
    def test_the_ledger_keeps_the_values(self, text: str) -> None:
        """A rebuild needs no table."""
        rules = book(text + LIMITS)

        assert rules == Rulebook.from_json(rules.as_json())
        assert '"source":"New law"' in rules.as_json()

    def test_an_unreadable_stored_limit_is_an_error(self) -> None:
        """A stored limit without its entries cannot be read."""
        stored = book(HELD + LIMITS).as_json().replace('"entries":', '"entris":')

        with pytest.raises(BadInput, match="the stored rulebook is not readable"):
            Rulebook.from_json(stored)

    def test_a_rule_without_limits_keeps_its_normal_form(self) -> None:
        """Rules of an earlier release keep their version."""
        rule = silence()

        assert rule.normal()["for"] == 90 * 86400
        assert () == rule.limits


class TestFiles:
    """The table in files."""

    def test_a_folder_shares_its_table(self) -> None:
        """Rules can take the limits of another file of the folder."""
        Path("table.yaml").write_text(LIMITS)
        Path("rules.yaml").write_text(HELD)

        assert ["held"] == [rule.id for rule in load(Path()).rules]

    def test_the_shipped_limits_are_there(self) -> None:
        """A user's rules can take them without copying them."""
        (rule,) = book(HELD.replace("stay", "detention")).rules

        assert shipped_limits()["detention"] == rule.limits[0].entries

    def test_an_own_table_replaces_the_shipped_entries_of_a_name(self) -> None:
        """All of them: a mixture of two tables would be the law of no place."""
        (rule,) = book((HELD + LIMITS).replace("stay", "detention")).rules

        assert {"Old law", "New law", "Law of KG"} == {entry.source for entry in rule.limits[0].entries}

    def test_limits_alone_are_no_rules(self) -> None:
        """A service with limits alone would have no rule, without a word."""
        assert ["rules.yaml:1:1: only limits are here (want rules beside them, in the file or the folder)"] == problems(
            LIMITS
        )

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("for: {limit: stay}", "for: {limit: sty}", '6:10: "sty" is not a limit of the table (want stay)'),
            ("for: {limit: stay}", "for: {limit: }", "6:10: no name of a limit is here (want one of the table: "),
            ("for: {limit: stay}", "for: {limit: [stay]}", "6:10: a list is not a limit of the table"),
            ("for: {limit: stay}", "for: {limt: stay}", '6:10: "limt" is in the place of a limit (want {limit: NAME}'),
            ("for: {limit: stay}", "for: {}", "6:10: no name of a limit is here"),
            ("for: {limit: stay}", "for: [stay]", "6:10: a list is not a duration"),
            ("for: {limit: stay}", "for: stay", '6:10: "stay" is not a duration'),
            ("for: {limit: stay}", "for: {limit: stay, entries: []}", '6:10: "entries" is in the place of a limit'),
            ("for: {limit: stay}", "for: P5D", "7:49: {limit.value} stands in a rule without a limit"),
            ("{limit.value}", "{limit.valu}", "7:49: {limit.valu} is not a placeholder here (want {limit.value})"),
            ("limits:", "limit:", '8:1: unknown key "limit" (want limits)'),
            ("name: stay, jurisdiction: KG", "name: Stay, jurisdiction: KG", '11:12: "Stay" is not an id'),
            ("name: stay, jurisdiction: KG, ", "jurisdiction: KG, ", "11:5: name is missing (want small letters"),
            ("jurisdiction: KG, ", "", "11:5: jurisdiction is missing (want a country"),
            ("jurisdiction: KG, ", "jurisdiction: [KG], ", "11:32: a list is not a jurisdiction"),
            ("from: 2010-01-01, ", "", "11:5: from is missing (want the first day in force"),
            ("2010-01-01", "2010-01", '11:42: "2010-01" is not a day (want the first day in force, such as 2018-'),
            ("2010-01-01", "2010-02-30", '11:42: "2010-02-30" is not a day'),
            ("2010-01-01", "2010-01-01~", '11:42: "2010-01-01~" is not a day'),
            ("2010-01-01", "20100101", '11:42: "20100101" is not a day'),
            ("2018-02-28", "2014-02-28", "9:61: until 2014-02-28 lies before from 2015-01-01"),
            ("value: P6D, ", "", "11:5: value is missing (want weeks, days"),
            ("P6D", "P2M", '11:61: "P2M" has months or years, which have no fixed length'),
            ("P6D", "P0D", "11:61: the time is zero or less"),
            ("P6D", "{limit: stay}", "11:61: a limit of a limit is here (want a duration, since a limit cannot name"),
            ("P6D", "P21D", "11:76: longest is shorter than value (want as long as value or longer, or no longest)"),
            (", source: Law of KG", "", "11:5: source is missing (want the law and its article)"),
            ("source: Law of KG", "source: ", "11:88: nothing is not a text for this"),
            ("source: Law of KG", "sourc: Law of KG", '11:81: unknown key "sourc" (want source)'),
            ("until: 2018-02-28", "until: 2018-03-01", "10:5: stay of KZ is in force here and at rules.yaml:9:5 on"),
            ("until: 2018-02-28, ", "", "10:5: stay of KZ is in force here and at rules.yaml:9:5 on the same days"),
            ("jurisdiction: KG", "jurisdiction: kz", "11:5: stay of kz is in force here and at rules.yaml:9:5 on"),
            ("limits:\n", "limits:\n  - stay\n", '9:5: "stay" is not a limit (want keys such as name'),
        ],
    )
    def test_the_place_of_a_mistake(self, old: str, new: str, message: str) -> None:
        """Each mistake is named with its line, its column and the wanted value."""
        messages = problems((HELD + LIMITS).replace(old, new, 1))

        assert any(problem.startswith(f"rules.yaml:{message}") for problem in messages), messages

    @pytest.mark.parametrize("text", ["limits:\n", "limits: []\n", "limits: {a: b}\n", "limits: x\n"])
    def test_an_empty_table_is_a_mistake(self, text: str) -> None:
        """The key limits stands before a list."""
        assert any("no limits are here (want a list of limits, at least one)" in line for line in problems(text + HELD))

    def test_a_wrong_entry_is_not_reported_as_an_unknown_name_too(self) -> None:
        """The rule that takes it is correct."""
        assert ["from", "jurisdiction", "source", "value"] == [
            line.split()[1] for line in problems(HELD + "limits:\n  - {name: stay}\n")
        ]

    def test_overlaps_are_found_between_the_files_of_a_folder(self) -> None:
        """Two files make one table."""
        Path("a.yaml").write_text(LIMITS)
        Path("b.yaml").write_text(HELD + LIMITS)

        with pytest.raises(BadInput, match=r"b\.yaml:9:5: stay of KZ is in force here and at a\.yaml:2:5"):
            load(Path())

    def test_notes_name_the_jurisdictions_without_an_entry(self) -> None:
        """A rule that names only known jurisdictions has no note."""
        for number, key in enumerate(("    jurisdiction: [KZ, US, FR]\n", "    jurisdiction: kg\n", "")):
            Path(f"{number}.yaml").write_text(HELD + key + LIMITS)

        assert [["held is silent in FR, US: the limit stay has no entry there"], []] == [
            [note.what for note in notes(Path(f"{number}.yaml"))] for number in (0, 1)
        ]
        assert ["2.yaml:6:10: note: held speaks in KG, KZ alone, since the limit stay has no other entry"] == [
            str(note).partition(" (")[0] for note in notes(Path("2.yaml"))
        ]

    def test_the_pack_has_a_law_for_each_figure(self) -> None:
        """Each shipped entry names its law and its article."""
        entries = [entry for limit in shipped_limits().values() for entry in limit]

        assert entries
        assert all("article" in entry.source for entry in entries)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=48), "48 hours"),
        (timedelta(days=3), "72 hours"),
        (timedelta(days=31), "31 days"),
        (timedelta(days=4, hours=1), "4 days and 1 hour"),
        (timedelta(days=4, hours=1, minutes=2, seconds=3), "4 days, 1 hour, 2 minutes and 3 seconds"),
        (timedelta(seconds=30), "30 seconds"),
    ],
)
def test_lengths_in_words(length: timedelta, words: str) -> None:
    """Up to three days are told in hours, as laws tell them."""
    assert words == in_words(length)


def test_a_retracted_anchor_retracts_the_alert() -> None:
    """The sentence of an alert that is gone keeps the value that was said."""
    first = held_from("2018-05-01")
    (alert,) = alerts([first, retracted(first)], "2030", book(HELD + LIMITS))

    assert "the limit is 7 days (New law)." in alert["explanation"]


@pytest.mark.parametrize(
    ("within", "wait", "said"),
    [
        ({"limit": "stay"}, {"limit": "stay"}, "6 days"),
        (3 * DAY, {"limit": "stay"}, "6 days"),
        ({"limit": "stay"}, DAY, "48 hours"),
    ],
)
def test_a_chain_names_the_value_that_it_applies(within: Any, wait: Any, said: str) -> None:
    """The silence at its end takes the longest value and is named first; a certain `within` takes the shortest."""
    entry = {"jurisdiction": "KZ", "from": "2000-01-01", "value": 2 * DAY, "longest": 6 * DAY, "source": "Law"}
    own = [time | {"entries": [entry]} if isinstance(time, dict) else time for time in (within, wait)]
    steps = [{"then": ["Arrested"], "within": DAY * 9}, {"absent": ["Charged"], "for": own[1]}]
    texts = {"id": "x", "title": "x", "explain": "{limit.value}", "on": ["Detained"]}
    rule = ChainRule.model_validate(texts | {"within": own[0], "steps": steps})
    (alert,) = alerts([detained("2022-03-01", jurisdiction="KZ"), arrested("2022-03-02")], "2030", Rulebook((rule,)))

    assert said == alert["explanation"]
