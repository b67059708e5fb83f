"""The pages /metrics for Prometheus, /livez and /readyz."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from events.errors import Infrastructure
from projections.correlator.progress import CorrelatorProgress
from projections.tables.delivery.operation import ReceiverCounts
from services.log.open import log_offsets
from services.runtime.heartbeat import Heartbeat
from services.runtime.probe import Probe
from services.settings import Settings

from .health import DatabaseState, Health
from .lag import Lag

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The outcomes with counts that only grow. A parked record that is replayed moves to another outcome.
LASTING = ("applied", "duplicate", "conflict", "forwarded")

logger = structlog.get_logger()


@contextmanager
def serve_metrics(settings: Settings, engine: Engine, hearts: Mapping[str, Heartbeat], port: int) -> Iterator[None]:
    """
    Serve /metrics, /livez and /readyz on *port* while the block runs. With 0 it is a free port, which is logged.

    Raises:
        Infrastructure: if the address cannot be listened on.
    """
    with ExitStack() as stack:
        health = Health(settings, engine, stack.enter_context(log_offsets(settings, engine)), hearts)
        port = stack.enter_context(serve_pages(health, settings.metrics_address, port))
        logger.info("metrics_served", address=settings.metrics_address, port=port)
        yield


@contextmanager
def serve_pages(health: Health, address: str, port: int) -> Iterator[int]:
    """
    Serve the pages of *health* while the block runs, and yield the port: *port*, or a free one if that is 0.

    Raises:
        Infrastructure: if the address cannot be listened on.
    """
    try:
        server = make_server(address, port, application(health), ThreadingWSGIServer, _QuietHandler)
    except OSError as problem:
        raise Infrastructure(
            f"the metrics cannot be served on {address}:{port}: {problem.strerror}",
            "set CASETRAIL_METRICS_PORT to a free port or to 0, or correct CASETRAIL_METRICS_ADDRESS",
        ) from problem
    thread = threading.Thread(target=server.serve_forever, name="casetrail-metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def application(health: Health) -> "WSGIApplication":
    """Return the WSGI application with the three pages."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    registry.register(Metrics(health))
    metrics = make_wsgi_app(registry)
    checks: Mapping[str, Callable[[], list[str]]] = {"/livez": health.lifeless, "/readyz": health.unready}

    def serve(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            page: Iterable[bytes] = metrics(environ, start)
            return page
        check = checks.get(path)
        if check is None:
            return _plain(start, HTTPStatus.NOT_FOUND, ["want /metrics, /livez or /readyz"])
        problems = check()
        return _plain(start, HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK, problems or ["ok"])

    return serve


class Metrics(Collector):
    """The metrics, read again for each scrape."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Yield the known values. Without an answer of the database or the log, its values are left out, and not 0."""
        beat = _gauge("casetrail_heartbeat_age_seconds", "Seconds since the last sign of life of a part.", "part")
        for part, heart in self._health.hearts.items():
            beat.add_metric([part], heart.age_seconds)
        yield beat
        state = _answer_of(self._health.database)
        yield GaugeMetricFamily("casetrail_database_up", "Whether the database answers.", int(state is not None))
        if state is not None:
            yield from _of_progress(state)
            yield from _of_notices(state)
            yield from _of_receivers(state.receivers)
            if state.correlator is not None:
                yield from _of_correlator(state.correlator)
        lags = _answer_of(self._health.lags)
        yield GaugeMetricFamily("casetrail_log_up", "Whether the log answers.", int(lags is not None))
        if state is not None and lags:
            yield from _of_lags(lags)


def _of_progress(state: DatabaseState) -> Iterator[Metric]:
    now = datetime.now(UTC)
    position = _gauge("casetrail_position", "Offset of the next record to read.", "partition")
    watermark = _gauge("casetrail_watermark_timestamp_seconds", "The watermark of a partition.", "partition")
    since = _gauge("casetrail_seconds_since_progress", "Seconds since a projector last wrote.", "partition")
    parked = _gauge("casetrail_parked", "Parked records that are not dismissed.", "partition")
    read = CounterMetricFamily("casetrail_read", "Records read.", labels=["partition"])
    records = CounterMetricFamily("casetrail_records", "Records read, by outcome.", labels=["partition", "outcome"])
    for checkpoint in state.progress:
        partition = str(checkpoint.partition)
        position.add_metric([partition], checkpoint.position)
        parked.add_metric([partition], state.parked.get(checkpoint.partition, 0))
        read.add_metric([partition], checkpoint.read)
        for outcome in LASTING:
            records.add_metric([partition, outcome], getattr(checkpoint, outcome))
        if checkpoint.watermark:
            watermark.add_metric([partition], checkpoint.watermark.timestamp())
        if checkpoint.progressed:
            since.add_metric([partition], max((now - checkpoint.progressed).total_seconds(), 0))
    yield from (position, watermark, since, parked, read, records)


def _of_notices(state: DatabaseState) -> Iterator[Metric]:
    alerts = GaugeMetricFamily("casetrail_alerts", "Alerts that stand.", labels=["state", "severity"])
    for (name, severity), count in state.alerts.items():
        alerts.add_metric([name, severity], count)
    pending = _gauge("casetrail_outbox_pending", "Rows of the outbox that are not sent yet.", "partition")
    for cursor in state.unsent:
        pending.add_metric([str(cursor.partition)], cursor.last - cursor.sent)
    yield from (alerts, pending)


def _of_receivers(receivers: Sequence[ReceiverCounts]) -> Iterator[Metric]:
    now = datetime.now(UTC)
    up = _gauge("casetrail_receiver_up", "1 if the last try for a receiver succeeded.", "receiver")
    queued = _gauge("casetrail_delivery_queued", "Messages that wait to be sent.", "receiver")
    held = _gauge("casetrail_delivery_held", "Messages that a silence or a wait holds.", "receiver")
    oldest = _gauge(
        "casetrail_delivery_oldest_undelivered_seconds", "Seconds since the oldest queued message.", "receiver"
    )
    given_up = CounterMetricFamily("casetrail_delivery_given_up", "Messages that were given up.", labels=["receiver"])
    for counts in receivers:
        name = [counts.receiver]
        up.add_metric(name, int(counts.state == "ok"))
        queued.add_metric(name, counts.queued)
        held.add_metric(name, counts.held)
        oldest.add_metric(name, (now - counts.oldest).total_seconds() if counts.oldest else 0)
        given_up.add_metric(name, counts.given_up)
    yield from (up, queued, held, oldest, given_up)


def _of_correlator(progress: CorrelatorProgress) -> Iterator[Metric]:
    reached, seconds = progress.checkpoint.watermark, progress.seconds
    if reached is not None:
        words = "The instant before which the correlator has judged everything."
        yield GaugeMetricFamily("casetrail_correlator_horizon_timestamp_seconds", words, reached.timestamp())
    if seconds is not None:
        words = "Seconds from there to the newest watermark."
        yield GaugeMetricFamily("casetrail_correlator_lag_seconds", words, seconds)
    words = "Applied facts that the correlator has not read yet."
    yield GaugeMetricFamily("casetrail_correlator_lag_records", words, progress.rows_behind)
    words = "1 if a partition that stands still holds back the horizon."
    yield GaugeMetricFamily("casetrail_horizon_held_back", words, int(progress.marks.is_held_back))


def _of_lags(lags: list[Lag]) -> Iterator[Metric]:
    end = _gauge("casetrail_end", "Offset after the last record of the log.", "partition")
    records = _gauge("casetrail_lag_records", "Records not read yet.", "partition")
    seconds = _gauge("casetrail_lag_seconds", "Seconds since the first of them came into the log.", "partition")
    stopped = _gauge("casetrail_stopped", "1 if no projector can go on from the position.", "partition")
    for lag in lags:
        partition = str(lag.progress.partition)
        end.add_metric([partition], lag.extent.end)
        records.add_metric([partition], lag.records)
        stopped.add_metric([partition], int(lag.stopped is not None))
        if lag.seconds is not None:
            seconds.add_metric([partition], lag.seconds)
    yield from (end, records, seconds, stopped)


def _gauge(name: str, description: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, description, labels=[label])


def _answer_of(probe: Probe[Any]) -> Any:  # noqa: ANN401 - the answer's own type, or None
    try:
        return probe.answer()
    except Exception as problem:  # noqa: BLE001 - a system that is away is shown as away
        logger.debug("not_known", error=type(problem).__name__)
        return None


def _plain(start: "StartResponse", status: HTTPStatus, lines: list[str]) -> list[bytes]:
    start(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
    return ["".join(f"{line}\n" for line in lines).encode()]


class _QuietHandler(WSGIRequestHandler):
    """A handler that logs no requests: one every few seconds is not an event."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        """Log nothing."""
