"""Properties of rules that combine the keys of the language: kept answers are those of every anchor, asked anew."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from events.edtf import BEGINNING
from events.facts import Fact
from events.vocabulary import TRACKS
from projections.alerts.alert import Change, Trigger
from projections.alerts.subject_state import SubjectState
from projections.history.history import History
from projections.rules.findings import Findings
from projections.rules.rulebook import Rulebook, patterns_in
from projections.subjects.fold import Fold
from tests.oracle.histories import RECORDED
from tests.support.builders import Line, corrected, facts, instant, retracted, stated

DAY = 86_400
TEXTS: dict[str, Any] = {
    "title": "x", "explain": "{name}: {anchor.type} {anchor.occurred}.",
    "ended_explain": "{then.type} {then.occurred}.",
    "retracted_explain": "{anchor.type} {anchor.occurred}.",
}  # fmt: skip
LIMIT = {
    "limit": "stay",
    "entries": [
        {"jurisdiction": "KZ", "from": "2020-01-01", "until": "2022-03-08", "value": 2 * DAY, "longest": 6 * DAY}
        | {"source": "Old law"},
        {"jurisdiction": "KZ", "from": "2022-03-09", "value": 4 * DAY, "source": "New law"},
    ],
}
HELD: list[dict[str, Any]] = [{"then": ["Detained", "Arrested"], "within": 15 * DAY}]
PARTS: tuple[dict[str, Any], ...] = (
    {"on": ["Dismissed"], "steps": [*HELD, {"then": ["Charged", "Released"], "within": LIMIT, "new": ["case_id"]}]},
    {"on": ["Dismissed"], "steps": [*HELD, {"absent": ["Charged"], "for": LIMIT, "settle": DAY}], "within": 12 * DAY},
    {"on": ["Charged"], "steps": [{"then": ["Detained"], "within": 15 * DAY}], "certainty": "possible"},
    {"while": {"custody": ["detained", "remanded"]}, "for": LIMIT, "settle": DAY},
    {"while": {"service": ["dismissed"]}, "for": 5 * DAY},
    {"on": ["Detained"], "absent": ["Charged"], "for": LIMIT, "before": LIMIT, "still": {"custody": ["detained"]}},
    {"on": ["Dismissed"], "absent": ["Released"], "for": 5 * DAY, "still": {"open_cases": {"at_most": 0}}},
    {"on": ["Dismissed"], "then": ["Detained"], "within": LIMIT, "over": ["Released"]},
    {"on": ["Dismissed", "Charged"], "then": ["Detained"], "within": 15 * DAY, "certainty": "possible"},
)
KEYS: tuple[dict[str, Any], ...] = (
    {"once": "subject"},
    {"once": "case"},
    {"unless": {"custody": ["detained", "remanded"]}},
    {"when": {"service": ["unknown", "in_office"]}, "once": "subject"},
    {"unless": {"presumption": ["cleared"]}, "jurisdiction": ["KZ"]},
    {"enabled": "trial"},
)
KINDS = (
    *("Dismissed", "Dismissed", "Detained", "Detained", "Arrested", "Charged", "Charged", "Released", "Acquitted"),
    *("Reinstated", "CaseClosed", "Died", "SubjectDescribed"),
)
VAGUE = ("2022-03", "2022-03-05~", "2022-03-1X", "2022-03-01/2022-03-10", "../2022-03-10", "2022-03-05T10:00:00Z")


class Forgetful(SubjectState):
    """The state of one person that keeps no finding, and asks every rule of every anchor after each fact."""

    def apply(self, fact: Fact) -> None:
        """Apply *fact* with findings and a status of its own."""
        if self.due is not None:
            self.advance_watermark(fact.recorded)
        self.fold.apply(fact)
        history = History([*self.fold.history.facts.values()], fact.recorded)
        step = Fold(history, self.rulebook.anchors).restart(self.rulebook.anchors)
        if self._record_step(step):
            self._findings = Findings(self.rulebook)
            self._follow(self._findings.at(fact.recorded, step), step, Trigger("fact", fact.recorded, fact))


def told(state: SubjectState, lines: list[Line]) -> tuple[dict[str, Any], list[Any]]:
    """Return the alerts after all *lines* and timers, and every change with its cause, by its instant."""
    for fact in sorted(facts(*lines), key=lambda fact: fact.recorded):
        state.apply(fact)
    state.advance_watermark(instant("2030"))
    changes = [change for change in state.lifecycle.changes if isinstance(change, Change)]
    return state.lifecycle.alerts, sorted((change.at, change.alert.alert_id, repr(change)) for change in changes)


def story(random: Random, kinds: Sequence[str]) -> list[Line]:
    """Return facts on few days, a third of them vague, about few cases and mostly of *kinds*."""
    lines: list[Line] = []
    for number in range(random.randint(3, 9)):
        kind = random.choice(KINDS if number % 3 == 2 else kinds)
        day = random.choice(VAGUE) if random.random() < 0.3 else f"2022-03-{random.randint(1, 14):02}"
        keys = {"published": "2022-04-30", "recorded": random.choice(RECORDED), "id": f"f{number}"}
        case = random.choice("ccd") if random.random() < 0.6 or kind in TRACKS["case"] else None
        place = {"jurisdiction": "KZ"} if random.random() < 0.8 else {}
        lines.append(stated(kind, day, case=case, **keys, **place))
        if random.random() < 0.2:
            target, late = random.choice(lines), {"recorded": random.choice(RECORDED), "id": f"c{number}"}
            moved = {"occurred": f"2022-03-{random.randint(1, 14):02}"}
            if target["type"] not in TRACKS["meta"]:
                lines.append(corrected(target, **late, **moved) if random.random() < 0.6 else retracted(target, **late))
    return lines


@pytest.mark.parametrize("seed", range(0, 1500, 100))
def test_kept_answers_are_those_of_every_anchor(seed: int) -> None:
    """Alerts, sentences, evidence and causes do not depend on the answers that were kept from fact to fact."""
    for number in range(seed, seed + 100):
        random = Random(number)  # noqa: S311 - a story for a test
        part = random.choice(PARTS)
        rule = {"id": "x", **TEXTS} | part | random.choice(({}, *KEYS)) | random.choice(({}, *KEYS))
        book = Rulebook((patterns_in(rule)[0].model_validate(rule),))
        lines = story(random, sorted(book.rules[0].on | book.rules[0].extended_by))
        kept, anew = (make("a", History((), BEGINNING), book) for make in (SubjectState, Forgetful))

        assert told(kept, lines) == told(anew, lines)
        assert book == Rulebook.from_json(book.as_json())
