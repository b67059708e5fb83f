"""What watches a process: /metrics for Prometheus, /livez and /readyz."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, make_server

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from events.errors import Infrastructure
from projections.queries.alerts import standing_counts
from projections.queries.rejected import parked_counts
from projections.tables.checkpoint import Checkpoint
from projections.tables.origin import progress_of
from projections.tables.outbox import Unsent, unsent
from projections.tables.schema import TOPIC
from services.database import revisions
from services.delivery.notifier import RELAY
from services.log.base import LogOffsets
from services.log.open import log_offsets
from services.runtime.heartbeat import Heartbeat
from services.runtime.probe import Probe, ProbeTimeout
from services.settings import Settings

from .lag import Lag, lags_from

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LIFE_SECONDS = 600.0
"""How long a part may go without a sign of life: a batch that takes longer has lost its partitions (MAX_POLL_MS)."""

DATABASE_SECONDS = 2.0
LOG_SECONDS = 3.0
KEEP_SECONDS = 1.0

# The outcomes whose counts only grow; a parked record that is read again counts as what it became.
LASTING = ("applied", "duplicate", "conflict", "forwarded")

log = structlog.get_logger()


class Survey(NamedTuple):
    """What the database says."""

    progress: list[Checkpoint]
    parked: Mapping[int, int]
    alerts: Mapping[tuple[str, str], int]
    unsent: list[Unsent]


class Watch:
    """
    What can be told of this process and of what it works on.

    Each question is asked in a thread of its own, so that nobody who watches has to wait for what is away.

    Args:
        settings: the settings.
        engine: the database.
        asking: asks the log for its end.
        hearts: of each part.
        life_seconds: how long a part may go without a sign of life.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        asking: LogOffsets,
        hearts: Mapping[str, Heartbeat],
        life_seconds: float = LIFE_SECONDS,
    ) -> None:
        self.hearts = hearts
        self._settings = settings
        self._engine = engine
        self._asking = asking
        self._life_seconds = life_seconds
        self.survey = Probe(self._survey, DATABASE_SECONDS, KEEP_SECONDS)
        self.lags = Probe(self._lags, LOG_SECONDS, KEEP_SECONDS)
        self.schema = Probe(lambda: revisions(engine), DATABASE_SECONDS, KEEP_SECONDS)

    def lifeless(self) -> list[str]:
        """Return which parts have shown no life for long, and for how long; empty: all is well."""
        ages = {part: heart.age_seconds for part, heart in self.hearts.items()}
        return [f"{part}: no sign of life for {age:.0f} s" for part, age in ages.items() if age > self._life_seconds]

    def unready(self) -> list[str]:
        """Return what is missing for work: database, schema or log; empty: nothing."""
        try:
            current, wanted = self.schema.answer()
            if current != wanted:
                return [f"schema: at {current or 'nothing'}, this release wants {wanted}"]
            self.survey.answer()
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is not ready
            return [f"database: {_said(problem)}"]
        try:
            self.lags.answer()
        except Exception as problem:  # noqa: BLE001 - the same
            return [f"log: {_said(problem)}"]
        return []

    def _survey(self) -> Survey:
        topic = TOPIC if self._settings.log == "local" else self._settings.kafka_topic
        progress = progress_of(self._engine, topic)
        with self._engine.connect() as conn:
            # With the local log nobody relays, so nothing waits.
            waiting = [] if self._settings.log == "local" else unsent(conn, RELAY)
            return Survey(progress, parked_counts(conn), standing_counts(conn), waiting)

    def _lags(self) -> list[Lag]:
        # The database has been asked just before. If it says nothing the log is asked all the same: each is up or away
        # by itself. Only no lag can be told then.
        survey = self.survey.latest()
        progress, parked = (survey.progress, survey.parked) if survey else ((), {})
        found = lags_from(self._asking, progress, parked, datetime.now(UTC))
        return found if survey else []


@contextmanager
def watched(settings: Settings, engine: Engine, hearts: Mapping[str, Heartbeat], port: int) -> Iterator[None]:
    """
    Serve /metrics, /livez and /readyz on *port* while the block runs; 0: on a free one, which is logged.

    Raises:
        OSError: if the address cannot be listened on.
    """
    with ExitStack() as stack:
        watch = Watch(settings, engine, stack.enter_context(log_offsets(settings, engine)), hearts)
        port = stack.enter_context(serving(watch, settings.metrics_address, port))
        log.info("metrics_served", address=settings.metrics_address, port=port)
        yield


@contextmanager
def serving(watch: Watch, address: str, port: int) -> Iterator[int]:
    """
    Serve what *watch* tells while the block runs, and give the port: *port*, or a free one if that is 0.

    Raises:
        Infrastructure: if it cannot be served there.
    """
    try:
        server = make_server(address, port, application(watch), ThreadingWSGIServer, _Quiet)
    except OSError as problem:
        msg = f"the metrics cannot be served on {address}:{port}: {problem.strerror} (want a port that is free, or 0: "
        raise Infrastructure(msg + "CASETRAIL_METRICS_PORT, CASETRAIL_METRICS_ADDRESS)") from problem
    thread = threading.Thread(target=server.serve_forever, name="casetrail-metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def application(watch: Watch) -> "WSGIApplication":
    """Return the three pages."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    registry.register(Metrics(watch))
    metrics = make_wsgi_app(registry)
    checks: Mapping[str, Callable[[], list[str]]] = {"/livez": watch.lifeless, "/readyz": watch.unready}

    def serve(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            page: Iterable[bytes] = metrics(environ, start)
            return page
        check = checks.get(path)
        if check is None:
            return _plain(start, HTTPStatus.NOT_FOUND, ["want /metrics, /livez or /readyz"])
        wrong = check()
        return _plain(start, HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK, wrong or ["ok"])

    return serve


class Metrics(Collector):
    """What Prometheus reads, as it is when it asks."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """Yield what is known; what the database or the log does not tell now is left out, not 0."""
        beat = _gauge("casetrail_heartbeat_age_seconds", "How long ago a part showed life.", "part")
        for part, heart in self._watch.hearts.items():
            beat.add_metric([part], heart.age_seconds)
        yield beat
        survey = _known(self._watch.survey)
        yield GaugeMetricFamily("casetrail_database_up", "Whether the database answers.", int(survey is not None))
        if survey is not None:
            yield from _of_progress(survey)
            yield from _of_notices(survey)
        found = _known(self._watch.lags)
        yield GaugeMetricFamily("casetrail_log_up", "Whether the log answers.", int(found is not None))
        if survey is not None and found:
            yield from _of_lags(found)


def _of_progress(survey: Survey) -> Iterator[Metric]:
    now = datetime.now(UTC)
    position = _gauge("casetrail_position", "Offset of the next record to read.", "partition")
    watermark = _gauge("casetrail_watermark_timestamp_seconds", "Up to when a partition was read.", "partition")
    since = _gauge("casetrail_seconds_since_progress", "How long ago a projector last wrote.", "partition")
    parked = _gauge("casetrail_parked", "Records parked that nobody has dismissed.", "partition")
    read = CounterMetricFamily("casetrail_read", "Records read.", labels=["partition"])
    records = CounterMetricFamily("casetrail_records", "What became of them.", labels=["partition", "outcome"])
    for each in survey.progress:
        partition = str(each.partition)
        position.add_metric([partition], each.position)
        parked.add_metric([partition], survey.parked.get(each.partition, 0))
        read.add_metric([partition], each.read)
        for outcome in LASTING:
            records.add_metric([partition, outcome], getattr(each, outcome))
        if each.watermark:
            watermark.add_metric([partition], each.watermark.timestamp())
        if each.progressed:
            since.add_metric([partition], max((now - each.progressed).total_seconds(), 0))
    yield from (position, watermark, since, parked, read, records)


def _of_notices(survey: Survey) -> Iterator[Metric]:
    alerts = GaugeMetricFamily("casetrail_alerts", "Alerts that stand.", labels=["state", "severity"])
    for (state, severity), count in survey.alerts.items():
        alerts.add_metric([state, severity], count)
    pending = _gauge("casetrail_outbox_pending", "Rows of the outbox that are not sent yet.", "partition")
    for each in survey.unsent:
        pending.add_metric([str(each.partition)], each.last - each.sent)
    yield from (alerts, pending)


def _of_lags(found: list[Lag]) -> Iterator[Metric]:
    end = _gauge("casetrail_end", "Offset after the last record of the log.", "partition")
    records = _gauge("casetrail_lag_records", "Records not read yet.", "partition")
    seconds = _gauge("casetrail_lag_seconds", "How long the first of them has been in the log.", "partition")
    stopped = _gauge("casetrail_stopped", "1 where no projector goes on from the position.", "partition")
    for lag in found:
        partition = str(lag.progress.partition)
        end.add_metric([partition], lag.extent.end)
        records.add_metric([partition], lag.records)
        stopped.add_metric([partition], int(lag.stopped is not None))
        if lag.seconds is not None:
            seconds.add_metric([partition], lag.seconds)
    yield from (end, records, seconds, stopped)


def _gauge(name: str, what: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, labels=[label])


def _known(asked: Probe[Any]) -> Any:  # noqa: ANN401 - the answer's own type, or None
    try:
        return asked.answer()
    except Exception as problem:  # noqa: BLE001 - what is away now is told as away
        log.debug("not_known", error=type(problem).__name__)
        return None


def _said(problem: Exception) -> str:
    """Say what is wrong in one line that names no password: what a driver says may hold addresses, and no more."""
    return (
        str(problem)
        if isinstance(problem, ProbeTimeout)
        else f"{type(problem).__name__}: {str(problem).splitlines()[0]}"
    )


def _plain(start: "StartResponse", status: HTTPStatus, lines: list[str]) -> list[bytes]:
    start(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
    return ["".join(f"{line}\n" for line in lines).encode()]


class _Quiet(WSGIRequestHandler):
    """Whoever asks every few seconds is no event."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        """Say nothing."""
