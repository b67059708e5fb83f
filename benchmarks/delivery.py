"""
Delivery of notices, on SQLite, with the notifier's own workers.

In turns in one run: the way of a notice to a webhook beside a healthy receiver and beside a dead one; the memory for
many waiting notices and for ten times as many; and the notices planned and sent a second.
"""

import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from socket import create_server
from statistics import median
from threading import Event, Thread
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from rich.console import Console
from sqlalchemy import Engine, insert, update

from benchmarks.figures import options, print_figures
from benchmarks.machine import machine
from projections.tables.columns import METADATA
from projections.tables.database import open_database, write_transaction
from projections.tables.schema import outbox, partitions
from services.delivery.channels.webhook import WebhookChannel
from services.delivery.composing import Composer
from services.delivery.config.model import DeliveryConfig, Receiver, Route, Webhook
from services.delivery.operational import Weeks
from services.delivery.planning import Planner
from services.delivery.receiver_worker import ReceiverWorker
from services.delivery.sending import Sender

TURNS: Final = 3
TIMED: Final = 20
SENT: Final = 300
ROWS: Final = 1000
POLL_SECONDS: Final = 0.05
"""Far less than in a service, so that the wait between two looks does not hide the work."""
LOOPBACK: Final = (ip_network("127.0.0.0/8"),)
SECRET: Final = "c2VjcmV0IG9mIGEgYmVuY2htYXJr"  # noqa: S105 - of this benchmark alone


class _Inbox(ThreadingHTTPServer):
    """A webhook that accepts everything, and notes when each notice arrived."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Accept)
        self.arrived: dict[str, float] = {}


class _Accept(BaseHTTPRequestHandler):
    server: _Inbox

    def do_POST(self) -> None:
        """Note the notice, and accept it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.arrived[self.headers["webhook-id"]] = time.perf_counter()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def measure(notices: int) -> dict[str, Any]:
    """Return the figures of delivery, with *notices* waiting notices as the larger number."""
    sizes = {"small": max(notices // 10, 1), "large": notices}
    beside: dict[str, list[float]] = {"healthy": [], "dead": []}
    memory: dict[str, list[float]] = {name: [] for name in sizes}
    rates: dict[str, list[float]] = {"planned": [], "sent": []}
    for turn in range(TURNS):
        for name in beside:
            beside[name] += _arrivals(is_dead=name == "dead")
        planned, sent = _rates()
        rates["planned"].append(planned)
        rates["sent"].append(sent)
        if turn == 0:  # the peak is the same each time, and its measurement is slow
            for name, size in sizes.items():
                memory[name].append(_peak_mib(size))
    return {
        "arrival_ms": {name: round(median(taken) * 1000, 1) for name, taken in beside.items()},
        "dead_to_healthy": round(median(beside["dead"]) / median(beside["healthy"]), 2),
        "waiting": sizes,
        "peak_mib": {name: round(max(peaks), 2) for name, peaks in memory.items()},
        "large_to_small": round(max(memory["large"]) / max(memory["small"]), 2),
        "planned_per_second": round(median(rates["planned"])),
        "sent_per_second": round(median(rates["sent"])),
        "machine": machine(Path.cwd()),
        "command": f"python -m benchmarks.delivery --subjects {notices}",
    }


def _arrivals(*, is_dead: bool) -> Iterator[float]:
    """Yield the seconds from the commit of each notice to its arrival, with another receiver beside."""
    with ExitStack() as stack:
        engine, inbox = stack.enter_context(_database()), stack.enter_context(_inbox())
        # Its backlog accepts connections, and nobody ever reads from them.
        dead = stack.enter_context(closing(create_server(("127.0.0.1", 0))))
        other = dead.getsockname()[1] if is_dead else stack.enter_context(_inbox()).server_port
        stack.enter_context(_running(_worker(engine, "desk", inbox.server_port), _worker(engine, "other", other)))
        for n in range(1, TIMED + 1):
            _write(engine, n, n)
            started = time.perf_counter()
            while _id(n) not in inbox.arrived:
                time.sleep(0.001)
            yield inbox.arrived[_id(n)] - started


def _rates() -> tuple[float, float]:
    """Return the notices that were planned a second, and those that were sent."""
    with _database() as engine, _inbox() as inbox:
        worker = _worker(engine, "desk", inbox.server_port)
        worker.turn(lambda: True)
        _write(engine, 1, ROWS)
        own = worker.holding.take()
        assert own is not None, "nobody else serves it"
        planning = _seconds(lambda: worker.planner.plan(own, datetime.now(UTC)))
        sending = _seconds(lambda: worker.turn(lambda: True) and len(inbox.arrived) < SENT)
        return ROWS / planning, len(inbox.arrived) / sending


def _peak_mib(size: int) -> float:
    """Return the peak memory of a worker that plans *size* notices and tries them, and its receiver is unreachable."""
    with _database() as engine:
        with closing(create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        worker = _worker(engine, "desk", port, is_bursting=True)
        worker.turn(lambda: True)
        for first in range(1, size + 1, ROWS):
            _write(engine, first, min(first + ROWS - 1, size))
        tracemalloc.start()
        while worker.turn(lambda: True):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        worker.close()
        return float(peak) / 2**20


def _seconds(step: Callable[[], object]) -> float:
    """Return the seconds of *step*, repeated as long as it returns true."""
    started = time.perf_counter()
    while step():
        pass
    return time.perf_counter() - started


@contextmanager
def _database() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="casetrail-") as folder:
        engine = open_database(f"sqlite:///{folder}/casetrail.db")
        METADATA.create_all(engine)
        counts = ("position", "epoch", "seq", "notices", "read", "applied", "duplicate", "conflict", "parked")
        values = dict.fromkeys((*counts, "forwarded"), 0)
        with write_transaction(engine) as conn:
            conn.execute(insert(partitions).values(topic="facts", partition=0, hash="", **values))
        yield engine
        engine.dispose()


@contextmanager
def _inbox() -> Iterator[_Inbox]:
    with _Inbox() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def _running(*workers: ReceiverWorker) -> Iterator[None]:
    """Run *workers* during the block, once each has begun at the end of the outbox."""
    for worker in workers:
        worker.turn(lambda: True)
    stop = Event()
    threads = [Thread(target=worker.run, args=(stop, POLL_SECONDS, lambda: None)) for worker in workers]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


def _worker(engine: Engine, name: str, port: int, *, is_bursting: bool = False) -> ReceiverWorker:
    receiver = Receiver(name, Webhook(f"http://127.0.0.1:{port}/", "SECRET"), allow=LOOPBACK)
    config = DeliveryConfig({name: receiver}, (Route(1, (name,)),))
    channel = WebhookChannel(Webhook(f"http://127.0.0.1:{port}/", "SECRET"), [SECRET], LOOPBACK)
    sender = Sender(engine, channel, Composer(receiver), lambda: datetime.now(UTC), is_bursting=is_bursting)
    return ReceiverWorker(
        engine, "benchmark", Planner(engine, config, receiver), sender, Weeks(ZoneInfo("UTC"), "facts")
    )


def _write(engine: Engine, first: int, last: int) -> None:
    """Write the notices *first* to *last* into the outbox, each of an alert about another person."""
    with write_transaction(engine) as conn:
        conn.execute(insert(outbox), [_row(n) for n in range(first, last + 1)])
        conn.execute(update(partitions).values(notices=last))


def _id(number: int) -> str:
    return f"notice-{number}"


def _row(number: int) -> dict[str, Any]:
    alert, subject = f"alert-{number}", f"person-{number}"
    change = {"state": "open", "at": "2026-01-05T12:00:00Z", "cause": "deadline", "fact_id": None}
    names = {"alert_id": alert, "rule": "rule", "rule_version": "1", "severity": "warning", "state": "open"}
    about = {"subject_id": subject, "subjects": [subject], "group_by": None, "group": None, "in_doubt": False}
    rest = {"anchor": "fact", "evidence": [], "unread": 0, "explanation": "A finding.", "life": [change]}
    notice = {**names, **about, **rest, "trial": False, "notice_id": _id(number)}
    place = {"partition": 0, "n": number, "kind": "notice", "notice_id": _id(number)}
    return {**place, "subject_id": subject, "alert_id": alert, "notice": notice}


def _show(console: Console, figures: dict[str, Any]) -> None:
    console.print(figures["command"])
    for name, taken in figures["arrival_ms"].items():
        console.print(f"beside a {name} receiver: {taken} ms from the commit of a notice to its arrival")
    console.print(f"dead to healthy: {figures['dead_to_healthy']}")
    for name, size in figures["waiting"].items():
        console.print(f"{size:,} waiting notices: {figures['peak_mib'][name]} MiB")
    console.print(f"large to small: {figures['large_to_small']}")
    console.print(f"a second: {figures['planned_per_second']:,} planned, {figures['sent_per_second']:,} sent")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    arguments = options("delivery", __doc__, subjects=100_000).parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    print_figures(measure(arguments.subjects), _show, as_json=arguments.json)


if __name__ == "__main__":
    main()
