"""Acknowledgements with an end, and acknowledgements that are taken back."""

import pytest
from sqlalchemy import Engine

from events.errors import BadInput
from projections.projector.side_writer import SideWriter
from projections.queries.verify import verify
from projections.tables.schema import LIVE, ledger
from tests.support.builders import detained, dismissed, instant, rows
from tests.support.desk import DAY, Desk, silence

SILENT = dismissed("2022-03-01", recorded="2022-03-02T00:00:00Z")
OPENS = "2022-04-02"
AT = instant("2022-05-01T08:00:00Z")
UNTIL = instant("2022-06-01T12:00:00Z")


def silent(engine: Engine | None = None) -> Desk:
    """Return a partition with one open alert, concluded up to May 2022."""
    return Desk(silence(), engine=engine).facts(SILENT).time("2022-05-01")


def acknowledge(desk: Desk, until: str | None = "2022-06-01T12:00:00Z") -> Desk:
    """Acknowledge the alert beside the projector, as kim."""
    alert, end = desk.alert(), instant(until) if until else None
    SideWriter(desk.engine, 0).acknowledge(alert["alert_id"], "a", "kim", "asked", AT, end)
    return desk


def unacknowledge(desk: Desk, at: str = "2022-05-03T09:00:00Z") -> Desk:
    """Take the acknowledgement back, as ann."""
    SideWriter(desk.engine, 0).unacknowledge(desk.alert()["alert_id"], "a", "ann", "no answer", instant(at))
    return desk


def ends(desk: Desk) -> list[str]:
    """Return the instants at which an acknowledgement ended."""
    return [
        f"{row['at']:%Y-%m-%d %H:%M}" for row in rows(desk.engine, LIVE.alert_changes) if row["cause"] == "ack_ended"
    ]


def test_an_acknowledgement_ends_at_its_instant_and_nobody_is_told(engine: Engine) -> None:
    """The alert is open again at the very end, however late the watermark passes it, and no notice is written."""
    desk = acknowledge(silent(engine))
    (before,) = desk.alerts()
    desk.time("2022-06-01T12:00:00Z")
    at_the_end = desk.alert()["state"]
    desk.time("2022-09-01")
    (after,) = desk.alerts()

    assert ("acknowledged", UNTIL) == (before["state"], before["acknowledged_until"])
    assert ("acknowledged", "open") == (at_the_end, after["state"])
    assert (None, None, None) == (after["person"], after["note"], after["acknowledged_until"])
    assert [("open", "deadline"), ("acknowledged", "person"), ("open", "ack_ended")] == desk.life()
    assert ["2022-06-01 12:00"] == ends(desk)
    assert ["open", "acknowledged"] == desk.told()
    desk.rebuilt()


def test_an_acknowledgement_is_taken_back(engine: Engine) -> None:
    """The alert is open again at the time of the person, nobody is told, and its end passes without an effect."""
    desk = unacknowledge(acknowledge(silent(engine))).time("2022-09-01")
    (last,) = [row for row in rows(engine, LIVE.alert_changes) if row["cause"] == "unacknowledged"]

    assert [("open", "deadline"), ("acknowledged", "person"), ("open", "unacknowledged")] == desk.life()
    assert ("ann", "no answer", instant("2022-05-03T09:00:00Z")) == (last["person"], last["note"], last["at"])
    assert ["open", "acknowledged"] == desk.told()
    assert ["acknowledgement", "unacknowledgement"] == [
        row["entry"] for row in rows(engine, ledger) if "acknowledgement" in row["entry"]
    ]
    with engine.connect() as conn:
        assert [] == verify(conn).findings
    desk.rebuilt()


def test_an_alert_is_acknowledged_again_after_its_end() -> None:
    """Each acknowledgement has its own end, or none."""
    desk = acknowledge(silent()).time("2022-07-01")
    acknowledge(desk, "2022-08-01").time("2022-09-01")
    acknowledge(desk, None).time("2022-12-01")

    assert ["2022-06-01 12:00", "2022-08-02 00:00"] == ends(desk)
    assert "acknowledged" == desk.alert()["state"]
    desk.rebuilt()


def test_only_what_is_acknowledged_is_taken_back() -> None:
    """An open alert stays as it is, and the row of the ledger has no effect."""
    desk = unacknowledge(silent())

    assert [("open", "deadline")] == desk.life()
    desk.rebuilt()


def test_an_alert_that_ended_does_not_open_at_the_end() -> None:
    """A fact that resolves the alert before the end of the acknowledgement leaves nothing to open again."""
    desk = acknowledge(silent()).facts(detained("2022-05-10", recorded="2022-05-11T00:00:00Z")).time("2022-09-01")

    assert "resolved" == desk.alert()["state"]
    assert [] == ends(desk)
    assert None is desk.alert()["acknowledged_until"]
    desk.rebuilt()


def test_a_fact_at_the_very_end_comes_first() -> None:
    """A fact that is recorded at the instant of the end is applied before, as before every timer."""
    desk = acknowledge(silent()).facts(detained("2022-05-10", recorded="2022-06-01T12:00:00Z")).time("2022-09-01")

    assert "resolved" == desk.alert()["state"]
    assert [] == ends(desk)
    desk.rebuilt()


def test_a_batch_passes_the_end_between_its_records() -> None:
    """In one batch, a fact before the end sees the acknowledged alert, and one after it the open alert."""
    late = [
        dismissed("2022-05-01", subject="b", recorded="2022-05-20T00:00:00Z"),
        detained("2022-06-10", recorded="2022-06-11T00:00:00Z"),
    ]
    desk = acknowledge(silent())
    own = desk.alert()["alert_id"]
    desk.facts(*late)

    assert ["open", "acknowledged", "open", "resolved"] == [
        row["state"] for row in rows(desk.engine, LIVE.alert_changes) if row["alert_id"] == own
    ]
    assert ["2022-06-01 12:00"] == ends(desk)
    desk.rebuilt()


def test_the_end_stays_under_another_version_of_the_rule() -> None:
    """An alert that continues under another version is acknowledged until the same instant."""
    desk = acknowledge(silent()).rules(silence(**{"for": 20 * DAY}))
    until = desk.alert()["acknowledged_until"]
    desk.time("2022-09-01")

    assert UNTIL == until
    assert [("acknowledged", "rule_changed"), ("open", "ack_ended")] == desk.life()[-2:]
    assert [None, UNTIL, None, UNTIL, None] == [row["until"] for row in rows(desk.engine, LIVE.alert_changes)]
    desk.rebuilt()


def test_an_end_that_is_concluded_already_is_refused() -> None:
    """An acknowledgement cannot end where the watermark has been, and nothing is written."""
    desk = silent()
    before = rows(desk.engine, ledger)

    with pytest.raises(BadInput, match="alerts are concluded up to there"):
        acknowledge(desk, "2022-04-30")
    assert before == rows(desk.engine, ledger)
