"""The lag of each partition, by the end that the log reports: a dead projector never looks caught up."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine
from typing_extensions import TypedDict

from events.edtf import format_instant
from projections.correlator.progress import CorrelatorProgress, correlator_progress
from projections.tables.checkpoint import Checkpoint
from projections.tables.origin import check_partitions, progress_of
from projections.tables.parked_rows import parked_counts
from services.log.base import Extent, LogOffsets


class Lag(NamedTuple):
    """
    The lag of one partition.

    Attributes:
        progress: the checkpoint of the partition.
        extent: the extent of the partition in the log.
        parked: the number of parked records that are not dismissed.
        now: the clock when the lag was read, aware UTC.
    """

    progress: Checkpoint
    extent: Extent
    parked: int
    now: datetime

    @property
    def records(self) -> int:
        """The number of records that have not been read; marks of transactions are counted too."""
        return max(self.extent.end - self.progress.position, 0)

    @property
    def seconds(self) -> float | None:
        """The time that the first unread record has been in the log; None if unknown."""
        if not self.records:
            return 0.0
        since = self.extent.waiting_since
        return None if since is None else max((self.now - since).total_seconds(), 0.0)

    @property
    def seconds_since_progress(self) -> float | None:
        """The time since a projector last wrote; None if none has."""
        at = self.progress.progressed
        return None if at is None else max((self.now - at).total_seconds(), 0.0)

    @property
    def stopped(self) -> str | None:
        """The reason why no projector can go on from this position, as far as it shows from outside; else None."""
        position, (first, end, _, stamped_by_log) = self.progress.position, self.extent
        if not first <= position <= end:
            return f"the position is {position}, and the log holds {first} to {end}: records are gone"
        if not stamped_by_log:
            return f"the record at {position} or after it was stamped by its producer (set LogAppendTime)"
        return None


def lags(engine: Engine, offsets: LogOffsets, now: datetime) -> list[Lag]:
    """
    Return the lag of each partition. A partition that was never projected counts from its beginning.

    Args:
        engine: the database.
        offsets: asks the log for its extent.
        now: this machine's clock, aware UTC.

    Raises:
        Infrastructure: if this database was projected from another log, or the topic is missing.
        Unreachable: if the log does not answer.
    """
    check_partitions(engine, offsets.topic, offsets.partitions(), offsets.topic_id())
    progress = progress_of(engine, offsets.topic)
    with engine.connect() as conn:
        parked = parked_counts(conn)
    return lags_from(offsets, progress, parked, now)


def lags_from(
    offsets: LogOffsets, progress: Iterable[Checkpoint], parked: Mapping[int, int], now: datetime
) -> list[Lag]:
    """
    Return the lag of each partition, from checkpoints that were read before.

    Args:
        offsets: asks the log for its extent, after the database: else a fast projector could seem to be past the end.
        progress: the checkpoints; a partition without one counts from its beginning.
        parked: the number of parked records, by partition.
        now: this machine's clock, aware UTC.

    Raises:
        Infrastructure: if the topic is missing.
        Unreachable: if the log does not answer.
    """
    written = {checkpoint.partition: checkpoint for checkpoint in progress}
    numbers = range(offsets.partitions())
    checkpoints = [written.get(number, Checkpoint(offsets.topic, number)) for number in numbers]
    extents = offsets.extents({checkpoint.partition: checkpoint.position for checkpoint in checkpoints})
    return [
        Lag(checkpoint, extents[checkpoint.partition], parked.get(checkpoint.partition, 0), now)
        for checkpoint in checkpoints
    ]


def correlator_of(engine: Engine, topic: str) -> CorrelatorProgress | None:
    """Return the progress of the correlator over *topic*; None if there never were rules across people."""
    with engine.connect() as conn:
        return correlator_progress(conn, topic)


class LagJson(TypedDict):
    """
    The lag of one partition. Instants are RFC 3339 in UTC.

    Partition -1 is the correlator, if there are rules across people. Its records are the applied facts of all
    partitions, its watermark is the instant before which it has judged everything, and its seconds are the distance
    from there to the newest watermark.
    """

    partition: int
    position: int
    end: int
    lag_records: int
    lag_seconds: float | None
    watermark: str | None
    parked: int
    progressed: str | None
    seconds_since_progress: float | None
    stopped: str | None


def lag_json(lag: Lag) -> LagJson:
    """Return the JSON object of a lag, as `casetrail lag --json` prints it."""
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


def correlator_json(progress: CorrelatorProgress, now: datetime) -> LagJson:
    """Return the JSON object of the correlator's lag, in the shape of a partition's."""
    reached, progressed = progress.checkpoint.watermark, progress.checkpoint.progressed
    since = None if progressed is None else max((now - progressed).total_seconds(), 0.0)
    return {
        "partition": progress.checkpoint.partition,
        "position": progress.rows_read,
        "end": progress.rows_read + progress.rows_behind,
        "lag_records": progress.rows_behind,
        "lag_seconds": _rounded(progress.seconds),
        "watermark": format_instant(reached) if reached else None,
        "parked": 0,
        "progressed": format_instant(progressed) if progressed else None,
        "seconds_since_progress": _rounded(since),
        "stopped": held_back_words(progress),
    }


def held_back_words(progress: CorrelatorProgress) -> str | None:
    """Return the reason why the horizon does not move, if a partition stands still; else None."""
    marks = progress.marks
    if not marks.is_held_back:
        return None
    if marks.horizon is None:
        return f"partition {marks.held_back_by} has no watermark, so nothing across people is judged"
    return f"partition {marks.held_back_by} stands at {format_instant(marks.horizon)} and holds back the horizon"


def beyond(lags: Sequence[Lag], seconds: float) -> list[Lag]:
    """Return the lags of more than *seconds*, of an unknown time, or of stopped partitions."""
    return [lag for lag in lags if lag.stopped or lag.seconds is None or lag.seconds > seconds]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
