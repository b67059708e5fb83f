"""The dead man's switch: a URL that is pinged while everything is within limits, so that silence is an alarm."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, Engine

from projections.correlator.progress import correlator_progress, watermarks_of
from projections.tables.database import UNAVAILABLE
from projections.tables.delivery.operation import oldest_due
from projections.tables.delivery.tries import all_receivers
from services.database import failed_with

from .channels.addresses import RefusedAddress
from .channels.exchange import Exchange, NoAnswer, Request

EVERY_SECONDS: Final = 60.0
LIMIT: Final = timedelta(minutes=15)
"""The longest distance of a watermark to the present, and the longest trouble of a receiver."""

logger = structlog.get_logger()


class Watch:
    """
    Pings the URL of the heartbeat once a minute.

    Args:
        engine: the database.
        topic: the topic of facts.
        url: the URL. It can be a secret, so no line of the log has it.
        exchange: sends the request.
        clock: returns the present instant; aware UTC.
    """

    def __init__(self, engine: Engine, topic: str, url: str, exchange: Exchange, clock: Callable[[], datetime]) -> None:
        self.engine = engine
        self.topic = topic
        self.url = url
        self.exchange = exchange
        self.clock = clock

    def run(self, stop: threading.Event, poll_seconds: float, beat: Callable[[], None]) -> None:
        """Ping until *stop* is set."""
        del poll_seconds
        while not stop.is_set():
            beat()
            self.ping()
            stop.wait(EVERY_SECONDS)

    def ping(self) -> bool:
        """Ping once if everything is within limits; return whether the server accepted it."""
        try:
            with self.engine.connect() as conn:
                troubles = [*outside_limits(conn, self.topic, self.clock())]
        except UNAVAILABLE as problem:
            troubles = [f"the database is away: {failed_with(problem)}"]
        if troubles:
            logger.warning("heartbeat_withheld", reasons=troubles)
            return False
        try:
            status = self.exchange.send(Request("GET", self.url)).status
        except (NoAnswer, RefusedAddress) as problem:
            logger.warning("heartbeat_failed", error=str(problem))
            return False
        if not 200 <= status < 300:  # noqa: PLR2004 - the range of success
            logger.warning("heartbeat_failed", error=f"status {status}")
            return False
        return True


def outside_limits(conn: Connection, topic: str, now: datetime) -> Iterator[str]:
    """Yield what is not within limits, without names of people."""
    mark = watermarks_of(conn, topic).horizon
    if mark is None or mark < now - LIMIT:
        yield "projectors are behind"
    progress = correlator_progress(conn, topic)
    reached = progress.checkpoint.watermark if progress is not None else now
    if reached is None or reached < now - LIMIT:
        yield "the correlator is behind"
    for receiver in all_receivers(conn):
        if receiver.state != "ok" and receiver.since < now - LIMIT:
            yield f"receiver {receiver.receiver} is {receiver.state}"
    oldest = oldest_due(conn)
    if oldest is not None and oldest < now - LIMIT:
        yield "messages wait"
