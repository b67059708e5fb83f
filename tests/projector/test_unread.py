"""The waiting records of a person, whose number is shown beside statuses and alerts."""

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
from tests.support.reading import answer, ask, database_with, on_terminal

SILENT = dismissed("2022-03-27", subject="silent", id="d")
OTHER = dismissed("2022-03-28", subject="other")
CONFLICT = dismissed("2022-03-28", subject="silent", id="d", recorded="2022-10-02T00:00:00Z")
BROKEN = b'{"type":'
PARKED = (b"silent", "parked")


def project_broken(held: Projector, keys: Iterable[bytes | None]) -> None:
    """Project an unreadable record under each of *keys*."""
    for key in keys:
        (record,) = records([BROKEN], held.checkpoint.position, "2022-10-03")
        held.project([record._replace(key=key)], instant("2022-10-03"))


def waiting(engine: Engine) -> dict[str, Any]:
    """Return the number at each status, after checking that the alerts of the same people agree."""
    with engine.connect() as conn:
        of_people = {row["subject_id"]: row["unread"] for row in statuses(conn, Filter())}
        of_alerts = {row["subjects"][0]: row["unread"] for row in alerts(conn, AlertFilter())}
    assert {**of_people, **of_alerts} == of_people
    return of_people


def troubled(engine: Engine) -> Projector:
    """Project two silent people; a conflict and two unreadable records of one of them wait."""
    held = projector(engine)
    project(held, [SILENT, OTHER])
    held.advance_watermark(instant("2022-10-01"), instant("2022-10-01"))
    project(held, [CONFLICT])
    project_broken(held, [b"silent", b"silent", b"nobody", None, b"\xff"])
    return held


def test_conflicts_and_parked_records_of_a_person_are_counted(engine: Engine) -> None:
    """A conflict counts for its person and an unreadable record for its key; records without a key do not count."""
    troubled(engine)

    assert {"silent": 3, "other": 0} == waiting(engine)


def test_dismissed_and_replayed_records_no_longer_wait(engine: Engine) -> None:
    """A dismissed or applied record no longer waits; a conflict does, because the first content stands."""
    held = troubled(engine)
    (first, second) = (row["seq"] for row in rows(engine, ledger) if (row["key"], row["outcome"]) == PARKED)

    assert held.dismiss(first, "a test of the client", instant("2022-10-04"))
    assert 2 == waiting(engine)["silent"]
    held.replay([second], instant("2022-10-04"))
    assert 2 == waiting(engine)["silent"], "it stays parked, and is counted once"


def test_a_notice_has_the_number_of_waiting_records(engine: Engine) -> None:
    """A notice has the number of records that waited when it was written."""
    held = projector(engine)
    project(held, [SILENT, CONFLICT | {"recorded": "2022-04-01T00:00:00Z"}])
    held.advance_watermark(instant("2022-10-01"), instant("2022-10-01"))
    project_broken(held, [b"silent"])

    assert [1] == [row["notice"]["unread"] for row in rows(engine, outbox)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with this database in SQLite."""
    engine = database_with(tmp_path)
    troubled(engine)
    engine.dispose()
    return tmp_path


def test_the_number_is_in_the_json(folder: Path) -> None:
    """The number stands in the stored row, in the row at an instant, in a history and in the alerts."""
    (other, silent) = answer("status", folder)

    assert (0, 3) == (other["unread"], silent["unread"])
    assert [0, 3] == [row["unread"] for row in answer("status --known-at 2022-09-01", folder)]
    assert 3 == answer("status silent", folder)[0]["unread"]
    assert 3 == answer("history silent", folder)["status"]["unread"]
    assert {"silent": 3, "other": 0} == {row["subject_id"]: row["unread"] for row in answer("alerts", folder)}
    assert [3] == [row["unread"] for row in answer("alerts --known-at 2022-09-01 --subject silent", folder)]


WAIT = "3 records about this person wait, in conflict or not readable: see `casetrail conflicts` and"


def test_the_number_is_in_the_text(folder: Path) -> None:
    """The number is in the text of a status, a dossier and an alert, and absent without waiting records."""
    of = {row["subject_id"]: row["alert_id"] for row in answer("alerts", folder)}
    commands = ("status {0}", "history {0} --format markdown", "alerts show {1}")

    for command in commands:
        shown = ask(command.format("silent", of["silent"]), folder).stdout.replace("\\", "")
        assert WAIT in shown
        assert "wait" not in ask(command.format("other", of["other"]), folder).stdout


def test_the_table_of_alerts_shows_the_number(folder: Path) -> None:
    """The table of alerts shows the number behind the sentence, on narrow terminals too."""
    shown = ask("alerts", folder).stdout

    assert 1 == shown.count("in the 90 days after. 3 records about this person wait.")
    assert "3 records about this person wait." in " ".join(on_terminal("alerts", folder, 80).stdout.split())
