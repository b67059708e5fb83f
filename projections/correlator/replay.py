"""The correlator's conclusions, computed again from the ledger, for a rebuild or a backtest."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Engine

from events.errors import Infrastructure
from projections.alerts.acknowledgement import KINDS
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import Checkpoint
from projections.tables.database import write_transaction
from projections.tables.ledger_rows import entries_after, rules_at, rules_of, tells_backfilled
from projections.tables.schema import CORRELATOR, LIVE, REBUILD, TOPIC

from .chain_entries import acknowledgement_in, across_only, horizon_in, old_before
from .keeping import acknowledge_alert
from .stepper import CACHE_FACTS, Stepper


class Replay:
    """
    Steps the twins through the ledger, and applies each row of the correlator's chain at the horizon that it names.

    Args:
        conn: a connection.
        reached: the progress so far; its watermark is the instant before which every step is taken.
        cache_facts: the number of facts to keep in memory.
    """

    def __init__(self, conn: Connection, reached: Checkpoint, cache_facts: int = CACHE_FACTS) -> None:
        rules = rules_at(conn, CORRELATOR, reached.seq) or Rulebook(())
        self._stepper = Stepper(across_only(rules), REBUILD, reached.topic, cache_facts=cache_facts)
        self._stepper.old_before = old_before(conn)

    def batch(self, conn: Connection, live: Checkpoint, reached: Checkpoint) -> Checkpoint:
        """
        Take the next steps, or apply the next row of the chain.

        Args:
            conn: a transaction that writes.
            live: the correlator's row; the replay ends there.
            reached: the progress so far.

        Returns:
            the progress after that; *reached* itself at the end.
        """
        entry = next(iter(entries_after(conn, CORRELATOR, reached.seq, 1)), None)
        if entry is None and reached.seq < live.seq:
            what = f"the ledger ends at row {reached.seq}, but row {live.seq} was written"
            raise Infrastructure(what, "run `casetrail audit verify`", f"partition {CORRELATOR}")
        target = live.watermark if entry is None else horizon_in(entry)
        if target is not None and (reached.watermark is None or reached.watermark < target):
            return replace(reached, watermark=self._stepper.advance(conn, reached.watermark, target).until)
        if entry is None:
            return reached
        if entry.entry == "rules":
            before, after = rules_at(conn, CORRELATOR, reached.seq) or Rulebook(()), across_only(rules_of(entry))
            tells = tells_backfilled(entry) is True
            self._stepper.change_rules(conn, before, after, reached.watermark, tells_backfilled=tells)
        elif entry.entry in KINDS:
            acknowledge_alert(conn, REBUILD, acknowledgement_in(entry))
        # Nothing is concluded from a silence.
        return replace(reached, seq=entry.seq)


def judge_from_the_beginning(
    engine: Engine, rulebook: Rulebook, until: datetime, cache_facts: int = CACHE_FACTS
) -> None:
    """
    Take every step before *until* with the same rules in force, for a backtest: nothing is held, and nobody is told.

    Args:
        engine: the database of the backtest. It has no conclusions across people yet.
        rulebook: the rules; only those across people are read.
        until: all partitions in it have been read up to there. Aware UTC.
        cache_facts: the number of facts to keep in memory.
    """
    if not rulebook.across:
        return
    stepper = Stepper(across_only(rulebook), LIVE, TOPIC, cache_facts=cache_facts)
    reached: datetime | None = None
    while reached is None or reached < until:
        with write_transaction(engine) as conn:
            reached = stepper.advance(conn, reached, until).until
