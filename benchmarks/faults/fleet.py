"""The program under test: projectors and notifiers as processes of their own, and the faults of processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-m", "services.cli")
END_SECONDS = 60


class Member(NamedTuple):
    """A process of the program: its name, which its database sessions carry, and its log."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path


class Fleet:
    """
    The processes of one kind.

    Attributes:
        running: the running members, in the order of their start.
        frozen: the members that SIGSTOP has stopped.
        failed: the name and the exit code of each member that ended by itself, which must not happen.
    """

    def __init__(self, part: str, folder: Path, env: Mapping[str, str], database_url: str) -> None:
        """
        Prepare processes of ``casetrail run *part*``.

        Args:
            part: projector or notifier.
            folder: the folder of their logs.
            env: their settings.
            database_url: the address of their database.
        """
        self.running: list[Member] = []
        self.frozen: list[Member] = []
        self.failed: list[str] = []
        self._part = part
        self._folder = folder
        self._env = dict(env)
        self._url = database_url
        self._started = 0

    @property
    def awake(self) -> list[Member]:
        """The members that run and are not frozen."""
        return [member for member in self.running if member not in self.frozen]

    def scale(self, count: int) -> None:
        """Start or terminate members until *count* are running; frozen ones are never terminated."""
        while len(self.running) < count:
            self.start()
        for member in self.awake[: len(self.running) - count]:
            self._end(member)

    def start(self) -> None:
        """Start one more member."""
        self._started += 1
        name = f"{self._part}-{self._started}"
        env = environment(self._env | {"CASETRAIL_DATABASE_URL": f"{self._url}?application_name={name}"})
        log = self._folder / f"{name}.log"
        words = ["setpriv", "--pdeathsig", "KILL", *COMMAND, "run", self._part]
        with log.open("wb") as output:
            process = subprocess.Popen(words, cwd=self._folder, env=env, stdout=output, stderr=output)  # noqa: S603 - casetrail
        self.running.append(Member(name, process, log))

    def kill(self, pick: int) -> str | None:
        """Kill one member (SIGKILL) and start another; return its name, or None if all are frozen."""
        member = self._picked(pick)
        if member is None:
            return None
        if self._check(member):
            member.process.kill()
            member.process.wait()
            self.running.remove(member)
            self.start()
        return member.name

    def freeze(self, pick: int, busy: Collection[str]) -> Member | None:
        """Freeze one member (SIGSTOP), if possible one of the *busy*, and return it; None if all are frozen."""
        member = self._picked(pick, busy)
        if member is not None:
            member.process.send_signal(signal.SIGSTOP)
            self.frozen.append(member)
        return member

    def resume(self, member: Member) -> None:
        """Continue a frozen member."""
        member.process.send_signal(signal.SIGCONT)
        self.frozen.remove(member)

    def end(self) -> None:
        """Terminate all members."""
        for member in [*self.frozen]:
            self.resume(member)
        self.check()
        for member in self.running:
            member.process.terminate()
        for member in [*self.running]:
            self._wait(member)

    def abandon(self) -> None:
        """Kill all members that still run."""
        for member in self.running:
            member.process.kill()
            member.process.wait()
        self.running.clear()

    def check(self) -> None:
        """Note the members that ended by themselves, and start others."""
        for member in [*self.running]:
            self._check(member)

    def _end(self, member: Member) -> None:
        if self._check(member):
            member.process.terminate()
            self._wait(member)

    def _wait(self, member: Member) -> None:
        try:
            code = member.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            member.process.kill()
            code = member.process.wait()
        self.running.remove(member)
        # A member that has not begun yet has no handler, so the signal itself ends it.
        if code and (code != -signal.SIGTERM or member.log.stat().st_size):
            self.failed.append(f"{member.name} was terminated and ended with {code}: {tail(member.log)}")

    def _check(self, member: Member) -> bool:
        """Return whether *member* still runs; if not, note it and start another."""
        code = member.process.poll()
        if code is None:
            return True
        self.failed.append(f"{member.name} ended by itself with {code}: {tail(member.log)}")
        self.running.remove(member)
        self.start()
        return False

    def _picked(self, pick: int, names: Collection[str] = ()) -> Member | None:
        awake = [member for member in self.awake if member.name in names] or self.awake
        return awake[pick % len(awake)] if awake else None


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a process: none of CASETRAIL_* except *own*."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
    return inherited | {"PYTHONPATH": str(ROOT)} | dict(own)


def casetrail(
    words: list[str], folder: Path, env: Mapping[str, str], stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run ``casetrail`` with *words* to its end."""
    return subprocess.run(  # noqa: S603 - casetrail
        [*COMMAND, *words], cwd=folder, env=environment(env), input=stdin, capture_output=True, check=False
    )


def tail(log: Path) -> str:
    """Return the end of *log*."""
    return log.read_text(encoding="utf-8", errors="replace")[-1500:]
