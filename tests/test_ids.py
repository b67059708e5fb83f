"""`casetrail id`: the id that a fact gets when it is published without one."""

import json
from pathlib import Path

import pytest

from tests.reading import ask
from tests.stories import accused, story

ACCUSED = "id --type Accused --source urn:test:desk --subject a --occurred 2022-03-27 --case-id c"


@pytest.mark.parametrize(
    ("by", "options"),
    [
        ({"name": "Kim"}, " --by-name Kim"),
        ({"subject_id": "b"}, " --by-subject b"),
        ({"subject_id": "b", "name": "Kim"}, " --by-subject b --by-name Kim"),
    ],
)
def test_who_accuses_is_part_of_it(tmp_path: Path, by: dict[str, str], options: str) -> None:
    """Two people who accuse somebody on one day have said two things."""
    line = json.loads(story(accused("2022-03-27", by=by))[0])
    del line["id"]
    (tmp_path / "facts.ndjson").write_text(json.dumps(line))
    told = ask(f"{ACCUSED}{options}", tmp_path).stdout

    assert ask("id facts.ndjson", tmp_path).stdout == told
    assert told != ask(ACCUSED, tmp_path).stdout


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("Accused", "Acused"), 'casetrail: "Acused" is not a type (want perhaps Accused or'),
        (("2022-03-27", "27.3.2022"), 'casetrail: --occurred: "27.3.2022" is not a date'),
    ],
)
def test_what_can_never_be_published_has_none(tmp_path: Path, changed: tuple[str, str], said: str) -> None:
    """An id would look as if the fact were one."""
    done = ask(ACCUSED.replace(*changed), tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith(said)
