"""Properties of the keys `over`, `before`, `from` and `jurisdiction`: alerts live as those of the oracle."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import format_instant
from events.vocabulary import TRACKS
from projections.projector.backtest import backtest
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.sequence import SequenceRule
from projections.rules.rulebook import Rulebook
from tests.oracle import oracle
from tests.oracle.histories import RECORDED, raw
from tests.oracle.statuses import StatusKeys
from tests.subjects.test_properties import END, Lives, found_lives, known
from tests.support.builders import SOURCES, Line, charged, detained, instant

DAYS = timedelta(days=1)
NONE: frozenset[str] = frozenset()
HELD = frozenset({"detained", "remanded", "house_arrest"})
WITH_UNTIL = frozenset({"Suspended", "Detained", "Arrested", "HouseArrested", "MeasureImposed"})
"""The types with data that may have `until`."""
UNTIL = (
    *("2022-03-06", "2022-03-12", "2022-03-15", "2022-03-16~", "2022-03", "2022-03-10/..", "../2022-03-15"),
    *("2022-03-05T20:00:00Z", "2022-03-15T14:00:00Z", "2022-02-20"),
)
PLACES = ("KZ", "KZ", "US")
DAYS_NEAR = (
    *("2022-03-01", "2022-03-03", "2022-03-05", "2022-03-06", "2022-03-08", "2022-03-10", "2022-03-12", "2022-03-15"),
    *(
        "2022-03-18",
        "2022-03-20",
        "2022-03-27",
        "2022-03-28",
        "2022-03-05T10:00:00Z",
        "2022-03-08T13:59:59Z",
        "2022-03-08T14:00:00Z",
    ),
    *("2022-03-02T10:00:00Z", "2022-03-04T12:00:00Z", "2022-03-15T14:00:00Z"),
)
DAYS_VAGUE = ("2022-03-05~", "2022-03-1X", "2022-03", "../2022-03-10", "2022-03-10/..", "2022-04-05")
anchors = st.sampled_from([frozenset({"Detained", "HouseArrested"}), frozenset({"Suspended", "MeasureImposed"})])
follows = st.sampled_from(
    [frozenset({"Charged"}), frozenset({"Detained", "Charged"}), frozenset({"Reinstated", "Charged", "Suspended"})]
)
OTHERS = ("Died", "Released", *TRACKS["meta"])
untils = st.one_of(st.just(END), st.sampled_from([*map(instant, RECORDED)]))
jurisdictions = st.sampled_from([NONE, NONE, frozenset({"KZ"}), frozenset({"KZ", "FR"})])


def optional(*days: int) -> st.SearchStrategy[timedelta | None]:
    """A duration of one of *days*, or none."""
    return st.sampled_from([None, *(number * DAYS for number in days)])


@st.composite
def days(draw: st.DrawFn) -> str:
    """A day or a date-time near the others; one in five is vague, and one in a hundred has no year."""
    place = draw(st.integers(0, 99))
    return "XXXX-03-05" if place == 99 else draw(st.sampled_from(DAYS_VAGUE if place >= 80 else DAYS_NEAR))


@st.composite
def data_of(draw: st.DrawFn, kind: str, targets: Sequence[str]) -> dict[str, Any]:
    """Data of a fact of *kind*, often with `until` and `jurisdiction`; facts that it names are of *targets*."""
    data: dict[str, Any] = {
        "occurred": draw(days()),
        "published": draw(st.sampled_from(("2022-04-30", "2022-04-30", "2022-04-30", "2022-03-16"))),
        "sources": SOURCES,
    }
    if kind in TRACKS["meta"]:
        return data | {"fact_id": draw(st.sampled_from(targets))}
    if kind in TRACKS["case"]:
        data["case_id"] = "c"
    if kind == "MeasureImposed":
        data["kind"] = "travel_ban"
    if kind in WITH_UNTIL and draw(st.integers(0, 4)):
        data["until"] = draw(st.sampled_from(UNTIL))
    if draw(st.booleans()):
        data["jurisdiction"] = draw(st.sampled_from(PLACES))
    if not draw(st.integers(0, 5)):
        data["after"] = [draw(st.sampled_from(targets))]
    return data


@st.composite
def stories(draw: st.DrawFn, rule: oracle.Rule) -> list[Line]:
    """Facts of one person, close in time and mostly of the types of *rule*, so that each key matters."""
    # A pattern with all of its parts is too rare unless each of them is there.
    parts = (rule.on, rule.absent) if isinstance(rule, oracle.Silence) else (rule.on, rule.then, rule.over)
    named = [sorted(part) for part in parts]
    needed = named if isinstance(rule, oracle.Following) else named[:1]
    pool = st.sampled_from([*(kind for part in named for kind in part * 2), *OTHERS])
    drawn = [draw(st.sampled_from(part)) for part in needed] + draw(st.lists(pool, min_size=1, max_size=5))
    ids = [f"f{n}" for n in range(len(drawn))]
    of = dict(zip(ids, drawn, strict=True))
    lines = []
    for name, kind in of.items():
        data = draw(data_of(kind, ids))
        if kind == "Corrected":
            data["data"] = draw(data_of(of[data["fact_id"]], ids)) | (
                {"data": {}} if of[data["fact_id"]] == kind else {}
            )
        if kind == "Retracted":
            data["reason"] = "wrong"
        recorded = draw(st.sampled_from(RECORDED))
        lines.append(
            {"type": kind, "id": name, "source": "urn:test", "subject": "a", "data": data, "recorded": recorded}
        )
    return lines


def silences(
    wait: st.SearchStrategy[timedelta | None],
    before: st.SearchStrategy[timedelta | None],
    from_until: st.SearchStrategy[bool],
) -> st.SearchStrategy[oracle.Silence]:
    """Rules about silence with these keys."""
    return st.builds(
        oracle.Silence,
        id=st.just("quiet"),
        on=anchors,
        absent=follows,
        wait=wait,
        settle=st.sampled_from([0 * DAYS, 2 * DAYS]),
        service=st.just(frozenset({"deceased"})),
        custody=st.sampled_from([NONE, NONE, HELD]),
        stage=st.just(NONE),
        before=before,
        from_until=from_until,
        jurisdiction=jurisdictions,
        keys=st.just(StatusKeys()),
        limits=st.just(()),
    )


some_days = st.sampled_from([3 * DAYS, 5 * DAYS, 10 * DAYS])
SILENCES = {
    "before": silences(st.none(), some_days, st.just(value=False)),
    "before and for": silences(some_days, some_days, st.just(value=False)),
    "from until": silences(some_days, optional(3), st.just(value=True)),
    "for": silences(some_days, st.none(), st.just(value=False)),
}
sequences = st.builds(
    oracle.Following,
    id=st.just("sequence"),
    on=anchors,
    then=follows,
    within=st.sampled_from([10 * DAYS, 20 * DAYS]),
    certain=st.booleans(),
    service=st.just(NONE),
    custody=st.sampled_from([NONE, NONE, HELD]),
    stage=st.just(NONE),
    over=st.sampled_from([frozenset({"Released", "Acquitted"}), frozenset({"Charged", "Detained", "Reinstated"})]),
    jurisdiction=jurisdictions,
    keys=st.just(StatusKeys()),
    limits=st.just(()),
)


def rulebook_of(rule: oracle.Rule) -> Rulebook:
    """Return the rule of the oracle as a rule of the program."""
    unless = {name: sorted(words) for name in ("service", "custody", "stage") if (words := getattr(rule, name))}
    common: dict[str, Any] = {
        "id": rule.id,
        "title": "A rule",
        "on": sorted(rule.on),
        "explain": "{name}: {anchor.type}.",
        **({"unless": unless} if unless else {}),
        **({"jurisdiction": sorted(rule.jurisdiction)} if rule.jurisdiction else {}),
    }
    if isinstance(rule, oracle.Silence):
        keys = {"absent": sorted(rule.absent), "for": rule.wait, "before": rule.before, "settle": rule.settle}
        start = {"from": "until"} if rule.from_until else {}
        written = {name: value for name, value in keys.items() if value is not None}
        return Rulebook((AbsenceRule.model_validate(common | written | start),))
    own = {"then": sorted(rule.then), "within": rule.within, "certainty": "certain" if rule.certain else "possible"}
    over = {"over": sorted(rule.over)} if rule.over else {}
    return Rulebook((SequenceRule.model_validate(common | own | over),))


def expected_lives(rule: oracle.Rule, lines: Sequence[Line], until: datetime) -> Lives:
    """Return the oracle's lives of the alerts of *rule*."""
    return {
        alert.id: (alert.anchor, [(state, format_instant(at)) for state, at in alert.life])
        for alert in oracle.lives(rule, known(lines, until), until)
    }


def lives_of(rule: oracle.Rule, lines: Sequence[Line], until: datetime) -> Lives:
    """Return the program's lives of the alerts of *rule*."""
    return found_lives(backtest(raw(lines), rulebook_of(rule), until).report["alerts"])


@pytest.mark.parametrize("keys", SILENCES)
@settings(max_examples=150, derandomize=True)
@given(st.data(), untils)
def test_silences_live_as_those_of_the_oracle(keys: str, data: st.DataObject, until: datetime) -> None:
    """A plain evaluation of `before`, `for` and `from: until` leads to the same alerts, states and instants."""
    rule = data.draw(SILENCES[keys])
    lines = data.draw(stories(rule))

    assert expected_lives(rule, lines, until) == lives_of(rule, lines, until)


@settings(max_examples=150, derandomize=True)
@given(st.data(), sequences, untils)
def test_sequences_live_as_those_of_the_oracle(data: st.DataObject, rule: oracle.Following, until: datetime) -> None:
    """A plain evaluation of `over` leads to the same alerts, states and instants."""
    lines = data.draw(stories(rule))

    assert expected_lives(rule, lines, until) == lives_of(rule, lines, until)


@pytest.mark.parametrize(
    ("occurred", "is_void"),
    [
        ("2022-03-09", False),
        ("2022-03-10", True),
        ("2022-03-09T09:59:59Z", False),
        ("2022-03-09T10:00:00Z", True),
        ("2022-03-16T13:59:59Z", True),
        ("2022-03-16T14:00:00Z", False),
        ("2022-03-16", False),
        ("2022-03-0X", False),
        ("2022-03", True),
        ("XXXX-03-05", True),
    ],
)
def test_the_ends_of_the_time_before(occurred: str, is_void: bool) -> None:  # noqa: FBT001 - a column of the table
    """A fact 5 days before the 15th counts from the 10th on, with 14 hours to spare for a date-time."""
    rule = oracle.Silence(
        "quiet", frozenset({"Detained"}), frozenset({"Charged"}), None, 0 * DAYS, NONE, NONE, NONE, 5 * DAYS
    )
    late = {"published": "2022-04-30", "recorded": "2022-05-01T00:00:00Z"}
    lines = [detained("2022-03-15", **late), charged(occurred, **late)]

    assert is_void == (not lives_of(rule, lines, END)) == (not expected_lives(rule, lines, END))
