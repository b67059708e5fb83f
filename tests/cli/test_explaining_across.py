"""`casetrail rules explain` for rules across people: the group and the people counted, or the others and their facts."""

from pathlib import Path
from typing import Any

import pytest

from projections.tables.database import open_database
from projections.tables.columns import METADATA
from tests.across.test_rulefiles import COUNT, OF
from tests.support.builders import Line, detained, retracted, stated, wanted
from tests.support.correlating import House, ministry, siblings
from tests.support.reading import answer, ask
from tests.support.rules import book

RULES = COUNT + "    where: {anchor.place: {present: false}}\n" + OF.partition("\n")[2]
WHO = "officials-of-one-agency"


def judged(folder: Path, lines: list[Line], until: str = "2022-06-01", text: str = RULES) -> House:
    """Write a database in *folder* in which *lines* are judged."""
    (folder / "rules.yaml").write_text(text, "utf-8")
    (folder / ".env").write_text("CASETRAIL_RULES=rules.yaml\n", "utf-8")
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    METADATA.create_all(engine)
    house = House(2, engine, book(text)).judge(lines, until)
    engine.dispose()
    return house


def reasons(folder: Path, rule: str, subject: str, *args: str) -> tuple[str, list[tuple[Any, ...]]]:
    """Return the answer for the last event, and each reason about other people."""
    shown = answer(" ".join(["rules explain", rule, subject, *args]), folder)["anchors"][-1]
    told = [
        (one["what"], one["holds"], *(value for key, value in one["detail"].items() if key != "types"))
        for one in shown["reasons"]
        if one["what"] not in {"where", "jurisdiction"}
    ]
    return shown["value"], told
