"""One person in the columns of a table: custody, case, and where they stand before the law."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from .careers import was_held
from .terms import PRESUMPTIONS, custody_words, stage_words
from .verdicts import finally_convicted, is_unreleased, stage_of

Row = Mapping[str, Any]


class ListWords(NamedTuple):
    """The cells of one person in three columns."""

    custody: str
    case: str
    before_the_law: str


def list_words(row: Row) -> ListWords:
    """Return what a table says of one person, from a status row; no text from outside is in it."""
    return ListWords(_custody(row), _case(row), _before_the_law(row))


def _custody(row: Row) -> str:
    said = [custody_words(row["custody"]["status"])] if was_held(row) else []
    if row["wanted"]:
        said.append(f"wanted, {row['wanted']['status']}")
    if any(map(is_unreleased, row["custody_cases"])):
        said.append("no release reported")
    return "; ".join(said)


def _case(row: Row) -> str:
    """Return the stage of the row, and beside it the verdicts of guilty in cases that it does not speak of."""
    stage = row["stage"]
    criminal = [case for case in row["cases"] if case["kind"] == "criminal"]
    own = [case for case in criminal if stage and case["stage"] and _same(case["stage"], stage)]
    others = [case for case in criminal if case not in own]
    said = [stage_of(own[0]) if own else stage_words(stage["status"])] if stage else []
    another = " in another case" if stage else ""
    if any(finally_convicted(count) for case in others for count in case["counts"]):
        said.append(f"convicted{another}")
    elif any(_found_guilty(count) for case in others for count in case["counts"]):
        said.append(f"found guilty{another}, not final")
    return "; ".join(said)


def _before_the_law(row: Row) -> str:
    said = PRESUMPTIONS[row["presumption"]]
    if row["presumption"] != "convicted":
        return said
    final = [count for case in row["cases"] if case["kind"] == "criminal" for count in case["counts"]]
    states = {count["status"] for count in final if finally_convicted(count)}
    mercy = f", {' and '.join(sorted(states))}" if states and states <= {"pardoned", "amnestied"} else ""
    still = "; presumed innocent in what is open" if row["open_cases"] else ""
    return f"{said}{mercy}{still}"


def _same(stage: Row, other: Row) -> bool:
    return bool(stage["fact_id"] == other["fact_id"] and stage["status"] == other["status"])


def _found_guilty(count: Row) -> bool:
    return bool(count["status"] == "convicted" and not count["final"])
