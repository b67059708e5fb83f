"""Edges of the rule language: orders of arrival, corrections, poorer reports, undated facts."""

from pathlib import Path

import pytest

from tests.rules.test_language import DAY, absence, sequence, states
from tests.support.builders import alerts, charged, convicted, corrected, detained, dismissed, released, stated
from tests.support.rules import SEQUENCE, problems


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test."""
    monkeypatch.chdir(tmp_path)


class TestReviewed:
    """Histories in which a rule once said too much, or something else in another order."""

    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 1, 3, 2), (3, 2, 1, 0), (1, 3, 0, 2)])
    def test_an_exemption_by_custody_reads_the_facts_of_cases(self, order: tuple[int, ...]) -> None:
        """An acquittal ends a hold, so it can change whether a later detention was exempt, whenever it is recorded."""
        rules = absence(on="Detained", absent=["Released", "Dismissed"], unless={"custody": ["detained"]})
        facts = [
            detained("2022-03-01", case="d", id="first"),
            stated("Acquitted", "2022-03-01", case="d", id="free"),
            detained("2022-03-27", case="d", id="second"),
            charged("2022-03-03", case="d", id="charge"),
        ]
        story = [facts[i] | {"recorded": f"2022-05-{n + 1:02}T00:00:00Z"} for n, i in enumerate(order)]
        expected = {alert["anchor"] for alert in alerts(facts, "2030", rules) if alert["state"] == "open"}

        assert expected == {alert["anchor"] for alert in alerts(story, "2030", rules) if alert["state"] == "open"}

    def test_a_corrected_note_does_not_retract_an_alert_that_looks_back(self) -> None:
        """The event has been known since its first report."""
        first = detained("2022-03-01", id="first", recorded="2022-03-02T00:00:00Z")
        note = corrected(first, "2022-06-01", note="a remark") | {"recorded": "2022-06-02T00:00:00Z"}
        rules = absence(on="Detained", absent="Dismissed", before=10 * DAY, settle=7 * DAY, **{"for": None})

        assert ["open"] == states([first, note], rules)

    def test_an_undated_fact_of_another_case_prevents_nothing(self) -> None:
        """The conditions of the rule are asked of undated facts too."""
        rules = absence(on="Charged", absent="Convicted", same="case_id")
        other = convicted("XXXX-03-05", case="other", published="2022-12-01", recorded="2022-12-01T00:00:00Z")

        assert ["open"] == states([charged("2022-03-01", case="c"), other], rules)

    def test_a_poorer_report_does_not_undo_what_another_decides(self) -> None:
        """The second report names no case, and the first names another one."""
        rules = absence(on="Detained", absent="Charged", same="case_id")
        story = [
            detained("2022-03-01", case="c", id="one"),
            charged("2022-03-05", case="other", id="charge"),
            detained("2022-03-01", id="two", recorded="2022-12-01T00:00:00Z"),
        ]

        assert ["open"] == states(story, rules)

    @pytest.mark.parametrize(
        "keys",
        [
            {"where": {"anchor.ground": "bribery", "absent.jurisdiction": "KZ"}},
            {"where": {"anchor.ground": "bribery"}, "same": "jurisdiction"},
        ],
        ids=["where", "same"],
    )
    def test_a_report_that_fulfils_no_condition_decides_nothing(self, keys: dict[str, object]) -> None:
        """The charge names no jurisdiction, and so may count, whatever other ground a second paper states."""
        papers = [dismissed("2022-03-01", id=ground, ground=ground) for ground in ("bribery", "reform")]

        assert [] == states([*papers, charged("2022-03-10")], absence(absent="Charged", **keys))

    def test_a_case_that_may_be_old_prevents_a_silence_about_new_ones(self) -> None:
        """An investigation some day of the year leaves open whether the case was there before."""
        rules = absence(on="Dismissed", absent="Charged", new="case_id")
        vague = stated("InvestigationOpened", "2022", case="n", published="2023-01-01")

        assert [] == states([dismissed("2022-03-10"), charged("2022-03-20", case="n"), vague], rules)

    def test_a_post_reached_by_a_transfer_is_not_new(self) -> None:
        """`to_post` was a post of the person as well."""
        rules = sequence(then="Appointed", new="post")
        moved = stated("Transferred", "2021-03-01", to_post="Chief")

        assert [] == states([moved, dismissed("2022-03-01"), stated("Appointed", "2022-04-01", post="Chief")], rules)

    def test_the_sentence_names_a_follow_up_that_lasts(self) -> None:
        """After a release, the alert opens again by the second detention, and says so."""
        rules = sequence(over="Released", explain="{name} is held since {then.occurred}.")
        story = [dismissed("2022-03-01"), detained("2022-03-05"), released("2022-03-08"), detained("2022-03-20")]
        (alert,) = alerts(story, "2030", rules)

        assert ("open", True) == (alert["state"], alert["explanation"].endswith("is held since 2022-03-20."))

    def test_a_jurisdiction_is_found_in_any_case(self) -> None:
        """A rule for kz would be silent for ever if the case of letters counted."""
        assert ["open"] == states([dismissed("2022-03-01", jurisdiction="KZ")], absence(jurisdiction="kz"))

    def test_a_wrong_number_beside_another_is_named(self) -> None:
        """The mistake is reported and does not end the check."""
        where = "{anchor.charges: {some: {amount: {at_most: abc}, currency: KZT}}}"

        assert problems(SEQUENCE.replace("[Dismissed]", "Charged") + f"    where: {where}\n")
