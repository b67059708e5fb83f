"""The alerts of one group: they open, grow, merge, split, reach a multiple and are retracted."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import parse_instant
from projections.across.contribution import Contribution
from projections.across.episodes import Decision, GroupAlert, decide
from projections.across.runs import GroupRuns
from projections.alerts.alert import NAMESPACE, STANDING
from tests.support.across import contribution, counting

DAY = parse_instant("2022-05-01")
RULE = counting(2, 48)


class Told:
    """A group and its alerts, as a correlator keeps them: each change is an instant later."""

    def __init__(self, taken: Sequence[str] = ()) -> None:
        self.group = GroupRuns(RULE)
        self.alerts: dict[str, GroupAlert] = {}
        self.evidence: dict[str, list[str]] = {}
        self.taken = taken
        self.steps = 0

    def change(self, gone: Sequence[str] = (), come: Sequence[Contribution] = ()) -> list[tuple[str, str]]:
        """Change the group; return the kind of each step and the first anchor of its alert."""
        self.steps += 1
        change = self.group.change(gone, come)
        decisions = decide(
            RULE,
            self.group,
            change,
            [*self.alerts.values()],
            evidence_of=lambda alert_id: self.evidence[alert_id],
            is_taken=lambda alert_id: alert_id in self.taken,
        )
        for decision in decisions:
            self._apply(decision)
        return [(decision.kind, self.alerts[decision.alert_id].first_anchor) for decision in decisions]

    def _apply(self, decision: Decision) -> None:
        alert, episode = self.alerts.get(decision.alert_id), decision.episode
        if episode is None:
            assert alert is not None
            state = "superseded" if decision.kind == "supersede" else "retracted"
            self.alerts[alert.alert_id] = alert._replace(state=state)
            return
        anchor = episode.anchor.fact_id
        opened_at = DAY + timedelta(days=self.steps)
        alert = alert or GroupAlert(decision.alert_id, anchor, anchor, "open", opened_at, 1)
        state = "open" if decision.kind in {"open", "reach"} else alert.state
        self.alerts[alert.alert_id] = alert._replace(anchor=anchor, state=state, reached=decision.reached)
        held = self.group.evidence(episode)
        self.evidence[alert.alert_id] = [report for one in held for report in one.reports]


def test_an_alert_opens_with_the_number_and_grows() -> None:
    """The second person opens the alert, and a third person within the time makes its evidence grow, silently."""
    told = Told()

    assert told.change([], [contribution(1, "a", "2022-03-01")]) == []
    assert told.change([], [contribution(2, "b", "2022-03-02")]) == [("open", "f1")]
    assert told.change([], [contribution(3, "c", "2022-03-03")]) == [("grow", "f1")]
    assert [*told.alerts] == [str(uuid5(NAMESPACE, "many f1"))]


def test_one_person_counts_once() -> None:
    """Two arrests of one person are one person."""
    told = Told()

    assert told.change([], [contribution(1, "a", "2022-03-01"), contribution(2, "a", "2022-03-02")]) == []


def test_a_multiple_reached_in_one_window_is_told_once() -> None:
    """Four people in one window are twice the number: an acknowledged alert is open again, but not a second time."""
    told = Told()
    told.change([], [contribution(number, subject, "2022-03-01") for number, subject in enumerate("abc")])
    (alert,) = told.alerts.values()
    told.alerts[alert.alert_id] = alert._replace(state="acknowledged")

    assert told.change([], [contribution(3, "d", "2022-03-01")]) == [("reach", "f0")]
    assert told.alerts[alert.alert_id].state == "open"
    assert told.change(["f3"], []) == [("refresh", "f0")]
    assert told.change([], [contribution(3, "d", "2022-03-01")]) == [("grow", "f0")]


def test_people_of_two_windows_reach_no_multiple() -> None:
    """Four people in one episode, but never more than two in one window, are not twice the number."""
    told = Told()
    told.change([], [contribution(1, "a", "2022-03-01"), contribution(2, "b", "2022-03-02")])

    assert told.change([], [contribution(3, "c", "2022-03-03")]) == [("grow", "f1")]
    assert told.change([], [contribution(4, "d", "2022-03-04")]) == [("grow", "f1")]


def test_corrections_retract_and_restore() -> None:
    """Under the number the alert is retracted; with the number again the same alert opens."""
    told = Told()
    pair = [contribution(1, "a", "2022-03-01"), contribution(2, "b", "2022-03-02")]
    told.change([], pair)

    assert told.change(["f2"], []) == [("retract", "f1")]
    assert told.change([], pair[1:]) == [("open", "f1")]
    assert len(told.alerts) == 1


def test_an_earlier_fact_moves_the_anchor() -> None:
    """A fact before the anchor becomes the anchor, and the alert keeps its id."""
    told = Told()
    told.change([], [contribution(2, "b", "2022-03-02"), contribution(3, "c", "2022-03-03")])

    assert told.change([], [contribution(1, "a", "2022-03-01")]) == [("grow", "f2")]
    (alert,) = told.alerts.values()
    assert alert.anchor == "f1"


def test_the_alert_outlives_its_anchor() -> None:
    """If the anchor is taken back and enough people are left, the alert continues with the rest of its evidence."""
    told = Told()
    told.change([], [contribution(number, subject, "2022-03-01") for number, subject in enumerate("abc")])

    assert told.change(["f0"], []) == [("refresh", "f0")]
    assert [alert.anchor for alert in told.alerts.values()] == ["f1"]


def test_episodes_merge_into_the_alert_that_opened_first() -> None:
    """A fact between two episodes joins them; when it goes, the other alert opens again with its part."""
    told = Told()
    told.change([], [contribution(5, "a", "2022-03-05"), contribution(6, "b", "2022-03-06")])
    told.change([], [contribution(1, "a", "2022-03-01"), contribution(2, "b", "2022-03-02")])
    between = [contribution(3, "c", "2022-03-03"), contribution(4, "d", "2022-03-04")]

    assert told.change([], between) == [("supersede", "f1"), ("grow", "f5")]
    assert [alert.anchor for alert in told.alerts.values() if alert.state in STANDING] == ["f1"]
    assert sorted(told.change(["f3", "f4"], [])) == [("open", "f1"), ("refresh", "f5")]


def test_a_split_leaves_the_alert_with_its_anchor() -> None:
    """When an episode splits, the other part opens an alert of its own."""
    told = Told()
    told.change([], [contribution(day, "abcdef"[day - 1], f"2022-03-0{day}") for day in range(1, 7)])

    assert told.change(["f3", "f4"], []) == [("refresh", "f1"), ("open", "f5")]


def test_a_better_report_is_the_same_event() -> None:
    """If another report stands for the anchor's event, the alert continues under it."""
    told = Told()
    told.change([], [contribution(1, "a", "2022-03-01"), contribution(2, "b", "2022-03-02")])
    better = contribution(9, "a", "2022-03-01", reports=("f1",))

    assert told.change(["f1"], [better]) == [("grow", "f1")]
    assert [alert.anchor for alert in told.alerts.values()] == ["f9"]


def test_an_id_that_another_group_has_is_not_used_twice() -> None:
    """If an alert of another group opened with the fact, which was corrected since, this one has another id."""
    taken = str(uuid5(NAMESPACE, "many f1"))
    told = Told([taken])
    told.change([], [contribution(1, "a", "2022-03-01"), contribution(2, "b", "2022-03-02")])

    assert [*told.alerts] == [str(uuid5(NAMESPACE, "many f1 g"))]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_each_episode_has_one_standing_alert(data: st.DataObject) -> None:
    """After any changes each episode has one standing alert, with its anchor and evidence, and no other stands."""
    told, present = Told(), set[int]()
    for _ in range(data.draw(st.integers(1, 10))):
        flipped = data.draw(st.sets(st.integers(0, 11), min_size=1, max_size=4))
        gone, come = flipped & present, flipped - present
        present ^= flipped
        told.change(
            [f"f{number}" for number in sorted(gone)],
            [contribution(number, "abcd"[number % 4], f"2022-03-{number + 1:02}") for number in sorted(come)],
        )

        standing = [alert for alert in told.alerts.values() if alert.state in STANDING]
        assert sorted(alert.anchor for alert in standing) == sorted(one.anchor.fact_id for one in told.group)
        for alert in standing:
            episode = told.group.holding(alert.anchor)
            assert episode is not None
            assert told.evidence[alert.alert_id] == [one.fact_id for one in told.group.evidence(episode)]
            assert alert.reached >= episode.people // 2


def test_a_merged_alert_has_told_its_multiple() -> None:
    """If the part that is superseded had reached twice the number, its merging tells that no second time."""
    told = Told()
    told.change([], [contribution(1, "a", "2022-03-01"), contribution(2, "b", "2022-03-02")])
    told.change([], [contribution(10 + number, subject, "2022-03-05") for number, subject in enumerate("cdef")])
    between = [contribution(3, "a", "2022-03-03"), contribution(4, "b", "2022-03-04")]

    assert told.change([], between) == [("supersede", "f10"), ("grow", "f1")]
