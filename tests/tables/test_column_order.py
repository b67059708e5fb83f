"""Types that are written as rows: the order of their fields is the order of the columns."""

from dataclasses import fields

import pytest
from sqlalchemy import Table

from projections.alerts.alert import Alert
from projections.ledger.chain import FIELDS, Entry
from projections.tables.checkpoint import Checkpoint
from projections.tables.columns import cell
from projections.tables.origin import Origin
from projections.tables.outbox import Outgoing
from projections.tables.part_rows import NO_CELL, cell_row
from projections.tables.schema import LIVE, column_names, ledger, origin, outbox, partitions, rebuild_partitions
from projections.tracks.cell import Cell
from tests.support.builders import dismissed, fact

CHECKPOINT = tuple(field.name for field in fields(Checkpoint))


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (Entry._fields[:-1], ledger),
        ((*FIELDS, "value", "hash"), ledger),
        (CHECKPOINT, partitions),
        (CHECKPOINT, rebuild_partitions),
        (Alert._fields, LIVE.alerts),
        (Origin._fields, origin),
        (Outgoing._fields, outbox),
    ],
    ids=["entry", "chain", "checkpoint", "checkpoint of a rebuild", "alert", "origin", "outgoing"],
)
def test_fields_are_the_columns_in_their_order(names: tuple[str, ...], table: Table) -> None:
    """A field at another place would write its value into another column."""
    assert column_names(table) == names


def test_a_cell_has_a_value_for_each_of_its_columns() -> None:
    """The status is first, then the date and its span, the fact, and the number of reports."""
    report = fact(dismissed("2022-03-27", id="decree"))
    columns = [column.name.removeprefix("service_") for column in cell("service", "")]
    row = dict(zip(columns, cell_row(Cell("dismissed", report), {"decree": 2}), strict=True))

    assert len(NO_CELL) == len(columns)
    assert row == {
        "status": "dismissed",
        "since": "2022-03-27",
        "since_earliest": report.occurred.earliest,
        "since_latest": report.occurred.latest,
        "fact_id": "decree",
        "facts": 2,
    }
