"""`status --agency X --service Y` selects by one post: conditions met by two different posts do not match."""

from pathlib import Path

import pytest

from tests.support.builders import appointed, described, died, dismissed, stated, suspended
from tests.support.reading import answer, database_with

CHIEF = {"post": "Chief", "agency": "Police"}
AIDE = {"post": "Aide", "agency": "Ministry of Finance"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with people: most have two posts with different ends, some have one, and one has none known."""
    made = tmp_path_factory.mktemp("people")
    database_with(
        made,
        appointed("2019", subject="left-police", **CHIEF),
        appointed("2020", subject="left-police", **AIDE),
        dismissed("2022-03-27", subject="left-police", **CHIEF),
        appointed("2019", subject="left-finance", **CHIEF),
        appointed("2020", subject="left-finance", **AIDE),
        dismissed("2022-03-27", subject="left-finance", **AIDE),
        dismissed("2022-03-27", subject="one-post", **CHIEF),
        appointed("2019", subject="suspended", **CHIEF),
        appointed("2020", subject="suspended", **AIDE),
        suspended("2022-03-27", subject="suspended", **CHIEF),
        appointed("2019", subject="moved", **CHIEF),
        stated("Transferred", "2022-03-27", subject="moved", **CHIEF, to_post="Aide", to_agency="Ministry of Finance"),
        appointed("2019", subject="dead", **CHIEF),
        died("2022-03-27", subject="dead"),
        described("2022-01-01", subject="described", agency="Police"),
    )
    return made


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("--agency police --service dismissed", ["left-police", "one-post"]),
        ("--agency finance --service dismissed", ["left-finance"]),
        ("--agency police --service in_office", ["left-finance"]),
        ("--agency finance --service in_office", ["left-police", "moved", "suspended"]),
        ("--agency police --service suspended", ["suspended"]),
        ("--agency finance --service suspended", []),
        ("--agency police --service dismissed --service suspended", ["left-police", "one-post", "suspended"]),
        ("--agency police --service deceased", ["dead"]),
        ("--agency police --service unknown", ["described"]),
        ("--agency finance", ["left-finance", "left-police", "moved", "suspended"]),
        (
            "--agency police",
            ["dead", "described", "left-finance", "left-police", "moved", "one-post", "suspended"],
        ),
        # Without an agency the summary counts: in office in any post is in office.
        ("--service dismissed", ["one-post"]),
        ("--service in_office", ["left-finance", "left-police", "moved", "suspended"]),
        ("--service suspended", []),
    ],
)
def test_agency_and_service_are_of_one_post(folder: Path, args: str, expected: list[str]) -> None:
    """The rows and the fold agree. A person dismissed from one post and in office in another matches both."""
    assert expected == [row["subject_id"] for row in answer(f"status {args}", folder)]
    assert expected == [row["subject_id"] for row in answer(f"status --known-at 2030 {args}", folder)]


def test_before_the_dismissal_the_post_was_held(folder: Path) -> None:
    """At an earlier instant, the posts of that instant count."""
    asked = "status --as-of 2022-03-01 --agency police --service"

    assert ["dead", "left-finance", "left-police", "moved", "suspended"] == [
        row["subject_id"] for row in answer(f"{asked} in_office", folder)
    ]
    assert [] == answer(f"{asked} dismissed", folder)
