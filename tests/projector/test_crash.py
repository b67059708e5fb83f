"""The service is killed with kill -9 at random instants, while facts are published: no loss, no repetition."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from events.decode import complete
from events.edtf import format_instant
from projections.projector.backtest import backtest
from projections.rules.files.loading import load
from projections.tables.database import open_database
from projections.tables.schema import LIVE, ledger, log, outbox, partitions
from services.log.local import LocalLog
from tests.support.builders import (
    NOW,
    Line,
    corrected,
    detained,
    dismissed,
    encoded,
    retracted,
    rows,
    stated,
    suspended,
)
from tests.support.commands import environment, ready, run
from tests.support.ledgers import recomputed_hashes
from tests.support.places import ROOT

KILLS = 50
PATIENCE_SECONDS = 120
FORKING = """
import os, sys
from importlib import import_module
from services.cli import main
from services.cli.app import COMMANDS
for module in COMMANDS:
    import_module(f"services.cli.{module}")
for asked in sys.stdin:
    child = os.fork()
    if not child:
        sys.argv = ["casetrail", asked.strip()]
        main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
RULES = ROOT / "projections" / "rules" / "pack" / "dismissals.yaml"
"""Rules about one person each, so that the ledger is one chain."""
SEED = int(os.environ.get("CASETRAIL_TEST_CRASH_SEED", random.SystemRandom().randrange(10**6)))
"""The seed, printed for a failed test; the variable set to it repeats the same facts and instants."""


def facts(chance: random.Random, n: int) -> list[Line | bytes]:
    """Return some facts about new and known people, sometimes with duplicates, a conflict and unreadable bytes."""
    person = f"p{chance.randrange(40)}"
    first = dismissed("2022-03-27", subject=person, id=f"{n} dismissed")
    batch: list[Line | bytes] = [
        first,
        suspended("2022-03-01", subject=person, id=f"{n} suspended"),
        stated("Charged", "2022-04-01", subject=person, case=f"c{n}", id=f"{n} charged"),
    ]
    more: list[Line | bytes] = [
        detained("2022-05-01", subject=person, id=f"{n} detained"),
        corrected(first, occurred="2022-02-01", id=f"{n} corrected"),
        retracted(first, id=f"{n} retracted"),
        first,
        first | {"data": first["data"] | {"note": "another"}},
        b'{"type": "Detained"',
    ]
    return [*batch, *chance.sample(more, chance.randrange(len(more)))]


def published(lines: list[Line | bytes]) -> list[tuple[str, bytes]]:
    """Return the lines as a publisher appends them to the log."""
    result = []
    for line in lines:
        if isinstance(line, bytes):
            result.append(("rubbish", line))
        else:
            fact, value = complete(encoded(line)[0], NOW)
            result.append((fact.subject, value))
    return result


def keep_publishing(source: LocalLog, chance: random.Random, stop: threading.Event, done: list[Line | bytes]) -> None:
    """Append batches, each in a transaction, until *stop*; each appended batch is added to *done*."""
    n = 0
    while not stop.is_set():
        batch = facts(chance, n)
        source.append(published(batch))
        done += batch
        n += 1
        stop.wait(chance.uniform(0.01, 0.05))


@contextmanager
def services(folder: Path, epoch: Callable[[], int]) -> Iterator[Callable[[float], int]]:
    """
    Yield a function that starts ``casetrail run``, kills it after some seconds, and returns its exit code.

    Each run is a process of its own. It is forked from a parent that has loaded the program and has done nothing else.
    A normal start takes a second, so the kill would rarely hit a process at work. Every second run has the time to take
    the partition first, which raises its *epoch*, even on a busy machine.
    """
    command = [sys.executable, "-c", FORKING]
    with subprocess.Popen(
        command, cwd=folder, env=environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        requests, replies = parent.stdin, parent.stdout
        assert requests
        assert replies

        patient = cycle([0, 1])

        def run_and_kill(seconds: float) -> int:
            before, until = epoch(), time.monotonic() + PATIENCE_SECONDS * next(patient)
            requests.write("run\n")
            requests.flush()
            child = int(replies.readline())
            while epoch() == before and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
            return int(replies.readline())

        yield run_and_kill
        requests.close()


def _epoch(engine: Engine) -> int:
    return int(next((row["epoch"] for row in rows(engine, partitions) if row["partition"] == 0), 0))


@pytest.mark.slow
def test_kill_9_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """After every crash the next start continues, and at the end all is as after one uninterrupted run."""
    (tmp_path / ".env").write_text(f"CASETRAIL_RULES={RULES}\n")
    chance = random.Random(SEED)  # noqa: S311 - random facts, not a secret
    sys.stdout.write(f"CASETRAIL_TEST_CRASH_SEED={SEED}\n")
    engine = open_database(f"sqlite:///{ready(tmp_path) / 'casetrail.db'}")
    stop, done = threading.Event(), list[Line | bytes]()
    publisher = threading.Thread(target=keep_publishing, args=(LocalLog(engine), random.Random(SEED), stop, done))  # noqa: S311
    publisher.start()
    try:
        with services(tmp_path, lambda: _epoch(engine)) as run_and_kill:
            ends = Counter(run_and_kill(chance.uniform(0.005, 0.3)) for _ in range(KILLS))
    finally:
        stop.set()
        publisher.join()
    killed = _checkpoint(engine)
    last = run("project --json", tmp_path)

    assert {-signal.SIGKILL: KILLS} == dict(ends)
    assert killed["epoch"] >= KILLS / 2
    assert killed["position"] > 0
    assert 0 == last.returncode, last.stderr
    held = _checkpoint(engine)
    written = [row for row in rows(engine, ledger) if row["entry"] == "record"]
    assert [row["log_offset"] for row in written] == [*range(len(done))] == [r["log_offset"] for r in rows(engine, log)]
    assert [row["value"] for row in written] == [value for _, value in published(done)]
    assert [row["hash"] for row in rows(engine, ledger)] == recomputed_hashes(engine)
    counts = Counter(row["outcome"] for row in written)
    assert counts == {name: held[name] for name in counts}
    assert len(done) == held["read"] == held["position"] == counts.total()
    as_if_never_killed(engine, done)


def as_if_never_killed(engine: Engine, done: list[Line | bytes]) -> None:
    """Check that the tables are the same as after one run over the same records, with each notice written once."""
    recorded = {row["log_offset"]: row["recorded"] for row in rows(engine, ledger) if row["entry"] == "record"}
    lines = [
        line if isinstance(line, bytes) else json.dumps(line | {"recorded": format_instant(recorded[n])}).encode()
        for n, line in enumerate(done)
    ]
    watermark = _checkpoint(engine)["watermark"]
    expected = backtest(lines, load(RULES), watermark).report
    changes = rows(engine, LIVE.alert_changes)
    states = {row["alert_id"]: (row["anchor"], row["state"]) for row in rows(engine, LIVE.alerts)}
    lives = Counter((row["alert_id"], row["state"], row["cause"], row["fact_id"]) for row in changes)

    assert {row["subject_id"]: row["headline"] for row in rows(engine, LIVE.subjects)} == {
        row["subject_id"]: row["headline"] for row in expected["subjects"]
    }
    assert {alert["alert_id"]: (alert["anchor"], alert["state"]) for alert in expected["alerts"]} == states
    assert lives == Counter(
        (alert["alert_id"], step["state"], step["cause"], step["fact_id"])
        for alert in expected["alerts"]
        for step in alert["life"]
    )
    assert sorted((row["notice"]["alert_id"], row["n"]) for row in rows(engine, outbox)) != []
    assert len(changes) == len(rows(engine, outbox)) == len({row["notice_id"] for row in rows(engine, outbox)})


def _checkpoint(engine: Engine) -> Mapping[str, Any]:
    """Return the row of the only partition of the log, beside that of the correlator."""
    (row,) = (row for row in rows(engine, partitions) if row["partition"] == 0)
    return row
