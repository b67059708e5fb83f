"""Lives in which two things could be taken for one, and the statements that must not be made then."""

from functools import partial

from tests.support.builders import (
    Line,
    Row,
    charged,
    convicted,
    detained,
    made_final,
    released,
    retracted,
    stated,
    statuses_of,
)

BRIBE, FRAUD, OTHER = ({"title": title} for title in ("bribe", "fraud", "article 361"))
in_case = partial(stated, case="c")


def row(*lines: Line) -> Row:
    """Return the row of the one person in *lines*."""
    (found,) = statuses_of(lines)
    return found


def counts(*lines: Line) -> dict[str | None, str]:
    """Return the status of each count of the one case, by its title."""
    (case,) = row(*lines)["cases"]
    return {count["title"]: count["status"] for count in case["counts"]}


def flags(found: Row) -> set[str]:
    """Return the codes of the anomalies."""
    return {flag["code"] for flag in found["anomalies"]}


def test_a_release_that_a_source_places_behind_a_seizure_of_its_day_frees() -> None:
    """A source that says "then" outweighs the order of types, and that order is not unknown."""
    seized = detained("2021-05-05", id="seized", case="c")
    free = row(detained("2021-05-01", case="c"), seized, released("2021-05-05", case="c", after=["seized"]))

    assert ("released", False) == (free["custody"]["status"], "order_unknown" in flags(free))


def test_a_new_charge_after_an_acquittal_takes_nothing_from_it() -> None:
    """The case as a whole ended in acquittal. A later charge is another count, and its conviction stands."""
    acquitted = in_case("Acquitted", "2019-01-01", final=True)
    later = charged("2021-01-01", charges=[FRAUD])
    found = counts(charged("2018-01-01"), acquitted, later, convicted("2022-01-01", charges=[FRAUD]))

    assert {None: "acquitted", "fraud": "convicted"} == found


def test_a_decision_about_a_verdict_adds_no_count_that_nobody_charged() -> None:
    """It words the only count differently: the earlier verdict becomes final."""
    found = row(
        charged("2018-01-01", charges=[BRIBE]), convicted("2019-01-01"), made_final("2019-03-01", charges=[OTHER])
    )

    assert [("bribe", True)] == [(count["title"], count["final"]) for count in found["cases"][0]["counts"]]


def test_dropping_the_rest_leaves_a_conviction() -> None:
    """A plea bargain: convicted of one count, and the others are dropped."""
    both = charged("2018-01-01", charges=[BRIBE, FRAUD])
    found = counts(both, convicted("2019-01-01", charges=[BRIBE]), in_case("ChargesDropped", "2019-01-02"))

    assert {"bribe": "convicted", "fraud": "dropped"} == found


def test_a_sentence_convicts_of_no_count_that_the_jury_left_undecided() -> None:
    """Of 23 counts alike, ten ended in conviction and seven in acquittal; the sentence is for the ten."""
    alike = {"title": "bribe", "counts": 23}
    found = row(
        charged("2018-01-01", charges=[alike]),
        convicted("2019-01-01", charges=[alike | {"counts": 10}]),
        in_case("Acquitted", "2019-01-01", charges=[alike | {"counts": 7}]),
        in_case("Sentenced", "2019-02-01", charges=[BRIBE], sentence="5 years"),
    )

    assert {"undecided": 6, "convicted": 10, "acquitted": 7, "ended": 0} == found["counts"]


def test_governors_of_two_regions_hold_two_posts() -> None:
    """The words of the post are the same, and only the region differs."""
    north, south = ({"post": "governor", "region": region} for region in ("North", "South"))
    found = row(stated("Appointed", "2015-01-01", **north), stated("Appointed", "2018-01-01", **south))

    assert [("North", "in_office"), ("South", "in_office")] == [(p["region"], p["status"]) for p in found["posts"]]


def test_a_return_revives_no_post_that_was_left_for_another() -> None:
    """Moved from one court to the other, dismissed there, and back: to the second."""
    first = stated("Appointed", "2010-01-01", post="judge", agency="Court A")
    moved = stated("Transferred", "2015-01-01", post="judge", agency="Court A", to_post="judge", to_agency="Court B")
    back = (
        stated("Dismissed", "2016-01-01"),
        stated("DismissalAnnulled", "2017-01-01"),
        stated("Reinstated", "2017-02-01"),
    )
    found = row(first, moved, *back)

    assert [("Court A", "moved"), ("Court B", "in_office")] == [(p["agency"], p["status"]) for p in found["posts"]]


def test_a_sanction_of_one_country_stands_when_another_lifts_its_own() -> None:
    """Imposed on one day by two authorities; only one of them lifts it."""
    of = [{"kind": "sanction", "authority": authority} for authority in ("EU Council", "OFSI")]
    found = row(
        *(stated("MeasureImposed", "2022-03-01", id=each["authority"], **each) for each in of),
        stated("MeasureLifted", "2023-01-01", **of[1]),
    )

    assert ["EU Council"] == [measure["authority"] for measure in found["measures"]]


def test_nobody_held_is_called_cleared_by_an_older_acquittal() -> None:
    """A detention that names no case may be in a new one."""
    found = row(charged("2010-01-01"), in_case("Acquitted", "2011-01-01"), detained("2022-04-01"))

    assert "presumed_innocent" == found["presumption"]


def test_an_extradition_ends_the_custody_of_the_country_that_hands_over() -> None:
    """A person who is released at home is not still held in the country of the extradition."""
    found = row(
        detained("2019-01-01", case="abroad", jurisdiction="GB"),
        stated("Extradited", "2020-01-01", case="home", jurisdiction="KZ"),
        released("2021-01-01", case="home"),
    )

    assert ("released", 0) == (found["custody"]["status"], found["open_cases"])


def test_a_sentence_falls_with_its_verdict() -> None:
    """In the row of the case, for programs too."""
    punished = in_case("Sentenced", "2019-01-01", sentence="8 years")
    found = row(charged("2018-01-01"), convicted("2019-01-01"), punished, in_case("VerdictOverturned", "2020-01-01"))

    assert None is found["cases"][0]["sentence"]


def test_a_correction_takes_the_life_back_to_what_it_was() -> None:
    """Retracting the extradition leaves the custody abroad."""
    handed_over = stated("Extradited", "2020-01-01", case="home", jurisdiction="KZ")
    found = row(detained("2019-01-01", case="abroad", jurisdiction="GB"), handed_over, retracted(handed_over))

    assert "detained" == found["custody"]["status"]
