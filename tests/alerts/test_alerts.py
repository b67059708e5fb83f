"""The life of an alert over the log's clock: identity, changed rules, acknowledgement, an idle log, the outbox."""

from projections.tables.schema import LIVE, outbox
from tests.support.builders import (
    database,
    described,
    detained,
    dismissed,
    instant,
    life,
    project,
    projector,
    reinstated,
    report,
    rows,
    rulebook,
    silence,
    stated,
    states,
    suspended,
    wanted,
)
from tests.support.rules import dismissals

DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
# 90 days after the end of that day, and 7 days to settle.
OPENS = "2022-07-03T00:00:00Z"
OPENED = ("open", OPENS, "deadline")


def test_each_dismissal_has_its_own_alert() -> None:
    """The identity of an alert is the rule and the anchor, so each dismissal has an alert of its own."""
    first, second = dismissed("2020-03-27"), dismissed("2022-03-27")
    results = silence([first, reinstated("2021-01-01"), second])

    assert [first["id"], second["id"]] == [alert["anchor"] for alert in results]
    assert 2 == len({alert["alert_id"] for alert in results})


def test_the_sentence_has_the_latest_name() -> None:
    """A new name changes the sentence of an open alert, but not its life."""
    story = [DISMISSED, described("2022-01-01", published="2022-08-01", name="Serik Kudebaev")]
    (alert,) = silence(story)

    assert alert["explanation"].startswith("Serik Kudebaev was dismissed")
    assert [OPENED] == life([alert])


def test_an_alert_carries_its_rule_and_evidence() -> None:
    """An alert carries the rule's version and severity, the person and the evidence."""
    (alert,) = silence([DISMISSED])
    rule = next(rule for rule in dismissals().rules if rule.id == alert["rule"])

    assert (rule.version, "warning", "a") == (alert["rule_version"], alert["severity"], alert["subject_id"])


def test_other_rules_supersede_the_alerts_of_the_old_ones() -> None:
    """Alerts of another rule version are superseded."""
    held = projector(engine := database())
    project(held, [DISMISSED, detained("2022-04-20", subject="b"), dismissed("2022-03-27", subject="b")])
    held.advance_watermark(instant("2022-08-01"), instant("2022-08-01"))
    projector(engine, rulebook(**{"for": 300 * 86400, "then": ["Wanted"]}), clock="2022-09-01")
    changes = rows(engine, LIVE.alert_changes)

    states_by_alert = {row["alert_id"]: (row["rule"], row["state"]) for row in rows(engine, LIVE.alerts)}
    assert {("dismissed-without-follow-up", "superseded"), ("dismissal-before-arrest", "superseded")} == (
        set(states_by_alert.values())
    )
    assert {"rule_changed"} == {row["cause"] for row in changes if row["state"] == "superseded"}


def test_the_same_silence_stands_again_under_the_new_rule() -> None:
    """A silence opens again under the new rule, at the instant of the change."""
    held = projector(engine := database())
    project(held, [DISMISSED])
    held.advance_watermark(instant("2022-08-01T00:00:00Z"), instant("2022-08-01"))
    new = projector(engine, rulebook(**{"for": 30 * 86400}), clock="2022-09-01")
    new.advance_watermark(instant("2022-08-02T00:00:00Z"), instant("2022-08-02"))

    assert [("open", OPENS), ("superseded", "2022-08-01"), ("open", "2022-08-01")] == [
        (row["state"], str(row["at"])[:10] if row["n"] > 1 else OPENS) for row in rows(engine, LIVE.alert_changes)
    ]
    assert ["deadline", "rule_changed", "rule_changed"] == [row["cause"] for row in rows(engine, LIVE.alert_changes)]


def test_a_new_rule_opens_alerts_from_old_facts() -> None:
    """A sequence in old facts opens at once under a new rule, with the change of rules as the cause."""
    held = projector(engine := database(), rulebook(then=["Wanted"]))
    project(held, [DISMISSED, detained("2022-04-20", recorded="2022-04-21T00:00:00Z")])
    projector(engine, clock="2022-09-01")
    (change,) = rows(engine, LIVE.alert_changes)

    assert ("open", "rule_changed", instant("2022-04-21T00:00:00Z")) == (
        change["state"],
        change["cause"],
        change["at"],
    )


def test_an_acknowledged_alert_is_still_there_and_ends_like_an_open_one() -> None:
    """An acknowledged alert ends like an open one; person, time and note are a row of its life."""
    held = projector(engine := database())
    project(held, [DISMISSED])
    held.advance_watermark(instant("2022-08-01"), instant("2022-08-01"))
    (alert,) = rows(engine, LIVE.alerts)
    for _ in "twice":
        held.acknowledge(alert["alert_id"], "a", "kim", "seen", instant("2022-08-02T10:00:00Z"))
    project(held, [wanted("2022-08-20", recorded="2022-08-21T12:00:00Z")])
    changes = rows(engine, LIVE.alert_changes)

    assert ["open", "acknowledged", "resolved"] == [row["state"] for row in changes]
    assert ("person", "kim", "seen", instant("2022-08-02T10:00:00Z")) == (
        changes[1]["cause"],
        changes[1]["person"],
        changes[1]["note"],
        changes[1]["at"],
    )


def test_the_clock_of_a_person_is_not_that_of_the_log() -> None:
    """An acknowledgement dated 2099 does not move the watermark."""
    held = projector(engine := database())
    project(held, [DISMISSED, dismissed("2022-05-01", subject="b")])
    held.advance_watermark(instant("2022-07-04"), instant("2022-07-04"))
    (alert,) = rows(engine, LIVE.alerts)
    held.acknowledge(alert["alert_id"], "a", "kim", None, instant("2099"))

    assert instant("2022-07-04") == held.checkpoint.watermark
    assert ["acknowledged"] == [row["state"] for row in rows(engine, LIVE.alerts)]


def test_silence_is_reported_on_an_idle_log() -> None:
    """Without records, the clock reading at the end of the log is the watermark, and an alert opens."""
    held = projector(engine := database())
    project(held, [DISMISSED])

    held.advance_watermark(instant(OPENS), instant("2022-12-31"))
    assert [] == rows(engine, LIVE.alerts)
    held.advance_watermark(instant("2022-07-03T00:00:00.000001Z"), instant("2022-12-31"))
    assert [instant(OPENS)] == [row["at"] for row in rows(engine, LIVE.alert_changes)]


def test_an_empty_partition_delays_no_time() -> None:
    """Time passes on an empty partition, and does not run back."""
    held = projector(engine := database())

    held.advance_watermark(instant("2022-12-31"), instant("2022-12-31"))
    held.advance_watermark(instant("2022-11-30"), instant("2022-12-31"))
    assert instant("2022-12-31") == held.checkpoint.watermark
    assert 1 == len(rows(engine, LIVE.subjects)) + held.checkpoint.seq


def test_a_projector_that_lags_reports_nothing_that_is_in_the_log() -> None:
    """A follow-up that is in the log in time prevents the alert, even if it is read years later."""
    held = projector(engine := database())
    project(held, [DISMISSED])
    project(held, [detained("2022-04-20", recorded="2022-04-21T00:00:00Z")])
    held.advance_watermark(instant("2025"), instant("2025"))

    assert ["dismissal-before-arrest"] == [row["rule"] for row in rows(engine, LIVE.alerts)]


def test_one_fact_dated_2099_neither_holds_an_alert_back_nor_fires_one() -> None:
    """A fact that occurred or was published in 2099 neither delays an alert nor fires one early."""
    far = dismissed("2099-01-01", published="2022-04-01", subject="b", recorded="2022-04-01T00:00:00Z")
    odd = stated("Appointed", "2022-01-01", published="2099-01-01", subject="c", recorded="2022-04-02T00:00:00Z")

    assert [] == silence([DISMISSED, far, odd], until="2022-07-01")
    assert [OPENED] == life(silence([DISMISSED, far, odd], until="2022-07-04"))


def test_unreadable_and_unrelated_records_end_no_alert() -> None:
    """Unreadable and unrelated records end no alert."""
    held = projector(engine := database())
    project(held, [DISMISSED])
    held.advance_watermark(instant("2022-08-01"), instant("2022-08-01"))
    project(held, [b'{"type": "Detained"', suspended("2022-05-01"), detained("2022-05-01", subject="b")], "2022-08-02")

    assert ["open"] == [row["state"] for row in rows(engine, LIVE.alert_changes)]


def test_every_change_of_an_alert_has_one_notice() -> None:
    """The outbox holds one notice for each change of an alert, in order."""
    held = projector(engine := database())
    project(held, [DISMISSED, wanted("2022-08-20", recorded="2022-08-21T12:00:00Z")])
    notices = [row["notice"] for row in rows(engine, outbox)]

    assert ["open", "resolved"] == [notice["state"] for notice in notices]
    assert 2 == len({notice["notice_id"] for notice in notices}) == held.checkpoint.notices


def test_a_notice_counts_the_records_that_waited_at_its_instant() -> None:
    """A notice counts the records that waited at its instant, without a later one from the same batch."""
    other = {"data": DISMISSED["data"] | {"note": "another"}}
    before = DISMISSED | other | {"recorded": "2022-04-01T00:00:00Z"}
    behind = DISMISSED | other | {"recorded": "2022-08-01T00:00:00Z"}
    held = projector(engine := database())
    project(held, [DISMISSED, before, behind])

    assert [1] == [row["notice"]["unread"] for row in rows(engine, outbox)]


def test_a_backtest_stops_at_its_end() -> None:
    """A backtest reads no line that is recorded after `until`, and `until` is the watermark."""
    story = [DISMISSED, detained("2022-08-20", recorded="2022-08-21T12:00:00Z")]

    assert ["open"] == states(silence(story, until="2022-08-21T11:59:59Z"))
    assert 1 == report(story, until="2022-08-21T11:59:59Z")["counts"]["read"]
    assert ["open", "resolved"] == states(silence(story, until="2022-08-21T12:00:00Z"))
