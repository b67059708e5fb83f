"""
The correlator: steps the rules across people up to the horizon. Steps, alerts and notices commit together.

It is partition number -1 of ``partitions``. `Correlator.assign` raises its epoch, and each write compares it. So a
correlator that lost its place to another one cannot write.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Engine, select

from projections.alerts.acknowledgement import Acknowledgement, Unacknowledgement, check_end
from projections.alerts.alert import Change
from projections.ledger.chain import Entry
from projections.queries.silences import SilenceEnd, active_silences
from projections.rules.rulebook import Rulebook
from projections.tables.bulk import store
from projections.tables.checkpoint import Checkpoint, PartitionLost, compare_and_set, insert_first, lock
from projections.tables.database import write_transaction
from projections.tables.ledger_rows import rules_in_force
from projections.tables.schema import CORRELATOR, LIVE, TOPIC, ledger, partitions

from .chain_entries import (
    NewSilence,
    acknowledgement_entry,
    across_only,
    old_before,
    rules_entry,
    silence_end_entry,
    silence_entry,
)
from .horizon import ROWS, horizon_of, old_history
from .keeping import acknowledge_alert
from .notices import Doubt, first_in_doubt, write_notices
from .stepper import CACHE_FACTS, Stepper


class _OpensInDoubt(Exception):
    """The steps under way open an alert whose evidence was taken back at the horizon or beyond."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt)
        self.doubt = doubt


class Correlator:
    """
    Judges the rules across people. One thread, one database; another correlator that is assigned takes its place.

    Args:
        engine: the database.
        rulebook: the rules to put in force; those of one person are not read.
        topic: the log's topic.
        cache_facts: the number of facts to keep in memory.
        rows: about the number of rows of each partition to read in one transaction.
        tell_backfilled: whether to tell of the alerts that a new rule finds in old history.

    Attributes:
        checkpoint: the correlator's row of ``partitions``; its watermark is the instant before which every step is
            taken.
        idle: whether there are no rules across people, and never were.
    """

    def __init__(  # noqa: PLR0913 - the settings of the correlator
        self,
        engine: Engine,
        rulebook: Rulebook,
        *,
        topic: str = TOPIC,
        cache_facts: int = CACHE_FACTS,
        rows: int = ROWS,
        tell_backfilled: bool = False,
    ) -> None:
        self.engine = engine
        self.rulebook = across_only(rulebook)
        self.checkpoint = Checkpoint(topic, CORRELATOR)
        self.idle = True
        self._rows = rows
        self._held: Doubt | None = None
        self._tells_backfilled = tell_backfilled
        self._stepper = Stepper(self.rulebook, LIVE, topic, cache_facts=cache_facts)

    def assign(self, clock: datetime) -> Checkpoint:
        """
        Take the place of the correlator: raise its epoch, and put the rules across people in force.

        Without such rules nothing is written, unless there were some before.

        Args:
            clock: this machine's clock, aware UTC; it dates the rules entry and nothing else.
        """
        before = self.checkpoint
        with write_transaction(self.engine) as conn:
            (stored,) = lock(conn, [before])
            # A silence can have begun the chain before any rules.
            self.idle = (stored is None or stored.rules_version is None) and not self.rulebook.across
            if self.idle:
                return before
            if stored is None:
                stored = Checkpoint(before.topic, CORRELATOR)
                insert_first(conn, stored)
            raised = replace(stored, epoch=stored.epoch + 1)
            compare_and_set(conn, [(stored, raised)])
        self.checkpoint = raised
        self._stepper.forget()
        self._put_rules_in_force(clock)
        with self.engine.connect() as conn:
            self._stepper.old_before = old_before(conn)
        return self.checkpoint

    def horizon(self) -> datetime | None:
        """Return the lowest watermark of all partitions; None if one has none yet."""
        with self.engine.connect() as conn:
            return horizon_of(conn, self.checkpoint.topic)

    def stored(self) -> Checkpoint:
        """Return the correlator's row as it is in the database, by this or another process."""
        with self.engine.connect() as conn:
            query = select(partitions).where(
                partitions.c.topic == self.checkpoint.topic, partitions.c.partition == CORRELATOR
            )
            row = conn.execute(query).mappings().one_or_none()
        return Checkpoint(**row) if row else self.checkpoint

    def advance(self, clock: datetime) -> bool:
        """
        Take the next steps below the horizon, in one transaction.

        A step is held, and all after it, if it would tell of an alert whose evidence was taken back at the horizon or
        beyond. It is taken once the horizon has passed that correction. A change of rules is held likewise.

        Args:
            clock: this machine's clock, aware UTC, for the time of last progress only.

        Returns:
            whether there are more steps to take now.

        Raises:
            PartitionLost: if another correlator was assigned.
            SQLAlchemyError: if the database failed; nothing was written, and the same call may be made again.
        """
        horizon = None if self.idle else self.horizon()
        if horizon is None or self._is_held(horizon) or not self._put_rules_in_force(clock):
            return False
        if horizon == self.checkpoint.watermark:
            return False
        until = horizon
        while True:
            try:
                return self._advance(until, horizon, clock)
            except _OpensInDoubt as held:
                # Nothing was written. The steps before it are taken again, without this one.
                self._held = held.doubt
                until = held.doubt.at

    def _is_held(self, horizon: datetime) -> bool:
        held = self._held
        return held is not None and held.at == self.checkpoint.watermark and horizon <= held.until

    def _advance(self, until: datetime, horizon: datetime, clock: datetime) -> bool:
        """Take the next steps before *until*, and return whether there are more of them."""
        with self._transaction() as (conn, start):
            if start.watermark is not None and until <= start.watermark:
                return False
            reached = self._stepper.advance(conn, start.watermark, until, self._rows)
            _check_doubt(conn, reached.changes, horizon)
            self._finish(conn, start, (), reached.changes, clock, watermark=reached.until)
        return reached.until < until

    def catch_up(self, clock: datetime) -> Checkpoint:
        """Take all steps below the horizon of now; as for `advance`."""
        while self.advance(clock):
            pass
        return self.checkpoint

    def _put_rules_in_force(self, clock: datetime) -> bool:
        """Put the rules in force, if they are not; return False if that would tell of an opening in doubt."""
        if self.checkpoint.rules_version == self.rulebook.version:
            return True
        try:
            self._change_rules(clock)
        except _OpensInDoubt as held:
            self._held = held.doubt
            return False
        return True

    def _change_rules(self, clock: datetime) -> None:
        with self._transaction() as (conn, start):
            before, tells = rules_in_force(conn, CORRELATOR), self._tells_backfilled
            old = old_history(conn, start.topic) if start.rules_version is None and not tells else None
            entry = rules_entry(start, self.rulebook, clock, tells_backfilled=tells, old_before=old)
            changes = self._stepper.change_rules(conn, before, self.rulebook, start.watermark, tells_backfilled=tells)
            horizon = horizon_of(conn, start.topic)
            if horizon is not None:
                _check_doubt(conn, changes, horizon)
            self._finish(conn, start, [entry], changes, clock, rules=self.rulebook.version)

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, Checkpoint]]:
        """Begin a write: lock the correlator's row, and check that no other correlator was assigned."""
        before = self.checkpoint
        try:
            with write_transaction(self.engine) as conn:
                (start,) = lock(conn, [before])
                if start is None or not start.same_assignment(before):
                    raise PartitionLost(CORRELATOR)  # noqa: TRY301 - so that the people in memory are dropped
                yield conn, start
        except BaseException:
            # The people in memory have taken steps that were rolled back.
            self.checkpoint = before
            self._stepper.forget()
            raise

    def _finish(  # noqa: PLR0913 - all that one transaction changes
        self,
        conn: Connection,
        start: Checkpoint,
        entries: Sequence[Entry],
        changes: Sequence[Change],
        clock: datetime,
        *,
        watermark: datetime | None = None,
        rules: str | None = None,
    ) -> None:
        end = finished(conn, start, entries, changes, clock)
        end = replace(end, watermark=watermark or end.watermark, rules_version=rules or end.rules_version)
        if rules is not None:
            end = replace(end, rules_since=start.watermark)
        compare_and_set(conn, [(start, end)])
        self.checkpoint = end


def acknowledge_across(engine: Engine, topic: str, said: Acknowledgement | Unacknowledgement) -> None:
    """
    Record in the correlator's chain that a person acknowledges an open alert across people, or takes that back.

    Raises:
        BadInput: if an acknowledgement would end where every step has been taken.
    """
    with _beside(engine, topic) as (conn, start):
        if isinstance(said, Acknowledgement):
            check_end(said, start.watermark)
        changes, subject_id = acknowledge_alert(conn, LIVE, said)
        entry = acknowledgement_entry(start, said, subject_id)
        compare_and_set(conn, [(start, finished(conn, start, [entry], changes, said.at))])


def add_silence(engine: Engine, topic: str, silence: NewSilence) -> str:
    """Record a silence in the correlator's chain, which begins with it if no correlator has ever run; return its id."""
    with suppress(PartitionLost), write_transaction(engine) as conn:
        if lock(conn, [Checkpoint(topic, CORRELATOR)]) == [None]:
            insert_first(conn, Checkpoint(topic, CORRELATOR))
    with _beside(engine, topic) as (conn, start):
        silence_id, entry = silence_entry(start, silence)
        compare_and_set(conn, [(start, finished(conn, start, [entry], (), silence.at))])
    return silence_id


def end_silence(engine: Engine, topic: str, silence_id: str, end: SilenceEnd) -> bool:
    """Record the early end of a silence; return False if it is over or unknown, and nothing is written."""
    with _beside(engine, topic) as (conn, start):
        if silence_id not in {row.silence_id for row in active_silences(conn, end.at)}:
            return False
        entry = silence_end_entry(start, silence_id, end)
        compare_and_set(conn, [(start, finished(conn, start, [entry], (), end.at))])
    return True


def _check_doubt(conn: Connection, changes: Sequence[Change], horizon: datetime) -> None:
    doubt = first_in_doubt(conn, changes, horizon)
    if doubt is not None:
        raise _OpensInDoubt(doubt)


@contextmanager
def _beside(engine: Engine, topic: str) -> Iterator[tuple[Connection, Checkpoint]]:
    """
    Begin a write beside the correlator, in its chain.

    It has the lock of the correlator's row, and raises no epoch: the correlator continues undisturbed.
    """
    with write_transaction(engine) as conn:
        (start,) = lock(conn, [Checkpoint(topic, CORRELATOR)])
        assert start is not None, "the chain has begun"
        yield conn, start


def finished(
    conn: Connection, start: Checkpoint, entries: Sequence[Entry], changes: Sequence[Change], clock: datetime
) -> Checkpoint:
    """Write the correlator's *entries* and the notices of *changes*; return its row after them."""
    store(conn, ledger, [entry.row() for entry in entries])
    notices = write_notices(conn, start.notices, changes)
    return replace(
        start,
        seq=entries[-1].seq if entries else start.seq,
        hash=entries[-1].hash if entries else start.hash,
        notices=notices,
        progressed=clock,
    )
