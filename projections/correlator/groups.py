"""The groups of rules that count, in memory: each with its contributions and its episodes."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from projections.across.runs import GroupChange, GroupRuns
from projections.rules.patterns.across import CountRule
from projections.tables.schema import Conclusions

from .recording import Counted, Moves, counted_from


@dataclass
class Group:
    """
    A group in memory.

    Attributes:
        runs: its episodes.
        cleared: by fact that contributes, whether its person was cleared of it since.
    """

    runs: GroupRuns
    cleared: dict[str, bool]

    def move(self, moves: Moves) -> GroupChange:
        """Apply the moves of one step; return the change of the episodes."""
        for one in moves.gone:
            del self.cleared[one.held.fact_id]
        self.cleared |= {one.held.fact_id: one.cleared for one in moves.come}
        gone, come = [one.held for one in moves.gone], [one.held for one in moves.come]
        # If only its person's clearing changed, an event makes no difference to the episodes.
        same = {one.fact_id for one in gone if one in come}
        return self.runs.change(
            [one.fact_id for one in gone if one.fact_id not in same], [one for one in come if one.fact_id not in same]
        )


class Groups:
    """
    The groups that were used last.

    Args:
        tables: the tables of conclusions.
        limit: the number of contributions to keep.
    """

    def __init__(self, tables: Conclusions, limit: int) -> None:
        self.tables = tables
        self.limit = limit
        self._groups: OrderedDict[tuple[str, str], Group] = OrderedDict()
        self._held = 0

    def moved(self, conn: Connection, rule: CountRule, key: str, moves: Moves) -> tuple[Group, GroupChange]:
        """Return a group after *moves*, which are not written yet, and the change of its episodes."""
        group = self._groups.pop((rule.id, key), None)
        if group is None:
            held = self._read(conn, rule, key)
            group = Group(GroupRuns(rule, [one.held for one in held]), {one.held.fact_id: one.cleared for one in held})
        else:
            self._held -= len(group.cleared)
        change = group.move(moves)
        self._groups[rule.id, key] = group
        self._held += len(group.cleared)
        return group, change

    def trim(self) -> None:
        """Drop the groups that were not used for longest, once all moves are written."""
        while self._held > self.limit and len(self._groups) > 1:
            _, dropped = self._groups.popitem(last=False)
            self._held -= len(dropped.cleared)

    def all_of(self, conn: Connection, rule: CountRule, key: str) -> tuple[Group, GroupChange]:
        """Return a group, with the change that all its contributions came."""
        group = Group(GroupRuns(rule), {})
        return group, group.move(Moves([], self._read(conn, rule, key)))

    def keys(self, conn: Connection, rule: CountRule) -> Sequence[str]:
        """Return the keys of all groups of *rule*, and of its alerts."""
        keys: set[str] = set()
        for table in (self.tables.contributions, self.tables.alerts):
            query = select(table.c.group_key).where(table.c.rule == rule.id, table.c.group_key.is_not(None))
            keys |= set(conn.scalars(query.distinct()))
        return sorted(keys)

    def forget(self) -> None:
        """Drop all groups: a write was rolled back, or another correlator was at work."""
        self._groups.clear()
        self._held = 0

    def _read(self, conn: Connection, rule: CountRule, key: str) -> list[Counted]:
        table = self.tables.contributions
        query = select(table).where(table.c.rule == rule.id, table.c.group_key == key)
        return [counted_from(row) for row in conn.execute(query)]
