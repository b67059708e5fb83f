"""How far behind the projectors are, by what the log says of its end: one that has died never looks caught up."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine

from events.edtf import format_instant
from projections.queries.rejected import parked_counts
from projections.tables.checkpoint import Checkpoint
from projections.tables.origin import check_partitions, progress_of
from services.log.base import Extent, LogOffsets


class Lag(NamedTuple):
    """
    How far behind one partition is.

    Attributes:
        progress: how far it has been projected.
        extent: how far it reaches.
        parked: how many records are parked that nobody has dismissed.
        now: when this was found.
    """

    progress: Checkpoint
    extent: Extent
    parked: int
    now: datetime

    @property
    def records(self) -> int:
        """How many records have not been read; the marks of transactions count among them."""
        return max(self.extent.end - self.progress.position, 0)

    @property
    def seconds(self) -> float | None:
        """How long the first record that was not read has been in the log; None where that is not known."""
        if not self.records:
            return 0.0
        since = self.extent.waiting_since
        return None if since is None else max((self.now - since).total_seconds(), 0.0)

    @property
    def seconds_since_progress(self) -> float | None:
        """How long ago a projector last wrote; None if none has."""
        at = self.progress.progressed
        return None if at is None else max((self.now - at).total_seconds(), 0.0)

    @property
    def stopped(self) -> str | None:
        """Why no projector goes on from this position, as far as that can be seen from outside; else None."""
        position, (first, end, _, stamped_by_log) = self.progress.position, self.extent
        if not first <= position <= end:
            return f"the position is {position}, and the log holds {first} to {end}: records are gone"
        if not stamped_by_log:
            return f"the record at {position} or after it bears its producer's time (want LogAppendTime)"
        return None


def lags(engine: Engine, asking: LogOffsets, now: datetime) -> list[Lag]:
    """
    Return how far behind each partition is; one that was never projected counts from its beginning.

    Args:
        engine: the database.
        asking: asks the log.
        now: this machine's clock, aware UTC.

    Raises:
        Infrastructure: if this database was projected from another log, or the topic is missing.
        Unreachable: if the log does not answer.
    """
    check_partitions(engine, asking.topic, asking.partitions(), asking.topic_id())
    progress = progress_of(engine, asking.topic)
    with engine.connect() as conn:
        parked = parked_counts(conn)
    return lags_from(asking, progress, parked, now)


def lags_from(
    asking: LogOffsets, progress: Iterable[Checkpoint], parked: Mapping[int, int], now: datetime
) -> list[Lag]:
    """
    Return how far behind each partition is, by what the database has said.

    Args:
        asking: asks the log, after the database: a projector that is quick must not seem to be past the end.
        progress: how far each has come; one that was never projected counts from its beginning.
        parked: how many records are parked of each.
        now: this machine's clock, aware UTC.

    Raises:
        Infrastructure: if the topic is missing.
        Unreachable: if the log does not answer.
    """
    known = {each.partition: each for each in progress}
    every = [known.get(partition, Checkpoint(asking.topic, partition)) for partition in range(asking.partitions())]
    extents = asking.extents({each.partition: each.position for each in every})
    return [Lag(each, extents[each.partition], parked.get(each.partition, 0), now) for each in every]


def lag_json(lag: Lag) -> dict[str, Any]:
    """Return the lag of a partition as programs read it."""
    watermark, progressed = lag.progress.watermark, lag.progress.progressed
    return {
        "partition": lag.progress.partition,
        "position": lag.progress.position,
        "end": lag.extent.end,
        "lag_records": lag.records,
        "lag_seconds": _rounded(lag.seconds),
        "watermark": format_instant(watermark) if watermark else None,
        "parked": lag.parked,
        "progressed": format_instant(progressed) if progressed else None,
        "seconds_since_progress": _rounded(lag.seconds_since_progress),
        "stopped": lag.stopped,
    }


def beyond(found: Sequence[Lag], seconds: float) -> list[Lag]:
    """Return the partitions that are more than *seconds* behind, by an unknown time, or stopped."""
    return [lag for lag in found if lag.stopped or lag.seconds is None or lag.seconds > seconds]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
