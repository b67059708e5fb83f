"""The statuses equal those of a plain fold of the contract, for any career."""

from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import given, settings

from tests.oracle.careers import careers
from tests.oracle.model_oracle import status
from tests.support.builders import Line, Row, facts, instant, statuses_of

END = "2040-01-01T00:00:00Z"
ANY_ORDER = ("custody_cases", "searches", "measures")
# Flags about the course of a life that change nothing; the oracle does not compute them.
LEFT_OUT = {
    *("never_accused", "never_investigated", "never_charged", "not_in_office", "not_imprisoned"),
    *("relation_to_self", "accused_by_self"),
}


def oracle_of(lines: Sequence[Line]) -> dict[str, Row]:
    """Return the oracle's row of each person."""
    known = facts(*lines)
    people = sorted({fact.subject for fact in known})
    return {name: status([fact for fact in known if fact.subject == name], instant(END)) for name in people}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each single value in *value*, by its path."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for n, inner in enumerate(value):
            yield from flat(inner, f"{path}[{n}]")
    else:
        yield path, value


def normal(row: Row) -> dict[str, Any]:
    """Return the single values of *row* to compare; lists without an order of their own are sorted."""
    kept = {name: value for name, value in row.items() if name not in {"position", "unread", "anomalies"}}
    for name in ANY_ORDER:
        kept[name] = sorted(kept[name], key=lambda each: sorted(map(str, each.items())))
    flags = {(flag["code"], flag["fact_id"]) for flag in row["anomalies"] if flag["code"] not in LEFT_OUT}
    return dict(flat(kept)) | {"anomalies": sorted(flags)}


def differences(expected: Row, found: Row) -> dict[str, tuple[Any, Any]]:
    """Return each path at which the rows differ, with the oracle's value and the actual one."""
    one, other = normal(expected), normal(found)
    missing = "(missing)"
    return {
        path: (one.get(path, missing), other.get(path, missing))
        for path in sorted(one.keys() | other.keys())
        if one.get(path, missing) != other.get(path, missing)
    }


@settings(max_examples=300, derandomize=True)
@given(careers())
def test_statuses_are_those_of_the_oracle(lines: list[Line]) -> None:
    """Every word, date, fact and flag of each row follows from the contract."""
    found = {row["subject_id"]: row for row in statuses_of(lines, END)}
    expected = oracle_of(lines)

    assert sorted(expected) == sorted(found)
    assert {} == {name: diff for name in expected if (diff := differences(expected[name], found[name]))}
