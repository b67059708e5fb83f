"""What the code has, the docs have, and the other way round."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from projections.rules.rulebook import pack
from projections.rules.values import STATUSES
from projections.tables.columns import METADATA
from projections.tables.schema import LIVE
from services.cli.app import COMMANDS, app, load_commands
from services.settings import Settings
from services.words.terms import ANOMALIES
from tests.support.commands import run
from tests.support.places import ROOT
from tests.support.reading import ask

DOCS = {path.name: path.read_text() for path in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]}
EVERYTHING = "\n".join(DOCS.values())

DESCRIBED_TABLES = sorted(name for name in METADATA.tables if not name.startswith("rebuild_"))


def commands() -> set[str]:
    """Every command and subcommand, as typed."""
    load_commands()
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    found = set()
    for name, command in group.commands.items():
        inner = getattr(command, "commands", {})
        found |= {f"{name} {each}" for each in inner} or {name}
        if getattr(command, "invoke_without_command", False):
            found.add(name)
    return found


def test_a_command_is_loaded_without_the_others() -> None:
    """To load all takes a third longer; afterwards Python looks for cycles as ever."""
    assert sorted(name for names in COMMANDS.values() for name in names) == sorted({c.split()[0] for c in commands()})
    ask_itself = (
        "import gc, sys, services.cli.app as it; it.load_commands('lag'); "
        "print(gc.isenabled(), *sorted(name for name in it.COMMANDS if f'services.cli.{name}' in sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", ask_itself], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == "True lag\n"


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_is_in_the_docs(command: str) -> None:
    """With the words that are typed, in the table of commands or in an example."""
    assert re.search(rf"`(casetrail )?{command}\b|casetrail {command}\b", EVERYTHING)


@pytest.mark.parametrize("command", ["", *sorted({part for each in commands() for part in (each, each.split()[0])})])
def test_every_command_explains_itself_with_an_example(tmp_path: Path, command: str) -> None:
    """Those that only hold others too."""
    assert re.search(r"\n\s+Examples?:\n\s+.*casetrail ", ask(f"{command} --help", tmp_path).stdout)


@pytest.mark.parametrize("group", ["", *sorted({c.split()[0] for c in commands() if " " in c})])
def test_no_line_of_a_help_is_cut(tmp_path: Path, group: str) -> None:
    """On a terminal of 80 columns each command is told in a whole sentence."""
    listed = ask(f"{group} --help", tmp_path).stdout.partition("\nCommands:\n")[2].partition("\n\n")[0]

    assert listed
    assert "..." not in listed


def test_the_docs_name_no_command_that_there_is_not() -> None:
    """In code, whatever stands after `casetrail` is one."""
    first_words = {command.split()[0] for command in commands()}
    code = "\n".join(re.findall(r"```sh\n(.*?)```", EVERYTHING, re.DOTALL))
    named = set(re.findall(r"^casetrail ([a-z]+)", code, re.MULTILINE))
    named |= set(re.findall("`casetrail ([a-z]+)", EVERYTHING))

    assert set() == named - first_words


def test_every_setting_is_in_the_docs_and_none_else() -> None:
    """The table of settings is that of the code."""
    settings = {f"CASETRAIL_{name.upper()}" for name in Settings.model_fields}

    assert settings == set(re.findall(r"CASETRAIL_[A-Z_]+", DOCS["operating.md"]))


@pytest.mark.parametrize("name", DESCRIBED_TABLES)
def test_every_table_is_described_as_the_database_has_it(name: str) -> None:
    """Column by column, in the words that PostgreSQL keeps as comments."""
    section = DOCS["tables.md"].partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)`(?: \(key\))? \| [^|]+ \| (.*) \|$", section, re.MULTILINE)

    assert str(METADATA.tables[name].comment) in section
    assert [(column.name, column.comment) for column in METADATA.tables[name].columns] == rows


def test_the_twins_of_a_rebuild_are_named() -> None:
    """They are empty but for the time of a rebuild, and who sees them must know what they are."""
    twins = {name for name in METADATA.tables if name.startswith("rebuild_")}

    assert twins == {f"rebuild_{table.name}" for table in LIVE}
    assert all(f"`{name}`" in DOCS["tables.md"] for name in twins)


def test_every_status_word_is_in_the_docs() -> None:
    """A word that somebody reads in a status can be looked up."""
    words = {word for known in STATUSES.values() for word in known}

    assert set() == {word for word in words if word not in DOCS["reading.md"]}


def test_every_anomaly_is_in_the_docs() -> None:
    """A code that somebody reads in a status can be looked up."""
    pages = ("reading.md", "model.md")

    assert {page: set() for page in pages} == {
        page: {code for code in ANOMALIES if f"`{code}`" not in DOCS[page]} for page in pages
    }


def test_every_flag_of_the_code_has_words() -> None:
    """A code that the fold sets is put into words for people, and no words stand for a code that is never set."""
    source = "".join(path.read_text() for path in sorted((ROOT / "projections").rglob("*.py")))

    assert set() == {
        code for code in re.findall(r'_?flag\("([a-z_]+)"', source, re.IGNORECASE) if code not in ANOMALIES
    }
    assert set() == {code for code in ANOMALIES if f'"{code}"' not in source}


def test_every_rule_that_ships_is_in_the_docs() -> None:
    """And so is its severity."""
    assert set() == {rule.id for rule in pack().rules if rule.id not in DOCS["rules.md"]}


def test_every_link_leads_somewhere() -> None:
    """From one page to another, and from the README."""
    for name, text in DOCS.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        links = re.findall(r"\]\((?!http)([^)#]+)\)", text)

        assert [link for link in links if not (folder / link).exists()] == []


def test_the_chain_can_be_checked_by_the_program_in_the_docs(tmp_path: Path) -> None:
    """Nobody has to take our word for it: the program of docs/audit.md comes to the same head."""
    program = re.findall(r"```python\n(.*?)```", DOCS["audit.md"], re.DOTALL)[0]
    run("init", tmp_path)
    run(f"publish {ROOT / 'examples' / 'kazakhstan-2022.ndjson'}", tmp_path)
    run("project", tmp_path)
    (head,) = json.loads(run("audit head --json", tmp_path).stdout)
    checked = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "casetrail.db"], capture_output=True, text=True, check=True
    )

    assert f"{head['seq']} {head['hash']}\n" == checked.stdout


@pytest.mark.parametrize("options", ["--help", ""])
def test_the_command_says_what_it_is_for(tmp_path: Path, options: str) -> None:
    """In the words of its page, and with every command."""
    done = run(options, tmp_path)

    assert "Keeps the case status of public officials" in " ".join((done.stdout + done.stderr).split())
    assert all(f"\n  {name} " in done.stdout + done.stderr for name in ("init", "publish", "status", "alerts"))


def test_the_command_says_which_release_it_is(tmp_path: Path) -> None:
    """As whoever reports a fault is asked; no database is needed."""
    done = run("--version", tmp_path)

    assert (0, f"casetrail {version('casetrail')}\n") == (done.returncode, done.stdout)
