"""`casetrail id`: the id that a fact gets when it is published without one."""

import json
from pathlib import Path
from typing import Any

import pytest

from events.canonical import derive_id
from tests.reading import ask
from tests.stories import accused, story

ACCUSED = "id --type Accused --source urn:test:desk --subject a --occurred 2022-03-27 --case-id c"


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


def test_who_accuses_of_what_and_where_it_is_read_are_part_of_it(tmp_path: Path) -> None:
    """Two people who accuse somebody on one day have said two things, and two articles are two reports."""
    others: list[dict[str, Any]] = [{"by": by} if by else {} for by in SOMEBODY] + STATED + CITED
    line = json.loads(story(accused("2022-03-27"))[0])
    del line["id"]
    lines = [{**line, "data": line["data"] | data} for data in others]
    (tmp_path / "facts.ndjson").write_text("\n".join(map(json.dumps, lines)))

    told = ask("id facts.ndjson", tmp_path).stdout.split()
    assert [derive_id(each) for each in lines] == told
    assert len(lines) == len(set(told))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("Accused", "Acused"), 'casetrail: "Acused" is not a type (want perhaps Accused'),
        (("2022-03-27", "27.3.2022"), 'casetrail: --occurred: "27.3.2022" is not a date'),
    ],
)
def test_what_can_never_be_published_has_none(tmp_path: Path, changed: tuple[str, str], said: str) -> None:
    """An id would look as if the fact were one."""
    done = ask(ACCUSED.replace(*changed), tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith(said)
