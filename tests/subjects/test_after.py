"""World order if dates are not enough: `after`, facts of one span, and spans that overlap (docs/design.md, 3.1)."""

from itertools import permutations

import pytest

from tests.support.builders import (
    Line,
    appointed,
    arrest,
    arrested,
    charged,
    detained,
    dismissed,
    flags,
    history,
    life,
    released,
    row_of,
    stated,
    states,
    suspended,
)

DAY = "2022-03-05"


def order(*lines: Line) -> list[str]:
    """Return the ids in world order."""
    return [fact.id for fact in history(*lines).world]


class TestAfter:
    """The order that a source states, if its dates do not state one."""

    def test_a_fact_stands_right_behind_the_one_it_names(self) -> None:
        """It stands before all later facts, without regard to its own date and rank."""
        first, last = suspended("2022-03-20", id="first"), suspended("2022-03-25", id="last", post="x")
        march = "2022-03", "2022-03-10"
        there = appointed(march[0], published=march[1], id="there")
        behind = appointed(march[0], published=march[1], id="behind", after=["first"])

        assert ["there", "first", "last"] == order(first, last, there)
        assert ["first", "behind", "last"] == order(first, last, behind)

    def test_it_stands_at_its_own_place_if_that_is_later(self) -> None:
        """A fact that names an old fact is not placed too early."""
        lines = [detained("2022-03-01", id="a"), charged("2022-03-05", id="b"), released("2022-03-09", after=["a"])]

        assert ["a", "b", "Released a 2022-03-09"] == order(*lines)

    def test_it_stands_behind_the_last_of_those_it_names(self) -> None:
        """It stands behind the last of several, named in any order."""
        lines = [detained("2022-03-01", id="a"), charged("2022-03-20", id="b")]

        assert ["a", "b", "x"] == order(*lines, released("2022-03-02", id="x", after=["b", "a"]))

    def test_several_behind_one_keep_world_order_among_themselves(self) -> None:
        """A chain is followed to its end."""
        lines = [
            charged("2022-03-20", id="a"),
            detained("2022-03-03", id="d", after=["a"]),
            released("2022-03-02", id="r", after=["a"]),
            dismissed("2022-03-01", id="x", after=["r"]),
            suspended("2022-03-21", id="s", post="x"),
        ]
        for story in permutations(lines):
            assert ["a", "r", "x", "d", "s"] == order(*story)

    def test_behind_a_report_is_behind_its_event(self) -> None:
        """A vague report of the arrest is named. The better report stands for the event, and is behind nothing."""
        vague = detained("2022-03", published="2022-03-02", id="vague")
        better = detained("2022-03-01T10:00:00Z", published="2022-03-02", id="better")
        row = row_of(vague, better, released("2022-03-01", id="out", after=["vague"]))

        assert ("released", "out") == (row["custody"]["status"], row["custody"]["fact_id"])

    def test_two_that_are_ordered_by_after_are_two_events(self) -> None:
        """Detained in March, and then again: not two reports of one detention."""
        lines = [detained("2022-03", published="2022-04-02", id="one"), detained(DAY, id="two", after=["one"])]

        assert {} == history(*lines).stands_for

    def test_an_after_that_names_nothing_that_counts_is_flagged(self) -> None:
        """It has no effect unless it also names a fact that counts."""
        alone = row_of(detained(DAY, id="x", after=["missing"]))
        beside = row_of(charged("2022-03-04", id="c"), detained(DAY, id="x", after=["missing", "c"]))

        assert [("after_missing", "x")] == flags(alone)
        assert [] == flags(beside)

    def test_a_circle_is_flagged_and_orders_nothing(self) -> None:
        """Each member is flagged. A fact that only names a member is not a member."""
        lines = [
            detained("2022-03-01", id="a", after=["b"]),
            released("2022-03-02", id="b", after=["a"]),
            dismissed("2022-03-01", id="c", after=["b"]),
        ]
        row = row_of(*lines)

        assert ["a", "b", "c"] == order(*lines)
        assert [("after_circle", "a"), ("after_circle", "b")] == flags(row)
        assert "released" == row["custody"]["status"]

    def test_a_fact_that_others_stand_behind_moves_them_for_rules_of_other_types(self) -> None:
        """A note that becomes known late places the dismissal behind the arrest: the alert was never true."""
        lines = [
            arrested("2022-03-08", published="2022-03-10", id="in"),
            dismissed("2022-03", published="2022-03-07", id="out", after=["note"]),
        ]
        note = stated("Noted", "2022-03-09", title="Summoned", id="note", recorded="2022-09-01T00:00:00Z")

        assert (["out", "in"], ["in", "note", "out"]) == (order(*lines), order(*lines, note))
        assert ["open"] == states(arrest(lines))
        assert ("retracted", "2022-09-01T00:00:00Z", "late_knowledge") == life(arrest([*lines, note]))[-1]


class TestOneSpan:
    """Facts of the same span that may contradict each other: the state before them decides the reading order."""

    @pytest.mark.parametrize(
        ("expected", "before"), [("released", []), ("detained", [detained("2022-03-01", id="before")])]
    )
    def test_detained_and_released_on_one_day(self, expected: str, before: list[Line]) -> None:
        """Free before: first detained, then released. Held before: first released, then detained again."""
        row = row_of(*before, detained(DAY, id="in"), released(DAY, id="out"))
        later = "in" if before else "out"

        assert expected == row["custody"]["status"]
        assert [("order_unknown", later)] == flags(row)

    def test_an_after_says_it_without_a_flag(self) -> None:
        """Released, and then detained again, on the day of the first detention."""
        row = row_of(released(DAY, id="out"), detained(DAY, id="in", after=["out"]))

        assert "detained" == row["custody"]["status"]
        assert [] == flags(row, "order_unknown")

    def test_each_case_is_read_by_itself(self) -> None:
        """Held in one before, and not in the other."""
        lines = [
            detained("2022-03-01", case="c", id="before"),
            released(DAY, case="c", id="c out"),
            arrested(DAY, case="c", id="c in"),
            released(DAY, case="d", id="d out"),
            arrested(DAY, case="d", id="d in"),
        ]
        row = row_of(*lines)

        assert {"c": "remanded", "d": "released"} == {hold["case_id"]: hold["status"] for hold in row["custody_cases"]}
        assert [("order_unknown", "c in"), ("order_unknown", "d out")] == flags(row)

    @pytest.mark.parametrize(
        ("expected", "before"), [("dismissed", []), ("in_office", [appointed("2022-03-01", post="head", id="before")])]
    )
    def test_dismissed_from_and_appointed_to_the_same_post_on_one_day(self, expected: str, before: list[Line]) -> None:
        """Not in office before: first appointed, then dismissed. In office before: the other way round."""
        row = row_of(*before, appointed(DAY, post="head", id="in"), dismissed(DAY, post="head", id="out"))

        assert expected == row["service"]["status"]
        assert [("order_unknown", "in" if before else "out")] == flags(row)

    def test_another_post_on_the_day_of_a_dismissal_is_no_contradiction(self) -> None:
        """A minister is dismissed and appointed ambassador on one day: in office, and no order is unknown."""
        row = row_of(
            appointed("2022-01-01", post="minister", agency="Transport"),
            dismissed(DAY, post="minister", agency="Transport"),
            appointed(DAY, post="ambassador", agency="Foreign Affairs"),
        )

        assert (["dismissed", "in_office"], "ambassador") == ([post["status"] for post in row["posts"]], row["post"])
        assert [] == flags(row)

    def test_a_release_without_a_case_is_read_for_each_hold(self) -> None:
        """It ends the hold that stood before, and the one that began that day."""
        row = row_of(
            detained("2022-03-01", case="c", id="before"),
            detained(DAY, case="d", id="in"),
            released(DAY, id="out"),
        )

        assert ["released", "released"] == [hold["status"] for hold in row["custody_cases"]]
        assert [("order_unknown", "out")] == flags(row)


class TestOverlap:
    """Spans that overlap without being equal."""

    def test_a_vague_detention_does_not_undo_a_release(self) -> None:
        """Arrested "in March", as known at its end; released on the 5th: released, and flagged."""
        vague = arrested("2022-03", published="2022-04-02", id="in", case="c")
        row = row_of(detained("2022-03-01", case="c"), released(DAY, id="out", case="c"), vague)
        alone = row_of(released(DAY, id="out"), vague)

        assert ("released", [("order_unknown", "in")]) == (row["custody"]["status"], flags(row))
        assert ("released", [("order_unknown", "in")]) == (alone["custody"]["status"], flags(alone, "order_unknown"))

    def test_an_after_lets_it(self) -> None:
        """The source says that the arrest came after the release."""
        row = row_of(
            detained("2022-03-01", id="before"),
            released(DAY, id="out"),
            arrested("2022-03", published="2022-04-02", id="in", after=["out"]),
        )

        assert ("remanded", []) == (row["custody"]["status"], flags(row))

    def test_a_vague_appointment_does_not_undo_the_end_of_the_same_post(self) -> None:
        """Appointed "in 2022"; dismissed from that post in June: dismissed."""
        vague = appointed("2022", published="2022-12-31", post="head", id="vague")
        row = row_of(dismissed("2022-06-01", post="head", id="out"), vague)
        other = row_of(dismissed("2022-06-01", post="head"), appointed("2022", published="2022-12-31", post="deputy"))

        assert ("dismissed", [("order_unknown", "vague")]) == (row["service"]["status"], flags(row))
        assert ("in_office", []) == (other["service"]["status"], flags(other))

    def test_a_vague_charge_does_not_open_an_ended_case(self) -> None:
        """Charged "in March"; the case was closed on the 5th: closed."""
        closed = [charged("2022-03-01", id="first"), stated("CaseClosed", DAY, case="c", id="end")]
        vague = stated("Indicted", "2022-03", published="2022-04-02", case="c", id="vague")
        row = row_of(*closed, vague)
        again = row_of(*closed, stated("Indicted", "2022-03-06", case="c"))

        assert ("closed", 0) == (row["stage"]["status"], row["open_cases"])
        assert [("order_unknown", "vague")] == flags(row)
        assert ("indicted", 1) == (again["stage"]["status"], again["open_cases"])
