"""The projector of a partition. A batch is one transaction, which several partitions can share."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from sqlalchemy import Connection, Engine

from projections.ledger.chain import Entry, LogRecord
from projections.ledger.classify import classify, read_all, readable
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import Checkpoint, check_concluded, compare_and_set, insert_first, lock
from projections.tables.database import discard_plans, write_transaction
from projections.tables.ledger_rows import known_bodies, record_of
from projections.tables.parked_rows import parked_for
from projections.tables.schema import TOPIC
from projections.tables.write_batch import WriteBatch

from .derive import CACHE_FACTS
from .isolate import is_of_one, isolate_failures
from .partition_writer import PartitionWriter, chain_of, fenced

CHUNK = 1000
MANY = 100
"""With a batch of this size tables grow: a plan that was good for small ones walks the whole of an index."""

Batch = tuple["Projector", Sequence[LogRecord]]
"""A projector and the next records of its partition, in offset order."""


class Projector(PartitionWriter):
    """
    Projects one partition. One thread, one database; as many processes as there are partitions.

    Args:
        engine: the database.
        rulebook: the rules to put in force.
        partition: the partition's number.
        topic: the log's topic.
        home: the partition to which a key belongs; a log with one partition needs none.
        cache_facts: how many facts to keep in memory.
        tell_backfilled: whether to tell of the alerts that a new rule finds in old history.
    """

    def __init__(  # noqa: PLR0913 - the settings of one partition
        self,
        engine: Engine,
        rulebook: Rulebook,
        partition: int = 0,
        *,
        topic: str = TOPIC,
        home: Callable[[bytes], int] | None = None,
        cache_facts: int = CACHE_FACTS,
        tell_backfilled: bool = False,
    ) -> None:
        super().__init__(engine, Checkpoint(topic, partition), rulebook, home, cache_facts)
        self.rulebook = rulebook
        self.tell_backfilled = tell_backfilled

    def assign(self, clock: datetime) -> Checkpoint:
        """
        Take the partition over: raise its epoch, put the rules in force, apply parked records that are readable now.

        Args:
            clock: the projector's clock, aware UTC; it dates the first rules entry and nothing else.

        Raises:
            Infrastructure: if a migration emptied the tables of people, and nothing has filled them again.
        """
        before = self.checkpoint
        with write_transaction(self.engine) as conn:
            check_concluded(conn, before.partition)
            (stored,) = lock(conn, [before])
            if stored is None:
                stored = Checkpoint(before.topic, before.partition)
                insert_first(conn, stored)
            raised = replace(stored, epoch=stored.epoch + 1)
            compare_and_set(conn, [(stored, raised)])
        self.checkpoint = raised
        self.deriver.invalidate()
        self.deriver.rules_since = raised.rules_since
        if raised.rules_version != self.rulebook.version:
            self._put_rules_in_force(clock)
        self.replay_readable(clock)
        return self.checkpoint

    def project(self, records: Sequence[LogRecord], clock: datetime) -> Checkpoint:
        """
        Read *records*, the next of the partition in the order of their offsets.

        A record on which the program itself fails is parked as ``failed``, and does not stop the others.

        Args:
            records: at least one.
            clock: the projector's clock, aware UTC, for the time of last progress only.

        Raises:
            PartitionLost: if the partition was assigned to another projector.
            SQLAlchemyError: if the database failed; nothing was written and the same call may be made again.
        """
        isolate_failures(lambda some, failed: project_together([(self, some)], clock, failed), records)
        return self.checkpoint

    def advance_watermark(
        self,
        now: datetime,
        clock: datetime,
        reached: Callable[[Connection, int], bool] = lambda _, __: True,
        *,
        position: int = 0,
    ) -> Checkpoint:
        """
        Declare that the end of the partition was asked for at *now* (less any margin) and found reached.

        If that fires a timer, the watermark goes into the ledger, where a rebuild finds it.

        Args:
            now: that instant, by the log's clock.
            clock: the projector's clock, aware UTC, for the time of last progress only.
            reached: asked under the lock of the write whether the end is at a position still; if not, nothing is
                declared.
            position: the next offset of the log, if it is past the projector's own and no record lies between.

        Raises:
            PartitionLost, SQLAlchemyError: as for `project`.
        """
        with self.transaction() as (conn, start):
            position = max(start.position, position)
            if not reached(conn, position):
                return start
            watermark = max(now, start.watermark or now)
            entries: list[Entry] = []
            if self.deriver.timers.is_due(conn, watermark):
                entries = [chain_of(start).note("watermark", watermark, b"{}")]
            self.finish(conn, start, entries, clock, position=position, watermark=watermark)
        return self.checkpoint

    def set_cache_limit(self, facts: int) -> None:
        """Keep at most *facts* facts in memory from the next write on."""
        self.deriver.cache.limit = facts

    def next_due(self) -> datetime | None:
        """Return the next instant at which time alone could change an answer in this partition."""
        timers = self.deriver.timers
        if timers.exact or timers.soonest is None:
            return timers.soonest
        with self.engine.connect() as conn:
            return timers.earliest(conn)

    def replay_readable(self, clock: datetime) -> list[Entry]:
        """Apply the records that an earlier release parked for an unknown type or version and this one can read."""
        with self.engine.connect() as conn:
            parked = parked_for(conn, self.checkpoint.partition, "unknown")
            seqs = [entry.seq for entry in parked if readable(record_of(entry))]
        chunks = (seqs[start : start + CHUNK] for start in range(0, len(seqs), CHUNK))
        return [entry for chunk in chunks for entry in self.replay(chunk, clock)]

    def _put_rules_in_force(self, clock: datetime) -> None:
        with self.transaction() as (conn, start):
            # The setting is stated too, so that a rebuild tells of the same alerts.
            rules = {
                "version": self.rulebook.version,
                "rules": self.rulebook.as_json(),
                "tell_backfilled": self.tell_backfilled,
            }
            entry = chain_of(start).note("rules", start.watermark or clock, json.dumps(rules).encode())
            self.finish(conn, start, [entry], clock, rules=self.rulebook.version)


def project_several(batches: Sequence[Batch], clock: datetime) -> dict[int, Exception]:
    """
    Project records of several partitions in one transaction, which costs about as much as one of a single partition.

    If the records of one partition fail, each partition gets a transaction of its own.

    Args:
        batches: of one database and topic; at least one, of as many partitions.
        clock: as for `Projector.project`.

    Returns:
        the final failures, by the partition's number; the other partitions are projected.

    Raises:
        PartitionLost, SQLAlchemyError: as for `Projector.project`.
    """
    if len(batches) > 1:
        try:
            project_together(batches, clock)
        except Exception as problem:
            if not is_of_one(problem):
                raise
        else:
            return {}
    failed: dict[int, Exception] = {}
    for projector, records in batches:
        try:
            projector.project(records, clock)
        except Exception as problem:
            if not is_of_one(problem):
                raise
            failed[projector.checkpoint.partition] = problem
    return failed


def project_together(batches: Sequence[Batch], clock: datetime, failed: Exception | None = None) -> list[Checkpoint]:
    """
    Project records of several partitions in one transaction, all of them or none.

    Args:
        batches: as for `project_several`.
        clock: as for `Projector.project`.
        failed: the failure of the program itself on the only record, which is then parked.

    Returns:
        the new rows of the partitions.

    Raises:
        Exception: any failure; `project_several` and `Projector.project` handle it.
    """
    with fenced([projector for projector, _ in batches]) as (conn, starts):
        if any(len(records) >= MANY for _, records in batches):
            discard_plans(conn)
        # A log may deliver records again; those positions have their outcomes.
        reads = [
            read_all([record for record in records if record.offset >= start.position], start.watermark, failed=failed)
            for (_, records), start in zip(batches, starts, strict=True)
        ]
        first = known_bodies(conn, chain.from_iterable(reads))
        writes, steps = WriteBatch(), []
        for (projector, records), start, read in zip(batches, starts, reads, strict=True):
            own = WriteBatch()
            entries = list(classify(read, first, chain_of(start), projector.home))
            position = max(start.position, records[-1].offset + 1)
            steps.append((start, projector.apply(conn, start, entries, own, clock, position=position)))
            writes.move_from(own)
        writes.write(conn)
        compare_and_set(conn, steps)
        for (projector, _), (_, end) in zip(batches, steps, strict=True):
            projector.checkpoint = end
    return [end for _, end in steps]
