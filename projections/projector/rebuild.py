"""
Recompute all conclusions from the ledger, beside the live tables, and exchange the rows that differ.

The twins are filled in transactions of their own. So a rebuild can be stopped and resumed while projectors and readers
work on. The last step is one transaction: it locks the partitions, applies the rest, compares, and exchanges the rows
that differ.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid5

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from events.errors import Infrastructure
from projections.alerts.alert import NAMESPACE, Change
from projections.alerts.clearing import Clearing
from projections.alerts.shapes import notice_id
from projections.correlator.replay import Replay
from projections.rules.rulebook import Rulebook
from projections.tables.across import evidence_of_alerts
from projections.tables.bulk import store
from projections.tables.checkpoint import Checkpoint, unconcluded
from projections.tables.database import allow_full_scans, discard_plans, write_transaction
from projections.tables.ledger_rows import entries_after, rules_at
from projections.tables.parked_rows import unread_counts_at
from projections.tables.rows import alert_from_row, clearing_row, notice_row
from projections.tables.schema import CORRELATOR, LIVE, REBUILD, outbox, partitions, rebuild_partitions
from projections.tables.write_batch import WriteBatch

from .derive import CACHE_FACTS, Deriver

BATCH = 4000


class Difference(NamedTuple):
    """A row that differs: its table and key, and the columns that differ, before and after; None: no row."""

    table: str
    key: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def rebuild(
    engine: Engine,
    rulebook: Rulebook,
    tell: Callable[[int], None],
    *,
    exchange: bool = True,
    cache_facts: int = CACHE_FACTS,
) -> list[Difference]:
    """
    Recompute all conclusions and return the differences from the live ones.

    Continues an interrupted rebuild of the same code; else starts from the first row.

    Args:
        engine: the database.
        rulebook: any; the ledger states the rules in force at each row.
        tell: called after each batch with the number of ledger rows applied.
        exchange: replace the rows that differ; else only compare.
        cache_facts: how many facts to keep in memory.

    Raises:
        Infrastructure: if another rebuild took over.
    """
    twins = _Twins(engine, rulebook, cache_facts)
    twins.take_over()
    while not twins.advance(tell):
        pass
    with write_transaction(engine) as conn:
        progress = _lock(conn)
        twins.complete(conn, progress)
        allow_full_scans(conn)
        differences = list(_differences(conn))
        if exchange and differences:
            _notify_of_new(conn, progress)
            _exchange(conn)
        _clear(conn)
    return differences


def is_due(engine: Engine) -> bool:
    """Return whether a migration emptied the tables of people, so that all conclusions must be recomputed."""
    with engine.connect() as conn:
        return conn.scalar(unconcluded().limit(1)) is not None


@cache
def code_version() -> str:
    """Return a digest of the code that concludes: releases with the same digest conclude the same."""
    digest = hashlib.sha256()
    for file in code_files():
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def code_files() -> list[Path]:
    """Return the modules of events/ and projections/, of all their folders, in the order of their paths."""
    # The packages are named, and not reached from this file's own folder: moved into a folder below, this module
    # would leave out events/ and every other folder, and a rebuild would go on with the rows of different code.
    packages = [Path(str(files(name))) for name in ("events", "projections")]
    return [file for package in packages for file in sorted(package.rglob("*.py"))]


class _Twins:
    """
    The twin tables, as one process fills them.

    ``rebuild_partitions`` holds their progress, with the version of the code as ``rules_version``. Each rebuild that
    takes over raises the ``epoch`` there. A rebuild that does not find its rows as it left them cannot continue.
    """

    def __init__(self, engine: Engine, rulebook: Rulebook, cache_facts: int) -> None:
        self.engine = engine
        self.rulebook = rulebook
        self.cache_facts = cache_facts
        self.epoch = 1
        self._reached: dict[int, Checkpoint] = {}
        self._derivers: dict[int, Deriver] = {}
        self._replay: Replay | None = None

    def take_over(self) -> None:
        """Claim the rows of an interrupted rebuild; delete them if other code concluded them."""
        twin = rebuild_partitions
        with write_transaction(self.engine) as conn:
            left = [Checkpoint(**row._asdict()) for row in conn.execute(select(twin).with_for_update())]
            self.epoch += max((row.epoch for row in left), default=0)
            if any(row.rules_version != code_version() for row in left):
                _clear(conn)
                left = []
            conn.execute(update(twin).values(epoch=self.epoch))
            self._reached = {row.partition: replace(row, epoch=self.epoch) for row in left}
            for topic, partition in conn.execute(select(partitions.c.topic, partitions.c.partition)).all():
                if partition not in self._reached:
                    # Before the first batch, so that a second rebuild finds the claim.
                    self._reached[partition] = self._first(topic, partition)
                    store(conn, twin, [tuple(vars(self._reached[partition]).values())])

    def advance(self, tell: Callable[[int], None]) -> bool:
        """Apply one batch of each partition; return whether all are at the end of the ledger."""
        with self.engine.connect() as conn:
            lives = [Checkpoint(**row._asdict()) for row in conn.execute(select(partitions))]
        done, caught_up = 0, True
        for live in lives:
            with write_transaction(self.engine) as conn:
                reached = self._batch(conn, live)
            done += reached.seq
            caught_up = caught_up and _is_at(reached, live)
        tell(done)
        return caught_up

    def complete(self, conn: Connection, progress: dict[int, Checkpoint]) -> None:
        """Apply the rows written since. The partitions are locked, so no projector writes."""
        for live in progress.values():
            while not _is_at(self._batch(conn, live), live):
                pass

    def _batch(self, conn: Connection, live: Checkpoint) -> Checkpoint:
        """Apply the next batch of one partition, or of the correlator; return the progress after it."""
        before = self._progress(conn, live)
        discard_plans(conn)
        if live.partition == CORRELATOR:
            self._replay = self._replay or Replay(conn, before, self.cache_facts)
            reached = self._replay.batch(conn, live, before)
        else:
            reached = self._derive(conn, live, before)
        if reached != before:
            conn.execute(delete(rebuild_partitions).where(_of(live)))
            store(conn, rebuild_partitions, [tuple(vars(reached).values())])
            self._reached[live.partition] = reached
        return reached

    def _derive(self, conn: Connection, live: Checkpoint, reached: Checkpoint) -> Checkpoint:
        """Apply the next rows of the chain of a partition of the log."""
        deriver = self._derivers.get(live.partition)
        if deriver is None:
            deriver = self._derivers[live.partition] = self._deriver(conn, reached)
        entries = entries_after(conn, live.partition, reached.seq, BATCH)
        if not entries and reached.seq < live.seq:
            what = f"the ledger ends at row {reached.seq}, but row {live.seq} was written"
            raise Infrastructure(what, "run `casetrail audit verify`", f"partition {live.partition}")
        if not entries:
            return reached
        writes = WriteBatch()
        watermark = deriver.derive(conn, entries, reached.watermark, writes)
        writes.write(conn)
        return replace(reached, seq=entries[-1].seq, watermark=watermark, rules_since=deriver.rules_since)

    def _progress(self, conn: Connection, live: Checkpoint) -> Checkpoint:
        """Return the progress of a partition, and check that no other rebuild has changed it since."""
        row = conn.execute(select(rebuild_partitions).where(_of(live)).with_for_update()).one_or_none()
        stored = Checkpoint(**row._asdict()) if row else None
        # No row on either side: the partition is newer than the claim.
        if stored != self._reached.get(live.partition):
            raise Infrastructure("another rebuild took over", "wait until it ends")
        return stored or self._first(live.topic, live.partition)

    def _first(self, topic: str, partition: int) -> Checkpoint:
        return Checkpoint(topic, partition, epoch=self.epoch, rules_version=code_version())

    def _deriver(self, conn: Connection, reached: Checkpoint) -> Deriver:
        """Return a deriver with the rules that were in force after the last row that is applied."""
        rules = rules_at(conn, reached.partition, reached.seq) or self.rulebook
        deriver = Deriver(reached.partition, rules, REBUILD, cache_facts=self.cache_facts)
        deriver.rules_since = reached.rules_since
        return deriver


def _of(live: Checkpoint) -> ColumnElement[bool]:
    return and_(rebuild_partitions.c.topic == live.topic, rebuild_partitions.c.partition == live.partition)


def _is_at(reached: Checkpoint, live: Checkpoint) -> bool:
    """Return whether a rebuild has *reached* all that is concluded: of the correlator, its steps too."""
    steps = live.partition != CORRELATOR or reached.watermark == live.watermark
    return reached.seq >= live.seq and steps


def _lock(conn: Connection) -> dict[int, Checkpoint]:
    rows = conn.execute(select(partitions).order_by(partitions.c.partition).with_for_update()).mappings()
    return {row["partition"]: Checkpoint(**row) for row in rows}


def _differences(conn: Connection) -> Iterator[Difference]:
    for live, rebuilt in zip(LIVE.derived, REBUILD.derived, strict=True):
        keys = [column.name for column in live.primary_key]
        gone = {_key(row, keys): row for row in conn.execute(_only_in(live, rebuilt)).mappings()}
        come = {_key(row, keys): row for row in conn.execute(_only_in(rebuilt, live)).mappings()}
        for key in sorted(gone.keys() | come.keys()):
            before, after = gone.get(key), come.get(key)
            changed = [c.name for c in live.columns if not before or not after or before[c.name] != after[c.name]]
            yield Difference(
                live.name,
                dict(zip(keys, key, strict=True)),
                {name: before[name] for name in changed} if before else None,
                {name: after[name] for name in changed} if after else None,
            )


def _exchange(conn: Connection) -> None:
    """Replace the live rows that differ, and raise the epochs, so that no projector continues with its memory."""
    for live, rebuilt in zip(LIVE.derived, REBUILD.derived, strict=True):
        keys = list(live.primary_key)
        gone = _only_in(live, rebuilt).subquery()
        conn.execute(delete(live).where(tuple_(*keys).in_(select(*(gone.c[key.name] for key in keys)))))
        come = _only_in(rebuilt, live)
        conn.execute(insert(live).from_select([column.name for column in live.columns], come))
    conn.execute(update(partitions).values(epoch=partitions.c.epoch + 1))


def _notify_of_new(conn: Connection, progress: dict[int, Checkpoint]) -> None:
    """
    Write a notice of each new change; a change that has a notice gets no second one.

    A change that had a notice and is gone is among the differences, for a person to decide about. A clearing is told
    if the person's presumption differs.
    """
    notices = {partition: checkpoint.notices for partition, checkpoint in progress.items()}
    untold = [*_untold(conn)]
    waiting = unread_counts_at(conn, ((subject_id, change.at) for _, change, own in untold for subject_id in own))
    for partition, change, people in untold:
        key = notice_id(change.alert.alert_id, change.alert.changes)
        if not conn.scalar(select(func.count()).where(outbox.c.notice_id == key)):
            notices[partition] += 1
            unread = sum(waiting[subject_id, change.at] for subject_id in people)
            store(conn, outbox, [notice_row(partition, notices[partition], change, unread, people)])
    for partition, clearing in [*_clearings(conn, progress)]:
        notices[partition] += 1
        # By its row: a rebuild without new records between can find the same difference as an earlier one.
        key = str(uuid5(NAMESPACE, f"{clearing.kind} {clearing.subject_id} rebuilt {partition} {notices[partition]}"))
        store(conn, outbox, [clearing_row(partition, notices[partition], clearing, key)])
    for partition, last in notices.items():
        conn.execute(update(partitions).where(partitions.c.partition == partition).values(notices=last))


def _untold(conn: Connection) -> Iterator[tuple[int, Change, Sequence[str]]]:
    """
    Yield the changes to tell that the live tables do not have, in the order of an alert's life.

    Each comes with its partition and the people it is about. Quiet changes, such as those of a changed rule, are left
    out.
    """
    live, rebuilt, alerts, subjects = LIVE.alert_changes, REBUILD.alert_changes, REBUILD.alerts, REBUILD.subjects
    known = and_(live.c.alert_id == rebuilt.c.alert_id, live.c.n == rebuilt.c.n)
    # An acknowledgement has a person's time, which can be before that of the change it follows.
    since = func.max(rebuilt.c.at).over(partition_by=rebuilt.c.alert_id, order_by=rebuilt.c.n)
    query = (
        select(rebuilt, subjects.c.position_partition)
        .join(alerts, alerts.c.alert_id == rebuilt.c.alert_id)
        .outerjoin(subjects, subjects.c.subject_id == alerts.c.subject_id)
        .outerjoin(live, known)
        .where(live.c.alert_id.is_(None), rebuilt.c.told)
        .order_by(since, rebuilt.c.alert_id, rebuilt.c.n)
    )
    for row in conn.execute(query):
        alert = alert_from_row(conn.execute(select(alerts).where(alerts.c.alert_id == row.alert_id)).one()._asdict())
        alert = alert._replace(state=row.state, changes=row.n, rule_version=row.rule_version, trial=row.trial)
        partition, people = row.position_partition, [alert.subject_id] if alert.subject_id is not None else []
        if alert.across:
            evidence = evidence_of_alerts(conn, REBUILD.alert_evidence, [alert.alert_id])[alert.alert_id]
            alert = alert._replace(evidence=evidence.fact_ids)
            partition, people = CORRELATOR, [*evidence.people]
        yield partition, Change(alert, row.at, row.cause, row.fact_id, row.person, row.note, until=row.until), people


def _clearings(conn: Connection, progress: dict[int, Checkpoint]) -> Iterator[tuple[int, Clearing]]:
    """
    Yield the clearings that only the rebuilt tables have, and the ends of those that only the live tables have.

    Each comes with its partition. A person without a live row has none: the earlier presumption is not known.
    """
    live, rebuilt = LIVE.subjects, REBUILD.subjects
    differs = (live.c.presumption == "cleared") != (rebuilt.c.presumption == "cleared")
    query = select(rebuilt.c.subject_id, rebuilt.c.presumption, rebuilt.c.position_partition)
    both = query.join(live, live.c.subject_id == rebuilt.c.subject_id).where(differs)
    for subject_id, presumption, partition in conn.execute(both.order_by(rebuilt.c.subject_id)):
        at = progress[partition].watermark
        assert at is not None, "a partition with people has a watermark"
        yield partition, Clearing(subject_id, at, "rebuilt", None, presumption)


def _only_in(table: Table, other: Table) -> Any:  # noqa: ANN401 - a compound select
    return select(*table.columns).except_(select(*(other.c[column.name] for column in table.columns)))


def _key(row: RowMapping, keys: list[str]) -> tuple[Any, ...]:
    return tuple(row[key] for key in keys)


def _clear(conn: Connection) -> None:
    for table in (*REBUILD.derived, REBUILD.positions, rebuild_partitions):
        conn.execute(delete(table))
