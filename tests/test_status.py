"""Statuses: three tracks, cases, presumption, headline and anomalies."""

from itertools import permutations
from typing import Any

import pytest

from events.vocabulary import TRACKS
from projections.cells import Cell
from projections.history import Flag
from projections.status import CUSTODY, SERVICE, Status
from tests.stories import (
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
    status,
    suspended,
    told,
    wanted,
)


def lines(*kinds: str, case: str = "c", **data: Any) -> list[Line]:
    """Facts of *kinds*, each a day after the one before, those of the case track in *case*."""
    return [
        told(kind, f"2022-03-{day:02}", case=case, id=f"{day} {kind} {case}", **data)
        for day, kind in enumerate(kinds, 1)
    ]


def closed(*, rehabilitating: bool, case: str = "c") -> list[Line]:
    """A case that was opened and closed."""
    opened = lines("InvestigationOpened", case=case)
    return [*opened, told("CaseClosed", "2022-04-01", case=case, rehabilitating=rehabilitating)]


def stage(*kinds: str) -> str | None:
    """The stage that facts of *kinds* leave."""
    cell = status(*lines(*kinds)).trials.stage
    return cell.status if cell else None


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("", "unknown"),
        ("Appointed", "in_office"),
        ("Appointed Suspended", "suspended"),
        ("Appointed Suspended SuspensionLifted", "in_office"),
        ("Suspended Transferred", "in_office"),
        ("Dismissed Reinstated", "in_office"),
        ("Dismissed DismissalAnnulled", "in_office"),
        ("Appointed Removed", "removed"),
        ("Appointed Dismissed", "dismissed"),
        ("Resigned", "resigned"),
        ("Retired", "retired"),
        ("LeftOffice", "left_office"),
        ("Dismissed Died", "deceased"),
    ],
)
def test_the_service_track(kinds: str, expected: str) -> None:
    """Reinstated, DismissalAnnulled, SuspensionLifted and Transferred give in_office."""
    assert expected == status(*lines(*kinds.split())).service.status


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
        ("Imprisoned SentenceServed", "sentence_served"),
        ("Detained ExtraditionRequested", "detained"),
        ("Detained Wanted", "detained"),
    ],
)
def test_the_custody_track(kinds: str, expected: str) -> None:
    """Being wanted, or a request, is no custody."""
    assert expected == status(*lines(*kinds.split())).custody.status


@pytest.mark.parametrize("end", ["WantedCancelled", "Detained", "Arrested", "Extradited", "Imprisoned", "Died"])
def test_wanted_ends_with(end: str) -> None:
    """Whoever is held, has died, or is no longer looked for, is not wanted."""
    assert status(*lines("Wanted")).wanted is not None
    assert status(*lines("Wanted", end)).wanted is None


@pytest.mark.parametrize("kind", ["HouseArrested", "Bailed", "Released", "ExtraditionRequested", "SentenceServed"])
def test_wanted_does_not_end_with(kind: str) -> None:
    """Only what the design names ends it."""
    assert status(*lines("Wanted", kind)).wanted is not None


def test_the_scope_of_being_wanted() -> None:
    """National where no source says more; a source that names no scope does not narrow what another said."""
    abroad = wanted("2022-03-01", scope="international")

    assert "national" == status(wanted("2022-03-02")).point().wanted
    assert "international" == status(abroad, wanted("2022-03-02")).point().wanted
    assert "national" == status(abroad, wanted("2022-03-02", scope="national")).point().wanted


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
        ("Convicted AppealFiled VerdictUpheld", "convicted"),
        ("Convicted AppealFiled VerdictUpheld VerdictFinal", "final"),
        ("Convicted VerdictOverturned", "overturned"),
        ("Acquitted", "acquitted"),
        ("Acquitted AppealFiled", "appeal"),
        ("Acquitted AppealFiled VerdictUpheld", "acquitted"),
        ("Acquitted VerdictFinal", "acquitted"),
        ("Charged ChargesDropped", "dropped"),
        ("Charged CaseClosed", "closed"),
        ("Accused AllegationWithdrawn", "dropped"),
        ("Charged AllegationWithdrawn", "charged"),
        ("Convicted Amnestied", "amnestied"),
        ("Convicted Pardoned", "pardoned"),
        ("Charged InvestigationResumed", "charged"),
        ("Charged Accused", "charged"),
        ("VerdictFinal", None),
    ],
)
def test_the_stage_of_a_case(kinds: str, expected: str | None) -> None:
    """While it is open it only goes forward; a verdict is never guessed."""
    assert expected == stage(*kinds.split())


@pytest.mark.parametrize(
    "end", ["ChargesDropped", "CaseClosed", "Acquitted", "Amnestied", "Pardoned", "VerdictOverturned", "VerdictFinal"]
)
def test_a_case_that_ended_is_opened_again_by_a_later_fact(end: str) -> None:
    """An end is an end until the case goes on."""
    ended = lines("Charged", "Convicted", end)
    again = told("InvestigationResumed", "2022-05-01", case="c")

    assert 0 == status(*ended).trials.open_cases
    assert (1, "investigation") == (status(*ended, again).trials.open_cases, status(*ended, again).point().stage)


def test_the_furthest_open_case_leads() -> None:
    """An ended case stands back behind an open one, however far it came."""
    ended = lines("Charged", "Convicted", "VerdictFinal", case="old")
    first, second = accused("2022-05-01", case="one"), charged("2022-04-01", case="two")

    assert "final" == status(*ended).point().stage
    assert "charged" == status(*ended, first, second).point().stage
    assert 2 == status(*ended, first, second).trials.open_cases


def test_of_ended_cases_the_one_that_ended_last_leads() -> None:
    """By world order, not by arrival."""
    early, late = lines("Acquitted", case="x"), [told("ChargesDropped", "2022-06-01", case="w")]

    assert "dropped" == status(*late, *early).point().stage


def test_what_changes_no_stage_ends_no_case_again() -> None:
    """A withdrawal of an allegation against whom the charges were dropped before is heard, and moves nothing."""
    dropped, late = lines("Charged", "ChargesDropped", case="x"), told("AllegationWithdrawn", "2022-06-01", case="x")

    assert "acquitted" == status(*dropped, acquitted("2022-05-01", case="w"), late).point().stage


def test_charges_and_authority_are_those_last_stated() -> None:
    """Each with the fact that states them."""
    first = charged("2022-03-01", charges=[{"title": "bribe"}], authority="NSC")
    case = status(first, investigated("2022-04-01", authority="court")).cases["c"]

    assert ([{"title": "bribe"}], first["id"]) == (case.charges, case.charges_by)
    assert "court" == case.authority


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
        ("convicted_not_final", lines("Charged", "Convicted", "VerdictFinal", "AppealFiled")),
        ("cleared", lines("Charged", "Convicted", "VerdictFinal", "AppealFiled", "VerdictOverturned")),
        ("cleared", lines("Charged", "Acquitted")),
        ("cleared", lines("Charged", "Acquitted", "VerdictFinal")),
        ("cleared", lines("Charged", "ChargesDropped")),
        ("cleared", lines("Accused", "AllegationWithdrawn")),
        ("cleared", lines("Charged", "Convicted", "VerdictOverturned")),
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
    """Convicted only by a final verdict; cleared only if every case ended in a way that clears."""
    assert expected == status(*story).trials.presumption


@pytest.mark.parametrize(
    ("expected", "story"),
    [
        ("unknown", []),
        ("in_office", [appointed("2022-01-01")]),
        ("wanted", [appointed("2022-01-01"), wanted("2022-02-01")]),
        ("acquitted", [appointed("2022-01-01"), acquitted("2022-01-05"), wanted("2022-02-01")]),
        ("accused", [acquitted("2022-01-05"), accused("2022-02-01", case="d"), wanted("2022-02-01")]),
        ("accused", [accused("2022-02-01"), detained("2022-02-02"), released("2022-02-03")]),
        ("detained", [accused("2022-02-01"), detained("2022-02-02")]),
        ("sentence_served", [*lines("Convicted", "VerdictFinal"), told("SentenceServed", "2022-06-01")]),
        ("deceased", [accused("2022-02-01"), detained("2022-02-02"), died("2022-02-03")]),
    ],
)
def test_the_headline_is_the_first_that_applies(expected: str, story: list[Line]) -> None:
    """Deceased, custody (not released), the open stage, the ended stage, wanted, the service status."""
    assert expected == status(*story).headline()


def test_each_cell_names_its_fact_and_how_many_agree() -> None:
    """Since when comes from the first of them, as vague as it is."""
    first, second = detained("2022-03", published="2022-04-01"), detained("2022-04-02")

    assert status(first, second).custody == Cell("detained", *fact(first).occurred[:2], first["id"], 2)
    assert 1 == status(first, second, released("2022-04-03"), detained("2022-04-04")).custody.facts


def test_a_vague_date_does_not_keep_somebody_suspended() -> None:
    """Suspended "in 2022", as known in May, is over with the dismissal of June, and stands before the detention."""
    vague = suspended("2022", published="2022-05-10")

    assert "dismissed" == status(vague, dismissed("2022-06-01")).service.status
    assert "suspended" == status(vague, dismissed("2022-04-01")).service.status
    assert "detained" == status(vague, detained("2022-04-25")).headline()


def test_an_undated_fact_sets_no_status() -> None:
    """It is flagged, and the status stays what the dated facts say."""
    (row,) = report([appointed("2022-01-01"), detained("XXXX-03-01", id="when")])["subjects"]

    assert ("unknown", "in_office") == (row["custody"]["status"], row["headline"])
    assert [{"code": "undated", "fact_id": "when"}] == row["anomalies"]


def test_an_announced_fact_waits_for_its_instant() -> None:
    """By the log's clock, without any record arriving, strictly past it."""
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
        ("never_convicted", "Pardoned"),
        ("never_convicted", "Sentenced"),
        ("no_verdict", "VerdictFinal"),
        ("no_verdict", "AppealFiled"),
        ("never_accused", "AllegationWithdrawn"),
        ("never_investigated", "InvestigationSuspended"),
        ("never_investigated", "InvestigationResumed"),
        ("not_suspended", "SuspensionLifted"),
        ("not_dismissed", "DismissalAnnulled"),
        ("not_out_of_office", "Reinstated"),
        ("not_in_custody", "Released"),
        ("not_imprisoned", "SentenceServed"),
        ("not_wanted", "WantedCancelled"),
        ("after_death", "Died Appointed"),
        ("after_death", "Died Detained"),
    ],
)
def test_what_does_not_follow_is_applied_and_flagged(code: str, kinds: str) -> None:
    """Nothing is refused for being unlikely."""
    story = lines(*kinds.split())

    assert [Flag(code, story[-1]["id"])] == status(*story).anomalies


def test_what_follows_is_not_flagged() -> None:
    """A plain career, from the appointment to the sentence."""
    kinds = "Appointed Suspended SuspensionLifted Dismissed Accused Charged Detained Arrested Released".split()  # noqa: SIM905

    assert [] == status(*lines(*kinds, "TrialOpened", "Convicted", "Sentenced", "VerdictFinal")).anomalies


def test_the_end_of_a_track_leaves_the_others_alone() -> None:
    """Parallel, never one word alone."""
    found = status(dismissed("2022-03-01"), detained("2022-03-02"), charged("2022-03-03"), wanted("2022-03-04"))

    assert ("dismissed", "detained", "national", "charged", 1, "presumed_innocent") == found.point()


def test_what_is_known_of_a_person_is_what_was_said_last() -> None:
    """Names are kept in every spelling; a transfer names the new post."""
    found = status(
        described("2022-01-01", name="Serik", aliases=["S. K."], post="chief"),
        told("Transferred", "2022-02-01", post="chief", to_post="deputy", to_agency="NSC"),
        described("2022-03-01", name="Serik Kudebaev", region="Almaty"),
    )

    assert ["Serik", "S. K.", "Serik Kudebaev"] == list(found.names)
    known = {name: value for name, (value, _) in found.described.items()}
    assert {"name": "Serik Kudebaev", "post": "deputy", "agency": "NSC", "region": "Almaty"} == known


def test_the_status_before_each_anchor_is_kept() -> None:
    """For the rules that ask what was so at that point."""
    story = [detained("2022-03-01"), dismissed("2022-03-05", id="x"), released("2022-03-06")]
    kept = Status(frozenset({"Dismissed"}), [fact(line) for line in story])

    assert ["x"] == list(kept.before)
    assert ("unknown", "detained") == kept.before["x"][:2]


def test_no_order_of_arrival_changes_a_status() -> None:
    """Every permutation of a story with a correction gives the same row and the same case."""
    first = convicted("2022-03-03")
    story = [charged("2022-03-01"), first, corrected(first, occurred="2022-03-09"), acquitted("2022-03-05")]
    found = {
        repr((each.point(), each.anomalies, each.trials.stage))
        for each in (status(*lines) for lines in permutations([*story, made_final("2022-03-10")]))
    }

    assert 1 == len(found)


def test_every_type_of_the_two_tracks_has_its_word() -> None:
    """A type that the vocabulary gains must be given a meaning here."""
    assert set(TRACKS["service"]) == set(SERVICE)
    assert set(TRACKS["custody"]) - {"Wanted", "WantedCancelled", "ExtraditionRequested"} == set(CUSTODY)


def test_arrest_and_release_of_one_day_leave_the_person_released() -> None:
    """The rank of the type decides, not the order of arrival."""
    assert "released" == status(released("2022-03-01"), arrested("2022-03-01")).custody.status
