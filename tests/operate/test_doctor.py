"""`casetrail doctor` prints problems with advice; `casetrail schema` prints the schema of a type."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, text, update
from sqlalchemy.exc import DBAPIError, OperationalError

from events.decode import complete
from events.vocabulary import DATA
from projections.rules.files.loading import pack
from projections.tables.database import open_database, write_transaction
from projections.tables.schema import partitions
from services.database import failed_with, migrate
from services.log.local import LocalLog
from services.operate.doctor.check import Check
from services.operate.doctor.doctor import durability, examine
from services.settings import without_secrets
from tests.support.commands import fact_line, ready, run
from tests.support.draining import drain
from tests.support.strategies import NOW

TABLES = {"sqlite": "DROP TRIGGER ledger_no_update", "postgresql": "ALTER TABLE ledger DISABLE TRIGGER USER"}


def statement(sql: str) -> Callable[[Engine], None]:
    """Return a function that runs *sql* on a database."""

    def harm(engine: Engine) -> None:
        with write_transaction(engine) as conn:
            conn.execute(text(sql))

    return harm


def set_row(**columns: object) -> Callable[[Engine], None]:
    """Return a function that sets *columns* of the partition's row."""

    def harm(engine: Engine) -> None:
        with write_transaction(engine) as conn:
            conn.execute(update(partitions).values(**columns))

    return harm


def publish_one(engine: Engine) -> None:
    """Append one more fact to the log, without a projection."""
    fact, value = complete(fact_line(subject="kz-new").encode(), NOW)
    LocalLog(engine).append([(fact.subject, value)])


def park_one(engine: Engine) -> None:
    """Append a record that is not a fact, and project it."""
    LocalLog(engine).append([("kz-a", b"{")])
    project(engine)


def project(engine: Engine) -> None:
    """Project the log to its end, by the rules of the settings."""
    drain(engine, rules=pack())


def examined() -> dict[str, Check]:
    """Return the checks by name; of two with one name, the worse one."""
    worse = {"ok": 0, "warning": 1, "error": 2}
    return {check.name: check for check in sorted(examine(), key=lambda check: worse[check.state])}


@pytest.fixture
def engine(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Engine]:
    """Return the database of the settings, with one projected fact."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CASETRAIL_DATABASE_URL", database_url)
    engine = open_database(database_url)
    migrate(engine)
    publish_one(engine)
    project(engine)
    yield engine
    engine.dispose()


def test_without_a_problem_every_check_is_ok(engine: Engine) -> None:
    """This holds on both databases, and no check has advice."""
    checks = examined()

    assert engine.dialect.name in checks["settings"].found
    if engine.dialect.name == "postgresql":
        # The server of the tests works without fsync, for speed, and the doctor reports it.
        assert checks.pop("durability").found.startswith("fsync ")
    assert [] == [check for check in checks.values() if check.state != "ok" or check.advice]
    assert {"settings", "rules", "database", "schema", "ledger", "log", "clock"} <= set(checks)


@pytest.mark.parametrize(
    ("harm", "name", "state", "code", "found"),
    [
        (park_one, "parked", "warning", 3, "1 records"),
        (set_row(read=7), "counts", "error", 1, "do not add up"),
        (set_row(position=9), "log", "error", 1, "ends at 1, yet was read up to 9"),
        (set_row(rules_version="old"), "rules", "warning", 3, "version old is in force since"),
        (set_row(watermark=datetime.now(UTC) + timedelta(days=1)), "clock", "error", 3, "yet the log was read up to"),
        (set_row(position=0, progressed=NOW), "log", "warning", 3, "1 records, 1 of them not projected yet"),
        (statement("UPDATE alembic_version SET version_num = '0001'"), "schema", "error", 3, "at 0001, this release"),
    ],
)
def test_each_problem_is_detected(  # noqa: PLR0913, PLR0917 - a table of cases
    engine: Engine, harm: Callable[[Engine], None], name: str, state: str, code: int, found: str
) -> None:
    """Each kind of problem has its check, and each check has advice."""
    harm(engine)
    check = examined()[name]

    assert (state, code) == (check.state, check.code)
    assert found in check.found
    assert check.advice


def test_a_ledger_that_can_be_changed_is_an_error(engine: Engine) -> None:
    """A trigger that refuses changes is missing, which must never go unnoticed."""
    statement(TABLES[engine.dialect.name])(engine)
    check = examined()["ledger"]

    assert ("error", 1) == (check.state, check.code)
    assert "ledger_no_update" in check.found


def test_records_that_have_just_arrived_are_not_a_problem(engine: Engine) -> None:
    """A projector that wrote a moment ago will read them soon."""
    publish_one(engine)

    assert ("ok", "2 records, 1 of them not projected yet") == examined()["log"][1:3]


def test_rules_that_cannot_be_read_are_an_error(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The check names the place of the problem; the database is checked all the same."""
    (tmp_path / "rules.yaml").write_text("rules: 7\n")
    monkeypatch.setenv("CASETRAIL_RULES", "rules.yaml")
    checks = examined()

    assert engine is not None
    assert ("error", 1) == (checks["rules"].state, checks["rules"].code)
    assert checks["rules"].found.startswith("rules.yaml:1:")
    assert "ok" == checks["log"].state


@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_mistyped_variable_is_a_warning(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    """It would be ignored without notice; its value may be a secret and is not shown."""
    if place == "file":
        (tmp_path / ".env").write_text("CASETRAIL_BATCH_RECORD=geheim\n")
    else:
        monkeypatch.setenv("CASETRAIL_BATCH_RECORD", "geheim")
    check = examined()["settings"]

    assert engine is not None
    assert ("warning", "perhaps CASETRAIL_BATCH_RECORDS") == (check.state, check.advice)
    assert check.found.startswith("CASETRAIL_BATCH_RECORD: not a setting")
    assert "geheim" not in check.found


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///casetrail.db", "sqlite:///casetrail.db"),
        ("postgresql+psycopg://u:geheim@db/x?password=geheim", "postgresql+psycopg://u:***@db/x?password=..."),
        ("geheim", "***"),
        ("postgresql+psycopg://u:p@geheim@db/x", "***"),
        ("postgresql+psycopg://u:p@ss:geheim@db:5432/x", "***"),
        ("postgresql+psycopg://u:p@ss/geheim@db/x", "***"),
        ("postgresql+psycopg://u:p@ss?geheim=1@db/x", "***"),
        ("postgresql+psycopg://u@corp:geheim@db/x", "postgresql+psycopg://u%40corp:***@db/x"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    """Its place in the address does not matter."""
    assert shown == without_secrets(url)


@pytest.mark.parametrize("rest", ["p@geheim@db/x", "p@ss:geheim@db:5432/x", "geheim@db:5432x/x", "p@ss/geheim@db/x"])
@pytest.mark.parametrize("command", ["doctor", "init", "status", "run"])
def test_a_password_with_reserved_characters_is_not_shown(tmp_path: Path, command: str, rest: str) -> None:
    """Its end is unknown, so no part of the URL is shown, and no connection is tried; the error has the right form."""
    done = run(command, tmp_path, env={"CASETRAIL_DATABASE_URL": f"postgresql+psycopg://u:{rest}"})

    assert 2 == done.returncode
    assert "geheim" not in done.stdout + done.stderr
    assert (
        "CASETRAIL_DATABASE_URL: not the URL of a database (want USER:PASSWORD@HOST:PORT" in done.stdout + done.stderr
    )


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://u:geheim@db/x", '"mysql" is not a kind of database that casetrail knows'),
        ("postgres://u:geheim@db/x", '"postgres" is not a kind of database that casetrail knows'),
        ("postgresql+psycopg2://u:geheim@db/x", '"postgresql+psycopg2" is not a kind of database'),
        ("geheim.db", "not the URL of a database (want sqlite:///FILE or postgresql+psycopg://"),
        ("", "not the URL of a database"),
    ],
)
def test_an_unknown_kind_of_database_is_a_usage_error(tmp_path: Path, url: str, problem: str) -> None:
    """The error comes before a connection is tried."""
    done = run("status", tmp_path, env={"CASETRAIL_DATABASE_URL": url})

    assert 2 == done.returncode
    assert f"CASETRAIL_DATABASE_URL: {problem}" in done.stderr
    assert "geheim" not in done.stderr


def test_a_login_without_effect_is_a_warning(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner may think that it protects the connection."""
    monkeypatch.setenv("CASETRAIL_KAFKA_SASL_PASSWORD", "geheim")
    check = examined()["settings"]

    assert engine is not None
    assert "warning" == check.state
    assert check.found.startswith(
        "of no effect, since CASETRAIL_KAFKA_SECURITY_PROTOCOL is PLAINTEXT: CASETRAIL_KAFKA_SASL_P"
    )
    assert "geheim" not in check.found


def test_all_values_of_a_setting_are_listed(tmp_path: Path) -> None:
    """The first of them alone may be the least safe."""
    done = run("doctor", tmp_path, env={"CASETRAIL_KAFKA_SECURITY_PROTOCOL": "SASL_SSLX"})

    assert "(want 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL')" in done.stdout


def test_a_failure_of_a_database_is_logged_by_its_code(engine: Engine) -> None:
    """Its words may hold values of a row; without a connection, they hold the reason and no row."""
    statement = insert(partitions).values(topic="geheim", partition=0)
    with pytest.raises(DBAPIError) as failed, write_transaction(engine) as conn:
        conn.execute(statement)
    with pytest.raises(DBAPIError) as refused:
        open_database("postgresql+psycopg://u@127.0.0.1:1/x").connect()

    assert failed_with(failed.value) in {"IntegrityError: 23502", "IntegrityError: SQLITE_CONSTRAINT_NOTNULL"}
    assert "Connection refused" in failed_with(refused.value)
    assert "OperationalError" == failed_with(OperationalError("", {}, sqlite3.OperationalError("with text 'geheim'")))
    assert "KeyError" == failed_with(KeyError("geheim"))


def test_a_database_that_is_not_durable_is_reported(sqlite_url: str) -> None:
    """SQLite must write ahead and wait for the disk, as the connections of casetrail do."""
    engine = open_database(sqlite_url)
    with engine.connect() as conn:
        assert ("durability", "ok", "journal_mode wal, synchronous 2") == durability(conn)[:3]
        conn.exec_driver_sql("COMMIT")
        conn.exec_driver_sql("PRAGMA synchronous = OFF")

        assert "error" == durability(conn).state
    engine.dispose()


class TestCommand:
    """Tests of the command itself: its exit codes and its two output forms."""

    def test_without_a_problem_the_exit_code_is_zero(self, tmp_path: Path) -> None:
        """It prints a line for each check."""
        done = run("doctor", ready(tmp_path))

        assert (0, "") == (done.returncode, done.stderr)
        assert {"ok"} == {line.split()[0] for line in done.stdout.splitlines()}

    def test_a_missing_database_is_an_error_of_infrastructure(self, tmp_path: Path) -> None:
        """It is named with the next step, and it is not created."""
        done = run("doctor --json", tmp_path)
        last = json.loads(done.stdout)[-1]

        assert 3 == done.returncode
        assert ["name", "state", "found", "advice"] == list(last)
        assert ("database", "error") == (last["name"], last["state"])
        assert "casetrail init" in last["advice"]
        assert [] == list(tmp_path.iterdir())

    def test_a_server_that_does_not_answer_is_named_without_its_password(self, tmp_path: Path) -> None:
        """The message of the driver is printed in one line."""
        url = "postgresql+psycopg://u:geheim@127.0.0.1:1/x"
        done = run("doctor", tmp_path, env={"CASETRAIL_DATABASE_URL": url})

        assert 3 == done.returncode
        assert "error   database   does not answer: " in done.stdout
        assert "geheim" not in done.stdout + done.stderr

    def test_settings_that_do_not_fit_are_a_usage_error(self, tmp_path: Path) -> None:
        """The error names the variable."""
        done = run("doctor", tmp_path, env={"CASETRAIL_BATCH_RECORDS": "many"})

        assert 2 == done.returncode
        assert 'error   settings   CASETRAIL_BATCH_RECORDS: "many"' in done.stdout

    def test_bad_rules_are_findings(self, tmp_path: Path) -> None:
        """The exit code is 1: the rules are wrong, and not the infrastructure."""
        assert 1 == run("doctor", ready(tmp_path), env={"CASETRAIL_RULES": "nowhere"}).returncode

    def test_the_schema_of_a_type(self, tmp_path: Path) -> None:
        """It is one JSON document; stdout has no other text."""
        one, every = run("schema Detained", tmp_path), run("schema", tmp_path)

        assert (0, 0) == (one.returncode, every.returncode)
        assert "urn:casetrail:schema:Detained:1" == json.loads(one.stdout)["$id"]
        assert len(DATA) == len(json.loads(every.stdout)["oneOf"])

    def test_an_unknown_type_is_refused_with_similar_names(self, tmp_path: Path) -> None:
        """Upper and lower case do not matter to the comparison."""
        done = run("schema detaind", tmp_path)

        assert (2, "") == (done.returncode, done.stdout)
        assert '"detaind" is not a type (want perhaps Detained' in done.stderr
