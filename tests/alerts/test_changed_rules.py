"""A changed rule: its alerts are superseded and open again quietly, and receivers are told of real ends only."""

import pytest

from projections.alerts.rules_change import rules_change
from projections.rules.patterns.pattern import Rule
from projections.rules.rulebook import Rulebook
from projections.tables.schema import LIVE, ledger
from tests.support.builders import arrested, corrected, detained, dismissed, rows
from tests.support.desk import DAY, Desk, sequence, silence

DISMISSED = dismissed("2022-03-01", recorded="2022-03-02T00:00:00Z")
DETAINED = detained("2022-03-20", recorded="2022-03-21T00:00:00Z")
LATE = detained("2022-03-20", recorded="2022-07-01T00:00:00Z")
LATER = detained("2022-06-20", recorded="2022-07-01T00:00:00Z")


def standing(rule: Rule | None = None) -> Desk:
    """Return a desk with an open alert about silence, of which receivers were told."""
    desk = Desk(rule or silence()).facts(DISMISSED).time("2022-05-01")
    assert ["open"] == desk.told()
    return desk


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Quiet"},
        {"explain": "{name}: silence."},
        {"ended_explain": "{name}: over."},
        {"retracted_explain": "{name}: not so."},
        {"why": "It is unusual."},
        {"wrong_when": "The source is slow."},
    ],
)
def test_words_are_no_other_version(changes: dict[str, str]) -> None:
    """Other words are another entry in the ledger, but no other version, no change of an alert and no notice."""
    desk = standing().seen().rules(silence(**changes))

    assert silence().version == silence(**changes).version
    assert 2 == len([row for row in rows(desk.engine, ledger) if row["entry"] == "rules"])
    assert [("open", "deadline"), ("acknowledged", "person")] == desk.life()
    assert ["open", "acknowledged"] == desk.rebuilt().told()


def test_a_new_sentence_is_put_into_a_standing_alert() -> None:
    """A new sentence of the rule changes the sentence of a standing alert, and keeps its acknowledgement."""
    desk = standing().seen().rules(silence(explain="{name}: silence since {anchor.occurred}."))

    assert ("acknowledged", "a: silence since 2022-03-01.") == (desk.alert()["state"], desk.alert()["explanation"])


@pytest.mark.parametrize("changes", [{"severity": "critical"}, {"for": 20 * DAY}, {"settle": DAY}])
def test_content_is_another_version(changes: dict[str, object]) -> None:
    """Severity, lengths and types are content: another version."""
    assert silence().version != silence(**changes).version


def test_the_same_rules_write_no_entry() -> None:
    """A restart with the same rules writes no entry."""
    desk = standing().rules(silence())

    assert 1 == len([row for row in rows(desk.engine, ledger) if row["entry"] == "rules"])


def test_an_alert_continues_under_another_version_and_nobody_is_told() -> None:
    """If the new version finds its pattern too, both rows are written at one instant, and nobody is told."""
    desk = standing().rules(silence(**{"for": 20 * DAY}))
    changes = rows(desk.engine, LIVE.alert_changes)

    assert [("open", "deadline"), ("superseded", "rule_changed"), ("open", "rule_changed")] == desk.life()
    assert changes[1]["at"] == changes[2]["at"]
    assert silence(**{"for": 20 * DAY}).version == desk.alert()["rule_version"]
    assert ["open"] == desk.rebuilt().told()


def test_the_end_of_an_alert_that_continued_is_told() -> None:
    """Receivers that heard of the opening hear of the end, also after a quiet change of rules."""
    desk = standing().rules(silence(**{"for": 20 * DAY})).facts(LATER)

    assert ["open", "resolved"] == desk.rebuilt().told()


def test_an_acknowledgement_stays() -> None:
    """An acknowledgement stays under another version: the second row names the person and the note."""
    desk = standing().seen().rules(silence(**{"for": 20 * DAY})).rules(silence(**{"for": 10 * DAY}))
    last = rows(desk.engine, LIVE.alert_changes)[-1]

    assert ("acknowledged", "rule_changed", "kim", "asked") == (
        last["state"], last["cause"], last["person"], last["note"],
    )  # fmt: skip
    assert ["open", "acknowledged"] == desk.rebuilt().told()


def test_an_acknowledgement_ends_with_the_alert() -> None:
    """An alert that ended and opened again by news is open: the acknowledgement was of the earlier opening."""
    desk = standing().seen().facts(LATE, corrected(LATE, "2022-07-10", occurred="2021-03-20"))
    desk.time("2022-08-01").rules(silence(**{"for": 20 * DAY}))

    assert ["open", "acknowledged", "retracted", "open"] == desk.rebuilt().told()
    assert "open" == desk.alert()["state"]


def test_an_alert_that_the_new_version_does_not_find_is_told() -> None:
    """An alert that is superseded and does not open again is told as an end."""
    desk = standing().rules(silence(**{"for": 900 * DAY}))

    assert [("open", "deadline"), ("superseded", "rule_changed")] == desk.life()
    assert ["open", "superseded"] == desk.rebuilt().told()


def test_news_opens_a_superseded_alert_again_and_is_told() -> None:
    """When the deadline of the new version passes, the alert opens again by news, and that is told."""
    desk = standing().rules(silence(**{"for": 90 * DAY})).time("2022-08-01")

    assert ["open", "superseded", "open"] == desk.rebuilt().told()


@pytest.mark.parametrize("rules", [(), (silence(enabled="false"),)])
def test_a_rule_that_is_gone_or_disabled_supersedes_its_alerts(rules: tuple[Rule, ...]) -> None:
    """A rule that is removed or disabled supersedes its alerts, which is told, and finds nothing any more."""
    desk = standing().rules(*rules).facts(LATE, dismissed("2022-08-01")).time("2023-01-01")

    assert [("open", "deadline"), ("superseded", "rule_changed")] == desk.life()
    assert ["open", "superseded"] == desk.rebuilt().told()


def test_a_disabled_rule_stays_in_the_ledger() -> None:
    """A disabled rule is kept in the stored rulebook, and is not asked."""
    book = Rulebook((silence(enabled="false"), sequence()))

    assert book == Rulebook.from_json(book.as_json())
    assert (["sequence", "silence"], ["sequence"]) == (
        [rule.id for rule in book.rules],
        [rule.id for rule in book.asked],
    )
    assert "SubjectDescribed" not in book.by_type or not book.by_type["SubjectDescribed"]
    assert silence().version == silence(enabled="false").version


def test_a_new_rule_finds_old_patterns_quietly() -> None:
    """Findings in old history are backfilled: the alerts open at the row of the change, and nobody is told."""
    desk = Desk().facts(DISMISSED, DETAINED).time("2022-06-01").rules(sequence())

    assert [("open", "rule_changed")] == desk.life()
    assert [] == desk.rebuilt().told()


def test_the_end_of_a_backfilled_alert_is_not_told() -> None:
    """A receiver that never heard of an alert needs no end; a later opening by news is told."""
    desk = Desk().facts(DISMISSED).time("2022-06-01").rules(silence()).facts(LATE)
    assert (["open", "retracted"], []) == ([state for state, _ in desk.life()], desk.told())

    desk.facts(corrected(LATE, "2022-07-10", occurred="2021-03-20")).time("2022-09-01")
    assert ["open"] == desk.rebuilt().told()


def test_an_acknowledgement_of_a_backfilled_alert_is_not_told() -> None:
    """An acknowledgement of an alert that nobody was told of is a row without a notice."""
    desk = Desk().facts(DISMISSED).time("2022-06-01").rules(silence()).seen()

    assert [("open", "rule_changed"), ("acknowledged", "person")] == desk.life()
    assert [] == desk.rebuilt().told()


def test_backfilled_alerts_are_told_on_request() -> None:
    """With the setting, findings in old history are told; a rebuild knows it from the ledger."""
    desk = Desk().facts(DISMISSED).time("2022-06-01").rules(silence(), tell_backfilled=True).facts(LATER)

    assert ["open", "resolved"] == desk.rebuilt().told()


def test_a_continuing_alert_is_not_told_on_request_either() -> None:
    """The setting is about findings in old history: an alert that continues is no finding of that kind."""
    desk = standing().rules(silence(**{"for": 20 * DAY}), tell_backfilled=True)

    assert ["open"] == desk.rebuilt().told()


def test_a_silence_that_is_due_at_the_very_instant_is_news() -> None:
    """A silence with its instant at the row of the change waits for the records of that instant, and is told."""
    desk = Desk().facts(DISMISSED).time("2022-04-01T00:00:00Z").rules(silence())
    assert [] == desk.alerts()

    desk.time("2022-04-02")
    assert [("open", "deadline")] == desk.life()
    assert ["open"] == desk.rebuilt().told()


def test_a_change_of_one_rule_does_not_silence_another() -> None:
    """An opening of an unchanged rule that waits for the end of its instant is told, whatever changed meanwhile."""
    late = dismissed("2022-03-01", recorded="2022-06-01T00:00:00Z")
    desk = Desk(silence()).facts(late).rules(silence(), sequence()).time("2022-06-02")

    assert ["open"] == desk.rebuilt().told()


def test_one_severity_for_another_is_quiet() -> None:
    """A severity is content, so that the alert continues under another version, and nobody is told."""
    desk = standing().rules(silence(severity="critical"))

    assert ("open", "critical") == (desk.alert()["state"], desk.alert()["severity"])
    assert ["open"] == desk.rebuilt().told()


def test_two_changes_at_one_instant() -> None:
    """Two changes of rules at one instant are two quiet steps."""
    desk = standing().rules(silence(**{"for": 20 * DAY})).rules(silence(**{"for": 10 * DAY}))

    assert ["open", "superseded", "open", "superseded", "open"] == [state for state, _ in desk.life()]
    assert ["open"] == desk.rebuilt().told()


class TestTrial:
    """A rule on trial: evaluated, shown apart, told to nobody."""

    def test_nobody_is_told(self) -> None:
        """The whole life of an alert on trial is told to nobody."""
        desk = Desk(silence(enabled="trial")).facts(DISMISSED).time("2022-05-01").seen().facts(LATER)

        assert ["open", "acknowledged", "resolved"] == [state for state, _ in desk.life()]
        assert desk.alert()["trial"]
        assert [] == desk.rebuilt().told()

    def test_a_rule_put_on_trial_supersedes_its_alerts(self) -> None:
        """A rule put on trial supersedes its alerts, which is told; the alert opens again on trial, quietly."""
        desk = standing().rules(silence(enabled="trial")).facts(LATER)

        assert ["open", "superseded", "open", "resolved"] == [state for state, _ in desk.life()]
        assert ["open", "superseded"] == desk.rebuilt().told()

    def test_a_trial_put_in_force_is_backfilled(self) -> None:
        """A trial put in force supersedes its alerts and opens them in force, and nobody is told of either."""
        desk = Desk(silence(enabled="trial")).facts(DISMISSED).time("2022-05-01").rules(silence())

        assert ["open", "superseded", "open"] == [state for state, _ in desk.life()]
        assert not desk.alert()["trial"]
        assert [] == desk.rebuilt().told()

    def test_a_trial_put_in_force_is_told_on_request(self) -> None:
        """With the setting, the alerts of a trial that is put in force are told as open."""
        desk = Desk(silence(enabled="trial")).facts(DISMISSED).time("2022-05-01")

        assert ["open"] == desk.rules(silence(), tell_backfilled=True).rebuilt().told()

    def test_a_trial_says_nothing_of_an_alert_that_ended_in_force(self) -> None:
        """An alert that ended in force stays as it was while its rule is on trial."""
        desk = standing().facts(LATER).rules(silence(enabled="trial")).facts(arrested("2022-03-15"), LATE)
        assert ["open", "resolved"] == desk.rebuilt().told()

        assert ["open", "resolved", "retracted"] == desk.rules(silence()).rebuilt().told()

    def test_a_trial_that_is_disabled(self) -> None:
        """The alerts of a trial that is disabled are superseded, and nobody is told."""
        desk = Desk(silence(enabled="trial")).facts(DISMISSED).time("2022-05-01").rules(silence(enabled="false"))

        assert ["open", "superseded"] == [state for state, _ in desk.life()]
        assert [] == desk.rebuilt().told()


def test_the_change_names_the_rules_to_conclude_again() -> None:
    """A change concerns rules that are new, gone, disabled, on trial or of another version, and no other ones."""
    before = Rulebook((silence(), sequence(), silence(id="gone"), silence(id="off")))
    after = Rulebook((silence(title="Quiet"), sequence(within=9 * DAY), silence(id="off", enabled="false")))

    assert {"sequence", "gone", "off"} == rules_change(before, after).changed
    assert {"sequence", "gone", "off", "silence"} == rules_change(before, after, tells_backfilled=None).changed
