"""The state that is kept from fact to fact leads to the same conclusions as a full computation at each step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import permutations, zip_longest
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import BEGINNING
from events.facts import Fact
from projections.alerts.acknowledgement import Acknowledgement
from projections.alerts.alert import Alert, Change, Trigger
from projections.alerts.clearing import Clearing
from projections.alerts.rules_change import rules_change
from projections.alerts.subject_state import SubjectState
from projections.history.history import History
from projections.rules.findings import Answer, Findings
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.lasting import LastingRule
from projections.rules.patterns.sequence import SequenceRule
from projections.rules.rulebook import Rulebook
from projections.subjects.fold import Fold, Step
from projections.tables.part_rows import part_rows
from projections.tables.rows import subject_row
from tests.oracle.histories import DAY, SHORT, histories
from tests.support.builders import (
    Line,
    accused,
    alerts,
    arrested,
    described,
    detained,
    dismissed,
    facts,
    instant,
    life,
    rulebook,
)

TEXTS = {
    "title": "A rule",
    "severity": "notice",
    "explain": "{name}: {anchor.id}, {anchor.occurred}",
    "ended_explain": "{name}: {anchor.id}, ended by {then.id}, {then.occurred}",
    "retracted_explain": "{name}: not so after {anchor.id}, {anchor.occurred}",
}


def absence(name: str, on: Sequence[str], absent: Sequence[str], **more: Any) -> AbsenceRule:
    """Return an absence rule with a deadline that these dates reach."""
    return AbsenceRule.model_validate(
        TEXTS | {"id": name, "on": on, "absent": absent, "for": 10 * DAY, "settle": 2 * DAY, **more}
    )


def following(name: str, on: Sequence[str], then: Sequence[str], **more: Any) -> SequenceRule:
    """Return a sequence rule with a time that these dates reach."""
    return SequenceRule.model_validate(TEXTS | {"id": name, "on": on, "then": then, "within": 15 * DAY, **more})


def lasting(name: str, **words: Sequence[str]) -> LastingRule:
    """Return a rule about a status that lasts for a time that these dates reach."""
    return LastingRule.model_validate(TEXTS | {"id": name, "while": words, "for": 5 * DAY})


UNNAMED = Rulebook((absence("unnamed", ["Dismissed"], ["SubjectDescribed"]),))
NAMED = Rulebook((following("named", ["Dismissed"], ["SubjectDescribed"]),))
MANY = Rulebook(
    (
        *rulebook(**SHORT).rules,
        absence("unnamed", ["Dismissed", "Detained"], ["SubjectDescribed", "ReplyRecorded"]),
        absence("free", ["Detained", "Dismissed"], ["Detained", "Released"], unless={"custody": ["detained"]}),
        following("named", ["SubjectDescribed"], ["SubjectDescribed", "Detained"]),
        following("same", ["Dismissed", "Detained"], ["Dismissed", "Detained"], unless={"wanted": ["national"]}),
        lasting("held", custody=["detained", "remanded"]),
        lasting("sought", wanted=["national"]),
        lasting("charged", stage=["charged"]),
        following("loose", ["Dismissed"], ["Detained", "Died"], certainty="possible"),
    )
)
JUDGED = Rulebook(
    (
        absence("held", ["Dismissed", "Detained"], ["SubjectDescribed"], still={"custody": ["detained"]}),
        absence("first", ["Dismissed", "Detained"], ["Charged"], once="subject", unless={"service": ["deceased"]}),
        following("again", ["Dismissed"], ["Detained"], when={"service": ["dismissed"]}, certainty="possible"),
        following("in-a-case", ["Charged", "Detained"], ["Detained", "Released"], once="case"),
        following("sought", ["Dismissed"], ["SubjectDescribed"], when={"open_cases": {"at_least": 1}}),
    )
)
ONCE = Rulebook(
    (
        absence("quiet", ["Dismissed"], ["Charged"], once="subject"),
        absence("exempt", ["Dismissed"], ["Detained"], once="subject", unless={"custody": ["detained"]}),
        following("order", ["Dismissed"], ["Detained"], once="subject"),
    )
)
books = st.sampled_from([rulebook(**SHORT), rulebook(**SHORT, certainty="possible"), MANY, JUDGED])
KINDS = (
    *("Dismissed", "Detained", "Released", "Died", "Wanted", "Charged", "SubjectDescribed", "SubjectDescribed"),
    *("ReplyRecorded", "Corrected", "Retracted"),
)
"""Few types, so that facts meet: those that the rules here name, and those that change earlier facts."""

rests = st.sampled_from(["keep", "keep", "rest", "load"])
others = st.sampled_from(["time", "rules", "seen"])


class Forgetful(SubjectState):
    """A state that keeps only the facts, and asks every rule of every anchor every time."""

    def _follow(self, answers: list[Answer], step: Step, trigger: Trigger) -> None:
        del answers
        if trigger.kind != "rules":
            self.fold = Fold(History(step.history.facts.values(), trigger.at), self.rulebook.anchors)
        self._findings = Findings(self.rulebook)
        step = self.fold.restart(self.rulebook.anchors)
        super()._follow(self._findings.at(trigger.at, step), step, trigger)


@dataclass
class Life:
    """The state of one person, and the rows that were written from it."""

    state: SubjectState
    reached: datetime = BEGINNING
    facts: list[Fact] = field(default_factory=list)
    changes: list[Change | Clearing] = field(default_factory=list)

    def fact(self, fact: Fact) -> None:
        """Apply *fact*, from the whole history if the compacted state cannot."""
        if not self.state.fold.can_apply([fact]):
            self.load()
        self.time(fact.recorded)
        self.state.apply(fact)
        self.facts.append(fact)
        self.reached = fact.recorded

    def time(self, until: datetime) -> None:
        """Advance the watermark to *until*."""
        self.state.advance_watermark(until)
        self.reached = max(self.reached, until - timedelta(microseconds=1))

    def rules(self, book: Rulebook, at: datetime) -> None:
        """Put other rules in force for a person who is not in the cache."""
        self.time(at)
        self.load()
        self.state.change_rules(rules_change(self.state.rulebook, book), at)

    def seen(self, at: datetime) -> None:
        """Acknowledge the alerts that are open, for some time."""
        if self.state.fold.compacted is None:
            self.time(at)
            for alert_id in sorted(alert.alert_id for alert in self.state.lifecycle.alerts.values()):
                self.state.acknowledge(Acknowledgement(alert_id, "ada", None, at, at + timedelta(days=12)))

    def load(self) -> None:
        """Read the state from the ledger and the tables, as if it had left the cache."""
        old = self.state
        self.written()
        self.state = type(old)(
            old.subject_id,
            History(self.facts, self.reached),
            old.rulebook,
            rules_since=old.rules_since,
            alerts=old.lifecycle.alerts.values(),
            due=old.due,
            cleared=old.fold.status.is_cleared(),
        )

    def written(self) -> tuple[dict[str, Alert], list[Change | Clearing], Any]:
        """Return everything that a reader can see by now."""
        self.changes += self.state.lifecycle.changes
        self.state.lifecycle.changes = []
        status = self.state.fold.status
        history = self.state.fold.history
        row = subject_row("a", status, history, history.agreeing(), (0, 0), None)
        parts = part_rows("a", status, history)
        return self.state.lifecycle.alerts, self.changes, (row, parts, status.names)


def lives(book: Rulebook) -> tuple[Life, Life]:
    """Return a life with kept state, and one that computes everything at every step."""
    kept = SubjectState("a", History((), BEGINNING), book)
    return Life(kept), Life(Forgetful("a", History((), BEGINNING), book))


@settings(max_examples=200)
@given(st.data(), histories(people="a", most=9, drawn_from=st.sampled_from(KINDS)), books)
def test_kept_state_and_full_computation_agree(data: st.DataObject, lines: list[Line], book: Rulebook) -> None:
    """
    Kept state and full computation agree after every fact, in statuses, alerts, causes and instants.

    Between the facts the kept state is compacted or loaded again, and other events happen.
    """
    kept, anew = lives(book)
    ordered = sorted(facts(*lines), key=attrgetter("recorded"))
    for fact, following_one in zip_longest(ordered, ordered[1:]):
        kept.fact(fact)
        anew.fact(fact)
        assert anew.written() == kept.written()
        match data.draw(rests):
            case "rest" if kept.state.fold.compacted is None:
                kept.state.compact()
            case "load":
                kept.load()
            case _:
                pass
        if data.draw(st.integers(0, 3)):
            continue
        step, book_after = data.draw(others), data.draw(books)
        for one in (kept, anew):
            match step:
                case "time":
                    # The next fact is recorded no earlier than the time that has passed.
                    day = fact.recorded + timedelta(days=1)
                    one.time(min(day, following_one.recorded) if following_one else day)
                case "rules":
                    one.rules(book_after, fact.recorded)
                case _:
                    one.seen(fact.recorded)
        assert anew.written() == kept.written()
    for one in (kept, anew):
        one.time(instant("2030"))

    assert anew.written() == kept.written()


@pytest.mark.parametrize(
    "lines",
    [
        [dismissed("2022-03-01"), accused("2022-04-05"), detained("2022-03-05/2022-04-20", published="2022-04-20")],
        [dismissed("2022-03-01"), detained("2022-03-15"), arrested("2022-03-15")],
        [
            dismissed("2022-03-01"),
            detained("2022-03-05"),
            detained("2022-04-01"),
            described("2022-04-02", name="Serik"),
        ],
    ],
    ids=["a silence that had ended", "the last instant that counts", "a name that comes when all is settled"],
)
def test_an_alert_that_seems_settled_can_change(lines: list[Line]) -> None:
    """The last of these facts changes an alert that seemed settled."""
    kept, anew = lives(rulebook(**SHORT))
    alerts_before: list[Alert] = []
    for fact in facts(*lines):
        alerts_before = [*kept.state.lifecycle.alerts.values()]
        kept.fact(fact)
        anew.fact(fact)

    assert anew.written() == kept.written()
    assert alerts_before != [*kept.state.lifecycle.alerts.values()]


@pytest.mark.parametrize("order", [*permutations(range(5))])
def test_with_once_kept_findings_are_those_from_scratch_in_any_order(order: Sequence[int]) -> None:
    """The first anchor alone speaks, settled or not, whether the other facts arrive at the end or in between."""
    story = [
        dismissed("2022-03-01", post="a", id="one"),
        detained("2022-03-04"),
        detained("2022-03-20"),
        dismissed("2022-04-01", post="b"),
        detained("2022-04-04"),
    ]
    days = [f"2022-05-{day:02}T00:00:00Z" for day in range(1, 30, 6)]
    kept, anew = lives(ONCE)
    for fact in facts(*[story[place] | {"recorded": day} for place, day in zip(order, days, strict=True)]):
        kept.fact(fact)
        anew.fact(fact)
        assert anew.written() == kept.written()
    kept.time(instant("2022-06-01"))
    standing = [(a.rule, a.anchor) for a in kept.state.lifecycle.alerts.values() if a.state == "open"]

    assert [("order", "one"), ("quiet", "one")] == sorted(standing)


def test_a_description_completes_a_rule_that_names_it() -> None:
    """A description completes a rule that names it, with a new name or without one."""
    story = [dismissed("2022-03-01"), described("2022-03-10", name="Serik"), described("2022-03-12", post="Mayor")]
    (alert,) = alerts(story, rules=NAMED)

    assert [("open", "2022-03-11T00:00:00Z", "followed")] == life([alert])
    assert ["SubjectDescribed a 2022-03-10", "SubjectDescribed a 2022-03-12"] == alert["evidence"][1:]


@pytest.mark.parametrize("fields", [{"name": "Serik"}, {"post": "Mayor"}])
def test_a_description_that_was_known_late_ends_the_silence_of_a_rule_that_names_it(fields: dict[str, str]) -> None:
    """A description without a name that is known late ends a silence too."""
    late = described("2022-03-05", recorded="2022-04-01T00:00:00Z", **fields)
    results = alerts([dismissed("2022-03-01"), late], rules=UNNAMED)

    assert [
        ("open", "2022-03-14T00:00:00Z", "deadline"),
        ("retracted", "2022-04-01T00:00:00Z", "late_knowledge"),
    ] == life(results)
