"""Statuses: the words of each track, the summary, the headline and the flags."""

from itertools import permutations
from typing import Any

import pytest

from events.vocabulary import TRACKS
from projections.history.flag import Flag
from projections.subjects.status import Status
from projections.tracks.custody import CUSTODY
from projections.tracks.posts import APPOINTMENTS, ENDS
from tests.support.builders import (
    Line,
    accused,
    acquitted,
    appointed,
    arrested,
    charged,
    convicted,
    corrected,
    described,
    detained,
    died,
    dismissed,
    fact,
    investigated,
    made_final,
    released,
    report,
    stated,
    status,
    statuses_of,
    suspended,
    wanted,
)


def lines(*kinds: str, case: str = "c", **data: Any) -> list[Line]:
    """Return facts of *kinds*, each a day after the one before, those of the case track in *case*."""
    return [
        stated(
            kind, f"2022-03-{day:02}", case=case if kind in TRACKS["case"] else None, id=f"{day} {kind} {case}", **data
        )
        for day, kind in enumerate(kinds, 1)
    ]


def closed(*, rehabilitating: bool, case: str = "c") -> list[Line]:
    """A case that was opened and closed."""
    opened = lines("InvestigationOpened", case=case)
    return [*opened, stated("CaseClosed", "2022-04-01", case=case, rehabilitating=rehabilitating)]


def stage_of(status: Status) -> str | None:
    """Return the stage of the row."""
    return getattr(status.summary().stage, "status", None)


def stage(*kinds: str) -> str | None:
    """Return the stage after facts of *kinds*."""
    return stage_of(status(*lines(*kinds)))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("", "unknown"),
        ("Appointed", "in_office"),
        ("Elected", "in_office"),
        ("Appointed Suspended", "suspended"),
        ("Appointed Suspended SuspensionLifted", "in_office"),
        ("Suspended Transferred", "in_office"),
        ("Dismissed Reinstated", "in_office"),
        ("Dismissed DismissalAnnulled", "in_office"),
        ("Appointed Removed", "removed"),
        ("Appointed Dismissed", "dismissed"),
        ("Elected TermEnded", "term_ended"),
        ("Resigned", "resigned"),
        ("Retired", "retired"),
        ("LeftOffice", "left_office"),
        ("Dismissed Died", "deceased"),
        ("Died Appointed", "deceased"),
    ],
)
def test_the_service_track(kinds: str, expected: str) -> None:
    """Reinstated, DismissalAnnulled, SuspensionLifted and Transferred lead to in_office; death absorbs."""
    assert expected == status(*lines(*kinds.split())).summary().service.status


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("", "unknown"),
        ("Detained", "detained"),
        ("Detained Arrested", "remanded"),
        ("Arrested HouseArrested", "house_arrest"),
        ("Detained Bailed", "bailed"),
        ("Detained Released", "released"),
        ("Arrested Extradited", "extradited"),
        ("Arrested Imprisoned", "imprisoned"),
        ("Imprisoned Paroled", "paroled"),
        ("Imprisoned SentenceServed", "sentence_served"),
        ("Detained ExtraditionRequested", "detained"),
        ("Detained ExtraditionRequested ExtraditionRefused", "detained"),
        ("Detained Wanted", "detained"),
        ("Detained Died", "deceased"),
    ],
)
def test_the_custody_track(kinds: str, expected: str) -> None:
    """A search and a request are not custody."""
    assert expected == status(*lines(*kinds.split())).summary().custody.status


@pytest.mark.parametrize("end", ["WantedCancelled", "Detained", "Arrested", "Extradited", "Imprisoned", "Died"])
def test_wanted_ends_with(end: str) -> None:
    """A person in custody, a dead person, and a person after a cancelled search are not wanted."""
    assert status(*lines("Wanted")).summary().wanted is not None
    assert status(*lines("Wanted", end)).summary().wanted is None


@pytest.mark.parametrize("kind", ["HouseArrested", "Bailed", "Released", "ExtraditionRequested", "SentenceServed"])
def test_wanted_does_not_end_with(kind: str) -> None:
    """Only the types that the model names end a search."""
    assert status(*lines("Wanted", kind)).summary().wanted is not None


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("", None),
        ("Accused", "accused"),
        ("Accused MaterialsReferred", "materials_referred"),
        ("Accused InvestigationOpened", "investigation"),
        ("InvestigationOpened InvestigationSuspended", "investigation"),
        ("InvestigationOpened SuspectNamed", "suspect"),
        ("Charged ChargesAmended", "charged"),
        ("Charged Indicted", "indicted"),
        ("Charged TrialOpened", "trial"),
        ("Charged Convicted", "convicted"),
        ("Convicted Sentenced", "convicted"),
        ("Convicted AppealFiled", "appeal"),
        ("Convicted AppealFiled VerdictUpheld", "appeal"),
        ("Convicted AppealFiled VerdictUpheld VerdictFinal", "final"),
        ("Convicted VerdictOverturned", "overturned"),
        ("Charged TrialOpened Convicted AppealFiled MistrialDeclared", "trial"),
        ("Acquitted", "acquitted"),
        ("Acquitted AppealFiled", "appeal"),
        ("Acquitted AppealFiled VerdictUpheld", "acquitted"),
        ("Acquitted VerdictFinal", "acquitted"),
        ("Charged ChargesDropped", "dropped"),
        ("Charged CaseClosed", "closed"),
        ("Accused AllegationWithdrawn", "withdrawn"),
        ("Charged AllegationWithdrawn", "charged"),
        ("Convicted Amnestied", "amnestied"),
        ("Convicted Pardoned", "pardoned"),
        ("Charged InvestigationResumed", "charged"),
        ("Charged Accused", "charged"),
        ("VerdictFinal", None),
    ],
)
def test_the_stage_of_a_case(kinds: str, expected: str | None) -> None:
    """It only goes forward while the case is open, a verdict is never guessed, and an overturned one is open again."""
    assert expected == stage(*kinds.split())


@pytest.mark.parametrize("end", ["ChargesDropped", "CaseClosed", "Acquitted", "Amnestied", "Pardoned", "VerdictFinal"])
def test_a_case_that_ended_is_opened_again_by_a_later_fact(end: str) -> None:
    """A case stays ended until a later step opens it again; verdicts stay."""
    ended = lines("Charged", "Convicted", end)
    before, again = status(*ended), status(*ended, stated("InvestigationResumed", "2022-05-01", case="c"))

    assert 0 == before.summary().open_cases
    assert (1, "investigation") == (again.summary().open_cases, stage_of(again))
    verdicts = [count.verdict for count in before.cases["c"].counts.all]
    assert verdicts == [count.verdict for count in again.cases["c"].counts.all][: len(verdicts)]


def test_the_furthest_open_case_leads() -> None:
    """An open case is shown before an ended one, whatever stage the ended one had."""
    ended = lines("Charged", "Convicted", "VerdictFinal", case="old")
    first, second = accused("2022-05-01", case="one"), charged("2022-04-01", case="two")

    assert "final" == stage_of(status(*ended))
    assert "charged" == stage_of(status(*ended, first, second))
    assert 2 == status(*ended, first, second).summary().open_cases


def test_of_ended_cases_the_one_that_ended_last_leads() -> None:
    """World order decides, not arrival."""
    early, late = lines("Acquitted", case="x"), [stated("ChargesDropped", "2022-06-01", case="w")]

    assert "dropped" == stage_of(status(*late, *early))


def test_what_changes_no_stage_ends_no_case_again() -> None:
    """A withdrawal of an allegation after the charges were dropped changes nothing."""
    dropped, late = lines("Charged", "ChargesDropped", case="x"), stated("AllegationWithdrawn", "2022-06-01", case="x")

    assert "acquitted" == stage_of(status(*dropped, acquitted("2022-05-01", case="w"), late))


def test_charges_and_authority_are_those_last_stated() -> None:
    """Each with the fact that states them."""
    first = charged("2022-03-01", charges=[{"title": "bribe"}], authority="NSC")
    second = investigated("2022-04-01", authority="court")
    (row,) = statuses_of([first, second])
    (case,) = row["cases"]

    assert ([{"title": "bribe"}], first["id"]) == (case["charges"], case["charges_fact_id"])
    assert ("court", second["id"]) == (case["authority"], case["authority_fact_id"])


@pytest.mark.parametrize(
    ("expected", "story"),
    [
        ("presumed_innocent", []),
        ("presumed_innocent", lines("Accused")),
        ("presumed_innocent", lines("Charged", "TrialOpened")),
        ("convicted_not_final", lines("Charged", "Convicted")),
        ("convicted_not_final", lines("Charged", "Convicted", "AppealFiled")),
        ("convicted", lines("Charged", "Convicted", "VerdictFinal")),
        ("convicted", lines("Charged", "Convicted", "VerdictFinal", "Pardoned")),
        # An appeal against a final verdict is a request to review it.
        ("convicted", lines("Charged", "Convicted", "VerdictFinal", "AppealFiled")),
        ("presumed_innocent", lines("Charged", "Convicted", "VerdictFinal", "AppealFiled", "VerdictOverturned")),
        ("cleared", lines("Charged", "Acquitted")),
        ("cleared", lines("Charged", "Acquitted", "VerdictFinal")),
        # Dropped charges clear a person only if their ground does.
        ("presumed_innocent", lines("Charged", "ChargesDropped")),
        ("presumed_innocent", lines("Accused", "AllegationWithdrawn")),
        ("presumed_innocent", lines("Charged", "Convicted", "VerdictOverturned")),
        ("cleared", closed(rehabilitating=True)),
        ("presumed_innocent", closed(rehabilitating=False)),
        ("presumed_innocent", lines("Charged", "CaseClosed")),
        ("presumed_innocent", lines("Charged", "Amnestied")),
        ("presumed_innocent", lines("Charged", "Convicted", "Pardoned")),
        ("presumed_innocent", [*closed(rehabilitating=True), *closed(rehabilitating=False, case="d")]),
        ("presumed_innocent", [*lines("Charged", "Acquitted"), *lines("Accused", case="d")]),
        ("convicted_not_final", [*lines("Charged", "Acquitted"), *lines("Convicted", case="d")]),
        ("convicted", [*lines("Convicted", "VerdictFinal"), *lines("Accused", case="d")]),
    ],
)
def test_presumption_of_innocence(expected: str, story: list[Line]) -> None:
    """Convicted only by a final verdict; cleared only if every count ended so that it clears (docs/design.md, 3.4)."""
    assert expected == status(*story).summary().presumption


@pytest.mark.parametrize(
    ("expected", "story"),
    [
        ("unknown", []),
        ("in_office", [appointed("2022-01-01")]),
        ("wanted", [appointed("2022-01-01"), wanted("2022-02-01")]),
        ("wanted", [appointed("2022-01-01"), acquitted("2022-01-05"), wanted("2022-02-01")]),
        ("acquitted", [appointed("2022-01-01"), acquitted("2022-01-05")]),
        ("accused", [acquitted("2022-01-05"), accused("2022-02-01", case="d"), wanted("2022-02-01")]),
        ("accused", [accused("2022-02-01"), detained("2022-02-02"), released("2022-02-03")]),
        ("detained", [accused("2022-02-01"), detained("2022-02-02")]),
        ("bailed", [accused("2022-02-01"), stated("Bailed", "2022-02-02")]),
        ("final", [*lines("Convicted", "VerdictFinal"), stated("SentenceServed", "2022-06-01")]),
        ("deceased", [accused("2022-02-01"), detained("2022-02-02"), died("2022-02-03")]),
    ],
)
def test_the_headline_is_the_first_that_applies(expected: str, story: list[Line]) -> None:
    """Deceased, custody unless it is over, open stage, wanted, ended stage, service (docs/design.md, 3.6)."""
    assert expected == status(*story).summary().headline


def test_each_cell_names_its_fact_and_how_many_reports_it_has() -> None:
    """The date is the text of the best report, `facts` the reports of that event and not of the whole state."""
    vague, exact = detained("2022-03", published="2022-04-01", id="vague"), detained("2022-03-20", id="exact")
    (row,) = statuses_of([vague, exact, detained("2022-04-04", id="later")])

    assert ("detained", "2022-03-20", "exact", 2) == tuple(
        row["custody"][name] for name in ("status", "since", "fact_id", "facts")
    )


def test_a_vague_date_does_not_keep_somebody_suspended() -> None:
    """A suspension "in 2022", known in May, ends with the dismissal of June, and precedes the detention."""
    vague = suspended("2022", published="2022-05-10", post="chief")
    gone = dismissed("2022-06-01", post="chief")

    assert "dismissed" == status(vague, gone).summary().service.status
    assert "detained" == status(vague, detained("2022-04-25")).summary().headline


def test_an_undated_fact_sets_no_status() -> None:
    """It is flagged, and the status follows from the dated facts alone."""
    (row,) = report([appointed("2022-01-01"), detained("XXXX-03-01", id="when")])["subjects"]

    assert ("unknown", "in_office") == (row["custody"]["status"], row["headline"])
    assert [{"code": "undated", "fact_id": "when"}] == row["anomalies"]


def test_an_announced_fact_waits_for_its_instant() -> None:
    """It counts by the log's clock, without any record arriving, strictly past its instant."""
    decree = dismissed("2022-06-01", published="2022-05-15")

    assert "unknown" == report([decree], until="2022-06-02T00:00:00Z")["subjects"][0]["headline"]
    assert "dismissed" == report([decree], until="2022-06-02T00:00:01Z")["subjects"][0]["headline"]


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ("never_charged", "Convicted"),
        ("never_charged", "Acquitted"),
        ("never_charged", "ChargesDropped"),
        ("never_charged", "ChargesAmended"),
        ("never_convicted", "Sentenced"),
        ("no_verdict", "VerdictFinal"),
        ("no_verdict", "VerdictUpheld"),
        ("no_verdict", "VerdictOverturned"),
        ("no_verdict", "AppealFiled"),
        ("appeal_after_final", "Charged Convicted VerdictFinal AppealFiled"),
        ("already_ended", "Charged CaseClosed ChargesDropped"),
        ("not_pardoned", "Charged Convicted PardonAnnulled"),
        ("never_accused", "AllegationWithdrawn"),
        ("never_investigated", "InvestigationSuspended"),
        ("never_investigated", "InvestigationResumed"),
        ("not_suspended", "SuspensionLifted"),
        ("not_dismissed", "DismissalAnnulled"),
        ("not_out_of_office", "Reinstated"),
        ("not_in_custody", "Released"),
        ("not_imprisoned", "SentenceServed"),
        ("not_wanted", "WantedCancelled"),
        ("not_imposed", "MeasureLifted"),
        ("after_death", "Died Appointed"),
        ("after_death", "Died Detained"),
    ],
)
def test_what_does_not_follow_is_applied_and_flagged(code: str, kinds: str) -> None:
    """No fact is refused for being unlikely."""
    more = {"MeasureLifted": {"kind": "travel_ban"}}.get(kinds, {})
    story = lines(*kinds.split(), **more)

    assert [Flag(code, story[-1]["id"])] == [*status(*story).summary().flags]


def test_what_follows_is_not_flagged() -> None:
    """A plain career, from the appointment to the sentence."""
    kinds = "Appointed Suspended SuspensionLifted Dismissed Accused Charged Detained Arrested Released".split()  # noqa: SIM905

    assert [] == [*status(*lines(*kinds, "TrialOpened", "Convicted", "Sentenced", "VerdictFinal")).summary().flags]


def test_the_end_of_a_track_leaves_the_others_alone() -> None:
    """Tracks are parallel: a rule reads a word of each."""
    found = status(dismissed("2022-03-01"), detained("2022-03-02"), charged("2022-03-03"), wanted("2022-03-04"))

    assert [{"dismissed"}, {"detained"}, {"national"}, {"charged"}] == [*map(set, found.words()[:4])]


def test_the_status_before_each_anchor_is_kept() -> None:
    """For the rules that ask about the status at that point."""
    story = [detained("2022-03-01"), dismissed("2022-03-05", id="x"), released("2022-03-06")]
    kept = Status(frozenset({"Dismissed"}), [fact(line) for line in story])
    assert ["x"] == list(kept.before)
    assert (frozenset({"unknown"}), frozenset({"detained"})) == kept.before["x"][:2]


def test_every_spelling_of_a_name_is_kept() -> None:
    """In the order in which they became known; the row has the latest name."""
    story = [
        described("2022-01-01", name="Serik", aliases=["S. K."], post="chief"),
        described("2022-03-01", name="Serik Kudebaev", region="Almaty"),
    ]
    (row,) = statuses_of(story)

    assert ["Serik", "S. K.", "Serik Kudebaev"] == list(status(*story).names)
    assert ("Serik Kudebaev", story[1]["id"]) == (row["name"], row["name_fact_id"])


def test_no_order_of_arrival_changes_a_status() -> None:
    """Every permutation of a story with a correction leads to the same row and the same case."""
    first = convicted("2022-03-03")
    story = [charged("2022-03-01"), first, corrected(first, occurred="2022-03-09"), acquitted("2022-03-05")]
    found = {
        repr((stage_of(each), each.summary().flags, each.summary()))
        for each in (status(*lines) for lines in permutations([*story, made_final("2022-03-10")]))
    }

    assert 1 == len(found)


def test_every_type_of_the_two_tracks_has_its_word() -> None:
    """A new type of the vocabulary must get a meaning here."""
    returns = {"SuspensionLifted", "Reinstated", "DismissalAnnulled"}

    assert set(TRACKS["service"]) == {*ENDS, *APPOINTMENTS, *returns, "Suspended", "Died"}
    assert {"Wanted", "WantedCancelled", "ExtraditionRequested", "ExtraditionRefused"} == (
        set(TRACKS["custody"]) - set(CUSTODY)
    )


def test_arrest_and_release_of_one_day_leave_the_person_released() -> None:
    """The person was not held before, so the arrest came first, in any order of arrival."""
    assert "released" == status(released("2022-03-01"), arrested("2022-03-01")).summary().custody.status
