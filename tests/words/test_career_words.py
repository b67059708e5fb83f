"""Posts, custody, searches, measures and notes in words: each is separate, with the facts that support it."""

from typing import Any

import pytest

from projections.rules.values import STATUSES
from projections.subjects.view import NOW
from services.words.careers import described, holds, measures, posts, searches, unread_words
from services.words.facts import detail_words, field_lines
from services.words.listing import list_words
from services.words.person import person_lines
from services.words.terms import ANOMALIES, charge_words, on_words, part_words, stage_words, term_words
from tests.support.builders import (
    Line,
    acquitted,
    appointed,
    charged,
    convicted,
    detained,
    died,
    dismissed,
    stated,
    suspended,
)
from tests.support.status_rows import Row, case, cell, count, hold, measure, post, row, search, view_of

WORDS = {"post": "head", "agency": "Police", "region": "North"}
BEGAN = appointed("2020-05", **WORDS)
ENDED = dismissed("2022-03~", published="2022-04-10", occurred_text="in spring", ground="loss of trust", **WORDS)


def shown(status: Row, *lines: Line) -> str:
    """All lines that are printed about a person."""
    return "\n".join(person_lines(status, view_of(*lines), NOW))


def test_a_former_post_is_called_former_and_says_how_it_ended() -> None:
    """The words have post, agency and region, the end with its date as written, the ground, and the beginning."""
    (found,) = posts(row(posts=[post("dismissed", ENDED, BEGAN)]), view_of(BEGAN, ENDED))

    assert (
        "former head, Police, North: dismissed, since 2022-03~ (“in spring”); ground: “loss of trust”;"
        " held since 2020-05"
    ) == found.text
    assert (ENDED["id"], BEGAN["id"]) == found.fact_ids


def test_posts_held_at_once_stand_apart() -> None:
    """A dismissal from one post and an embassy do not hide each other, and their words are not mixed."""
    envoy = appointed("2023-01-01", post="ambassador", acting=True, id="envoy")
    status = row(posts=[post("dismissed", ENDED, BEGAN), post("in_office", envoy, envoy, acting=True)])
    texts = [found.text for found in posts(status, view_of(BEGAN, ENDED, envoy))]

    assert texts[0].startswith("former head, Police, North: dismissed")
    assert "acting ambassador: in office, since 2023-01-01" == texts[1]


def test_a_suspension_shows_the_end_that_was_ordered() -> None:
    """No source reported that it ended on that day."""
    held = suspended("2022-03-01", until="2022-06-01", **WORDS)
    (found,) = posts(row(posts=[post("suspended", held)]), view_of(held))

    assert (
        "head, Police, North: suspended, since 2022-03-01;"
        " suspended until 2022-06-01 as ordered, nothing newer is known"
    ) == found.text


def test_a_post_that_no_source_names_is_not_called_by_another() -> None:
    """Missing words are not replaced by others."""
    left = stated("Resigned", "2022-03-01")
    (found,) = posts(row(posts=[post("resigned", left)]), view_of(left))

    assert "resigned from a post that no source names, since 2022-03-01" == found.text


def test_the_post_at_the_top_is_called_former_where_it_has_ended() -> None:
    """It is not, if only a description names it: a description states no end."""
    ended = row(posts=[post("dismissed", ENDED)], **WORDS)

    assert "former head, Police, North" == described(ended)
    assert "head, Police, North" == described(row(**WORDS))
    assert "KZ" == described(row(jurisdiction="KZ"))


def test_custody_is_told_for_each_case() -> None:
    """Released in one case and in prison in another: the release does not hide the prison."""
    free = stated("Released", "2022-05-01", case="one")
    jail = stated("Imprisoned", "2022-04-01", case="two", place="colony 5")
    status = row(custody=cell("imprisoned", jail), custody_cases=[hold("released", free), hold("imprisoned", jail)])
    printed = shown(status, free, jail)

    assert "Custody: imprisoned, since 2022-04-01" in printed
    assert "  in case one: released, since 2022-05-01" in printed
    assert "  in case two: imprisoned, since 2022-04-01; at colony 5" in printed


def test_an_order_that_has_run_out_is_shown_as_an_order() -> None:
    """Nothing changes by itself when its day passes."""
    held = detained("2024-01-05", case="c", until="2024-03-01", authority="City Court")
    (found,) = holds(row(custody_cases=[hold("detained", held)]), view_of(held))

    assert (
        "in case c: detained, since 2024-01-05; by City Court;"
        " detained until 2024-03-01 as ordered, nothing newer is known"
    ) == found.text


def test_a_hold_that_is_left_out_says_why() -> None:
    """The case ended in acquittal and no release was reported: the person is not called detained."""
    held, free = detained("2022-03-01", case="c"), acquitted("2023-01-01")
    status = row(
        case(count("acquitted", free), stage="acquitted", open=False),
        custody_cases=[hold("detained", held, counted=False)],
    )

    assert "the case ended without a conviction, and no release was reported" in shown(status, held, free)
    assert "unknown; no release reported" == list_words(status).custody


def test_a_release_that_was_reported_is_not_said_to_be_missing() -> None:
    """The case ended, and so did the custody."""
    free, gone = acquitted("2023-01-01"), stated("Released", "2023-01-02", case="c")
    status = row(
        case(count("acquitted", free), stage="acquitted", open=False),
        custody_cases=[hold("released", gone, counted=False)],
    )

    assert "no release" not in shown(status, free, gone).lower()
    assert "unknown" == list_words(status).custody


def test_the_dead_are_in_no_custody() -> None:
    """The custody and the post ended with the death."""
    gone, held = died("2023-01-01"), detained("2022-03-01", case="c", until="2024-01-01")
    status = row(
        service=cell("deceased", gone), custody=cell("deceased", gone), headline="deceased",
        custody_cases=[hold("deceased", gone, until="2024-01-01", case_id="c")],
        posts=[post("deceased", gone, None, **WORDS)],
    )  # fmt: skip
    printed = shown(status, held, gone)

    assert "Service: deceased, since 2023-01-01" in printed
    assert "Custody: ended by the death, since 2023-01-01" in printed
    assert "  in case c: ended by the death, since 2023-01-01\n" in printed
    assert "former head, Police, North: ended by the death" in printed
    assert "detained" not in printed


def test_of_the_dead_who_were_never_held_no_custody_is_told() -> None:
    """The end of a custody would imply that there was one."""
    gone = died("2023-01-01")
    status = row(service=cell("deceased", gone), custody=cell("deceased", gone), headline="deceased")

    assert "Custody" not in shown(status, gone)
    assert "" == list_words(status).custody


def test_searches_name_scope_country_case_and_authority() -> None:
    """Two countries search for two reasons."""
    one = stated("Wanted", "2022-03-01", case="c", scope="international", jurisdiction="KG", authority="Interpol")
    (found,) = searches(row(searches=[search(one)]), view_of(one))

    assert "in case c: international search, since 2022-03-01; jurisdiction KG; by Interpol" == found.text


def test_measures_stand_with_their_programme_and_end() -> None:
    """A sanction is not custody, and is listed separately."""
    one = stated("MeasureImposed", "2022-03-01", title="SDN list", authority="OFAC", program="GLOMAG", until="2025")
    one["data"]["kind"] = "sanction"
    printed = shown(row(measures=[measure(one)]), one)

    assert "Measures:\n  sanction “SDN list”, since 2022-03-01; by OFAC; programme GLOMAG;" in printed
    assert (
        "in force until 2025 as ordered, nothing newer is known"
        in next(measures(row(measures=[measure(one)]), view_of(one))).text
    )


def test_notes_and_noted_facts_are_shown() -> None:
    """An impeachment has no type of its own, and a note may have the most important words."""
    noted = stated("Noted", "2022-02-01", title="Impeached", text="By 53 of 59.", classes=["impeachment"])
    charge = charged("2022-03-01", note="he was abroad")
    printed = shown(row(case(count())), noted, charge)

    assert "Noted:\n  2022-02-01: Impeached: By 53 of 59. (impeachment)\n    published 2022-02-01" in printed
    assert "    note: he was abroad\n" in printed


@pytest.mark.parametrize(
    ("unread", "expected"), [(1, "1 record about this person waits"), (2, "2 records about this person wait"), (0, "")]
)
def test_records_that_wait_are_told(unread: int, expected: str) -> None:
    """A reader learns that there are records that could not be read."""
    assert unread_words(row(unread=unread)).startswith(expected)
    assert expected in shown(row(unread=unread), BEGAN)
    assert bool(unread) == ("wait" in shown(row(unread=unread), BEGAN))


def test_the_cell_of_a_track_names_its_fact_where_no_part_does() -> None:
    """Each statement has its source exactly once."""
    printed = shown(row(service=cell("dismissed", ENDED), posts=[post("dismissed", ENDED)]), ENDED)
    alone = shown(row(service=cell("dismissed", ENDED, facts=3)), ENDED)

    assert 1 == printed.count(f"    published 2022-04-10, fact {ENDED['id']}")
    grounds = f"    published 2022-04-10, fact {ENDED['id']}"
    assert f"Service: dismissed, since 2022-03~ (“in spring”); 3 facts say so\n{grounds}" in alone


def test_a_suspended_investigation_and_a_case_of_custody_alone_are_told() -> None:
    """The first is not an end, and the second is not a charge."""
    paused = stated("InvestigationSuspended", "2022-03-01", case="c")
    status = row(
        case(count(), stage="investigation", suspended=True, suspended_fact_id=paused["id"]),
        case(stage=None, case_id="held"),
    )
    printed = shown(status, paused)

    assert "Case c: open, investigation (no verdict); the investigation is suspended" in printed
    assert "The investigation is suspended (Investigation suspended, 2022-03-01" in printed
    assert "Case held: open, known only from custody or a search" in printed


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([case(count(), stage="trial")], "trial (no verdict)"),
        ([case(count(), stage="accused")], "accused (no verdict)"),
        ([case(count("acquitted", acquitted("2022-01-01")), stage="acquitted", open=False)], "ended: ACQUITTED"),
    ],
)
def test_a_stage_in_a_list_reads_as_an_accusation_or_as_its_end(cases: list[Row], expected: str) -> None:
    """One word such as "charged" would be read as more."""
    assert expected == list_words(row(*cases)).case


@pytest.mark.parametrize(
    ("final", "expected"), [(True, "convicted in another case"), (False, "found guilty in another case, not final")]
)
def test_a_list_states_the_conviction_of_another_case_beside(final: bool, expected: str) -> None:  # noqa: FBT001
    """The trial is in one case and the verdict in another. Neither has the words of the other."""
    verdict = convicted("2020-01-01", case="old")
    other = case(count("convicted", verdict, final=final), case_id="old", open=not final, stage="convicted")
    other["stage"]["fact_id"] = verdict["id"]
    status = row(case(count(), stage="trial"), other)

    assert f"trial (no verdict); {expected}" == list_words(status).case


def test_a_list_does_not_state_a_disciplinary_decision_as_a_conviction() -> None:
    """A disciplinary case is another kind of case."""
    verdict = convicted("2020-01-01", case="old")
    other = case(count("convicted", verdict, final=True), case_id="old", kind="disciplinary", open=False)

    assert ("trial (no verdict)", "presumed innocent") == list_words(row(case(count(), stage="trial"), other))[1:]


def test_a_list_says_what_a_pardon_and_an_open_case_leave() -> None:
    """A pardon does not undo the verdict, and a verdict proves nothing in another case."""
    verdict = convicted("2020-01-01", case="old")
    pardoned = count("pardoned", verdict, verdict="convicted", verdict_fact_id=verdict["id"], final=True)
    old = case(pardoned, case_id="old", stage="pardoned", open=False)

    assert "convicted by a final verdict, pardoned" == list_words(row(old)).before_the_law
    assert "convicted by a final verdict, pardoned; presumed innocent in what is open" == (
        list_words(row(old, case(count()))).before_the_law
    )


def test_a_stage_that_outlived_its_verdict_is_not_called_by_it() -> None:
    """The stage never goes back. After the acquittal on appeal, the words do not say "found guilty"."""
    mixed = case(count("acquitted", acquitted("2022-01-01"), title="x"), count(title="y"), stage="convicted")

    assert "not decided on every charge" == list_words(row(mixed)).case


def test_a_new_trial_beside_a_verdict_is_not_told_as_if_there_were_none() -> None:
    """The case was opened again on one charge; the final verdict on the other stands."""
    verdict = convicted("2020-01-01")
    mixed = case(count("convicted", verdict, title="x", final=True), count(title="y"), stage="trial")

    assert "trial (no verdict on some charges); convicted by a final verdict on others" == list_words(row(mixed)).case


@pytest.mark.parametrize("status", STATUSES["stage"])
def test_every_stage_has_words_that_do_not_say_more(status: str) -> None:
    """Before a verdict, each stage states that there is none. In other kinds of case, no stage mentions a verdict."""
    assert any(word in stage_words(status) for word in ("no verdict", "ended: ", "not final", "undecided"))
    assert not any(word in stage_words(status, "civil") for word in ("verdict", "guilty", "convicted", "ACQUITTED"))


def test_every_flag_has_words() -> None:
    """Each is a sentence about the fact before it, and names the anomaly."""
    flagged = row(anomalies=[{"code": code, "fact_id": BEGAN["id"]} for code in ANOMALIES])

    assert len(ANOMALIES) == shown(flagged, BEGAN).count(f"  Appointed, 2020-05 (fact {BEGAN['id']}) ")
    assert not [text for text in ANOMALIES.values() if text[0].isupper() or text.endswith(".")]


@pytest.mark.parametrize(
    ("type_", "data", "expected"),
    [
        ("Detained", {"until": "2024-03-01"}, "until, as ordered or announced: 2024-03-01"),
        ("Dismissed", {"ground": "loss of trust"}, "ground: loss of trust"),
        ("PleaEntered", {"plea": "no_contest"}, "plea: no contest"),
        ("PleaEntered", {"bargain": True}, "part of an agreement with the prosecution: yes"),
        ("Sentenced", {"parts": [{"kind": "probation", "term": "P1Y"}]}, "parts of the sentence: probation, 1 year"),
        ("VerdictOverturned", {"outcome": "remitted"}, "outcome: sent back to a court"),
        ("Convicted", {"final": True}, "final at once: yes"),
        ("Pardoned", {"scope": "partial"}, "scope: partial"),
        ("TrialOpened", {"in_absentia": False}, "in the person's absence: no"),
        ("Appointed", {"acting": True}, "for the time being only: yes"),
        ("Elected", {"concurrent": True}, "posts held before are kept: yes"),
        ("Arrested", {"after": ["x"]}, "said to come after: a fact that is not known (x)"),
        ("Arrested", {"after": [BEGAN["id"]]}, f"said to come after: Appointed, 2020-05 (fact {BEGAN['id']})"),
        ("Noted", {"classes": ["a", "b"]}, "classes: a, b"),
        ("Noted", {"classes": []}, "classes: (none)"),
        ("RelationAsserted", {"relation_text": "cousin"}, "relation in the source's words: cousin"),
        ("MeasureImposed", {"kind": "travel_ban"}, "kind of measure: travel ban"),
        ("Charged", {"kind": "disciplinary"}, "kind of case: disciplinary"),
        ("AppealFiled", {"by": "prosecution"}, "by: the prosecution"),
        ("Bailed", {"amount": 5000, "currency": "USD"}, "amount: 5,000 USD"),
        ("CaseClosed", {"rehabilitating": False}, "on a ground that rehabilitates: no"),
    ],
)
def test_each_field_of_a_fact_has_its_words(type_: str, data: dict[str, Any], expected: str) -> None:
    """A history is for people: no field is printed as JSON, and no code as a code."""
    assert [expected] == list(field_lines(view_of(BEGAN), type_, data))


def test_a_step_of_a_case_leaves_out_the_names_of_its_fields() -> None:
    """One line has the charges, the court and the absence of the accused."""
    data = {
        "case_id": "c",
        "authority": "City Court",
        "charges": [{"title": "fraud"}],
        "in_absentia": True,
        "note": "x",
    }

    assert "by City Court; fraud; in the person's absence" == detail_words(view_of(BEGAN), "Convicted", data)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("P1Y6M", "1 year 6 months"),
        ("P10D", "10 days"),
        ("P2W", "2 weeks"),
        ("PT36H30M", "36 hours 30 minutes"),
        ("P1YT1H", "1 year 1 hour"),
    ],
)
def test_a_term_is_written_out(term: str, expected: str) -> None:
    """M before the T is a month, and M after it is a minute."""
    assert expected == term_words(term)


def test_a_part_of_a_sentence_has_only_what_is_stated() -> None:
    """It has the kind alone, or with its length, its sum and its end."""
    assert "death penalty" == part_words({"kind": "death"})
    assert "suspended imprisonment, 2 years" == part_words({"kind": "suspended_imprisonment", "term": "P2Y"})


@pytest.mark.parametrize(
    ("charge", "expected"),
    [
        ({"title": "fraud", "article": "190", "amount": 5, "currency": "USD"}, "fraud, article 190, 5 USD"),
        ({"article": "190"}, "article 190"),
        ({"count_id": "7", "counts": 3}, "count 7, 3 counts"),
        ({"title": "fraud", "article": None, "amount": None}, "fraud"),
    ],
)
def test_a_charge_is_called_by_what_is_stated_of_it(charge: dict[str, Any], expected: str) -> None:
    """It is named by its title, else by its article, else by the number of the tool."""
    assert expected == charge_words(charge)


@pytest.mark.parametrize(
    ("occurred", "expected"),
    [
        ("2022-03-01", "on 2022-03-01"),
        ("2022-03-01~", "on 2022-03-01~"),
        ("2022-03", "in 2022-03"),
        ("2022?", "in 2022?"),
        ("2022-03-01T10:00:00Z", "at 2022-03-01T10:00:00Z"),
        ("../2022-03", "not later than 2022-03"),
        ("2022-03/..", "not earlier than 2022-03"),
        ("2022-03-01/2022-03-09", "between 2022-03-01 and 2022-03-09"),
        ("XXXX-03-01", "dated XXXX-03-01"),
    ],
)
def test_a_date_in_a_sentence_is_no_finer_than_its_source(occurred: str, expected: str) -> None:
    """It is printed as the source wrote it, with its marks."""
    assert expected == on_words(occurred)
