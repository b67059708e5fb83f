"""The first signal asks a long command to end."""

import signal
import subprocess
import sys

import pytest

from tests.support.commands import SECONDS
from tests.support.places import ROOT

# The lock that Event.wait holds, except while it sleeps; a signal may arrive at any instant.
SIGNAL_IN_A_WAIT = """
import os, sys
from services.runtime.shutdown import stopping
with stopping() as stop:
    with stop._cond:
        os.kill(os.getpid(), int(sys.argv[1]))
        print(stop.by.name)
    print(stop.wait())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_instant_of_a_wait_ends_it(number: signal.Signals) -> None:
    """The waiting thread holds a lock that setting the event needs."""
    command = [sys.executable, "-c", SIGNAL_IN_A_WAIT, str(number.value)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=SECONDS, check=True)

    assert f"{number.name}\nTrue\n" == done.stdout.decode()
