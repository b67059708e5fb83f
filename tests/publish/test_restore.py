"""The import of an export into another database, with the same statuses and alerts."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from events.cloudevents import to_binary
from events.decode import complete
from events.errors import BadInput, Unreadable
from projections.ledger.chain import LogRecord
from projections.projector.projector import Projector
from projections.queries.export import export
from projections.queries.verify import verify
from projections.tables.checkpoint import PartitionLost
from projections.tables.database import open_database, snapshot
from projections.tables.schema import LIVE, TOPIC, log, partitions
from services.database import migrate
from services.log.local import LocalLog
from services.publish.restore import restore
from services.publish.samples import generate
from tests.support.builders import NOW, detained, dismissed, encoded, instant, project, projector, rows, statuses
from tests.support.commands import facts_file, ndjson, ready, run
from tests.support.draining import drain
from tests.support.reading import ask

DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
DETAINED = detained("2022-04-20", subject="b", recorded="2022-04-27T08:00:00Z")
LIFE = (LIVE.alerts, LIVE.alert_changes)


def opened(url: str) -> Engine:
    """The migrated database at *url*."""
    engine = open_database(url)
    migrate(engine)
    return engine


@pytest.fixture(params=["sqlite to postgresql", "postgresql to sqlite"])
def databases(request: pytest.FixtureRequest, sqlite_url: str, postgres_url: str) -> Iterator[tuple[Engine, Engine]]:
    """The database of the export, and the database of the import."""
    urls = (sqlite_url, postgres_url) if request.param == "sqlite to postgresql" else (postgres_url, sqlite_url)
    engines = opened(urls[0]), opened(urls[1])
    yield engines
    for engine in engines:
        engine.dispose()


def lived(engine: Engine, lines: Sequence[bytes]) -> Projector:
    """Project *lines* at their `recorded`, and unreadable records at the previous one, up to the present."""
    held = projector(engine)
    stamped, batch = NOW, []
    for line in lines:
        try:
            fact, value = complete(line, NOW)
            key, stamped = fact.subject.encode(), instant(json.loads(line)["recorded"])
        except Unreadable:
            key, value = None, line
        batch.append((stamped, key, None, value))
    append(held, *batch)
    return held


def append(held: Projector, *came: tuple[datetime, bytes | None, Any, bytes | None]) -> None:
    """Project records, and advance the watermark to the present."""
    start = held.checkpoint.position
    held.project([LogRecord(TOPIC, 0, start + n, *record) for n, record in enumerate(came)], NOW)
    held.advance_watermark(datetime.now(UTC), NOW)


def moved(lines: Sequence[bytes], engine: Engine) -> int:
    """Import *lines* and project them, as the command does."""
    count = restore(LocalLog(engine), lines, "facts.ndjson", datetime.now(UTC))
    drain(engine)
    return count


def exported(engine: Engine, *, everything: bool = False) -> list[bytes]:
    """The lines of an export."""
    with snapshot(engine) as conn:
        return list(export(conn, everything=everything))


def counts(engine: Engine) -> dict[str, int]:
    """The outcomes of the records, with their counts."""
    (row,) = rows(engine, partitions)
    return {name: row[name] for name in ("read", "applied", "duplicate", "conflict", "parked")}


def test_people_alerts_and_their_lives_come_out_as_they_were(databases: tuple[Engine, Engine]) -> None:
    """It holds between all kinds of databases, and an export of the copy equals the first export."""
    left, taken = databases
    lived(left, list(generate(60, 7, until=datetime(2024, 1, 1, tzinfo=UTC))))
    lines = exported(left)

    assert len(lines) == moved(lines, taken)
    assert statuses(left) == statuses(taken)
    assert [rows(left, table) for table in LIFE] == [rows(taken, table) for table in LIFE]
    assert rows(left, LIVE.alerts), "nothing was told of"
    assert lines == exported(taken)
    with snapshot(taken) as conn:
        assert [] == verify(conn).findings


def test_with_all_the_records_that_were_not_applied_come_too(databases: tuple[Engine, Engine]) -> None:
    """Each record keeps its place and its bytes, so that the counts are the same."""
    left, taken = databases
    other = DISMISSED | {"data": DISMISSED["data"] | {"note": "another"}}
    noise = [*encoded(DISMISSED, DISMISSED, other), b"nonsense"]
    lived(left, [*noise, *generate(20, 7, until=datetime(2024, 1, 1, tzinfo=UTC))])
    lines = exported(left, everything=True)
    moved(lines, taken)

    assert lines == exported(taken, everything=True)
    assert counts(left) == counts(taken)
    assert all(counts(taken)[name] for name in ("applied", "duplicate", "conflict", "parked"))
    assert rows(left, LIVE.subjects, "due") == rows(taken, LIVE.subjects, "due"), "positions too"


def test_bytes_that_nobody_can_read_travel_exactly(databases: tuple[Engine, Engine]) -> None:
    """They keep their key and headers. A record that was replayed later is at its last place."""
    left, taken = databases
    held = lived(left, encoded(DISMISSED))
    stamp = instant("2022-05-01")
    readable = complete(encoded(DETAINED)[0], NOW)[1]
    odd = [["trace", None], ["photo", {"base64": "/w=="}], ["\\x00", {"name": "AA==", "base64": None}]]
    headers = [["content-type", "application/json"], ["ce_type", "Unheard"], *odd]
    append(
        held,
        (stamp, None, None, None),
        (stamp, b"", None, b""),
        (stamp, b"\xff\x00", None, bytes(range(256))),
        (stamp, b"another", None, readable),
        (stamp, b"b", headers, b"{}"),
        (stamp, None, None, b"x" * 2_000_000),
    )
    held.replay([4], NOW)
    held.dismiss(5, "a test", NOW)
    lines = exported(left, everything=True)
    moved(lines, taken)
    sent = [(row["key"], row["headers"], row["value"]) for row in rows(taken, log)]

    assert lines == exported(taken, everything=True)
    assert {"read": 7, "applied": 1, "duplicate": 0, "conflict": 0, "parked": 6} == counts(taken)
    assert [
        (b"", None, b""),
        (b"another", None, readable),
        (b"b", headers, b"{}"),
        (b"\xff\x00", None, bytes(range(256))),
        (None, None, b"x" * 2_000_000),
        (None, None, None),
    ] == sorted(sent[1:], key=lambda record: (record[0] is None, record[0] or b"", record[2] is None))


def test_a_record_in_binary_mode_becomes_a_line_like_the_others(databases: tuple[Engine, Engine]) -> None:
    """The fact is the same in both modes."""
    left, taken = databases
    held = lived(left, encoded(DISMISSED))
    headers, value = to_binary(complete(encoded(DETAINED)[0], NOW)[1])
    append(held, (instant("2022-05-01"), b"b", [[name, told.decode()] for name, told in headers], value))
    lines = exported(left)
    moved(lines, taken)

    assert lines == exported(taken)
    assert statuses(left) == statuses(taken)
    assert DETAINED["data"] == json.loads(lines[1])["data"]


def test_attributes_that_are_called_like_ours_stay(sqlite_url: str, tmp_path: Path) -> None:
    """A tool may name its own extension `outcome` or `reason`, and one that is null is kept."""
    left, taken = opened(sqlite_url), opened(f"sqlite:///{tmp_path / 'taken.db'}")
    own = DISMISSED | {"outcome": "approved", "reason": "x", "recorded": "2022-03-28T09:00:00Z"}
    raw = json.loads(complete(encoded(DETAINED)[0], NOW)[1])
    held = lived(left, encoded(own))
    append(held, (NOW, b"b", None, json.dumps({"recorded": None, **raw, "dataschema": None}).encode()))
    lines = exported(left)
    moved(lines, taken)

    assert ("approved", "x") == (json.loads(lines[0])["outcome"], json.loads(lines[0])["reason"])
    assert {"dataschema": None}.items() <= json.loads(lines[1]).items()
    assert lines == exported(taken)


@pytest.mark.parametrize("word", ["parked", "forwarded"])
def test_an_extension_that_says_one_of_our_words_is_the_tools_own(sqlite_url: str, word: str) -> None:
    """Only a line with bytes in base64 is a record that could not be read or was forwarded."""
    line = exported_line(outcome=word)
    engine = opened(sqlite_url)
    moved([line], engine)

    assert [json.loads(line)] == [json.loads(each) for each in exported(engine)]


def test_what_was_sent_on_is_left_to_where_it_went(sqlite_url: str) -> None:
    """The record is in the export again, in the other partition. Imported here, it would be known too early."""
    line = json.loads(exported_line()) | {"recorded": "2022-05-02T00:00:00Z"}
    key = {"key_base64": base64.b64encode(b"a").decode(), "headers": None}
    sent_on = {"outcome": "forwarded", "reason": None, "recorded": "2022-05-01T00:00:00Z", "value_base64": ""} | key
    engine = opened(sqlite_url)

    assert 1 == moved([json.dumps(sent_on).encode(), json.dumps(line).encode()], engine)
    assert ["2022-05-02T00:00:00Z"] == [json.loads(line)["recorded"] for line in exported(engine)]


def test_a_projector_that_found_the_log_empty_lets_no_time_pass_over_an_import(database_url: str) -> None:
    """It loses the partition and looks again. Otherwise all records would have the present as `recorded`."""
    engine = opened(database_url)
    held = projector(engine)
    restore(LocalLog(engine), [exported_line()], "facts.ndjson", datetime.now(UTC))

    with pytest.raises(PartitionLost):
        held.advance_watermark(datetime.now(UTC), NOW)


def test_an_import_that_was_cut_short_is_ended_by_project(sqlite_url: str) -> None:
    """The records are in the log with their stamps, so a later projection yields the same `recorded`."""
    engine = opened(sqlite_url)
    restore(LocalLog(engine), [exported_line()], "facts.ndjson", datetime.now(UTC))
    drain(engine, batch_records=1)

    assert [exported_line()] == exported(engine)


def exported_line(**changes: Any) -> bytes:
    """A line of an export, with *changes*."""
    fact = json.loads(complete(encoded(DISMISSED)[0], NOW)[1])
    line = fact | {"recorded": "2022-03-28T09:00:00Z"} | changes
    kept = {name: value for name, value in line.items() if value is not None}
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False).encode()


PARKED = {
    "outcome": "parked", "reason": "x", "recorded": "2022-03-28T09:00:00Z", "key_base64": None, "headers": None,
    "value_base64": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ("broken JSON at place 2: key must be a string (want one JSON object)", b"{nonsense"),
        ('"text" does not fit (want an object)', b'"text"'),
        ("the line has no `recorded` (want a line of `casetrail audit export`; `casetrail publish` takes others)",
         exported_line(recorded=None)),
        ('recorded: "soon" is not a date (want EDTF, such as 2024-01-13 or 2024-01)', exported_line(recorded="soon")),
        ("`recorded` 2022-03-28T08:59:59Z is before that of the previous line (want the lines in the order of ",
         exported_line(recorded="2022-03-28T08:59:59Z")),
        ("`recorded` 2099-01-01T00:00:00Z is in the future (want an instant in the past)",
         exported_line(recorded="2099-01-01T00:00:00Z")),
        ("id: missing (want ", exported_line(id=None)),
        ("not a record: ", PARKED | {"key_base64": "x"}),
        ("'headers' is missing (want a line of `casetrail audit export --all`)",
         {name: PARKED[name] for name in PARKED if name != "headers"}),
        ("not a record: ", PARKED | {"value_base64": "?"}),
        ("not a record: ", PARKED | {"value_base64": 5}),
        ("not a record: ", PARKED | {"headers": [["one"]]}),
        ("not a record: ", PARKED | {"headers": [["one", 2]]}),
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_line_is_named_and_nothing_goes_in(sqlite_url: str, expected: str, line: bytes | dict[str, Any]) -> None:
    """Half of an export would be another history."""
    engine = opened(sqlite_url)
    bad = line if isinstance(line, bytes) else json.dumps(line).encode()

    with pytest.raises(BadInput) as raised:
        restore(LocalLog(engine), [exported_line(), b"\n", bad, exported_line()], "facts.ndjson", datetime.now(UTC))

    assert str(raised.value).startswith(f"facts.ndjson:3: {expected}")
    with engine.connect() as conn:
        assert 0 == conn.scalar(select(func.count()).select_from(log))


def test_a_bad_line_ends_the_command_with_1(tmp_path: Path) -> None:
    """The database is still empty, so that the repaired file can be imported."""
    ready(tmp_path)
    facts_file(tmp_path, exported_line(), b"{}")
    done = run("audit import facts.ndjson", tmp_path)

    assert (1, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("casetrail: facts.ndjson:2: the line has no `recorded`")

    facts_file(tmp_path, exported_line())

    assert 0 == run("audit import facts.ndjson", tmp_path).returncode


def test_a_database_that_was_in_use_is_refused(tmp_path: Path) -> None:
    """Published facts, projected facts or a watermark would be mixed with the import."""
    facts_file(tmp_path, exported_line())
    ready(tmp_path)
    ask("project", tmp_path)
    passed = ask("audit import facts.ndjson", tmp_path)

    assert (3, "") == (passed.returncode, passed.stdout)
    assert (
        "casetrail: the database has been in use (import into a new database, made by `casetrail init`)\n"
        == passed.stderr
    )

    run("publish facts.ndjson", tmp_path)
    published = ask("audit import facts.ndjson", tmp_path)

    assert (3, "casetrail: the log already holds 1 records (use an empty database)\n") == (
        published.returncode, published.stderr
    )  # fmt: skip


def test_it_reads_standard_input_and_prints_nothing_but_the_result(tmp_path: Path) -> None:
    """Log messages go to stderr, and a byte order mark at the start of the input is skipped."""
    ready(tmp_path)
    given = b"\xef\xbb\xbf" + exported_line() + b"\r\n" + json.dumps(PARKED).encode()
    done = run("audit import - --json", tmp_path, given, {"CASETRAIL_LOG_LEVEL": "debug"})

    assert 0 == done.returncode
    assert {"imported": 2, "applied": 1, "duplicate": 0, "conflict": 0, "parked": 1} == json.loads(done.stdout)
    assert "batch_projected" in done.stderr
    assert [json.loads(exported_line())] == ndjson(run("audit export", tmp_path).stdout)
    assert DISMISSED["id"] in ask("history a", tmp_path).stdout


def test_a_file_that_is_not_there_is_a_slip(tmp_path: Path) -> None:
    """No line was read."""
    ready(tmp_path)
    done = ask("audit import missing.ndjson", tmp_path)

    assert (2, "casetrail: missing.ndjson: No such file or directory (want a file of NDJSON, or -)\n") == (
        done.returncode, done.stderr
    )  # fmt: skip


def test_acknowledgements_do_not_travel(sqlite_url: str, tmp_path: Path) -> None:
    """The alert is open in the copy, and the help mentions it."""
    left, taken = opened(sqlite_url), opened(f"sqlite:///{tmp_path / 'taken.db'}")
    held = projector(left)
    project(held, [DISMISSED])
    held.advance_watermark(datetime.now(UTC), NOW)
    (alert,) = rows(left, LIVE.alerts)
    held.acknowledge(alert["alert_id"], "a", "Aigul", None, NOW)
    moved(exported(left, everything=True), taken)

    assert ["acknowledged"] == [row["state"] for row in rows(left, LIVE.alerts)]
    assert ["open"] == [row["state"] for row in rows(taken, LIVE.alerts)]
    for command in ("export", "import"):
        assert "cknowledgements" in ask(f"audit {command} --help", tmp_path).stdout
