"""The program under every kind of fault; the long version is `python -m benchmarks.faults`."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.faults.schedule import KINDS, draw
from tests.support.places import ROOT
from tests.support.postgres import binaries
from tests.support.skips import skip_or_fail

SEED = int(os.environ.get("CASETRAIL_TEST_FAULTS_SEED", "1"))
SECONDS = 25
PATIENCE_SECONDS = 280


def test_a_seed_draws_the_same_schedule_again() -> None:
    """A seed always draws the same schedule, and each schedule contains every kind of fault."""
    schedules = [draw(seed, SECONDS) for seed in range(20)]

    assert draw(7, SECONDS) == schedules[7]
    assert len({tuple(schedule) for schedule in schedules}) == 20
    assert all({*KINDS} <= {fault.kind for fault in schedule} for schedule in schedules)
    assert all([2, 4, 8, 3] == [f.times for f in schedule if f.kind == "scale"] for schedule in schedules)


@pytest.fixture
def servers(kafka_programs: None) -> None:  # noqa: ARG001 - requested for its skip
    """The programs that the harness starts itself: Java, Kafka and PostgreSQL."""
    if binaries() is None:
        skip_or_fail("PostgreSQL (apt-get install postgresql)")


@pytest.mark.slow
@pytest.mark.usefixtures("servers")
def test_faults_lose_no_record_and_repeat_no_effect() -> None:
    """
    No record is lost and no effect happens twice under any fault.

    Processes are killed, frozen, cut off, and scaled up and down. Ledger, statuses, alerts and notices are the same as
    without faults.
    """
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
    assert figures["alerts_across"] > 0
    assert figures["correlators_taken"] > 1, "no correlator took the place of another"
    assert figures["partitions_taken_from_frozen"] > 0, "no projector was frozen for long enough to lose anything"
    assert {"before", "during", "after"} == figures["cuts"].keys()
