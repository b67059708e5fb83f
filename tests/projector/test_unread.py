"""The records about a person that wait: a status and an alert say how many, so that nobody relies on a silence."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from projections.projector.projector import Projector
from projections.queries.alerts import AlertFilter, alerts
from projections.queries.subjects import Filter, statuses
from projections.tables.schema import ledger, outbox
from tests.support.builders import dismissed, instant, project, projector, records, rows
from tests.support.reading import answer, ask, known, on_terminal

SILENT = dismissed("2022-03-27", subject="silent", id="d")
OTHER = dismissed("2022-03-28", subject="other")
CONFLICT = dismissed("2022-03-28", subject="silent", id="d", recorded="2022-10-02T00:00:00Z")
BROKEN = b'{"type":'
PARKED = (b"silent", "parked")


def project_broken(held: Projector, keys: Iterable[bytes | None]) -> None:
    """Project a record that nobody can read under each of *keys*."""
    for key in keys:
        (record,) = records([BROKEN], held.held.position, "2022-10-03")
        held.project([record._replace(key=key)], instant("2022-10-03"))


def waiting(engine: Engine) -> dict[str, Any]:
    """The number that each status says, and each alert of the same person."""
    with engine.connect() as conn:
        of_people = {row["subject_id"]: row["unread"] for row in statuses(conn, Filter())}
        of_alerts = {row["subject_id"]: row["unread"] for row in alerts(conn, AlertFilter())}
    assert {**of_people, **of_alerts} == of_people
    return of_people


def troubled(engine: Engine) -> Projector:
    """Two people nothing followed about; of one, a conflict and two unreadable records wait."""
    held = projector(engine)
    project(held, [SILENT, OTHER])
    held.advance_watermark(instant("2022-10-01"), instant("2022-10-01"))
    project(held, [CONFLICT])
    project_broken(held, [b"silent", b"silent", b"nobody", None, b"\xff"])
    return held


def test_conflicts_and_parked_records_of_a_person_are_counted(engine: Engine) -> None:
    """By the person of the conflict and by the key of what cannot be read; nobody else's, and none without a key."""
    troubled(engine)

    assert {"silent": 3, "other": 0} == waiting(engine)


def test_what_was_dismissed_or_replayed_waits_no_more(engine: Engine) -> None:
    """A person has read it, or the program has; the conflict stays, since the first content stands."""
    held = troubled(engine)
    (first, second) = (row["seq"] for row in rows(engine, ledger) if (row["key"], row["outcome"]) == PARKED)

    assert held.dismiss(first, "a test of the client", instant("2022-10-04"))
    assert 2 == waiting(engine)["silent"]
    held.replay([second], instant("2022-10-04"))
    assert 2 == waiting(engine)["silent"], "it stays parked, and is counted once"


def test_a_notice_says_how_many_waited_when_it_was_written(engine: Engine) -> None:
    """A notice of a silence says how many records wait."""
    held = projector(engine)
    project(held, [SILENT, CONFLICT | {"recorded": "2022-04-01T00:00:00Z"}])
    held.advance_watermark(instant("2022-10-01"), instant("2022-10-01"))
    project_broken(held, [b"silent"])

    assert [1] == [row["notice"]["unread"] for row in rows(engine, outbox)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with that database in SQLite."""
    engine = known(tmp_path)
    troubled(engine)
    engine.dispose()
    return tmp_path


def test_programs_read_the_number_beside_the_status(folder: Path) -> None:
    """The stored row, the same at an instant, in a history, and in the alerts."""
    (other, silent) = answer("status", folder)

    assert (0, 3) == (other["unread"], silent["unread"])
    assert [0, 3] == [row["unread"] for row in answer("status --known-at 2022-09-01", folder)]
    assert 3 == answer("status silent", folder)[0]["unread"]
    assert 3 == answer("history silent", folder)["status"]["unread"]
    assert {"silent": 3, "other": 0} == {row["subject_id"]: row["unread"] for row in answer("alerts", folder)}
    assert [3] == [row["unread"] for row in answer("alerts --known-at 2022-09-01 --subject silent", folder)]


WAIT = "3 records about this person wait, in conflict or not readable: see `casetrail conflicts` and"


def test_people_read_it_in_words(folder: Path) -> None:
    """In the person's page, in the dossier, in the alert; where nothing waits nothing is said."""
    of = {row["subject_id"]: row["alert_id"] for row in answer("alerts", folder)}
    commands = ("status {0}", "history {0} --format markdown", "alerts show {1}")

    for command in commands:
        shown = ask(command.format("silent", of["silent"]), folder).stdout.replace("\\", "")
        assert WAIT in shown
        assert "wait" not in ask(command.format("other", of["other"]), folder).stdout


def test_the_table_of_alerts_says_it_behind_the_sentence(folder: Path) -> None:
    """A silence is relied on by those who read the list alone; narrow tables say it too."""
    shown = ask("alerts", folder).stdout

    assert 1 == shown.count("in the 90 days after. 3 records about this person wait.")
    assert "3 records about this person wait." in " ".join(on_terminal("alerts", folder, 80).stdout.split())
