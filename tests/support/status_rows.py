"""Status rows written by hand, and the stories behind them: for tests of words, which need no fold."""

from typing import Any

from projections.subjects.view import NOW, SubjectView, story
from projections.subjects.view import Line as Recorded
from tests.support.builders import Line, fact, instant

Row = dict[str, Any]

SINCE: Row = {"since": "2022-01-01", "since_earliest": None, "since_latest": None}
NOTHING: Row = {"since": None, "since_earliest": None, "since_latest": None, "fact_id": None, "facts": 0}


def told_of(*lines: Line, clock: str = "2030") -> SubjectView:
    """The story of `a` by *lines*, all of them recorded."""
    recorded = [Recorded(fact(line), 0, at, at, "", b"{}") for at, line in enumerate(lines)]
    found = story("a", recorded, NOW, instant(clock))
    assert found
    return found


def cell(status: str, of: Line | None = None, facts: int = 1) -> Row:
    """A cell with *status* that rests on the fact *of*."""
    known = {**SINCE, "since": of["data"]["occurred"], "fact_id": of["id"], "facts": facts} if of else NOTHING
    return {"status": status, **known}


def count(status: str = "undecided", of: Line | None = None, **known: Any) -> Row:
    """A count of a case in *status* by the fact *of*; a verdict is by that fact where nothing else is said."""
    verdict = status if status in {"convicted", "acquitted"} else None
    found: Row = {
        "count_id": None, "article": None, "title": None, "counts": 1, "amount": None, "currency": None,
        **cell(status, of), "authority": of["data"].get("authority") if of else None,
        "verdict": verdict, "verdict_fact_id": of["id"] if of and verdict else None,
        "final": False, "final_fact_id": None, "on_appeal": False, "appeal_fact_id": None, "in_absentia": False,
        "rehabilitated": False, "charge_fact_id": None, "sentence_fact_id": None,
    }  # fmt: skip
    assert known.keys() <= found.keys()
    return found | known


def case(*counts: Row, stage: str | None = "charged", **known: Any) -> Row:
    """A case `c` with *counts*; open where nothing else is said."""
    found: Row = {
        "case_id": "c", "kind": "criminal", "kind_fact_id": None, "stage": cell(stage) if stage else None,
        "open": True, "suspended": False, "suspended_fact_id": None, "counts": list(counts),
        "sentence": None, "parts": [], "sentence_fact_id": None, "charges": [], "charges_fact_id": None,
        "authority": None, "authority_fact_id": None,
    }  # fmt: skip
    assert known.keys() <= found.keys()
    return found | known


def post(status: str, of: Line, began: Line | None = None, **known: Any) -> Row:
    """A post held in *status*, with the words of *of*."""
    said = {name: of["data"].get(name) for name in ("post", "agency", "region", "jurisdiction", "ground", "until")}
    found: Row = {
        **said, "post_id": None, "words_fact_id": of["id"], "acting": False, **cell(status, of),
        "began": {**SINCE, "since": began["data"]["occurred"], "fact_id": began["id"]} if began else None,
    }  # fmt: skip
    assert known.keys() <= found.keys()
    return found | known


def hold(status: str, of: Line, **known: Any) -> Row:
    """Custody in the case of *of*."""
    found: Row = {
        "case_id": of["data"].get("case_id"), **cell(status, of), "until": of["data"].get("until"),
        "until_fact_id": of["id"] if "until" in of["data"] else None, "authority": of["data"].get("authority"),
        "place": of["data"].get("place"), "counted": True,
    }  # fmt: skip
    assert known.keys() <= found.keys()
    return found | known


def search(of: Line, **known: Any) -> Row:
    """A search that stands, by the fact *of*."""
    said = {name: of["data"].get(name) for name in ("case_id", "scope", "jurisdiction", "authority")}
    since = {name: value for name, value in cell("", of).items() if name != "status"}
    return {**said, **since, "counted": True} | known


def measure(of: Line) -> Row:
    """A measure that stands, by the fact *of*."""
    names = ("kind", "title", "authority", "program", "case_id", "until")
    since = {name: value for name, value in cell("", of).items() if name != "status"}
    return {**{name: of["data"].get(name) for name in names}, **since}


def row(*cases: Row, **known: Any) -> Row:
    """The row of `a` with *cases*; what follows from them is worked out where it is not said."""
    criminal = [case for case in cases if case["kind"] == "criminal"]
    found: Row = {
        "subject_id": "a", "name": None, "post": None, "agency": None, "region": None, "jurisdiction": None,
        "headline": "unknown", "service": cell("unknown"), "custody": cell("unknown"), "wanted": None,
        "stage": next((case["stage"] for case in criminal if case["stage"]), None),
        "open_cases": sum(case["open"] for case in criminal), "presumption": presumption(criminal),
        "anomalies": [], "unread": 0, "posts": [], "cases": list(cases),
        "custody_cases": [], "searches": [], "measures": [],
    }  # fmt: skip
    assert known.keys() <= found.keys()
    return found | known


def presumption(criminal: list[Row]) -> str:
    """Where somebody with these criminal cases stands before the law (MODEL 4)."""
    counts = [count for case in criminal for count in case["counts"] if count["status"] != "replaced"]
    standing = [count for count in counts if count["verdict"] == "convicted" and not count["rehabilitated"]]
    if any(count["final"] for count in standing):
        return "convicted"
    if any(count["status"] == "convicted" for count in standing):
        return "convicted_not_final"
    if not counts or any(case["open"] for case in criminal):
        return "presumed_innocent"
    clear = [count for count in counts if count["status"] == "acquitted" or count["rehabilitated"]]
    withdrawn = [count for count in counts if count["status"] == "withdrawn" and count not in clear]
    return "cleared" if clear and len(clear) + len(withdrawn) == len(counts) else "presumed_innocent"
