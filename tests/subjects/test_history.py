"""Histories: world order, corrections and retractions."""

from itertools import permutations

import pytest

from projections.history.corrections import apply_corrections
from projections.history.flag import Flag
from projections.history.history import History
from tests.support.builders import (
    Line,
    appointed,
    arrested,
    corrected,
    detained,
    dismissed,
    facts,
    history,
    instant,
    released,
    retracted,
    stated,
    wanted,
)


def types(*lines: Line, clock: str = "2030") -> list[str]:
    """Return the types of the facts that count at *clock*, in world order."""
    return [fact.type for fact in history(*lines, clock=clock).world]


def posts(*lines: Line) -> list[str]:
    """Return the posts that the facts in force name."""
    return [fact.data["post"] for fact in history(*lines).world]


def flags(*lines: Line, clock: str = "2030") -> list[Flag]:
    """Return the flags of single facts."""
    return history(*lines, clock=clock).flags


def test_facts_of_one_day_read_as_they_happen_in_life() -> None:
    """The order of arrival never puts a release before the detention, or a search after it."""
    day = "2022-03-27"

    for lines in permutations([wanted(day), detained(day), released(day)]):
        assert ["Wanted", "Detained", "Released"] == types(*lines)


def test_a_vague_date_stands_at_its_latest_instant() -> None:
    """A month must not overtake its 15th day, and comes before the next month."""
    lines = [arrested("2022-04-01"), dismissed("2022-03"), detained("2022-03-15")]

    assert ["Detained", "Dismissed", "Arrested"] == types(*lines)


def test_of_two_that_end_together_the_earlier_start_comes_first() -> None:
    """The last day of March comes after "in March": it can only have been later."""
    assert ["Detained", "Dismissed"] == types(dismissed("2022-03-31"), detained("2022-03"))


def test_an_open_start_comes_first_among_those_that_end_together() -> None:
    """An unknown start reaches back beyond every known one."""
    assert ["Released", "Detained"] == types(detained("2022-03-10"), released("../2022-03-10"))


def test_facts_of_one_type_and_time_are_ordered_by_when_they_were_published_then_by_id() -> None:
    """The later report comes last, in any order of arrival."""
    early = appointed("2022-03-27", published="2022-03-28", id="z", post="early")
    late = appointed("2022-03-27", published="2022-03-29", id="a", post="late")
    twin = appointed("2022-03-27", published="2022-03-29", id="b", post="twin")

    for lines in permutations([early, late, twin]):
        assert ["early", "late", "twin"] == posts(*lines)


def test_what_was_published_cannot_have_happened_later() -> None:
    """An event "in March" that was published on the 10th happened by the 10th."""
    (fact,) = history(dismissed("2022-03", published="2022-03-10")).world

    assert instant("2022-03-10") == fact.occurred.latest


def test_a_correction_replaces_the_data() -> None:
    """The present statement of the source counts."""
    first = appointed("2022-03-27", post="chief")

    assert ["deputy"] == posts(first, corrected(first, post="deputy"))


def test_a_corrected_date_moves_the_fact() -> None:
    """World order follows the date in force."""
    late = dismissed("2022-03-27")

    assert ["Dismissed", "Detained"] == types(late, detained("2022-03-20"), corrected(late, occurred="2022-03-10"))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_correction_published_last_wins(order: tuple[int, ...]) -> None:
    """The arrival plays no part; of two of one day the greater id wins."""
    first = appointed("2022-03-27", post="chief")
    told_later = [
        corrected(first, "2022-05-01", id="z", post="one"),
        corrected(first, "2022-05-02", id="a", post="two"),
        corrected(first, "2022-05-02", id="b", post="three"),
    ]

    assert ["three"] == posts(*(told_later[n] for n in order), first)


def test_a_retraction_takes_a_fact_back() -> None:
    """It neither counts nor has a place in the order, but the history still has it."""
    wrong = detained("2022-04-20")
    known = history(dismissed("2022-03-27"), wrong, retracted(wrong))

    assert ["Dismissed"] == [fact.type for fact in known.world]
    assert {wrong["id"]: retracted(wrong)["id"]} == known.corrections.retracted_by
    assert wrong["id"] in known.facts


def test_retracting_a_correction_restores_what_it_replaced() -> None:
    """The correction was the mistake."""
    first = appointed("2022-03-27", post="chief")
    one = corrected(first, "2022-05-01", post="one")
    two = corrected(first, "2022-05-02", post="two")

    assert ["one"] == posts(first, one, two, retracted(two))
    assert ["chief"] == posts(first, one, two, retracted(two), retracted(one))


def test_retracting_a_retraction_revives_the_fact() -> None:
    """The fact was true all along."""
    first = detained("2022-04-20")
    gone = retracted(first, "2022-05-01")
    back = retracted(gone, "2022-05-02")

    assert ["Detained"] == types(first, gone, back)
    assert [] == types(first, gone, back, retracted(back, "2022-05-03"))


def test_a_correction_can_be_corrected() -> None:
    """The corrected correction counts."""
    first = appointed("2022-03-27", post="chief")
    one = corrected(first, "2022-05-01", post="one")
    again = corrected(one, "2022-05-02", data=first["data"] | {"post": "two"})

    assert ["two"] == posts(first, one, again)


def test_a_correction_cannot_turn_a_correction_to_another_fact() -> None:
    """That would be another statement: it is flagged and has no effect."""
    first, other = appointed("2022-03-27", post="chief"), detained("2022-03-28")
    one = corrected(first, "2022-05-01", post="one")
    astray = corrected(one, "2022-05-02", fact_id=other["id"])

    assert [Flag("correction_misfit", astray["id"])] == flags(first, one, astray)


def test_a_cycle_voids_its_members_and_is_flagged() -> None:
    """Two retractions of each other have no effect."""
    first = detained("2022-04-20")
    a, b = retracted(first, id="A"), retracted(first, id="B")
    a["data"]["fact_id"], b["data"]["fact_id"] = "B", "A"
    itself = retracted(first, id="C")
    itself["data"]["fact_id"] = "C"

    assert ["Detained"] == types(a, first, b, itself)
    assert [Flag("correction_cycle", name) for name in "ABC"] == flags(first, a, b, itself)


def test_what_hangs_on_a_cycle_is_judged_without_it() -> None:
    """A correction that a void retraction names stays in force. To retract one member does not free the others."""
    first = appointed("2022-03-27", post="chief")
    one = corrected(first, id="one", post="one")
    a, b, outside = retracted(first, id="A"), retracted(first, id="B"), retracted(first, id="X")
    a["data"]["fact_id"], b["data"]["fact_id"], outside["data"]["fact_id"] = "B", "A", "A"

    assert ["one"] == posts(first, one, a, b, outside)
    assert [Flag("correction_cycle", "A"), Flag("correction_cycle", "B")] == flags(first, one, a, b, outside)


def test_a_missing_target_is_flagged_and_judged_again_when_it_comes() -> None:
    """No fact is lost because it arrives in the wrong order."""
    first = detained("2022-04-20")
    gone = retracted(first)
    known = history(gone)

    assert [Flag("target_missing", gone["id"])] == known.flags
    assert known.add(facts(first)[0], instant("2030")) is False
    assert ([], []) == (known.flags, known.world)


def test_another_persons_fact_is_no_target() -> None:
    """A history has one person: a correction of another person's fact has no effect here."""
    theirs = detained("2022-04-20", subject="b")
    stray = retracted(theirs) | {"subject": "a"}

    assert [Flag("target_missing", stray["id"])] == flags(detained("2022-04-20"), stray)
    assert ["Detained"] == types(detained("2022-04-20"), stray)


def test_a_correction_that_does_not_fit_its_target_is_flagged() -> None:
    """A detention has no ground: the data in force stays."""
    first = detained("2022-04-20", place="Almaty")
    misfit = corrected(first, ground="none")

    assert [Flag("correction_misfit", misfit["id"])] == flags(misfit, first)
    assert ["Almaty"] == [fact.data["place"] for fact in history(misfit, first).world]


def test_a_misfit_leaves_the_field_to_the_next_correction() -> None:
    """The greatest (published, id) among those that fit."""
    first = appointed("2022-03-27", post="chief")
    misfit = corrected(first, "2022-05-03", ground="none", post="misfit")

    assert ["one"] == posts(first, misfit, corrected(first, "2022-05-01", post="one"))


def test_a_correction_of_a_retracted_fact_waits_for_its_revival() -> None:
    """The correction has no effect while the fact is retracted. If the retraction is retracted, it counts."""
    first = appointed("2022-03-27", post="chief")
    gone = retracted(first)

    assert [] == posts(first, gone, corrected(first, post="one"))
    assert ["one"] == posts(first, gone, corrected(first, post="one"), retracted(gone, "2022-05-02"))


def test_five_thousand_retractions_of_each_other_do_not_recurse() -> None:
    """A chain of any length is worked off one by one."""
    first = detained("2022-04-20", id="0")
    chain = [first, *(retracted(first, id=str(n)) for n in range(1, 5001))]
    for n, line in enumerate(chain[1:]):
        line["data"] = line["data"] | {"fact_id": str(n)}
    known = {fact.id: fact for fact in facts(*chain)}

    assert ["0"] == [fact.id for fact in apply_corrections(known).facts]
    del known["5000"]
    assert [] == list(apply_corrections(known).facts)


def test_an_announced_fact_counts_from_its_latest_instant_on() -> None:
    """A decree of tomorrow is not a status of today."""
    decree = dismissed("2022-06-01", published="2022-05-15")

    assert [] == types(decree, clock="2022-06-01T23:59:59Z")
    assert ["Dismissed"] == types(decree, clock="2022-06-02T00:00:00Z")
    assert [Flag("announced", decree["id"])] == flags(decree, clock="2022-05-20") == flags(decree, clock="2030")


def test_an_announced_fact_without_an_end_never_counts() -> None:
    """A span that is open from 2023 on has no latest instant."""
    assert [] == types(dismissed("2023/..", published="2022-05-15"), clock="9999")


def test_announced_facts_come_in_world_order_as_the_clock_reaches_them() -> None:
    """A history that is continued equals one that is built again."""
    late, early = appointed("2022-06-03", published="2022-05-15"), dismissed("2022-06-01", published="2022-05-15")
    known = history(late, early, clock="2022-05-20")

    assert [] == known.advance(instant("2022-05-21"))
    assert ["Dismissed"] == [fact.type for fact in known.advance(instant("2022-06-01"))]
    assert ["Appointed"] == [fact.type for fact in known.advance(instant("2022-06-04"))]
    assert ["Dismissed", "Appointed"] == [fact.type for fact in known.world]
    assert [] == known.announced


def test_announced_facts_of_a_case_and_of_custody_never_come() -> None:
    """They stay announced, whatever time passes: the report that it happened is another fact (docs/design.md, 2.3)."""
    known = history(arrested("2022-06-03", published="2022-05-15"), clock="2022-05-20")

    assert known.next_due is None
    assert [] == known.advance(instant("2030"))
    assert ([], ["Arrested"]) == (known.world, [fact.type for fact in known.announced])
    assert [] == types(arrested("2022-06-03", published="2022-05-15"), clock="2030")


def test_a_date_without_a_year_orders_nothing() -> None:
    """It is kept aside and flagged until it is corrected."""
    vague = detained("XXXX-11-02")

    assert ["Dismissed"] == types(dismissed("2022-03-27"), vague)
    assert [Flag("undated", vague["id"])] == flags(vague)
    assert ["Detained"] == types(vague, corrected(vague, occurred="2022-11-02", published="2022-11-02"))
    assert [] == flags(vague, corrected(vague, occurred="2022-11-02", published="2022-11-02"))


def test_a_fold_goes_on_only_where_nothing_before_it_moved() -> None:
    """`add` returns whether a fold can continue: yes at the end, no in between and for corrections."""
    known = History([], instant("2022-06-01"))
    late = dismissed("2022-03-27")

    assert [True, True, False, True, True, False] == [
        known.add(fact, instant("2022-06-01"))
        for fact in facts(
            detained("2022-03-01"),
            late,
            arrested("2022-03-20"),
            stated("Released", "XXXX-05-01", published="2022-05-05"),
            released("2022-07-01", published="2022-05-30"),
            retracted(late),
        )
    ]
