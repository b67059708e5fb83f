"""The check of the ledger finds the place of any change that was made without the triggers."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select

from projections.projector.projector import Projector
from projections.queries.export import export
from projections.queries.verify import Finding, verify
from projections.tables.database import snapshot, write_transaction
from projections.tables.schema import ledger
from tests.support.builders import described, detained, project, projector, records
from tests.support.postgres import fresh_database
from tests.support.rules import dismissals
from tests.support.tampering import (
    BROKEN,
    DETAINED,
    DISMISSED,
    LAST,
    LENGTH,
    SILENT,
    attack,
    findings,
    full_ledger,
    head,
    rewrite,
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return a database with every kind of row for one test."""
    engine = full_ledger(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Return such a database for all tests that roll their changes back."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'casetrail.db'}"
        else:
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres_server")))
        engine = full_ledger(url)
        stack.callback(engine.dispose)
        yield engine


@pytest.fixture
def conn(shared: Engine) -> Iterator[Connection]:
    """Return a connection in a transaction that is rolled back at the end, with the triggers."""
    with shared.connect() as conn, conn.begin() as transaction:
        yield conn
        transaction.rollback()


def test_an_unchanged_ledger_has_no_findings(conn: Connection) -> None:
    """It has every kind of row, and the rows are counted."""
    verdict = verify(conn, [head(conn)])
    kinds = set(conn.scalars(select(ledger.c.entry)))

    assert [] == verdict.findings
    assert {0: LENGTH} == verdict.rows
    assert {"record", "replay", "dismissal", "watermark", "rules", "acknowledgement"} == kinds


MOVED = (
    "UPDATE ledger SET recorded = other.stamped FROM (SELECT stamped FROM ledger WHERE seq = {}) AS other "
    "WHERE seq = {}"
)
COPIED = (
    "INSERT INTO ledger (partition, seq, entry, topic, recorded, hash) "
    "SELECT partition, {}, entry, topic, recorded, hash FROM ledger WHERE seq = 7"
)
SET_BACK = "UPDATE partitions SET seq = 9, hash = (SELECT hash FROM ledger WHERE ledger.seq = 9), position = 5"
DOUBLED = (
    "INSERT INTO partitions SELECT 'other', partition, position, watermark, epoch, seq, hash, notices, rules_version, "
    "rules_since, read, applied, duplicate, conflict, parked, forwarded, progressed FROM partitions"
)
TO_NINETY = "UPDATE ledger SET seq = 90 WHERE seq = 3"


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ((2, 0, BROKEN), ["UPDATE ledger SET value = (SELECT value FROM ledger WHERE seq = 4) WHERE seq = 2"]),
        ((4, 2, BROKEN), ["UPDATE ledger SET reason = 'other' WHERE seq = 4"]),
        ((4, 2, BROKEN), ["UPDATE ledger SET reason = NULL WHERE seq = 4"]),
        ((6, 4, BROKEN), [MOVED.format(11, 6)]),
        ((6, 4, BROKEN), ["UPDATE ledger SET stamped = NULL WHERE seq = 6"]),
        ((4, 2, BROKEN), ["UPDATE ledger SET outcome = 'duplicate' WHERE seq = 4"]),
        ((8, None, BROKEN), ["UPDATE ledger SET subject_id = 'b' WHERE seq = 8"]),
        ((2, 0, BROKEN), ["UPDATE ledger SET fact_id = 'other' WHERE seq = 2"]),
        ((2, 0, BROKEN), ["UPDATE ledger SET key = NULL WHERE seq = 2"]),
        ((2, 0, BROKEN), ["UPDATE ledger SET topic = 'other' WHERE seq = 2"]),
        ((2, 9, BROKEN), ["UPDATE ledger SET log_offset = 9 WHERE seq = 2"]),
        ((9, 3, BROKEN), ["UPDATE ledger SET entry = 'dismissal' WHERE seq = 9"]),
        ((7, None, BROKEN), ["UPDATE ledger SET hash = 'x' WHERE seq = 7"]),
        ((3, 2, BROKEN), [TO_NINETY, "UPDATE ledger SET seq = 3 WHERE seq = 4",
                          "UPDATE ledger SET seq = 4 WHERE seq = 90"]),
        ((5, 3, "row 4 is missing before it"), ["DELETE FROM ledger WHERE seq = 4"]),
        ((2, 0, "row 1 is missing before it"), ["DELETE FROM ledger WHERE seq = 1"]),
        ((9, 4, "the chain ends here, but `partitions` says at row 11"), ["DELETE FROM ledger WHERE seq > 9"]),
        ((0, None, "the chain ends here, but `partitions` says at row 11"), ["DELETE FROM ledger"]),
        ((90, 1, "row 3 is missing before it"), [TO_NINETY, "DELETE FROM ledger WHERE seq BETWEEN 3 AND 11"]),
        ((12, None, BROKEN), [COPIED.format(12)]),
        ((0, None, "row 1 is missing before it"), [COPIED.format(0)]),
        ((11, 5, "the chain ends here, but `partitions` says at row 9"), [SET_BACK]),
        ((11, 5, "its hash is not the last one in `partitions`"), ["UPDATE partitions SET hash = 'x'"]),
        ((11, 5, "`partitions` says that offset 3 was not read yet"), ["UPDATE partitions SET position = 3"]),
        ((11, 5, "the watermark in `partitions` is before its `recorded`"),
            ["UPDATE partitions SET watermark = (SELECT recorded FROM ledger WHERE ledger.seq = 2)"]),
        ((11, 5, "the watermark in `partitions` is before its `recorded`"), ["UPDATE partitions SET watermark = NULL"]),
        ((11, 5, "`partitions` has no rows for it"), ["DELETE FROM partitions"]),
        ((11, 5, "`partitions` has 2 rows for it"), [DOUBLED]),
        ((None, None, "`partitions` counts applied 4, not 3, parked 0, not 1"),
            ["UPDATE partitions SET applied = 4, parked = 0"]),
        ((None, None, "`partitions` counts read 5, not 6"), ["UPDATE partitions SET read = 5"]),
        ((None, None, "`partitions` counts forwarded 1, not 0"), ["UPDATE partitions SET forwarded = 1"]),
    ],
    ids=lambda value: " ".join(value[0].split()[:6]) if isinstance(value, list) else "",
)  # fmt: skip
def test_the_first_bad_position_is_named(
    conn: Connection, expected: tuple[int | None, int | None, str], statements: list[str]
) -> None:
    """Rows are edited, swapped, removed, added or set back, and one finding has the place."""
    attack(conn, *statements)

    assert [Finding(0, *expected)] == findings(conn)


def test_a_record_that_was_skipped_is_found(conn: Connection) -> None:
    """A position moved forward hides records of the embedded log. Offsets of another log may have gaps."""
    attack(conn, "UPDATE partitions SET position = 8")

    assert [] == findings(conn)

    attack(conn, "INSERT INTO log (log_offset, stamped) SELECT 7, watermark FROM partitions")
    what = "`partitions` says that offset 7 was read, but no row tells of it"

    assert [Finding(0, None, 7, what)] == findings(conn)


@pytest.mark.parametrize(
    ("expected", "statement"),
    [
        ((11, 5, "its `recorded` runs backwards"), MOVED.format(2, 11)),
        ((6, 1, "its offset was read before"), "UPDATE ledger SET log_offset = 1 WHERE seq = 6"),
        ((9, 2, "nothing is parked at its offset"), "UPDATE ledger SET log_offset = 2 WHERE seq = 9"),
        ((None, None, "`partitions` counts duplicate 1, not 2, conflict 1, not 0"),
         "UPDATE ledger SET outcome = 'duplicate' WHERE seq = 4"),
    ],
    ids=["recorded", "offset", "replay", "outcome"],
)  # fmt: skip
def test_correct_hashes_are_not_enough(
    conn: Connection, expected: tuple[int | None, int | None, str], statement: str
) -> None:
    """A chain with new hashes must also be one that the program could have written."""
    attack(conn, statement)
    rewrite(conn)

    assert [Finding(0, *expected)] == findings(conn)


WRONG_TYPE = "a column does not hold what its type says"


@pytest.mark.parametrize(
    ("expected", "statement"),
    [
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET recorded = 'nonsense' WHERE seq = 6"),
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET recorded = rtrim(recorded, 'Z') WHERE seq = 6"),
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET recorded = 5 WHERE seq = 6"),
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET stamped = x'ff' WHERE seq = 6"),
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET value = 'text' WHERE seq = 6"),
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET value = 5 WHERE seq = 6"),
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET value = 9e18 WHERE seq = 6"),
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET key = 'text' WHERE seq = 6"),
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET reason = x'ff' WHERE seq = 6"),
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET reason = CAST(x'ff' AS TEXT) WHERE seq = 6"),
        ((6, 4, WRONG_TYPE), "UPDATE ledger SET headers = '{' WHERE seq = 6"),
        ((6, "four", BROKEN), "UPDATE ledger SET log_offset = 'four' WHERE seq = 6"),
        ((7, None, "row 6 is missing before it"), "UPDATE ledger SET seq = 'six' WHERE seq = 6"),
        ((1, None, WRONG_TYPE), "UPDATE ledger SET recorded = 'nonsense' WHERE seq = 1"),
        ((0, 4, WRONG_TYPE), "UPDATE ledger SET recorded = 'nonsense', seq = 0 WHERE seq = 6"),
        ((11, 5, f"in its row of `partitions`, {WRONG_TYPE}"), "UPDATE partitions SET watermark = 'nonsense'"),
        ((11, 5, f"in its row of `partitions`, {WRONG_TYPE}"), "UPDATE partitions SET position = 'nonsense'"),
        ((11, 5, "the chain ends here, but `partitions` says at row x"), "UPDATE partitions SET seq = 'x'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_a_value_of_another_type_is_a_finding_and_not_a_crash(
    conn: Connection, expected: tuple[int | None, Any, str], statement: str
) -> None:
    """SQLite stores any value in any column."""
    attack(conn, statement)

    assert [Finding(0, *expected)] == findings(conn)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_value_of_another_type_is_found_in_a_later_page(engine: Engine) -> None:
    """Rows are read in pages, and after a fault the rows of the page are read one by one."""
    held = projector(engine)
    project(held, [described("2022-03-27", name=f"Name {n}", id=str(n)) for n in range(2500)])
    with write_transaction(engine) as conn:
        attack(conn, "UPDATE ledger SET recorded = 'nonsense' WHERE seq = 2105")

        assert [(2105, WRONG_TYPE)] == [(finding.seq, finding.what) for finding in findings(conn)]


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_rows_of_a_partition_without_a_number_are_found(conn: Connection) -> None:
    """A partition that no projector could have been assigned is checked too."""
    attack(conn, "UPDATE ledger SET partition = 'x' WHERE seq = 11")

    assert [(0, 10), ("x", 11)] == [(finding.partition, finding.seq) for finding in findings(conn)]


def test_a_chain_that_was_rewritten_whole_is_found_by_its_head(conn: Connection) -> None:
    """The new chain is consistent, but an earlier head that was kept elsewhere is not in it."""
    kept = head(conn)
    attack(conn, "UPDATE ledger SET value = (SELECT value FROM ledger WHERE seq = 4) WHERE seq = 2")
    rewrite(conn)

    assert [] == findings(conn)
    assert [
        Finding(None, None, None, f"no chain holds the hash {kept}: it was rewritten, or another head is meant")
    ] == findings(conn, [kept])


def test_a_tail_that_was_cut_off_cleanly_is_found_by_its_head(engine: Engine) -> None:
    """The row of `partitions` can be set back to match, and more rows can be written after it."""
    with write_transaction(engine) as conn:
        kept = head(conn)
        attack(
            conn,
            "DELETE FROM ledger WHERE seq = 11",
            "UPDATE partitions SET position = 5, seq = 10, applied = 2, read = 5, "
            "hash = (SELECT hash FROM ledger WHERE ledger.seq = 10)",
        )

        assert [] == findings(conn)
        assert 1 == len(findings(conn, [kept]))

    project(projector(engine), [LAST | {"id": "other"}])
    with snapshot(engine) as conn:
        assert [] == findings(conn)
        assert 1 == len(findings(conn, [kept]))


def test_earlier_heads_are_in_the_chain(conn: Connection) -> None:
    """A head of any time is accepted, in either case of its letters."""
    every = conn.scalars(select(ledger.c.hash)).all()

    assert [] == findings(conn, [*every, every[3].upper()])


def test_a_head_after_the_first_fault_is_not_reported(conn: Connection) -> None:
    """The head is still in the chain, and the fault before it is already a finding."""
    kept = head(conn)
    attack(conn, "UPDATE ledger SET reason = 'other' WHERE seq = 4")

    assert [Finding(0, 4, 2, BROKEN)] == findings(conn, [kept])


def test_each_partition_is_checked_alone(conn: Connection) -> None:
    """A fault in one partition does not hide a fault in another."""
    attack(
        conn,
        "INSERT INTO ledger (partition, seq, entry, topic, recorded, hash) "
        "SELECT 1, seq, entry, topic, recorded, hash FROM ledger WHERE seq = 1",
        "DELETE FROM ledger WHERE partition = 0 AND seq = 4",
    )

    assert [(0, 5), (1, 1)] == [(finding.partition, finding.seq) for finding in findings(conn)]


@pytest.mark.slow
def test_a_check_while_a_projector_writes_has_no_findings(engine: Engine) -> None:
    """The check sees one state of the database, though a projector writes at the same time."""
    held = projector(engine)
    enough = threading.Event()

    def write() -> None:
        for n in count():
            project(held, [described("2022-03-27", name=f"Name {n}-{m}", id=f"{n}-{m}") for m in range(20)])
            if enough.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    counts = set[int]()
    try:
        while len(counts) < 5 and writer.is_alive():
            with snapshot(engine) as conn:
                verdict = verify(conn)
            counts.add(verdict.rows[0])
            assert [] == verdict.findings
    finally:
        enough.set()
        writer.join()

    assert 5 == len(counts), "the writer failed"


def lines(conn: Connection, *, everything: bool = False) -> list[dict[str, Any]]:
    """Return the lines of an export."""
    return [json.loads(line) for line in export(conn, everything=everything)]


def test_an_export_holds_each_applied_fact_once_in_ledger_order(conn: Connection) -> None:
    """Each line is the JSON form of the fact, with the ledger's `recorded`."""
    exported = [(line["id"], line["recorded"]) for line in lines(conn)]

    assert exported == [
        (DISMISSED["id"], "2022-03-28T09:00:00Z"),
        (DETAINED["id"], "2022-04-27T08:00:00Z"),
        (LAST["id"], "2022-08-02T00:00:00Z"),
    ]
    assert DISMISSED["data"] == lines(conn)[0]["data"]


def test_the_export_of_everything_has_the_other_outcomes(conn: Connection) -> None:
    """Each record is there once, with its last outcome; a parked one keeps its bytes."""
    exported = lines(conn, everything=True)

    assert [None, "duplicate", "conflict", None, "parked", None] == [line.get("outcome") for line in exported]
    assert f"other_content: the fact {DISMISSED['id']} was recorded before with other content" == exported[2]["reason"]
    assert {
        "outcome": "parked",
        "reason": exported[4]["reason"],
        "recorded": "2022-08-02T00:00:00Z",
        "key_base64": None,
        "headers": None,
        "value_base64": "eyJ0eXBlIjoiVW5oZWFyZCJ9",
    } == exported[4]  # fmt: skip


def test_an_export_of_two_partitions_is_in_the_order_of_recorded(engine: Engine) -> None:
    """One log can then hold the facts of both."""
    other = Projector(engine, dismissals(), partition=1)
    other.assign(SILENT)
    (record,) = records([detained("2022-04-21", subject="c", recorded="2022-04-01T00:00:00Z")])
    other.project([record._replace(partition=1)], SILENT)

    with snapshot(engine) as conn:
        exported = lines(conn)

    assert ["a", "c", "b", "a"] == [line["subject"] for line in exported]
    assert sorted(line["recorded"] for line in exported) == [line["recorded"] for line in exported]
