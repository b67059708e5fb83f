"""What is kept of a person from fact to fact, held against looking at everything anew each time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.facts import Fact
from projections.alerts.alert import Alert, Change, Trigger
from projections.alerts.subject_state import Casefile
from projections.history.history import BEGINNING, History
from projections.rules.rulebook import AbsenceRule, Rule, Rulebook, SequenceRule
from projections.tables.part_rows import part_rows
from projections.tables.rows import subject_row
from tests.oracle.histories import DAY, SHORT, stories
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

TEXTS = {"title": "A rule", "severity": "notice", "explain": "{name}: {anchor.id}, {anchor.occurred}"}


def absence(name: str, on: Sequence[str], absent: Sequence[str], **more: Any) -> AbsenceRule:
    """A rule about silence, with a deadline that these dates meet."""
    return AbsenceRule.model_validate(
        TEXTS | {"id": name, "on": on, "absent": absent, "for": 10 * DAY, "settle": 2 * DAY, **more}
    )


def following(name: str, on: Sequence[str], then: Sequence[str], **more: Any) -> SequenceRule:
    """A rule about what follows, within a time that these dates meet."""
    return SequenceRule.model_validate(TEXTS | {"id": name, "on": on, "then": then, "within": 15 * DAY, **more})


UNNAMED = Rulebook((absence("unnamed", ["Dismissed"], ["SubjectDescribed"]),))
NAMED = Rulebook((following("named", ["Dismissed"], ["SubjectDescribed"]),))
MANY = Rulebook(
    (
        *rulebook(**SHORT).rules,
        absence("unnamed", ["Dismissed", "Detained"], ["SubjectDescribed", "ReplyRecorded"]),
        absence("free", ["Detained", "Dismissed"], ["Detained", "Released"], unless={"custody": ["detained"]}),
        following("named", ["SubjectDescribed"], ["SubjectDescribed", "Detained"]),
        following("same", ["Dismissed", "Detained"], ["Dismissed", "Detained"], unless={"wanted": ["national"]}),
        following("loose", ["Dismissed"], ["Detained", "Died"], certainty="possible"),
    )
)
books = st.sampled_from([rulebook(**SHORT), rulebook(**SHORT, certainty="possible"), MANY])
KINDS = (
    *("Dismissed", "Detained", "Released", "Died", "Wanted", "Charged", "SubjectDescribed", "SubjectDescribed"),
    *("ReplyRecorded", "Corrected", "Retracted"),
)
"""Few, so that they meet: those that the rules here name, and those that change what was said."""

rests = st.sampled_from(["keep", "keep", "rest", "load"])
others = st.sampled_from(["time", "rules", "seen"])


class Forgetful(Casefile):
    """A casefile that keeps nothing of the facts but the facts, and asks every rule of every anchor every time."""

    def _look(self, rules: Iterable[Rule], trigger: Trigger, last: Fact | None = None) -> None:
        del rules, last
        if trigger.kind != "rules":
            self.history = History(self.history.facts.values(), trigger.at)
        self._refold()
        super()._look(self.rulebook.rules, trigger)


@dataclass
class Life:
    """One person's casefile, and what has been written of it."""

    casefile: Casefile
    reached: datetime = BEGINNING
    facts: list[Fact] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def fact(self, fact: Fact) -> None:
        """Take in *fact*, from the whole history again if what rests does not do."""
        if not self.casefile.takes([fact]):
            self.load()
        self.time(fact.recorded)
        self.casefile.apply(fact)
        self.facts.append(fact)
        self.reached = fact.recorded

    def time(self, until: datetime) -> None:
        """Let time pass."""
        self.casefile.advance_watermark(until)
        self.reached = max(self.reached, until - timedelta(microseconds=1))

    def rules(self, book: Rulebook, at: datetime) -> None:
        """Put other rules in force, as for people none of whom is kept."""
        self.time(at)
        self.load()
        self.casefile.change_rules(book, at)

    def seen(self, at: datetime) -> None:
        """Acknowledge the first alert that is open."""
        if self.casefile.rested is None:
            self.time(at)
            for alert_id in sorted(alert.alert_id for alert in self.casefile.alerts.values()):
                self.casefile.acknowledge(alert_id, "ada", None, at)

    def load(self) -> None:
        """Read the casefile from the ledger and the tables, as if it had been dropped."""
        old = self.casefile
        self.written()
        self.casefile = type(old)(old.subject_id, History(self.facts, self.reached), old.rulebook)
        self.casefile.rules_since = old.rules_since
        self.casefile.alerts, self.casefile.due = dict(old.alerts), old.due

    def written(self) -> tuple[dict[str, Alert], list[Change], Any]:
        """Everything that a reader gets to see by now."""
        self.changes += self.casefile.changes
        self.casefile.changes = []
        status = self.casefile.status
        row = subject_row("a", status, self.casefile.history, (0, 0), None)
        parts = part_rows("a", status, self.casefile.history)
        return self.casefile.alerts, self.changes, (row, parts, status.names)


def lives(book: Rulebook) -> tuple[Life, Life]:
    """A life as the projector leads it, and one that starts from nothing at every step."""
    kept = Casefile("a", History((), BEGINNING), book)
    return Life(kept), Life(Forgetful("a", History((), BEGINNING), book))


@settings(max_examples=200)
@given(st.data(), stories(people="a", most=9, drawn_from=st.sampled_from(KINDS)), books)
def test_what_is_kept_concludes_what_looking_anew_does(data: st.DataObject, lines: list[Line], book: Rulebook) -> None:
    """After every fact, however much was forgotten or left out between: statuses, alerts, causes and instants."""
    kept, anew = lives(book)
    told = sorted(facts(*lines), key=attrgetter("recorded"))
    for fact, following_one in zip_longest(told, told[1:]):
        kept.fact(fact)
        anew.fact(fact)
        assert anew.written() == kept.written()
        match data.draw(rests):
            case "rest" if kept.casefile.rested is None:
                kept.casefile.rest()
            case "load":
                kept.load()
            case _:
                pass
        if data.draw(st.integers(0, 3)):
            continue
        what, other = data.draw(others), data.draw(books)
        for each in (kept, anew):
            match what:
                case "time":
                    # What comes next is recorded no earlier than the time that was known to have passed.
                    day = fact.recorded + timedelta(days=1)
                    each.time(min(day, following_one.recorded) if following_one else day)
                case "rules":
                    each.rules(other, fact.recorded)
                case _:
                    each.seen(fact.recorded)
        assert anew.written() == kept.written()
    for each in (kept, anew):
        each.time(instant("2030"))

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
def test_what_seems_settled_and_is_not(lines: list[Line]) -> None:
    """The last of these facts changes an alert of which nothing more was to be expected."""
    kept, anew = lives(rulebook(**SHORT))
    alerts_before: list[Alert] = []
    for fact in facts(*lines):
        alerts_before = [*kept.casefile.alerts.values()]
        kept.fact(fact)
        anew.fact(fact)

    assert anew.written() == kept.written()
    assert alerts_before != [*kept.casefile.alerts.values()]


def test_a_description_completes_a_rule_that_names_it() -> None:
    """Whether or not it tells of another name than the one that is known."""
    told = [dismissed("2022-03-01"), described("2022-03-10", name="Serik"), described("2022-03-12", post="Mayor")]
    (alert,) = alerts(told, rules=NAMED)

    assert [("open", "2022-03-11T00:00:00Z", "followed")] == life([alert])
    assert ["SubjectDescribed a 2022-03-10", "SubjectDescribed a 2022-03-12"] == alert["evidence"][1:]


@pytest.mark.parametrize("said", [{"name": "Serik"}, {"post": "Mayor"}])
def test_a_description_that_was_known_late_ends_the_silence_of_a_rule_that_names_it(said: dict[str, str]) -> None:
    """It followed all along, though it says nothing of a name."""
    late = described("2022-03-05", recorded="2022-04-01T00:00:00Z", **said)
    found = alerts([dismissed("2022-03-01"), late], rules=UNNAMED)

    assert [
        ("open", "2022-03-14T00:00:00Z", "deadline"),
        ("retracted", "2022-04-01T00:00:00Z", "late_knowledge"),
    ] == life(found)
