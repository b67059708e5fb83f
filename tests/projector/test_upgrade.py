"""A database of an earlier release: no command works on it before `casetrail init`, and all do after it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, inspect, select

from events.errors import Infrastructure
from projections.projector.projector import Projector
from projections.projector.rebuild import rebuild
from projections.tables.database import open_database, write_transaction
from projections.tables.schema import LIVE, REBUILD, ledger, log, outbox, rebuild_partitions
from services.database import migrate
from tests.support import builders
from tests.support.builders import arrested, instant, rows
from tests.support.commands import COMMAND, SECONDS, environment, fact_line, facts_file, run
from tests.support.earlier import ROWS, earlier, revision, upgrade
from tests.support.reading import answer, ask
from tests.support.rules import dismissals

WORKING = "concluded by an earlier release (run `casetrail init`, which concludes them again)"
TOLD = {row["alert_id"]: row["subject_id"] for row in ROWS["alerts"]}


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """The database of the earlier release, of each kind."""
    engine = earlier(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with this database in SQLite, migrated but without computed statuses."""
    engine = earlier(f"sqlite:///{tmp_path / 'casetrail.db'}")
    migrate(engine)
    engine.dispose()
    return tmp_path


def url(engine: Engine) -> dict[str, str]:
    """Return the setting by which a command finds the database."""
    return {"CASETRAIL_DATABASE_URL": engine.url.render_as_string(hide_password=False)}


def initialised(engine: Engine, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run `casetrail init` on the database."""
    return run("init", folder, env=url(engine))


def states(engine: Engine) -> dict[str, tuple[str, str]]:
    """Return the person and the state of each alert, by its id."""
    return {row["alert_id"]: (row["subject_id"], row["state"]) for row in rows(engine, LIVE.alerts)}


@pytest.mark.parametrize("args", ["status", "project", "audit verify", "rebuild --check"])
def test_a_schema_of_an_earlier_release_is_refused(database: Engine, tmp_path: Path, args: str) -> None:
    """A command refuses an earlier schema with exit code 3 and the command that helps, and changes nothing."""
    done = run(args, tmp_path, env=url(database))

    assert (3, "") == (done.returncode, done.stdout)
    assert "schema is at 0004, this release wants 0014 (run `casetrail init`)" in done.stderr
    assert "0004" == revision(database)


@pytest.mark.parametrize(
    "args",
    [
        "status",
        "status silent",
        "history silent",
        "alerts",
        "alerts show 07e3e7b1",
        "alerts ack 07e3e7b1 --by ann",
        "alerts --follow",
        "publish facts.ndjson",
        "correct silent-1 --set occurred=2022-03-29 --source-title decree",
        "retract silent-1 --reason wrong --source-title decree",
        "project",
        "run",
        "parked list",
        "parked replay --all",
        "conflicts",
        "lag",
    ],
)
def test_commands_refuse_statuses_that_are_not_computed(folder: Path, args: str) -> None:
    """Commands refuse statuses that are not computed with exit code 3, because an empty answer would mislead."""
    facts_file(folder, fact_line())
    engine = earlier_again(folder)
    before = (rows(engine, ledger), rows(engine, log))
    done = ask(args, folder)

    assert (3, "") == (done.returncode, done.stdout)
    assert WORKING in done.stderr
    assert before == (rows(engine, ledger), rows(engine, log))
    engine.dispose()


def earlier_again(folder: Path) -> Engine:
    """Open the database in *folder* once more."""
    return open_database(f"sqlite:///{folder / 'casetrail.db'}")


@pytest.mark.parametrize("args", ["audit verify", "audit head", "audit export --output facts.ndjson", "backup copy.db"])
def test_the_ledger_is_usable_before_statuses_are_computed(folder: Path, args: str) -> None:
    """The ledger can be checked, exported and copied before statuses are computed, because it has not changed."""
    assert 0 == ask(args, folder).returncode


def test_the_doctor_names_the_next_step(folder: Path) -> None:
    """The doctor reports that the statuses are from an earlier release, although the schema is current."""
    done = ask("doctor", folder)

    assert 3 == done.returncode
    assert "error   schema     at 0014, and the statuses were concluded by an earlier release\n" in done.stdout
    assert "-> run `casetrail init`, which concludes them again\n" in done.stdout


def test_a_projector_refuses_too(database: Engine) -> None:
    """A projector that started before the migration takes no partition over, and names the command to run."""
    migrate(database)
    before = (rows(database, ledger), rows(database, LIVE.partitions))

    with pytest.raises(Infrastructure, match=r"facts of partition 0 \(run `casetrail init`\)"):
        Projector(database, dismissals()).assign(instant("2022-08-05"))

    assert before == (rows(database, ledger), rows(database, LIVE.partitions))


def test_init_computes_everything_again(database: Engine, tmp_path: Path) -> None:
    """Init computes people, parts and names as a rebuild would, and does not touch the ledger."""
    before = rows(database, ledger)
    done = initialised(database, tmp_path)

    assert 0 == done.returncode
    assert "migrated from schema 0004 to 0014\n" in done.stderr
    assert "statuses of 6 people recomputed from the ledger, 2 alerts differ\n" in done.stderr
    assert before == rows(database, ledger)
    assert sorted({row["subject_id"] for row in ROWS["subjects"]}) == [
        row["subject_id"] for row in builders.statuses(database)
    ]
    assert [("silent", "sam")] == [(row["subject_id"], row["folded"]) for row in rows(database, LIVE.names)]
    assert [] == rebuild(database, dismissals(), lambda _: None)


def test_init_reports_the_number_of_people(database: Engine, tmp_path: Path) -> None:
    """Init reports the number of people in JSON, and 0 the second time."""
    (first, again) = (json.loads(run("init --json", tmp_path, env=url(database)).stdout) for _ in range(2))

    assert ("0004", "0014", 6) == (first["before"], first["after"], first["concluded"])
    assert ("0014", "0014", 0) == (again["before"], again["after"], again["concluded"])
    assert [("alerts", "reported", "report-2", None), ("alerts", "reported", "report-3", None)] == sorted(
        (alert["table"], alert["before"]["subject_id"], alert["before"]["anchor"], alert["after"])
        for alert in first["alerts"]
    )
    assert [] == again["alerts"]


def test_facts_merged_by_the_earlier_release_are_kept_apart(database: Engine, tmp_path: Path) -> None:
    """
    Facts that the earlier release merged are kept apart.

    The history has two counts of one case, and three reports of one dismissal.
    """
    initialised(database, tmp_path)
    (mixed, reported) = (
        next(row for row in builders.statuses(database) if row["subject_id"] == person)
        for person in ("mixed", "reported")
    )

    assert [("bribery", "convicted"), ("fraud", "acquitted")] == [
        (count["title"], count["status"]) for count in mixed["cases"][0]["counts"]
    ]
    assert {"undecided": 0, "convicted": 1, "acquitted": 1, "ended": 0} == mixed["counts"]
    assert ("dismissed", 3) == (reported["service"]["status"], reported["service"]["facts"])
    assert 1 == len(reported["posts"])


def test_facts_that_are_refused_by_now_are_read_as_they_were(database: Engine, tmp_path: Path) -> None:
    """
    Facts that are refused by now stay as they were accepted.

    Examples are an invisible character in a subject_id, a charge without title, and blank sources.
    """
    initialised(database, tmp_path)
    odd = next(row for row in builders.statuses(database) if row["subject_id"].startswith("odd"))

    assert "charged" == odd["headline"]
    assert [(5, "tenge")] == [(count["amount"], count["currency"]) for count in odd["cases"][0]["counts"]]


def test_alerts_keep_their_ids_and_states(database: Engine, tmp_path: Path) -> None:
    """Alerts keep their ids and states, and acknowledgements too; of three alerts about one event one is left."""
    initialised(database, tmp_path)
    after = states(database)
    reported = [alert_id for alert_id, (subject_id, _) in after.items() if subject_id == "reported"]

    assert after.keys() <= TOLD.keys()
    assert {"arrested": "open", "reported": "open", "seen": "acknowledged", "silent": "open"} == dict(after.values())
    assert [row["alert_id"] for row in ROWS["alerts"] if row["anchor"] == "report-1"] == reported
    (row,) = (row for row in rows(database, LIVE.alerts) if row["subject_id"] == "reported")
    assert ("report-1", ["report-1", "report-2", "report-3"]) == (row["first_anchor"], row["evidence"])


def test_alerts_that_are_gone_are_listed(database: Engine, tmp_path: Path) -> None:
    """Alerts that are gone are listed, so that a person can inform their readers."""
    gone = {row["alert_id"]: row for row in ROWS["alerts"] if row["anchor"] in {"report-2", "report-3"}}
    done = initialised(database, tmp_path)

    assert done.stdout.splitlines() == [
        f"alerts {alert_id}: gone ({row['rule']}, {row['subject_id']}, {row['state']})"
        for alert_id, row in sorted(gone.items())
    ]
    assert "" == initialised(database, tmp_path).stdout


def test_no_notice_is_written_twice(database: Engine, tmp_path: Path) -> None:
    """Notices stay as they were, and no change of a continuing alert is written again."""
    before = rows(database, outbox)
    initialised(database, tmp_path)
    after = rows(database, outbox)

    assert before == after


def test_projectors_continue_the_alerts_of_the_earlier_release(database: Engine, tmp_path: Path) -> None:
    """A projector continues an earlier alert under its id: a late arrest ends it, by the rules of this release."""
    initialised(database, tmp_path)
    projector = Projector(database, dismissals())
    projector.assign(instant("2022-08-05"))
    builders.project(projector, [arrested("2022-04-20", subject="silent", recorded="2022-08-06T00:00:00Z")])
    changes = select(LIVE.alert_changes).where(LIVE.alert_changes.c.alert_id == "07e3e7b1-73ea-516c-ba3c-5f0ed2d9f3ce")
    with database.connect() as conn:
        life = [(row.state, row.cause) for row in conn.execute(changes.order_by(LIVE.alert_changes.c.n))]

    assert [
        ("open", "deadline"),
        ("superseded", "rule_changed"),
        ("open", "rule_changed"),
        ("retracted", "late_knowledge"),
    ] == life
    assert [] == rebuild(database, dismissals(), lambda _: None)


def test_an_unfinished_rebuild_of_the_earlier_release_is_removed(database: Engine, tmp_path: Path) -> None:
    """Rows of an unfinished rebuild by the earlier release are removed, since their keys may come again."""
    leave_half_a_rebuild(database)
    done = initialised(database, tmp_path)

    assert 0 == done.returncode, done.stderr
    assert {"arrested", "reported", "seen", "silent"} == {subject_id for subject_id, _ in states(database).values()}
    assert [[], []] == [rows(database, table) for table in (REBUILD.alerts, REBUILD.alert_changes)]
    assert [] == rebuild(database, dismissals(), lambda _: None)


def leave_half_a_rebuild(engine: Engine) -> None:
    """Write rows as a rebuild of the earlier release had left them when it was stopped."""
    (reached,) = rows(engine, LIVE.partitions)
    with write_transaction(engine) as conn:
        for name in ("alerts", "alert_changes", "names"):
            twin, live = getattr(REBUILD, name), getattr(LIVE, name)
            columns = [column["name"] for column in inspect(conn).get_columns(live.name)]
            query = select(*(live.c[column] for column in columns))
            conn.execute(insert(twin).from_select(columns, query))
        conn.execute(insert(rebuild_partitions).values(reached | {"rules_version": "other code"}))


# The command, in batches of five rows, killed at the write of the third batch.
KILLED = """
import os, signal
from sqlalchemy import Engine, event
from projections.projector import rebuild
from services.cli import main

left = iter(range(2))

def write(conn, cursor, statement, *_):
    if statement.startswith("DELETE FROM rebuild_partitions WHERE") and next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "before_cursor_execute", write)
rebuild.BATCH = 5
main()
"""


def test_a_killed_init_is_continued(folder: Path) -> None:
    """After a killed init no command works, and the next init continues where it stopped."""
    command = [sys.executable, "-c", KILLED, "init"]
    killed = subprocess.run(command, cwd=folder, env=environment(folder), timeout=SECONDS, check=False)
    engine = earlier_again(folder)
    (reached,) = rows(engine, rebuild_partitions)
    engine.dispose()

    assert (-signal.SIGKILL, 10) == (killed.returncode, reached["seq"])
    assert WORKING in ask("status", folder).stderr
    assert "statuses of 6 people recomputed" in run("init", folder).stderr
    assert 6 == len(answer("status", folder))


def test_inits_at_the_same_time_wait_for_each_other(database: Engine, tmp_path: Path) -> None:
    """Of several inits at the same time, one computes everything, the others wait, and none fails."""
    setting = environment(tmp_path, url(database))
    starters = [
        subprocess.Popen([*COMMAND, "init", "--json"], cwd=tmp_path, env=setting, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    outputs = [json.loads(starter.communicate(timeout=SECONDS)[0]) for starter in starters]

    assert [0] * 4 == [starter.returncode for starter in starters]
    assert [0, 0, 0, 6] == sorted(output["concluded"] for output in outputs)


def test_an_empty_database_of_an_earlier_release_has_nothing_to_conclude(database_url: str, tmp_path: Path) -> None:
    """An empty database of an earlier release has no statuses to compute."""
    engine = open_database(database_url)
    upgrade(engine, "0004")
    done = initialised(engine, tmp_path)

    assert 0 == done.returncode
    assert "people" not in done.stderr
    assert "[]\n" == run("status --json", tmp_path, env=url(engine)).stdout
    engine.dispose()
