"""The audit trail holds itself: whatever somebody changes behind the triggers, the walk names the place."""

import json
import os
import pty
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text, update

from projections.audit import Finding, export, heads, verify
from projections.database import open_database, snapshot, writing
from projections.ledger import GENESIS, chained
from projections.projector import Projector
from projections.rulebook import pack
from projections.tables import LIVE, ledger, partitions
from services.migrate import migrate
from tests.commands import COMMAND, environment, many, ndjson, ready, run
from tests.stories import described, detained, dismissed, instant, project, projector, records

DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
DETAINED = detained("2022-04-20", subject="b", recorded="2022-04-27T08:00:00Z")
FIRST = [
    DISMISSED,
    DISMISSED | {"recorded": "2022-03-29T09:00:00Z"},
    DISMISSED | {"data": DISMISSED["data"] | {"note": "another"}, "recorded": "2022-03-30T09:00:00Z"},
    b'{"type":"Unheard"}',
    DETAINED,
]
LAST = described("2022-03-27", name="Serik", recorded="2022-08-02T00:00:00Z")
SILENT = instant("2022-08-01")
LENGTH = 11


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """
    A database with one partition, read to its end.

    Its rows: 1 the rules; 2-6 the records at offset 0-4 (applied, duplicate, conflict, parked, applied); 7 a watermark;
    8 an acknowledgement; 9 a replay and 10 a dismissal of the parked one; 11 the record at offset 5.
    """
    engine = open_database(database_url)
    migrate(engine)
    held = projector(engine)
    project(held, FIRST)
    held.pass_time(SILENT, SILENT)
    with engine.connect() as conn:
        alert = conn.execute(select(LIVE.alerts)).one()
    held.acknowledge(alert.alert_id, "a", "Aigul", None, SILENT)
    held.replay([5], SILENT)
    held.dismiss(5, "a test", SILENT)
    project(held, [LAST])
    yield engine
    engine.dispose()


def disarm(engine: Engine) -> None:
    """Take the triggers away, as an attacker with the rights of an owner would."""
    with writing(engine) as conn:
        if engine.dialect.name == "postgresql":
            conn.execute(text("ALTER TABLE ledger DISABLE TRIGGER USER"))
            return
        for name in conn.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            conn.execute(text(f"DROP TRIGGER {name}"))


def attack(engine: Engine, *statements: str) -> None:
    """Run *statements* on the disarmed database."""
    disarm(engine)
    with writing(engine) as conn:
        for statement in statements:
            conn.execute(text(statement))


def rewrite(engine: Engine) -> None:
    """Compute every hash anew, so that the chain holds again: what an attacker who has read the docs would do."""
    with writing(engine) as conn:
        last = GENESIS
        for row in conn.execute(select(ledger).order_by(ledger.c.seq)).all():
            last = chained(last, row)
            conn.execute(update(ledger).where(ledger.c.seq == row.seq).values(hash=last))
        conn.execute(update(partitions).values(hash=last))


def findings(engine: Engine, kept: Sequence[str] = ()) -> list[Finding]:
    """What a walk finds."""
    with snapshot(engine) as conn:
        return list(verify(conn, kept).findings)


def head(engine: Engine) -> str:
    """The last hash."""
    with engine.connect() as conn:
        return str(heads(conn)[0]["hash"])


def test_a_ledger_that_nobody_touched_holds(engine: Engine) -> None:
    """Every kind of row is in it, and the rows are counted."""
    with snapshot(engine) as conn:
        verdict = verify(conn, [head(engine)])
        kinds = set(conn.scalars(select(ledger.c.entry)))

    assert [] == verdict.findings
    assert {0: LENGTH} == verdict.rows
    assert {"record", "replay", "dismissal", "watermark", "rules", "acknowledgement"} == kinds


BROKEN = "its hash does not follow from its content and the row before it"
TO_NINETY = "UPDATE ledger SET seq = 90 WHERE seq = 3"


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ((2, 0, BROKEN), ["UPDATE ledger SET value = (SELECT value FROM ledger WHERE seq = 4) WHERE seq = 2"]),
        ((4, 2, BROKEN), ["UPDATE ledger SET reason = 'other' WHERE seq = 4"]),
        ((4, 2, BROKEN), ["UPDATE ledger SET reason = NULL WHERE seq = 4"]),
        ((6, 4, BROKEN), ["UPDATE ledger SET recorded = stamped_of.stamped FROM (SELECT stamped FROM ledger "
                          "WHERE seq = 11) AS stamped_of WHERE seq = 6"]),
        ((6, 4, BROKEN), ["UPDATE ledger SET stamped = NULL WHERE seq = 6"]),
        ((4, 2, BROKEN), ["UPDATE ledger SET outcome = 'duplicate' WHERE seq = 4"]),
        ((8, None, BROKEN), ["UPDATE ledger SET subject_id = 'b' WHERE seq = 8"]),
        ((2, 0, BROKEN), ["UPDATE ledger SET fact_id = 'other' WHERE seq = 2"]),
        ((2, 0, BROKEN), ["UPDATE ledger SET key = NULL WHERE seq = 2"]),
        ((2, 0, BROKEN), ["UPDATE ledger SET topic = 'other' WHERE seq = 2"]),
        ((2, 9, BROKEN), ["UPDATE ledger SET log_offset = 9 WHERE seq = 2"]),
        ((9, 3, BROKEN), ["UPDATE ledger SET entry = 'dismissal' WHERE seq = 9"]),
        ((7, None, BROKEN), [f"UPDATE ledger SET hash = '{'0' * 64}' WHERE seq = 7"]),
        ((3, 2, BROKEN), [TO_NINETY, "UPDATE ledger SET seq = 3 WHERE seq = 4",
                          "UPDATE ledger SET seq = 4 WHERE seq = 90"]),
        ((5, 3, "row 4 is missing before it"), ["DELETE FROM ledger WHERE seq = 4"]),
        ((2, 0, "row 1 is missing before it"), ["DELETE FROM ledger WHERE seq = 1"]),
        ((9, 3, "the chain ends here, but `partitions` says at row 11"), ["DELETE FROM ledger WHERE seq > 9"]),
        ((0, None, "the chain ends here, but `partitions` says at row 11"), ["DELETE FROM ledger"]),
        ((90, 1, "row 3 is missing before it"), [TO_NINETY, "DELETE FROM ledger WHERE seq BETWEEN 3 AND 11"]),
        ((12, None, BROKEN), ["INSERT INTO ledger (partition, seq, entry, topic, recorded, hash) "
                              "SELECT partition, 12, entry, topic, recorded, hash FROM ledger WHERE seq = 7"]),
        ((0, None, "row 1 is missing before it"), [
            "INSERT INTO ledger (partition, seq, entry, topic, recorded, hash) "
            "SELECT partition, 0, entry, topic, recorded, hash FROM ledger WHERE seq = 7"]),
        ((11, 5, "the chain ends here, but `partitions` says at row 9"), ["UPDATE partitions SET seq = 9, "
            "hash = (SELECT hash FROM ledger WHERE ledger.seq = 9), position = 5"]),
        ((11, 5, "its hash is not the last one in `partitions`"), ["UPDATE partitions SET hash = 'x'"]),
        ((11, 5, "`partitions` says that offset 3 was not read yet"), ["UPDATE partitions SET position = 3"]),
        ((11, 5, "the watermark in `partitions` is before its `recorded`"),
            ["UPDATE partitions SET watermark = (SELECT recorded FROM ledger WHERE ledger.seq = 2)"]),
        ((11, 5, "the watermark in `partitions` is before its `recorded`"), ["UPDATE partitions SET watermark = NULL"]),
        ((11, 5, "`partitions` has no rows for it"), ["DELETE FROM partitions"]),
        ((11, 5, "`partitions` has 2 rows for it"), [
            "INSERT INTO partitions SELECT 'other', partition, position, watermark, epoch, seq, hash, notices, "
            "rules_version, rules_since, read, applied, duplicate, conflict, parked, forwarded, progressed "
            "FROM partitions"]),
        ((None, None, "`partitions` counts applied 4, not 3, parked 0, not 1"),
            ["UPDATE partitions SET applied = 4, parked = 0"]),
        ((None, None, "`partitions` counts read 5, not 6"), ["UPDATE partitions SET read = 5"]),
        ((None, None, "`partitions` counts forwarded 1, not 0"), ["UPDATE partitions SET forwarded = 1"]),
    ],
    ids=lambda value: " ".join(value[0].split()[:6]) if isinstance(value, list) else "",
)  # fmt: skip
def test_the_first_bad_position_is_named(
    engine: Engine, expected: tuple[int | None, int | None, str], statements: list[str]
) -> None:
    """Whatever was edited, swapped, removed, added or set back."""
    attack(engine, *statements)

    assert [Finding(0, *expected)] == findings(engine)


def test_a_record_that_was_passed_over_is_found(engine: Engine) -> None:
    """Whoever sets the position forward hides what the log holds there; offsets of another log may jump."""
    attack(engine, "UPDATE partitions SET position = 8")

    assert [] == findings(engine)

    attack(engine, "INSERT INTO log (log_offset, stamped) SELECT 7, watermark FROM partitions")
    what = "`partitions` says that offset 7 was read, but no row tells of it"

    assert [Finding(0, None, 7, what)] == findings(engine)


@pytest.mark.parametrize(
    ("expected", "statement"),
    [
        ((11, 5, "its `recorded` runs backwards"), "UPDATE ledger SET recorded = stamped_of.stamped FROM (SELECT "
         "stamped FROM ledger WHERE seq = 2) AS stamped_of WHERE seq = 11"),
        ((6, 1, "its offset was read before"), "UPDATE ledger SET log_offset = 1 WHERE seq = 6"),
        ((9, 2, "nothing is parked at its offset"), "UPDATE ledger SET log_offset = 2 WHERE seq = 9"),
        ((None, None, "`partitions` counts duplicate 1, not 2, conflict 1, not 0"),
         "UPDATE ledger SET outcome = 'duplicate' WHERE seq = 4"),
    ],
    ids=["recorded", "offset", "replay", "outcome"],
)  # fmt: skip
def test_hashes_that_hold_do_not_make_a_ledger(
    engine: Engine, expected: tuple[int | None, int | None, str], statement: str
) -> None:
    """A chain computed anew must also be one that the program could have written."""
    attack(engine, statement)
    rewrite(engine)

    assert [Finding(0, *expected)] == findings(engine)


NONSENSE = "a column does not hold what its type says"


@pytest.mark.parametrize(
    ("expected", "statement"),
    [
        ((6, 4, NONSENSE), "UPDATE ledger SET recorded = 'nonsense' WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET recorded = rtrim(recorded, 'Z') WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET recorded = 5 WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET stamped = x'ff' WHERE seq = 6"),
        ((6, 4, NONSENSE), "UPDATE ledger SET value = 'text' WHERE seq = 6"),
        ((6, 4, BROKEN), "UPDATE ledger SET value = 5 WHERE seq = 6"),
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
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nonsense_is_a_finding_and_no_crash(
    engine: Engine, expected: tuple[int | None, Any, str], statement: str
) -> None:
    """SQLite keeps anything in any column."""
    attack(engine, statement)

    assert [Finding(0, *expected)] == findings(engine)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nonsense_far_down_is_named_too(engine: Engine) -> None:
    """The rows are read many at a time, and the others of that lot are looked at one by one."""
    held = projector(engine)
    project(held, [described("2022-03-27", name=f"Name {n}", id=str(n)) for n in range(2500)])
    attack(engine, "UPDATE ledger SET recorded = 'nonsense' WHERE seq = 2105")

    assert [(2105, NONSENSE)] == [(found.seq, found.what) for found in findings(engine)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_rows_under_a_number_that_is_none_are_found(engine: Engine) -> None:
    """A partition that nobody could have been assigned is walked as well."""
    attack(engine, "UPDATE ledger SET partition = 'x' WHERE seq = 11")

    assert [(0, 10), ("x", 0)] == [(found.partition, found.seq) for found in findings(engine)]


def test_a_chain_that_was_rewritten_whole_is_found_by_its_head(engine: Engine) -> None:
    """It holds in itself: nothing in the database tells. The head from before does not stand in it any more."""
    kept = head(engine)
    attack(engine, "UPDATE ledger SET value = value || value WHERE seq = 2")
    rewrite(engine)

    assert [] == findings(engine)
    assert [Finding(None, None, None, f"no chain holds the hash {kept}: it was rewritten")] == findings(engine, [kept])


def test_a_tail_that_was_cut_off_cleanly_is_found_by_its_head(engine: Engine) -> None:
    """The row of `partitions` can be set back to fit, and more rows written after it."""
    kept = head(engine)
    attack(
        engine,
        "DELETE FROM ledger WHERE seq = 11",
        "UPDATE partitions SET position = 5, seq = 10, applied = 2, read = 5, "
        "hash = (SELECT hash FROM ledger WHERE ledger.seq = 10)",
    )

    assert [] == findings(engine)
    assert 1 == len(findings(engine, [kept]))

    project(projector(engine), [LAST | {"id": "other"}])

    assert [] == findings(engine)
    assert 1 == len(findings(engine, [kept]))


def test_heads_of_earlier_times_stand_in_the_chain(engine: Engine) -> None:
    """One kept a year ago is as good as yesterday's, and either case of its letters will do."""
    with engine.connect() as conn:
        every = conn.scalars(select(ledger.c.hash)).all()

    assert [] == findings(engine, [*every, every[3].upper()])


def test_a_head_behind_the_break_is_left_to_the_break(engine: Engine) -> None:
    """It stands there still; that the chain leading up to it is broken was said."""
    kept = head(engine)
    attack(engine, "UPDATE ledger SET reason = 'other' WHERE seq = 4")

    assert [Finding(0, 4, 2, BROKEN)] == findings(engine, [kept])


def test_partitions_are_walked_each_for_itself(engine: Engine) -> None:
    """A break in one does not hide another's."""
    attack(
        engine,
        "INSERT INTO ledger (partition, seq, entry, topic, recorded, hash) "
        "SELECT 1, seq, entry, topic, recorded, hash FROM ledger WHERE seq = 1",
        "DELETE FROM ledger WHERE partition = 0 AND seq = 4",
    )

    assert [(0, 5), (1, 1)] == [(found.partition, found.seq) for found in findings(engine)]


@pytest.mark.slow
def test_it_holds_while_a_projector_writes(engine: Engine) -> None:
    """The walk sees one moment of the database, whatever is written meanwhile."""
    held = projector(engine)
    done = threading.Event()

    def write() -> None:
        for n in range(60):
            project(held, [described("2022-03-27", name=f"Name {n}-{m}", id=f"{n}-{m}") for m in range(20)])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    walked = []
    while not done.is_set():
        with snapshot(engine) as conn:
            verdict = verify(conn)
        walked.append(verdict.rows[0])
        assert [] == verdict.findings
    writer.join()

    assert len(set(walked)) > 1, "nothing was written meanwhile"
    assert [] == findings(engine)


def lines(engine: Engine, *, everything: bool = False) -> list[dict[str, Any]]:
    """The lines of an export."""
    with snapshot(engine) as conn:
        return [json.loads(line) for line in export(conn, everything=everything)]


def test_an_export_holds_each_applied_fact_once_in_ledger_order(engine: Engine) -> None:
    """With the ledger's `recorded`, in their JSON form."""
    told = [(line["id"], line["recorded"]) for line in lines(engine)]

    assert told == [
        (DISMISSED["id"], "2022-03-28T09:00:00Z"),
        (DETAINED["id"], "2022-04-27T08:00:00Z"),
        (LAST["id"], "2022-08-02T00:00:00Z"),
    ]
    assert DISMISSED["data"] == lines(engine)[0]["data"]


def test_the_export_of_everything_tells_the_outcome_of_the_others(engine: Engine) -> None:
    """Each record stands once, with its last outcome; what was parked keeps its bytes."""
    found = lines(engine, everything=True)

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

    assert [0, 1, 0, 0] == [{"c": 1}.get(line["subject"], 0) for line in lines(engine)]
    assert sorted(line["recorded"] for line in lines(engine)) == [line["recorded"] for line in lines(engine)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database that the commands find, with five facts in it."""
    ready(tmp_path)
    run("publish -", tmp_path, many(5))
    run("project", tmp_path)
    return tmp_path


def tampered(folder: Path) -> Path:
    """The folder, with row 3 edited."""
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    attack(engine, "UPDATE ledger SET reason = 'x' || char(27) WHERE seq = 3")
    engine.dispose()
    return folder


def test_verify_says_that_all_holds(folder: Path) -> None:
    """And nothing else, to people or to programs."""
    told, read = run("audit verify", folder), run("audit verify --json", folder)

    assert (0, "partition 0: 6 rows, chain and counts hold\n", "") == (told.returncode, told.stdout, told.stderr)
    assert {"rows": [{"partition": 0, "rows": 6}], "findings": []} == json.loads(read.stdout)
    assert 0 == read.returncode


def test_verify_names_the_place_and_exits_with_1(folder: Path) -> None:
    """As a script in a crontab needs it."""
    told, read = run("audit verify", tampered(folder)), run("audit verify --json", folder)

    assert (1, f"partition 0, row 3, offset 1: {BROKEN}\n", "") == (told.returncode, told.stdout, told.stderr)
    assert 1 == read.returncode
    assert {
        "rows": [{"partition": 0, "rows": 2}],
        "findings": [{"partition": 0, "seq": 3, "offset": 1, "what": BROKEN}],
    } == json.loads(read.stdout)


def test_verify_holds_the_chain_against_heads(folder: Path) -> None:
    """What `audit head` printed earlier must still be there."""
    (kept,) = json.loads(run("audit head --json", folder).stdout)
    shown = run("audit head", folder)
    run("publish -", folder, many(2, "later"))
    run("project", folder)

    assert ["partition", "seq", "hash", "recorded"] == list(kept)
    assert f"{kept['hash']}  partition 0, row 6, {kept['recorded']}\n" == shown.stdout
    assert 0 == run(f"audit verify --head {kept['hash']}", folder).returncode

    other = run(f"audit verify --head {kept['hash']} --head {'a' * 64}", folder)
    assert (1, f"every partition: no chain holds the hash {'a' * 64}: it was rewritten") == (
        other.returncode, other.stdout.splitlines()[0]
    )  # fmt: skip


@pytest.mark.parametrize("given", ["", "6f1e", "g" * 64, "a" * 65, f"{'a' * 64} "])
def test_a_head_that_is_no_hash_is_refused(folder: Path, given: str) -> None:
    """A slip in copying must not look like a forgery."""
    done = run(["audit", "verify", "--head", given], folder)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr == (
        f'casetrail: --head: "{given}" is not a hash (want 64 hex digits, as `casetrail audit head` prints them)\n'
    )


def test_an_empty_ledger_holds(tmp_path: Path) -> None:
    """There is nothing in it yet, and no head."""
    ready(tmp_path)
    verified, headed, exported = (run(f"audit {word}", tmp_path) for word in ("verify", "head", "export"))

    assert (0, "the ledger is empty\n") == (verified.returncode, verified.stdout)
    assert (0, "", "the ledger is empty\n") == (headed.returncode, headed.stdout, headed.stderr)
    assert (0, "") == (exported.returncode, exported.stdout)
    assert {"rows": [], "findings": []} == json.loads(run("audit verify --json", tmp_path).stdout)


def test_what_export_writes_publish_and_backtest_take(folder: Path) -> None:
    """Into a file or to standard output."""
    exported = run("audit export", folder)
    run("audit export -o facts.ndjson", folder)

    assert exported.stdout == (folder / "facts.ndjson").read_text("utf-8")
    assert 5 == len(ndjson(exported.stdout))
    assert "5 valid, 0 bad" in run("publish --check facts.ndjson", folder).stderr
    assert 5 == json.loads(run("backtest - --json", folder, exported.stdout).stdout)["counts"]["applied"]


def test_an_export_to_a_place_that_cannot_be_written_is_a_slip(folder: Path) -> None:
    """Nothing was exported, and the place is named."""
    done = run("audit export -o missing/facts.ndjson", folder)

    assert (2, "casetrail: missing/facts.ndjson: No such file or directory (want a file that can be written)\n") == (
        done.returncode, done.stderr
    )  # fmt: skip


@pytest.mark.slow
def test_progress_shows_on_a_terminal_and_never_in_the_output(folder: Path) -> None:
    """A long walk shows how far it is; a pipe gets the verdict alone."""
    shown, terminal = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "audit", "verify"], cwd=folder, env=environment(folder) | {"TERM": "xterm"}, stderr=terminal,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    os.close(terminal)

    assert b"Verifying" in os.read(shown, 10_000)
    assert b"partition 0: 6 rows, chain and counts hold\n" == done.stdout
    os.close(shown)
