"""Episodes by any sequence of changes, compared with the definitions asked of every pair of facts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.across.contribution import Contribution
from projections.across.runs import Episode, GroupRuns
from projections.rules.patterns.across import CountRule
from tests.oracle.across_oracle import Counted, episodes
from tests.oracle.limits import Entry, length_at
from tests.support.across import contribution, counting

DAYS = [f"2022-03-{day:02}" for day in range(1, 13)]
TIMES = [f"{day}T{time}" for day in DAYS for time in ("00:00Z", "13:59Z", "14:00Z", "23:30+06:00")]
VAGUE = ["2022-03", "2022", "2022-03-0X", "2022-03-05~", "2022-03?", "../2022-03-06", "2022-03-04/..", "XXXX-03-04"]
SPANS = ["2022-03-02/2022-03-04", "2022-03-03/2022-03-09", "2022-02-27/2022-03-02", "2022-03-06T10:00Z/2022-03-08"]


HOUR = timedelta(hours=1)
ENTRIES = [
    Entry("kz", date(1, 1, 1), date(2022, 3, 3), 24 * HOUR, 240 * HOUR),
    Entry("kz", date(2022, 3, 4), date(2022, 3, 5), 96 * HOUR, None),
    Entry("kz", date(2022, 3, 6), date(2022, 3, 7), 24 * HOUR, None),
    Entry("kz", date(2022, 3, 8), None, 96 * HOUR, None),
    Entry("kg", date(2022, 3, 3), date(2022, 3, 8), 12 * HOUR, 37 * HOUR),
]
"""Short and long windows beside each other, and days on which a law knows none."""
LIMIT = {
    "limit": "stay",
    "entries": [
        {"jurisdiction": one.place.upper(), "from": one.since, "until": one.until, "source": "Law"}
        | {"value": one.value, "longest": one.longest}
        for one in ENTRIES
    ],
}
PLACES = [*[("KZ",)] * 6, ("kg",), ("KG", "KZ"), ("UZ",), ()]


def told(group: GroupRuns, episode: Episode) -> Counted:
    """Return *episode* in the words of the oracle."""
    evidence = frozenset(held.fact_id for held in group.evidence(episode))
    return Counted(episode.anchor.fact_id, episode.people, episode.first.fact_id, episode.last.fact_id, evidence)


@st.composite
def changes(
    draw: st.DrawFn, dates: list[str], places: Sequence[tuple[str, ...]] = ((),), most: int = 4
) -> list[tuple[list[str], list[Contribution]]]:
    """Steps of some contributions that go and some that come; the same fact can come again with another date."""
    present: set[str] = set()
    steps = []
    for _ in range(draw(st.integers(1, 12))):
        gone = draw(st.lists(st.sampled_from(sorted(present)), unique=True, max_size=2)) if present else []
        present -= {*gone}
        numbers = draw(st.lists(st.integers(0, 25), unique=True, max_size=most))
        come = [
            contribution(
                number,
                draw(st.sampled_from("abcde")),
                draw(st.sampled_from(dates)),
                places=draw(st.sampled_from(places)),
            )
            for number in numbers
            if f"f{number}" not in present
        ]
        present |= {held.fact_id for held in come}
        steps.append((gone, come))
    return steps


@pytest.mark.parametrize("certainty", ["certain", "possible"])
@pytest.mark.parametrize(
    "dates", [DAYS, [*DAYS, *TIMES], [*DAYS, *TIMES, *VAGUE, *SPANS]], ids=["days", "mixed", "all"]
)
@settings(max_examples=150, deadline=None)
@given(data=st.data(), at_least=st.integers(2, 4), within=st.sampled_from([12, 24, 37, 48, 96, 24 * 40]))
def test_changes_have_the_result_of_the_definitions(
    certainty: str, dates: list[str], data: st.DataObject, at_least: int, within: int
) -> None:
    """After each change: the episodes of the definitions, those of a new group, and before and after that fit."""
    length = timedelta(hours=within)
    lengths = {f"f{number}": length for number in range(26)}
    for held, expected, group in _stepped(counting(at_least, within, certainty=certainty), data.draw(changes(dates))):
        assert expected(lengths) == {told(group, episode) for episode in group}
        _holding_fits(group, held)


@pytest.mark.parametrize("certainty", ["certain", "possible"])
@pytest.mark.parametrize("dates", [DAYS, [*DAYS, *TIMES, *VAGUE, *SPANS]], ids=["days", "all"])
@settings(max_examples=200, deadline=None)
@given(data=st.data(), at_least=st.integers(2, 4))
def test_windows_of_different_lengths(certainty: str, dates: list[str], data: st.DataObject, at_least: int) -> None:
    """The law of each completing fact, looked up day by day, sets the length of its window."""
    rule = counting(at_least, limit=LIMIT, certainty=certainty)
    for held, expected, group in _stepped(rule, data.draw(changes(dates, PLACES, 8))):
        lengths = {fact_id: _length(one, certainty) for fact_id, one in held.items()}

        assert expected(lengths) == {told(group, episode) for episode in group}
        for episode in group:
            assert rule.within_of(episode.completing) == lengths[episode.completing.fact_id]
        _holding_fits(group, held)


@pytest.mark.parametrize("certainty", ["certain", "possible"])
@pytest.mark.parametrize("order", [*permutations(range(5))])
def test_a_long_window_joins_short_ones(order: tuple[int, ...], certainty: str) -> None:
    """Two short windows share no fact with each other, but both with a long one after them: all are one episode."""
    days = ["2022-03-02", "2022-03-02", "2022-03-03", "2022-03-03", "2022-03-04"]
    facts = [contribution(number, "abcde"[number], day, places=("KZ",)) for number, day in enumerate(days)]
    rule = counting(2, limit=LIMIT, certainty=certainty)
    group = GroupRuns(rule)
    for index in order:
        group.change([], [facts[index]])

    lengths = {one.fact_id: _length(one, certainty) for one in facts}
    assert episodes(facts, 2, lengths, certain=certainty == "certain") == {told(group, one) for one in group}
    assert len([*group]) == 1
    group.change(["f4"], [])
    assert [*GroupRuns(rule, facts[:4])] == [*group]


def _length(one: Contribution, certainty: str) -> timedelta | None:
    places = {place.casefold() for place in one.jurisdictions}
    reading = "shortest" if certainty == "certain" else "possible"
    return length_at(ENTRIES, places, one.occurred, reading) if one.occurred.dated else None


Expected = Callable[[Mapping[str, timedelta | None]], set[Counted]]


def _stepped(
    rule: CountRule, steps: Iterable[tuple[list[str], list[Contribution]]]
) -> Iterator[tuple[dict[str, Contribution], Expected, GroupRuns]]:
    """Take *steps*; after each, check what the change tells, and yield the facts, their episodes and the group."""
    group, held = GroupRuns(rule), dict[str, Contribution]()
    standing: set[Episode] = set()
    at_least, certain = rule.count.at_least, rule.certainty == "certain"
    for gone, come in steps:
        evidence = {one for episode in group for one in group.evidence(episode)}
        change = group.change(gone, come)
        held = {key: one for key, one in held.items() if key not in gone} | {one.fact_id: one for one in come}

        assert [*GroupRuns(rule, held.values())] == [*group]
        assert {*change.before} <= standing
        standing = standing - {*change.before} | {*change.after}
        assert standing == {*group}
        now = {one for episode in group for one in group.evidence(episode)}
        assert {*change.gained} == now - evidence
        assert {*change.lost} == evidence - now
        yield held, partial(episodes, held.values(), at_least, certain=certain), group


def _holding_fits(group: GroupRuns, held: Iterable[str]) -> None:
    for fact_id in held:
        episode = group.holding(fact_id)
        holders = [one for one in group if fact_id in told(group, one).evidence]
        assert (episode is None) == (not holders)
        assert episode is None or episode in holders


@pytest.mark.parametrize("order", [*permutations(range(5))])
def test_a_window_between_two_of_one_episode(order: tuple[int, ...]) -> None:
    """Where days and date-times meet, a window can lie between two that share facts: all are one episode."""
    facts = [
        contribution(0, "a", "2022-03-01"),
        contribution(1, "b", "2022-03-01"),
        contribution(2, "c", "2022-03-02T11:00Z"),
        contribution(3, "d", "2022-03-02T12:00Z"),
        contribution(4, "e", "2022-03-02"),
    ]
    group = GroupRuns(counting(2, 48))
    for index in order:
        group.change([], [facts[index]])

    (episode,) = group
    assert told(group, episode) in episodes(
        facts, 2, {fact.fact_id: timedelta(hours=48) for fact in facts}, certain=True
    )
    assert told(group, episode).evidence == {fact.fact_id for fact in facts}
