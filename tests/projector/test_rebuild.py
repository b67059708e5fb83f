"""A rebuild computes the live rows, repairs rows that differ, and sends nothing twice."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Table, delete, insert, update

from events.errors import Infrastructure
from projections.projector import rebuild as rebuilding
from projections.projector.projector import Projector
from projections.projector.rebuild import Difference, code_files, rebuild
from projections.tables.checkpoint import PartitionLost
from projections.tables.schema import LIVE, REBUILD, ledger, outbox, partitions, rebuild_partitions
from tests.support.builders import (
    conclusions,
    described,
    dismissed,
    instant,
    project,
    projector,
    records,
    retracted,
    rows,
)
from tests.support.places import ROOT
from tests.support.rules import dismissals
from tests.support.scenario_db import A_DISMISSED, acknowledge, change, populate, written

OF_ONE_PERSON = [table for table in LIVE.derived if table not in LIVE.across]
SERIK = {"subject_id": "a", "name": "Serik"}


class Stopped(Exception):
    """An exception that ends a process in the middle."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the batch to three rows, so that a short history takes several batches."""
    monkeypatch.setattr(rebuilding, "BATCH", 3)


def again(engine: Engine, tell: Callable[[int], None] = lambda _: None, *, exchange: bool = True) -> list[Difference]:
    """Rebuild."""
    return rebuild(engine, dismissals(), tell, exchange=exchange)


def stopping_after(batches: int) -> Callable[[int], None]:
    """Return a callback that ends a rebuild after a number of *batches*."""
    left = iter(range(batches))

    def tell(_: int) -> None:
        if next(left, None) is None:
            raise Stopped

    return tell


def interrupted(engine: Engine, batches: int = 1) -> None:
    """Begin a rebuild and end it in the middle."""
    with pytest.raises(Stopped):
        again(engine, stopping_after(batches))
    assert rows(engine, rebuild_partitions), "it did not even begin"


def test_every_row_is_as_before(engine: Engine) -> None:
    """
    A rebuild changes no row and sends nothing, after every kind of event.

    The events are acknowledgements, other rules, watermarks, replays, corrections and retractions.
    """
    populate(engine)
    before = written(engine)
    states = {row["state"] for row in before["alert_changes"]}

    assert {"open", "acknowledged", "retracted", "superseded"} == states, "not rich enough"
    assert [] == again(engine)
    assert before == written(engine)
    assert {"rebuild_partitions": [], **{name: [] for name in conclusions(engine)}} == {
        "rebuild_partitions": rows(engine, rebuild_partitions), **conclusions(engine, REBUILD)
    }  # fmt: skip


HEADLINE, DUE = LIVE.subjects.c.headline, LIVE.subjects.c.due
SUBJECT = LIVE.subjects.c.subject_id
FORGED = {"subject_id": "a", "name": "Other", "folded": "other"}
TAMPERED: dict[str, tuple[Any, Difference]] = {
    "a status": (
        update(LIVE.subjects).where(SUBJECT == "a").values(headline="cleared"),
        Difference("subjects", {"subject_id": "a"}, {"headline": "cleared"}, {"headline": "dismissed"}),
    ),
    "an instant": (
        update(LIVE.subjects).where(SUBJECT == "d").values(due=instant("2030")),
        Difference("subjects", {"subject_id": "d"}, {"due": instant("2030")}, {"due": None}),
    ),
    "a name taken away": (
        delete(LIVE.names),
        Difference("names", SERIK, None, {**SERIK, "folded": "serik"}),
    ),
    "a name added": (
        insert(LIVE.names).values(**FORGED),
        Difference("names", {"subject_id": "a", "name": "Other"}, FORGED, None),
    ),
}


@pytest.mark.parametrize(("statement", "expected"), TAMPERED.values(), ids=TAMPERED)
def test_a_row_that_was_tampered_with_is_listed_and_repaired(
    engine: Engine, statement: Any, expected: Difference
) -> None:
    """A row that was tampered with is listed with the columns that differ, and repaired; a check only lists it."""
    populate(engine)
    right = conclusions(engine)
    change(engine, statement)
    wrong = written(engine)

    assert [expected] == again(engine, exchange=False)
    assert wrong == written(engine)
    assert [expected] == again(engine)
    assert right == conclusions(engine)


@pytest.mark.parametrize("table", OF_ONE_PERSON, ids=lambda table: table.name)
def test_a_table_that_was_emptied_is_filled_again(engine: Engine, table: Table) -> None:
    """A table that was emptied is filled again, and each of its rows is listed as new."""
    populate(engine)
    right = conclusions(engine)
    change(engine, delete(table))

    assert {(table.name, True)} == {(difference.table, difference.before is None) for difference in again(engine)}
    assert right == conclusions(engine)


def test_an_alert_that_was_tampered_with_is_repaired(engine: Engine) -> None:
    """An alert that was tampered with is repaired."""
    populate(engine)
    right = written(engine)
    change(engine, update(LIVE.alerts).values(state="resolved"), update(LIVE.alert_changes).values(note="forged"))
    differences = again(engine)

    assert {"alerts": {"state"}, "alert_changes": {"note"}} == {
        difference.table: set(difference.before or ()) for difference in differences
    }  # fmt: skip
    assert right == written(engine)


@pytest.mark.parametrize("batches", [1, 2, 4])
def test_an_interrupted_rebuild_is_continued(engine: Engine, batches: int) -> None:
    """An interrupted rebuild continues where it stopped, with the rules of that place, and ends the same."""
    populate(engine)
    change(engine, update(LIVE.subjects).values(headline="cleared"))
    expected = again(engine, exchange=False)
    interrupted(engine, batches)
    (stopped,) = rows(engine, rebuild_partitions)
    progress: list[int] = []

    assert expected == again(engine, progress.append)
    assert stopped["seq"] + 3 == progress[0]


def test_it_can_stop_at_any_row(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild can stop at any row, also right behind a change of rules."""
    monkeypatch.setattr(rebuilding, "BATCH", 1)
    populate(engine)

    for row in range(1, len(rows(engine, ledger))):
        interrupted(engine, row)
        assert [] == again(engine, exchange=False), f"stopped at row {row}"


def test_rows_of_other_code_are_not_continued(engine: Engine) -> None:
    """A rebuild does not continue the rows of a release with other code, but starts again."""
    populate(engine)
    before = written(engine)
    interrupted(engine, 2)
    change(
        engine,
        update(rebuild_partitions).values(rules_version="another release"),
        update(REBUILD.subjects).values(headline="by another release"),
    )
    progress: list[int] = []

    assert [] == again(engine, progress.append)
    assert 3 == progress[0]
    assert before == written(engine)


def test_two_rebuilds_do_not_mix(engine: Engine) -> None:
    """A second rebuild takes over, whether or not it ends, and the first one stops."""
    populate(engine)
    before = written(engine)

    differences: list[Difference] = []

    def cut_in(_: int) -> None:
        with suppress(Stopped):
            again(engine, stopping_after(1))

    with pytest.raises(Infrastructure, match="another rebuild took over"):
        again(engine, cut_in)
    with pytest.raises(Infrastructure, match="another rebuild took over"):
        again(engine, lambda _: differences.extend(again(engine)))
    assert [] == again(engine)
    assert before == written(engine)


def test_a_rebuild_that_began_later_has_the_claim_from_its_beginning(engine: Engine) -> None:
    """A later rebuild takes over from its beginning, even before the first one has done a batch."""
    populate(engine)
    first, second = (rebuilding._Twins(engine, dismissals(), 0) for _ in range(2))  # noqa: SLF001
    first.take_over()
    second.take_over()

    with pytest.raises(Infrastructure, match="another rebuild took over"):
        first.advance(lambda _: None)
    assert [] == again(engine)


def test_a_rebuild_stops_after_another_has_ended(engine: Engine) -> None:
    """A rebuild stops if others have ended since, even if a third one has a claim like its own."""
    populate(engine)
    first, third = (rebuilding._Twins(engine, dismissals(), 0) for _ in range(2))  # noqa: SLF001
    first.take_over()
    assert [] == again(engine)

    with pytest.raises(Infrastructure, match="another rebuild took over"):
        first.advance(lambda _: None)
    third.take_over()
    third.advance(lambda _: None)
    with pytest.raises(Infrastructure, match="another rebuild took over"):
        first.advance(lambda _: None)


def test_a_partition_created_during_a_rebuild_is_included(engine: Engine) -> None:
    """A partition that is created during the rebuild is included."""
    populate(engine)
    born = iter([Projector(engine, dismissals(), partition=1)])

    def more(_: int) -> None:
        for held in born:
            held.assign(instant("2023-05-01"))
            (record,) = records([dismissed("2023-04-01", subject="e", recorded="2023-05-01T00:00:00Z")])
            held.project([record._replace(partition=1)], instant("2023-05-01"))

    assert [] == again(engine, more)
    assert "e" in [row["subject_id"] for row in rows(engine, LIVE.subjects)]


def test_a_ledger_with_missing_rows_is_not_used(engine: Engine) -> None:
    """A ledger with missing rows is not used, and the error names the command that checks it."""
    populate(engine)
    before = conclusions(engine)
    change(engine, update(partitions).values(seq=partitions.c.seq + 1))

    with pytest.raises(Infrastructure, match="casetrail audit verify"):
        again(engine)
    assert before == conclusions(engine)


def test_a_projector_can_write_during_a_rebuild(engine: Engine) -> None:
    """A projector can write during the rebuild, and its rows are included."""
    held = populate(engine)

    def more(done: int) -> None:
        if done < 16:
            project(held, [dismissed(f"2023-04-{done:02}", subject="e", recorded="2023-05-01T00:00:00Z")])

    assert [] == again(engine, more)
    project(held, [described("2023-04-01", subject="e", name="Dana", recorded="2023-05-02T00:00:00Z")])
    assert "Dana" in [row["name"] for row in rows(engine, LIVE.subjects)]
    assert [] == again(engine)


def test_rows_of_the_last_moment_are_included(engine: Engine) -> None:
    """Rows that a projector writes between the last batch and the lock are included."""
    held = populate(engine)
    end = len(rows(engine, ledger))

    def more(done: int) -> None:
        if done == end:
            project(held, [dismissed("2023-04-01", subject="e", recorded="2023-05-01T00:00:00Z")])

    assert [] == again(engine, more)
    assert "e" in [row["subject_id"] for row in rows(engine, LIVE.subjects)]


def test_a_projector_rejoins_after_rows_were_exchanged(engine: Engine) -> None:
    """A projector whose cached rows were exchanged is refused once, rejoins, and continues."""
    held = populate(engine)
    change(engine, update(LIVE.alerts).values(state="resolved"))
    again(engine)
    news = [described("2023-04-01", name="Dana", recorded="2023-05-02T00:00:00Z")]

    with pytest.raises(PartitionLost):
        project(held, news)
    held.assign(instant("2023-05-02"))
    project(held, news)

    assert [] == again(engine)


def test_restored_alerts_send_no_notice_again(engine: Engine) -> None:
    """Lost alerts come back with their lives, and no notice is written a second time."""
    populate(engine)
    before = written(engine)
    change(engine, delete(LIVE.alert_changes), delete(LIVE.alerts))
    differences = again(engine)

    assert {"alerts", "alert_changes"} == {difference.table for difference in differences}
    assert {None} == {difference.before for difference in differences}
    assert before == written(engine)


def test_missing_notices_are_written(engine: Engine) -> None:
    """Missing notices are written with the next numbers, in order for each alert."""
    held = populate(engine)
    before = rows(engine, outbox)
    change(engine, delete(LIVE.alert_changes), delete(LIVE.alerts), delete(outbox).where(outbox.c.n > 2))
    again(engine)
    after = rows(engine, outbox)
    life_of_a = [row["notice"]["state"] for row in after if row["subject_id"] == "a"]

    assert {row["notice_id"] for row in before} == {row["notice_id"] for row in after}
    assert before[:2] == after[:2]
    assert list(range(len(before) + 1, 2 * len(before) - 1)) == [row["n"] for row in after[2:]]
    assert ["open", "acknowledged"] == life_of_a

    held.assign(instant("2023-05-02"))
    project(held, [retracted(A_DISMISSED, "2023-05-03", recorded="2023-05-04T00:00:00Z")])
    assert len(before) + 1 == len(rows(engine, outbox))


def test_an_acknowledgement_follows_the_opening_despite_a_wrong_clock(engine: Engine) -> None:
    """An acknowledgement comes after the opening in the notices, even if the person's clock was years behind."""
    held = projector(engine)
    project(held, [A_DISMISSED])
    held.advance_watermark(instant("2022-08-01"), instant("2022-08-01"))
    acknowledge(held, "a", "2019-01-01")
    change(engine, delete(LIVE.alert_changes), delete(LIVE.alerts), delete(outbox))
    again(engine)

    assert ["open", "acknowledged"] == [row["notice"]["state"] for row in rows(engine, outbox)]


def test_an_empty_ledger_leaves_no_rows(engine: Engine) -> None:
    """A rebuild of an empty ledger removes rows that come from elsewhere."""
    assert [] == again(engine)

    change(engine, insert(LIVE.names).values(subject_id="a", name="Other", folded="other"))

    assert ["names"] == [difference.table for difference in again(engine)]
    assert [] == rows(engine, LIVE.names)


def test_the_version_of_the_code_covers_every_folder() -> None:
    """The version of the code depends on every module of events/ and projections/."""
    modules = {file for package in ("events", "projections") for file in (ROOT / package).rglob("*.py")}

    assert modules == {Path(file) for file in code_files()}
