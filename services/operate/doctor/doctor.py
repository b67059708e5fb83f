"""The checks of `casetrail doctor`, from the settings to the clock. They change nothing."""

import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic_settings import DotEnvSettingsSource
from sqlalchemy import Connection, Engine, RowMapping, func, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from events.edtf import format_instant
from events.errors import BadInput, Infrastructure
from events.text import near_words
from projections.correlator.progress import correlator_progress
from projections.projector.rebuild import is_due
from projections.rules.files.loading import load, pack
from projections.tables.checkpoint import OUTCOMES
from projections.tables.database import database_clock, open_database
from projections.tables.origin import compare_ids, origin_of
from projections.tables.parked_rows import parked_counts
from projections.tables.schema import OF_LOG, partitions
from services.database import database_trouble, revisions
from services.delivery.config.secrets import PREFIX as SECRET_PREFIX
from services.log.base import Extent
from services.log.local import LocalLog
from services.log.open import topic_of, uses_kafka
from services.operate.lag import held_back_words
from services.settings import Settings, load_settings, variable, without_secrets

from .check import DATA, USAGE, Check
from .delivery import delivery_file_check, receiver_checks

SCARCE_BYTES, FULL_BYTES = 1_000_000_000, 50_000_000
CONNECT_SECONDS = 5
STALLED = timedelta(minutes=1)
_OTHERS = ("CASETRAIL_TEST_", SECRET_PREFIX)

# As the migrations name them.
_TRIGGERS = {
    "sqlite": {"ledger_no_update", "ledger_no_delete", "ledger_no_replace"},
    "postgresql": {"ledger_no_update_or_delete", "ledger_no_truncate"},
}
_ENABLED = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'ledger'::regclass AND tgenabled IN ('O', 'A')",
}


def examine() -> Iterator[Check]:
    """Yield each check when it is done. A check is left out if something that it needs is missing."""
    try:
        settings = load_settings()
    except BadInput as problem:
        yield Check("settings", "error", str(problem), "correct it; docs/operating.md lists them all", USAGE)
        return
    yield _settings(settings)
    version, rules = _rules(settings)
    yield rules
    yield delivery_file_check(settings)
    yield from _kafka(settings)
    try:
        yield from _database(settings, version)
    except Infrastructure as problem:
        yield Check("database", "error", str(problem), "set CASETRAIL_DATABASE_URL")
    except DBAPIError as problem:
        yield Check("database", "error", *database_trouble(problem))


def durability(conn: Connection) -> Check:
    """Check that a committed transaction survives a crash of the machine."""
    return _journal(conn) if conn.dialect.name == "sqlite" else _commits(conn)


def _settings(settings: Settings) -> Check:
    values = [f"{variable(name)}={_value(settings, name)}" for name in sorted(settings.model_fields_set)]
    found = ", ".join(values) or "none set, all defaults"
    names = {variable(name) for name in Settings.model_fields}
    unknown = sorted(_variables() - names)
    if unknown:
        near = near_words(unknown[0], names, most=1)
        advice = f"perhaps {near[0]}" if near else "remove it, or see docs/operating.md"
        return Check("settings", "warning", f"{', '.join(unknown)}: not a setting of casetrail; {found}", advice)
    protocol = settings.kafka_security_protocol
    login = [variable(name) for name in ("kafka_sasl_username", "kafka_sasl_password") if getattr(settings, name)]
    if login and not protocol.startswith("SASL"):
        unused = f"of no effect, since {variable('kafka_security_protocol')} is {protocol}: {', '.join(login)}; {found}"
        return Check("settings", "warning", unused, "SASL_SSL (or SASL_PLAINTEXT) logs in with them")
    return Check("settings", "ok", found)


def _value(settings: Settings, name: str) -> str:
    value = str(getattr(settings, name))
    return without_secrets(value) if name == "database_url" else value


def _variables() -> set[str]:
    """Return the names of all settings, of the environment and of ``.env``; secrets have names that users choose."""
    names = {name.upper() for name in (*os.environ, *DotEnvSettingsSource(Settings).env_vars)}
    return {name for name in names if name.startswith("CASETRAIL_") and not name.startswith(_OTHERS)}


def _rules(settings: Settings) -> tuple[str | None, Check]:
    """Return the version of the rules that would be put in force, and the check; the version is None after an error."""
    try:
        book = load(settings.rules) if settings.rules else pack()
    except BadInput as problem:
        return None, Check("rules", "error", str(problem), "correct them; `casetrail rules check FILE` says more", DATA)
    return book.version, Check("rules", "ok", f"{len(book.every)} rules, version {book.version}")


def _database(settings: Settings, rules_version: str | None) -> Iterator[Check]:
    engine = open_database(_with_timeout(settings.database_url))
    try:
        yield from _checks_of(settings, engine, rules_version)
    finally:
        engine.dispose()


def _checks_of(settings: Settings, engine: Engine, rules_version: str | None) -> Iterator[Check]:
    shown = without_secrets(settings.database_url)
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    if file and not Path(file).exists():
        yield Check("database", "error", f"there is no {file}", "run `casetrail init`, or set CASETRAIL_DATABASE_URL")
        return
    current, wanted = revisions(engine)
    yield Check("database", "ok", f"{shown} answers")
    if file:
        yield _file(Path(file))
    if current != wanted:
        found = f"at {current or 'nothing'}, this release wants {wanted}"
        yield Check("schema", "error", found, "run `casetrail init`; if that does not help, use a newer release")
        return
    if is_due(engine):
        found = f"at {current}, and the statuses were concluded by an earlier release"
        yield Check("schema", "error", found, "run `casetrail init`, which concludes them again")
    else:
        yield Check("schema", "ok", f"at {current}")
    with engine.connect() as conn:
        yield durability(conn)
        yield _append_only(conn)
        yield from _origin(conn, settings)
        yield from _progress(conn, _extents(settings, engine), rules_version)
        yield from _correlator(conn, settings)
        yield from receiver_checks(conn)
        yield _clock(conn, settings)


def _with_timeout(url: str) -> str:
    """Return *url* with a timeout for the connection to PostgreSQL, if it has none."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return url
    if parsed.get_backend_name() != "postgresql" or "connect_timeout" in parsed.query:
        return url
    return parsed.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)}).render_as_string(hide_password=False)


def _file(file: Path) -> Check:
    folder = file.absolute().parent
    if not os.access(file, os.W_OK) or not os.access(folder, os.W_OK):
        found = f"{file} or its folder may not be written"
        return Check("file", "error", found, "allow this user to write both: SQLite keeps two files beside it")
    free = shutil.disk_usage(folder).free
    found = f"writable, {free // 1_000_000} MB free on its disk"
    if free < FULL_BYTES:
        return Check("file", "error", found, "make room: soon no fact can be accepted or projected")
    return Check("file", "warning", found, "make room") if free < SCARCE_BYTES else Check("file", "ok", found)


def _journal(conn: Connection) -> Check:
    journal, synchronous = (conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous"))
    found = f"journal_mode {journal}, synchronous {synchronous}"
    if (journal, synchronous) == ("wal", 2):
        return Check("durability", "ok", found)
    advice = "put the file on a local disk: WAL needs shared memory"
    return Check("durability", "error", f"{found} (want wal, 2)", advice)


def _commits(conn: Connection) -> Check:
    settings = {name: conn.exec_driver_sql(f"SHOW {name}").scalar() for name in ("fsync", "synchronous_commit")}
    found = ", ".join(f"{name} {value}" for name, value in settings.items())
    if "off" in settings.values():
        advice = "turn them on: a crash of the server would lose committed transactions"
        return Check("durability", "warning", found, advice)
    return Check("durability", "ok", found)


def _append_only(conn: Connection) -> Check:
    dialect = conn.dialect.name
    missing = _TRIGGERS[dialect] - set(conn.scalars(text(_ENABLED[dialect])))
    if missing:
        found = f"the ledger can be changed: {', '.join(sorted(missing))} missing or disabled"
        advice = "find the cause, run `casetrail audit verify`, and create the triggers again"
        return Check("ledger", "error", found, advice, DATA)
    return Check("ledger", "ok", "the database refuses to change it")


def _kafka(settings: Settings) -> Iterator[Check]:
    if not uses_kafka(settings):
        return
    from . import kafka as checks  # noqa: PLC0415 - Kafka's client takes long to load, and not all need it

    answer = checks.broker(settings)
    yield answer
    if answer.state == "ok":
        yield from checks.topics(settings)


def _origin(conn: Connection, settings: Settings) -> Iterator[Check]:
    """Yield an error if the topic was deleted and made again since this database was projected from it."""
    origin = origin_of(conn, settings.kafka_topic)
    if not uses_kafka(settings) or origin is None:
        return
    from . import kafka as checks  # noqa: PLC0415 - as above

    try:
        compare_ids(settings.kafka_topic, origin.topic_id, checks.topic_id(settings))
    except Infrastructure as problem:
        yield Check("log", "error", str(problem), "name the topic that it was projected from, or another database")


def _extents(settings: Settings, engine: Engine) -> Mapping[int, Extent]:
    """Return the extent of each partition of the log; empty if the log does not answer."""
    if not uses_kafka(settings):
        log = LocalLog(engine)
        return {partition: Extent(0, log.end(partition)) for partition in log.partitions}
    from . import kafka as checks  # noqa: PLC0415 - as above

    return checks.extents(settings)


def _progress(conn: Connection, extents: Mapping[int, Extent], rules_version: str | None) -> Iterator[Check]:
    """Compare the log, the counts and the rules in force with the row of each partition."""
    rows = {row["partition"]: row for row in conn.execute(select(partitions).where(OF_LOG)).mappings()}
    if extents:
        yield _log(extents, rows)
    for row in rows.values():
        if row["read"] != sum(row[outcome] for outcome in OUTCOMES):
            found = f"of partition {row['partition']} do not add up to the records read"
            yield Check("counts", "error", found, "run `casetrail audit verify`", DATA)
    old = [row for row in rows.values() if row["read"] and row["rules_version"] != rules_version]
    if rules_version and old:
        since = format_instant(old[0]["rules_since"]) if old[0]["rules_since"] else "the first record"
        found = f"version {old[0]['rules_version']} is in force since {since}"
        yield Check("rules", "warning", found, f"version {rules_version} comes into force with the next projector")
    parked = sum(parked_counts(conn).values())
    if parked:
        yield Check("parked", "warning", f"{parked} records", "see `casetrail parked list`")


def _log(extents: Mapping[int, Extent], rows: Mapping[int, RowMapping]) -> Check:
    """Check that the log still has the records at the position of each partition, and that it is projected."""
    records = sum(extent.end - extent.first for extent in extents.values())
    if not rows:
        return Check("log", "ok", f"{records} records, nothing projected yet")
    if rows.keys() != extents.keys():
        found = f"has {len(extents)} partitions, yet {len(rows)} were read: subjects would map to other partitions"
        return Check("log", "error", found, "name the log that this database was projected from, or another database")
    positions = {number: row["position"] for number, row in rows.items()}
    for number, (start, end, *_) in extents.items():
        if not start <= positions[number] <= end:
            there = f"ends at {end}" if positions[number] > end else f"begins at {start}"
            found = f"partition {number} {there}, yet was read up to {positions[number]}: records are gone"
            return Check("log", "error", found, "restore the log from a backup; the ledger still holds them", DATA)
    behind = {number: extent.end - positions[number] for number, extent in extents.items()}
    found = f"{records} records, {sum(behind.values())} of them not projected yet"
    if any(behind[number] and _stalled(rows[number]["progressed"]) for number in rows):
        return Check("log", "warning", found, "run `casetrail project` or `casetrail run`")
    return Check("log", "ok", found)


def _correlator(conn: Connection, settings: Settings) -> Iterator[Check]:
    """Check that the horizon moves, and that the correlator follows it."""
    progress = correlator_progress(conn, topic_of(settings))
    if progress is None:
        return
    reached = progress.checkpoint.watermark
    until = f"judged up to {format_instant(reached)}" if reached else "nothing is judged yet"
    found = f"{until}, {progress.rows_behind} facts behind"
    if reason := held_back_words(progress):
        yield Check("correlator", "warning", f"{found}: {reason}", "start the projector of that partition")
    elif progress.marks.horizon != reached and _stalled(progress.checkpoint.progressed):
        yield Check("correlator", "warning", found, "run `casetrail project` or `casetrail run`")
    else:
        yield Check("correlator", "ok", found)


def _stalled(progressed: datetime | None) -> bool:
    return progressed is None or datetime.now(UTC) - progressed > STALLED


def _clock(conn: Connection, settings: Settings) -> Check:
    """Compare this machine's clock with the database's clock and with the watermarks."""
    here, there = datetime.now(UTC), database_clock(conn)
    margin = timedelta(seconds=settings.clock_margin_seconds)
    off = (here - there).total_seconds()
    if abs(here - there) > margin:
        return Check("clock", "error", f"{off:+.1f} s off the database's", "set the clocks: projectors stop until then")
    watermark = conn.scalar(select(func.max(partitions.c.watermark)).where(OF_LOG))
    if watermark is not None and watermark - here > margin:
        found = f"{format_instant(here)}, yet the log was read up to {format_instant(watermark)}"
        return Check("clock", "error", found, "set the clock, which is behind or was ahead")
    return Check("clock", "ok", "agrees with the database and the records")
