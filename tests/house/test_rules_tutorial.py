"""The tutorial of docs/rules.md: each of its commands prints the text that stands behind it."""

import re
import shutil
from pathlib import Path

import pytest

from tests.support.places import ROOT
from tests.support.reading import ask, database_with

TUTORIAL = (ROOT / "docs" / "rules.md").read_text("utf-8").partition("\n## A first rule")[2].partition("\n## ")[0]
COMMANDS = re.findall(r"```sh\ncasetrail ([^\n]*)\n```\n\n```text\n(.*?)```", TUTORIAL, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the rule file of the tutorial, and the examples."""
    (rules,) = re.findall(r"```yaml\n(.*?)```", TUTORIAL, re.DOTALL)
    (tmp_path / "my-rules.yaml").write_text(rules, "utf-8")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


@pytest.mark.parametrize(("command", "output"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_prints_the_text_behind_it(folder: Path, command: str, output: str) -> None:
    """A reader who types the command sees the same."""
    assert output == ask(command, folder).stdout


def test_the_rule_of_the_tutorial_is_right_and_explained(folder: Path) -> None:
    """The file has no problem, and the person whom the tutorial names can be asked for."""
    database_with(folder).dispose()
    assert 0 == ask("publish examples/kazakhstan-2022.ndjson", folder).returncode
    assert 0 == ask("project", folder, CASETRAIL_RULES="my-rules.yaml").returncode
    (named,) = re.findall(r"`casetrail (rules explain .*?)`", TUTORIAL)

    assert 3 == len(COMMANDS)
    assert 0 == ask("rules check my-rules.yaml", folder).returncode
    assert "the rule finds its pattern" in ask(named, folder, CASETRAIL_RULES="my-rules.yaml").stdout
