"""The docs name every command, setting, table, word and rule of the code, and no others."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from projections.rules.files.loading import pack
from projections.rules.values import STATUSES
from projections.tables.columns import METADATA
from projections.tables.schema import LIVE
from services.cli.app import COMMANDS, app, load_commands
from services.delivery.config.secrets import PREFIX as SECRET_PREFIX
from services.settings import Settings
from services.words.terms import ANOMALIES
from tests.support.commands import run
from tests.support.places import ROOT
from tests.support.reading import ask

DOCS = {path.name: path.read_text() for path in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]}
EVERYTHING = "\n".join(DOCS.values())

DESCRIBED_TABLES = sorted(name for name in METADATA.tables if not name.startswith("rebuild_"))


def commands() -> set[str]:
    """Return every command and subcommand, as typed."""
    load_commands()
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    names = set()
    for name, command in group.commands.items():
        inner = getattr(command, "commands", {})
        names |= {f"{name} {subcommand}" for subcommand in inner} or {name}
        if getattr(command, "invoke_without_command", False):
            names.add(name)
    return names


def test_a_command_is_loaded_without_the_others() -> None:
    """
    One command loads without the others, because all of them take a third longer.

    Garbage collection is on again afterwards.
    """
    assert sorted(name for names in COMMANDS.values() for name in names) == sorted({c.split()[0] for c in commands()})
    ask_itself = (
        "import gc, sys, services.cli.app as it; it.load_commands('lag'); "
        "print(gc.isenabled(), *sorted(name for name in it.COMMANDS if f'services.cli.{name}' in sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", ask_itself], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == "True lag\n"


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_is_in_the_docs(command: str) -> None:
    """Every command stands in the docs as it is typed, in the table of commands or in an example."""
    assert re.search(rf"`(casetrail )?{command}\b|casetrail {command}\b", EVERYTHING)


@pytest.mark.parametrize("command", ["", *sorted({part for each in commands() for part in (each, each.split()[0])})])
def test_every_command_explains_itself_with_an_example(tmp_path: Path, command: str) -> None:
    """The help of every command and of every group has an example."""
    assert re.search(r"\n\s+Examples?:\n\s+.*casetrail ", ask(f"{command} --help", tmp_path).stdout)


@pytest.mark.parametrize("group", ["", *sorted({c.split()[0] for c in commands() if " " in c})])
def test_no_line_of_a_help_is_cut(tmp_path: Path, group: str) -> None:
    """A help lists each command in a whole sentence on a terminal of 80 columns."""
    listed = ask(f"{group} --help", tmp_path).stdout.partition("\nCommands:\n")[2].partition("\n\n")[0]

    assert listed
    assert "..." not in listed


def test_the_docs_name_only_commands_that_exist() -> None:
    """Every word after `casetrail` in the docs' code is a command."""
    first_words = {command.split()[0] for command in commands()}
    code = "\n".join(re.findall(r"```sh\n(.*?)```", EVERYTHING, re.DOTALL))
    named = set(re.findall(r"^casetrail ([a-z]+)", code, re.MULTILINE))
    named |= set(re.findall("`casetrail ([a-z]+)", EVERYTHING))

    assert set() == named - first_words


def test_every_setting_is_in_the_docs_and_none_else() -> None:
    """The page of settings has the same names as the code, and the beginning of the names of secrets."""
    settings = {f"CASETRAIL_{name.upper()}" for name in Settings.model_fields} | {SECRET_PREFIX}

    assert settings == set(re.findall(r"CASETRAIL_[A-Z_]+", DOCS["operating.md"]))


@pytest.mark.parametrize("name", DESCRIBED_TABLES)
def test_every_table_is_described_as_the_database_has_it(name: str) -> None:
    """Every column of a table is in the docs, with the words of its comment in PostgreSQL."""
    section = DOCS["tables.md"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)`(?: \(key\))? \| [^|]+ \| (.*) \|$", section, re.MULTILINE)

    assert str(METADATA.tables[name].comment) in section
    assert [(column.name, column.comment) for column in METADATA.tables[name].columns] == rows


def test_the_twins_of_a_rebuild_are_named() -> None:
    """The docs name the tables of a rebuild, which are empty except during a rebuild."""
    twins = {name for name in METADATA.tables if name.startswith("rebuild_")}

    assert twins == {f"rebuild_{table.name}" for table in LIVE}
    assert all(f"`{name}`" in DOCS["tables.md"] for name in twins)


def test_every_status_word_is_in_the_docs() -> None:
    """Every word that can stand in a status can be looked up."""
    words = {word for statuses in STATUSES.values() for word in statuses}

    assert set() == {word for word in words if word not in DOCS["reading.md"]}


def test_every_anomaly_is_in_the_docs() -> None:
    """Every code of an anomaly can be looked up."""
    pages = ("reading.md", "model.md")

    assert {page: set() for page in pages} == {
        page: {code for code in ANOMALIES if f"`{code}`" not in DOCS[page]} for page in pages
    }


def test_every_flag_of_the_code_has_words() -> None:
    """Every flag of the fold has words for people, and every such text belongs to a flag."""
    source = "".join(path.read_text() for path in sorted((ROOT / "projections").rglob("*.py")))

    assert set() == {
        code for code in re.findall(r'_?flag\("([a-z_]+)"', source, re.IGNORECASE) if code not in ANOMALIES
    }
    assert set() == {code for code in ANOMALIES if f'"{code}"' not in source}


def test_every_rule_that_ships_is_in_the_docs() -> None:
    """Every rule of the pack is in the table of the docs, those on trial as such."""
    states = {"true": "yes", "trial": "trial", "false": "no"}
    rows = re.findall(r"(?m)^\| `([a-z-]+)` \|.*\| (yes|trial|no) \|$", DOCS["rules.md"])

    assert {rule.id: states[rule.enabled] for rule in pack().every} == dict(rows)


def test_every_link_leads_somewhere() -> None:
    """Every link from a page or from the README leads to an existing file."""
    for name, text in DOCS.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        links = re.findall(r"\]\((?!http)([^)#]+)\)", text)

        assert [link for link in links if not (folder / link).exists()] == []


def test_the_chain_can_be_checked_by_the_program_in_the_docs(tmp_path: Path) -> None:
    """The program of docs/audit.md computes the head that casetrail reports of each partition."""
    program = re.findall(r"```python\n(.*?)```", DOCS["audit.md"], re.DOTALL)[0]
    run("init", tmp_path)
    run(f"publish {ROOT / 'examples' / 'kazakhstan-2022.ndjson'}", tmp_path)
    run("project", tmp_path)
    heads = json.loads(run("audit head --json", tmp_path).stdout)
    checked = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "casetrail.db"], capture_output=True, text=True, check=True
    )

    assert [f"{head['partition']} {head['seq']} {head['hash']}" for head in heads] == checked.stdout.splitlines()


@pytest.mark.parametrize("options", ["--help", ""])
def test_the_help_states_the_purpose(tmp_path: Path, options: str) -> None:
    """The help states the purpose of the command, and lists every command."""
    done = run(options, tmp_path)

    assert "Keep the case status of public officials" in " ".join((done.stdout + done.stderr).split())
    assert all(f"\n  {name} " in done.stdout + done.stderr for name in ("init", "publish", "status", "alerts"))


def test_the_command_prints_its_release(tmp_path: Path) -> None:
    """The command prints its release, as a report of a fault needs it; no database is needed."""
    done = run("--version", tmp_path)

    assert (0, f"casetrail {version('casetrail')}\n") == (done.returncode, done.stdout)
