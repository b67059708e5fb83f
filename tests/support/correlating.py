"""Rules across people, people in several partitions, and every interleaving of projectors and correlator."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sqlalchemy import Engine

from projections.correlator.correlator import Correlator
from projections.projector.projector import Projector
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.rulebook import Rulebook
from projections.tables.across import evidence_of_alerts
from projections.tables.schema import LIVE, Conclusions
from tests.support.builders import appointed, database, detained, instant, records, rows, stated
from tests.support.reading import Line

if TYPE_CHECKING:
    from projections.ledger.chain import LogRecord

TOPIC = "across"
DAY = 86_400


def counting(**changes: Any) -> CountRule:
    """Return a rule that counts the people of one agency who were detained or arrested within 90 days."""
    return CountRule.model_validate(
        {
            "id": "officials",
            "title": "Officials of one agency",
            "on": ["Detained", "Arrested"],
            "count": {"distinct": "subject", "at_least": 3, "by": "agency", "within": 90 * DAY},
            "explain": "{count} officials of {group} were detained between {first.occurred} and {last.occurred}.",
            **changes,
        }
    )


def related(**changes: Any) -> OfRule:
    """Return a rule about a relative who is sought or detained within 180 days of a detention."""
    return OfRule.model_validate(
        {
            "id": "relatives",
            "title": "Relatives",
            "on": ["Detained", "Arrested"],
            "then": ["Wanted", "Detained", "Arrested"],
            "of": ["sibling", "spouse", "parent", "child", "relative"],
            "within": 180 * DAY,
            "over": ["Released"],
            "explain": "{name} was {anchor.type} ({anchor.occurred}); {then.relation} {then.name} was {then.type}.",
            **changes,
        }
    )


ACROSS = Rulebook((counting(), related()))


def home(partitions: int) -> Callable[[bytes], int]:
    """Return the function that spreads keys over a number of *partitions*."""
    return lambda key: crc32(key) % partitions


class House:
    """
    Projectors of some partitions and one correlator over one database.

    Args:
        partitions: the number of partitions.
        engine: the database; a new one in memory by default.
        rules: the rules.
        rows: about the number of rows that the correlator reads at once.
    """

    def __init__(
        self, partitions: int = 1, engine: Engine | None = None, rules: Rulebook = ACROSS, rows: int = 4000
    ) -> None:
        self.engine = engine or database()
        self.rules = rules
        self.rows = rows
        self.home = home(partitions)
        self.projectors = [
            Projector(self.engine, rules, number, topic=TOPIC, home=self.home) for number in range(partitions)
        ]
        for projector in self.projectors:
            projector.assign(instant("2020-01-01"))
        self.correlator = self.correlate()

    def correlate(self, *, tell_backfilled: bool = False) -> Correlator:
        """Return another correlator, which takes the place of the one before."""
        correlator = Correlator(self.engine, self.rules, topic=TOPIC, rows=self.rows, tell_backfilled=tell_backfilled)
        correlator.assign(instant("2020-01-01"))
        return correlator

    def project(self, lines: Iterable[Line]) -> None:
        """Project *lines*, each in the partition of its person, with the correlator left behind."""
        split: dict[int, list[Line]] = {}
        for line in lines:
            split.setdefault(self.home(line["subject"].encode()), []).append(line)
        for number, own in split.items():
            self.project_in(number, own)

    def project_in(self, number: int, lines: Sequence[Line]) -> None:
        """Project *lines* in one partition."""
        projector = self.projectors[number]
        batch: list[LogRecord] = records(lines, projector.checkpoint.position)
        projector.project([record._replace(topic=TOPIC, partition=number) for record in batch], instant("2030"))

    def declare(self, until: str | datetime) -> None:
        """Declare the watermark *until* in every partition."""
        at = instant(until) if isinstance(until, str) else until
        for projector in self.projectors:
            projector.advance_watermark(at, at)

    def judge(self, lines: Iterable[Line], until: str) -> "House":
        """Project *lines*, declare *until* and judge everything."""
        self.project(lines)
        self.declare(until)
        self.correlator.catch_up(instant("2030"))
        return self

    def alerts(self, tables: Conclusions = LIVE) -> list[dict[str, Any]]:
        """Return the rows of alerts with their evidence and their changes."""
        alerts = rows(self.engine, tables.alerts)
        with self.engine.connect() as conn:
            evidence = evidence_of_alerts(conn, tables.alert_evidence, [alert["alert_id"] for alert in alerts])
        for alert in alerts:
            own = alert["alert_id"]
            alert["evidence"], alert["people"] = map(list, evidence[own])
            alert["life"] = [
                (r["state"], r["at"], r["cause"], r["fact_id"], r["told"])
                for r in rows(self.engine, tables.alert_changes)
                if r["alert_id"] == own
            ]
        return alerts


def life(alert: dict[str, Any]) -> list[str]:
    """Return the life of an alert as words: state, day and cause."""
    return [f"{state} {at:%Y-%m-%d} {cause}" for state, at, cause, _, _ in alert["life"]]


def siblings(day: str = "2022-02-20") -> Line:
    """Return the fact that b is a sibling of a, recorded on *day*."""
    return stated(
        "RelationAsserted", day, subject="a", id="kin", other="b", relation="sibling", recorded=f"{day}T12:00:00Z"
    )


def ministry(people: str) -> list[Line]:
    """Return facts of as many officials of one ministry, each detained on another day."""
    keys = {"agency": "Ministry", "jurisdiction": "KZ", "recorded": "2022-01-01T00:00:00Z"}
    posts = [appointed("2021-05-01", subject=one, post=f"post {one}", **keys) for one in people]
    days = [f"2022-02-{1 + 4 * number:02}" for number in range(len(people))]
    return [
        *posts,
        *(detained(day, subject=one, recorded=f"{day}T12:00:00Z") for one, day in zip(people, days, strict=True)),
    ]
