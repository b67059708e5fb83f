"""kill -9 of the service at random instants, while facts are published: nothing lost, nothing twice."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest
from sqlalchemy import Engine

from events.decode import complete
from events.edtf import format_instant
from projections.projector.backtest import backtest
from projections.rules.rulebook import pack
from projections.tables.database import open_database
from projections.tables.schema import LIVE, ledger, log, outbox, partitions
from services.log.local import LocalLog
from tests.support.builders import NOW, Line, corrected, detained, dismissed, retracted, rows, story, suspended, told
from tests.support.commands import environment, ready, run
from tests.support.ledgers import recomputed

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
SEED = int(os.environ.get("CASETRAIL_TEST_CRASH_SEED", random.SystemRandom().randrange(10**6)))
"""Told when the test fails; set the variable to it to have the same facts and instants again."""


def facts(chance: random.Random, n: int) -> list[Line | bytes]:
    """A handful of facts about new and known people, with duplicates, a conflict and rubbish now and then."""
    who = f"p{chance.randrange(40)}"
    first = dismissed("2022-03-27", subject=who, id=f"{n} dismissed")
    batch: list[Line | bytes] = [
        first,
        suspended("2022-03-01", subject=who, id=f"{n} suspended"),
        told("Charged", "2022-04-01", subject=who, case=f"c{n}", id=f"{n} charged"),
    ]
    more: list[Line | bytes] = [
        detained("2022-05-01", subject=who, id=f"{n} detained"),
        corrected(first, occurred="2022-02-01", id=f"{n} corrected"),
        retracted(first, id=f"{n} retracted"),
        first,
        first | {"data": first["data"] | {"note": "another"}},
        b'{"type": "Detained"',
    ]
    return [*batch, *chance.sample(more, chance.randrange(len(more)))]


def published(lines: list[Line | bytes]) -> list[tuple[str, bytes]]:
    """The lines as a publisher hands them to the log."""
    found = []
    for line in lines:
        if isinstance(line, bytes):
            found.append(("rubbish", line))
        else:
            fact, value = complete(story(line)[0], NOW)
            found.append((fact.subject, value))
    return found


def keep_publishing(source: LocalLog, chance: random.Random, stop: threading.Event, done: list[Line | bytes]) -> None:
    """Append a handful after the other, each in a transaction, until *stop*; what was appended goes to *done*."""
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
    Give a way to start ``casetrail run``, kill it after so many seconds, and learn what ended it.

    Each is a process of its own, forked from one that has read the program and done nothing yet: a start that takes
    a second would make it rare to be killed at work. Every other one is given the time to take the partition first,
    which raises its *epoch*, however busy the machine is.
    """
    command = [sys.executable, "-c", FORKING]
    with subprocess.Popen(
        command, cwd=folder, env=environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        asked, told_back = parent.stdin, parent.stdout
        assert asked
        assert told_back

        patient = cycle([0, 1])

        def live_and_be_killed(seconds: float) -> int:
            before, until = epoch(), time.monotonic() + PATIENCE_SECONDS * next(patient)
            asked.write("run\n")
            asked.flush()
            child = int(told_back.readline())
            while epoch() == before and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
            return int(told_back.readline())

        yield live_and_be_killed
        asked.close()


def _epoch(engine: Engine) -> int:
    return int(next((row["epoch"] for row in rows(engine, partitions)), 0))


@pytest.mark.slow
def test_kill_9_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """After every crash the next start goes on; at the end all is as if there had been one long quiet run."""
    chance = random.Random(SEED)  # noqa: S311 - a story, not a secret
    sys.stdout.write(f"CASETRAIL_TEST_CRASH_SEED={SEED}\n")
    engine = open_database(f"sqlite:///{ready(tmp_path) / 'casetrail.db'}")
    stop, done = threading.Event(), list[Line | bytes]()
    publisher = threading.Thread(target=keep_publishing, args=(LocalLog(engine), random.Random(SEED), stop, done))  # noqa: S311
    publisher.start()
    try:
        with services(tmp_path, lambda: _epoch(engine)) as live_and_be_killed:
            ends = Counter(live_and_be_killed(chance.uniform(0.005, 0.3)) for _ in range(KILLS))
    finally:
        stop.set()
        publisher.join()
    killed = rows(engine, partitions)[0]
    last = run("project --json", tmp_path)

    assert {-signal.SIGKILL: KILLS} == dict(ends)
    assert killed["epoch"] >= KILLS / 2
    assert killed["position"] > 0
    assert 0 == last.returncode, last.stderr
    held = rows(engine, partitions)[0]
    written = [row for row in rows(engine, ledger) if row["entry"] == "record"]
    assert [row["log_offset"] for row in written] == [*range(len(done))] == [r["log_offset"] for r in rows(engine, log)]
    assert [row["value"] for row in written] == [value for _, value in published(done)]
    assert [row["hash"] for row in rows(engine, ledger)] == recomputed(engine)
    counts = Counter(row["outcome"] for row in written)
    assert counts == {name: held[name] for name in counts}
    assert len(done) == held["read"] == held["position"] == counts.total()
    as_if_never_killed(engine, done)


def as_if_never_killed(engine: Engine, done: list[Line | bytes]) -> None:
    """What stands in the tables is what one run over the same records says, each notice told once."""
    recorded = {row["log_offset"]: row["recorded"] for row in rows(engine, ledger) if row["entry"] == "record"}
    lines = [
        line if isinstance(line, bytes) else json.dumps(line | {"recorded": format_instant(recorded[n])}).encode()
        for n, line in enumerate(done)
    ]
    watermark = rows(engine, partitions)[0]["watermark"]
    expected = backtest(lines, pack(), watermark).report
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
