"""The command in a process of its own, as users run it, with a database in the test's folder."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from projections.tables.database import open_database
from services.database import migrate
from tests.support.places import ROOT

COMMAND = (sys.executable, "-m", "services.cli")
SECONDS = 120
"""Seconds after which a process counts as hanging: far more than any step takes on the slowest machine."""


class Running(NamedTuple):
    """A running command and its three streams."""

    process: "subprocess.Popen[bytes]"
    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]

    def tell(self, text: str) -> None:
        """Write *text* to its input at once."""
        self.stdin.write(text.encode())
        self.stdin.flush()

    def end(self) -> tuple[int, str, str]:
        """Close its input, wait for it, and return the exit code and all output that was not read before."""
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out.decode(), err.decode()


def environment(folder: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    Return the variables of a process with its database in *folder*.

    Variables CASETRAIL_* of this process are left out. Those in *env* are added.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
    own = {
        "PYTHONPATH": str(ROOT),
        "CASETRAIL_DATABASE_URL": f"sqlite:///{folder / 'casetrail.db'}",
    }
    return inherited | own | dict(env or {})


def run(
    args: str | list[str], cwd: Path, stdin: str | bytes = b"", env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """
    Run ``casetrail`` with *args* in the folder *cwd*, and return the finished process.

    Args:
        args: the arguments without the command's name, as one line of words or as a list.
        cwd: the working directory, which holds ``casetrail.db``.
        stdin: the input.
        env: further variables.
    """
    words = args.split() if isinstance(args, str) else args
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [*COMMAND, *words], cwd=cwd, input=data, env=environment(cwd, env), capture_output=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip
    return subprocess.CompletedProcess(
        words, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )


@contextmanager
def start(args: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """
    Run ``casetrail`` with *args* in the folder *cwd* during the block, and kill it afterwards.

    If the block fails, the output that was not read is printed beside the failure.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*COMMAND, *args.split()], cwd=cwd, env=environment(cwd, env), stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        try:
            yield Running(process, process.stdin, process.stdout, process.stderr)
        except BaseException:
            process.kill()
            for stream in (process.stdout, process.stderr):
                if not stream.closed:
                    sys.stderr.write(f"{args}: {stream.read().decode(errors='replace')}\n")
            raise
        finally:
            process.kill()


def ndjson(text: str) -> list[Any]:
    """Read the lines of *text* as JSON."""
    return [json.loads(line) for line in text.splitlines()]


def fact_line(type_: str = "Dismissed", subject: str = "kz-a", occurred: str = "2022-03-27", **data: Any) -> str:
    """Return a fact as a line of a file, without the fields that a publisher fills in."""
    shape = {"occurred": occurred, "published": "2022-04-27", "sources": [{"url": "https://news.example/1"}], **data}
    return json.dumps({"type": type_, "source": "urn:example:desk", "subject": subject, "data": shape})


def many(count: int, prefix: str = "kz") -> str:
    """Return *count* facts about different people, one a line."""
    return "".join(fact_line(subject=f"{prefix}-{n}") + "\n" for n in range(count))


def facts_file(folder: Path, *lines: str | bytes, name: str = "facts.ndjson") -> Path:
    """Write *lines* to a file in *folder*, each with a line feed."""
    path = folder / name
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    return path


def ready(folder: Path) -> Path:
    """Create and migrate the database in *folder*."""
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    migrate(engine)
    engine.dispose()
    return folder
