"""People who are known already, and what the command says of them."""

import contextlib
import io
import json
import sys
import tempfile
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from sqlalchemy import Engine

from projections.database import open_database
from services.cli import main
from services.migrate import migrate
from tests import stories
from tests.commands import environment

Line = stories.Line


def known(folder: Path, *lines: Line | bytes, passed: str | None = None) -> Engine:
    """
    Make the database in *folder*, project *lines* into it at their `recorded`, and let time pass.

    Args:
        folder: where ``casetrail.db`` will be.
        lines: facts; bytes are what a client without checks sent.
        passed: the instant up to which the log is known to have been read.
    """
    (folder / "casetrail.db").write_bytes(_empty())
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    projector = stories.projector(engine)
    if lines:
        stories.project(projector, lines)
    if passed:
        projector.pass_time(stories.instant(passed), stories.instant(passed))
    return engine


def ask(args: str | list[str], folder: Path, **env: str) -> "CompletedProcess[str]":
    """Run ``casetrail`` with *args* in this process, which is quicker, on the database in *folder*."""
    words = args.split() if isinstance(args, str) else args
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["casetrail", *words])
        for name, value in environment(folder, env).items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert isinstance(code, int)
    return CompletedProcess(words, code, out.getvalue(), err.getvalue())


def answer(args: str | list[str], folder: Path, **env: str) -> Any:
    """Run ``casetrail`` with *args* and ``--json``, and return the one value it prints."""
    words = args.split() if isinstance(args, str) else args
    return json.loads(ask([*words, "--json"], folder, **env).stdout)


@cache
def _empty() -> bytes:
    """An empty database, migrated once for all tests."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        engine = open_database(f"sqlite:///{file}")
        migrate(engine)
        engine.dispose()
        return file.read_bytes()
