"""`casetrail id`: the id that a fact gets when it is published without one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from events.canonical import derive_id
from events.vocabulary import DATA
from tests.support.builders import accused, encoded
from tests.support.places import ROOT
from tests.support.reading import ask

ACCUSED = (
    "id --type Accused --source urn:test:desk --subject a --occurred 2022-03-27 --case-id c"
    " --cite https://news.example/1"
)
DOCS = (ROOT / "docs" / "facts.md").read_text()
EXAMPLES = [line for block in re.findall(r"```ndjson\n(.*?)```", DOCS, re.DOTALL) for line in block.splitlines()]
PARTS = (
    *("occurred", "case_id", "ref", "fact_id", "post", "agency", "post_id", "kind", "title", "scope", "other"),
    *("relation", "charges"),
)

SOMEBODY: list[dict[str, str] | None] = [None, {"name": "Kim"}, {"subject_id": "b"}, {"subject_id": "b", "name": "Kim"}]
STATED: list[dict[str, Any]] = [
    {"charges": [{"title": "a bribe"}]},
    {"charges": [{"title": "fraud"}]},
    {"kind": "civil"},
    {"ref": "7"},
]
CITED: list[dict[str, Any]] = [
    {"sources": [{"title": "Gazette"}]},
    {"sources": [{"title": "Gazette", "url": "https://news.example/2"}]},
]


def options(fact: dict[str, Any]) -> list[str]:
    """Return the options that name each part of the id of *fact*."""
    data = fact["data"]
    parts = {name: fact[name] for name in ("type", "source", "subject")}
    parts |= {name: data[name] for name in PARTS if name in data}
    parts["cite"] = data["sources"][0].get("url") or data["sources"][0]["title"]
    match data.get("by"):
        case str(side):
            parts["by"] = side
        case dict(accuser):
            parts |= {f"by_{name.removesuffix('_id')}": value for name, value in accuser.items()}
    words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parts.items()}
    return [word for name, value in words.items() for word in (f"--{name.replace('_', '-')}", value)]


def test_who_accuses_of_what_and_where_it_is_read_are_part_of_it(tmp_path: Path) -> None:
    """Two accusers on one day make two statements, and two articles are two reports."""
    others: list[dict[str, Any]] = [{"by": by} if by else {} for by in SOMEBODY] + STATED + CITED
    line = json.loads(encoded(accused("2022-03-27"))[0])
    del line["id"]
    lines = [{**line, "data": line["data"] | data} for data in others]
    (tmp_path / "facts.ndjson").write_text("\n".join(map(json.dumps, lines)))

    told = ask("id facts.ndjson", tmp_path).stdout.split()
    assert [derive_id(each) for each in lines] == told
    assert len(lines) == len(set(told))


def test_the_parts_of_a_fact_have_the_id_that_publish_derives(tmp_path: Path) -> None:
    """For a fact of every type, each part of its id is an option, and the ids are equal."""
    (tmp_path / "facts.ndjson").write_text("\n".join(EXAMPLES))
    published = [json.loads(line) for line in ask("publish --check --json facts.ndjson", tmp_path).stdout.splitlines()]

    assert list(DATA) == [json.loads(line)["type"] for line in EXAMPLES]
    for line, result in zip(EXAMPLES, published, strict=True):
        done = ask(["id", *options(json.loads(line))], tmp_path)
        assert (result["id"], "") == (done.stdout.strip(), done.stderr), line


def test_a_side_that_appeals_and_an_accuser_are_two_options(tmp_path: Path) -> None:
    """The part `by` is a word in an appeal and an object in an accusation, and never both."""
    appeal = f"{ACCUSED.replace('Accused', 'AppealFiled')} --by defence"

    assert 0 == ask(appeal, tmp_path).returncode
    assert ask(appeal, tmp_path).stdout != ask(appeal.replace("defence", "prosecution"), tmp_path).stdout
    done = ask(f"{appeal} --by-name Kim", tmp_path)
    assert (2, "") == (done.returncode, done.stdout)
    assert "both --by and an accuser" in done.stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("Accused", "Acused"), 'casetrail: "Acused" is not a type (want perhaps Accused)'),
        (("Accused", "Impeached"), 'casetrail: "Impeached" is not a type (want Noted, whose title is the action'),
        (("2022-03-27", "27.3.2022"), 'casetrail: --occurred: "27.3.2022" is not a date'),
        (("--cite https://news.example/1", ""), "casetrail: --cite missing (want a file, or all of --type, --source"),
        (("--case-id c", ""), "casetrail: data.case_id: missing"),
        (("--case-id c", "--case-id c --scope full"), 'casetrail: data.scope: unknown field "scope"'),
        (("--case-id c", "--case-id c --kind penal"), 'casetrail: data.kind: "penal"'),
        (("--case-id c", "--case-id c --charges fraud"), "casetrail: --charges: not JSON"),
        (("--case-id c", "--case-id c --charges []"), "casetrail: data.charges: [] does not fit"),
    ],
)
def test_what_can_never_be_published_has_none(tmp_path: Path, changed: tuple[str, str], said: str) -> None:
    """An id would suggest that the line is a valid fact."""
    done = ask(ACCUSED.replace(*changed), tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith(said)
