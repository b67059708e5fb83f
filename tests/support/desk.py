"""A partition whose rules change: facts, time, acknowledgements, and the notices that receivers get."""

from typing import Any

from sqlalchemy import Engine

from projections.projector.projector import Projector
from projections.projector.rebuild import rebuild
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.pattern import Rule
from projections.rules.patterns.sequence import SequenceRule
from projections.rules.rulebook import Rulebook
from projections.tables.schema import LIVE, outbox
from tests.support.builders import Line, Row, database, instant, project, rows

DAY = 86_400
SAID = "{name} was dismissed; no custody is known."
FOLLOWED = "{name} was {anchor.type}, then {then.type}."


def silence(**changes: Any) -> AbsenceRule:
    """Return the rule that nobody was detained in the 30 days after a dismissal, with *changes*."""
    keys = {"id": "silence", "title": "Silence", "on": ["Dismissed"], "absent": ["Detained"], "for": 30 * DAY}
    return AbsenceRule.model_validate(keys | {"explain": SAID} | changes)


def sequence(**changes: Any) -> SequenceRule:
    """Return the rule that somebody was detained in the 60 days after a dismissal, with *changes*."""
    keys = {"id": "sequence", "title": "Sequence", "on": ["Dismissed"], "then": ["Detained"], "within": 60 * DAY}
    return SequenceRule.model_validate(keys | {"explain": FOLLOWED} | changes)


class Desk:
    """
    One partition under *rules*, which can change.

    Args:
        rules: the first rules.
        engine: the database; None: a new one in memory.

    Attributes:
        held: the projector.
    """

    def __init__(self, *rules: Rule, engine: Engine | None = None) -> None:
        self.engine = engine or database()
        self.held = Projector(self.engine, Rulebook(rules))
        self.held.assign(instant("2022-01-01"))

    def rules(self, *rules: Rule, tell_backfilled: bool = False) -> "Desk":
        """Put other *rules* in force."""
        self.held = Projector(self.engine, Rulebook(rules), tell_backfilled=tell_backfilled)
        self.held.assign(instant("2022-01-01"))
        return self

    def facts(self, *lines: Line) -> "Desk":
        """Project *lines*."""
        project(self.held, lines)
        return self

    def time(self, at: str) -> "Desk":
        """Advance the watermark to *at*."""
        self.held.advance_watermark(instant(at), instant(at))
        return self

    def seen(self) -> "Desk":
        """Acknowledge every alert, as kim."""
        for alert in self.alerts():
            self.held.acknowledge(alert["alert_id"], alert["subject_id"], "kim", "asked", instant("2022-06-01"))
        return self

    def alerts(self) -> list[Row]:
        """Return the rows of ``alerts``."""
        return rows(self.engine, LIVE.alerts)

    def alert(self) -> Row:
        """Return the only alert."""
        (alert,) = self.alerts()
        return alert

    def life(self) -> list[tuple[str, str]]:
        """Return the state and cause of each change of the only alert, in order."""
        self.alert()
        return [(row["state"], row["cause"]) for row in rows(self.engine, LIVE.alert_changes)]

    def told(self) -> list[str]:
        """Return the states that receivers were told, in order. They are the changes that are marked as told."""
        notices = [row["notice"]["life"][0]["state"] for row in rows(self.engine, outbox) if row["kind"] == "notice"]
        marked = [row["state"] for row in rows(self.engine, LIVE.alert_changes) if row["told"]]
        assert sorted(notices) == sorted(marked)
        return notices

    def rebuilt(self) -> "Desk":
        """Check that a rebuild changes nothing and sends nothing."""
        before = rows(self.engine, outbox)
        assert [] == rebuild(self.engine, Rulebook(()), lambda _: None)
        assert before == rows(self.engine, outbox)
        return self
