"""The keys `when`, `unless`, `still` and `once`: examples at their edges, with vague dates and late facts."""

from pathlib import Path
from typing import Any

import pytest

from projections.rules.conditions.status import Conditions
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.sequence import SequenceRule
from projections.rules.rulebook import Rulebook
from projections.subjects.anchor_status import status_at
from projections.subjects.fold import Fold
from tests.support.builders import (
    Line,
    accused,
    acquitted,
    alerts,
    appointed,
    arrested,
    charged,
    corrected,
    detained,
    died,
    dismissed,
    history,
    investigated,
    life,
    released,
    retracted,
    stated,
    status,
    wanted,
)
from tests.support.rules import SEQUENCE, SILENCE, book, problems, schema_problems

DAY = 86400
TEXTS = {"id": "a-rule", "title": "A rule", "explain": "{name}: {anchor.type}."}
DISMISSED = dismissed("2022-03-27", post="mayor")
LATE = "2022-12-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test."""
    monkeypatch.chdir(tmp_path)


def quiet(**keys: Any) -> Rulebook:
    """Return a rule: dismissed, and nothing noted for 30 days."""
    return Rulebook(
        (AbsenceRule.model_validate(TEXTS | {"on": "Dismissed", "absent": "Noted", "for": 30 * DAY} | keys),)
    )


def followed(**keys: Any) -> Rulebook:
    """Return a rule: dismissed, then arrested within 60 days."""
    data = {"on": "Dismissed", "then": "Arrested", "within": 60 * DAY}
    return Rulebook((SequenceRule.model_validate(TEXTS | data | keys),))


def states(lines: list[Line], rules: Rulebook) -> list[str]:
    """Return the states of the only alert, in order."""
    return [state for state, _, _ in life(alerts(lines, "2030", rules))]


class TestJudgedTwice:
    """`when` holds in both statuses at the anchor, and `unless` in neither."""

    @pytest.mark.parametrize(
        ("before", "when", "unless"),
        [
            ([detained("2022-03-20")], ["open"], []),
            ([detained("2022-03", published="2022-04-02")], [], []),
            ([detained("2022-03-27")], [], []),
            ([detained("2022-03-26~", published="2022-04-02")], [], []),
            ([detained("2022-03-20"), released("2022-03", published="2022-04-02")], [], []),
            ([detained("2022-03-28")], [], ["open"]),
            ([detained("2022-03-28T13:59:00Z", published="2022-03-28")], [], []),
            ([detained("2022-03-28T14:00:00Z", published="2022-03-28")], [], ["open"]),
            ([detained("2022-03-26T09:59:59Z", published="2022-03-26")], ["open"], []),
            ([detained("2022-03-26T10:00:00Z", published="2022-03-26")], [], []),
            ([detained("XXXX-03-20", published="2022-04-02")], [], ["open"]),
            ([detained("2022-03-27", id="d", after=["decree"])], [], ["open"]),
            ([], [], ["open"]),
        ],
        ids=[
            "before", "perhaps later", "the same day", "approximate", "perhaps free", "after", "within 14 hours after",
            "14 hours after", "14 hours before", "within 14 hours before", "undated", "placed behind", "never",
        ],
    )  # fmt: skip
    def test_a_vague_date_is_before_in_one_of_the_two(
        self, before: list[Line], when: list[str], unless: list[str]
    ) -> None:
        """A date that may lie on either side fulfils no `when`, and exempts by `unless`."""
        story = [*before, dismissed("2022-03-27", id="decree")]

        assert when == states(story, quiet(when={"custody": "detained"}))
        assert unless == states(story, quiet(unless={"custody": "detained"}))

    def test_a_source_that_names_the_order_makes_it_certain(self) -> None:
        """A dismissal after a detention of the same day, by the word of its source, is certainly after it."""
        story = [detained("2022-03-27", id="first"), dismissed("2022-03-27", after=["first"])]

        assert ["open"] == states(story, quiet(when={"custody": "detained"}))

    def test_the_anchor_and_its_reports_are_in_neither(self) -> None:
        """A second paper's vague report of the dismissal is no dismissal before it."""
        story = [dismissed("2022-03-27", id="one"), dismissed("2022-03", id="two", published="2022-04-02")]

        assert ["open"] == states(story, quiet(unless={"service": "dismissed"}))

    def test_all_of_when_must_hold_and_one_of_unless_is_enough(self) -> None:
        """Two conditions on two tracks."""
        both = {"custody": "detained", "wanted": "national"}
        story = [detained("2022-03-20"), DISMISSED]

        assert [] == states(story, quiet(when=both))
        assert ["open"] == states([*story, wanted("2022-03-21", case="w")], quiet(when=both))
        assert [] == states(story, quiet(unless=both))

    def test_a_list_is_one_of_its_words(self) -> None:
        """The status needs one word of the list."""
        rules = quiet(when={"custody": ["remanded", "detained"]})

        assert ["open"] == states([detained("2022-03-20"), DISMISSED], rules)
        assert [] == states([released("2022-03-20"), DISMISSED], rules)

    def test_a_sequence_has_them_too(self) -> None:
        """The keys stand in the parts that all patterns share."""
        story = [appointed("2022-01-01", post="mayor"), DISMISSED, arrested("2022-04-10")]

        assert ["open"] == states(story, followed(when={"service": "in_office"}))
        assert [] == states(story, followed(unless={"service": "in_office"}))


class TestLateFacts:
    """A fact that arrives later is judged as if it had been there."""

    def test_a_fact_of_the_same_day_that_comes_last_retracts(self) -> None:
        """It is last in world order, and still possibly before the dismissal."""
        late = detained("2022-03-27", published="2022-12-01", recorded=LATE)

        assert ["open", "retracted"] == states([DISMISSED, late], quiet(unless={"custody": "detained"}))

    def test_a_fact_of_the_same_day_that_comes_last_voids_when(self) -> None:
        """A release of the same day leaves open whether the person was held."""
        story = [detained("2022-03-20"), DISMISSED]
        late = released("2022-03-27", published="2022-12-01", recorded=LATE)

        assert ["open", "retracted"] == states([*story, late], quiet(when={"custody": "detained"}))

    def test_a_post_that_is_known_late_makes_it_stand(self) -> None:
        """The finding was void, since no post was known that the person held."""
        story = [DISMISSED, appointed("2022-03-01", post="adviser", recorded=LATE, published="2022-12-01")]

        assert [("open", LATE)] == [
            (state, at) for state, at, _ in life(alerts(story, "2030", quiet(when={"service": "in_office"})))
        ]

    def test_a_correction_of_the_date_decides_anew(self) -> None:
        """A detention corrected to a later day exempts nobody any more."""
        first = detained("2022-03-20")
        story = [first, DISMISSED, corrected(first, "2022-06-01", occurred="2022-04-20")]

        assert ["open"] == states(story, quiet(unless={"custody": "detained"}))

    def test_a_case_that_only_custody_names_is_counted(self) -> None:
        """A detention known late opens a case that no fact of the case track names."""
        late = detained("2022-03-01", case="x", published="2022-12-01", recorded=LATE)

        assert ["open", "retracted"] == states([DISMISSED, late], quiet(unless={"open_cases": {"at_least": 1}}))


class TestAnyPart:
    """A word holds if any post, hold, search or open case has it."""

    MOVED = (appointed("2022-01-01", post="a", agency="m"), appointed("2022-02-01", post="b", agency="m"))
    SOUGHT = (wanted("2022-01-01", case="c"), wanted("2022-01-02", case="d", scope="international"))
    ENDED = (charged("2022-01-01"), acquitted("2022-02-01", final=True))
    CLOSED = stated("CaseClosed", "2022-02-01", case="c")
    POSTS = (appointed("2022-01-01", post="mayor"), appointed("2022-01-02", post="envoy", concurrent=True))

    @pytest.mark.parametrize(
        ("lines", "conditions"),
        [
            ([*POSTS, dismissed("2022-02-01", post="envoy", id="x")], {"service": "dismissed"}),
            ([*POSTS, dismissed("2022-02-01", post="envoy", id="x")], {"service": "in_office"}),
            ([*MOVED], {"service": "moved"}),
            ([detained("2022-01-01", case="c"), stated("Bailed", "2022-01-02", case="d")], {"custody": "bailed"}),
            ([*SOUGHT], {"wanted": "national"}),
            ([charged("2022-01-01", case="c"), accused("2022-01-02", case="d")], {"stage": "accused"}),
            ([acquitted("2022-01-01", final=True)], {"stage": "acquitted"}),
            ([], {"service": "unknown", "custody": "unknown"}),
        ],
        ids=["ended post", "held post", "moved", "hold", "search", "open case", "the last end", "nothing"],
    )  # fmt: skip
    def test_a_word_of_one_part_holds(self, lines: list[Line], conditions: dict[str, str]) -> None:
        """The row would show one of the two parts."""
        assert Conditions.model_validate(conditions).all_hold(status(*lines).words())

    @pytest.mark.parametrize(
        ("lines", "conditions"),
        [
            ([appointed("2022-01-01", post="mayor")], {"service": "unknown"}),
            ([*ENDED, investigated("2022-03-01", case="d")], {"stage": "acquitted"}),
            ([detained("2022-01-01", case="c"), CLOSED], {"custody": "detained"}),
            ([wanted("2022-01-01", case="c"), CLOSED], {"wanted": "national"}),
        ],
        ids=["something is known", "an end beside an open case", "a hold that does not count", "a search likewise"],
    )  # fmt: skip
    def test_a_word_that_no_part_has_does_not_hold(self, lines: list[Line], conditions: dict[str, str]) -> None:
        """Nothing is said that the parts do not say."""
        assert not Conditions.model_validate(conditions).all_hold(status(*lines).words())

    def test_each_answer_can_be_shown(self) -> None:
        """The name, the words of the rule, the words of the person, and whether the condition holds."""
        conditions = Conditions.model_validate({"custody": ["bailed"], "open_cases": {"at_least": 1, "at_most": 3}})
        answers = [*conditions.answers(status(detained("2022-03-01"), charged("2022-03-02")).words())]

        assert [tuple(answer) for answer in answers] == [
            ("custody", {"bailed"}, {"detained"}, False),
            ("open_cases", {"at_least 1", "at_most 3"}, {"1"}, True),
        ]


class TestStill:
    """`still`: the status certainly lasts from behind the anchor to the deadline."""

    OFFICE = appointed("2022-01-01", post="mayor")
    CHARGED = charged("2022-03-01")

    def rules(self, **keys: Any) -> Rulebook:
        """Return a rule: charged, nothing noted, and still in office."""
        return quiet(**{"on": "Charged", "still": {"service": "in_office"}} | keys)

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ([], ["open"]),
            ([dismissed("2022-03-10")], []),
            ([dismissed("2022-03-01")], []),
            ([dismissed("2022-04-15")], ["open"]),
            ([dismissed("2022", published="2022-12-01", recorded=LATE)], ["open", "retracted"]),
            ([dismissed("XXXX-03-10", published="2022-03-12")], []),
            ([dismissed("2022-04-01T13:59:59Z", published="2022-04-01")], []),
            ([dismissed("2022-04-01T14:00:00Z", published="2022-04-01")], ["open"]),
            ([died("2022-03-10")], []),
            ([dismissed("2022-03-10"), appointed("2022-03-20", post="envoy")], []),
        ],
        ids=[
            "nothing", "left", "left the same day", "left later", "perhaps left", "undated", "within 14 hours",
            "14 hours later", "died", "left and came back",
        ],
    )  # fmt: skip
    def test_a_possible_end_before_the_deadline_voids_it(self, more: list[Line], expected: list[str]) -> None:
        """Thirty days after the charge of 1 March end on 1 April."""
        assert expected == states([self.OFFICE, self.CHARGED, *more], self.rules(settle=2 * DAY))

    def test_it_must_hold_behind_the_anchor(self) -> None:
        """Without an office nothing can last."""
        assert [] == states([self.CHARGED], self.rules())

    def test_the_anchor_itself_can_begin_it(self) -> None:
        """The status is read behind the anchor, with its effect."""
        assert ["open"] == states([detained("2022-03-01")], self.rules(on="Detained", still={"custody": "detained"}))

    def test_a_late_end_retracts_and_its_retraction_opens_again(self) -> None:
        """The end was known late, and was never true."""
        end = dismissed("2022-03-10", published="2022-11-01", recorded="2022-11-01T00:00:00Z", id="end")
        story = [self.OFFICE, self.CHARGED, end, retracted(end, "2022-12-01")]

        assert ["open", "retracted"] == states(story[:3], self.rules())
        assert ["open", "retracted", "open"] == states(story, self.rules())

    def test_another_post_is_enough(self) -> None:
        """A word of any post holds."""
        other = appointed("2022-01-02", post="envoy", concurrent=True)
        story = [self.OFFICE, other, self.CHARGED, dismissed("2022-03-10", post="envoy")]

        assert ["open"] == states(story, self.rules())


class TestOnce:
    """`once`: one alert for a case or a person."""

    ONE, TWO = dismissed("2022-03-01", post="a", id="one"), dismissed("2022-03-10", post="b", id="two")

    def anchors(self, lines: list[Line], **keys: Any) -> dict[str, list[str]]:
        """Return the states of each alert, by its anchor."""
        found = alerts(lines, "2030", quiet(**keys))
        return {alert["anchor"]: [step["state"] for step in alert["life"]] for alert in found}

    def test_the_first_of_a_person_speaks(self) -> None:
        """Without the key, both do."""
        assert {"one": ["open"]} == self.anchors([self.ONE, self.TWO], once="subject")
        assert {"one": ["open"], "two": ["open"]} == self.anchors([self.ONE, self.TWO])

    def test_the_next_speaks_when_the_first_is_taken_back(self) -> None:
        """The first alert is retracted, and the second opens at that instant."""
        story = [self.ONE, self.TWO, retracted(self.ONE, "2022-12-01")]

        assert {"one": ["open", "retracted"], "two": ["open"]} == self.anchors(story, once="subject")

    def test_an_earlier_one_that_is_known_late_takes_over(self) -> None:
        """The alert of the later anchor is retracted."""
        late = dismissed("2022-03-01", post="a", id="one", published="2022-12-01", recorded=LATE)

        assert {"two": ["open", "retracted"], "one": ["open"]} == self.anchors([self.TWO, late], once="subject")

    def test_a_first_that_ended_stays_resolved(self) -> None:
        """A note ends the silence after the first, but not after a dismissal of a later year."""
        later = dismissed("2023-03-01", post="b", id="later")
        story = [self.ONE, stated("Noted", "2022-08-01", title="Summoned"), later]

        assert {"one": ["open", "resolved"], "later": ["open"]} == self.anchors(story, once="subject")

    def test_each_case_speaks_for_itself(self) -> None:
        """Two charges in one case are one alert; an arrest without a case is a case by itself."""
        story = [
            charged("2022-03-01", case="c", id="c1", charges=[{"title": "bribe"}]),
            charged("2022-03-05", case="c", id="c2", charges=[{"title": "fraud"}]),
            charged("2022-03-06", case="d", id="d1"),
            arrested("2022-03-07", id="n1"),
            arrested("2022-03-20", id="n2"),
        ]

        assert {"c1", "d1", "n1", "n2"} == self.anchors(story, on=["Charged", "Arrested"], once="case").keys()


class TestFiles:
    """Each way to be wrong is named with its place, and the normal form is stable."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (SEQUENCE + "    when: {}\n", "rules.yaml:8:11: no condition is here (want conditions on the status:"),
            (SILENCE + "    still: {}\n", "rules.yaml:13:12: no condition is here (want conditions on the status:"),
            (SEQUENCE + "    when: {service: free}\n", 'rules.yaml:8:21: "free" is not a service status'),
            (SEQUENCE + "    when: {servise: moved}\n", 'rules.yaml:8:12: unknown key "servise" (want service)'),
            (SILENCE + "    still: {wantd: national}\n", 'rules.yaml:13:13: unknown key "wantd" (want wanted)'),
            (SILENCE + "    still: {open_cases: {}}\n", "rules.yaml:13:25: open_cases has no figure"),
            (SEQUENCE + "    when: detained\n", 'rules.yaml:8:11: "detained" is not what when takes'),
            (SEQUENCE + "    still: {service: moved}\n", "rules.yaml:8:5: still belongs to another pattern"),
            (
                SILENCE.replace("    for: P90D\n", "    before: P1D\n") + "    still: {service: moved}\n",
                "rules.yaml:2:5: still stands without for",
            ),
            (SEQUENCE + "    once: person\n", 'rules.yaml:8:11: "person" is not a group of alerts'),
            (SEQUENCE + "    once: [case]\n", "rules.yaml:8:11: "),
        ],
    )
    def test_a_mistake_has_its_place(self, text: str, expected: str) -> None:
        """File, line, column, the finding and the wanted value."""
        (message,) = problems(text)

        assert message.startswith(expected), message

    TEXT = (
        SILENCE
        + "    when: {service: [in_office, moved], open_cases: {at_most: 2}}\n"
        + "    still: {stage: charged}\n    once: case\n"
    )

    def test_the_schema_takes_the_same(self) -> None:
        """An editor marks the mistakes, and no file that can be used."""
        assert [] == schema_problems(self.TEXT)
        assert schema_problems(self.TEXT.replace("once: case", "once: person"))
        assert schema_problems(self.TEXT.replace("in_office", "free"))
        assert schema_problems(SEQUENCE + "    still: {stage: charged}\n")

    def test_a_stored_rule_reads_back_equal(self) -> None:
        """The ledger holds the normal form; a rule without the keys has none of them."""
        rules = book(self.TEXT)

        assert rules == Rulebook.from_json(rules.as_json())
        assert rules.version == Rulebook.from_json(rules.as_json()).version
        assert not {"when", "still", "once"} & book(SILENCE).rules[0].normal().keys()

    def test_a_condition_on_death_alone_reads_deaths_alone(self) -> None:
        """No other fact can make the word `deceased`."""
        assert {"Died"} == Conditions.model_validate({"service": "deceased"}).types
        assert "Dismissed" in Conditions.model_validate({"service": ["deceased", "dismissed"]}).types


def test_a_status_is_kept_until_a_fact_arrives() -> None:
    """The same answer is not folded twice, and is forgotten with the next event."""
    fold = Fold(history(detained("2022-03-27"), DISMISSED), frozenset({"Dismissed"}))
    step = fold.restart(fold.anchors)
    (anchor,) = step.history.by_type["Dismissed"]
    custody = Conditions.model_validate({"custody": "detained"})
    first = status_at(anchor, step, custody.types)

    assert first is status_at(anchor, step, custody.types)
    assert not custody.all_hold(first.certain)
    assert custody.all_hold(first.possible)
