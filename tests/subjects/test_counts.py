"""Cases with counts: the rules of docs/design.md, 3.4, and the table of docs/model.md."""

from typing import Any

import pytest

from tests.support.builders import Line, Row, accused, acquitted, charged, convicted, flags, made_final, row_of, stated

A, B, C = {"title": "bribe"}, {"title": "fraud"}, {"title": "theft"}
CHARGED = charged("2022-01-01", id="charge", charges=[A, B])


def on(day: int, type_: str, **data: Any) -> Line:
    """Return a fact of the case, on a day of March."""
    return stated(type_, f"2022-03-{day:02}", case="c", id=f"{type_} {day}", **data)


def case(*lines: Line) -> Row:
    """Return the one case of *lines*."""
    (found,) = row_of(*lines)["cases"]
    return dict(found)


def counts(*lines: Line) -> dict[str | None, str]:
    """Return the status of each count: on appeal with a star, final with an exclamation mark."""
    return {
        count["title"]: count["status"] + "*" * count["on_appeal"] + "!" * count["final"]
        for count in case(*lines)["counts"]
    }


def told_of(*facts: Line) -> tuple[dict[str | None, str], list[str]]:
    """Return the counts after both were charged and *facts* followed, and the flags."""
    return counts(CHARGED, *facts), [code for code, _ in flags(row_of(CHARGED, *facts))]


BOTH = convicted("2022-02-01", charges=[A, B], id="both")
SPLIT = (convicted("2022-02-01", charges=[A], id="one"), acquitted("2022-02-01", charges=[B], id="other"))
ACQUITTED = acquitted("2022-02-01", charges=[A, B], id="none")


@pytest.mark.parametrize(
    ("bribe", "fraud", "codes", "facts"),
    [
        # Convicted, Acquitted: the undecided and those on appeal; else those of the other verdict that are not final.
        ("convicted", "convicted", ["counts_not_named"], [on(1, "Convicted")]),
        ("acquitted", "acquitted", ["counts_not_named"], [on(1, "Acquitted")]),
        ("convicted", "acquitted", [], [SPLIT[0], on(1, "Acquitted")]),
        ("acquitted", "acquitted", [], [BOTH, on(1, "Acquitted")]),
        ("convicted", "convicted", [], [ACQUITTED, on(1, "Convicted")]),
        ("convicted", "acquitted", [], [*SPLIT, on(1, "Convicted")]),
        ("convicted!", "acquitted", [], [*SPLIT, on(1, "VerdictFinal", charges=[A]), on(2, "Acquitted")]),
        ("convicted!", "convicted!", ["counts_not_named"], [on(1, "Convicted", final=True)]),
        # A report without the finality never removes it.
        ("convicted!", "convicted!", [], [BOTH, on(1, "VerdictFinal"), on(2, "Convicted")]),
        ("convicted!", "convicted!", [], [BOTH, on(1, "VerdictFinal"), on(2, "Acquitted", charges=[A, B])]),
        # Sentenced: the convicted, or the only undecided one; never an acquitted count.
        ("convicted", "acquitted", [], [*SPLIT, on(1, "Sentenced")]),
        ("convicted", "acquitted", ["never_convicted"], [SPLIT[1], on(1, "Sentenced")]),
        ("undecided", "undecided", ["never_convicted"], [on(1, "Sentenced")]),
        # AppealFiled: the convicted; by the prosecution the acquitted too; else the acquitted.
        ("convicted*", "acquitted", [], [*SPLIT, on(1, "AppealFiled")]),
        ("convicted*", "acquitted*", [], [*SPLIT, on(1, "AppealFiled", by="prosecution")]),
        ("acquitted*", "acquitted*", [], [ACQUITTED, on(1, "AppealFiled")]),
        ("convicted", "acquitted*", [], [*SPLIT, on(1, "AppealFiled", charges=[B])]),
        ("convicted!", "convicted!", ["appeal_after_final"], [BOTH, on(1, "VerdictFinal"), on(2, "AppealFiled")]),
        # VerdictUpheld: off appeal, the verdict stays.
        ("convicted", "acquitted", [], [*SPLIT, on(1, "AppealFiled"), on(2, "VerdictUpheld")]),
        ("convicted!", "acquitted", [], [*SPLIT, on(1, "AppealFiled"), on(2, "VerdictUpheld", final=True)]),
        # VerdictOverturned: those on appeal, else the convicted, pardoned ones too, else the acquitted.
        ("undecided", "acquitted", [], [*SPLIT, on(1, "VerdictOverturned")]),
        ("undecided", "acquitted", [], [*SPLIT, on(1, "Pardoned", charges=[A]), on(2, "VerdictOverturned")]),
        ("convicted", "undecided", [], [*SPLIT, on(1, "AppealFiled", charges=[B]), on(2, "VerdictOverturned")]),
        ("undecided", "undecided", [], [ACQUITTED, on(1, "VerdictOverturned", outcome="remitted")]),
        ("acquitted", "acquitted", [], [*SPLIT, on(1, "VerdictOverturned", outcome="acquitted")]),
        ("closed", "acquitted", [], [*SPLIT, on(1, "VerdictOverturned", outcome="ended")]),
        # VerdictFinal: the decided that are not on appeal; if there is none, those on appeal.
        ("convicted!", "acquitted!", [], [*SPLIT, on(1, "VerdictFinal")]),
        ("convicted*", "acquitted!", [], [*SPLIT, on(1, "AppealFiled"), on(2, "VerdictFinal")]),
        ("convicted!", "convicted!", [], [BOTH, on(1, "AppealFiled"), on(2, "VerdictFinal")]),
        ("undecided", "undecided", ["no_verdict"], [on(1, "VerdictFinal")]),
        # ChargesDropped, CaseClosed: all not ended; a rehabilitating CaseClosed also the finally convicted.
        ("dropped", "dropped", [], [on(1, "ChargesDropped")]),
        ("convicted!", "dropped", [], [SPLIT[0], on(1, "VerdictFinal"), on(2, "ChargesDropped")]),
        ("convicted!", "convicted!", ["already_ended"], [BOTH, on(1, "VerdictFinal"), on(2, "CaseClosed")]),
        ("closed", "closed", [], [BOTH, on(1, "VerdictFinal"), on(2, "CaseClosed", rehabilitating=True)]),
        # Amnestied, Pardoned: the convicted and undecided; a partial pardon only changes a sentence.
        ("pardoned!", "pardoned!", [], [BOTH, on(1, "VerdictFinal"), on(2, "Pardoned")]),
        ("amnestied", "acquitted", [], [SPLIT[1], on(1, "Amnestied")]),
        ("convicted!", "convicted!", [], [BOTH, on(1, "VerdictFinal"), on(2, "Pardoned", scope="partial")]),
        ("convicted!", "convicted!", [], [BOTH, on(1, "VerdictFinal"), on(2, "Pardoned"), on(3, "PardonAnnulled")]),
        # MistrialDeclared decides nothing; the others change no verdict.
        ("undecided", "undecided", [], [on(1, "TrialOpened"), on(2, "MistrialDeclared")]),
        ("undecided", "undecided", [], [on(1, "PleaEntered", plea="guilty")]),
        (
            "convicted!",
            "convicted!",
            [],
            [BOTH, on(1, "VerdictFinal"), on(2, "ReviewRequested"), on(3, "ReviewRefused")],
        ),
        ("convicted!", "convicted!", [], [BOTH, on(1, "VerdictFinal"), on(2, "SentenceChanged", sentence="1 year")]),
    ],
)
def test_a_fact_that_names_no_charges_concerns(bribe: str, fraud: str, codes: list[str], facts: list[Line]) -> None:
    """Each row of the table."""
    assert ({"bribe": bribe, "fraud": fraud}, codes) == told_of(*facts)


class TestMatching:
    """The counts that a fact names."""

    def test_the_first_charges_replace_the_whole_case(self) -> None:
        """Each takes over the state of the whole case."""
        assert {None: "undecided"} == counts(accused("2022-01-01"))
        assert {"bribe": "undecided", "fraud": "undecided"} == counts(accused("2022-01-01"), CHARGED)
        assert {"bribe": "convicted"} == counts(convicted("2022-01-01"), on(1, "Sentenced", charges=[A]))

    def test_a_count_id_decides_else_article_and_title_as_far_as_both_name_them(self) -> None:
        """Two counts of one title with ids of their own are two."""
        twins = charged("2022-01-01", charges=[{"count_id": "k1", **A}, {"count_id": "k2", **A}])
        lawful = charged("2022-01-01", charges=[{"article": "366", **A}, {"article": "190", **B}])
        told_k1 = case(twins, convicted("2022-02-01", charges=[{"count_id": "k1", **A}]))

        assert ["convicted", "undecided"] == [count["status"] for count in told_k1["counts"]]
        assert {"bribe": "convicted", "fraud": "undecided"} == counts(
            lawful, on(1, "Convicted", charges=[{"article": "366"}])
        )
        assert {"bribe": "convicted", "fraud": "undecided"} == counts(
            lawful, on(1, "Convicted", charges=[{"title": " BRIBE"}])
        )

    def test_a_charge_that_matches_several_means_those_not_decided(self) -> None:
        """Flagged: the source does not say which."""
        twins = charged("2022-01-01", charges=[{"count_id": "k1", **A}, {"count_id": "k2", **A}])
        first = convicted("2022-02-01", charges=[{"count_id": "k1"}])
        row = row_of(twins, first, on(1, "Acquitted", charges=[A]))

        assert ["convicted", "acquitted"] == [count["status"] for count in row["cases"][0]["counts"]]
        assert [("count_ambiguous", "Acquitted 1")] == flags(row)

    def test_an_unknown_count_is_added_and_flagged(self) -> None:
        """The conviction names a charge that was not known, beside a known one."""
        assert ({"bribe": "undecided", "fraud": "undecided", "theft": "convicted"}, ["count_unknown"]) == told_of(
            on(1, "Convicted", charges=[C])
        )
        assert ({"bribe": "undecided", "fraud": "undecided", "theft": "undecided"}, []) == told_of(
            on(1, "Indicted", charges=[C])
        )

    def test_a_conviction_in_other_words_replaces_the_only_undecided_count(self) -> None:
        """The lesser offence of the verdict replaces the charge. The charge neither convicts nor clears."""
        row = row_of(charged("2022-01-01", charges=[A]), on(1, "Convicted", charges=[C]))

        assert [("bribe", "replaced"), ("theft", "convicted")] == [
            (count["title"], count["status"]) for count in row["cases"][0]["counts"]
        ]
        assert {"undecided": 0, "convicted": 1, "acquitted": 0, "ended": 0} == row["counts"]

    def test_amended_charges_replace_the_undecided_ones(self) -> None:
        """Named counts stay."""
        assert ({"bribe": "undecided", "fraud": "replaced", "theft": "undecided"}, []) == told_of(
            on(1, "ChargesAmended", charges=[A, C])
        )

    def test_a_decision_on_fewer_splits_the_count(self) -> None:
        """A decision on ten of twenty-three leaves the rest as it was."""
        many = charged("2022-01-01", charges=[{**B, "counts": 23}])
        row = row_of(
            many, on(1, "Convicted", charges=[{**B, "counts": 10}]), on(2, "Acquitted", charges=[{**B, "counts": 7}])
        )

        assert {"undecided": 6, "convicted": 10, "acquitted": 7, "ended": 0} == row["counts"]


class TestCase:
    """The state of a case and of the person after decisions."""

    def test_an_acquittal_on_one_count_clears_nobody_of_another(self) -> None:
        """A person is not called convicted of an acquitted charge, or cleared while a conviction stands."""
        row = row_of(CHARGED, *SPLIT)

        assert ("convicted_not_final", 1, 0) == (row["presumption"], row["open_cases"], row["convicted_cases"])
        assert ("convicted", 1) == (
            row_of(CHARGED, *SPLIT, made_final("2022-03-01"))["presumption"],
            row_of(CHARGED, *SPLIT, made_final("2022-03-01"))["convicted_cases"],
        )

    @pytest.mark.parametrize(
        ("expected", "facts"),
        [
            ("overturned", [BOTH, on(1, "VerdictOverturned")]),
            ("trial", [on(1, "TrialOpened"), on(2, "MistrialDeclared")]),
            ("appeal", [BOTH, on(1, "AppealFiled")]),
            ("final", [*SPLIT, on(1, "VerdictFinal")]),
            ("acquitted", [ACQUITTED]),
            ("pardoned", [BOTH, on(1, "VerdictFinal"), on(2, "Pardoned")]),
            ("closed", [BOTH, on(1, "VerdictFinal"), on(2, "CaseClosed", rehabilitating=True)]),
            ("dropped", [ACQUITTED, on(1, "AppealFiled"), on(2, "ChargesDropped")]),
        ],
    )
    def test_the_stage(self, expected: str, facts: list[Line]) -> None:
        """The furthest while it is open; then final, or the end of the count that ended last."""
        assert expected == case(CHARGED, *facts)["stage"]["status"]

    @pytest.mark.parametrize(
        ("expected", "facts"),
        [
            ("cleared", [ACQUITTED]),
            ("cleared", [BOTH, on(1, "VerdictOverturned", outcome="acquitted")]),
            ("cleared", [on(1, "CaseClosed", rehabilitating=True)]),
            ("cleared", [BOTH, on(1, "VerdictFinal"), on(2, "CaseClosed", rehabilitating=True)]),
            ("presumed_innocent", [BOTH, on(1, "VerdictOverturned")]),
            ("presumed_innocent", [BOTH, on(1, "VerdictOverturned", outcome="ended")]),
            ("cleared", [BOTH, on(1, "VerdictOverturned", outcome="ended", rehabilitating=True)]),
            ("presumed_innocent", [SPLIT[1], on(1, "ChargesDropped")]),
            ("convicted", [BOTH, on(1, "VerdictFinal"), on(2, "Pardoned")]),
            ("presumed_innocent", [BOTH, on(1, "Pardoned")]),
        ],
    )
    def test_the_presumption(self, expected: str, facts: list[Line]) -> None:
        """Cleared only by an acquittal or a rehabilitating end of every count; a pardon undoes no final conviction."""
        assert expected == row_of(CHARGED, *facts)["presumption"]

    def test_an_investigation_that_rests_is_shown(self) -> None:
        """Suspended follows from any earlier step, and the case stays at its stage."""
        resting = case(CHARGED, on(1, "InvestigationSuspended"))
        going = case(CHARGED, on(1, "InvestigationSuspended"), on(2, "InvestigationResumed"))

        assert ("charged", True, "InvestigationSuspended 1") == (
            resting["stage"]["status"],
            resting["suspended"],
            resting["suspended_fact_id"],
        )
        assert (False, None) == (going["suspended"], going["suspended_fact_id"])
        assert [] == flags(row_of(CHARGED, on(1, "InvestigationSuspended")))

    def test_the_sentence_and_its_parts_are_those_said_last(self) -> None:
        """It has the fact that suspended it."""
        parts = [{"kind": "imprisonment", "term": "P8Y"}]
        found = case(CHARGED, BOTH, on(1, "Sentenced", sentence="8 years", parts=parts))
        changed = case(
            CHARGED, BOTH, on(1, "Sentenced", sentence="8 years"), on(2, "SentenceChanged", sentence="5 years")
        )

        assert ("8 years", parts, "Sentenced 1") == (found["sentence"], found["parts"], found["sentence_fact_id"])
        assert "5 years" == changed["sentence"]

    def test_each_count_names_the_fact_and_the_court(self) -> None:
        """It also names the facts that made it final and put it on appeal, and a decision in absence."""
        verdict = convicted("2022-02-01", charges=[A], authority="city court", in_absentia=True, id="verdict")
        (found, _) = case(CHARGED, verdict, on(1, "AppealFiled"))["counts"]

        assert ("verdict", "city court", "convicted", True, "AppealFiled 1", "charge") == tuple(
            found[name]
            for name in ("fact_id", "authority", "verdict", "in_absentia", "appeal_fact_id", "charge_fact_id")
        )

    def test_a_disciplinary_case_is_listed_and_says_nothing_of_the_person(self) -> None:
        """The row, the headline and the presumption are about criminal cases only."""
        row = row_of(stated("Charged", "2022-01-01", case="d", kind="disciplinary"))

        assert (["disciplinary"], None, 0, "unknown", "presumed_innocent") == (
            [found["kind"] for found in row["cases"]],
            row["stage"],
            row["open_cases"],
            row["headline"],
            row["presumption"],
        )

    def test_the_last_kind_holds_and_a_difference_is_flagged(self) -> None:
        """A case without a stated kind counts as criminal."""
        row = row_of(charged("2022-01-01", kind="criminal"), on(1, "TrialOpened", kind="administrative"))

        assert ("administrative", [("kind_differs", "TrialOpened 1")]) == (row["cases"][0]["kind"], flags(row))
        assert "criminal" == case(charged("2022-01-01"))["kind"]

    def test_a_case_that_is_opened_again_keeps_its_verdicts(self) -> None:
        """Counts that ended without a verdict are undecided again; if no count is open then, one is added."""
        dropped = [CHARGED, SPLIT[0], on(1, "VerdictFinal"), on(2, "ChargesDropped")]

        assert {"bribe": "convicted!", "fraud": "undecided"} == counts(*dropped, on(3, "Indicted"))
        assert {"bribe": "convicted!", "fraud": "convicted!", None: "undecided"} == counts(
            CHARGED, BOTH, on(1, "VerdictFinal"), on(2, "InvestigationOpened")
        )
