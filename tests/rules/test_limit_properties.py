"""Properties of limits: alerts live as those of the oracle, which looks up each day of an anchor by itself."""

from datetime import date, datetime, timedelta
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import parse
from projections.projector.backtest import backtest
from projections.rules.limits import Limit, Reading
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.sequence import SequenceRule
from projections.rules.rulebook import Rulebook
from tests.oracle import oracle
from tests.oracle.histories import raw
from tests.oracle.limits import Entry, length_at
from tests.rules.test_language_properties import (
    DAYS,
    PLACES,
    SILENCES,
    expected_lives,
    rulebook_of,
    sequences,
    stories,
    untils,
)
from tests.subjects.test_properties import found_lives

# Changes of the law lie among the days of the stories, where a date can be on both sides of one.
CHANGES = (date(2022, 1, 1), date(2022, 3, 3), date(2022, 3, 6), date(2022, 3, 9), date(2022, 3, 16))
SPANS = (
    *("2022-03-05", "2022-03-06", "2022-03", "2022-03-05~", "../2022-03-08", "2022-03-09/..", "XXXX-03-05"),
    *("2022-03-05T10:00:00Z", "2022-03-05T09:59:59Z", "2022-03-06T13:59:59Z", "2022-03-06T14:00:00Z", "2022-03-08"),
)
lengths = st.sampled_from([3 * DAYS, 9 * DAYS])
READINGS = get_args(Reading)


@st.composite
def entries_of(draw: st.DrawFn) -> tuple[Entry, ...]:
    """Entries of one or two jurisdictions, with changes of the law and perhaps gaps."""
    entries = []
    for place in draw(st.sampled_from([("KZ",), ("KZ", "US")])):
        starts = sorted(draw(st.sets(st.sampled_from(CHANGES), min_size=1, max_size=3)) | {CHANGES[0]})
        for number, since in enumerate(starts):
            end = starts[number + 1] - DAYS if number + 1 < len(starts) else draw(st.sampled_from([None, CHANGES[-1]]))
            if end is not None and since < end and not draw(st.integers(0, 5)):
                end -= DAYS
            if draw(st.integers(0, 8)):
                value = draw(lengths)
                longest = draw(st.sampled_from([None, None, value, value + 6 * DAYS]))
                entries.append(Entry(place, since, end, value, longest))
    return tuple(entries)


def written(entries: tuple[Entry, ...]) -> dict[str, Any]:
    """Return the stored form of a limit of *entries*."""
    parts = (
        {
            "jurisdiction": entry.place, "from": entry.since, "until": entry.until,
            "value": entry.value, "longest": entry.longest, "source": "A law",
        }
        for entry in entries
    )  # fmt: skip
    return {"limit": "stay", "entries": [{key: part for key, part in one.items() if part is not None} for one in parts]}


def with_limits(rule: oracle.Rule) -> Rulebook:
    """Return *rule* as a rule of the program, with its limits."""
    (plain,) = rulebook_of(rule).rules
    model = AbsenceRule if isinstance(rule, oracle.Silence) else SequenceRule
    keys = {"wait": "for"}
    own = {keys.get(name, name): written(entries) for name, entries in rule.limits}
    return Rulebook((model.model_validate(plain.normal() | own),))


@settings(max_examples=400, derandomize=True)
@given(entries_of(), st.sets(st.sampled_from(PLACES)), st.sampled_from(SPANS), st.sampled_from(READINGS))
def test_a_limit_has_the_value_that_the_oracle_reads(
    entries: tuple[Entry, ...], places: set[str], text: str, reading: Reading
) -> None:
    """Each day of the span, looked up by itself, leads to the same value."""
    applied = Limit.model_validate(written(entries)).applied(parse(text), places, reading)

    assert length_at(entries, places, parse(text), reading) == (applied and applied.value)


@settings(max_examples=200, derandomize=True)
@given(st.data(), entries_of(), untils)
def test_silences_with_limits_live_as_those_of_the_oracle(
    data: st.DataObject, entries: tuple[Entry, ...], until: datetime
) -> None:
    """A limit as `for`, `before` or `settle` leads to the same alerts, states and instants."""
    rule = data.draw(SILENCES[data.draw(st.sampled_from(sorted(SILENCES)))])
    names = [name for name in ("wait", "before", "settle") if getattr(rule, name) is not None]
    taking = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    rule = rule._replace(limits=tuple((name, entries) for name in taking))
    lines = data.draw(stories(rule))

    assert expected_lives(rule, lines, until) == found_lives(
        backtest(raw(lines), with_limits(rule), until).report["alerts"]
    )


@settings(max_examples=200, derandomize=True)
@given(st.data(), sequences, entries_of(), untils)
def test_sequences_with_limits_live_as_those_of_the_oracle(
    data: st.DataObject, rule: oracle.Following, entries: tuple[Entry, ...], until: datetime
) -> None:
    """A limit as `within` leads to the same alerts, whether the rule is certain or possible."""
    rule = rule._replace(limits=(("within", entries),))
    lines = data.draw(stories(rule))

    assert expected_lives(rule, lines, until) == found_lives(
        backtest(raw(lines), with_limits(rule), until).report["alerts"]
    )


def test_the_days_of_the_oracle() -> None:
    """The oracle itself reads the days that it should."""
    entry = Entry("KZ", date(2022, 3, 6), None, timedelta(days=2), timedelta(days=3))

    assert length_at([entry], {"KZ"}, parse("2022-03-06"), "shortest") == timedelta(days=2)
    assert length_at([entry], {"KZ"}, parse("2022-03-06"), "longest") == timedelta(days=3)
    assert length_at([entry], {"KZ"}, parse("2022-03-05"), "possible") is None
    assert length_at([entry], {"KZ"}, parse("2022-03-05T10:00:00Z"), "possible") == timedelta(days=3)
    assert length_at([entry], {"KZ"}, parse("2022-03-06T13:59:59Z"), "longest") is None
