"""A write beside a partition's projector, which goes on undisturbed: an acknowledgement, a replay, a dismissal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import Checkpoint, lock
from projections.tables.database import writing
from projections.tables.ledger_rows import rules_in_force
from projections.tables.schema import TOPIC

from .projector import Projector


class SideWriter(Projector):
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
    def _transaction(self) -> Iterator[tuple[Connection, Checkpoint]]:
        with writing(self.engine) as conn:
            (start,) = lock(conn, [self.held])
            assert start is not None, "what is visited has been projected"
            self.concluder.forget()
            self.concluder.rulebook = rules_in_force(conn, self.held.partition)
            self.concluder.rules_since = start.rules_since
            yield conn, start
