"""Stored alerts across people: the sentences of those that ended, and times that the law sets."""

from typing import Any

import pytest

from projections.projector.rebuild import rebuild
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.rulebook import Rulebook
from tests.support.builders import Line, acquitted, alerts, charged, corrected, described, detained, released, retracted
from tests.support.correlating import DAY, House, counting, life, ministry, related, siblings

UNTIL = "2023-06-01"
GONE = "It is not upheld that {count} of {group} were held from {first.occurred} to {last.occurred}."
OVER = "{name} was held ({anchor.occurred}); {then.relation} {then.name} ({then.occurred}) is free."
NOT_SO = "{name}, held {anchor.occurred}: nothing follows."


def limit(*values: tuple[str, str, int]) -> dict[str, Any]:
    """Return a limit with entries of a jurisdiction, the first day in force and the number of days."""
    entries = [
        {"jurisdiction": place, "from": since, "value": days * DAY, "source": f"Law of {place}"}
        for place, since, days in values
    ]
    return {"limit": "time", "entries": entries}


def count_in(**within: Any) -> CountRule:
    """Return the rule that counts, with a limit of these entries."""
    return counting(
        count={"distinct": "subject", "at_least": 3, "by": "agency", **within},
        explain="{count} of {group} in {limit.value} ({limit.source}).",
        retracted_explain="Not {count} of {group} in {limit.value} ({limit.source}).",
    )


def pair() -> list[Line]:
    """Return the detentions of a and, later, of their sibling b."""
    return [
        detained("2022-01-10", subject="a", recorded="2022-01-10T12:00:00Z", jurisdiction="KZ"),
        detained("2022-02-01", subject="b", recorded="2022-02-01T12:00:00Z"),
        siblings(),
    ]


def told(rule: CountRule | OfRule, lines: list[Line]) -> tuple[list[str], str]:
    """Return the states and the sentence of the one alert; a rebuild and a backtest have the same."""
    house = House(2, rules=Rulebook((rule,))).judge(lines, UNTIL)
    (alert,) = house.alerts()
    (again,) = alerts(lines, UNTIL, house.rules)

    assert [] == rebuild(house.engine, house.rules, lambda _: None, exchange=False)
    assert (alert["state"], alert["explanation"]) == (again["state"], again["explanation"])
    return [step.split()[0] for step in life(alert)], alert["explanation"]


def test_a_retracted_count_quotes_what_was_said() -> None:
    """A fact that is gone is quoted as it was known just before: the number and the dates are those of the alert."""
    lines = ministry("abcd")
    gone = [retracted(line, "2022-05-01", recorded="2022-05-01T12:00:00Z") for line in lines[-2:]]

    assert told(counting(retracted_explain=GONE), [*lines, *gone]) == (
        ["open", "open", "retracted"],
        "It is not upheld that 4 of Ministry were held from 2022-02-01 to 2022-02-13.",
    )


def test_a_corrected_date_is_quoted_as_it_was() -> None:
    """A correction that moves a fact out of the window does not change the words about the time before it."""
    lines = ministry("abc")
    late = corrected(lines[-1], "2022-05-01", recorded="2022-05-01T12:00:00Z", occurred="2021-06-01")

    assert told(counting(retracted_explain=GONE), [*lines, late])[1].endswith("from 2022-02-01 to 2022-02-09.")


def test_a_corrected_word_is_in_the_sentence() -> None:
    """A place decides no window. A sentence that names it follows its correction, and the end of the correction."""
    lines = ministry("abc")
    note = corrected(lines[-1], "2022-04-01", recorded="2022-04-01T12:00:00Z", place="Oral")
    undone = retracted(note, "2022-05-01", recorded="2022-05-01T12:00:00Z")
    rule = counting(explain="{count} of {group}, the last in {last.place}.")

    assert told(rule, [*lines, note]) == (["open"], "3 of Ministry, the last in Oral.")
    assert told(rule, [*lines, note, undone]) == (["open"], "3 of Ministry, the last in not stated.")


def test_without_its_own_words_the_default_form_stands() -> None:
    """The sentence begins with the day until which it was said."""
    lines = ministry("abc")
    gone = retracted(lines[-1], "2022-05-01", recorded="2022-05-01T12:00:00Z")

    assert told(counting(), [*lines, gone])[1].startswith("Was said until 2022-05-01: 3 officials of Ministry")


@pytest.mark.parametrize(
    ("end", "states", "sentence"),
    [
        (
            [released("2022-03-01", subject="b", recorded="2022-03-01T12:00:00Z")],
            ["open", "resolved"],
            "a was held (2022-01-10); sibling b (2022-02-01) is free.",
        ),
        (
            [
                charged("2022-03-01", subject="a", recorded="2022-03-02T12:00:00Z"),
                acquitted("2022-04-01", subject="a", recorded="2022-04-02T12:00:00Z", final=True),
                described("2022-05-01", subject="b", name="Aru", recorded="2022-05-01T12:00:00Z"),
            ],
            ["open", "resolved"],
            "a was held (2022-01-10); sibling Aru (2022-02-01) is free.",
        ),
        (
            [retracted(pair()[1], "2022-03-01", recorded="2022-03-01T12:00:00Z")],
            ["open", "retracted"],
            "a, held 2022-01-10: nothing follows.",
        ),
        (
            [retracted(pair()[0], "2022-03-01", recorded="2022-03-01T12:00:00Z")],
            ["open", "retracted"],
            "a, held 2022-01-10: nothing follows.",
        ),
    ],
    ids=["over", "cleared", "no follow-up", "no anchor"],
)
def test_a_pair_that_ended(end: list[Line], states: list[str], sentence: str) -> None:
    """An end and a retraction have a sentence each, with the names of now."""
    rule = related(ended_explain=OVER, retracted_explain=NOT_SO)

    assert told(rule, [*pair(), *end]) == (states, sentence)


@pytest.mark.parametrize("rule", [counting(retracted_explain=GONE), related(retracted_explain=NOT_SO)])
def test_new_words_reach_alerts_that_ended(rule: CountRule | OfRule) -> None:
    """A new sentence is put in place; another version of the rule has none for an earlier end."""
    lines = ministry("abc") if isinstance(rule, CountRule) else pair()
    taken = lines[-1] if isinstance(rule, CountRule) else lines[1]
    gone = retracted(taken, "2022-05-01", recorded="2022-05-01T12:00:00Z")
    house = House(2, rules=Rulebook((type(rule).model_validate(rule.normal() | {"retracted_explain": "Gone."}),)))
    house.judge([*lines, gone], UNTIL)
    sentences = [house.alerts()[0]["explanation"]]
    for other in (rule, rule.model_copy(update={"retracted_explain": None}), _of_another_version(rule)):
        house.rules = Rulebook((other,))
        house.correlator = house.correlate()
        sentences.append(house.alerts()[0]["explanation"])

    assert sentences[0] == "Gone."
    assert sentences[1].startswith(("It is not upheld that 3 of Ministry", "a, held 2022-01-10"))
    assert all(sentence.startswith("Was said until 2022-05-01: ") for sentence in sentences[2:])
    assert [] == rebuild(house.engine, house.rules, lambda _: None, exchange=False)


def _of_another_version(rule: CountRule | OfRule) -> CountRule | OfRule:
    return type(rule).model_validate(rule.normal() | {"certainty": "possible"})


def test_the_law_of_the_completing_fact_sets_the_window() -> None:
    """The ministry's law of the day of the last fact decides; it is named, also once the alert is retracted."""
    lines = ministry("abc")
    gone = retracted(lines[-1], "2022-05-01", recorded="2022-05-01T12:00:00Z")
    in_time = count_in(within=limit(("KZ", "2022-02-09", 9), ("KG", "2020-01-01", 90)))

    assert told(in_time, lines) == (["open"], "3 of Ministry in 9 days (Law of KZ).")
    assert told(in_time, [*lines, gone])[1] == "Not 3 of Ministry in 9 days (Law of KZ)."
    for within in (("KZ", "2022-02-09", 8), ("KZ", "2022-02-10", 90), ("KG", "2020-01-01", 90)):
        house = House(2, rules=Rulebook((count_in(within=limit(within)),))).judge(lines, UNTIL)
        assert [] == house.alerts()


def test_a_case_has_the_law_that_its_facts_name() -> None:
    """A case is a group without a jurisdiction: the completing fact names the law, and a fact without one counts."""
    held = [
        detained(f"2022-02-0{n}", subject=one, case="case", recorded=f"2022-02-0{n}T12:00:00Z", **place)
        for n, (one, place) in enumerate([("a", {}), ("b", {}), ("c", {"jurisdiction": "KZ"})], 1)
    ]
    of_case = {"distinct": "subject", "at_least": 3, "by": "case_id", "within": limit(("KZ", "2020-01-01", 3))}

    assert told(counting(count=of_case), held)[0] == ["open"]
    assert [] == House(2, rules=Rulebook((counting(count=of_case),))).judge(held[:2], UNTIL).alerts()


@pytest.mark.parametrize(("days", "opens"), [(23, True), (22, False)])
def test_the_law_of_the_anchor_sets_the_time_of_a_follow_up(days: int, opens: bool) -> None:  # noqa: FBT001
    """The value and its law are in the sentence; one day less finds nothing."""
    rule = related(within=limit(("KZ", "2020-01-01", days)), explain="{name}: {limit.value} ({limit.source}).")
    house = House(2, rules=Rulebook((rule,))).judge(pair(), UNTIL)

    sentences = [alert["explanation"] for alert in house.alerts()]
    assert sentences == (["a: 23 days (Law of KZ)."] if opens else [])


def test_a_changed_table_is_another_version() -> None:
    """The alert under the old law is superseded, and one under the new law continues."""
    house = House(2, rules=Rulebook((count_in(within=limit(("KZ", "2020-01-01", 9))),)))
    house.judge(ministry("abc"), UNTIL)
    for days in (90, 3):
        house.rules = Rulebook((count_in(within=limit(("KZ", "2020-01-01", days))),))
        house.correlator = house.correlate()
    (alert,) = house.alerts()

    assert ["open", "superseded", "open", "superseded"] == [step.split()[0] for step in life(alert)]
    assert [] == rebuild(house.engine, house.rules, lambda _: None, exchange=False)


def test_the_sentence_says_how_many_were_cleared() -> None:
    """An acquittal of one of the group is as visible as the count was."""
    trial = [
        charged("2022-03-01", subject="a", recorded="2022-03-02T12:00:00Z"),
        acquitted("2022-04-01", subject="a", recorded="2022-04-02T12:00:00Z", final=True),
    ]
    _, sentence = told(counting(), [*ministry("abc"), *trial])

    assert sentence.endswith(" 1 of them was cleared since.")


def test_an_acquittal_before_the_arrest_is_not_counted_as_cleared_since() -> None:
    """The sentence says "since" of an acquittal after the event only, and forgets it when its date is corrected."""
    old = acquitted("2019-04-01", subject="a", recorded="2022-03-02T12:00:00Z", final=True)
    new = acquitted("2022-03-01", subject="b", recorded="2022-03-02T12:00:00Z", final=True)
    wrong = corrected(new, occurred="2018-03-01", recorded="2022-04-02T12:00:00Z")
    _, before = told(counting(), [*ministry("abc"), old, new])
    _, after = told(counting(), [*ministry("abc"), old, new, wrong])

    assert before.endswith(" 1 of them was cleared since.")
    assert "cleared" not in after
