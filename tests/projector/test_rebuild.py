"""A rebuild comes to the rows that are there, repairs those that are not as they should be, and sends nothing twice."""

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
from projections.rules.rulebook import pack
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
from tests.support.scenario_db import A_DISMISSED, acknowledge, change, rich, written

SERIK = {"subject_id": "a", "name": "Serik"}


class Stopped(Exception):
    """Stands for whatever ends a process in the middle."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows at a time, so that a short history takes several batches."""
    monkeypatch.setattr(rebuilding, "BATCH", 3)


def again(engine: Engine, tell: Callable[[int], None] = lambda _: None, *, exchange: bool = True) -> list[Difference]:
    """Rebuild."""
    return rebuild(engine, pack(), tell, exchange=exchange)


def stopping_after(batches: int) -> Callable[[int], None]:
    """What ends a rebuild after so many *batches*."""
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
    """After acknowledgements, other rules, watermarks, replays, corrections and retractions; and nothing is sent."""
    rich(engine)
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
def test_a_row_that_was_tampered_with_is_listed_and_put_right(
    engine: Engine, statement: Any, expected: Difference
) -> None:
    """With its columns that differ; a check says the same and changes nothing."""
    rich(engine)
    right = conclusions(engine)
    change(engine, statement)
    wrong = written(engine)

    assert [expected] == again(engine, exchange=False)
    assert wrong == written(engine)
    assert [expected] == again(engine)
    assert right == conclusions(engine)


@pytest.mark.parametrize("table", LIVE.derived, ids=lambda table: table.name)
def test_a_table_that_was_emptied_is_filled_again(engine: Engine, table: Table) -> None:
    """Each row of it is listed as new."""
    rich(engine)
    right = conclusions(engine)
    change(engine, delete(table))

    assert {(table.name, True)} == {(found.table, found.before is None) for found in again(engine)}
    assert right == conclusions(engine)


def test_an_alert_that_was_tampered_with_is_put_right(engine: Engine) -> None:
    """An alert that was said to be resolved is not."""
    rich(engine)
    right = written(engine)
    change(engine, update(LIVE.alerts).values(state="resolved"), update(LIVE.alert_changes).values(note="forged"))
    found = again(engine)

    assert {"alerts": {"state"}, "alert_changes": {"note"}} == {
        each.table: set(each.before or ()) for each in found
    }  # fmt: skip
    assert right == written(engine)


@pytest.mark.parametrize("batches", [1, 2, 4])
def test_an_interrupted_rebuild_is_taken_up(engine: Engine, batches: int) -> None:
    """Where it stopped, with the rules that were in force there, and it ends the same."""
    rich(engine)
    change(engine, update(LIVE.subjects).values(headline="cleared"))
    expected = again(engine, exchange=False)
    interrupted(engine, batches)
    (stopped,) = rows(engine, rebuild_partitions)
    told: list[int] = []

    assert expected == again(engine, told.append)
    assert stopped["seq"] + 3 == told[0]


def test_it_can_stop_at_any_row(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right behind other rules, too, which are the cause of what comes after them."""
    monkeypatch.setattr(rebuilding, "BATCH", 1)
    rich(engine)

    for row in range(1, len(rows(engine, ledger))):
        interrupted(engine, row)
        assert [] == again(engine, exchange=False), f"stopped at row {row}"


def test_what_other_code_concluded_is_not_mixed_in(engine: Engine) -> None:
    """A release that concludes otherwise starts over."""
    rich(engine)
    before = written(engine)
    interrupted(engine, 2)
    change(
        engine,
        update(rebuild_partitions).values(rules_version="another release"),
        update(REBUILD.subjects).values(headline="by another release"),
    )
    told: list[int] = []

    assert [] == again(engine, told.append)
    assert 3 == told[0]
    assert before == written(engine)


def test_two_rebuilds_do_not_mix(engine: Engine) -> None:
    """The second takes over, whether or not it comes to its end, and the first one stops."""
    rich(engine)
    before = written(engine)

    found: list[Difference] = []

    def cut_in(_: int) -> None:
        with suppress(Stopped):
            again(engine, stopping_after(1))

    with pytest.raises(Infrastructure, match="another rebuild took over"):
        again(engine, cut_in)
    with pytest.raises(Infrastructure, match="another rebuild took over"):
        again(engine, lambda _: found.extend(again(engine)))
    assert [] == again(engine)
    assert before == written(engine)


def test_a_rebuild_that_began_later_has_the_claim_from_its_beginning(engine: Engine) -> None:
    """Even where the first one had not done a batch yet."""
    rich(engine)
    first, second = (rebuilding._Twins(engine, pack(), 0) for _ in range(2))  # noqa: SLF001
    first.take_over()
    second.take_over()

    with pytest.raises(Infrastructure, match="another rebuild took over"):
        first.invalidate_changed(lambda _: None)
    assert [] == again(engine)


def test_a_rebuild_that_others_have_ended_since_does_not_go_on(engine: Engine) -> None:
    """Nor where a third has begun, whose claim looks like its own."""
    rich(engine)
    first, third = (rebuilding._Twins(engine, pack(), 0) for _ in range(2))  # noqa: SLF001
    first.take_over()
    assert [] == again(engine)

    with pytest.raises(Infrastructure, match="another rebuild took over"):
        first.invalidate_changed(lambda _: None)
    third.take_over()
    third.invalidate_changed(lambda _: None)
    with pytest.raises(Infrastructure, match="another rebuild took over"):
        first.invalidate_changed(lambda _: None)


def test_a_partition_that_is_born_meanwhile_is_taken_in(engine: Engine) -> None:
    """A projector may take up a second one while the first is concluded again."""
    rich(engine)
    born = iter([Projector(engine, pack(), partition=1)])

    def more(_: int) -> None:
        for held in born:
            held.assign(instant("2023-05-01"))
            (record,) = records([dismissed("2023-04-01", subject="e", recorded="2023-05-01T00:00:00Z")])
            held.project([record._replace(partition=1)], instant("2023-05-01"))

    assert [] == again(engine, more)
    assert "e" in [row["subject_id"] for row in rows(engine, LIVE.subjects)]


def test_a_ledger_that_was_cut_off_is_not_concluded_from(engine: Engine) -> None:
    """Or the rows that rest on what is missing would go; it says whom to ask what happened."""
    rich(engine)
    before = conclusions(engine)
    change(engine, update(partitions).values(seq=partitions.c.seq + 1))

    with pytest.raises(Infrastructure, match="casetrail audit verify"):
        again(engine)
    assert before == conclusions(engine)


def test_a_projector_goes_on_meanwhile(engine: Engine) -> None:
    """What it writes during the rebuild is taken in, and it need not even notice."""
    held = rich(engine)

    def more(done: int) -> None:
        if done < 16:
            project(held, [dismissed(f"2023-04-{done:02}", subject="e", recorded="2023-05-01T00:00:00Z")])

    assert [] == again(engine, more)
    project(held, [described("2023-04-01", subject="e", name="Dana", recorded="2023-05-02T00:00:00Z")])
    assert "Dana" in [row["name"] for row in rows(engine, LIVE.subjects)]
    assert [] == again(engine)


def test_what_comes_at_the_last_moment_is_taken_in(engine: Engine) -> None:
    """Between the last batch and the lock a projector may write once more."""
    held = rich(engine)
    end = len(rows(engine, ledger))

    def more(done: int) -> None:
        if done == end:
            project(held, [dismissed("2023-04-01", subject="e", recorded="2023-05-01T00:00:00Z")])

    assert [] == again(engine, more)
    assert "e" in [row["subject_id"] for row in rows(engine, LIVE.subjects)]


def test_a_projector_rejoins_after_rows_were_exchanged(engine: Engine) -> None:
    """What it holds in memory came of rows that are gone: its next write is refused, and then it goes on."""
    held = rich(engine)
    change(engine, update(LIVE.alerts).values(state="resolved"))
    again(engine)
    news = [described("2023-04-01", name="Dana", recorded="2023-05-02T00:00:00Z")]

    with pytest.raises(PartitionLost):
        project(held, news)
    held.assign(instant("2023-05-02"))
    project(held, news)

    assert [] == again(engine)


def test_nobody_is_told_again_of_what_was_lost(engine: Engine) -> None:
    """The alerts come back with their lives; the notices of them are in the outbox, so none is written."""
    rich(engine)
    before = written(engine)
    change(engine, delete(LIVE.alert_changes), delete(LIVE.alerts))
    found = again(engine)

    assert {"alerts", "alert_changes"} == {difference.table for difference in found}
    assert {None} == {difference.before for difference in found}
    assert before == written(engine)


def test_whoever_is_told_learns_of_what_is_new(engine: Engine) -> None:
    """A release that concludes more has its notices, numbered on, those of one alert in its order."""
    held = rich(engine)
    before = rows(engine, outbox)
    change(engine, delete(LIVE.alert_changes), delete(LIVE.alerts), delete(outbox).where(outbox.c.n > 2))
    again(engine)
    after = rows(engine, outbox)
    life_of_a = [row["notice"]["state"] for row in after if row["subject_id"] == "a"]

    assert {row["notice_id"] for row in before} == {row["notice_id"] for row in after}
    assert before[:2] == after[:2]
    assert list(range(len(before) + 1, 2 * len(before) - 1)) == [row["n"] for row in after[2:]]
    assert ["open", "acknowledged", "superseded", "open"] == life_of_a

    held.assign(instant("2023-05-02"))
    project(held, [retracted(A_DISMISSED, "2023-05-03", recorded="2023-05-04T00:00:00Z")])
    assert len(before) + 1 == len(rows(engine, outbox))


def test_an_acknowledgement_follows_what_was_seen_whatever_the_persons_clock(engine: Engine) -> None:
    """Notices of one alert come in its order, even where somebody's clock was years behind."""
    held = projector(engine)
    project(held, [A_DISMISSED])
    held.advance_watermark(instant("2022-08-01"), instant("2022-08-01"))
    acknowledge(held, "a", "2019-01-01")
    change(engine, delete(LIVE.alert_changes), delete(LIVE.alerts), delete(outbox))
    again(engine)

    assert ["open", "acknowledged"] == [row["notice"]["state"] for row in rows(engine, outbox)]


def test_an_empty_ledger_leaves_no_rows(engine: Engine) -> None:
    """There is nothing to conclude from; whatever stands in the tables came from elsewhere."""
    assert [] == again(engine)

    change(engine, insert(LIVE.names).values(subject_id="a", name="Other", folded="other"))

    assert ["names"] == [found.table for found in again(engine)]
    assert [] == rows(engine, LIVE.names)


def test_the_version_of_the_code_covers_every_folder() -> None:
    """Two codes that differ in any module of events/ or projections/ do not share the rows of a rebuild."""
    modules = {file for package in ("events", "projections") for file in (ROOT / package).rglob("*.py")}

    assert modules == {Path(file) for file in code_files()}
