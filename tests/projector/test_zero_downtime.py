"""A rebuild beside a live projector and a reader: what is read is never empty, partial or older than before."""

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

from projections.tables.database import open_database, snapshot, writing
from projections.tables.schema import LIVE, ledger, outbox, rebuild_partitions
from services.database import migrate
from services.log.local import LocalLog
from tests.support.builders import Line, detained, dismissed, records, rows, suspended
from tests.support.commands import COMMAND, Running, environment, run, start
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

OLD = 2500
"""So many people were known before; three facts each are two batches of a rebuild."""

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
    """A database of production with facts in it, and where commands run."""

    engine: Engine
    folder: Path
    env: dict[str, str]

    def publish(self, *lines: Line) -> None:
        """Append *lines* to the log."""
        LocalLog(self.engine).append([(line["subject"], record.value or b"")
                                      for line, record in zip(lines, records(lines), strict=True)])  # fmt: skip

    def tamper(self) -> None:
        """Say something wrong about half of those who were known before: a rebuild has rows to exchange."""
        with writing(self.engine) as conn:
            some = LIVE.subjects.c.subject_id.like("old-%"), LIVE.subjects.c.subject_id < "old-2"
            conn.execute(update(LIVE.subjects).where(*some).values(headline="wrong"))

    def wrong(self) -> int:
        """About how many people something wrong is said."""
        with self.engine.connect() as conn:
            return int(conn.execute(WRONG).one().wrong)

    def reached(self) -> int:
        """How far a rebuild has come in the ledger; 0 where there is none."""
        with self.engine.connect() as conn:
            return conn.scalar(select(func.max(rebuild_partitions.c.seq))) or 0


@pytest.fixture
def site(postgres_url: str, tmp_path: Path) -> Iterator[Site]:
    """Many people, known and projected, some of them with an alert."""
    engine = open_database(postgres_url)
    migrate(engine)
    made = Site(engine, tmp_path, {"CASETRAIL_DATABASE_URL": postgres_url})
    made.publish(*(line for n in range(OLD) for line in career(f"old-{n}")))
    done = run("project", tmp_path, env=made.env)
    assert 0 == done.returncode, done.stderr
    yield made
    engine.dispose()


def career(who: str) -> list[Line]:
    """Three facts about *who*, which raise an alert."""
    return [
        suspended("2022-03-01", subject=who, id=f"{who} suspended"),
        dismissed("2022-03-27", subject=who, id=f"{who} dismissed"),
        detained("2022-05-01", subject=who, id=f"{who} detained"),
    ]


@contextmanager
def repeated(work: Callable[[int], None], pause_seconds: float) -> Iterator[None]:
    """Do *work* again and again, numbered from 0, while the block runs; raise what it fails with."""
    stop, failed = threading.Event(), list[Exception]()

    def extend() -> None:
        n = 0
        while not stop.is_set() and not failed:
            try:
                work(n)
            except Exception as problem:  # noqa: BLE001 - told by the main thread
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
def living(site: Site, seen: list[tuple[Row[Any], Row[Any]]]) -> Iterator[Running]:
    """Run a projector, publish facts about new people all the while, and read into *seen* what readers see."""

    def read(_: int) -> None:
        with snapshot(site.engine) as conn:
            seen.append((conn.execute(SEEN).one(), conn.execute(WRONG).one()))

    with (
        start("run projector", site.folder, site.env) as service,
        repeated(lambda n: site.publish(*career(f"new-{n}")), 0.05),
        repeated(read, READ_SECONDS),
    ):
        wait_until(lambda: bool(seen) and seen[-1][0].position > 3 * OLD)
        yield service


def grew(seen: list[tuple[Row[Any], Row[Any]]], since: int) -> bool:
    """Whether facts were projected and read after the sample *since*."""
    return bool(seen[-1][0].position > seen[since][0].position)


def test_a_reader_sees_no_empty_partial_or_older_state(site: Site) -> None:
    """Two thousand rows are exchanged in one moment; facts come in before, meanwhile and after."""
    seen = list[tuple[Row[Any], Row[Any]]]()
    site.tamper()
    wrong = site.wrong()
    with living(site, seen) as service:
        before = len(seen) - 1
        done = run("rebuild", site.folder, env=site.env)
        meanwhile, after = grew(seen, before), len(seen) - 1
        wait_until(lambda: grew(seen, after))
        service.process.terminate()
        ended = service.end()

    assert 0 == done.returncode, done.stderr
    assert 0 == ended[0], ended[2]
    assert meanwhile, "nothing was projected while it was rebuilt"
    assert all(now >= then for two in pairwise(each for each, _ in seen) for then, now in zip(*two, strict=True))
    assert {(0, 0, 0)} == {(held.missing, held.older, held.untold) for _, held in seen}
    assert [wrong, 0] == list(dict.fromkeys(held.wrong for _, held in seen))
    assert wrong > 1000
    as_if_never_rebuilt(site)


def test_one_that_is_killed_is_taken_up_beside_a_live_projector(site: Site) -> None:
    """Kill -9 in the middle: readers see nothing of it, and the next one goes on where it stopped."""
    seen = list[tuple[Row[Any], Row[Any]]]()
    site.tamper()
    wrong = site.wrong()
    told = [(row["n"], row["notice_id"]) for row in rows(site.engine, outbox)]
    with living(site, seen):
        with start("rebuild", site.folder, site.env) as first:
            wait_until(lambda: site.reached() > 0 or first.process.poll() is not None)
            first.process.kill()
            first.process.wait()
        left = site.reached()
        assert wrong == site.wrong()
        lowest = [left]
        with repeated(lambda _: lowest.append(site.reached() or left), 0.01):
            done = run("rebuild", site.folder, env=site.env)
        after = len(seen) - 1
        wait_until(lambda: grew(seen, after))

    assert 0 == done.returncode, done.stderr
    assert left > 0, "it was not in the middle"
    assert left == min(lowest)
    assert [wrong, 0] == list(dict.fromkeys(held.wrong for _, held in seen))
    assert {(0, 0, 0)} == {(held.missing, held.older, held.untold) for _, held in seen}
    assert told == [(row["n"], row["notice_id"]) for row in rows(site.engine, outbox)][: len(told)]
    as_if_never_rebuilt(site)


def as_if_never_rebuilt(site: Site) -> None:
    """All that is in the log is projected, nothing came out otherwise, and each change of an alert was told once."""
    projected = run("project --json", site.folder, env=site.env)
    checked = run("rebuild --check --json", site.folder, env=site.env)
    verified = run("audit verify --json", site.folder, env=site.env)
    changes = {(row["alert_id"], row["n"]) for row in rows(site.engine, LIVE.alert_changes)}
    told = [(row["alert_id"], row["notice"]["life"][-1]["state"]) for row in rows(site.engine, outbox)]

    assert 0 == json.loads(projected.stdout)["parked"]
    assert ([], 0) == (json.loads(checked.stdout), checked.returncode)
    assert ([], 0) == (json.loads(verified.stdout)["findings"], verified.returncode)
    assert len(changes) == len(told) == len({row["notice_id"] for row in rows(site.engine, outbox)}) > OLD


def test_it_shows_on_a_terminal_how_far_it_has_come_and_how_long_it_will_take(site: Site) -> None:
    """Rows of the ledger done, of how many, and an estimate of the rest."""
    shown, count = on_a_terminal("rebuild", site), len(rows(site.engine, ledger))

    assert "Rebuilding" in shown
    assert f"{count}/{count}" in shown
    assert "0:00:0" in shown


def on_a_terminal(words: str, site: Site) -> str:
    """What ``casetrail`` prints where it writes to a terminal."""
    terminal, theirs = pty.openpty()
    env = environment(site.folder, site.env | {"TERM": "xterm", "COLUMNS": "120"})
    with subprocess.Popen([*COMMAND, words], cwd=site.folder, env=env, stderr=theirs):
        os.close(theirs)
        read = bytearray()
        try:
            while chunk := os.read(terminal, 4096):
                read += chunk
        except OSError:
            # Linux says so when the last who writes has closed it.
            os.close(terminal)
    return read.decode()
