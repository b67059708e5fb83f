"""The keys of rules beside the two patterns: over, before, from, jurisdiction, where, same and new."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.sequence import SequenceRule
from projections.rules.rulebook import Rulebook
from tests.support.builders import (
    Line,
    alerts,
    arrested,
    charged,
    convicted,
    detained,
    dismissed,
    life,
    released,
    retracted,
    stated,
)
from tests.support.rules import SEQUENCE, SILENCE, problems

DAY = 86400
TEXTS = {"id": "a-rule", "title": "A rule", "explain": "{name}: {anchor.type}."}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test."""
    monkeypatch.chdir(tmp_path)


def sequence(**keys: Any) -> Rulebook:
    """Return a rule: dismissed, then detained or arrested within 180 days."""
    data = {"on": "Dismissed", "then": ["Detained", "Arrested"], "within": 180 * DAY}
    return Rulebook((SequenceRule.model_validate(TEXTS | data | keys),))


def absence(**keys: Any) -> Rulebook:
    """Return a rule: dismissed, and no detention for 30 days."""
    data = {"on": "Dismissed", "absent": "Detained", "for": 30 * DAY}
    return Rulebook((AbsenceRule.model_validate({k: v for k, v in (TEXTS | data | keys).items() if v is not None}),))


def states(lines: list[Line], rules: Rulebook, until: str = "2030") -> list[str]:
    """Return the states of the only alert, in order."""
    return [state for state, _, _ in life(alerts(lines, until, rules))]


class TestOver:
    """`over`: a later event ends the pattern of a sequence."""

    LINES = (dismissed("2022-03-01"), detained("2022-04-01"))

    def test_a_release_after_the_detention_resolves_the_alert(self) -> None:
        """The pattern was there and is over: resolved, because the world changed."""
        story = [*self.LINES, released("2022-05-01")]

        assert [("open", "followed"), ("resolved", "world_changed")] == [
            (state, cause) for state, _, cause in life(alerts(story, "2030", sequence(over="Released")))
        ]

    def test_another_follow_up_opens_it_again(self) -> None:
        """Each event that completes the pattern needs an end of its own."""
        story = [*self.LINES, released("2022-05-01"), arrested("2022-06-01")]

        assert ["open", "resolved", "open"] == states(story, sequence(over="Released"))

    def test_a_release_that_may_be_earlier_ends_nothing(self) -> None:
        """Only an event that is certainly after the follow-up ends the pattern."""
        assert ["open"] == states([*self.LINES, released("2022-04")], sequence(over="Released"))

    def test_it_can_end_after_the_time_of_the_pattern(self) -> None:
        """`within` bounds the follow-up, and not the end."""
        assert ["open", "resolved"] == states([*self.LINES, released("2024-01-01")], sequence(over="Released"))

    def test_a_retracted_release_opens_it_again(self) -> None:
        """The release was never true, so the pattern stands."""
        free = released("2022-05-01", id="free")

        assert ["open", "resolved", "open"] == states(
            [*self.LINES, free, retracted(free, "2022-06-01")], sequence(over="Released")
        )

    def test_without_it_a_release_changes_nothing(self) -> None:
        """A rule that does not name `over` keeps its meaning."""
        assert ["open"] == states([*self.LINES, released("2022-05-01")], sequence())


class TestBefore:
    """`before`: no such fact in the time before the anchor."""

    @pytest.mark.parametrize(
        ("earlier", "expected"),
        [
            ("2022-01-29", ["open"]),
            ("2022-01-31", []),
            ("2022-01", []),
            ("2022-03-01", []),
            ("2022-03-05", ["open"]),
        ],
        ids=["too early", "within", "perhaps within", "the same day", "after"],
    )
    def test_a_fact_possibly_in_that_time_prevents_the_alert(self, earlier: str, expected: list[str]) -> None:
        """Thirty days before a dismissal of 1 March begin on 30 January."""
        story = [detained(earlier), dismissed("2022-03-01")]

        assert expected == states(story, absence(before=30 * DAY, **{"for": None}))

    def test_alone_it_is_known_as_soon_as_the_event_is(self) -> None:
        """The deadline is the `recorded` of the event's first report."""
        (alert,) = alerts(
            [dismissed("2022-03-01", recorded="2022-03-10T08:00:00Z")], "2030", absence(before=DAY, **{"for": None})
        )

        assert [("open", "2022-03-10T08:00:00Z", "deadline")] == life([alert])

    def test_alone_it_is_never_resolved(self) -> None:
        """A detention after the dismissal is no news for a rule that looks back."""
        story = [dismissed("2022-03-01"), detained("2022-09-01")]

        assert ["open"] == states(story, absence(before=30 * DAY, **{"for": None}))

    def test_late_news_retracts_it(self) -> None:
        """A detention known late was there before the dismissal: the alert was never true."""
        late = detained("2022-02-20", published="2022-12-01", recorded="2022-12-01T00:00:00Z")

        assert ["open", "retracted"] == states(
            [dismissed("2022-03-01"), late], absence(before=30 * DAY, **{"for": None})
        )

    def test_beside_for_both_must_hold(self) -> None:
        """Neither before nor after: one of the two is enough to prevent the alert."""
        rules = absence(before=30 * DAY)

        assert ["open"] == states([dismissed("2022-03-01")], rules)
        assert [] == states([detained("2022-02-20"), dismissed("2022-03-01")], rules)
        assert [] == states([dismissed("2022-03-01"), detained("2022-03-20")], rules)


class TestFromUntil:
    """`from: until`: the time counts from the end that the anchor names."""

    RULES: ClassVar = {"on": "Suspended", "absent": "SuspensionLifted", "for": 7 * DAY, "from": "until"}

    def test_the_deadline_counts_from_the_end_of_the_order(self) -> None:
        """A suspension until 1 May, and a week: the alert opens on 9 May, after the whole of 1 May and seven days."""
        story = [stated("Suspended", "2022-03-01", until="2022-05-01")]

        assert [("open", "2022-05-09T00:00:00Z", "deadline")] == life(alerts(story, "2030", absence(**self.RULES)))

    def test_of_several_reports_the_latest_end_counts(self) -> None:
        """A report with a later end does not make an alert too early."""
        story = [
            stated("Suspended", "2022-03-01", id="one", until="2022-05-01"),
            stated("Suspended", "2022-03", id="two", until="2022-06-01", published="2022-03-31"),
        ]
        (alert,) = alerts(story, "2030", absence(**self.RULES))

        assert "2022-06-09T00:00:00Z" == alert["life"][-1]["at"]

    @pytest.mark.parametrize("more", [{}, {"until": "2022-05-01/.."}], ids=["no end", "an open end"])
    def test_without_an_end_there_is_nothing_to_wait_for(self, more: dict[str, str]) -> None:
        """No date is invented."""
        assert [] == alerts([stated("Suspended", "2022-03-01", **more)], "2030", absence(**self.RULES))


class TestJurisdiction:
    """`jurisdiction`: the rule applies only where a source says so."""

    @pytest.mark.parametrize(
        ("named", "expected"), [("KZ", ["open"]), ("KG", ["open"]), ("RU", []), (None, [])], ids=str
    )
    def test_it_applies_only_where_a_report_names_it(self, named: str | None, expected: list[str]) -> None:
        """A report without a jurisdiction does not say that the law applies."""
        more = {} if named is None else {"jurisdiction": named}

        assert expected == states([dismissed("2022-03-01", **more)], absence(jurisdiction=["KZ", "KG"]))

    def test_one_report_of_the_event_is_enough(self) -> None:
        """The best report need not be the one that names it."""
        story = [
            dismissed("2022-03-01", id="best"),
            dismissed("2022-03", id="vague", published="2022-03-31", jurisdiction="KZ"),
        ]

        assert ["open"] == states(story, absence(jurisdiction="KZ"))


class TestWhere:
    """`where`: conditions on the data of the anchor and of the follow-up."""

    def test_a_sequence_needs_an_anchor_that_fulfils_it(self) -> None:
        """Only a dismissal with that ground starts the pattern."""
        rules = sequence(where={"anchor.ground": "corruption"})

        assert ["open"] == states([dismissed("2022-03-01", ground="Corruption"), detained("2022-04-01")], rules)
        assert [] == states([dismissed("2022-03-01", ground="health"), detained("2022-04-01")], rules)
        assert [] == states([dismissed("2022-03-01"), detained("2022-04-01")], rules)

    def test_a_sequence_needs_a_follow_up_that_fulfils_it(self) -> None:
        """The follow-up is in the same case as the anchor says, or there is none."""
        rules = sequence(where={"then.authority": {"starts_with": "Anti"}})

        assert ["open"] == states([dismissed("2022-03-01"), detained("2022-04-01", authority="Anti-X")], rules)
        assert [] == states([dismissed("2022-03-01"), detained("2022-04-01", authority="Police")], rules)
        assert [] == states([dismissed("2022-03-01"), detained("2022-04-01")], rules)

    def test_one_report_must_fulfil_all_of_it(self) -> None:
        """The words of two reports are never put together."""
        rules = sequence(where={"anchor.ground": "corruption", "anchor.agency": "Ministry"})
        apart = [
            dismissed("2022-03-01", id="one", ground="corruption"),
            dismissed("2022-03", id="two", published="2022-03-31", agency="Ministry"),
            detained("2022-04-01"),
        ]
        together = [dismissed("2022-03-01", ground="corruption", agency="Ministry"), detained("2022-04-01")]

        assert [] == states(apart, rules)
        assert ["open"] == states(together, rules)

    def test_a_silence_applies_only_to_an_anchor_that_fulfils_it(self) -> None:
        """Where the source does not name the ground, nothing is said of the silence."""
        rules = absence(where={"anchor.ground": "corruption"})

        assert ["open"] == states([dismissed("2022-03-01", ground="corruption")], rules)
        assert [] == states([dismissed("2022-03-01", ground="health")], rules)
        assert [] == states([dismissed("2022-03-01")], rules)

    def test_a_follow_up_without_the_words_prevents_a_silence_and_does_not_end_it(self) -> None:
        """An undecided follow-up counts before the deadline, and does not count after it."""
        rules = absence(where={"absent.authority": "Ministry"})
        known, other = {"authority": "Ministry"}, {"authority": "Police"}
        unknown: dict[str, str] = {}
        outcomes = {
            (when, name): states([dismissed("2022-03-01"), detained(when, **words)], rules)
            for when in ("2022-03-10", "2022-09-01")
            for name, words in (("known", known), ("unknown", unknown), ("other", other))
        }

        assert outcomes == {
            ("2022-03-10", "known"): [],
            ("2022-03-10", "unknown"): [],
            ("2022-03-10", "other"): ["open"],
            ("2022-09-01", "known"): ["open", "resolved"],
            ("2022-09-01", "unknown"): ["open"],
            ("2022-09-01", "other"): ["open"],
        }

    def test_a_second_report_can_decide_it(self) -> None:
        """The silence is resolved when a report says by which authority the person was detained."""
        story = [
            dismissed("2022-03-01"),
            detained("2022-09-01", id="plain", recorded="2022-10-01T00:00:00Z"),
            detained("2022-09-01", id="full", authority="Ministry", recorded="2022-11-01T00:00:00Z"),
        ]

        assert ["open", "resolved"] == states(story, absence(where={"absent.authority": "Ministry"}))


class TestSameAndNew:
    """`same` and `new`: the values of the follow-up beside those of the anchor, or of all facts before it."""

    ACCUSED: ClassVar = {"on": "Charged", "then": "Convicted"}

    @pytest.mark.parametrize(("case", "expected"), [("one", ["open"]), ("two", [])])
    def test_the_same_case(self, case: str, expected: list[str]) -> None:
        """Both facts name the case, and it is one case."""
        story = [charged("2022-03-01", case="one"), convicted("2022-04-01", case=case)]

        assert expected == states(story, sequence(**self.ACCUSED, same="case_id"))

    def test_a_value_that_one_of_them_does_not_name_is_not_the_same(self) -> None:
        """Missing data completes no pattern."""
        story = [dismissed("2022-03-01", agency="Police"), detained("2022-04-01")]

        assert [] == states(story, sequence(same="jurisdiction"))

    def test_a_new_case_is_one_that_no_fact_named_before(self) -> None:
        """A detention in a case that was open at the dismissal is not new."""
        old = charged("2022-01-01", case="old")
        rules = sequence(new="case_id")

        assert [] == states([old, dismissed("2022-03-01"), detained("2022-04-01", case="old")], rules)
        assert ["open"] == states([old, dismissed("2022-03-01"), detained("2022-04-01", case="new")], rules)

    def test_late_news_of_an_old_case_retracts_the_alert(self) -> None:
        """The case was there before the dismissal: it was never new."""
        late = charged("2022-01-01", case="c", published="2022-12-01", recorded="2022-12-01T00:00:00Z")
        story = [dismissed("2022-03-01"), detained("2022-04-01", case="c"), late]

        assert ["open", "retracted"] == states(story, sequence(new="case_id"))

    @pytest.mark.parametrize("occurred", ["2022", "XXXX-02-05"])
    def test_a_vague_fact_at_the_end_can_show_that_a_case_is_not_new(self, occurred: str) -> None:
        """A charge some day of the year, or of an unknown year, may have been before the dismissal."""
        vague = charged(occurred, case="c", published="2023-01-01", recorded="2023-01-02T00:00:00Z")
        story = [dismissed("2022-03-01"), detained("2022-04-01", case="c"), vague]

        assert ["open", "retracted"] == states(story, sequence(new="case_id"))


class TestFiles:
    """Mistakes in these keys are named with their place."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (SILENCE.replace("    for: P90D\n", ""), "rules.yaml:2:5: neither for nor before is in this rule"),
            (
                SILENCE.replace("    for: P90D\n", "    before: P1D\n    from: until\n"),
                "rules.yaml:2:5: from stands without for",
            ),
            (
                SILENCE + "    from: recorded\n",
                'rules.yaml:13:11: "recorded" is not a place to count from (want until)',
            ),
            (SILENCE + "    jurisdiction: [KZ, '']\n", "rules.yaml:13:24: nothing is not a jurisdiction"),
            (SILENCE + "    over: Released\n", "rules.yaml:13:5: over belongs to another pattern"),
            (SEQUENCE + "    over: Relesed\n", 'rules.yaml:8:11: "Relesed" is not a fact type that a rule can name'),
            (
                SILENCE + "    where: {then.ground: x}\n",
                'rules.yaml:13:26: "then" in then.ground is not a fact of this',
            ),
            (SILENCE + "    where: {anchor.grund: x}\n", "rules.yaml:13:27: "),
            (SEQUENCE + "    same: cases\n", 'rules.yaml:8:11: "cases" is not a field to compare'),
            (SILENCE + "    why: ''\n", "rules.yaml:13:10: nothing is not a text for this"),
        ],
    )
    def test_a_mistake_is_named_with_its_place(self, text: str, expected: str) -> None:
        """File, line and column, the finding, and the wanted value."""
        (problem,) = problems(text)

        assert problem.startswith(expected)

    def test_a_rule_without_these_keys_keeps_its_version(self) -> None:
        """A field that a rule does not use changes neither its normal form nor its version."""
        (rule,) = absence().rules

        assert {"id", "title", "on", "explain", "absent", "for"} == rule.normal().keys()
