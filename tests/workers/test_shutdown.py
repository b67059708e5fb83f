"""How a command that runs for long is asked to end."""

import signal
import subprocess
import sys

import pytest

from tests.support.commands import SECONDS
from tests.support.places import ROOT

# The lock that Event.wait holds, but for the time that it sleeps; a signal may come at any instant of it.
ASKED_IN_A_WAIT = """
import os, sys
from services.runtime.shutdown import stopping
with stopping() as stop:
    with stop._cond:
        os.kill(os.getpid(), int(sys.argv[1]))
        print(stop.by.name)
    print(stop.wait())
"""


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_instant_of_a_wait_ends_it(asked: signal.Signals) -> None:
    """Whoever waits for the signal holds a lock, for which setting the event waits."""
    command = [sys.executable, "-c", ASKED_IN_A_WAIT, str(asked.value)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=SECONDS, check=True)

    assert f"{asked.name}\nTrue\n" == done.stdout.decode()
