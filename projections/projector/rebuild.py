"""
Conclude everything again from the ledger, beside the live tables, and put the result in their place.

The twins are filled in transactions of their own, so a rebuild can be stopped and taken up again while
projectors and readers go on. The last step locks the partitions, catches up, compares, and exchanges the rows
that differ, in one transaction.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

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
from projections.alerts.alert import Change
from projections.alerts.shapes import notice_id
from projections.ledger.chain import Entry
from projections.rules.rulebook import Rulebook
from projections.tables.bulk import store
from projections.tables.checkpoint import Checkpoint, unconcluded
from projections.tables.database import plan_anew, unhurried, writing
from projections.tables.ledger_rows import in_force, unread_at
from projections.tables.rows import alert_from_row, notice_row
from projections.tables.schema import LIVE, REBUILD, ledger, outbox, partitions, rebuild_partitions
from projections.tables.write_batch import Writes

from .derive import CACHE_FACTS, Concluder

BATCH = 4000


class Difference(NamedTuple):
    """A row that came out otherwise: its table and key, and the columns that differ, before and after; None: no row."""

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
    Make all conclusions again and return what differs from the live ones.

    Goes on where an interrupted rebuild stopped, if that concluded by the same code; else starts over.

    Args:
        engine: the database.
        rulebook: any; the ledger says which rules were in force when.
        tell: called after each batch with the number of ledger rows done.
        exchange: put the new rows in the place of those that differ; else only compare.
        cache_facts: how many facts to keep in memory at the most.

    Raises:
        Infrastructure: if another rebuild took over.
    """
    twins = _Twins(engine, rulebook, cache_facts)
    twins.take_over()
    while not twins.invalidate_changed(tell):
        pass
    with writing(engine) as conn:
        progress = _lock(conn)
        twins.complete(conn, progress)
        unhurried(conn)
        differences = list(_differences(conn))
        if exchange and differences:
            _tell_of_new(conn, progress)
            _exchange(conn)
        _clear(conn)
    return differences


def is_due(engine: Engine) -> bool:
    """Whether a migration emptied the tables of people, so that everything is to be concluded again."""
    with engine.connect() as conn:
        return conn.scalar(unconcluded().limit(1)) is not None


@cache
def code_version() -> str:
    """Return a digest of the code that concludes: two releases with the same one conclude the same."""
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
    The side-by-side tables on their way, as one process fills them.

    How far they are stands in ``rebuild_partitions``, with the code's version as ``rules_version``. Each rebuild that
    takes over raises the ``epoch`` there, and one that does not find its rows as it left them cannot go on.
    """

    def __init__(self, engine: Engine, rulebook: Rulebook, cache_facts: int) -> None:
        self.engine = engine
        self.rulebook = rulebook
        self.cache_facts = cache_facts
        self.epoch = 1
        self._reached: dict[int, Checkpoint] = {}
        self._concluders: dict[int, Concluder] = {}

    def take_over(self) -> None:
        """Claim what an interrupted rebuild left; throw it away if other code concluded it."""
        twin = rebuild_partitions
        with writing(self.engine) as conn:
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

    def invalidate_changed(self, tell: Callable[[int], None]) -> bool:
        """Do one batch of each partition; return whether all have come to the end of the ledger."""
        with self.engine.connect() as conn:
            lives = [Checkpoint(**row._asdict()) for row in conn.execute(select(partitions))]
        done, caught_up = 0, True
        for live in lives:
            with writing(self.engine) as conn:
                reached = self._batch(conn, live)
            done += reached
            caught_up = caught_up and reached >= live.seq
        tell(done)
        return caught_up

    def complete(self, conn: Connection, progress: dict[int, Checkpoint]) -> None:
        """Conclude what has come since; no projector writes meanwhile."""
        for live in progress.values():
            while self._batch(conn, live) < live.seq:
                pass

    def _batch(self, conn: Connection, live: Checkpoint) -> int:
        """Conclude the next batch of one partition; return how far its ledger has been walked."""
        reached = self._held(conn, live)
        concluder = self._concluders.get(live.partition)
        if concluder is None:
            concluder = self._concluders[live.partition] = self._concluder(conn, reached)
        query = select(ledger).where(ledger.c.partition == live.partition, ledger.c.seq > reached.seq)
        entries = [Entry(*row) for row in conn.execute(query.order_by(ledger.c.seq).limit(BATCH))]
        if not entries and reached.seq < live.seq:
            msg = f"the ledger of partition {live.partition} ends at row {reached.seq}, but row {live.seq} was written"
            raise Infrastructure(msg + " (see `casetrail audit verify`)")
        if not entries:
            return reached.seq
        plan_anew(conn)
        writes = Writes()
        watermark = concluder.conclude(conn, entries, reached.watermark, writes)
        writes.write(conn)
        reached = replace(reached, seq=entries[-1].seq, watermark=watermark, rules_since=concluder.rules_since)
        conn.execute(delete(rebuild_partitions).where(_of(live)))
        store(conn, rebuild_partitions, [tuple(vars(reached).values())])
        self._reached[live.partition] = reached
        return reached.seq

    def _held(self, conn: Connection, live: Checkpoint) -> Checkpoint:
        """Return how far a partition has come, and see that nobody else has taken it anywhere since."""
        row = conn.execute(select(rebuild_partitions).where(_of(live)).with_for_update()).one_or_none()
        stored = Checkpoint(**row._asdict()) if row else None
        # Nothing on either side: the partition was born since the others were claimed.
        if stored != self._reached.get(live.partition):
            raise Infrastructure("another rebuild took over (let it end)")
        return stored or self._first(live.topic, live.partition)

    def _first(self, topic: str, partition: int) -> Checkpoint:
        return Checkpoint(topic, partition, epoch=self.epoch, rules_version=code_version())

    def _concluder(self, conn: Connection, reached: Checkpoint) -> Concluder:
        """Return a concluder with the rules that were in force at the point reached."""
        query = select(ledger).where(
            ledger.c.partition == reached.partition, ledger.c.entry == "rules", ledger.c.seq <= reached.seq
        )
        row = conn.execute(query.order_by(ledger.c.seq.desc()).limit(1)).one_or_none()
        rules = in_force(Entry(*row)) if row else self.rulebook
        concluder = Concluder(reached.partition, rules, REBUILD, cache_facts=self.cache_facts)
        concluder.rules_since = reached.rules_since
        return concluder


def _of(live: Checkpoint) -> ColumnElement[bool]:
    return and_(rebuild_partitions.c.topic == live.topic, rebuild_partitions.c.partition == live.partition)


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
    """Put the rows that differ in the place of the live ones, and let no projector go on with what it kept."""
    for live, rebuilt in zip(LIVE.derived, REBUILD.derived, strict=True):
        keys = list(live.primary_key)
        gone = _only_in(live, rebuilt).subquery()
        conn.execute(delete(live).where(tuple_(*keys).in_(select(*(gone.c[key.name] for key in keys)))))
        come = _only_in(rebuilt, live)
        conn.execute(insert(live).from_select([column.name for column in live.columns], come))
    conn.execute(update(partitions).values(epoch=partitions.c.epoch + 1))


def _tell_of_new(conn: Connection, progress: dict[int, Checkpoint]) -> None:
    """
    Write a notice of each change that is new; what was told once is not told again.

    A change told under another conclusion is among the differences, for a person to judge whom to tell.
    """
    notices = {partition: held.notices for partition, held in progress.items()}
    untold = [*_untold(conn)]
    waiting = unread_at(conn, ((change.alert.subject_id, change.at) for _, change in untold))
    for partition, change in untold:
        key = notice_id(change.alert.alert_id, change.alert.changes)
        if not conn.scalar(select(func.count()).where(outbox.c.notice_id == key)):
            notices[partition] += 1
            row = notice_row(partition, notices[partition], change, waiting[change.alert.subject_id, change.at])
            store(conn, outbox, [row])
    for partition, last in notices.items():
        conn.execute(update(partitions).where(partitions.c.partition == partition).values(notices=last))


def _untold(conn: Connection) -> Iterator[tuple[int, Change]]:
    """Yield the changes that the live tables do not have, each with its partition, an alert's in their order."""
    live, rebuilt, alerts, subjects = LIVE.alert_changes, REBUILD.alert_changes, REBUILD.alerts, REBUILD.subjects
    known = and_(live.c.alert_id == rebuilt.c.alert_id, live.c.n == rebuilt.c.n)
    # An acknowledgement bears a person's time, which can be before that of the change it follows.
    since = func.max(rebuilt.c.at).over(partition_by=rebuilt.c.alert_id, order_by=rebuilt.c.n)
    query = (
        select(rebuilt, subjects.c.position_partition)
        .join(alerts, alerts.c.alert_id == rebuilt.c.alert_id)
        .join(subjects, subjects.c.subject_id == alerts.c.subject_id)
        .outerjoin(live, known)
        .where(live.c.alert_id.is_(None))
        .order_by(since, rebuilt.c.alert_id, rebuilt.c.n)
    )
    for row in conn.execute(query):
        alert = alert_from_row(conn.execute(select(alerts).where(alerts.c.alert_id == row.alert_id)).one()._asdict())
        alert = alert._replace(state=row.state, changes=row.n, rule_version=row.rule_version)
        yield row.position_partition, Change(alert, row.at, row.cause, row.fact_id, row.person, row.note)


def _only_in(table: Table, other: Table) -> Any:  # noqa: ANN401 - a compound select
    return select(*table.columns).except_(select(*(other.c[column.name] for column in table.columns)))


def _key(row: RowMapping, keys: list[str]) -> tuple[Any, ...]:
    return tuple(row[key] for key in keys)


def _clear(conn: Connection) -> None:
    for table in (*REBUILD.derived, rebuild_partitions):
        conn.execute(delete(table))
