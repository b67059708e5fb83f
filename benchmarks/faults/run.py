"""One run: a broker, a cluster, the parts of the program under load, and a schedule of faults."""

import json
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from benchmarks.servers import conninfo
from projections.tables.schema import CORRELATOR

from . import across, truth, verify
from .feed import Feed
from .fleet import Fleet, Member, casetrail
from .proxy import Proxy
from .schedule import SESSION_SECONDS, Fault, draw
from .servers import Server, broker, postgres

PARTITIONS = 8
NOTIFIERS = 2
CORRELATORS = 2
FED = 0.95
"""The part of the time in which facts are published."""

TOPIC, ALERTS = "casetrail.events.v1", "casetrail.alerts.v1"
DRAIN_SECONDS = 300
PATIENCE_SECONDS = 60
"""The longest wait for a projector with partitions to freeze, and then for others to take these partitions."""

QUIET = """
    SELECT coalesce(bool_and(coalesce(watermark > latest, false)), false)
    FROM partitions, (SELECT max(recorded) AS latest FROM ledger WHERE partition >= 0) AS ends
"""
UNSENT = """
    SELECT coalesce(sum(notices - coalesce(sent, 0)), 0) FROM partitions
    LEFT JOIN relays ON relays.partition = partitions.partition
"""

Report = Callable[[str], None]


class RunResult(NamedTuple):
    """
    The result of a run.

    Attributes:
        seed: the seed of schedule and facts.
        schedule: the faults that happened, with their time and the process.
        findings: the differences from the expected result; empty if all is right.
        figures: the figures by name.
    """

    seed: int
    schedule: list[str]
    findings: list[str]
    figures: dict[str, Any]


class Frozen(NamedTuple):
    """A frozen process, the epochs of its partitions then, and the partitions that others took before it continued."""

    who: str
    held: dict[int, int]
    taken: set[int]


def run(seed: int, facts: int, seconds: float, report: Report) -> RunResult:
    """Do one run with about *seconds* of faults; starting, draining and comparing come on top."""
    with (
        tempfile.TemporaryDirectory(prefix="casetrail-faults-", ignore_cleanup_errors=True) as home,
        ExitStack() as stack,
    ):
        site = Site(Path(home), stack)
        report(f"seed {seed}: {facts} facts, {seconds:.0f} s")
        return FaultRun(site, seed, facts, seconds, report).execute()


class Site:
    """The surroundings of the program: settings, processes, and a database with notes of every writer."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Start the servers in *folder*, and register the end of every process with *stack*."""
        self.folder = folder
        self.broker = _started(broker(folder), signal.SIGKILL, stack)
        self.postgres = _started(postgres(folder), signal.SIGINT, stack)
        self.proxy = Proxy(self.postgres.port)
        stack.callback(self.proxy.close)
        self.env = {
            "CASETRAIL_LOG": "kafka",
            "CASETRAIL_KAFKA_BOOTSTRAP_SERVERS": self.broker.address,
            "CASETRAIL_KAFKA_PARTITIONS": str(PARTITIONS),
            "CASETRAIL_KAFKA_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            "CASETRAIL_STALL_SECONDS": "10",
            "CASETRAIL_LOG_FORMAT": "json",
            "CASETRAIL_DATABASE_URL": self.postgres.address,
            "CASETRAIL_RULES": str(across.write(folder)),
        }
        for words in ("init", "topics create"):
            done = casetrail(words.split(), folder, self.env)
            if done.returncode:
                raise RuntimeError(f"casetrail {words}: {done.stderr.decode()}")
        with self.database() as conn:
            conn.execute(verify.TRIGGER)
        through = self.postgres.address.replace(f":{self.postgres.port}/", f":{self.proxy.port}/")
        self.projectors = Fleet("projector", folder, self.env, through)
        self.notifiers = Fleet("notifier", folder, self.env, through)
        self.correlators = Fleet("correlator", folder, self.env, through)
        for fleet in self.fleets:
            stack.callback(fleet.abandon)

    @property
    def fleets(self) -> tuple[Fleet, ...]:
        """The processes of every part."""
        return self.projectors, self.notifiers, self.correlators

    def fleet_of(self, fault: Fault) -> Fleet:
        """Return the processes that a fault of one process is about."""
        fleets = {"projector": self.projectors, "notifier": self.notifiers, "correlator": self.correlators}
        return fleets[fault.kind.partition("_")[2]]

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """Open the database without the proxy."""
        with psycopg.connect(conninfo(self.postgres.address), autocommit=True) as conn:
            yield conn


class FaultRun:
    """One schedule while it runs."""

    def __init__(self, site: Site, seed: int, facts: int, seconds: float, report: Report) -> None:
        self.site = site
        self.seed = seed
        self.faults = draw(seed, seconds)
        self.feed = Feed(seed, facts, PARTITIONS, seconds * FED)
        self.frozen: list[Frozen] = []
        self.happened: list[str] = []
        self._report = report
        self._due: list[tuple[float, int, Callable[[], str]]] = []
        self._number = count()
        self._started = time.monotonic()
        # A server ends with the thread that started it. So one thread starts them all, and the schedule continues
        # meanwhile.
        self._starter = ThreadPoolExecutor(1)
        self._starting: dict[str, Future[None]] = {}

    def execute(self) -> RunResult:
        """Do the whole schedule, wait until all work is done, and compare."""
        site = self.site
        site.notifiers.scale(NOTIFIERS)
        site.projectors.scale(self.faults[0].times)
        site.correlators.scale(CORRELATORS)
        findings = [] if self._wait_for(self._assigned) else ["not every partition was assigned"]
        self._started = time.monotonic()
        self.feed.start(site.broker.address, TOPIC, site.folder, site.env)
        for fault in self.faults:
            self._later(fault.at, partial(self._apply, fault))
        while self._due:
            at, _, act = heappop(self._due)
            time.sleep(max(0.0, self._started + at - time.monotonic()))
            if done := act():
                self._note(done)
        for starting in self._starting.values():
            starting.result()
        findings += [] if self.feed.join(DRAIN_SECONDS) else ["not all facts could be published"]
        self._note("all is published")
        published = time.monotonic()
        findings += [] if self._wait_for(self._drained) else ["not all records were projected and sent in time"]
        drain_seconds = time.monotonic() - published
        self._note("all work is done")
        for fleet in site.fleets:
            fleet.end()
            findings += fleet.failed
        return self._compared([*findings, *self.feed.findings], drain_seconds)

    def _apply(self, fault: Fault) -> str:  # noqa: PLR0911 - one return for each kind
        site = self.site
        match fault.kind:
            case "scale":
                site.projectors.scale(fault.times)
                return f"{fault}"
            case "kill_projector" | "kill_notifier" | "kill_correlator":
                return f"{fault}: {site.fleet_of(fault).kill(fault.pick)}"
            case "freeze_projector" | "freeze_notifier" | "freeze_correlator":
                return self._freeze(fault, site.fleet_of(fault))
            case "restart_broker":
                return self._restart(fault, "broker", site.broker, signal.SIGKILL)
            case "restart_postgres":
                # As `pg_ctl stop -m immediate` does: all connections are dropped, and the next start has to recover.
                return self._restart(fault, "postgres", site.postgres, signal.SIGQUIT)
            case "freeze_broker":
                site.broker.send(signal.SIGSTOP)
                self._later(self._now() + fault.seconds, self._thaw)
                return f"{fault}"
            case "end_sessions":
                return self._end_sessions(fault)
            case "cut_commits":
                site.proxy.cut(fault.moments)  # type: ignore[arg-type] # drawn from those that there are
                return f"{fault}"
        raise AssertionError(fault)

    def _later(self, at: float, act: Callable[[], str]) -> None:
        heappush(self._due, (at, next(self._number), act))

    def _now(self) -> float:
        return time.monotonic() - self._started

    def _note(self, text: str) -> None:
        line = f"{self._now():6.1f} s  {text.strip()}"
        self.happened.append(line)
        self._report(line)

    def _freeze(self, fault: Fault, fleet: Fleet) -> str:
        epochs = self._epochs()
        busy = {writer for writer, _ in epochs.values()}
        idle = fleet is self.site.projectors and busy.isdisjoint(member_.name for member_ in fleet.awake)
        if idle and self._now() < fault.at + PATIENCE_SECONDS:
            self._later(self._now() + 0.5, lambda: self._freeze(fault, fleet))
            return ""
        member = fleet.freeze(fault.pick, busy)
        if member is None:
            return f"{fault}: all members are frozen"
        held = {partition: epoch for partition, (writer, epoch) in epochs.items() if writer == member.name}
        end = self._now() + fault.seconds
        self._later(end, lambda: self._resume(fleet, member, held, end + PATIENCE_SECONDS))
        return f"{fault}: {member.name}, which held {sorted(held)}"

    def _resume(self, fleet: Fleet, member: Member, held: dict[int, int], latest: float) -> str:
        epochs = self._epochs()
        taken = {partition for partition, epoch in held.items() if epochs.get(partition, ("", 0))[1] > epoch}
        if len(taken) < len(held) and self._now() < latest:
            self._later(self._now() + 0.5, lambda: self._resume(fleet, member, held, latest))
            return ""
        self.frozen.append(Frozen(member.name, held, taken))
        fleet.resume(member)
        return f"resumed: {member.name}; others had taken {sorted(taken)}"

    def _restart(self, fault: Fault, name: str, server: Server, number: signal.Signals) -> str:
        if name in self._starting and not self._starting[name].done():
            return f"{fault}: it is down already"
        server.end(number)

        def again() -> None:
            time.sleep(fault.seconds)
            server.start()

        self._starting[name] = self._starter.submit(again)
        self._later(self._now() + 0.5, lambda: self._started_again(name))
        return f"{fault}"

    def _started_again(self, name: str) -> str:
        if self._starting[name].done():
            return f"started again: {name}"
        self._later(self._now() + 0.5, lambda: self._started_again(name))
        return ""

    def _thaw(self) -> str:
        self.site.broker.send(signal.SIGCONT)
        return "thawed: broker"

    def _end_sessions(self, fault: Fault) -> str:
        """End the projectors' connections repeatedly, during any work; later, if the database is away."""
        ended = 0
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'projector-%'"
        try:
            with self.site.database() as conn:
                for _ in range(fault.times):
                    ended += len(conn.execute(query).fetchall())
                    time.sleep(fault.seconds)
        except psycopg.OperationalError:
            self._later(self._now() + 1, lambda: self._end_sessions(fault))
            return ""
        return f"{fault}: {ended} ended"

    def _epochs(self) -> dict[int, tuple[str, int]]:
        """Return the last writer of each partition and its epoch; empty if the database is away."""
        latest = "SELECT DISTINCT ON (partition) partition, who, epoch FROM faults.writes ORDER BY partition, n DESC"
        with suppress(psycopg.OperationalError), self.site.database() as conn:
            return {partition: (writer, epoch) for partition, writer, epoch in conn.execute(latest).fetchall()}
        return {}

    def _wait_for(self, true: Callable[[psycopg.Connection[Any]], bool]) -> bool:
        """Wait until *true* returns True for the database, and return whether it did."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline:
            self.site.projectors.check()
            with suppress(psycopg.OperationalError), self.site.database() as conn:
                if true(conn):
                    return True
            time.sleep(0.5)
        return False

    def _assigned(self, conn: psycopg.Connection[Any]) -> bool:
        epochs = [epoch for (epoch,) in conn.execute("SELECT epoch FROM partitions").fetchall()]
        return len(epochs) == PARTITIONS + 1 and all(epochs)

    def _drained(self, conn: psycopg.Connection[Any]) -> bool:
        """Return whether all is projected and sent, and time has passed since."""
        # The ends are read first. A record that is forwarded later moves them, and was unsent before.
        ends = truth.ends(self.site.broker.address, TOPIC)
        positions = dict(conn.execute("SELECT partition, position FROM partitions WHERE partition >= 0").fetchall())
        (unsent,), (quiet,) = (conn.execute(query).fetchall()[0] for query in (UNSENT, QUIET))
        return bool(positions == ends and unsent == 0 and quiet)

    def _compared(self, findings: list[str], drain_seconds: float) -> RunResult:
        site = self.site
        log = truth.read(site.broker.address, TOPIC)
        sent_notices = truth.read(site.broker.address, ALERTS)
        with site.database() as conn:
            writes = verify.writes(conn)
            findings += verify.records(conn, log, TOPIC, PARTITIONS)
            findings += verify.facts(conn, log, self.feed.ids, self.feed.acknowledged)
            findings += verify.notices(conn, sent_notices)
            findings += verify.stale_writes(writes)
            findings += verify.commands(conn, site.folder, site.env, truth.unread(log, PARTITIONS))
            outcomes = dict(conn.execute("SELECT outcome, count(*) FROM ledger GROUP BY 1").fetchall())
            counted = "SELECT count(*), count(*) FILTER (WHERE across) FROM alerts"
            alerts, across_alerts = conn.execute(counted).fetchall()[0]
        figures = {
            "records": len(log),
            **{name: outcomes.get(name, 0) for name in verify.OUTCOMES},
            "facts": len(self.feed.ids),
            "alerts": alerts,
            "alerts_across": across_alerts,
            "notices": len({record.event["id"] for record in sent_notices}),
            "notices_sent_again": len(sent_notices) - len({record.event["id"] for record in sent_notices}),
            "published": self.feed.published,
            "writes": len(writes),
            "epochs": sum({write.partition: write.epoch for write in writes}.values()),
            "cuts": dict(site.proxy.cuts),
            "frozen_projectors": len([frozen for frozen in self.frozen if frozen.who.startswith("projector")]),
            "partitions_taken_from_frozen": sum(len(frozen.taken - {CORRELATOR}) for frozen in self.frozen),
            "correlators_taken": len({write.epoch for write in writes if write.partition == CORRELATOR}),
            "logged": _logged(site.folder),
            "drain_seconds": round(drain_seconds, 1),
        }
        return RunResult(self.seed, self.happened, findings, figures)


def _started(server: Server, number: signal.Signals, stack: ExitStack) -> Server:
    stack.callback(server.end, number)
    server.start()
    return server


def _logged(folder: Path) -> dict[str, int]:
    """Return the number of each warning and error that the processes logged."""
    events: Counter[str] = Counter()
    for log in folder.glob("*.log"):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, TypeError, KeyError):
                entry = json.loads(line)
                if entry["level"] in {"warning", "error"}:
                    events[str(entry["event"])[:60]] += 1
    return dict(events.most_common(20))
