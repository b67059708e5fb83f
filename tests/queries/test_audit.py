"""The ledger holds itself: whatever somebody changes behind the triggers, the walk names the place."""

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
from projections.rules.rulebook import pack
from projections.tables.database import snapshot, writing
from projections.tables.schema import ledger
from tests.support.builders import described, detained, project, projector, records
from tests.support.postgres import fresh_database
from tests.support.tampering import (
    BROKEN,
    DETAINED,
    DISMISSED,
    LAST,
    LENGTH,
    SILENT,
    attack,
    findings,
    head,
    rewrite,
    told,
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Such a database for the test alone."""
    engine = told(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Such a database for all tests that take back what they did to it."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'casetrail.db'}"
        else:
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres_server")))
        engine = told(url)
        stack.callback(engine.dispose)
        yield engine


@pytest.fixture
def conn(shared: Engine) -> Iterator[Connection]:
    """A transaction that is rolled back in the end, triggers and all."""
    with shared.connect() as conn, conn.begin() as transaction:
        yield conn
        transaction.rollback()


def test_a_ledger_that_nobody_touched_holds(conn: Connection) -> None:
    """Every kind of row is in it, and the rows are counted."""
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
    """Whatever was edited, swapped, removed, added or set back."""
    attack(conn, *statements)

    assert [Finding(0, *expected)] == findings(conn)


def test_a_record_that_was_passed_over_is_found(conn: Connection) -> None:
    """Whoever sets the position forward hides what the log holds there; offsets of another log may jump."""
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
def test_hashes_that_hold_do_not_make_a_ledger(
    conn: Connection, expected: tuple[int | None, int | None, str], statement: str
) -> None:
    """A chain computed anew must also be one that the program could have written."""
    attack(conn, statement)
    rewrite(conn)

    assert [Finding(0, *expected)] == findings(conn)


NONSENSE = "a column does not hold what its type says"


@pytest.mark.parametrize(
    ("expected", "statement"),
    [
        ((6, 4, NONSENSE), "UPDATE ledger SET recorded = 'nonsense' WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET recorded = rtrim(recorded, 'Z') WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET recorded = 5 WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET stamped = x'ff' WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET value = 'text' WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET value = 5 WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET value = 9e18 WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET key = 'text' WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET reason = x'ff' WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET reason = CAST(x'ff' AS TEXT) WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET headers = '{' WHERE seq = 6"),
        ((6, "four", BROKEN), "UPDATE ledger SET log_offset = 'four' WHERE seq = 6"),
        ((7, None, "row 6 is missing before it"), "UPDATE ledger SET seq = 'six' WHERE seq = 6"),
        ((1, None, NONSENSE), "UPDATE ledger SET recorded = 'nonsense' WHERE seq = 1"),
        ((0, 4, NONSENSE), "UPDATE ledger SET recorded = 'nonsense', seq = 0 WHERE seq = 6"),
        ((11, 5, f"in its row of `partitions`, {NONSENSE}"), "UPDATE partitions SET watermark = 'nonsense'"),
        ((11, 5, f"in its row of `partitions`, {NONSENSE}"), "UPDATE partitions SET position = 'nonsense'"),
        ((11, 5, "the chain ends here, but `partitions` says at row x"), "UPDATE partitions SET seq = 'x'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_nonsense_is_a_finding_and_no_crash(
    conn: Connection, expected: tuple[int | None, Any, str], statement: str
) -> None:
    """SQLite keeps anything in any column."""
    attack(conn, statement)

    assert [Finding(0, *expected)] == findings(conn)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nonsense_far_down_is_named_too(engine: Engine) -> None:
    """The rows are read many at a time, and the others of that lot are looked at one by one."""
    held = projector(engine)
    project(held, [described("2022-03-27", name=f"Name {n}", id=str(n)) for n in range(2500)])
    with writing(engine) as conn:
        attack(conn, "UPDATE ledger SET recorded = 'nonsense' WHERE seq = 2105")

        assert [(2105, NONSENSE)] == [(found.seq, found.what) for found in findings(conn)]


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_rows_under_a_number_that_is_none_are_found(conn: Connection) -> None:
    """A partition that nobody could have been assigned is walked as well."""
    attack(conn, "UPDATE ledger SET partition = 'x' WHERE seq = 11")

    assert [(0, 10), ("x", 11)] == [(found.partition, found.seq) for found in findings(conn)]


def test_a_chain_that_was_rewritten_whole_is_found_by_its_head(conn: Connection) -> None:
    """It holds in itself: nothing in the database tells. The head from before does not stand in it any more."""
    kept = head(conn)
    attack(conn, "UPDATE ledger SET value = (SELECT value FROM ledger WHERE seq = 4) WHERE seq = 2")
    rewrite(conn)

    assert [] == findings(conn)
    assert [
        Finding(None, None, None, f"no chain holds the hash {kept}: it was rewritten, or another head is meant")
    ] == findings(conn, [kept])


def test_a_tail_that_was_cut_off_cleanly_is_found_by_its_head(engine: Engine) -> None:
    """The row of `partitions` can be set back to fit, and more rows written after it."""
    with writing(engine) as conn:
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


def test_heads_of_earlier_times_stand_in_the_chain(conn: Connection) -> None:
    """One kept a year ago is as good as yesterday's, and either case of its letters will do."""
    every = conn.scalars(select(ledger.c.hash)).all()

    assert [] == findings(conn, [*every, every[3].upper()])


def test_a_head_behind_the_break_is_left_to_the_break(conn: Connection) -> None:
    """It stands there still; that the chain leading up to it is broken was said."""
    kept = head(conn)
    attack(conn, "UPDATE ledger SET reason = 'other' WHERE seq = 4")

    assert [Finding(0, 4, 2, BROKEN)] == findings(conn, [kept])


def test_partitions_are_walked_each_for_itself(conn: Connection) -> None:
    """A break in one does not hide another's."""
    attack(
        conn,
        "INSERT INTO ledger (partition, seq, entry, topic, recorded, hash) "
        "SELECT 1, seq, entry, topic, recorded, hash FROM ledger WHERE seq = 1",
        "DELETE FROM ledger WHERE partition = 0 AND seq = 4",
    )

    assert [(0, 5), (1, 1)] == [(found.partition, found.seq) for found in findings(conn)]


@pytest.mark.slow
def test_it_holds_while_a_projector_writes(engine: Engine) -> None:
    """The walk sees one moment of the database, whatever is written meanwhile."""
    held = projector(engine)
    enough = threading.Event()

    def write() -> None:
        for n in count():
            project(held, [described("2022-03-27", name=f"Name {n}-{m}", id=f"{n}-{m}") for m in range(20)])
            if enough.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    walked = set[int]()
    try:
        while len(walked) < 5 and writer.is_alive():
            with snapshot(engine) as conn:
                verdict = verify(conn)
            walked.add(verdict.rows[0])
            assert [] == verdict.findings
    finally:
        enough.set()
        writer.join()

    assert 5 == len(walked), "the writer failed"


def lines(conn: Connection, *, everything: bool = False) -> list[dict[str, Any]]:
    """The lines of an export."""
    return [json.loads(line) for line in export(conn, everything=everything)]


def test_an_export_holds_each_applied_fact_once_in_ledger_order(conn: Connection) -> None:
    """With the ledger's `recorded`, in their JSON form."""
    told = [(line["id"], line["recorded"]) for line in lines(conn)]

    assert told == [
        (DISMISSED["id"], "2022-03-28T09:00:00Z"),
        (DETAINED["id"], "2022-04-27T08:00:00Z"),
        (LAST["id"], "2022-08-02T00:00:00Z"),
    ]
    assert DISMISSED["data"] == lines(conn)[0]["data"]


def test_the_export_of_everything_tells_the_outcome_of_the_others(conn: Connection) -> None:
    """Each record stands once, with its last outcome; what was parked keeps its bytes."""
    found = lines(conn, everything=True)

    assert [None, "duplicate", "conflict", None, "parked", None] == [line.get("outcome") for line in found]
    assert f"other_content: the fact {DISMISSED['id']} was recorded before with other content" == found[2]["reason"]
    assert {
        "outcome": "parked",
        "reason": found[4]["reason"],
        "recorded": "2022-08-02T00:00:00Z",
        "key_base64": None,
        "headers": None,
        "value_base64": "eyJ0eXBlIjoiVW5oZWFyZCJ9",
    } == found[4]  # fmt: skip


def test_an_export_of_two_partitions_is_in_the_order_of_recorded(engine: Engine) -> None:
    """So that one log can take both in."""
    other = Projector(engine, pack(), partition=1)
    other.assign(SILENT)
    (record,) = records([detained("2022-04-21", subject="c", recorded="2022-04-01T00:00:00Z")])
    other.project([record._replace(partition=1)], SILENT)

    with snapshot(engine) as conn:
        found = lines(conn)

    assert ["a", "c", "b", "a"] == [line["subject"] for line in found]
    assert sorted(line["recorded"] for line in found) == [line["recorded"] for line in found]
