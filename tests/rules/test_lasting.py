"""The rule pattern `while ... for`: a status that lasts in one post, hold, search, case or measure."""

import pytest

from tests.support.builders import (
    alerts,
    appointed,
    arrested,
    charged,
    corrected,
    detained,
    died,
    dismissed,
    investigated,
    life,
    reinstated,
    released,
    retracted,
    stated,
    states,
    suspended,
    wanted,
)
from tests.support.lasting import DAY, HOUR, lasting, lives

SUSPENDED = lasting(service="suspended")
HELD_48_HOURS = lasting(48 * HOUR, custody="detained")


class TestPosts:
    """`service`: the status of each post by itself."""

    def test_a_long_suspension_opens_at_its_deadline(self) -> None:
        """The anchor is the event that began the status, and the alert says it at the deadline plus settle."""
        rules = lasting(service="suspended", settle=7 * DAY)
        (alert,) = alerts([suspended("2022-03-01")], "2030", rules)

        assert [("open", "2022-06-07T00:00:00Z", "deadline")] == life([alert])
        assert ("Suspended a 2022-03-01", ["Suspended a 2022-03-01"]) == (alert["anchor"], alert["evidence"])
        assert "a: suspended (2022-03-01)." == alert["explanation"]

    def test_it_opens_strictly_behind_its_instant(self) -> None:
        """At the deadline itself, a record with that stamp may still come."""
        assert [] == states(alerts([suspended("2022-03-01")], "2022-05-31T00:00:00Z", SUSPENDED))
        assert ["open"] == states(alerts([suspended("2022-03-01")], "2022-05-31T00:00:00.000001Z", SUSPENDED))

    def test_an_end_before_the_deadline_prevents_it(self) -> None:
        """The suspension was lifted in time."""
        assert [] == alerts([suspended("2022-03-01"), stated("SuspensionLifted", "2022-05-30")], "2030", SUSPENDED)

    def test_an_end_after_the_deadline_resolves_it(self) -> None:
        """The status lasted so long, and is over."""
        story = [suspended("2022-03-01"), stated("SuspensionLifted", "2022-05-31")]

        assert [("open", "deadline"), ("resolved", "world_changed")] == [
            (state, cause) for state, _, cause in life(alerts(story, "2030", SUSPENDED))
        ]

    @pytest.mark.parametrize("kind", ["SuspensionLifted", "Reinstated", "Dismissed", "Resigned", "Died"])
    def test_an_end_in_time_that_is_known_late_retracts_it(self, kind: str) -> None:
        """It was never true, whatever ended the status."""
        story = [suspended("2022-03-01"), stated(kind, "2022-05-01", recorded="2022-08-01T00:00:00Z")]

        assert [("open", "deadline"), ("retracted", "late_knowledge")] == [
            (state, cause) for state, _, cause in life(alerts(story, "2030", SUSPENDED))
        ]

    def test_an_end_that_is_possibly_in_time_voids_it(self) -> None:
        """A dismissal some day in May may have come before the deadline, and nothing can be said."""
        story = [suspended("2022-03-01"), dismissed("2022-05", recorded="2022-08-01T00:00:00Z")]

        assert ["open", "retracted"] == states(alerts(story, "2030", SUSPENDED))

    def test_a_vague_beginning_is_counted_from_its_latest_instant(self) -> None:
        """Suspended in March: 90 days after the end of March."""
        (opening,) = life(alerts([suspended("2022-03")], "2030", SUSPENDED))

        assert ("open", "2022-06-30T00:00:00Z", "deadline") == opening

    def test_another_report_of_the_beginning_is_evidence(self) -> None:
        """Two papers report one suspension: one alert with both, counted from the best report."""
        story = [suspended("2022-03-01"), suspended("2022-03-01", id="other", sources=[{"title": "Letter"}])]
        (alert,) = alerts(story, "2030", SUSPENDED)

        assert ["Suspended a 2022-03-01", "other"] == sorted(alert["evidence"])

    def test_a_second_suspension_of_the_post_begins_nothing(self) -> None:
        """The post stays suspended since the first one."""
        assert {"Suspended a 2022-03-01": ["open"]} == lives(
            [suspended("2022-03-01"), suspended("2022-04-15")], SUSPENDED
        )

    def test_a_correction_moves_the_beginning(self) -> None:
        """The suspension began later: what was said is retracted, and said again in its time."""
        first = suspended("2022-03-01")
        story = [first, corrected(first, "2022-07-01", occurred="2022-06-01")]

        assert [("open", "2022-05-31T00:00:00Z", "deadline"), ("retracted", "2022-07-02T00:00:00Z", "corrected")] == (
            life(alerts(story, "2030", SUSPENDED))[:2]
        )
        assert ("open", "2022-08-31T00:00:00Z", "deadline") == life(alerts(story, "2030", SUSPENDED))[2]

    def test_a_retracted_end_opens_it_again(self) -> None:
        """The suspension was not lifted after all."""
        end = stated("SuspensionLifted", "2022-07-01")

        assert ["open", "resolved", "open"] == states(
            alerts([suspended("2022-03-01"), end, retracted(end, "2022-08-01")], "2030", SUSPENDED)
        )

    def test_an_undated_end_prevents_it(self) -> None:
        """Nobody knows when the suspension was lifted; an undated decision in some case says nothing about it."""
        lifted = stated("SuspensionLifted", "XXXX-05-01", published="2022-05-02")
        elsewhere = charged("XXXX-05-01", published="2022-05-02")

        assert [] == alerts([suspended("2022-03-01"), lifted], "2030", SUSPENDED)
        assert ["open"] == states(alerts([suspended("2022-03-01"), elsewhere], "2030", SUSPENDED))

    def test_an_announced_end_counts_from_its_day(self) -> None:
        """The end of the suspension is announced for July, and counts when July has come."""
        ahead = stated("SuspensionLifted", "2022-07-01", published="2022-05-01", recorded="2022-05-02T00:00:00Z")

        assert [("open", "2022-05-31T00:00:00Z"), ("resolved", "2022-07-02T00:00:00Z")] == [
            (state, at) for state, at, _ in life(alerts([suspended("2022-03-01"), ahead], "2030", SUSPENDED))
        ]

    def test_one_event_that_suspends_two_posts_is_one_alert(self) -> None:
        """It stands as long as one of the posts is suspended, and is over with the last one."""
        both = [
            appointed("2021-01-01", post="head", agency="police"),
            appointed("2021-02-01", post="deputy", agency="police", concurrent=True),
            suspended("2022-03-01", agency="police"),
        ]
        one = reinstated("2022-04-01", post="head", agency="police")
        other = reinstated("2022-07-01", post="deputy", agency="police")

        assert {"Suspended a 2022-03-01": ["open"]} == lives([*both, one], SUSPENDED)
        assert {"Suspended a 2022-03-01": ["open", "resolved"]} == lives([*both, one, other], SUSPENDED)

    @pytest.mark.parametrize("first", ["2022-04-01", "2022-06-15"], ids=["in time", "behind the deadline"])
    def test_the_sentence_of_its_end_names_the_end_of_the_last_post(self, first: str) -> None:
        """The alert stood until the second post was free too, so the first end did not end it."""
        rules = lasting(service="suspended", ended_explain="Until {then.occurred}.")
        story = [
            appointed("2021-01-01", post="head", agency="police"),
            appointed("2021-02-01", post="deputy", agency="police", concurrent=True),
            suspended("2022-03-01", agency="police"),
            reinstated(first, post="head", agency="police"),
            reinstated("2022-07-01", post="deputy", agency="police"),
        ]

        assert ["Until 2022-07-01."] == [alert["explanation"] for alert in alerts(story, "2030", rules)]

    def test_each_post_lasts_by_itself(self) -> None:
        """Two suspensions from two posts are two statuses, and the end of one leaves the other."""
        story = [
            suspended("2022-03-01", post="head", agency="police"),
            suspended("2022-03-11", post="deputy", agency="bank"),
            reinstated("2022-04-01", post="head", agency="police"),
        ]

        assert {"Suspended a 2022-03-11": ["open"]} == lives(story, SUSPENDED)

    def test_an_end_of_an_unknown_one_of_two_posts_prevents_both(self) -> None:
        """A lifting that does not say which suspension it ends may have ended either."""
        story = [
            suspended("2022-03-01", post="head", agency="police"),
            suspended("2022-03-11", post="deputy", agency="bank"),
            stated("SuspensionLifted", "2022-04-01"),
        ]

        assert {} == lives(story, SUSPENDED)

    def test_facts_of_unknown_order_say_nothing(self) -> None:
        """A dismissal in March and an appointment to the post within it: nobody knows which came last."""
        head = {"post": "head", "agency": "police"}
        left = [appointed("2021-01-01", **head), dismissed("2022-03", **head)]
        back = appointed("2022-03-20/2022-04-10", published="2022-04-10", **head)

        assert {"Dismissed a 2022-03": ["open"]} == lives(left, lasting(service="dismissed"))
        assert {} == lives([*left, back], lasting(service="dismissed"))


class TestHolds:
    """`custody`: each hold by itself."""

    @pytest.mark.parametrize(
        ("begin", "end", "is_said"),
        [
            ("2022-03-01", "2022-03-03", False),
            ("2022-03-01", "2022-03-04", True),
            ("2022-03-01", "2022-03-04T13:59:59Z", False),
            ("2022-03-01", "2022-03-04T14:00:00Z", True),
            ("2022-03-01T10:00:00Z", "2022-03-03T10:00:00Z", False),
            ("2022-03-01T10:00:00Z", "2022-03-03T10:00:01Z", True),
            ("2022-03-01T10:00:00Z", "2022-03-04", False),
            ("2022-03-01T10:00:00Z", "2022-03-05", True),
        ],
    )
    def test_detained_for_48_hours(self, begin: str, end: str, *, is_said: bool) -> None:
        """A day counts from its end; between a day and a date-time there are 14 hours to spare."""
        known = {"published": "2022-06-01"}
        begun = detained(begin, recorded="2022-03-02T00:00:00Z", **known)
        ended = released(end, recorded="2022-06-02T00:00:00Z", **known)

        assert {begun["id"]: ["open", "resolved" if is_said else "retracted"]} == lives([begun, ended], HELD_48_HOURS)
        assert {} == lives([begun | {"recorded": "2022-06-02T00:00:00Z"}, ended], HELD_48_HOURS)

    def test_a_change_among_the_words_ends_nothing(self) -> None:
        """Detained and then remanded is one status of two words, counted from the detention."""
        story = [detained("2022-03-01", case="c"), arrested("2022-03-03", case="c")]

        assert {"Detained a 2022-03-01": ["open"]} == lives(story, lasting(custody=["detained", "remanded"]))
        assert {"Arrested a 2022-03-03": ["open"]} == lives(story, lasting(custody="remanded"))
        assert {} == lives(story, lasting(custody="detained"))

    def test_a_hold_that_becomes_known_to_be_in_a_case_is_the_same(self) -> None:
        """The arrest names the case of the detention before it."""
        story = [detained("2022-03-01"), arrested("2022-03-03", case="c"), released("2022-07-01", case="c")]

        assert {"Detained a 2022-03-01": ["open", "resolved"]} == lives(
            story, lasting(custody=["detained", "remanded"])
        )

    def test_a_hold_that_turns_out_to_be_another_goes_on_as_it(self) -> None:
        """A detention in a case and one without a case turn out to be one: both last until its end."""
        story = [detained("2022-03-01", case="c"), arrested("2022-03-05"), arrested("2022-03-20", id="x", case="c")]
        rules = lasting(custody=["detained", "remanded"])

        assert {"Detained a 2022-03-01": ["open"], "Arrested a 2022-03-05": ["open"]} == lives(story, rules)
        assert {"Detained a 2022-03-01": ["open", "resolved"], "Arrested a 2022-03-05": ["open", "resolved"]} == lives(
            [*story, released("2022-07-01", case="c")], rules
        )
        assert {"Arrested a 2022-03-05": ["open"]} == lives(story, lasting(custody="remanded"))

    def test_custody_in_another_case_is_another_hold(self) -> None:
        """A release in one case leaves the hold in the other."""
        story = [detained("2022-03-01", case="c"), detained("2022-03-11", case="d"), released("2022-03-20", case="c")]

        assert {"Detained a 2022-03-11": ["open"]} == lives(story, lasting(custody="detained"))

    def test_the_end_of_its_case_ends_it(self) -> None:
        """Custody that outlasts its case is not shown as the person's, and an alert does not speak of it either."""
        story = [charged("2022-02-01"), arrested("2022-03-01", case="c"), stated("CaseClosed", "2022-04-01", case="c")]

        assert {} == lives(story, lasting(custody="remanded"))
        assert {"Arrested a 2022-03-01": ["open"]} == lives(story[:2], lasting(custody="remanded"))

    def test_custody_in_a_case_that_has_ended_begins_nothing(self) -> None:
        """A detention behind the end of its case is left out of the row."""
        story = [charged("2022-02-01"), stated("CaseClosed", "2022-02-10", case="c"), detained("2022-03-01", case="c")]

        assert {} == lives(story, lasting(custody="detained"))

    def test_the_end_of_a_case_can_begin_a_release(self) -> None:
        """Bail ends with its case: the event that began the freedom is the end of the case."""
        story = [
            charged("2022-02-01"),
            stated("Bailed", "2022-03-01", case="c"),
            stated("Acquitted", "2022-04-01", case="c"),
        ]

        assert {"Acquitted a 2022-04-01": ["open"]} == lives(story, lasting(custody="released"))

    def test_a_death_ends_it(self) -> None:
        """No status of the living lasts after a death; a release before it neither."""
        story = [released("2022-03-01"), died("2022-04-01")]

        assert {} == lives(story, lasting(custody="released"))


class TestSearchesCasesAndMeasures:
    """`wanted`, `stage` and `measure`."""

    def test_a_search_that_nobody_ends(self) -> None:
        """Wanted, and never found."""
        assert {"Wanted a 2022-03-01": ["open"]} == lives([wanted("2022-03-01")], lasting(wanted="national"))
        assert {} == lives([wanted("2022-03-01")], lasting(wanted="international"))

    def test_an_arrest_in_absentia_begins_a_search(self) -> None:
        """It puts nobody into custody."""
        story = [arrested("2022-03-01", in_absentia=True)]

        assert {"Arrested a 2022-03-01": ["open"]} == lives(story, lasting(wanted=["national", "international"]))
        assert {} == lives(story, lasting(custody="remanded"))

    @pytest.mark.parametrize("kind", ["WantedCancelled", "Detained", "Extradited", "Died"])
    def test_the_end_of_a_search(self, kind: str) -> None:
        """It is cancelled, or the person is found, handed over or dead."""
        story = [wanted("2022-03-01"), stated(kind, "2022-07-01")]

        assert {"Wanted a 2022-03-01": ["open", "resolved"]} == lives(story, lasting(wanted="national"))

    def test_a_search_that_is_declared_again_is_another_spell(self) -> None:
        """Cancelled and declared again: two times, each by itself."""
        story = [wanted("2022-03-01"), stated("WantedCancelled", "2022-03-20"), wanted("2022-05-01")]

        assert {"Wanted a 2022-05-01": ["open"]} == lives(story, lasting(wanted="national"))

    def test_a_search_ends_with_its_case(self) -> None:
        """A search that outlasts its case is not shown as the person's."""
        story = [charged("2022-02-01"), wanted("2022-03-01", case="c"), stated("CaseClosed", "2022-04-01", case="c")]

        assert {} == lives(story, lasting(wanted="national"))

    def test_an_investigation_of_a_year(self) -> None:
        """Suspending and resuming it ends nothing, nor does another report of the charges."""
        story = [
            investigated("2022-01-10"),
            stated("InvestigationSuspended", "2022-04-01", case="c"),
            stated("InvestigationResumed", "2022-08-01", case="c"),
        ]

        year = lasting(365 * DAY, stage="investigation")

        assert {"InvestigationOpened a 2022-01-10": ["open"]} == lives(story, year)
        assert {} == lives([*story, charged("2022-09-01")], year)

    def test_amended_charges_end_no_stage(self) -> None:
        """A case stays charged from the first charge on, whatever its kind."""
        story = [
            charged("2022-03-01", kind="disciplinary", charges=[{"title": "bribery"}]),
            stated("ChargesAmended", "2022-04-01", case="c", charges=[{"title": "fraud"}]),
        ]

        assert {"Charged a 2022-03-01": ["open"]} == lives(story, lasting(stage="charged"))

    def test_a_fact_without_a_date_in_another_case_prevents_nothing(self) -> None:
        """An undated acquittal in the same case does."""
        undated = {"published": "2022-04-01", "recorded": "2022-04-02T00:00:00Z"}
        story = [charged("2022-03-01")]

        assert ["open"] == states(
            alerts([*story, stated("Acquitted", "XXXX-03-20", case="d", **undated)], "2030", lasting(stage="charged"))
        )
        assert {} == lives([*story, stated("Acquitted", "XXXX-03-20", case="c", **undated)], lasting(stage="charged"))

    def test_a_case_that_is_opened_again_is_another_spell(self) -> None:
        """The stage begins with the step that opened it again."""
        story = [charged("2022-03-01"), stated("CaseClosed", "2022-03-10", case="c"), charged("2022-05-01")]

        assert {"Charged a 2022-05-01": ["open"]} == lives(story, lasting(stage="charged"))

    def test_a_death_ends_a_stage(self) -> None:
        """The stage of the case is shown as it was, and nobody is charged any more."""
        story = [charged("2022-03-01"), died("2022-04-01")]

        assert {} == lives(story, lasting(stage="charged"))
        assert {} == lives([died("2022-02-01"), charged("2022-03-01")], lasting(stage="charged"))

    def test_a_measure_that_nobody_lifts(self) -> None:
        """Each measure by itself, by its kind."""
        ban = stated("MeasureImposed", "2022-03-01", kind="travel_ban", title="A")
        other = stated("MeasureImposed", "2022-03-11", kind="travel_ban", title="B")
        lifted = stated("MeasureLifted", "2022-04-01", fact_id=ban["id"])
        rules = lasting(measure="travel_ban")

        assert {ban["id"]: ["open"], other["id"]: ["open"]} == lives([ban, other], rules)
        assert {other["id"]: ["open"]} == lives([ban, other, lifted], rules)
        late = stated("MeasureLifted", "2022-08-01", fact_id=ban["id"])
        assert {ban["id"]: ["open", "resolved"]} == lives([ban, late], rules)
        assert {} == lives([ban, died("2022-04-01")], rules)
        assert {} == lives([ban], lasting(measure="sanction"))
