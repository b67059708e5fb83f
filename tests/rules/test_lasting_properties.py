"""Properties of `while`: alerts live as those of an oracle that reads the words of all parts after each event."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import format_instant
from projections.projector.backtest import backtest
from projections.rules.patterns.lasting import LastingRule
from projections.rules.rulebook import Rulebook
from projections.rules.values import LASTING
from tests.oracle import lasting
from tests.oracle.careers import THEMES, careers
from tests.oracle.histories import RECORDED, raw
from tests.subjects.test_properties import END, Lives, found_lives, known
from tests.support.builders import Line, instant

DAYS = timedelta(days=1)
OF_A_KIND = {
    "service": (THEMES["posts"], *["Suspended Suspended Appointed SuspensionLifted Dismissed Reinstated Died"] * 3),
    "custody": (THEMES["custody"], *["Detained Arrested Detained Bailed Released Charged CaseClosed Died"] * 3),
    "wanted": ("Wanted Wanted Wanted WantedCancelled Arrested Detained Charged CaseClosed Acquitted Died Extradited",),
    "stage": (
        f"{THEMES['cases']} Died",
        *["Charged Charged ChargesAmended Convicted CaseClosed VerdictFinal Pardoned PardonAnnulled Died"] * 3,
    ),
    "measure": ("MeasureImposed MeasureImposed MeasureLifted Died",),
}
"""The themes of careers by kind of status."""
WORDS = {
    "service": ("suspended", "dismissed", "in_office", "moved"),
    "custody": ("detained", "remanded", "released", "bailed"),
    "wanted": LASTING["wanted"],
    "stage": ("charged", "convicted", "final", "closed", "pardoned"),
    "measure": ("travel_ban", "sanction"),
}
"""The words that such careers lead to most often. `tests/rules/test_lasting_keys.py` names the others."""
untils = st.one_of(st.just(END), st.just(END), st.sampled_from([*map(instant, RECORDED)]))


def rules(kind: str) -> st.SearchStrategy[lasting.Lasting]:
    """Rules about a status of *kind*."""
    return st.builds(
        lasting.Lasting,
        id=st.just("long"),
        kind=st.just(kind),
        words=st.frozensets(st.sampled_from(WORDS[kind]), min_size=1),
        wait=st.sampled_from([timedelta(hours=20), 2 * DAYS, 5 * DAYS, 10 * DAYS]),
        settle=st.sampled_from([0 * DAYS, 2 * DAYS]),
        jurisdiction=st.sampled_from([frozenset[str](), frozenset[str](), frozenset[str](), frozenset({"KZ"})]),
    )


@st.composite
def stories(draw: st.DrawFn, kind: str) -> list[Line]:
    """The career of one person, mostly of facts about a status of *kind*, each recorded near the dates."""
    lines = draw(careers(people="a", most=6, themes=OF_A_KIND[kind]))
    return [line | {"recorded": draw(st.sampled_from(RECORDED))} for line in lines]


def rulebook_of(rule: lasting.Lasting) -> Rulebook:
    """Return the rule of the oracle as a rule of the program."""
    written = {
        "id": rule.id,
        "title": "A rule",
        "while": {rule.kind: sorted(rule.words)},
        "for": rule.wait,
        "settle": rule.settle,
        "explain": "{name}: {anchor.type}.",
        **({"jurisdiction": sorted(rule.jurisdiction)} if rule.jurisdiction else {}),
    }
    return Rulebook((LastingRule.model_validate(written),))


def expected_lives(rule: lasting.Lasting, lines: Sequence[Line], until: datetime) -> Lives:
    """Return the oracle's lives of the alerts of *rule*."""
    return {
        alert.id: (alert.anchor, [(state, format_instant(at)) for state, at in alert.life])
        for alert in lasting.lives(rule, known(lines, until), until)
    }


def lives_of(rule: lasting.Lasting, lines: Sequence[Line], until: datetime) -> Lives:
    """Return the program's lives of the alerts of *rule*."""
    return found_lives(backtest(raw(lines), rulebook_of(rule), until).report["alerts"])


@pytest.mark.parametrize("kind", LASTING)
@settings(max_examples=60, derandomize=True)
@given(st.data(), untils)
def test_statuses_last_as_those_of_the_oracle(kind: str, data: st.DataObject, until: datetime) -> None:
    """A plain evaluation of `while` leads to the same alerts, states and instants."""
    rule, lines = data.draw(rules(kind)), data.draw(stories(kind))

    assert expected_lives(rule, lines, until) == lives_of(rule, lines, until)
