"""A write beside the projector of a partition: an acknowledgement, a replay or a dismissal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import Checkpoint, lock
from projections.tables.database import write_transaction
from projections.tables.ledger_rows import rules_in_force
from projections.tables.schema import TOPIC

from .partition_writer import PartitionWriter


class SideWriter(PartitionWriter):
    """
    Writes under the lock of the partition's row, and does not raise its epoch. The projector continues undisturbed.

    Conclusions follow the rules in force in the partition. The projector notices the new rows of the ledger with its
    next batch, and drops the people concerned from memory.

    Args:
        engine: the database.
        partition: the partition's number.
        topic: the log's topic.
        home: the partition to which a key belongs; a log with one partition needs none.
    """

    def __init__(
        self, engine: Engine, partition: int, *, topic: str = TOPIC, home: Callable[[bytes], int] | None = None
    ) -> None:
        super().__init__(engine, Checkpoint(topic, partition), Rulebook(()), home)

    @contextmanager
    def transaction(self) -> Iterator[tuple[Connection, Checkpoint]]:
        """Begin a write on top of the rows that stand in the partition."""
        with write_transaction(self.engine) as conn:
            (start,) = lock(conn, [self.checkpoint])
            assert start is not None, "the partition has been projected"
            self.deriver.invalidate()
            self.deriver.rulebook = rules_in_force(conn, start.partition)
            self.deriver.rules_since = start.rules_since
            yield conn, start
