"""Editing a fact's data in the user's own editor."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from events.errors import BadInput
from events.vocabulary import data_problem

from .output import say


def edit(type_: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    Return *data* as the user leaves it in $VISUAL or $EDITOR.

    If it does not fit *type_*, a user at a terminal may edit it again.

    Raises:
        BadInput: if there is no editor, it fails, or the result is not data of that type.
    """
    text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    while True:
        text = _edited(text)
        try:
            return _read(type_, text)
        except BadInput as problem:
            if not sys.stdin.isatty():
                raise
            say(str(problem))
            typer.confirm("Edit again?", default=True, abort=True, err=True)


def _edited(text: str) -> str:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("vi" if sys.stdin.isatty() else "")
    if not editor:
        raise BadInput("no field is named, and no editor is set", "--set FIELD=VALUE, or $EDITOR")
    with TemporaryDirectory(prefix="casetrail-") as folder:
        file = Path(folder) / "data.json"
        file.write_text(text, encoding="utf-8")
        try:
            # The command is the user's own setting, with its own options.
            subprocess.run([*shlex.split(editor), str(file)], check=True)  # noqa: S603
            return file.read_text(encoding="utf-8")
        except subprocess.CalledProcessError as problem:
            raise BadInput(
                f"the editor ended with exit code {problem.returncode}", "exit code 0, so that the text is published"
            ) from None
        except OSError as problem:
            raise BadInput(f"the editor failed: {problem.strerror}", "an editor in $VISUAL or $EDITOR") from problem
        except UnicodeDecodeError as problem:
            raise BadInput(f"the edited text is not UTF-8: {problem.reason}", "UTF-8") from problem


def _read(type_: str, text: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as problem:
        raise BadInput(f"broken JSON: {problem}", "the fact's data as a JSON object") from problem
    if misfit := data_problem(type_, data):
        raise BadInput(misfit)
    assert isinstance(data, dict), "data that fits is an object"
    return data
