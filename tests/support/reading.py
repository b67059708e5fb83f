"""Databases with people in them, and the output of commands about them."""

import contextlib
import io
import json
import logging
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine

from projections.tables.database import open_database
from services.cli import main
from services.database import migrate
from tests.support import builders
from tests.support.commands import environment

Line = builders.Line

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def database_with(folder: Path, *lines: Line | bytes, passed: str | None = None) -> Engine:
    """
    Create the database in *folder*, project *lines* into it at their `recorded`, and advance the watermark.

    Args:
        folder: the folder of ``casetrail.db``.
        lines: facts; a line of bytes is a record from a client without checks.
        passed: the new watermark.
    """
    (folder / "casetrail.db").write_bytes(_empty())
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    projector = builders.projector(engine)
    if lines:
        builders.project(projector, lines)
    if passed:
        projector.advance_watermark(builders.instant(passed), builders.instant(passed))
    return engine


class Terminal(io.StringIO):
    """A stand-in for the terminal of a command."""

    def isatty(self) -> bool:
        """Return True, as a terminal does."""
        return True


def ask(args: str | list[str], folder: Path, **env: str) -> "CompletedProcess[str]":
    """Run ``casetrail`` with *args* in this process, which is quicker, on the database in *folder*."""
    return _asked(args, folder, env, io.StringIO())


def on_terminal(args: str | list[str], folder: Path, columns: int, **env: str) -> "CompletedProcess[str]":
    """Run ``casetrail`` likewise, on a terminal that is *columns* wide; the output comes without styles."""
    size = {"COLUMNS": str(columns), "LINES": "25", "TERM": "xterm", "NO_COLOR": "1"}
    done = _asked(args, folder, size | env, Terminal())
    return CompletedProcess(done.args, done.returncode, _STYLE.sub("", done.stdout), done.stderr)


def answer(args: str | list[str], folder: Path, **env: str) -> Any:
    """Run ``casetrail`` with *args* and ``--json``, and return the value that it prints."""
    words = args.split() if isinstance(args, str) else args
    return json.loads(ask([*words, "--json"], folder, **env).stdout)


def _asked(args: str | list[str], folder: Path, env: Mapping[str, str], out: io.StringIO) -> "CompletedProcess[str]":
    words = args.split() if isinstance(args, str) else args
    err = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        _unchanged_logging(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["casetrail", *words])
        for name, value in environment(folder, env).items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert isinstance(code, int)
    return CompletedProcess(words, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _unchanged_logging() -> Iterator[None]:
    """Restore the settings of logs that a command changes: later tests in this process read the log."""
    root, kafka, before = logging.getLogger(), logging.getLogger("kafka"), structlog.get_config()
    handlers, levels = root.handlers, (root.level, kafka.level)
    try:
        yield
    finally:
        structlog.configure(**before)
        root.handlers = handlers
        root.setLevel(levels[0])
        kafka.setLevel(levels[1])


@cache
def _empty() -> bytes:
    """Return the bytes of an empty database, migrated once for all tests."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        engine = open_database(f"sqlite:///{file}")
        migrate(engine)
        engine.dispose()
        return file.read_bytes()
