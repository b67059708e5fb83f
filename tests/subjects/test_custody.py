"""Custody by case, searches and measures (docs/design.md, 3.5)."""

from typing import Any

import pytest

from tests.support.builders import (
    Line,
    Row,
    acquitted,
    arrested,
    charged,
    convicted,
    detained,
    flags,
    history,
    made_final,
    released,
    row_of,
    stated,
    wanted,
)


def holds(*lines: Line) -> dict[str | None, str]:
    """Return the status of the hold in each case; None: no case is known."""
    return {hold["case_id"]: hold["status"] for hold in row_of(*lines)["custody_cases"]}


def custody(*lines: Line) -> str:
    """Return the custody of the row."""
    return str(row_of(*lines)["custody"]["status"])


def searches(*lines: Line) -> list[tuple[str | None, str, str | None]]:
    """Return case, scope and jurisdiction of each search that stands."""
    return [(found["case_id"], found["scope"], found["jurisdiction"]) for found in row_of(*lines)["searches"]]


def on(day: int, type_: str, /, case: str | None = None, **data: Any) -> Line:
    """Return a fact of a day of March."""
    return stated(type_, f"2022-03-{day:02}", case=case, id=f"{type_} {day}", **data)


class TestHolds:
    """A person is held in a case."""

    def test_a_release_in_one_case_says_nothing_of_another(self) -> None:
        """A man in jail is not called released."""
        story = [on(1, "Imprisoned", "c"), on(2, "Arrested", "d"), on(3, "Released", "d")]

        assert {"c": "imprisoned", "d": "released"} == holds(*story)
        assert "imprisoned" == custody(*story)

    @pytest.mark.parametrize(
        ("strictest", "other"),
        [
            ("Imprisoned", "Arrested"),
            ("Arrested", "Detained"),
            ("Detained", "Extradited"),
            ("Extradited", "HouseArrested"),
            ("HouseArrested", "Paroled"),
            ("Paroled", "Bailed"),
            ("Bailed", "Released"),
            ("Released", "SentenceServed"),
        ],
    )
    def test_the_row_shows_the_strictest(self, strictest: str, other: str) -> None:
        """The strictest counts, not the last."""
        for days in ((1, 2), (2, 1)):
            row = row_of(on(days[0], strictest, "c"), on(days[1], other, "d"))
            assert f"{strictest} {days[0]}" == row["custody"]["fact_id"]

    def test_of_equals_the_row_shows_the_latest(self) -> None:
        """Detained in two cases."""
        assert "Detained 2" == row_of(on(2, "Detained", "c"), on(1, "Detained", "d"))["custody"]["fact_id"]

    def test_a_hold_without_a_case_is_taken_over_by_the_next_fact_with_one(self) -> None:
        """It is the same hold, now known to be in that case."""
        assert {"c": "remanded"} == holds(on(1, "Detained"), on(2, "Arrested", "c"))
        assert {"c": "bailed"} == holds(on(1, "Arrested"), on(2, "Bailed", "c"))

    def test_a_release_takes_it_over_only_if_its_own_case_has_no_hold(self) -> None:
        """Otherwise it ends its own hold."""
        assert {"c": "released"} == holds(on(1, "Detained"), on(2, "Released", "c"))
        assert {None: "detained", "c": "released"} == holds(
            on(1, "Arrested", "c"), on(2, "Detained"), on(3, "Released", "c")
        )

    def test_a_release_without_a_case_frees_from_all(self) -> None:
        """It ends every hold that began before it."""
        story = [on(1, "Arrested", "c"), on(2, "Detained", "d"), on(3, "Released")]

        assert {"c": "released", "d": "released"} == holds(*story)
        assert "remanded" == custody(*story, on(4, "Arrested", "c"))

    def test_the_same_status_again_keeps_its_beginning(self) -> None:
        """Detained, and detained again: since the first day, until the last stated end."""
        row = row_of(on(1, "Detained", "c", until="2022-04-01"), on(9, "Detained", "c", until="2022-05-01"))
        (hold,) = row["custody_cases"]

        assert ("2022-03-01", "2022-05-01", "Detained 9") == (hold["since"], hold["until"], hold["until_fact_id"])

    def test_an_end_that_passes_changes_nothing_by_itself(self) -> None:
        """No source reported a release."""
        assert "detained" == custody(on(1, "Detained", until="2022-03-05"))

    def test_bail_ends_with_its_case_and_house_arrest_unless_convicted(self) -> None:
        """The release rests on the fact that ended the case."""
        charge, end = on(1, "Charged", "c"), on(3, "CaseClosed", "c")

        assert {"c": "released"} == holds(charge, on(2, "Bailed", "c"), end)
        assert {"c": "released"} == holds(charge, on(2, "HouseArrested", "c"), end)
        assert "CaseClosed 3" == row_of(charge, on(2, "Bailed", "c"), end)["custody"]["fact_id"]
        convicting = [on(3, "Convicted", "c", final=True)]
        assert {"c": "house_arrest"} == holds(charge, on(2, "HouseArrested", "c"), *convicting)
        assert {"c": "released"} == holds(charge, on(2, "Bailed", "c"), *convicting)

    def test_other_holds_stay_listed_until_a_release_is_reported(self) -> None:
        """Flagged; without a conviction the row and the headline leave them out."""
        row = row_of(on(1, "Charged", "c"), on(2, "Arrested", "c"), on(3, "Acquitted", "c"))

        assert [("remanded", False)] == [(hold["status"], hold["counted"]) for hold in row["custody_cases"]]
        assert [("held_after_end", "Arrested 2")] == flags(row)
        assert ("unknown", "acquitted") == (row["custody"]["status"], row["headline"])

    def test_a_convict_in_prison_is_in_prison(self) -> None:
        """The case is over, but the sentence is not. After a pardon, prison still counts until a release."""
        story = [charged("2022-03-01"), on(2, "Imprisoned", "c"), convicted("2022-03-03"), made_final("2022-03-04")]

        assert ("imprisoned", []) == (custody(*story), flags(row_of(*story)))
        assert "imprisoned" == custody(*story, on(5, "Pardoned", "c"))

    def test_a_case_known_from_custody_alone_exists(self) -> None:
        """Its stage is null, and it is open while the person is held in it."""
        inside, outside = row_of(on(1, "Detained", "c")), row_of(on(1, "Detained", "c"), on(2, "Released", "c"))

        assert [("c", None, True, "criminal", [])] == [
            (case["case_id"], case["stage"], case["open"], case["kind"], case["counts"]) for case in inside["cases"]
        ]
        assert (1, 0) == (inside["open_cases"], outside["open_cases"])
        assert [] == row_of(on(1, "Wanted", "c"))["cases"]

    def test_an_open_beginning_is_not_the_year_one(self) -> None:
        """Spans with one end are read together only if their beginnings are the same, and an open one has none."""
        left = stated("Released", "../2022-03-10", case="c", id="r")
        taken = stated("Detained", "0001-01-01/2022-03-10", case="c", id="d")

        assert [] == flags(row_of(left, taken))

    def test_parole_is_not_freedom(self) -> None:
        """Paroled out of prison, and back in it."""
        assert "paroled" == custody(on(1, "Imprisoned", "c"), on(2, "Paroled", "c"))
        assert "imprisoned" == custody(on(1, "Imprisoned", "c"), on(2, "Paroled", "c"), on(3, "Imprisoned", "c"))


class TestSearches:
    """A search is by a country, for a case."""

    def test_an_arrest_in_absentia_is_a_search(self) -> None:
        """A court ordered it, and the person is not held."""
        row = row_of(on(1, "Arrested", "c", in_absentia=True, jurisdiction="KZ"))

        assert ("unknown", "national", "wanted") == (row["custody"]["status"], row["wanted"]["status"], row["headline"])
        assert [("c", "national", "KZ")] == searches(on(1, "Arrested", "c", in_absentia=True, jurisdiction="KZ"))

    def test_each_case_scope_and_jurisdiction_has_its_own(self) -> None:
        """The row has the widest search; a repetition is not a second search."""
        story = [
            wanted("2022-03-01", case="c", jurisdiction="KZ"),
            wanted("2022-03-02", case="c", jurisdiction="KZ", scope="international"),
            wanted("2022-03-03", case="c", jurisdiction="KZ"),
        ]

        assert [("c", "national", "KZ"), ("c", "international", "KZ")] == searches(*story)
        assert ("international", "2022-03-02") == tuple(row_of(*story)["wanted"][name] for name in ("status", "since"))

    @pytest.mark.parametrize(
        ("left", "called_off"),
        [
            ([], {}),
            (["RU"], {"jurisdiction": "KZ"}),
            (["KZ", "RU"], {"jurisdiction": "US"}),
            (["RU"], {"case": "c"}),
            (["KZ", "RU"], {"scope": "national"}),
            ([], {"scope": "international"}),
            (["KZ"], {"authority": "Interpol"}),
            ([], {"authority": "somebody"}),
        ],
    )
    def test_a_cancellation_ends_those_that_agree_with_it(self, left: list[str], called_off: Row) -> None:
        """The two agree in all that both name. If searches have the authority of the cancellation, only those end."""
        story = [
            wanted("2022-03-01", case="c", scope="international", jurisdiction="KZ", authority="NSC"),
            wanted("2022-03-02", case="d", scope="international", jurisdiction="RU", authority="Interpol"),
        ]
        off = on(3, "WantedCancelled", **called_off)

        assert left == [jurisdiction for _, _, jurisdiction in searches(*story, off)]
        assert [("not_wanted", "WantedCancelled 3")] * (len(left) == len(story)) == flags(row_of(*story, off))

    @pytest.mark.parametrize(
        ("left", "found"),
        [
            (["RU"], detained("2022-03-05", jurisdiction="KZ")),
            ([], detained("2022-03-05")),
            (["RU"], arrested("2022-03-05", jurisdiction="KZ")),
            (["KZ", "RU"], released("2022-03-05")),
            ([], stated("Extradited", "2022-03-05", jurisdiction="US")),
        ],
        ids=["detained", "detained somewhere", "arrested", "released", "extradited"],
    )
    def test_a_person_who_is_found_is_wanted_no_longer_there(self, left: list[str], found: Line) -> None:
        """Searches end by the same jurisdiction, or if one of the two names none; an extradition ends all."""
        story = [wanted("2022-03-01", jurisdiction="KZ"), wanted("2022-03-02", jurisdiction="RU")]

        assert left == [jurisdiction for _, _, jurisdiction in searches(*story, found)]

    def test_a_search_in_a_case_that_ended_without_a_conviction_is_left_out(self) -> None:
        """It stays listed and is flagged, since no source reported that it was cancelled."""
        row = row_of(charged("2022-03-01"), wanted("2022-03-02", case="c", id="search"), acquitted("2022-03-03"))

        assert (None, [False]) == (row["wanted"], [search["counted"] for search in row["searches"]])
        assert [("held_after_end", "search")] == flags(row)


class TestMeasures:
    """A measure stands until it is lifted."""

    BAN = on(1, "MeasureImposed", kind="travel_ban", title="No way out", authority="court")
    LIST = on(2, "MeasureImposed", kind="sanction", program="A", authority="Treasury")

    @staticmethod
    def standing(*lines: Line) -> list[str]:
        """Return the kinds of the measures that stand."""
        return [measure["kind"] for measure in row_of(*lines)["measures"]]

    def test_it_is_listed_as_its_source_words_it(self) -> None:
        """It is not custody, a search or a case."""
        row = row_of(self.BAN)
        (measure,) = row["measures"]

        assert ("travel_ban", "No way out", "court", None, "2022-03-01") == tuple(
            measure[name] for name in ("kind", "title", "authority", "program", "since")
        )
        assert ("unknown", None, []) == (row["headline"], row["wanted"], row["cases"])

    @pytest.mark.parametrize(
        ("left", "lifted"),
        [
            (["sanction"], {"kind": "travel_ban"}),
            (["travel_ban"], {"kind": "sanction"}),
            (["travel_ban"], {"kind": "sanction", "program": "A"}),
            (["travel_ban", "sanction"], {"kind": "sanction", "program": "B"}),
            (["travel_ban", "sanction"], {"kind": "sanction", "authority": "court"}),
            (["sanction"], {"kind": "travel_ban", "fact_id": "MeasureImposed 1"}),
        ],
    )
    def test_a_lift_ends_those_of_its_kind(self, left: list[str], lifted: Row) -> None:
        """A lift ends the agreeing measures, or the one that it names by fact. A lift without effect is flagged."""
        story = [self.BAN, self.LIST, on(3, "MeasureLifted", **lifted)]

        assert left == self.standing(*story)
        assert [("not_imposed", "MeasureLifted 3")] * (len(left) == 2) == flags(row_of(*story))

    def test_a_lift_by_its_own_authority_leaves_those_of_others(self) -> None:
        """One country lifts its sanction, and another's stands; a court may lift the ban of an investigator."""
        other = on(3, "MeasureImposed", kind="sanction", program="B", authority="Council")
        lifted = on(5, "MeasureLifted", kind="sanction", authority="Council")

        assert ["travel_ban", "sanction"] == self.standing(self.BAN, self.LIST, other, lifted)
        assert [] == self.standing(self.BAN, on(5, "MeasureLifted", kind="travel_ban", authority="another court"))

    def test_a_lift_that_names_a_report_ends_the_measure_of_its_event(self) -> None:
        """The fact that it names is not the best report."""
        vague = stated("MeasureImposed", "2022-03", published="2022-04-02", id="vague", kind="travel_ban")

        assert {"vague": "MeasureImposed 1"} == history(self.BAN, vague).stands_for
        assert [] == self.standing(
            self.BAN, vague, stated("MeasureLifted", "2022-05-01", kind="travel_ban", fact_id="vague")
        )

    def test_the_same_again_only_moves_its_end(self) -> None:
        """A sanction that is renewed is one sanction."""
        renewed = on(5, "MeasureImposed", kind="sanction", program="A", authority="Treasury", until="2023-03-02")
        (measure,) = row_of(self.LIST, renewed)["measures"]

        assert ("2022-03-02", "2023-03-02") == (measure["since"], measure["until"])
