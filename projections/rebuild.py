"""
Conclude everything again from the ledger, beside the live tables, and put the result in their place.

The twins are filled in transactions of their own, so a rebuild can be stopped and taken up again while
projectors and readers go on. The last step locks the partitions, catches up, compares, and exchanges the rows
that differ, in one transaction.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, RowMapping, Table, and_, delete, func, insert, select, tuple_, update

from .alerts import Change
from .conclude import Concluder, in_force
from .database import store, writing
from .ledger import Entry, again
from .projector import Progress
from .rulebook import Rulebook
from .shapes import alert_from_row, notice_id, notice_row
from .tables import LIVE, REBUILD, ledger, outbox, partitions, rebuild_partitions

BATCH = 4000


class Difference(NamedTuple):
    """A row that came out otherwise: its table and key, and the columns that differ, before and after; None: no row."""

    table: str
    key: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def rebuild(
    engine: Engine, rulebook: Rulebook, tell: Callable[[int, int], None], *, exchange: bool = True
) -> list[Difference]:
    """
    Make all conclusions again and return what differs from the live ones.

    Args:
        engine: the database.
        rulebook: any; the ledger says which rules were in force when.
        tell: called after each batch with the ledger rows done and those there are.
        exchange: put the new rows in the place of those that differ; else only compare.
    """
    concluders: dict[int, Concluder] = {}
    while not _caught_up(engine, rulebook, concluders, tell):
        pass
    with writing(engine) as conn:
        progress = _lock(conn)
        for partition, live in progress.items():
            _conclude_rest(conn, concluders, partition, live, rulebook)
        differences = list(_differences(conn))
        if exchange:
            _tell_of_new(conn, progress)
            _exchange(conn)
        _clear(conn)
    return differences


def forget(engine: Engine) -> None:
    """Throw away what an interrupted rebuild left."""
    with writing(engine) as conn:
        _clear(conn)


def _caught_up(
    engine: Engine, rulebook: Rulebook, concluders: dict[int, Concluder], tell: Callable[[int, int], None]
) -> bool:
    """Do one batch of each partition; return whether all were at the end of the ledger."""
    with engine.connect() as conn:
        lives = [Progress(**row) for row in conn.execute(select(partitions)).mappings()]
    done, caught_up = 0, True
    for live in lives:
        with writing(engine) as conn:
            reached = _batch(conn, concluders, live, rulebook)
        done += reached
        caught_up = caught_up and reached >= live.seq
    tell(done, sum(live.seq for live in lives))
    return caught_up


def _conclude_rest(
    conn: Connection, concluders: dict[int, Concluder], partition: int, live: Progress, rulebook: Rulebook
) -> None:
    while _batch(conn, concluders, live, rulebook) < live.seq:
        pass
    del partition


def _batch(conn: Connection, concluders: dict[int, Concluder], live: Progress, rulebook: Rulebook) -> int:
    """Conclude the next batch of one partition into the twins; return how far the ledger has been walked."""
    reached = _reached(conn, live)
    concluder = concluders.get(live.partition)
    if concluder is None:
        concluder = concluders[live.partition] = _take_up(conn, reached, rulebook)
    query = select(ledger).where(ledger.c.partition == live.partition, ledger.c.seq > reached.seq)
    entries = [_entry(row) for row in conn.execute(query.order_by(ledger.c.seq).limit(BATCH)).mappings()]
    if not entries:
        return reached.seq
    _, watermark = concluder.conclude(conn, entries, reached.watermark)
    reached = replace(reached, seq=entries[-1].seq, watermark=watermark, rules_since=concluder.rules_since)
    store(conn, rebuild_partitions, [tuple(vars(reached).values())], replace=True)
    return entries[-1].seq


def _reached(conn: Connection, live: Progress) -> Progress:
    row = (
        conn.execute(
            select(rebuild_partitions).where(
                rebuild_partitions.c.topic == live.topic, rebuild_partitions.c.partition == live.partition
            )
        )
        .mappings()
        .one_or_none()
    )
    return Progress(**row) if row else Progress(live.topic, live.partition)


def _take_up(conn: Connection, reached: Progress, rulebook: Rulebook) -> Concluder:
    """Return a concluder with the rules that were in force at the point reached."""
    query = select(ledger).where(
        ledger.c.partition == reached.partition, ledger.c.entry == "rules", ledger.c.seq <= reached.seq
    )
    row = conn.execute(query.order_by(ledger.c.seq.desc()).limit(1)).mappings().one_or_none()
    rules = in_force(_entry(row)) if row else rulebook
    concluder = Concluder(reached.partition, rules, REBUILD)
    concluder.rules_since = reached.rules_since
    return concluder


def _entry(row: RowMapping) -> Entry:
    entry = Entry(**row)
    return entry._replace(fact=again(entry)) if entry.outcome == "applied" else entry


def _lock(conn: Connection) -> dict[int, Progress]:
    rows = conn.execute(select(partitions).order_by(partitions.c.partition).with_for_update()).mappings()
    return {row["partition"]: Progress(**row) for row in rows}


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


def _tell_of_new(conn: Connection, progress: dict[int, Progress]) -> None:
    """Write a notice of each change that nobody was told of; what was told once is not told again."""
    live, rebuilt = LIVE.alert_changes, REBUILD.alert_changes
    told = and_(live.c.alert_id == rebuilt.c.alert_id, live.c.n == rebuilt.c.n)
    untold = select(rebuilt).outerjoin(live, told).where(live.c.alert_id.is_(None)).order_by(rebuilt.c.at, rebuilt.c.n)
    for change in conn.execute(untold).mappings().all():
        alerts, subjects = REBUILD.alerts, REBUILD.subjects
        row = conn.execute(
            select(alerts, subjects.c.position_partition)
            .join(subjects, subjects.c.subject_id == alerts.c.subject_id)
            .where(alerts.c.alert_id == change["alert_id"])
        ).mappings().one()  # fmt: skip
        alert = alert_from_row({column.name: row[column.name] for column in alerts.columns})
        alert = alert._replace(state=change["state"], changes=change["n"], rule_version=change["rule_version"])
        held = progress[row["position_partition"]]
        step = Change(alert, change["at"], change["cause"], change["fact_id"], change["person"], change["note"])
        notice = notice_row(held.partition, held.notices + 1, step)
        if conn.scalar(select(func.count()).where(outbox.c.notice_id == notice_id(step))):
            continue
        store(conn, outbox, [notice])
        progress[held.partition] = replace(held, notices=held.notices + 1)
        conn.execute(
            update(partitions)
            .where(partitions.c.topic == held.topic, partitions.c.partition == held.partition)
            .values(notices=held.notices + 1)
        )


def _only_in(table: Table, other: Table) -> Any:  # noqa: ANN401 - a compound select
    return select(*table.columns).except_(select(*(other.c[column.name] for column in table.columns)))


def _key(row: RowMapping, keys: list[str]) -> tuple[Any, ...]:
    return tuple(row[key] for key in keys)


def _clear(conn: Connection) -> None:
    for table in (*REBUILD.derived, rebuild_partitions):
        conn.execute(delete(table))
