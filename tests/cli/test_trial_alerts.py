"""`casetrail alerts` and other readers: a trial is shown apart, and an earlier instant has the words of that time."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from projections.queries.alerts import AlertFilter, alerts, standing_counts
from projections.tables.database import open_database
from projections.tables.schema import ledger, outbox
from services.database import migrate
from tests.support.builders import detained, dismissed, encoded, instant, rows
from tests.support.commands import run
from tests.support.desk import DAY, Desk, silence
from tests.support.reading import answer, ask
from tests.support.rules import SILENCE

DISMISSED = dismissed("2022-03-01", recorded="2022-03-02T00:00:00Z")
LATER = detained("2022-06-20", recorded="2022-07-01T00:00:00Z")
STANDING = "a was dismissed; no custody is known."


def opened(folder: Path, enabled: str = "true") -> Desk:
    """Return a desk in *folder* with an open alert."""
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    migrate(engine)
    return Desk(silence(enabled=enabled), engine=engine).facts(DISMISSED).time("2022-05-01")


def known_at(engine: Engine, at: str, *, trial: bool = False) -> list[tuple[str, str, bool]]:
    """Return the alerts at an instant: state, sentence, and whether on trial."""
    with engine.connect() as conn:
        listed = list(alerts(conn, AlertFilter(known_at=instant(at), trial=trial)))
    return [(alert["state"], alert["explanation"], alert["trial"]) for alert in listed]


def test_a_trial_is_shown_apart(tmp_path: Path) -> None:
    """An alert on trial is in no list and count but its own; by its id it is found, and marked."""
    desk = opened(tmp_path, "trial")
    (alert,) = answer("alerts --trial", tmp_path)

    assert (True, True) == (alert["trial"], alert["life"][0]["trial"])
    assert [] == answer("alerts", tmp_path) == answer("alerts --all", tmp_path)
    assert "on trial" in ask(f"alerts show {alert['alert_id']}", tmp_path).stdout
    with desk.engine.connect() as conn:
        assert {} == standing_counts(conn)


def test_the_explanation_of_a_rule_on_trial_shows_its_alert(tmp_path: Path) -> None:
    """A trial is for finding out why a rule speaks, so "no alert in the database" would mislead."""
    opened(tmp_path, "trial")
    (tmp_path / "rules.yaml").write_text(SILENCE, "utf-8")
    file = str(tmp_path / "rules.yaml")

    assert ": open, on trial\n" in ask("rules explain silence a", tmp_path, CASETRAIL_RULES=file).stdout
    assert answer("rules explain silence a", tmp_path, CASETRAIL_RULES=file)["anchors"][0]["trial"]


def test_an_alert_in_force_is_not_among_the_trials(tmp_path: Path) -> None:
    """An alert in force is not among the trials, and its steps are not marked."""
    opened(tmp_path)
    (alert,) = answer("alerts", tmp_path)

    assert (False, False) == (alert["trial"], "trial" in alert["life"][0])
    assert [] == answer("alerts --trial --all", tmp_path)


def test_nobody_follows_a_trial(tmp_path: Path) -> None:
    """`--follow --trial` is a usage error, since nothing would ever be printed."""
    opened(tmp_path)
    done = ask("alerts --follow --trial", tmp_path)

    assert 2 == done.returncode
    assert "--follow does not go with --trial" in done.stderr


def test_a_trial_at_an_earlier_instant(tmp_path: Path) -> None:
    """An alert that was in force at an instant is listed as such, although its rule is on trial by now."""
    engine = opened(tmp_path).rules(silence(enabled="trial")).engine

    assert [("open", STANDING, False)] == known_at(engine, "2022-04-20")
    assert [] == known_at(engine, "2022-04-20", trial=True)
    assert [("open", STANDING, True)] == known_at(engine, "2022-06-01", trial=True)


@pytest.mark.parametrize("quiet", [False, True])
def test_an_alert_that_ended_since_has_its_standing_sentence(tmp_path: Path, *, quiet: bool) -> None:
    """At an instant at which an alert stood, its sentence is that of a standing alert, told or not."""
    desk = opened(tmp_path)
    if quiet:
        desk.rules(silence(**{"for": 20 * DAY}))
    engine = desk.facts(LATER).engine

    assert [("open", STANDING, False)] == known_at(engine, "2022-06-01")
    assert [("resolved", f"Was said until 2022-07-01: {STANDING}", False)] == known_at(engine, "2022-08-01")


def test_an_alert_of_a_rule_that_is_gone(tmp_path: Path) -> None:
    """An alert that only a change of rules ended had its standing sentence before."""
    engine = opened(tmp_path).rules().engine

    assert [("open", STANDING, False)] == known_at(engine, "2022-04-20")


def test_the_setting_reaches_the_ledger(tmp_path: Path) -> None:
    """`CASETRAIL_TELL_BACKFILLED` is stated in the ledger row of the rules."""
    rule = "rules: [{id: s, title: S, on: Dismissed, absent: Detained, for: P30D, explain: Silence.}]"
    (tmp_path / "rules.yaml").write_text(rule)
    (tmp_path / "facts.ndjson").write_bytes(encoded(dismissed("2022-03-01"))[0])
    for command in ("init", "publish facts.ndjson", "project"):
        assert 0 == run(command, tmp_path).returncode
    setting = {"CASETRAIL_TELL_BACKFILLED": "true", "CASETRAIL_RULES": "rules.yaml"}
    assert 0 == run("project", tmp_path, env=setting).returncode

    engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
    told = [row["notice"]["rule"] for row in rows(engine, outbox)]
    stated = [json.loads(row["value"]) for row in rows(engine, ledger) if row["entry"] == "rules"]
    assert [False, True] == [stated[0]["tell_backfilled"], stated[-1]["tell_backfilled"]]
    assert "s" in told
