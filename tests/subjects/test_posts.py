"""Posts: each rule of docs/design.md, 3.3."""

from collections.abc import Callable

import pytest

from tests.support.builders import (
    Line,
    Row,
    appointed,
    charged,
    convicted,
    described,
    detained,
    died,
    dismissed,
    flags,
    made_final,
    reinstated,
    row_of,
    stated,
    statuses_of,
    suspended,
    wanted,
)

HEAD = {"post": "head", "agency": "police"}
DEPUTY = {"post": "deputy", "agency": "bank"}


def posts(*lines: Line) -> list[tuple[str | None, str]]:
    """Return words and status of each post, in the order in which they became known."""
    return [(post["post"], post["status"]) for post in row_of(*lines)["posts"]]


def both() -> list[Line]:
    """A person with two posts, in two agencies."""
    return [appointed("2022-01-01", id="one", **HEAD), appointed("2022-01-02", id="two", **DEPUTY)]


class TestMatching:
    """The post that a fact concerns."""

    def test_the_same_post_id_decides(self) -> None:
        """The words do not matter: two ids are two posts, though they have the same words."""
        here = appointed("2022-01-01", post="head", post_id="p1")

        assert [("head", "dismissed")] == posts(here, dismissed("2022-02-01", post="chief", post_id="p1"))
        assert [("head", "in_office"), ("head", "in_office")] == posts(
            here, appointed("2022-02-01", post="head", post_id="p2")
        )

    @pytest.mark.parametrize(
        "words", [{"post": "HEAD"}, {"post": " head "}, {"agency": "Police"}, {"post": "head", "agency": "police"}]
    )
    def test_words_are_compared_as_far_as_both_name_them(self, words: dict[str, str]) -> None:
        """Case and blanks are ignored; one word named by both is enough."""
        assert [("head", "dismissed"), ("deputy", "in_office")] == posts(*both(), dismissed("2022-02-01", **words))

    def test_a_fact_without_words_concerns_the_only_post_held(self) -> None:
        """If several are held, it changes none, and is flagged."""
        row = row_of(*both(), dismissed("2022-02-01", id="out"))

        assert [("head", "dismissed")] == posts(both()[0], dismissed("2022-02-01"))
        assert ["in_office", "in_office"] == [post["status"] for post in row["posts"]]
        assert [("post_unknown", "out")] == flags(row)

    def test_an_agency_alone_concerns_all_posts_held_in_it(self) -> None:
        """A dismissal from the police concerns each post there."""
        third = appointed("2022-01-03", post="spokesman", agency="police", concurrent=True)

        assert [("head", "removed"), ("deputy", "in_office"), ("spokesman", "removed")] == posts(
            *both(), third, stated("Removed", "2022-02-01", agency="police")
        )

    def test_another_wording_means_the_only_post_it_does_not_contradict(self) -> None:
        """It is flagged; the words of the post stay those of one fact."""
        row = row_of(both()[0], dismissed("2022-02-01", post="chief", id="out"))

        assert [("head", "dismissed")] == [(post["post"], post["status"]) for post in row["posts"]]
        assert [("post_worded_otherwise", "out")] == flags(row)

    @pytest.mark.parametrize("words", [{"post": "teller", "agency": "mint"}, {"agency": "mint"}])
    def test_what_contradicts_every_post_held_stands_by_itself(self, words: dict[str, str]) -> None:
        """Only the end is known of a post in another agency; the post held is still held."""
        row = row_of(both()[0], dismissed("2022-02-01", **words))

        assert ["in_office", "dismissed"] == [post["status"] for post in row["posts"]]
        assert ("in_office", "head", "police") == (row["service"]["status"], row["post"], row["agency"])
        assert row["posts"][1]["began"] is None

    def test_a_suspension_follows_the_same_rules(self) -> None:
        """By words, by another wording, or by itself."""
        assert [("head", "suspended"), ("deputy", "in_office")] == posts(*both(), suspended("2022-02-01", post="head"))
        assert [("head", "suspended")] == posts(both()[0], suspended("2022-02-01", post="chief"))
        assert [("head", "in_office"), ("teller", "suspended")] == posts(
            both()[0], suspended("2022-02-01", post="teller", agency="mint")
        )


class TestEnds:
    """Endings of posts held and of posts that have ended."""

    def test_a_later_end_stands(self) -> None:
        """Resigned, and then dismissed from the same post."""
        row = row_of(both()[0], stated("Resigned", "2022-02-01", **HEAD), dismissed("2022-03-01", id="out", **HEAD))

        assert [("dismissed", "out")] == [(post["status"], post["fact_id"]) for post in row["posts"]]

    def test_the_former_minister_replaces_no_end(self) -> None:
        """`LeftOffice` is weak: a paper that calls a person former does not say how the post ended."""
        left = stated("LeftOffice", "2022-03-01", post="head")

        assert [("head", "dismissed")] == posts(both()[0], dismissed("2022-02-01"), left)
        assert [("head", "left_office")] == posts(both()[0], left)

    def test_the_former_something_else_touches_no_post_held(self) -> None:
        """It does not match, so it adds a post with a known end only."""
        row = row_of(both()[0], stated("LeftOffice", "2022-03-01", post="mayor"))

        assert [("head", "in_office"), ("mayor", "left_office")] == [(p["post"], p["status"]) for p in row["posts"]]
        assert "in_office" == row["service"]["status"]

    def test_an_upper_bound_ends_only_what_it_matches(self) -> None:
        """An article says "left some time before 2023" and names no post. So the post is unknown."""
        bound = {"published": "2022-12-31"}

        assert ("head", "in_office") == posts(both()[0], stated("LeftOffice", "../2022-12-01", **bound))[0]
        assert [("head", "left_office")] == posts(
            both()[0], stated("LeftOffice", "../2022-12-01", post="head", **bound)
        )

    def test_of_two_ends_the_row_shows_the_one_that_came_last(self) -> None:
        """With the words of that post."""
        row = row_of(*both(), dismissed("2022-02-01", post="head"), stated("Retired", "2022-03-01", post="deputy"))

        assert ("retired", "deputy", "bank") == (row["service"]["status"], row["post"], row["agency"])

    def test_dismissed_and_appointed_elsewhere_is_in_office(self) -> None:
        """A dismissal of one post says nothing about another."""
        row = row_of(*both(), dismissed("2022-02-01", post="head"))

        assert ("in_office", "deputy", "bank", "in_office") == (
            row["service"]["status"],
            row["post"],
            row["agency"],
            row["headline"],
        )


class TestBeginnings:
    """Elected, appointed, transferred, and back in office."""

    def test_an_appointment_in_the_same_agency_ends_the_earlier_post_as_moved(self) -> None:
        """The earlier post stays if it is held beside the new one; people hold posts in several agencies."""
        up = {"post": "chief", "agency": "Police"}

        assert [("head", "moved"), ("chief", "in_office")] == posts(both()[0], appointed("2022-02-01", **up))
        assert [("head", "in_office"), ("chief", "in_office")] == posts(
            both()[0], appointed("2022-02-01", concurrent=True, **up)
        )
        assert [("head", "in_office"), ("deputy", "in_office")] == posts(*both())
        assert [("head", "in_office"), ("chief", "in_office")] == posts(
            both()[0], appointed("2022-02-01", post="chief")
        )

    def test_a_second_report_of_an_appointment_begins_no_second_post(self) -> None:
        """The same post is already held; a confirmed acting head is no longer acting."""
        acting = appointed("2022-01-01", acting=True, **HEAD)
        row = row_of(acting, appointed("2022-02-01", **HEAD))

        assert [True] == [post["acting"] for post in row_of(acting)["posts"]]
        assert [("in_office", False)] == [(post["status"], post["acting"]) for post in row["posts"]]
        assert ["2022-01-01"] == [post["began"]["since"] for post in row["posts"]]

    def test_a_transfer_ends_one_post_and_begins_another(self) -> None:
        """The one that it names, or the only one held."""
        to = {"to_post": "deputy", "to_agency": "bank"}

        assert [("head", "moved"), ("deputy", "in_office")] == posts(
            both()[0], stated("Transferred", "2022-02-01", **to)
        )
        assert [("head", "moved"), ("deputy", "in_office")] == posts(
            *both(), stated("Transferred", "2022-02-01", post="head", to_post="deputy")
        )
        assert [("mayor", "moved"), ("deputy", "in_office")] == posts(
            stated("Transferred", "2022-02-01", post="mayor", to_post="deputy")
        )

    def test_an_election_begins_a_post_and_its_term_ends(self) -> None:
        """A member of parliament after the end of the term was not dismissed."""
        elected = stated("Elected", "2022-01-01", post="deputy")

        assert [("deputy", "term_ended")] == posts(elected, stated("TermEnded", "2022-12-01", post="deputy"))

    def test_a_lifted_suspension_concerns_suspended_posts(self) -> None:
        """Of several the one that it names; without a suspended one it is flagged."""
        halted = [*both(), suspended("2022-02-01", post="head"), suspended("2022-02-02", post="deputy")]
        unknown = row_of(*halted, stated("SuspensionLifted", "2022-03-01", id="lift"))

        assert [("head", "in_office"), ("deputy", "suspended")] == posts(
            *halted, stated("SuspensionLifted", "2022-03-01", post="head")
        )
        assert [("post_unknown", "lift")] == flags(unknown)
        assert [("not_suspended", "lift")] == flags(
            row_of(*both(), stated("SuspensionLifted", "2022-03-01", id="lift"))
        )

    def test_a_reinstatement_concerns_the_post_that_ended_last(self) -> None:
        """Among those that it matches; an annulled dismissal only a post that ended by dismissal."""
        gone = [*both(), dismissed("2022-02-01", post="head"), stated("Resigned", "2022-03-01", post="deputy")]

        assert [("head", "dismissed"), ("deputy", "in_office")] == posts(*gone, reinstated("2022-04-01"))
        assert [("head", "in_office"), ("deputy", "resigned")] == posts(*gone, reinstated("2022-04-01", post="head"))
        assert [("head", "in_office"), ("deputy", "resigned")] == posts(
            *gone, stated("DismissalAnnulled", "2022-04-01")
        )

    def test_without_a_match_a_reinstatement_begins_a_post_and_an_annulment_has_no_effect(self) -> None:
        """Both are flagged."""
        back = row_of(reinstated("2022-04-01", id="back", **HEAD))
        annulled = row_of(stated("DismissalAnnulled", "2022-04-01", id="back", **HEAD))

        assert ([("head", "in_office")], [("not_out_of_office", "back")]) == (
            [(post["post"], post["status"]) for post in back["posts"]],
            flags(back),
        )
        assert ([], [("not_dismissed", "back")]) == (annulled["posts"], flags(annulled))


class TestRow:
    """The summary: one post, never words of two."""

    def test_words_are_never_combined_from_two_posts(self) -> None:
        """A post of one agency is not shown as one of another."""
        row = row_of(appointed("2022-01-01", post="head"), appointed("2022-02-01", agency="bank", region="north"))

        assert (None, "bank", "north") == (row["post"], row["agency"], row["region"])
        assert ["in_office", "in_office"] == [post["status"] for post in row["posts"]]

    def test_a_description_stands_in_where_no_post_is_known(self) -> None:
        """The last that names any of them, whole."""
        story = [described("2022-01-01", **HEAD, region="north"), described("2022-02-01", post="deputy", id="last")]
        row = row_of(*story)

        assert ("deputy", None, None, "last") == (row["post"], row["agency"], row["region"], row["post_fact_id"])
        assert "head" == row_of(*story, both()[0])["post"]

    def test_facts_of_a_case_or_of_custody_never_change_them(self) -> None:
        """The place of an arrest is not the region of a post; a court's country is not the person's."""
        row = row_of(
            appointed("2022-01-01", jurisdiction="KZ", **HEAD),
            detained("2022-02-01", jurisdiction="RU", place="Moscow"),
            charged("2022-02-02", jurisdiction="RU"),
        )

        assert ("head", "police", None, "KZ") == (row["post"], row["agency"], row["region"], row["jurisdiction"])
        assert (
            "UZ"
            == row_of(appointed("2022-01-01", jurisdiction="KZ"), described("2022-01-02", jurisdiction="UZ"))[
                "jurisdiction"
            ]
        )

    def test_in_office_beats_suspended_and_suspended_beats_ended(self) -> None:
        """Of several posts, the one begun last is shown."""
        halted = [*both(), suspended("2022-02-01", post="deputy")]

        assert ("in_office", "head") == (row_of(*halted)["service"]["status"], row_of(*halted)["post"])
        row = row_of(*halted, dismissed("2022-03-01", post="head"))
        assert ("suspended", "deputy") == (row["service"]["status"], row["post"])

    def test_two_descriptions_of_two_people_are_flagged(self) -> None:
        """No name in common, and another year of birth."""
        one = described("2022-01-01", name="Serik", born="1970", id="one")
        other = described("2022-02-01", name="Nurlan", born="1980", id="other")
        alias = described("2022-02-01", name="Nurlan", aliases=["SERIK"], born="1980")

        assert [("identity_differs", "other")] == flags(row_of(one, other))
        assert [] == flags(row_of(one, alias))
        assert [] == flags(row_of(one, described("2022-02-01", name="Nurlan", born="1970-05")))


class TestDeath:
    """After Died, posts and custody no longer change."""

    def test_every_post_hold_and_search_ends(self) -> None:
        """No case is open, but its stage stays as it was."""
        row = row_of(
            *both(), detained("2022-02-01", case="c"), wanted("2022-02-02", jurisdiction="RU"), charged("2022-02-03"),
            died("2022-03-01", id="death"),
        )  # fmt: skip

        assert ["deceased", "deceased"] == [post["status"] for post in row["posts"]]
        assert ("deceased", "deceased", None, []) == (
            row["service"]["status"], row["custody"]["status"], row["wanted"], row["searches"],
        )  # fmt: skip
        assert (0, "charged", "presumed_innocent", "deceased") == (
            row["open_cases"], row["stage"]["status"], row["presumption"], row["headline"],
        )  # fmt: skip
        assert [False] == [case["open"] for case in row["cases"]]

    @pytest.mark.parametrize("later", [appointed, dismissed, detained, wanted])
    def test_what_comes_after_death_changes_nothing_and_is_flagged(self, later: Callable[..., Line]) -> None:
        """By world order, not by arrival."""
        row = row_of(died("2022-03-01"), later("2022-04-01", id="later"))

        assert ("deceased", None, "deceased") == (row["service"]["status"], row["wanted"], row["headline"])
        assert [("after_death", "later")] == flags(row)

    def test_a_dismissal_on_the_day_of_death_comes_before_it(self) -> None:
        """Found dead on the day on which the decree came out."""
        row = row_of(both()[0], dismissed("2022-03-01", id="out"), died("2022-03-01"))

        assert ([("head", "dismissed")], "deceased", []) == (
            [(post["post"], post["status"]) for post in row["posts"]], row["service"]["status"], flags(row),
        )  # fmt: skip

    def test_a_final_conviction_outlasts_death_and_one_that_is_not_final_does_not(self) -> None:
        """Without a final conviction the dead are presumed innocent, or cleared if they had been."""
        verdict = [charged("2022-01-01"), convicted("2022-02-01")]

        def presumed(*lines: Line) -> Row:
            (row,) = statuses_of([*lines, died("2022-06-01")])
            return dict(row)

        assert "presumed_innocent" == presumed(*verdict)["presumption"]
        assert "convicted" == presumed(*verdict, made_final("2022-03-01"))["presumption"]
        assert "cleared" == presumed(charged("2022-01-01"), stated("Acquitted", "2022-02-01", case="c"))["presumption"]
