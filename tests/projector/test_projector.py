"""The projector: one transaction a batch, one writer a partition, an append-only chain, on both databases."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError, OperationalError

from projections.projector.projector import Projector
from projections.projector.side_writer import SideWriter
from projections.tables.checkpoint import PartitionLost
from projections.tables.database import write_transaction
from projections.tables.parked_rows import parked_pages
from projections.tables.schema import LIVE, ledger, log, outbox
from services.log.local import LocalLog
from tests.support.builders import (
    Line,
    Row,
    accused,
    charged,
    conclusions,
    corrected,
    database,
    described,
    detained,
    dismissed,
    instant,
    project,
    projector,
    records,
    retracted,
    rows,
    stated,
    statuses,
    suspended,
    wanted,
)
from tests.support.ledgers import failing_statements, recomputed_hashes
from tests.support.rules import dismissals

NOW = instant("2022-12-31T00:00:00Z")
DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
FOLLOW = wanted("2022-08-20", recorded="2022-08-21T12:00:00Z")
STORY: list[Line | bytes] = [
    described("2022-01-01", name="Серик", aliases=["Serik"], recorded="2022-01-02T00:00:00Z"),
    DISMISSED,
    b"\xff",
    DISMISSED,
    DISMISSED | {"data": DISMISSED["data"] | {"note": "another"}},
    suspended("2022-03-01", recorded="2022-03-01T00:00:00Z", subject="b", id="late stamp"),
    FOLLOW,
    stated("Charged", "2022-09-01", case="c", subject="b", charges=[{"title": "взятка", "amount": 0.1}]),
    corrected(FOLLOW, "2022-09-10", occurred="2022-05-01"),
    retracted(FOLLOW, "2022-09-20"),
]


def project_history(engine: Engine) -> dict[str, Any]:
    """Project a varied history in two batches with a pause and an acknowledgement, and return all rows."""
    held = projector(engine)
    held.project(records(STORY[:6]), NOW)
    held.advance_watermark(instant("2022-07-04T00:00:00Z"), NOW)
    (alert,) = rows(engine, LIVE.alerts)
    held.acknowledge(alert["alert_id"], "a", "kim", "gesehen", instant("2022-07-05T08:00:00Z"))
    held.project(records(STORY)[6:], NOW)
    held.advance_watermark(instant("2022-12-01T00:00:00Z"), NOW)
    return {
        **conclusions(engine),
        "statuses": statuses(engine),
        "ledger": rows(engine, ledger),
        "outbox": rows(engine, outbox),
        "held": held.checkpoint,
    }


def test_both_databases_hold_the_same_rows(engine: Engine) -> None:
    """Both databases hold the same rows as the embedded mode in memory, down to the hashes and the notices."""
    expected = project_history(database())
    result = project_history(engine)

    assert {name: None for name in expected if expected[name] != result[name]} == {}
    assert ["open", "acknowledged", "resolved", "retracted", "open"] == [r["state"] for r in expected["alert_changes"]]


def test_the_chain_follows_the_documented_formula(engine: Engine) -> None:
    """The documented formula leads to the hashes: hash before, line feed, fields as JSON, line feed, value."""
    project_history(engine)
    hashes = [row["hash"] for row in rows(engine, ledger)]

    assert [*range(1, len(hashes) + 1)] == [row["seq"] for row in rows(engine, ledger)]
    assert hashes == recomputed_hashes(engine)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET reason = 'changed' WHERE seq = 2",
        "UPDATE ledger SET hash = hash",
        "DELETE FROM ledger WHERE seq = 2",
        "DELETE FROM ledger",
        "TRUNCATE ledger",
        "INSERT OR REPLACE INTO ledger SELECT * FROM ledger WHERE seq = 2",
        "REPLACE INTO ledger SELECT * FROM ledger",
    ],
)
def test_the_database_refuses_to_rewrite_history(engine: Engine, statement: str) -> None:
    """The database refuses any statement that changes or removes a ledger row, even from its owner."""
    project(projector(engine), [DISMISSED])
    before = rows(engine, ledger)

    with pytest.raises(DatabaseError), write_transaction(engine) as conn:
        conn.execute(text(statement))
    assert before == rows(engine, ledger)


def test_an_older_assignment_cannot_write(engine: Engine) -> None:
    """A projector that lost its partition writes neither records nor timers."""
    old = projector(engine)
    project(old, [DISMISSED])
    new = projector(engine)
    before = rows(engine, ledger)
    ways = (
        lambda: project(old, [FOLLOW]),
        lambda: old.advance_watermark(NOW, NOW),
        lambda: old.acknowledge("any", "a", "kim", None, NOW),
        lambda: old.replay([1], NOW),
    )
    for way in ways:
        with pytest.raises(PartitionLost):
            way()

    assert before == rows(engine, ledger)
    assert [] == rows(engine, LIVE.alerts)
    assert new.advance_watermark(NOW, NOW).notices == 1


def test_the_projector_assigned_last_holds_the_partition(engine: Engine) -> None:
    """The projector that was assigned last holds the partition, and continues where the other one stopped."""
    first, second = projector(engine), projector(engine)
    project(second, [DISMISSED])
    with pytest.raises(PartitionLost):
        project(first, [FOLLOW])
    first.assign(NOW)
    project(first, [FOLLOW])

    assert 2 == first.checkpoint.position == first.checkpoint.applied
    assert 3 == first.checkpoint.epoch
    assert [*range(1, 4)] == [row["seq"] for row in rows(engine, ledger)]


def test_a_write_by_another_process_is_noticed(engine: Engine) -> None:
    """An acknowledgement by another process does not end an assignment, and the cache does not undo it."""
    held = projector(engine)
    project(held, [DISMISSED])
    held.advance_watermark(NOW, NOW)
    (alert,) = rows(engine, LIVE.alerts)
    SideWriter(engine, 0).acknowledge(alert["alert_id"], "a", "kim", None, NOW)
    project(held, [described("2022-01-01", name="Serik")], "2023-01-01T00:00:00Z")

    assert ["acknowledged"] == [row["state"] for row in rows(engine, LIVE.alerts)]
    assert "Serik" in rows(engine, LIVE.alerts)[0]["explanation"]
    assert [row["hash"] for row in rows(engine, ledger)] == recomputed_hashes(engine)


def test_a_fact_that_counts_still_counts_after_a_reload() -> None:
    """A fact that counts since a record of its instant still counts after an acknowledgement by another process."""
    held = projector(engine := database())
    project(held, [DISMISSED, suspended("2022-08-10", published="2022-08-01", recorded="2022-08-02T00:00:00Z")])
    project(held, [described("2022-01-01", name="Serik", recorded="2022-08-11T00:00:00Z")])
    (alert,) = rows(engine, LIVE.alerts)
    before = rows(engine, LIVE.subjects)
    SideWriter(engine, 0).acknowledge(alert["alert_id"], "a", "kim", None, NOW)

    assert "suspended" == before[0]["service_status"]
    assert before == rows(engine, LIVE.subjects)


def test_the_rows_of_cases_follow_the_facts(engine: Engine) -> None:
    """The rows of cases follow the facts: a moved case is written again, a renamed one is removed, others stay."""
    held = projector(engine)
    first, other = accused("2022-03-01", case="one"), accused("2022-03-02", case="two", id="other")
    project(held, [first, other, accused("2022-03-01", subject="b", case="one", id="b")])
    project(held, [charged("2022-04-01", case="two"), corrected(first, case_id="three", recorded="2022-06-01")])
    case_rows = {(row["subject_id"], row["case_id"], row["stage_status"]) for row in rows(engine, LIVE.cases)}

    assert {("a", "two", "charged"), ("a", "three", "accused"), ("b", "one", "accused")} == case_rows


def test_a_failed_commit_can_be_repeated(engine: Engine) -> None:
    """A failed commit writes no record, and the same batch can be projected again."""
    held = projector(engine)
    with (
        failing_statements(engine, "commit", OperationalError("commit", {}, Exception("gone"))),
        pytest.raises(OperationalError),
    ):
        project(held, [DISMISSED])

    assert (0, 1) == (held.checkpoint.position, len(rows(engine, ledger)))
    assert 1 == project(held, [DISMISSED]).applied


def test_a_record_on_which_the_program_fails_is_parked_alone() -> None:
    """A record on which the program fails is parked alone with the reason, and applied by a later replay."""
    held = projector(engine := database())
    batch: list[Line | bytes] = [DISMISSED, suspended("2022-03-01", subject="poison"), FOLLOW]
    with failing_statements(engine, "('poison', None", ValueError("boom"), times=99):
        project(held, batch)
    (bad,) = [row for row in rows(engine, ledger) if row["outcome"] == "parked"]

    assert ("failed: ValueError", 1) == (bad["reason"][:18], bad["log_offset"])
    assert (3, 2, 1) == (held.checkpoint.read, held.checkpoint.applied, held.checkpoint.parked)
    held.replay([bad["seq"]], NOW)
    assert (3, 3, 0) == (held.checkpoint.read, held.checkpoint.applied, held.checkpoint.parked)
    assert ["a", "poison"] == [row["subject_id"] for row in rows(engine, LIVE.subjects)]


def parked(engine: Engine, *, dismissed: bool = False) -> list[int]:
    """Return the offsets of the records that are still parked."""
    with engine.connect() as conn:
        return [entry.log_offset or 0 for page in parked_pages(conn, dismissed=dismissed) for entry in page]


def test_a_dismissed_record_is_kept_and_no_longer_listed() -> None:
    """A dismissed record stays parked in the counts, with its bytes, and can still be replayed."""
    held = projector(engine := database())
    project(held, [b"{", b"\xff"])
    held.dismiss(2, "known rubbish\x00", NOW)

    assert ([1], [0, 1]) == (parked(engine), parked(engine, dismissed=True))
    assert (2, 2) == (held.checkpoint.read, held.checkpoint.parked)
    held.replay([2], NOW)
    assert [1, 0] == sorted(parked(engine), reverse=True)
    assert 2 == held.checkpoint.parked


def test_a_record_replayed_twice_is_counted_once() -> None:
    """A second replay finds no parked record, and the counts still add up."""
    held = projector(engine := database())
    with failing_statements(engine, "('poison', None", ValueError("boom"), times=99):
        project(held, [suspended("2022-03-01", subject="poison")])
    first, second = held.replay([2], NOW), held.replay([2], NOW)

    assert (["applied"], []) == ([entry.outcome for entry in first], second)
    assert (1, 1, 0, 0) == (
        held.checkpoint.read,
        held.checkpoint.applied,
        held.checkpoint.duplicate,
        held.checkpoint.parked,
    )
    assert not held.dismiss(2, "too late", NOW)


def test_recorded_never_runs_backwards() -> None:
    """A record's `recorded` is the later of the log's stamp, which is kept beside it, and the watermark."""
    held = projector(engine := database())
    project(held, [detained("2022-01-01", subject="b", recorded="2022-05-01T00:00:00Z"), DISMISSED])
    held.advance_watermark(instant("2022-05-02T00:00:00Z"), NOW)
    project(held, [suspended("2022-01-01", recorded="2022-05-01T12:00:00Z")])
    times = [(row["stamped"], row["recorded"]) for row in rows(engine, ledger) if row["entry"] == "record"]

    assert [instant(f"2022-05-0{day}T00:00:00Z") for day in (1, 1, 2)] == [recorded for _, recorded in times]
    assert instant(str(DISMISSED["recorded"])) == times[1][0]


def test_offsets_of_the_log_may_jump() -> None:
    """The offsets of a log may have gaps, as in Kafka; the numbers of the chain have none."""
    held = projector(engine := database())
    (first,), (second,) = records([DISMISSED], 7), records([FOLLOW], 100)
    held.project([first, second], NOW)

    assert (101, 2) == (held.checkpoint.position, held.checkpoint.read)
    assert [1, 2, 3] == [row["seq"] for row in rows(engine, ledger)]


def test_a_record_that_is_delivered_again_is_read_once() -> None:
    """A redelivered record is read once: it is neither a duplicate nor parked again, and the position stays."""
    held = projector(engine := database())
    log_of_three = records([DISMISSED, b"{", FOLLOW])
    for redelivered in (log_of_three[:2], log_of_three[:2], log_of_three, log_of_three[:1]):
        held.project(redelivered, NOW)

    assert (3, 3, 2, 0, 1) == tuple(
        getattr(held.checkpoint, name) for name in ("position", "read", "applied", "duplicate", "parked")
    )
    assert [0, 1, 2] == [row["log_offset"] for row in rows(engine, ledger)[1:]]


def test_the_first_content_of_an_id_stays() -> None:
    """The first content of an id stays; another content is a conflict, kept with its bytes and without effect."""
    held = projector(engine := database())
    other = DISMISSED | {"data": DISMISSED["data"] | {"ground": "another"}}
    project(held, [DISMISSED, other])
    project(held, [other, DISMISSED | {"subject": "b"}])
    outcomes = [row["outcome"] for row in rows(engine, ledger)[1:]]

    assert ["applied", "conflict", "conflict", "conflict"] == outcomes
    assert ["a"] == [row["subject_id"] for row in rows(engine, LIVE.subjects)]
    assert {"other_content"} == {row["reason"].partition(":")[0] for row in rows(engine, ledger)[2:]}


def test_a_record_under_another_key_is_parked() -> None:
    """A record whose key is not its subject is parked, because the key decides the partition."""
    held = projector(engine := database())
    (record,) = records([DISMISSED])
    held.project([record._replace(key=b"b"), record._replace(offset=1, value=None)], NOW)

    assert ["wrong_key", "empty"] == [row["reason"].partition(":")[0] for row in rows(engine, ledger)[1:]]


def test_the_local_log_is_projected_as_it_was_appended(engine: Engine) -> None:
    """Offsets of the local log are dense, and the ledger keeps the bytes of the log."""
    source = LocalLog(engine)
    for batch in (STORY[:4], STORY[4:]):
        source.append([("a", record.value or b"") for record in records(batch)])
    held = projector(engine, clock="2030")
    held.project(source.read(0, 0, 100), NOW)
    values = [row["value"] for row in rows(engine, log)]

    assert [*range(len(STORY))] == [row["log_offset"] for row in rows(engine, log)]
    assert values == [row["value"] for row in rows(engine, ledger) if row["entry"] == "record"]


def test_the_position_of_a_status_is_its_last_fact() -> None:
    """The position of a status is the partition and offset of the last fact in it."""
    held = projector(engine := database())
    project(held, [DISMISSED, described("2022-01-01", subject="b", name="B"), FOLLOW])

    assert [("a", 2), ("b", 1)] == [(row["subject_id"], row["position_offset"]) for row in rows(engine, LIVE.subjects)]


def test_the_rules_in_force_are_an_entry_of_the_ledger() -> None:
    """The rules in force are one entry of the ledger, until they change."""
    held = projector(engine := database())
    again = Projector(engine, dismissals())
    again.assign(NOW)
    entries: list[Row] = rows(engine, ledger)

    assert ["rules"] == [row["entry"] for row in entries]
    assert dismissals().version == json.loads(entries[0]["value"])["version"] == held.checkpoint.rules_version
