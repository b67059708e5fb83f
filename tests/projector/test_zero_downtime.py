"""A rebuild beside a live projector and a reader: the rows are never empty, partial or older than before."""

import json
import os
import pty
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine, Row, func, select, text, update

from projections.tables.database import open_database, snapshot, write_transaction
from projections.tables.schema import LIVE, ledger, outbox, rebuild_partitions
from services.database import migrate
from services.log.local import LocalLog
from tests.support.builders import Line, detained, dismissed, records, rows, suspended
from tests.support.commands import COMMAND, Running, environment, run, start
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

OLD = 2500
"""The number of people before the test; their three facts each make two batches of a rebuild."""

READ_SECONDS = 0.02

SEEN = text("""
    SELECT (SELECT sum(position) FROM partitions) AS position,
           (SELECT sum(seq) FROM partitions) AS seq,
           (SELECT count(*) FROM subjects) AS subjects,
           (SELECT count(*) FROM alerts) AS alerts,
           (SELECT count(*) FROM alert_changes) AS changes,
           (SELECT count(*) FROM outbox) AS notices
""")
WRONG = text("""
    SELECT (SELECT count(*) FROM subjects WHERE headline = 'wrong') AS wrong,
           (SELECT count(DISTINCT subject_id) FROM ledger WHERE outcome = 'applied')
               - (SELECT count(*) FROM subjects) AS missing,
           (SELECT count(*) FROM subjects JOIN (
               SELECT subject_id, max(log_offset) AS last FROM ledger WHERE outcome = 'applied' GROUP BY subject_id
            ) AS known USING (subject_id) WHERE position_offset < last) AS older,
           (SELECT count(*) FROM alert_changes) - (SELECT count(*) FROM outbox) AS untold
""")


class Site(NamedTuple):
    """A production database with facts in it, and the folder of the commands."""

    engine: Engine
    folder: Path
    env: dict[str, str]

    def publish(self, *lines: Line) -> None:
        """Append *lines* to the log."""
        LocalLog(self.engine).append([(line["subject"], record.value or b"")
                                      for line, record in zip(lines, records(lines), strict=True)])  # fmt: skip

    def tamper(self) -> None:
        """Falsify half of the rows that were there before, so that a rebuild has rows to exchange."""
        with write_transaction(self.engine) as conn:
            some = LIVE.subjects.c.subject_id.like("old-%"), LIVE.subjects.c.subject_id < "old-2"
            conn.execute(update(LIVE.subjects).where(*some).values(headline="wrong"))

    def wrong(self) -> int:
        """Return the number of falsified rows."""
        with self.engine.connect() as conn:
            return int(conn.execute(WRONG).one().wrong)

    def reached(self) -> int:
        """Return the ledger row that a rebuild has reached, or 0 without a rebuild."""
        with self.engine.connect() as conn:
            return conn.scalar(select(func.max(rebuild_partitions.c.seq))) or 0


@pytest.fixture
def site(postgres_url: str, tmp_path: Path) -> Iterator[Site]:
    """Many people, known and projected, some of them with an alert."""
    engine = open_database(postgres_url)
    migrate(engine)
    site_ = Site(engine, tmp_path, {"CASETRAIL_DATABASE_URL": postgres_url})
    site_.publish(*(line for n in range(OLD) for line in career(f"old-{n}")))
    done = run("project", tmp_path, env=site_.env)
    assert 0 == done.returncode, done.stderr
    yield site_
    engine.dispose()


def career(person: str) -> list[Line]:
    """Return three facts about *person*, which raise an alert."""
    return [
        suspended("2022-03-01", subject=person, id=f"{person} suspended"),
        dismissed("2022-03-27", subject=person, id=f"{person} dismissed"),
        detained("2022-05-01", subject=person, id=f"{person} detained"),
    ]


@contextmanager
def repeated(work: Callable[[int], None], pause_seconds: float) -> Iterator[None]:
    """Call *work* with 0, 1, 2 and so on during the block, and raise its failure."""
    stop, failed = threading.Event(), list[Exception]()

    def extend() -> None:
        n = 0
        while not stop.is_set() and not failed:
            try:
                work(n)
            except Exception as problem:  # noqa: BLE001 - raised by the main thread
                failed.append(problem)
            n += 1
            stop.wait(pause_seconds)

    thread = threading.Thread(target=extend)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]


@contextmanager
def living(site: Site, samples: list[tuple[Row[Any], Row[Any]]]) -> Iterator[Running]:
    """Run a projector, publish facts about new people all the time, and add the rows that readers see to *samples*."""

    def read(_: int) -> None:
        with snapshot(site.engine) as conn:
            samples.append((conn.execute(SEEN).one(), conn.execute(WRONG).one()))

    with (
        start("run projector", site.folder, site.env) as service,
        repeated(lambda n: site.publish(*career(f"new-{n}")), 0.05),
        repeated(read, READ_SECONDS),
    ):
        wait_until(lambda: bool(samples) and samples[-1][0].position > 3 * OLD)
        yield service


def grew(samples: list[tuple[Row[Any], Row[Any]]], since: int) -> bool:
    """Return whether facts were projected and read after the sample *since*."""
    return bool(samples[-1][0].position > samples[since][0].position)


def test_a_reader_sees_no_empty_partial_or_older_state(site: Site) -> None:
    """Two thousand rows are exchanged at once, with facts before, during and after the exchange."""
    samples = list[tuple[Row[Any], Row[Any]]]()
    site.tamper()
    wrong = site.wrong()
    with living(site, samples) as service:
        before = len(samples) - 1
        done = run("rebuild", site.folder, env=site.env)
        meanwhile, after = grew(samples, before), len(samples) - 1
        wait_until(lambda: grew(samples, after))
        service.process.terminate()
        ended = service.end()

    assert 0 == done.returncode, done.stderr
    assert 0 == ended[0], ended[2]
    assert meanwhile, "nothing was projected while it was rebuilt"
    assert all(now >= then for two in pairwise(counts for counts, _ in samples) for then, now in zip(*two, strict=True))
    assert {(0, 0, 0)} == {(errors.missing, errors.older, errors.untold) for _, errors in samples}
    assert [wrong, 0] == list(dict.fromkeys(errors.wrong for _, errors in samples))
    assert wrong > 1000
    as_if_never_rebuilt(site)


def test_a_killed_rebuild_is_continued_beside_a_live_projector(site: Site) -> None:
    """Readers see nothing of a killed rebuild, and the next one continues where it stopped."""
    samples = list[tuple[Row[Any], Row[Any]]]()
    site.tamper()
    wrong = site.wrong()
    notices = [(row["n"], row["notice_id"]) for row in rows(site.engine, outbox)]
    with living(site, samples):
        with start("rebuild", site.folder, site.env) as first:
            wait_until(lambda: site.reached() > 0 or first.process.poll() is not None)
            first.process.kill()
            first.process.wait()
        left = site.reached()
        assert wrong == site.wrong()
        lowest = [left]
        with repeated(lambda _: lowest.append(site.reached() or left), 0.01):
            done = run("rebuild", site.folder, env=site.env)
        after = len(samples) - 1
        wait_until(lambda: grew(samples, after))

    assert 0 == done.returncode, done.stderr
    assert left > 0, "it was not in the middle"
    assert left == min(lowest)
    assert [wrong, 0] == list(dict.fromkeys(errors.wrong for _, errors in samples))
    assert {(0, 0, 0)} == {(errors.missing, errors.older, errors.untold) for _, errors in samples}
    assert notices == [(row["n"], row["notice_id"]) for row in rows(site.engine, outbox)][: len(notices)]
    as_if_never_rebuilt(site)


def as_if_never_rebuilt(site: Site) -> None:
    """Check that the whole log is projected, no row differs, and each change of an alert has one notice."""
    projected = run("project --json", site.folder, env=site.env)
    checked = run("rebuild --check --json", site.folder, env=site.env)
    verified = run("audit verify --json", site.folder, env=site.env)
    changes = {(row["alert_id"], row["n"]) for row in rows(site.engine, LIVE.alert_changes)}
    notices = [(row["alert_id"], row["notice"]["life"][-1]["state"]) for row in rows(site.engine, outbox)]

    assert 0 == json.loads(projected.stdout)["parked"]
    assert ([], 0) == (json.loads(checked.stdout), checked.returncode)
    assert ([], 0) == (json.loads(verified.stdout)["findings"], verified.returncode)
    assert len(changes) == len(notices) == len({row["notice_id"] for row in rows(site.engine, outbox)}) > OLD


def test_a_terminal_shows_the_progress_and_the_time_left(site: Site) -> None:
    """The terminal shows the rows that are done, their total, and an estimate of the rest."""
    shown, count = on_a_terminal("rebuild", site), len(rows(site.engine, ledger))

    assert "Rebuilding" in shown
    assert f"{count}/{count}" in shown
    assert "0:00:0" in shown


def on_a_terminal(words: str, site: Site) -> str:
    """Return the output of ``casetrail`` on a terminal."""
    terminal, command_end = pty.openpty()
    env = environment(site.folder, site.env | {"TERM": "xterm", "COLUMNS": "120"})
    with subprocess.Popen([*COMMAND, words], cwd=site.folder, env=env, stderr=command_end):
        os.close(command_end)
        read = bytearray()
        try:
            while chunk := os.read(terminal, 4096):
                read += chunk
        except OSError:
            # On Linux this is the end, after the last writer has closed the terminal.
            os.close(terminal)
    return read.decode()
