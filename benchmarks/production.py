"""
The production mode under load: facts through Kafka into PostgreSQL, against the same without any conclusions.

Starts a broker and a database server, and publishes facts with `casetrail publish`. The same records are then read to
the end three times, by processes of their own:

- by `benchmarks.raw`, which consumes, validates and stores them, and concludes nothing
- by `casetrail project` with ten rules
- by two `casetrail run projector` that share the partitions

With ``--peers`` a program of another kind reads them too (`benchmarks.quix`). The first figures are ratios between the
figures of one run.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import psycopg
from kafka import KafkaAdminClient
from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, print_figures, with_cohorts
from benchmarks.machine import machine
from benchmarks.process import (
    COMMAND,
    LABELS,
    ROOT,
    TENTHS,
    RunSamples,
    cpu_seconds,
    environment,
    figures,
    run,
    write_facts,
)
from benchmarks.servers import Servers, conninfo, servers, workplace

TOPIC = "casetrail.events.v1"
RULES = Path(__file__).parent / "ten-rules.yaml"
STORED = "SELECT coalesce(sum(position), 0)::bigint FROM raw_positions"
PROJECTED = "SELECT coalesce(sum(position), 0)::bigint FROM partitions"
COUNTS = "SELECT sum(read)::bigint, sum(applied)::bigint, sum(parked)::bigint, sum(forwarded)::bigint FROM partitions"
LATEST = "SELECT coalesce(sum(facts), 0)::bigint FROM latest"
POLL_SECONDS = 0.02
PEERS = ROOT / ".cache" / "peers" / "bin" / "python"
INSTALL = "python3 -m venv --upgrade-deps .cache/peers && .cache/peers/bin/pip install --group peers"
SERVERS = ("broker", "database")


class ProgramFigures(NamedTuple):
    """The figures of a program, and the processor seconds of the servers during it, by the names of `SERVERS`."""

    ran: RunSamples
    servers: dict[str, float]


def measure(folder: Path, subjects: int, seed: int, cohorts: int = 1, peers: Path | None = None) -> dict[str, Any]:
    """
    Publish and project facts about *subjects* people, and return the figures by name.

    Args:
        folder: an empty folder for the servers' data.
        subjects: the number of people.
        seed: the seed of the facts.
        cohorts: the number of archives, one after the other.
        peers: a Python with quixstreams; None leaves that program out.
    """
    versions = {"peers": _peer_version(peers)} if peers else {}
    facts = folder / "facts.ndjson"
    _report(f"writing facts about {subjects:,} people")
    lines = write_facts(facts, subjects, seed, cohorts)
    with servers(folder) as ready:
        settings = {
            "CASETRAIL_LOG": "kafka",
            "CASETRAIL_KAFKA_BOOTSTRAP_SERVERS": ready.bootstrap,
            "CASETRAIL_RULES": str(RULES),
            "CASETRAIL_DATABASE_URL": ready.new_database("ours"),
        }
        run([*COMMAND, "topics", "create"], folder, env=settings)
        _report(f"publishing {lines:,} records")
        published = run([*COMMAND, "publish", str(facts)], folder, env=settings)
        programs = {"raw": _raw(folder, ready, lines)}
        programs["project"], counts = _project(folder, ready, settings, lines)
        two = _two(folder, ready, settings, lines)
        if peers:
            programs["quixstreams"] = _quix(folder, ready, peers, lines)
        versions["servers"] = _version(ready)
    taken = {name: _figures(measured, lines) for name, measured in programs.items()}
    if peers:
        taken["quixstreams"] = _without_tenths(taken["quixstreams"])
    project = programs["project"].ran
    return {
        "subjects": subjects,
        "seed": seed,
        "lines": lines,
        **_ratios(taken),
        "two_to_raw": round(two / taken["raw"]["per_second"], 2),
        "two_to_one": round(two * (project.samples[-1].wall - _start(project)) / lines, 2),
        "two_per_second": round(two),
        "publish": {"per_second": round(lines / published.samples[-1].wall)},
        **taken,
        **counts,
        "machine": machine(folder) | versions,
        "command": f"python -m benchmarks.production --subjects {subjects} --seed {seed} --cohorts {cohorts}"
        + " --peers" * bool(peers),
    }


def _raw(folder: Path, ready: Servers, lines: int) -> ProgramFigures:
    address = conninfo(ready.new_database("raw"))
    words = [sys.executable, "-m", "benchmarks.raw", ready.bootstrap, TOPIC, address]
    with psycopg.connect(address, autocommit=True) as conn, _Cpu(ready) as cpu:
        ran = run(words, folder, _reporting("raw", lines, lambda: _stored(conn)))
    return ProgramFigures(ran, cpu.used)


def _stored(conn: psycopg.Connection) -> int:
    table = conn.execute("SELECT to_regclass('raw_positions')").fetchone()
    return _ask(conn, STORED) if table and table[0] else 0


def _project(
    folder: Path, ready: Servers, settings: Mapping[str, str], lines: int
) -> tuple[ProgramFigures, dict[str, int]]:
    run([*COMMAND, "init"], folder, env=settings)
    with psycopg.connect(conninfo(settings["CASETRAIL_DATABASE_URL"]), autocommit=True) as conn:
        with _Cpu(ready) as cpu:
            ask = _reporting("project", lines, lambda: _ask(conn, PROJECTED))
            ran = run([*COMMAND, "project"], folder, ask, settings)
        names = ("read", "applied", "parked", "forwarded")
        counts = dict(zip(names, conn.execute(COUNTS).fetchone() or (), strict=True))
        counts["alerts"] = _ask(conn, "SELECT count(*) FROM alerts")
    return ProgramFigures(ran, cpu.used), counts


def _two(folder: Path, ready: Servers, settings: Mapping[str, str], lines: int) -> float:
    """Return the records a second of two projectors, counted from the moment when both are at work."""
    url = ready.new_database("two")
    env = {**settings, "CASETRAIL_DATABASE_URL": url, "CASETRAIL_KAFKA_GROUP": "two"}
    run([*COMMAND, "init"], folder, env=env)
    with ExitStack() as stack, psycopg.connect(conninfo(url), autocommit=True) as conn:
        both = []
        for number in range(2):
            log = stack.enter_context((folder / f"two-{number}.log").open("wb"))
            process = subprocess.Popen(  # noqa: S603 - casetrail
                [*COMMAND, "run", "projector"], cwd=folder, env=environment(env), stdout=log, stderr=log
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            both.append(process)
        ask = _reporting("two projectors", lines, lambda: _ask(conn, PROJECTED))
        begun = _wait(ask, lines // 10, both)
        started = time.perf_counter()
        _wait(ask, lines, both)
        return (lines - begun) / (time.perf_counter() - started)


def _quix(folder: Path, ready: Servers, python: Path, lines: int) -> ProgramFigures:
    address, group = conninfo(ready.new_database("quix")), "quix"
    words = [str(python), "-m", "benchmarks.quix", ready.bootstrap, TOPIC, address, group, str(lines)]
    admin = KafkaAdminClient(bootstrap_servers=ready.bootstrap)
    try:
        with _Cpu(ready) as cpu:
            ran = run(words, folder, _reporting("quixstreams", lines, lambda: _committed(admin, group)))
    finally:
        admin.close()
    with psycopg.connect(address) as conn:
        _check("quixstreams", _ask(conn, LATEST), lines)
    return ProgramFigures(ran, cpu.used)


def _committed(admin: KafkaAdminClient, group: str) -> int:
    """Return the number of records of the topic that a consumer group has committed."""
    offsets = admin.list_group_offsets(group).get(group, {})
    return sum(max(0, at.offset) for partition, at in offsets.items() if partition.topic == TOPIC)


def _peer_version(python: Path) -> str:
    """Return the version of quixstreams in a Python; end the benchmark before its start if there is none."""
    words = [str(python), "-m", "benchmarks.quix", "--version"]
    try:
        process = subprocess.run(words, env=environment(), capture_output=True, text=True, check=True)  # noqa: S603 - a Python that the user named
    except OSError as problem:
        sys.exit(f"{python}: {problem.strerror}\nInstall the Python of the peers by: {INSTALL}")
    except subprocess.CalledProcessError as problem:
        message = problem.stderr.strip().rpartition("\n")[2]
        sys.exit(f"{python} cannot run benchmarks.quix: {message}\nInstall the Python of the peers by: {INSTALL}")
    return process.stdout.strip()


def _figures(measured: ProgramFigures, lines: int) -> dict[str, Any]:
    end = measured.ran.samples[-1]
    million = {"cpu_seconds_per_million": round(end.cpu * 1e6 / lines, 1)}
    return million | figures(measured.ran, lines) | {"servers_cpu_seconds": measured.servers}


def _without_tenths(taken: Mapping[str, Any]) -> dict[str, Any]:
    """Return *taken* without the figures by tenth, which a commit every five seconds is too coarse for."""
    return {name: value for name, value in taken.items() if not name.endswith(("_by_tenth", "_last_to_first"))}


def _ratios(taken: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the ratios of casetrail to each other program: in records a second, and in processor time."""
    project = taken["project"]
    others = {name: taken_by for name, taken_by in taken.items() if taken_by is not project}
    speeds = {f"ours_to_{name}": project["per_second"] / taken_by["per_second"] for name, taken_by in others.items()}
    costs = {
        f"cpu_ours_to_{name}": taken_by["per_cpu_second"] / project["per_cpu_second"]
        for name, taken_by in others.items()
    }
    return {name: round(ratio, 2) for name, ratio in (speeds | costs).items()}


def _check(name: str, done: int, lines: int) -> None:
    if done != lines:
        sys.exit(f"{name} read {done:,} of {lines:,} records: the figures are not valid")


def _reporting(name: str, lines: int, ask: Callable[[], int]) -> Callable[[], int]:
    """Return *ask* with a message for each tenth of the *lines* that it finds done."""
    started = time.perf_counter()
    shown = 0

    def ask_and_report() -> int:
        nonlocal shown
        done = ask()
        if done * TENTHS // lines > shown:
            shown = done * TENTHS // lines
            _report(f"{name}: {done:,} of {lines:,} records after {time.perf_counter() - started:.0f} s")
        return done

    return ask_and_report


def _report(message: str) -> None:
    """Print a message on stderr, because a million facts take minutes."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def _wait(ask: Callable[[], int], wanted: int, both: Sequence["subprocess.Popen[bytes]"]) -> int:
    while (done := ask()) < wanted:
        if any(process.poll() is not None for process in both):
            sys.exit("one of two projectors has ended: the figures are not valid")
        time.sleep(POLL_SECONDS)
    return done


def _start(ran: RunSamples) -> float:
    """Return the seconds before a process does any work: Python's imports, and joining the group."""
    return max(sample.wall for sample in ran.samples if not sample.done)


def _ask(conn: psycopg.Connection, query: str) -> int:
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0


def _version(ready: Servers) -> str:
    with psycopg.connect(conninfo(ready.database_url)) as conn:
        row = conn.execute("SHOW server_version").fetchone()
    return f"PostgreSQL {row[0] if row else '?'}, Kafka of scripts/kafka-pom.xml, both as installed"


class _Cpu:
    """The processor time of the servers during a block."""

    def __init__(self, ready: Servers) -> None:
        self._ready = ready
        self.used: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._before = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        self.used = {name: round(now - self._before[name], 1) for name, now in self._now().items()}

    def _now(self) -> dict[str, float]:
        server = self._ready.database_pid
        sessions = 0.0
        for pid in Path(f"/proc/{server}/task/{server}/children").read_text(encoding="utf-8").split():
            with suppress(FileNotFoundError, ProcessLookupError):
                sessions += cpu_seconds(int(pid))
        # The server's count includes the sessions that have ended, so it is read after the sessions.
        return {
            "broker": cpu_seconds(self._ready.broker_pid),
            "database": sessions + cpu_seconds(server, ended_children=True),
        }


def _show(console: Console, figures: dict[str, Any]) -> None:
    programs = {name: figures[name] for name in ("raw", "project", "quixstreams") if name in figures}
    console.print(figures["command"])
    for name in [name for name in programs if name != "project"]:
        console.print(
            f"casetrail to {name}: "
            f"records a second {figures[f'ours_to_{name}']}, processor time {figures[f'cpu_ours_to_{name}']}"
        )
    two = f"{figures['two_per_second']:,} records a second"
    console.print(f"two projectors ({two}): to raw {figures['two_to_raw']}, to one {figures['two_to_one']}")
    table = Table("", *programs)
    for figure, label in ({"cpu_seconds_per_million": "processor time of a million records, s"} | LABELS).items():
        table.add_row(label, *(f"{program[figure]:,}" if figure in program else "" for program in programs.values()))
    for server in SERVERS:
        label = f"seconds of processor time of the {server}"
        table.add_row(label, *(f"{program['servers_cpu_seconds'][server]:,}" for program in programs.values()))
    by_tenth = [program for program in programs.values() if "wall_us_by_tenth" in program]
    for tenth in range(TENTHS):
        costs = (
            f"{program['wall_us_by_tenth'][tenth]:.0f} / {program['cpu_us_by_tenth'][tenth]:.0f}"
            for program in by_tenth
        )
        table.add_row(f"µs a record, wall / processor, tenth {tenth + 1}", *costs)
    console.print(table)
    console.print(f"published: {figures['publish']['per_second']:,} a second")
    for count in ("lines", "applied", "parked", "forwarded", "alerts"):
        console.print(f"{count}: {figures[count]:,}")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    parser = with_cohorts(options("production", __doc__, subjects=100_000))
    parser.add_argument(
        "--peers",
        nargs="?",
        type=Path,
        const=PEERS,
        metavar="PYTHON",
        help=f"measure quixstreams too, by this Python (.cache/peers/bin/python), installed by: {INSTALL}",
    )
    arguments = parser.parse_args()
    with workplace() as folder:
        figures = measure(
            folder,
            arguments.subjects,
            arguments.seed,
            arguments.cohorts,
            arguments.peers and arguments.peers.absolute(),
        )
    print_figures(figures, _show, as_json=arguments.json)


if __name__ == "__main__":
    main()
