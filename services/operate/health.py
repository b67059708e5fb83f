"""Health of a process and of the systems it works on: liveness and readiness, for any server."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Engine

from projections.correlator.progress import CorrelatorProgress, correlator_progress
from projections.queries.alerts import standing_counts
from projections.tables.checkpoint import Checkpoint
from projections.tables.delivery.operation import ReceiverCounts, receiver_counts
from projections.tables.origin import progress_of
from projections.tables.outbox import KAFKA_RECEIVER, Unsent, unsent
from projections.tables.parked_rows import parked_counts
from services.database import revisions
from services.log.base import LogOffsets
from services.log.open import topic_of, uses_kafka
from services.runtime.heartbeat import Heartbeat
from services.runtime.probe import Probe, ProbeTimeout
from services.settings import Settings

from .lag import Lag, lags_from

LIFE_SECONDS = 600.0
"""The longest time without a heartbeat of a part. A longer batch has lost its partitions anyway (MAX_POLL_MS)."""

DATABASE_SECONDS = 2.0
LOG_SECONDS = 3.0
KEEP_SECONDS = 1.0


class DatabaseState(NamedTuple):
    """
    The state of all work, as the database has it.

    Attributes:
        progress: the checkpoint of each partition.
        parked: the number of parked records, by partition; those that a person dismissed are not counted.
        alerts: the number of standing alerts, by state and severity.
        unsent: the cursor of the Kafka receiver for each partition; empty with the local log.
        correlator: the progress of the correlator; None if there never were rules across people.
        receivers: the receivers with the numbers of their messages.
    """

    progress: list[Checkpoint]
    parked: Mapping[int, int]
    alerts: Mapping[tuple[str, str], int]
    unsent: list[Unsent]
    correlator: CorrelatorProgress | None = None
    receivers: Sequence[ReceiverCounts] = ()


class Health:
    """
    The health of this process, its database and its log.

    The database and the log are asked in threads of their own, so that no reader waits long for one that is away.

    Args:
        settings: the settings.
        engine: the database.
        offsets: asks the log for its end.
        hearts: the heartbeat of each part.
        life_seconds: the longest time without a heartbeat.

    Attributes:
        hearts: the same.
        database: the state of the work.
        lags: the lag of each partition; empty while the database has not answered.
        schema: the schema revision of the database, and the one that this release needs.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        offsets: LogOffsets,
        hearts: Mapping[str, Heartbeat],
        life_seconds: float = LIFE_SECONDS,
    ) -> None:
        self.hearts = hearts
        self._settings = settings
        self._engine = engine
        self._offsets = offsets
        self._life_seconds = life_seconds
        self.database = Probe(self._read_database, DATABASE_SECONDS, KEEP_SECONDS)
        self.lags = Probe(self._read_lags, LOG_SECONDS, KEEP_SECONDS)
        self.schema = Probe(lambda: revisions(engine), DATABASE_SECONDS, KEEP_SECONDS)

    def lifeless(self) -> list[str]:
        """Return a line for each part without a heartbeat for too long; empty if all are alive."""
        ages = {part: heart.age_seconds for part, heart in self.hearts.items()}
        return [f"{part}: no sign of life for {age:.0f} s" for part, age in ages.items() if age > self._life_seconds]

    def unready(self) -> list[str]:
        """Return a line for the first that is not ready: schema, database or log; empty if all are ready."""
        try:
            current, wanted = self.schema.answer()
            if current != wanted:
                return [f"schema: at {current or 'nothing'}, this release wants {wanted}"]
            self.database.answer()
        except Exception as problem:  # noqa: BLE001 - any problem means that it is not ready
            return [f"database: {_in_one_line(problem)}"]
        try:
            self.lags.answer()
        except Exception as problem:  # noqa: BLE001 - the same
            return [f"log: {_in_one_line(problem)}"]
        return []

    def _read_database(self) -> DatabaseState:
        progress = progress_of(self._engine, topic_of(self._settings))
        with self._engine.connect() as conn:
            # With the local log no notifier runs, so no row waits for one.
            waiting = unsent(conn, KAFKA_RECEIVER) if uses_kafka(self._settings) else []
            across = correlator_progress(conn, topic_of(self._settings))
            counts = receiver_counts(conn)
            return DatabaseState(progress, parked_counts(conn), standing_counts(conn), waiting, across, counts)

    def _read_lags(self) -> list[Lag]:
        # The database has been asked just before. If it did not answer, the log is asked all the same: each is up or
        # away by itself. Only the lags are unknown then.
        state = self.database.latest()
        progress, parked = (state.progress, state.parked) if state else ((), {})
        lags = lags_from(self._offsets, progress, parked, datetime.now(UTC))
        return lags if state else []


def _in_one_line(problem: Exception) -> str:
    """Return the reason in one line without a password: the first line of a driver may hold addresses, and no more."""
    if isinstance(problem, ProbeTimeout):
        return str(problem)
    return f"{type(problem).__name__}: {str(problem).splitlines()[0]}"
