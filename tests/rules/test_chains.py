"""The rule pattern `steps`: a chain of facts, each within a time of the one before it (docs/design.md, 4.5)."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from projections.rules.patterns.chain import ChainRule
from projections.rules.rulebook import Rulebook
from tests.support.builders import (
    Line,
    accused,
    acquitted,
    alerts,
    arrested,
    charged,
    detained,
    died,
    dismissed,
    history,
    investigated,
    life,
    made_final,
    retracted,
    stated,
)
from tests.support.chains import ACCUSED, QUIET, chain
from tests.support.rules import book

DAY = 86400
LATE = {"published": "2022-12-01", "recorded": "2022-12-01T00:00:00Z"}
STORY = (accused("2022-01-10"), investigated("2022-03-01"), arrested("2022-03-20"))
referred = "MaterialsReferred"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test."""
    monkeypatch.chdir(tmp_path)


def rule(*steps: dict[str, Any], **keys: Any) -> Rulebook:
    """Return a rule that starts from an accusation, with *steps*."""
    data = {"id": "a-chain", "title": "A chain", "on": "Accused", "explain": "{name}: {anchor.type}."}
    return Rulebook((ChainRule.model_validate(data | {"steps": list(steps)} | keys),))


def then(kind: str, days: int, **keys: Any) -> dict[str, Any]:
    """Return a step with the type *kind* within *days*."""
    return {"then": kind, "within": days * DAY, **keys}


def states(lines: list[Line], rules: Rulebook, until: str = "2030") -> list[tuple[str, str]]:
    """Return the states of the only alert with their causes, in order."""
    return [(state, cause) for state, _, cause in life(alerts(lines, until, rules))]


def evidence(lines: list[Line], rules: Rulebook) -> list[str]:
    """Return the evidence of the only alert."""
    (alert,) = alerts(lines, rules=rules)
    found: list[str] = alert["evidence"]
    return found


class TestOpening:
    """A chain opens an alert when it is complete."""

    def test_it_opens_with_the_fact_that_completes_it(self) -> None:
        """The alert opens at the recorded of the last fact; the evidence is the anchor and the chain."""
        (alert,) = alerts(STORY, rules=book(ACCUSED))

        assert [("open", "2022-03-21T00:00:00Z", "followed")] == life([alert])
        assert [line["id"] for line in STORY] == alert["evidence"]
        assert (
            "a was accused (2022-01-10), and arrested (2022-03-20) after investigation opened."
            == (alert["explanation"])
        )

    @pytest.mark.parametrize("gone", [0, 1, 2])
    def test_it_needs_every_step(self, gone: int) -> None:
        """Without one of its facts there is no chain, and when one is taken back the alert is retracted."""
        rules = book(ACCUSED)

        assert [] == alerts([line for line in STORY if line is not STORY[gone]], rules=rules)
        assert [("open", "followed"), ("retracted", "retracted")] == (
            states([*STORY, retracted(STORY[gone], recorded="2022-06-01T00:00:00Z")], rules)
        )

    def test_a_step_counts_from_the_one_before(self) -> None:
        """The arrest is 69 days after the accusation, and 19 after the investigation, from which its 30 days count."""
        assert [("open", "followed")] == states([*STORY], book(ACCUSED))
        assert [] == states([STORY[0], investigated("2022-01-20"), STORY[2]], book(ACCUSED))

    def test_the_whole_chain_has_its_own_time(self) -> None:
        """Each step is in time, and the chain as a whole is not: from the 10th of January to the 22nd of April."""
        late = [STORY[0], investigated("2022-04-05"), arrested("2022-04-22")]
        free = book(ACCUSED.replace("    within: P100D\n", ""))

        assert [] == states(late, book(ACCUSED))
        assert [("open", "followed")] == states(late, free)

    def test_the_order_of_recording_does_not_matter(self) -> None:
        """A fact in the middle that becomes known last completes the chain at its own recorded."""
        late = stated(referred, "2022-03-01", case="c", **LATE)

        assert [("open", "2022-12-01T00:00:00Z", "followed")] == (
            life(alerts([STORY[0], late, STORY[2]], rules=book(ACCUSED)))
        )

    def test_it_ends_when_the_person_is_cleared(self) -> None:
        """A final acquittal resolves the alert, as that of a sequence."""
        story = [*STORY, charged("2022-04-01"), acquitted("2022-06-01"), made_final("2022-07-01")]

        assert [("open", "followed"), ("resolved", "world_changed")] == states(story, book(ACCUSED))

    def test_one_step_is_a_sequence(self) -> None:
        """A chain of one step is allowed, and finds what a sequence finds."""
        assert [("open", "followed")] == states([*STORY], rule(then("InvestigationOpened", 90)))


class TestTheFirstChain:
    """Of several chains, the first in world order is the evidence."""

    def test_the_first_in_world_order(self) -> None:
        """Two investigations and two arrests: the first arrest that is in time after the first investigation."""
        story = [*STORY, investigated("2022-03-05", case="d"), detained("2022-03-25")]

        assert [line["id"] for line in STORY] == evidence(story, book(ACCUSED))

    def test_a_first_step_that_leads_nowhere_is_passed_over(self) -> None:
        """The first investigation has no arrest within 30 days, so the chain goes over the second."""
        early = investigated("2022-01-15", case="d")

        assert [line["id"] for line in STORY] == evidence([early, *STORY], book(ACCUSED))

    def test_the_alert_stands_while_any_chain_does(self) -> None:
        """When the first chain loses a fact, another becomes the evidence."""
        other = detained("2022-03-25")
        gone = retracted(STORY[2], recorded="2022-06-01T00:00:00Z")

        assert [STORY[0]["id"], STORY[1]["id"], other["id"]] == evidence([*STORY, other, gone], book(ACCUSED))
        assert [("open", "followed")] == states([*STORY, other, gone], book(ACCUSED))

    def test_a_fact_at_the_end_can_make_an_earlier_chain_the_first(self) -> None:
        """The second arrest is last in world order, and completes the chain over the first investigation."""
        rules = rule(
            then("InvestigationOpened", 90),
            then("Arrested", 90, where={"then.authority": {"same_as": "step1.authority"}}),
        )
        first, second = (
            investigated("2022-02-01", case="d", authority="court"),
            investigated("2022-02-10", authority="police"),
        )
        one, two = arrested("2022-03-01", authority="police"), arrested("2022-04-01", authority="court")

        assert [STORY[0]["id"], second["id"], one["id"]] == evidence([STORY[0], first, second, one], rules)
        assert [STORY[0]["id"], first["id"], two["id"]] == evidence([STORY[0], first, second, one, two], rules)

    def test_one_fact_is_not_two_steps(self) -> None:
        """Two detentions are needed, even where a vague one is possibly before itself."""
        rules = rule(then("Detained", 60), then("Detained", 60), certainty="possible")
        vague, other = detained("2022-02", published="2022-04-01"), detained("2022-02-20", case="x", place="Aktau")

        assert [] == states([STORY[0], vague], rules)
        assert [("open", "followed")] == states([STORY[0], vague, detained("2022-03-02")], rules)
        assert [("open", "followed")] == states([STORY[0], detained("2022-02-02"), other], rules)

    def test_a_fact_that_is_taken_on_one_way_is_free_on_another(self) -> None:
        """The detention here cannot be the first step and the last; with the other one first it is the last."""
        here = then("Detained", 60, where={"then.place": "here"})
        rules = rule(then("Detained", 60), then("Arrested", 60), here, certainty="possible")
        month = {"published": "2022-04-01"}
        one = detained("2022-02", case="x", place="here", id="a", **month)
        two = detained("2022-02", case="y", place="there", id="b", **month)

        assert [STORY[0]["id"], "b", "p", "a"] == (
            evidence([STORY[0], one, two, arrested("2022-02", id="p", **month)], rules)
        )


class TestPossible:
    """A chain is possible if one choice of instants satisfies all orders and lengths together."""

    def test_two_facts_in_one_month_share_one_choice(self) -> None:
        """Each pair is possible: early March for the investigation, late March for the arrest, but not both."""
        vague = investigated("2022-03", published="2022-04-02")
        story = [accused("2022-03-01"), vague, arrested("2022-03-31")]
        near = rule(then("InvestigationOpened", 10), then("Arrested", 10), certainty="possible")
        far = rule(then("InvestigationOpened", 16), then("Arrested", 16), certainty="possible")

        assert [] == states(story, near)
        assert [("open", "followed")] == states(story, far)
        assert [] == states(story, rule(then("InvestigationOpened", 16), then("Arrested", 16)))

    def test_the_example_of_the_docs(self) -> None:
        """An investigation in March and an arrest on its last day are possibly in order, and not certainly."""
        vague = investigated("2022-03", published="2022-04-02")
        story = [STORY[0], vague, arrested("2022-03-31")]

        assert [] == states(story, book(ACCUSED))
        assert [("open", "followed")] == states(story, book(ACCUSED + "    certainty: possible\n"))

    def test_the_whole_time_is_part_of_the_choice(self) -> None:
        """From the end of the 1st to the begin of the 31st there are 29 days, so less than 29 are not possible."""
        story = [accused("2022-03-01"), investigated("2022-03", published="2022-04-02"), arrested("2022-03-31")]
        steps = (then("InvestigationOpened", 30), then("Arrested", 30))

        assert [] == states(story, rule(*steps, within=29 * DAY, certainty="possible"))
        assert [("open", "followed")] == states(story, rule(*steps, within=29 * DAY + 1, certainty="possible"))

    def test_all_days_move_together(self) -> None:
        """The day of the accusation was far east, or that of the detention far west, but not both at once."""
        story = [
            accused("2022-03-04"),
            investigated("2022-03-03T12:00:00Z", published="2022-04-02"),
            detained("2022-03-03", published="2022-04-02"),
        ]
        steps = (then("InvestigationOpened", 9), then("Detained", 9))
        only_second = rule(steps[1], on="InvestigationOpened", certainty="possible")

        assert [("open", "followed")] == states(story, rule(steps[0], certainty="possible"))
        assert [("open", "followed")] == states(story, only_second)
        assert [] == states(story, rule(*steps, certainty="possible"))
        assert [("open", "followed")] == states([*story, detained("2022-03-04")], rule(*steps, certainty="possible"))


class TestConditions:
    """The conditions of a step see the anchor, the step before and the step itself."""

    def test_a_step_sees_the_step_before(self) -> None:
        """The arrest is by the authority that opened the investigation."""
        rules = rule(
            then("InvestigationOpened", 90, **{"as": "case"}),
            then("Arrested", 90, where={"case.authority": {"same_as": "then.authority"}}),
        )

        def story(one: str, two: str) -> list[Line]:
            return [
                accused("2022-01-10"),
                investigated("2022-03-01", authority=one),
                arrested("2022-03-20", authority=two),
            ]

        assert [("open", "followed")] == states(story("Police", "police"), rules)
        assert [] == states(story("police", "court"), rules)

    def test_no_words_of_two_reports_are_combined(self) -> None:
        """One paper says police, another says Aktau: neither says that the police arrested in Aktau."""
        rules = rule(then("Arrested", 90, where={"then.authority": "police", "then.place": "Aktau"}))
        one = arrested("2022-03-20", authority="police", id="one")
        two = arrested("2022-03-20", place="Aktau", id="two")
        both = arrested("2022-03-20", place="Aktau", authority="police", id="three")

        assert [] == states([STORY[0], one, two], rules)
        assert [("open", "followed")] == states([STORY[0], one, two, both], rules)

    def test_the_anchor_fulfils_the_conditions_of_the_rule_and_of_a_step_alone(self) -> None:
        """One report of the accusation must fulfil the conditions beside the steps and those in the step."""
        where = {"then.authority": {"same_as": "anchor.authority"}}
        rules = rule(then("Arrested", 90, where=where), where={"anchor.kind": "criminal"})
        one = accused("2022-01-10", kind="criminal", id="one")
        two = accused("2022-01-10", authority="police", id="two")
        three = accused("2022-01-10", authority="police", kind="criminal", id="three")
        last = arrested("2022-03-20", authority="police")

        assert [] == states([one, two, last], rules)
        assert [("open", "followed")] == states([one, two, three, last], rules)

    def test_same_and_new_compare_with_the_anchor(self) -> None:
        """`same` in a step, beside the steps and within `any` asks for the value of the anchor."""
        steps = (then("InvestigationOpened", 90), then("Arrested", 90))
        within_any = {"where": {"any": [{"same": "case_id"}]}}
        story = [accused("2022-01-10"), investigated("2022-03-01", case="other"), arrested("2022-03-20", case="c")]

        assert [("open", "followed")] == states(story, rule(steps[0], steps[1] | {"same": "case_id"}))
        assert [("open", "followed")] == states(story, rule(steps[0], steps[1] | within_any))
        assert [] == states(story, rule(steps[0] | within_any, steps[1]))
        assert [] == states(story, rule(*steps, same="case_id"))
        assert [("open", "followed")] == states(story, rule(steps[0] | {"new": "case_id"}, steps[1]))
        assert [] == states(story, rule(steps[0], steps[1] | {"new": "case_id"}))

    def test_late_news_shows_that_a_value_was_not_new(self) -> None:
        """A rule with `new` in a step reads every fact that can have the value."""
        rules = rule(then("InvestigationOpened", 90, new="case_id"), then("Arrested", 90))
        story = [accused("2022-01-10", case="d"), *STORY[1:], charged("2021-01-01", **LATE)]

        assert [("open", "followed"), ("retracted", "late_knowledge")] == states(story, rules)


class TestSilence:
    """A last step with `absent` waits in silence behind the first chain."""

    STORY = STORY[:2]

    def test_it_opens_at_the_deadline_behind_the_last_step(self) -> None:
        """The investigation of the 1st of March, 30 days and 7 to settle: the 8th of April."""
        (alert,) = alerts(self.STORY, rules=book(QUIET))

        assert [("open", "2022-04-08T00:00:00Z", "deadline")] == life([alert])
        assert [line["id"] for line in self.STORY] == alert["evidence"]
        assert (
            "a: accused, then investigation opened (2022-03-01); no charge is known in the 30 days after."
            == (alert["explanation"])
        )

    def test_nothing_is_said_without_the_chain(self) -> None:
        """Without the investigation nothing is awaited."""
        assert [] == alerts([self.STORY[0]], rules=book(QUIET))

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            (charged("2022-03-20"), []),
            (charged("2022-03-20", **LATE), [("open", "deadline"), ("retracted", "late_knowledge")]),
            (charged("2022-05-20"), [("open", "deadline"), ("resolved", "world_changed")]),
            (died("2022-03-20"), []),
            (died("2022-05-20"), [("open", "deadline"), ("resolved", "world_changed")]),
            (charged("XXXX-03-20", **LATE), [("open", "deadline"), ("retracted", "late_knowledge")]),
            (charged("2022-01-20"), [("open", "deadline")]),
            (dismissed("2022-03-20"), [("open", "deadline")]),
        ],
        ids=["in time", "known late", "after it", "death in time", "death after it", "undated", "before", "another"],
    )
    def test_a_follow_up_ends_it(self, line: Line, expected: list[tuple[str, str]]) -> None:
        """A follow-up in time voids the silence, and a later one ends it, as in a rule with `absent` alone."""
        assert expected == states([*self.STORY, line], book(QUIET))

    def test_only_the_first_chain_is_judged(self) -> None:
        """A second investigation is followed by a charge; the silence behind the first one is judged alone."""
        second = [investigated("2022-04-05", case="d"), charged("2022-04-20")]

        assert [("open", "deadline"), ("resolved", "world_changed")] == states([*self.STORY, *second], book(QUIET))

    def test_an_earlier_chain_that_is_known_late_is_judged_instead(self) -> None:
        """The investigation that is now the first was followed by a charge in time: the alert is retracted."""
        early = [charged("2022-02-15"), stated("InvestigationOpened", "2022-02-01", case="d", **LATE)]

        assert [("open", "deadline"), ("retracted", "late_knowledge")] == states([*self.STORY, *early], book(QUIET))

    def test_the_facts_of_the_chain_are_no_follow_ups(self) -> None:
        """A chain that begins with a vague detention can wait for another one."""
        rules = rule(
            then("Detained", 90), then("Charged", 90), {"absent": "Detained", "for": 10 * DAY}, certainty="possible"
        )
        story = [accused("2022-01-10"), detained("2022-02", published="2022-03-02"), charged("2022-02-20")]

        assert [("open", "deadline")] == states(story, rules)

    def test_conditions_that_cannot_be_decided_void_it_in_time_only(self) -> None:
        """A charge without its authority may be the one that is awaited, and does not end the silence later."""
        where = {"absent.authority": {"same_as": "step1.authority"}}
        rules = rule(then("InvestigationOpened", 90), {"absent": "Charged", "for": 30 * DAY, "where": where})
        story = [self.STORY[0], investigated("2022-03-01", authority="police")]

        assert [] == states([*story, charged("2022-03-20")], rules)
        assert [("open", "deadline")] == states([*story, charged("2022-05-20")], rules)
        assert [("open", "deadline")] == states([*story, charged("2022-03-20", authority="court")], rules)
        assert [("open", "deadline"), ("resolved", "world_changed")] == (
            states([*story, charged("2022-05-20", authority="police")], rules)
        )

    def test_it_is_not_ended_when_the_person_is_cleared(self) -> None:
        """A silence goes on, whatever the person is cleared of."""
        rules = rule(then("InvestigationOpened", 90), {"absent": "Arrested", "for": 30 * DAY})
        story = [*self.STORY, charged("2022-05-01"), acquitted("2022-06-01"), made_final("2022-07-01")]
        assert [("open", "deadline")] == states(story, rules)

    def test_a_silence_alone_is_one_behind_the_anchor(self) -> None:
        """A chain of nothing but a last silence is allowed."""
        assert [("open", "deadline")] == states([self.STORY[0]], rule({"absent": "Arrested", "for": 30 * DAY}))


class TestCost:
    """The cost of an anchor that is over, and of a hostile history."""

    def test_an_old_anchor_is_final(self) -> None:
        """Once no later fact can be in a certain chain, the anchor is asked no more."""
        read, fresh = chain(), history(*STORY[:2])
        old = history(*STORY[:2], arrested("2022-06-01"))

        assert read.find(old.events[0], old).final
        assert not read.find(fresh.events[0], fresh).final

    @pytest.mark.parametrize("shape", ["{0}/{1}", "{0}T10:00:00Z/{1}", "../{1}", "{0}~"])
    @pytest.mark.parametrize("place", ["here", "nowhere"])
    def test_hundreds_of_vague_facts(self, shape: str, place: str) -> None:
        """With 300 vague facts a search of five steps neither hangs nor misses the chain."""
        lines = [accused("2021-01-05", **LATE)]
        for number in range(300):
            begin = date(2021, 1, 1) + timedelta(days=number * 7 % 140)
            occurred = shape.format(begin, begin + timedelta(days=1 + number * 11 % 60))
            lines.append(detained(occurred, case=f"c{number}", id=f"f{number}", place=f"place {number}", **LATE))
        lines.append(arrested("2021-05-20T00:00:00Z", place="here", **LATE))
        last = then("Arrested", 30, where={"then.place": place})
        (read,) = rule(*[then("Detained", 30)] * 4, last, certainty="possible").rules
        told = history(*lines)
        found = read.find(next(event for event in told.events if event.type == "Accused"), told)

        assert (302, 5 if place == "here" else 0) == (len(told.events), len(found.completing))
