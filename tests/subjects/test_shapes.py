"""The shapes of a status and of a history are exact: they accept every real output, and no other field."""

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from events.decode import complete
from projections.history.history import History
from projections.subjects.history_shapes import HistoryJson, history_json
from projections.subjects.shapes import StatusJson, status_json
from projections.subjects.status_words import PostStatus, ServiceStatus
from projections.subjects.view import NOW, LedgerFact, status_at, view_at
from projections.tables.part_rows import part_rows
from projections.tables.rows import named, subject_row
from projections.tables.schema import LIVE
from tests.oracle.histories import histories
from tests.support.builders import Line, appointed, charged, detained, encoded, facts, instant

STATUS, HISTORY = TypeAdapter(StatusJson), TypeAdapter(HistoryJson)


def history_of(*lines: Line) -> HistoryJson:
    """Return the history after *lines* of the first person in them, computed without a database."""
    own_lines = [line for line in lines if line["subject"] == lines[0]["subject"]]
    rows = [
        LedgerFact(fact, 0, at, at, "00", complete(value, instant("2022-01-01"))[1])
        for at, (fact, value) in enumerate(zip(facts(*own_lines), encoded(*own_lines), strict=True))
    ]
    view = view_at("a", rows, NOW, instant("2030"))
    assert view is not None
    status = status_at(view)
    subject = named(LIVE.subjects, subject_row("a", status, view.history, view.history.agreeing(), (0, 0), None))
    parts = {
        table.name: [named(table, row) for row in own]
        for table, own in zip(LIVE.parts, part_rows("a", status, view.history), strict=True)
    }
    return history_json(view, NOW, status_json(subject, parts))


def test_every_status_and_history_has_its_shape() -> None:
    """Validation as Python values and as JSON."""
    charge = charged("2022-02-01", charges=[{"title": "bribe"}])
    output = history_of(appointed("2022-01-01"), charge, detained("2022-03-01"))

    assert output["status"] == STATUS.validate_python(output["status"])
    assert output == HISTORY.validate_json(to_json(output))


@settings(max_examples=100)
@given(histories())
def test_the_status_own_linesny_story_has_its_shape(lines: list[Line]) -> None:
    """Also after corrections, retractions and contradictions."""
    if lines:
        HISTORY.validate_python(history_of(*lines))


@pytest.mark.parametrize("part", ["posts", "cases", "custody_cases"])
def test_no_part_may_have_another_field(part: str) -> None:
    """A field that is added to the output is added to the shape."""
    status: Any = history_of(appointed("2022-01-01"), charged("2022-02-01"), detained("2022-03-01"))["status"]
    status[part][0]["extra"] = 1

    with pytest.raises(ValidationError, match="Extra inputs"):
        STATUS.validate_python(status)


def test_the_json_schema_describes_each_shape() -> None:
    """Tools show the description of a shape."""
    schema = STATUS.json_schema()

    assert [] == [name for name, shape in schema["$defs"].items() if not shape.get("description")]


def test_a_post_has_the_words_of_the_service_but_unknown_and_also_moved() -> None:
    """The two closed sets of words stay alike."""
    assert {*get_args(ServiceStatus)} - {"unknown"} | {"moved"} == {*get_args(PostStatus)}


def test_a_history_of_nothing_is_empty() -> None:
    """No fact, no event and no flag."""
    history = History((), instant("2022-01-01"))

    assert ([], [], []) == (history.events, history.flags, history.world)
