"""The upgrade from a release that told of every change of rules: nobody is told anything, and later ends are told."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from projections.projector.projector import Projector
from projections.projector.rebuild import is_due, rebuild
from projections.rules.rulebook import Rulebook
from projections.tables.schema import LIVE, outbox
from services.database import migrate
from tests.support.builders import detained, instant, project, retracted, rows
from tests.support.desk import sequence, silence
from tests.support.earlier import CHANGED_RULES, earlier

RULES = Rulebook((silence(title="Quiet"), sequence()))
KEPT = ("alert_id", "n", "state", "cause", "fact_id", "person", "note")


@pytest.fixture
def upgraded(database_url: str) -> Iterator[Engine]:
    """The database of the earlier release, migrated and concluded again."""
    engine = earlier(database_url, CHANGED_RULES, "0006")
    migrate(engine)
    assert is_due(engine)
    rebuild(engine, RULES, lambda _: None)
    yield engine
    engine.dispose()


def life(engine: Engine) -> list[tuple[object, ...]]:
    """Return the changes of all alerts, without versions and instants."""
    return [tuple(row[name] for name in KEPT) for row in rows(engine, LIVE.alert_changes)]


def states(engine: Engine) -> dict[str, str]:
    """Return the state of the alert of each person."""
    return {row["subject_id"]: row["state"] for row in rows(engine, LIVE.alerts)}


def test_alerts_and_their_changes_stay(upgraded: Engine) -> None:
    """Each change of the earlier release stays a row, as told, so that later notices have numbers of their own."""
    assert [tuple(row.get(name) for name in KEPT) for row in CHANGED_RULES["alert_changes"]] == life(upgraded)
    assert {"silent": "open", "seen": "acknowledged", "found": "open"} == states(upgraded)
    assert all(row["told"] and not row["trial"] for row in rows(upgraded, LIVE.alert_changes))


def test_nobody_is_told_anything(upgraded: Engine) -> None:
    """Neither the migration nor the first projector of this release tells anybody anything, or ends an alert."""
    before = life(upgraded)
    Projector(upgraded, RULES).assign(instant("2022-05-10"))

    assert len(CHANGED_RULES["outbox"]) == len(rows(upgraded, outbox))
    assert before == life(upgraded)
    assert {rule.version for rule in RULES.rules} == {row["rule_version"] for row in rows(upgraded, LIVE.alerts)}
    assert [] == rebuild(upgraded, RULES, lambda _: None)


def test_later_ends_are_told(upgraded: Engine) -> None:
    """The ends of alerts that the earlier release told of are told, also of one that it found in old history."""
    held = Projector(upgraded, RULES)
    held.assign(instant("2022-05-10"))
    late = [detained("2022-03-10", subject=person, recorded="2022-06-01T00:00:00Z") for person in ("silent", "seen")]
    project(held, [*late, retracted(detained("2022-03-10", subject="found"), recorded="2022-06-01T00:00:00Z")])
    notices = rows(upgraded, outbox)[len(CHANGED_RULES["outbox"]) :]

    assert {("silent", "retracted"), ("seen", "retracted"), ("found", "retracted")} <= {
        (row["subject_id"], row["notice"]["state"]) for row in notices
    }
    assert [] == rebuild(upgraded, RULES, lambda _: None)


def test_a_changed_rule_after_the_upgrade_is_quiet(upgraded: Engine) -> None:
    """Another version after the upgrade supersedes and opens again, and nobody is told."""
    other = Rulebook((silence(severity="critical"), sequence(severity="critical")))
    Projector(upgraded, other).assign(instant("2022-05-10"))

    assert {"silent": "open", "seen": "acknowledged", "found": "open"} == states(upgraded)
    assert len(CHANGED_RULES["outbox"]) == len(rows(upgraded, outbox))
    assert [] == rebuild(upgraded, other, lambda _: None)
