"""One person in the columns of a table: custody, case, and standing before the law."""

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
    """Return the words of a status row for a table. They contain no text from outside."""
    return ListWords(_custody(row), _case(row), _before_the_law(row))


def _custody(row: Row) -> str:
    parts = [custody_words(row["custody"]["status"])] if was_held(row) else []
    if row["wanted"]:
        parts.append(f"wanted, {row['wanted']['status']}")
    if any(map(is_unreleased, row["custody_cases"])):
        parts.append("no release reported")
    return "; ".join(parts)


def _case(row: Row) -> str:
    """Return the stage of the row, and a verdict of guilty in another case."""
    stage = row["stage"]
    criminal = [case for case in row["cases"] if case["kind"] == "criminal"]
    own = [case for case in criminal if stage and case["stage"] and _same(case["stage"], stage)]
    others = [case for case in criminal if case not in own]
    parts = [stage_of(own[0]) if own else stage_words(stage["status"])] if stage else []
    another = " in another case" if stage else ""
    if any(finally_convicted(count) for case in others for count in case["counts"]):
        parts.append(f"convicted{another}")
    elif any(_found_guilty(count) for case in others for count in case["counts"]):
        parts.append(f"found guilty{another}, not final")
    return "; ".join(parts)


def _before_the_law(row: Row) -> str:
    wording = PRESUMPTIONS[row["presumption"]]
    if row["presumption"] != "convicted":
        return wording
    final = [count for case in row["cases"] if case["kind"] == "criminal" for count in case["counts"]]
    states = {count["status"] for count in final if finally_convicted(count)}
    mercy = f", {' and '.join(sorted(states))}" if states and states <= {"pardoned", "amnestied"} else ""
    still = "; presumed innocent in what is open" if row["open_cases"] else ""
    return f"{wording}{mercy}{still}"


def _same(stage: Row, other: Row) -> bool:
    return bool(stage["fact_id"] == other["fact_id"] and stage["status"] == other["status"])


def _found_guilty(count: Row) -> bool:
    return bool(count["status"] == "convicted" and not count["final"])
