"""The comparison with the expected result at the end: ledger, statuses, alerts, notices, and writers."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from .fleet import casetrail
from .truth import ReadRecord, outcomes

SHOWN = 5

LEDGER = """
    SELECT topic, partition, log_offset, outcome, fact_id, key, value, reason FROM ledger WHERE entry = 'record'
"""
COUNTS = """
    SELECT partition, read, applied, duplicate, conflict, parked, forwarded FROM partitions
    WHERE partition >= 0 ORDER BY partition
"""
OUTBOX = "SELECT partition, n, kind, notice_id, subject_id, alert_id, notice FROM outbox ORDER BY partition, n"
CHANGES = "SELECT alert_id, n FROM alert_changes WHERE told"
WATERMARK = """
    SELECT to_char(min(watermark) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM partitions
    WHERE partition >= 0
"""
WRITES = "SELECT n, who, partition, epoch, position, seq FROM faults.writes ORDER BY partition, n"
TRIGGER = """
    CREATE SCHEMA faults;
    CREATE TABLE faults.writes (n bigserial, who text, partition int, epoch bigint, position bigint, seq bigint);
    CREATE FUNCTION faults.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO faults.writes (who, partition, epoch, position, seq)
        VALUES (current_setting('application_name'), new.partition, new.epoch, new.position, new.seq);
        RETURN NULL;
    END $$;
    CREATE TRIGGER faults AFTER UPDATE ON partitions FOR EACH ROW EXECUTE FUNCTION faults.note();
"""
"""A note beside each write, with its writer and epoch; a write that is rolled back leaves no note."""

OUTCOMES = ("applied", "duplicate", "conflict", "parked", "forwarded")


class Write(NamedTuple):
    """A transaction that moved a partition: its writer, its epoch, and the position and row it reached."""

    n: int
    who: str
    partition: int
    epoch: int
    position: int
    seq: int


def records(conn: psycopg.Connection[Any], log: list[ReadRecord], topic: str, partitions: int) -> Iterator[str]:
    """
    Yield each difference between ledger and log.

    Each record must be there once, unchanged, with the right outcome.
    """
    rows = conn.execute(LEDGER).fetchall()
    expected = outcomes(log, partitions)
    places = Counter((partition, offset) for _, partition, offset, *_ in rows)
    yield from _finding("records that are in no row of the ledger", expected.keys() - places.keys())
    yield from _finding("rows of the ledger without a record", places.keys() - expected.keys())
    yield from _finding("records that are in the ledger twice", (place for place, count in places.items() if count > 1))
    yield from _finding("rows of another topic", (row[1:3] for row in rows if row[0] != topic))
    wrong = (f"{p}/{o}: {out} for {expected[p, o]} ({why})" for _, p, o, out, _, _, _, why in rows
             if expected.get((p, o), out) != out)  # fmt: skip
    yield from _finding("other outcomes", wrong)
    bytes_ = {(record.partition, record.offset): (record.key, record.value) for record in log}
    changed = ((p, o) for _, p, o, _, _, key, value, _ in rows if bytes_.get((p, o), (key, value)) != (key, value))
    yield from _finding("records that were changed on the way", changed)
    outcomes_found = {
        partition: Counter(row[3] for row in rows if row[1] == partition) for partition in range(partitions)
    }
    for partition, read, *counts in conn.execute(COUNTS).fetchall():
        stated = dict(zip(OUTCOMES, counts, strict=True))
        if read != sum(counts) or stated != {name: outcomes_found[partition][name] for name in OUTCOMES}:
            yield f"partition {partition} counts {read} read: {stated}, and there are {dict(outcomes_found[partition])}"


def facts(
    conn: psycopg.Connection[Any], log: list[ReadRecord], ids: set[str], acknowledged: Mapping[tuple[int, int], bytes]
) -> Iterator[str]:
    """Yield the facts that were lost, that were applied without being published, or that were applied twice."""
    applied = Counter(row[4] for row in conn.execute(LEDGER).fetchall() if row[3] == "applied")
    yield from _finding("facts that were published and are not applied", ids - applied.keys())
    yield from _finding("facts that were applied and never published", applied.keys() - ids)
    yield from _finding("facts that were applied twice", (id_ for id_, count in applied.items() if count > 1))
    lies = {(record.partition, record.offset): record.value or b"" for record in log}
    yield from _finding(
        "records that were acknowledged and are not in the log",
        (place for place, value in acknowledged.items() if lies.get(place) != value),
    )


def notices(conn: psycopg.Connection[Any], sent: list[ReadRecord]) -> Iterator[str]:
    """Yield the errors of the sent notices: each one must be sent at least once, and those of an alert in order."""
    rows = [row for row in conn.execute(OUTBOX).fetchall() if row[2] != "forward"]
    due = {notice_id: (subject, alert) for _, _, _, notice_id, subject, alert, _ in rows}
    changes = {(alert, n) for alert, n in conn.execute(CHANGES).fetchall()}
    of_alerts = sum(row[2] == "notice" for row in rows)
    if len(rows) != len(due) or of_alerts != len(changes):
        yield f"{len(changes)} changes of alerts to tell, and {of_alerts} of {len(rows)} notices with {len(due)} keys"
    events = [(record, record.event) for record in sent]
    sent_ids = {event["id"] for _, event in events}
    yield from _finding("notices that were not sent", due.keys() - sent_ids)
    yield from _finding("notices that were sent and are not in the outbox", sent_ids - due.keys())
    astray = (event["id"] for record, event in events if (record.key or b"").decode() != event["subject"])
    yield from _finding("notices with another key than the person", astray)
    expected = defaultdict(list)
    for _, _, _, notice_id, subject, alert, _ in rows:
        expected[alert or subject].append(notice_id)
    firsts: dict[str, list[str]] = defaultdict(list)
    for _, event in events:
        about = event["data"].get("alert_id") or event["subject"]
        if event["id"] not in firsts[about]:
            firsts[about].append(event["id"])
    unordered = (about for about in expected if expected[about] != firsts[about])
    yield from _finding("alerts and people with notices out of order", unordered)


def writes(conn: psycopg.Connection[Any]) -> list[Write]:
    """Return all writes, for each partition in the order of their commits."""
    return [Write(*row) for row in conn.execute(WRITES).fetchall()]


def stale_writes(writes_made: list[Write]) -> Iterator[str]:
    """Yield each write by a process that had lost its partition: an epoch has one writer, and no old epoch returns."""
    owners: dict[tuple[int, int], str] = {}
    before: dict[int, Write] = {}
    for write in writes_made:
        owner = owners.setdefault((write.partition, write.epoch), write.who)
        last = before.get(write.partition, write)
        if owner != write.who:
            yield f"{write.who} wrote in partition {write.partition} in epoch {write.epoch}, which belongs to {owner}"
        if write.epoch < last.epoch:
            yield f"{write.who} wrote in partition {write.partition} in epoch {write.epoch} after {last.epoch}"
        if write.position < last.position or write.seq < last.seq:
            yield f"{write.who} took partition {write.partition} back from {last.position} to {write.position}"
        before[write.partition] = write


def commands(
    conn: psycopg.Connection[Any], folder: Path, env: Mapping[str, str], unread: Mapping[str, int]
) -> Iterator[str]:
    """
    Yield the findings of the program itself: in the chain, by a rebuild, and by a backtest of the exported facts.

    The applied facts do not contain the *unread* records, so their number about each person is compared separately.
    """
    for words in ("audit verify --json", "rebuild --check --json"):
        done = casetrail(words.split(), folder, env)
        if done.returncode:
            yield f"casetrail {words} ended with {done.returncode}: {(done.stdout + done.stderr).decode()[-1500:]}"
    until = conn.execute(WATERMARK).fetchone()
    exported = casetrail(["audit", "export", "-o", "facts.ndjson"], folder, env)
    stop = str(until[0] if until else "")
    tested = casetrail(["backtest", "facts.ndjson", "--until", stop, "--json"], folder, env)
    live = [casetrail(words.split(), folder, env) for words in ("status --json", "alerts --all --json")]
    if failed := [done.stderr.decode() for done in (exported, tested, *live) if done.returncode]:
        yield f"the commands that compare failed: {failed}"
        return
    report = json.loads(tested.stdout)
    subjects, alerts = (json.loads(done.stdout) for done in live)
    for title, key, rows in (("status", "subject_id", subjects), ("alert", "alert_id", alerts)):
        # An alert across people has the records of all of them.
        wrong = (f"{row[key]}: {row['unread']} for {due}" for row in rows if row["unread"] !=
                 (due := sum(unread.get(one, 0) for one in row.get("subjects", [row["subject_id"]]))))  # fmt: skip
        yield from _finding(f"a {title} with another number of unread records", wrong)
    yield from _compared("status", "subject_id", subjects, report["subjects"])
    yield from _compared("alert", "alert_id", alerts, report["alerts"])


def _compared(title: str, key: str, live: list[Any], expected: list[Any]) -> Iterator[str]:
    live_rows, expected_rows = ({row[key]: _without_log_fields(row) for row in some} for some in (live, expected))
    yield from _finding(f"a {title} that the backtest does not have", live_rows.keys() - expected_rows.keys())
    yield from _finding(f"a {title} that only the backtest has", expected_rows.keys() - live_rows.keys())
    both = sorted(live_rows.keys() & expected_rows.keys())
    differ = (
        f"{name}: {_difference(live_rows[name], expected_rows[name])}"
        for name in both
        if live_rows[name] != expected_rows[name]
    )
    yield from _finding(f"a {title} that differs from the backtest", differ)


def _difference(live_row: Mapping[str, Any], expected_row: Mapping[str, Any]) -> str:
    names = [name for name in sorted({*live_row, *expected_row}) if live_row.get(name) != expected_row.get(name)]
    return ", ".join(f"{name} {live_row.get(name)} for {expected_row.get(name)}" for name in names)


def _without_log_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that follow from the facts alone, without those that depend on the log."""
    return {name: value for name, value in row.items() if name not in {"position", "unread"}}


def _finding(title: str, places: Iterable[Any]) -> Iterator[str]:
    """Yield one finding about the places in *places*, if there are any, with the first few of them."""
    shown = sorted(map(str, places))
    if shown:
        more = f", and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        yield f"{len(shown)} {title}: {'; '.join(shown[:SHOWN])}{more}"
