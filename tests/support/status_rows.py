"""Status rows and views written by hand, for tests of words, which need no fold."""

from typing import Any

from projections.subjects.view import NOW, LedgerFact, SubjectView, view_at
from tests.support.builders import Line, fact, instant

Row = dict[str, Any]

SINCE: Row = {"since": "2022-01-01", "since_earliest": None, "since_latest": None}
NOTHING: Row = {"since": None, "since_earliest": None, "since_latest": None, "fact_id": None, "facts": 0}


def view_of(*lines: Line, clock: str = "2030") -> SubjectView:
    """Return the view of `a` after *lines*, all of them recorded."""
    recorded = [LedgerFact(fact(line), 0, at, at, "", b"{}") for at, line in enumerate(lines)]
    view = view_at("a", recorded, NOW, instant(clock))
    assert view
    return view


def cell(status: str, of: Line | None = None, facts: int = 1) -> Row:
    """Return a cell with *status* that rests on the fact *of*."""
    since = {**SINCE, "since": of["data"]["occurred"], "fact_id": of["id"], "facts": facts} if of else NOTHING
    return {"status": status, **since}


def count(status: str = "undecided", of: Line | None = None, **fields: Any) -> Row:
    """Return a count in *status* by the fact *of*; by default the verdict rests on that fact too."""
    verdict = status if status in {"convicted", "acquitted"} else None
    result: Row = {
        "count_id": None, "article": None, "title": None, "counts": 1, "amount": None, "currency": None,
        **cell(status, of), "authority": of["data"].get("authority") if of else None,
        "verdict": verdict, "verdict_fact_id": of["id"] if of and verdict else None,
        "final": False, "final_fact_id": None, "on_appeal": False, "appeal_fact_id": None, "in_absentia": False,
        "rehabilitated": False, "charge_fact_id": None, "sentence_fact_id": None,
    }  # fmt: skip
    assert fields.keys() <= result.keys()
    return result | fields


def case(*counts: Row, stage: str | None = "charged", **fields: Any) -> Row:
    """Return a case `c` with *counts*; it is open by default."""
    result: Row = {
        "case_id": "c", "kind": "criminal", "kind_fact_id": None, "stage": cell(stage) if stage else None,
        "open": True, "suspended": False, "suspended_fact_id": None, "counts": list(counts),
        "sentence": None, "parts": [], "sentence_fact_id": None, "charges": [], "charges_fact_id": None,
        "authority": None, "authority_fact_id": None,
    }  # fmt: skip
    assert fields.keys() <= result.keys()
    return result | fields


def post(status: str, of: Line, began: Line | None = None, **fields: Any) -> Row:
    """Return a post in *status*, with the words of *of*."""
    words = {name: of["data"].get(name) for name in ("post", "agency", "region", "jurisdiction", "ground", "until")}
    result: Row = {
        **words, "post_id": None, "words_fact_id": of["id"], "acting": False, **cell(status, of),
        "began": {**SINCE, "since": began["data"]["occurred"], "fact_id": began["id"]} if began else None,
    }  # fmt: skip
    assert fields.keys() <= result.keys()
    return result | fields


def hold(status: str, of: Line, **fields: Any) -> Row:
    """Return the hold in the case of *of*."""
    result: Row = {
        "case_id": of["data"].get("case_id"), **cell(status, of), "until": of["data"].get("until"),
        "until_fact_id": of["id"] if "until" in of["data"] else None, "authority": of["data"].get("authority"),
        "place": of["data"].get("place"), "counted": True,
    }  # fmt: skip
    assert fields.keys() <= result.keys()
    return result | fields


def search(of: Line, **fields: Any) -> Row:
    """Return a standing search by the fact *of*."""
    words = {name: of["data"].get(name) for name in ("case_id", "scope", "jurisdiction", "authority")}
    since = {name: value for name, value in cell("", of).items() if name != "status"}
    return {**words, **since, "counted": True} | fields


def measure(of: Line) -> Row:
    """Return a standing measure by the fact *of*."""
    names = ("kind", "title", "authority", "program", "case_id", "until")
    since = {name: value for name, value in cell("", of).items() if name != "status"}
    return {**{name: of["data"].get(name) for name in names}, **since}


def row(*cases: Row, **fields: Any) -> Row:
    """Return the row of `a` with *cases*; stage, open cases and presumption are computed from them by default."""
    criminal = [case for case in cases if case["kind"] == "criminal"]
    result: Row = {
        "subject_id": "a", "name": None, "post": None, "agency": None, "region": None, "jurisdiction": None,
        "headline": "unknown", "service": cell("unknown"), "custody": cell("unknown"), "wanted": None,
        "stage": next((case["stage"] for case in criminal if case["stage"]), None),
        "open_cases": sum(case["open"] for case in criminal), "presumption": presumption(criminal),
        "anomalies": [], "unread": 0, "posts": [], "cases": list(cases),
        "custody_cases": [], "searches": [], "measures": [],
    }  # fmt: skip
    assert fields.keys() <= result.keys()
    return result | fields


def presumption(criminal: list[Row]) -> str:
    """Return the presumption of a person with these criminal cases (docs/design.md, 3.4)."""
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
