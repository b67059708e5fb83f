"""The clearing of a person, and its end: a change of the presumption that everybody told of an alert is told."""

from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from events.facts import Fact
from projections.history.corrections import ABOUT_FACTS

ClearingKind: TypeAlias = Literal["cleared", "cleared_withdrawn"]


class Clearing(NamedTuple):
    """
    A change of the presumption of a person to *cleared*, or from it.

    Attributes:
        subject_id: the person.
        at: the instant of the log's clock.
        cause: world_changed, late_knowledge, corrected, retracted, or rebuilt.
        fact_id: the fact that brought it about; None: a rebuild did.
        presumption: the presumption after it.
    """

    subject_id: str
    at: datetime
    cause: str
    fact_id: str | None
    presumption: str

    @property
    def kind(self) -> ClearingKind:
        """The kind of its notice."""
        return "cleared" if self.presumption == "cleared" else "cleared_withdrawn"


def clearing_cause(fact: Fact | None, *, late: bool) -> str:
    """
    Return the cause of a clearing, in the words of the causes of alerts.

    Args:
        fact: the fact that brought it about, if one did.
        late: whether the fact changed something before the last event in world order.
    """
    if fact is not None and fact.type in ABOUT_FACTS:
        return fact.type.lower()
    return "late_knowledge" if late else "world_changed"
