"""The program under everything that may befall it; the long version is `python -m benchmarks.faults`."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.faults.schedule import KINDS, draw
from tests.support.places import ROOT
from tests.support.postgres import binaries
from tests.support.skips import untested

SEED = int(os.environ.get("CASETRAIL_TEST_FAULTS_SEED", "1"))
SECONDS = 25
PATIENCE_SECONDS = 280


def test_a_seed_draws_the_same_schedule_again() -> None:
    """And another seed another one, but every kind of fault comes in each."""
    schedules = [draw(seed, SECONDS) for seed in range(20)]

    assert draw(7, SECONDS) == schedules[7]
    assert len({tuple(schedule) for schedule in schedules}) == 20
    assert all({*KINDS} <= {fault.kind for fault in schedule} for schedule in schedules)
    assert all([2, 4, 8, 3] == [f.times for f in schedule if f.kind == "scale"] for schedule in schedules)


@pytest.fixture
def servers(kafka_programs: None) -> None:  # noqa: ARG001 - it may skip
    """What the harness starts for itself is here."""
    if binaries() is None:
        untested("PostgreSQL (apt-get install postgresql)")


@pytest.mark.slow
@pytest.mark.usefixtures("servers")
def test_whatever_befalls_it_nothing_is_lost_and_nothing_happens_twice() -> None:
    """Killed, frozen, cut off, scaled up and down: ledger, statuses, alerts and notices are as if nothing had been."""
    command = f"-m benchmarks.faults --seed {SEED} --facts 5000 --seconds {SECONDS} --json"
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.stdout, done.stderr
    (run,) = json.loads(done.stdout)
    figures: dict[str, Any] = run["figures"]

    assert ([], 0) == (run["findings"], done.returncode), done.stderr
    assert 5000 == figures["facts"] == figures["applied"]
    assert all(figures[name] > 0 for name in ("duplicate", "conflict", "parked", "forwarded", "alerts", "notices"))
    assert figures["partitions_taken_from_frozen"] > 0, "no projector was frozen for long enough to lose anything"
    assert {"before", "during", "after"} == figures["cuts"].keys()
