"""A write beside a partition's projector, which goes on undisturbed: an acknowledgement, a replay, a dismissal."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, select

from .database import writing
from .progress import Progress, lock
from .projector import Projector
from .rulebook import Rulebook
from .tables import TOPIC, ledger


class Visitor(Projector):
    """
    Writes on top of whatever stands in the partition, under the lock of its row, and does not raise its epoch.

    Conclusions are drawn by the rules in force in the partition. Whoever holds the partition notices the new rows
    of the ledger by its next batch, and forgets what it kept of the people they are about.

    Args:
        engine: the database.
        partition: the partition's number.
        topic: the log's topic.
        home: the partition to which a key belongs; a log with one partition needs none.
    """

    def __init__(
        self, engine: Engine, partition: int, *, topic: str = TOPIC, home: Callable[[bytes], int] | None = None
    ) -> None:
        super().__init__(engine, Rulebook(()), partition, topic=topic, home=home)

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, Progress]]:
        with writing(self.engine) as conn:
            (start,) = lock(conn, [self.held])
            assert start is not None, "what is visited has been projected"
            self.concluder.forget()
            self.concluder.rulebook = rules_in_force(conn, self.held.partition)
            self.concluder.rules_since = start.rules_since
            yield conn, start


def rules_in_force(conn: Connection, partition: int) -> Rulebook:
    """Return the rules in force in *partition*: none before it was first assigned to a projector."""
    last = (
        select(ledger.c.value)
        .where(ledger.c.partition == partition, ledger.c.entry == "rules")
        .order_by(ledger.c.seq.desc())
        .limit(1)
    )
    value = conn.scalar(last)
    return Rulebook.from_json(json.loads(value)["rules"]) if value else Rulebook(())
