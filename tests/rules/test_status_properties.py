"""Properties of `when`, `unless`, `still` and `once`: alerts live as those of the oracle."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import format_instant
from projections.projector.backtest import backtest
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.sequence import SequenceRule
from projections.rules.rulebook import Rulebook
from tests.oracle import oracle
from tests.oracle.histories import RECORDED, histories, raw
from tests.oracle.statuses import StatusKeys, Wanted
from tests.subjects.test_properties import END, Lives, found_lives, known
from tests.support.builders import Line, instant

DAYS = timedelta(days=1)
NONE: frozenset[str] = frozenset()
KINDS = (
    *("Dismissed", "Dismissed", "Elected", "Suspended", "Reinstated", "Died", "Transferred"),
    *("Charged", "Charged", "Accused", "Acquitted", "CaseClosed", "VerdictFinal"),
    *("Detained", "Detained", "Arrested", "Released", "Bailed", "Wanted", "WantedCancelled"),
    *("Corrected", "Corrected", "Retracted"),
)
"""Few types, so that facts meet: the ends and beginnings of posts, cases, custody and searches."""
WORDS = {
    "service": ("unknown", "in_office", "suspended", "dismissed", "moved", "deceased"),
    "custody": ("unknown", "detained", "remanded", "bailed", "released", "deceased"),
    "wanted": ("national", "international"),
    "stage": ("accused", "charged", "final", "acquitted", "closed"),
    "presumption": ("presumed_innocent", "convicted", "cleared"),
    "open_cases": ("0", "1", "2"),
}
anchors = st.sampled_from([frozenset({"Dismissed"}), frozenset({"Detained", "Dismissed"}), frozenset({"Charged"})])
follows = st.sampled_from(
    [frozenset({"Wanted"}), frozenset({"Detained", "Charged"}), frozenset({"Released", "Elected"})]
)
waits = st.sampled_from([3 * DAYS, 10 * DAYS, 20 * DAYS])
untils = st.one_of(st.just(END), st.sampled_from([*map(instant, RECORDED)]))
onces = st.sampled_from(["", "case", "subject"])


@st.composite
def conditions(draw: st.DrawFn, *, most: int = 2) -> Wanted:
    """Up to *most* conditions, or none. The numbers of open cases are consecutive, as a range is."""
    names = draw(st.lists(st.sampled_from(sorted(WORDS)), max_size=most, unique=True))
    wanted: dict[str, frozenset[str]] = {}
    for name in names:
        if name == "open_cases":
            wanted[name] = draw(st.sampled_from([frozenset("0"), frozenset("1"), frozenset("01"), frozenset("12")]))
        else:
            wanted[name] = frozenset(draw(st.lists(st.sampled_from(WORDS[name]), min_size=1, max_size=3)))
    return wanted


@st.composite
def keys(draw: st.DrawFn, *, lasting: bool) -> StatusKeys:
    """Conditions on statuses; those of `still` only if *lasting*."""
    still = draw(conditions(most=1)) if lasting else {}
    return StatusKeys(draw(conditions(most=1)), draw(conditions()), still, draw(onces))


silences = st.builds(
    oracle.Silence,
    st.just("quiet"),
    anchors,
    follows,
    waits,
    st.sampled_from([0 * DAYS, 2 * DAYS]),
    *[st.just(NONE)] * 3,
    before=st.none(),
    from_until=st.just(value=False),
    jurisdiction=st.just(NONE),
    keys=keys(lasting=True),
    limits=st.just(()),
)
sequences = st.builds(
    oracle.Following,
    st.just("order"),
    anchors,
    follows,
    waits,
    st.booleans(),
    *[st.just(NONE)] * 3,
    over=st.just(NONE),
    jurisdiction=st.just(NONE),
    keys=keys(lasting=False),
    limits=st.just(()),
)
stories = histories(people="a", most=9, drawn_from=st.sampled_from(KINDS))


def written(wanted: Wanted) -> dict[str, Any]:
    """Return conditions as a rule has them."""
    result: dict[str, Any] = {name: sorted(words) for name, words in wanted.items()}
    if numbers := result.get("open_cases"):
        result["open_cases"] = {"at_least": int(numbers[0]), "at_most": int(numbers[-1])}
    return result


def rulebook_of(rule: oracle.Rule) -> Rulebook:
    """Return the rule of the oracle as a rule of the program."""
    texts: dict[str, Any] = {"id": rule.id, "title": "A rule", "explain": "{name}: {anchor.type}."}
    asked: dict[str, Any] = {
        name: value if isinstance(value, str) else written(value)
        for name, value in rule.keys._asdict().items()
        if value
    }
    if isinstance(rule, oracle.Silence):
        own = {"on": rule.on, "absent": rule.absent, "for": rule.wait, "settle": rule.settle}
        return Rulebook((AbsenceRule.model_validate(texts | own | asked),))
    certainty = "certain" if rule.certain else "possible"
    others = {"on": rule.on, "then": rule.then, "within": rule.within, "certainty": certainty}
    return Rulebook((SequenceRule.model_validate(texts | others | asked),))


def expected_lives(rule: oracle.Rule, lines: Sequence[Line], until: datetime) -> Lives:
    """Return the oracle's lives of the alerts of *rule*."""
    return {
        alert.id: (alert.anchor, [(state, format_instant(at)) for state, at in alert.life])
        for alert in oracle.lives(rule, known(lines, until), until)
    }


def lives_of(rule: oracle.Rule, lines: Sequence[Line], until: datetime) -> Lives:
    """Return the program's lives of the alerts of *rule*."""
    return found_lives(backtest(raw(lines), rulebook_of(rule), until).report["alerts"])


@settings(max_examples=120)
@given(silences, stories, untils)
def test_silences_live_as_those_of_the_oracle(rule: oracle.Rule, lines: list[Line], until: datetime) -> None:
    """Statuses folded from the plain set of facts lead to the same alerts, states and instants."""
    assert expected_lives(rule, lines, until) == lives_of(rule, lines, until)


@settings(max_examples=120)
@given(sequences, stories, untils)
def test_sequences_live_as_those_of_the_oracle(rule: oracle.Rule, lines: list[Line], until: datetime) -> None:
    """Statuses folded from the plain set of facts lead to the same alerts, states and instants."""
    assert expected_lives(rule, lines, until) == lives_of(rule, lines, until)
