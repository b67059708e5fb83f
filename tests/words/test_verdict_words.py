"""A person's standing before the law in sentences, which state no more than the sources."""

from typing import Any

import pytest

from services.words.careers import case_stage, case_title, counts, track_words
from services.words.listing import list_words
from services.words.verdicts import law_lines
from tests.support.builders import accused, acquitted, charged, convicted, described, detained, died, made_final, stated
from tests.support.status_rows import Row, case, cell, count, hold, row, search, view_of

CHARGE = charged("2022-03-01")
GUILTY = convicted("2025-02-12", authority="federal jury")
NOT_GUILTY = acquitted("2025-02-12", authority="federal jury")
FINAL = made_final("2025-10-01")
OVERTURNED = stated("VerdictOverturned", "2025-11-01", case="c", authority="Supreme Court")
PARDON = stated("Pardoned", "2025-12-24", case="c", authority="the president")
STORY = view_of(CHARGE, GUILTY, NOT_GUILTY, FINAL)


def said(status: Row, *lines: dict[str, Any]) -> list[str]:
    """The lines for a reader of a row; the facts of the row are *lines*."""
    return list(law_lines(status, view_of(*lines) if lines else STORY))


def final_count(**known: Any) -> Row:
    """A count with a final conviction."""
    return count("convicted", GUILTY, final=True, final_fact_id=FINAL["id"]) | known


def test_guilty_and_not_guilty_counts_are_told_apart_with_their_numbers() -> None:
    """Ten counts of 23 are not 23. The acquittal is as visible, and each court is named."""
    mixed = case(
        count("convicted", GUILTY, title="bribery", counts=10),
        count("acquitted", NOT_GUILTY, title="bribery", counts=7),
        count(title="bribery", counts=6),
        stage="convicted",
    )

    guilty = GUILTY | {"data": GUILTY["data"] | {"charges": [{"title": "bribery", "counts": 10}]}}
    free = NOT_GUILTY | {"data": NOT_GUILTY["data"] | {"charges": [{"title": "bribery", "counts": 7}]}}
    stated = charged("2024-01-01", charges=[{"title": "bribery", "counts": 23}])

    assert (
        "Case c: Found guilty on 10 of 23 counts (“bribery”) by federal jury on 2025-02-12; no final verdict is known."
        " ACQUITTED on 7 of 23 counts (“bribery”) by federal jury on 2025-02-12."
        " No verdict on 6 of 23 counts (“bribery”): alleged."
    ) == said(row(mixed), stated, guilty, free)[1]


def test_a_man_found_guilty_on_ten_counts_is_not_cleared() -> None:
    """The acquittal on the other seven counts does not clear him."""
    mixed = case(count("convicted", GUILTY, counts=10, title="x"), count("acquitted", NOT_GUILTY, counts=7, title="y"))

    assert "Found guilty in case c, not final: presumed innocent until a verdict is." == said(row(mixed))[0]
    assert "leared" not in " ".join(said(row(mixed)))


def test_a_charge_that_ended_in_acquittal_does_not_stand_beside_the_conviction() -> None:
    """The conviction is of forgery. Bribery was named last, and ended in acquittal."""
    mixed = case(
        final_count(title="forgery"), count("acquitted", NOT_GUILTY, title="bribery"), stage="final", open=False
    )
    lines = [statement.text for statement in counts(mixed, STORY)]

    assert [
        "forgery: convicted by a final verdict by federal jury on 2025-02-12, final on 2025-10-01",
        "bribery: ACQUITTED by federal jury on 2025-02-12",
    ] == lines
    assert (
        "ended: convicted by a final verdict on 1 of 2 charges (“forgery”), ACQUITTED on 1 of 2 charges (“bribery”)"
    ) == case_stage(mixed, row(mixed))


def test_a_retrial_is_pending_for_a_woman_whose_verdict_was_set_aside() -> None:
    """She is neither cleared nor convicted. The decisions that were set aside are named, with both courts."""
    pending = case(count(), stage="overturned")

    assert [
        "Presumed innocent: what follows is accusation; no verdict of guilty is known to stand.",
        (
            "Case c: Verdict overturned, undecided again. Verdict set aside by Supreme Court on 2025-11-01:"
            " found guilty by federal jury on 2025-02-12."
        ),
    ] == said(row(pending), CHARGE, GUILTY, OVERTURNED)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("remitted", "sent back to a court"),
        ("acquitted", "with an acquittal in its place"),
        ("ended", "the case ended"),
    ],
)
def test_an_overturned_verdict_says_what_became_of_the_case(outcome: str, expected: str) -> None:
    """A case that is sent back to a court is not an acquittal."""
    line = said(row(case(count())), GUILTY, OVERTURNED | {"data": OVERTURNED["data"] | {"outcome": outcome}})[1]

    assert f"on 2025-11-01, {expected}: found guilty" in line.replace("and the case", "the case")


def test_only_the_verdict_since_the_last_ruling_was_set_aside() -> None:
    """A verdict that had been set aside before is not set aside twice."""
    first = convicted("2020-01-01", authority="first court")
    again = stated("VerdictOverturned", "2021-01-01", case="c", authority="Court of Appeal")
    line = said(row(case(count())), first, again, GUILTY, OVERTURNED)[1]

    assert "Court of Appeal on 2021-01-01: found guilty by first court on 2020-01-01." in line
    assert "Supreme Court on 2025-11-01: found guilty by federal jury on 2025-02-12." in line


def test_the_acquittal_of_another_charge_is_not_said_to_be_set_aside() -> None:
    """The defence appealed the conviction. The acquittal beside it was not appealed."""
    guilty = convicted("2025-02-12", authority="federal jury", charges=[{"title": "x"}])
    free = acquitted("2025-02-12", authority="another jury", charges=[{"title": "y"}])
    mixed = case(count(title="x"), count("acquitted", free, title="y"))
    line = said(row(mixed), guilty, free, OVERTURNED)[1]

    assert line.endswith("Supreme Court on 2025-11-01: found guilty by federal jury on 2025-02-12.")


def test_the_acquittal_that_a_higher_court_quashed_is_the_decision_that_was_set_aside() -> None:
    """Guilty, then acquitted on appeal: the last court set aside the acquittal, not the first verdict."""
    first, second = convicted("2024-11-15", authority="district court"), acquitted("2025-03-26", authority="high court")
    line = said(row(case(count(), stage="overturned")), CHARGE, first, second, OVERTURNED)[1]

    assert "set aside by high court on 2025-03-26: found guilty by district court on 2024-11-15." in line
    assert "set aside by Supreme Court on 2025-11-01: ACQUITTED by high court on 2025-03-26." in line


def test_no_court_has_found_it_proven_is_said_only_where_none_ever_did() -> None:
    """A person with an overturned conviction was found guilty once, and so was one in a case that ended."""
    proven = "no court has found it proven"
    undated = stated("Convicted", "XXXX-05-01", case="other")

    assert proven in said(row(case(count())), CHARGE)[0]
    assert proven not in said(row(case(count())), CHARGE, GUILTY)[0]
    assert proven not in said(row(case(count())), CHARGE, undated)[0]
    assert proven not in said(row(case(count())), CHARGE, stated("Imprisoned", "2023-01-01"))[0]


def test_a_disciplinary_decision_is_no_conviction() -> None:
    """It is named by its kind, and leaves the criminal accusation unproven."""
    discipline = case(count("convicted", GUILTY, final=True), kind="disciplinary", case_id="d", open=False)
    lines = said(row(case(count()), discipline), CHARGE, GUILTY | {"data": GUILTY["data"] | {"case_id": "d"}})

    assert "Presumed innocent: what follows is accusation; no court has found it proven." == lines[0]
    assert "Disciplinary case d: Finally decided against the person by federal jury on 2025-02-12." == lines[2]
    assert "Case d (disciplinary): ended: finally decided against the person" == case_title(
        discipline | {"stage": cell("final")}, row(discipline)
    )


def test_a_conviction_is_called_by_the_case_that_it_was_in() -> None:
    """A person convicted in one case is presumed innocent in the other."""
    status = row(case(count(), case_id="trial-case", stage="trial"), case(final_count(), case_id="old", open=False))

    assert [
        "Convicted by a final verdict in case old. Presumed innocent in case trial-case: no verdict there is final.",
        "Case trial-case: Trial (no verdict).",
        "Case old: Convicted by a final verdict by federal jury on 2025-02-12, final on 2025-10-01.",
    ] == said(status)


def test_finally_convicted_charges_are_never_alleged() -> None:
    """The word "alleged" is for counts that no court has decided."""
    status = row(case(final_count(title="bribery"), open=False, stage="final"))

    assert "alleged" not in " ".join([*said(status), *(line.text for line in counts(status["cases"][0], STORY))])


def test_a_verdict_whose_court_is_not_named_says_so() -> None:
    """A court that another source names in the case is not used instead."""
    unnamed = convicted("2018-04-06", id="unnamed")
    line = said(row(case(count("convicted", unnamed), authority="prosecution")), unnamed)[1]

    assert "Case c: Found guilty on 2018-04-06 by a court not named; no final verdict is known." == line


def test_a_pardon_leaves_the_conviction() -> None:
    """Both are stated. A pardon in part changes the sentence and nothing else."""
    pardoned = final_count(status="pardoned", fact_id=PARDON["id"])
    partly = PARDON | {"data": PARDON["data"] | {"scope": "partial"}}

    assert said(row(case(pardoned, open=False)), GUILTY, FINAL, PARDON)[1].endswith(
        "final on 2025-10-01; then pardoned by the president on 2025-12-24."
    )
    assert said(row(case(final_count(), open=False)), GUILTY, FINAL, partly)[1].endswith(
        "Pardoned in part by the president on 2025-12-24: the sentence was changed, the verdict was not."
    )


def test_a_dropped_charge_clears_nobody() -> None:
    """The person is presumed innocent, and the reader learns how the case ended."""
    dropped = stated("ChargesDropped", "2024-11-27", case="c", authority="High Court")
    ended = row(case(count("dropped", dropped), stage="dropped", open=False))

    assert [
        "Presumed innocent: no court has found it proven.",
        "Case c: Charges dropped by High Court on 2024-11-27.",
    ] == said(ended, CHARGE, dropped)


def test_a_withdrawn_allegation_is_called_that() -> None:
    """No court tried it, so the person is not called cleared."""
    withdrawn = stated("AllegationWithdrawn", "2024-01-01", case="c")
    ended = row(case(count("withdrawn", withdrawn), stage="withdrawn", open=False))

    assert "Case c: Allegation withdrawn on 2024-01-01." == said(ended, accused("2023-01-01"), withdrawn)[1]


def test_what_nobody_charged_is_an_allegation() -> None:
    """An accusation in a paper is not a charge, whether it is open, withdrawn or closed."""
    alleged = accused("2023-01-01", charges=[{"title": "slander"}])
    withdrawn, closed = (
        stated("AllegationWithdrawn", "2024-01-01", case="c"),
        stated("CaseClosed", "2024-01-01", case="c"),
    )
    stands = case(count(title="slander"), stage="accused")
    gone = case(count("withdrawn", withdrawn, title="slander"), stage="withdrawn", open=False)
    over = case(count("closed", closed, title="slander"), stage="closed", open=False)

    assert "No verdict on the allegation of “slander”: alleged." in said(row(stands), alleged)[1]
    assert "Case c: The allegation of “slander” was withdrawn on 2024-01-01." == said(row(gone), alleged, withdrawn)[1]
    assert "Proceedings closed on the allegation of “slander” on 2024-01-01." in said(row(over), alleged, closed)[1]
    assert "No verdict on the charge of “slander”: alleged." in said(row(stands), alleged, CHARGE)[1]


def test_allegations_that_were_withdrawn_have_their_number() -> None:
    """One of two was closed: the words for each end have the number."""
    alleged, withdrawn = accused("2023-01-01"), stated("AllegationWithdrawn", "2024-01-01", case="c")
    closed = stated("CaseClosed", "2023-06-01", case="c")
    mixed = case(
        count("withdrawn", withdrawn, title="x"), count("closed", closed, title="y"), stage="withdrawn", open=False
    )

    assert "1 of 2 allegations (“x”) was withdrawn on 2024-01-01." in said(row(mixed), alleged, closed, withdrawn)[1]
    assert "ended: allegation withdrawn on 1 of 2 allegations (“x”), case closed on 1 of 2 allegations (“y”)" == (
        case_stage(mixed, row(mixed))
    )


def test_an_acquittal_on_appeal_is_not_announced_as_an_accusation() -> None:
    """The sentence announces an acquittal that the prosecution appealed."""
    appeal = stated("AppealFiled", "2025-03-01", case="c", by="prosecution")
    free = case(count("acquitted", NOT_GUILTY, on_appeal=True), stage="appeal")
    accusation = case(count(), case_id="other")

    assert (
        "Presumed innocent: an acquittal is on appeal; no court has found it proven."
        == (said(row(free), CHARGE, NOT_GUILTY, appeal)[0])
    )
    assert (
        "Presumed innocent: what follows is accusation; no court has found it proven."
        == (said(row(free, accusation), CHARGE, NOT_GUILTY, appeal)[0])
    )


def test_of_custody_alone_no_accusation_is_told() -> None:
    """No source states its reason. Only an imprisonment implies a verdict."""
    alone = row(case(stage=None))

    assert ["Presumed innocent.", "Case c: Only custody or a search is known in it."] == (
        said(alone, detained("2022-03-01", case="c"))
    )
    assert (
        "Presumed innocent: no verdict of guilty is known to stand."
        == (said(alone, stated("Imprisoned", "2022-03-01", case="c"))[0])
    )


def test_a_rehabilitated_person_is_cleared() -> None:
    """The ground cleared her after a verdict that had been final. Both are stated."""
    closed = stated("CaseClosed", "2026-01-01", case="c", authority="Supreme Court", rehabilitating=True)
    done = final_count(status="closed", fact_id=closed["id"], rehabilitated=True)

    assert [
        "Cleared: every charge ended by acquittal or on a ground that rehabilitates.",
        (
            "Case c: Rehabilitated by Supreme Court on 2026-01-01 (case closed),"
            " after an earlier verdict by federal jury on 2025-02-12."
        ),
    ] == said(row(case(done, open=False, stage="closed")), GUILTY, FINAL, closed)


def test_a_list_does_not_state_a_verdict_that_was_rehabilitated() -> None:
    """The verdict does not stand any more, in any case."""
    done = case(final_count(status="closed", rehabilitated=True), case_id="old", open=False, stage="closed")

    assert "trial (no verdict)" == list_words(row(case(count(), stage="trial"), done)).case


def test_absence_plea_and_sentence_are_told() -> None:
    """A lawyer looks for each of them first."""
    plea = stated("PleaEntered", "2025-01-10", case="c", plea="guilty", bargain=True)
    sentenced = stated("Sentenced", "2025-06-13", case="c", authority="federal court", sentence="7.5 years")
    parts = [
        {"kind": "imprisonment", "term": "P7Y6M"},
        {"kind": "fine", "amount": 2500000, "currency": "USD"},
        {"kind": "disqualification", "until": "2040"},
    ]
    found = case(
        count("convicted", GUILTY, in_absentia=True),
        sentence="7.5 years", parts=parts, sentence_fact_id=sentenced["id"],
    )  # fmt: skip
    line = said(row(found), plea, GUILTY, sentenced)[1]

    assert "by federal jury on 2025-02-12, in the person's absence; no final verdict is known." in line
    assert "Pleaded guilty on 2025-01-10, as part of an agreement with the prosecution." in line
    assert (
        "Sentence by federal court on 2025-06-13: “7.5 years”; imprisonment, 7 years 6 months; fine, 2,500,000 USD;"
        " disqualification, until 2040."
    ) in line


def test_a_sentence_never_stands_alone() -> None:
    """The words state that its verdict was set aside, or that no source names its counts."""
    sentenced = stated("Sentenced", "2025-06-13", case="c", sentence="7.5 years")
    found = case(count(title="x"), count(title="y"), sentence="7.5 years", sentence_fact_id=sentenced["id"])

    assert "Sentence on 2025-06-13, on which counts is not known: “7.5 years”." in said(row(found), sentenced)[1]
    assert (
        "Sentence on 2025-06-13, of a verdict that no longer stands: “7.5 years”."
        in (said(row(found), GUILTY, sentenced, OVERTURNED)[1])
    )


def test_an_appeal_after_a_final_verdict_is_a_request_for_review() -> None:
    """The verdict stays final: nothing is on appeal."""
    request = stated("AppealFiled", "2026-01-01", case="c", by="defence")
    refused = stated("ReviewRefused", "2026-03-01", case="c", authority="Federal Court")
    flags = [{"code": "appeal_after_final", "fact_id": request["id"]}]
    line = said(row(case(final_count(), open=False), anomalies=flags), GUILTY, FINAL, request, refused)[1]

    assert line.endswith(
        "Review requested by the defence on 2026-01-01. Review refused by Federal Court on 2026-03-01."
    )


def test_three_reports_of_one_decision_are_told_once() -> None:
    """Papers that agree do not uphold a verdict three times."""
    upheld = [stated("VerdictUpheld", "2025-09-01", case="c", authority="High Court", id=f"paper {n}") for n in "123"]

    assert 1 == said(row(case(count("convicted", GUILTY))), GUILTY, *upheld)[1].count("Verdict upheld by High Court")


def test_the_dead_are_not_said_to_await_anything() -> None:
    """Without a final conviction they are presumed innocent, and the case ended with the death."""
    gone = row(case(count("convicted", GUILTY), stage="convicted", open=False), presumption="presumed_innocent")
    gone["service"] = cell("deceased", died("2025-05-01"))

    assert [
        "Died without a final conviction: presumed innocent; no verdict of guilty is known to stand.",
        (
            "Case c: Found guilty by federal jury on 2025-02-12; no final verdict is known."
            " The death ended the case without a final verdict."
        ),
    ] == said(gone, GUILTY, died("2025-05-01"))
    assert "found guilty, not final; ended by the death" == case_stage(gone["cases"][0], gone)


def test_a_case_that_ended_while_somebody_is_held_says_that_no_release_was_reported() -> None:
    """The summary leaves the hold out, and the text states that no release was reported."""
    held, wanted = detained("2022-03-01", case="c"), stated("Wanted", "2022-02-01", case="c")
    ended = case(count("acquitted", NOT_GUILTY), stage="acquitted", open=False)
    status = row(ended, custody_cases=[hold("detained", held, counted=False)], searches=[search(wanted, counted=False)])

    assert said(status, held, NOT_GUILTY)[1].endswith("No release was reported. No end of the search was reported.")


def test_charges_that_replaced_others_have_no_total() -> None:
    """The sources use different words for them, so that no source has a total of both."""
    replaced = case(
        count("replaced", GUILTY, title="23 counts"), count("convicted", GUILTY, title="bribery", counts=10)
    )

    assert "Found guilty on 10 counts (“bribery”) by" in said(row(replaced))[1]
    assert "23 counts: replaced by other charges" == next(counts(replaced, STORY)).text


def test_no_text_from_outside_changes_a_sentence() -> None:
    """Ids, courts and charges are printed with escapes for the characters that control a terminal."""
    evil = "\x1b[31m\u202e"
    verdict = convicted("2025-02-12", authority=f"court{evil}", id="verdict")
    found = case(count("convicted", verdict, title=f"title{evil}"), count(title="y"), case_id=f"c{evil}")
    lines = said(row(found), verdict, described("2022-01-01"))

    assert not {"\x1b", "\u202e"} & set("".join(lines))
    assert 4 == "".join(lines).count("\\x1b[31m"), "the case twice, the charge, the court"


def test_a_cell_without_a_date_says_nothing_of_one() -> None:
    """A date that is not known is not mentioned."""
    assert "Service: unknown" == track_words("service", cell("unknown"), STORY)
