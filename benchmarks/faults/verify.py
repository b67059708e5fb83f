"""What is held against the truth, once all is quiet: ledger, statuses, alerts, notices, and who wrote what."""

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
COUNTS = "SELECT partition, read, applied, duplicate, conflict, parked, forwarded FROM partitions ORDER BY partition"
OUTBOX = "SELECT partition, n, kind, notice_id, subject_id, alert_id, notice FROM outbox ORDER BY partition, n"
CHANGES = "SELECT alert_id, n FROM alert_changes"
WATERMARK = "SELECT to_char(min(watermark) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM partitions"
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
"""Notes beside each write who made it and in which epoch; what is rolled back leaves no note."""

OUTCOMES = ("applied", "duplicate", "conflict", "parked", "forwarded")


class Write(NamedTuple):
    """A transaction that moved a partition on: by whom, in which epoch, and how far it was then."""

    n: int
    who: str
    partition: int
    epoch: int
    position: int
    seq: int


def records(conn: psycopg.Connection[Any], came: list[ReadRecord], topic: str, partitions: int) -> Iterator[str]:
    """Yield where the ledger is otherwise than the log: each record once, as it came, with the right outcome."""
    rows = conn.execute(LEDGER).fetchall()
    expected = outcomes(came, partitions)
    places = Counter((partition, offset) for _, partition, offset, *_ in rows)
    yield from _some("records that are in no row of the ledger", expected.keys() - places.keys())
    yield from _some("rows of the ledger without a record", places.keys() - expected.keys())
    yield from _some("records that are in the ledger twice", (place for place, count in places.items() if count > 1))
    yield from _some("rows of another topic", (row[1:3] for row in rows if row[0] != topic))
    wrong = (f"{p}/{o}: {out} for {expected[p, o]} ({why})" for _, p, o, out, _, _, _, why in rows
             if expected.get((p, o), out) != out)  # fmt: skip
    yield from _some("other outcomes", wrong)
    bytes_ = {(record.partition, record.offset): (record.key, record.value) for record in came}
    changed = ((p, o) for _, p, o, _, _, key, value, _ in rows if bytes_.get((p, o), (key, value)) != (key, value))
    yield from _some("records that were changed on the way", changed)
    found = {partition: Counter(row[3] for row in rows if row[1] == partition) for partition in range(partitions)}
    for partition, read, *counts in conn.execute(COUNTS).fetchall():
        stated = dict(zip(OUTCOMES, counts, strict=True))
        if read != sum(counts) or stated != {name: found[partition][name] for name in OUTCOMES}:
            yield f"partition {partition} counts {read} read: {stated}, and there are {dict(found[partition])}"


def facts(
    conn: psycopg.Connection[Any], came: list[ReadRecord], ids: set[str], acknowledged: Mapping[tuple[int, int], bytes]
) -> Iterator[str]:
    """Yield what was published and is lost, or was applied and never published, or more than once."""
    applied = Counter(row[4] for row in conn.execute(LEDGER).fetchall() if row[3] == "applied")
    yield from _some("facts that were published and are not applied", ids - applied.keys())
    yield from _some("facts that were applied and never published", applied.keys() - ids)
    yield from _some("facts that were applied twice", (id_ for id_, count in applied.items() if count > 1))
    lies = {(record.partition, record.offset): record.value or b"" for record in came}
    yield from _some(
        "records that were acknowledged and are not in the log",
        (place for place, value in acknowledged.items() if lies.get(place) != value),
    )


def notices(conn: psycopg.Connection[Any], told: list[ReadRecord]) -> Iterator[str]:
    """Yield what is wrong with the *told*: each notice of the outbox at least once, an alert's in their order."""
    rows = [row for row in conn.execute(OUTBOX).fetchall() if row[2] == "notice"]
    due = {notice_id: (subject, alert) for _, _, _, notice_id, subject, alert, _ in rows}
    changes = {(alert, n) for alert, n in conn.execute(CHANGES).fetchall()}
    if not len(rows) == len(due) == len(changes):
        yield f"{len(changes)} changes of alerts, and {len(rows)} notices with {len(due)} keys"
    came = [(record, record.event) for record in told]
    seen = {event["id"] for _, event in came}
    yield from _some("notices that were not sent", due.keys() - seen)
    yield from _some("notices that were sent and are not in the outbox", seen - due.keys())
    astray = (event["id"] for record, event in came if (record.key or b"").decode() != event["subject"])
    yield from _some("notices with another key than the person", astray)
    expected = defaultdict(list)
    for _, _, _, notice_id, _, alert, _ in rows:
        expected[alert].append(notice_id)
    firsts: dict[str, list[str]] = defaultdict(list)
    for _, event in came:
        if event["id"] not in firsts[event["data"]["alert_id"]]:
            firsts[event["data"]["alert_id"]].append(event["id"])
    yield from _some("alerts told out of order", (alert for alert in expected if expected[alert] != firsts[alert]))


def writes(conn: psycopg.Connection[Any]) -> list[Write]:
    """Return all writes, of each partition in the order in which they were committed."""
    return [Write(*row) for row in conn.execute(WRITES).fetchall()]


def fenced(made: list[Write]) -> Iterator[str]:
    """Yield who wrote although its partition was another's: an epoch has one writer, and none comes back."""
    owners: dict[tuple[int, int], str] = {}
    before: dict[int, Write] = {}
    for write in made:
        owner = owners.setdefault((write.partition, write.epoch), write.who)
        last = before.get(write.partition, write)
        if owner != write.who:
            yield f"{write.who} wrote in partition {write.partition} in epoch {write.epoch}, which is {owner}'s"
        if write.epoch < last.epoch:
            yield f"{write.who} wrote in partition {write.partition} in epoch {write.epoch} after {last.epoch}"
        if write.position < last.position or write.seq < last.seq:
            yield f"{write.who} took partition {write.partition} back from {last.position} to {write.position}"
        before[write.partition] = write


def commands(
    conn: psycopg.Connection[Any], folder: Path, env: Mapping[str, str], unread: Mapping[str, int]
) -> Iterator[str]:
    """
    Yield what the program itself finds: in the chain, by a rebuild, and by a backtest of the exported facts.

    The facts that were applied say nothing of the *unread* records, whose number about each person is held apart.
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
    for what, key, rows in (("status", "subject_id", subjects), ("alert", "alert_id", alerts)):
        wrong = (f"{row[key]}: {row['unread']} for {due}" for row in rows
                 if row["unread"] != (due := unread.get(row["subject_id"], 0)))  # fmt: skip
        yield from _some(f"a {what} with another number of unread records", wrong)
    yield from _compared("status", "subject_id", subjects, report["subjects"])
    yield from _compared("alert", "alert_id", alerts, report["alerts"])


def _compared(what: str, key: str, live: list[Any], expected: list[Any]) -> Iterator[str]:
    mine, theirs = ({each[key]: _of_facts(each) for each in some} for some in (live, expected))
    yield from _some(f"a {what} that the backtest does not have", mine.keys() - theirs.keys())
    yield from _some(f"a {what} that only the backtest has", theirs.keys() - mine.keys())
    both = sorted(mine.keys() & theirs.keys())
    differ = (f"{name}: {_difference(mine[name], theirs[name])}" for name in both if mine[name] != theirs[name])
    yield from _some(f"a {what} that is otherwise than in the backtest", differ)


def _difference(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    names = [name for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name)]
    return ", ".join(f"{name} {mine.get(name)} for {theirs.get(name)}" for name in names)


def _of_facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what follows from the facts alone, wherever they lie in the log."""
    return {name: value for name, value in row.items() if name not in {"position", "unread"}}


def _some(what: str, which: Iterable[Any]) -> Iterator[str]:
    """Yield one finding about *which*, if there are any, with the first few of them."""
    found = sorted(map(str, which))
    if found:
        more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        yield f"{len(found)} {what}: {'; '.join(found[:SHOWN])}{more}"
