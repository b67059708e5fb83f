"""
The preview of delivery: the messages that the receivers and routes of a file would have led to.

It decides on the notices of the outbox again, by the decision that the notifier uses, and writes nothing. It supposes
that each receiver was there from the first notice on, and accepted each message at once.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from events.edtf import parse_instant
from projections.queries.previewed import alerts_about, changed_pages, clearings_between, notices_by_alert
from projections.queries.silences import SilenceRow
from projections.tables.outbox import Outgoing
from services.delivery.config.model import DeliveryConfig, KafkaTopic, Receiver
from services.delivery.message import MessageKind
from services.delivery.planning import Planner, Undecidable, deciding
from services.delivery.routing.decide import DIGEST, SILENCE, WAIT, Decided, Earlier, decide
from services.delivery.routing.notice import Notice
from services.delivery.routing.silence import is_silenced
from services.delivery.surroundings import Surroundings, next_digest, notices_of, surroundings


class Sent(NamedTuple):
    """
    A message that would have been sent.

    Attributes:
        address, kind: as in a decision.
        notice_id: its notice.
        at: when it would have been sent; aware UTC.
        in_digest: whether a digest would have carried it.
        routes: the places in the file of the routes that send it; empty: it goes to an address that was told before.
    """

    address: str
    kind: MessageKind
    notice_id: str
    at: datetime
    in_digest: bool = False
    routes: tuple[int, ...] = ()


class Preview:
    """
    The numbers of messages that would have been sent from *start* to *end*.

    Attributes:
        notices: the number of notices that somebody would have been sent.
        routes: the number of notices of openings that each route sends, by its place in the file.
        kinds: the number of messages, by receiver and kind.
        digests: the number of digests, by receiver.
        undecided: the ids of alerts, and of notices of clearings, that cannot be decided on. They are not counted.
    """

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start = start
        self.end = end
        self.notices = 0
        self.routes: Counter[int] = Counter()
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.digests: Counter[str] = Counter()
        self.undecided: list[str] = []
        self._digests: set[tuple[str, str, datetime]] = set()

    def add(self, sent: Sequence[tuple[str, Sent]]) -> None:
        """Count the messages about one alert or clearing, each with the name of its receiver."""
        counted = [(name, message) for name, message in sent if self.start <= message.at <= self.end]
        self.notices += len({message.notice_id for _, message in counted})
        self.routes.update(
            index for index, _ in {(index, message.notice_id) for _, message in counted for index in message.routes}
        )
        for name, message in counted:
            self.kinds[name, message.kind] += 1
            if message.in_digest and (name, message.address, message.at) not in self._digests:
                self._digests.add((name, message.address, message.at))
                self.digests[name] += 1


def preview(
    conn: Connection, config: DeliveryConfig, start: datetime, end: datetime, advance: Callable[[int], None]
) -> Preview:
    """
    Return the numbers of messages from *start* to *end*, in bounded memory.

    Args:
        conn: a connection that sees one state of the database.
        config: the configuration.
        start: an instant on the clock of the log; aware UTC.
        end: a later one.
        advance: called with the number of alerts that were done since the last call.
    """
    result, simulation = Preview(start, end), _Simulation(conn, config, end)
    for page in changed_pages(conn, start):
        _add_alerts(result, simulation, notices_by_alert(conn, page))
        advance(len(page))
    for clearing, at in clearings_between(conn, start, end):
        try:
            with deciding(conn):
                (notice,) = notices_of(conn, [clearing])
                sent = [*simulation.of_clearing(notice, at)]
        except Undecidable:
            result.undecided.append(clearing.notice_id)
        else:
            result.add(sent)
    return result


def _add_alerts(result: Preview, simulation: "_Simulation", by_alert: Mapping[str, Sequence[Outgoing]]) -> None:
    """Count the messages about some alerts; if one of these cannot be decided on, each is decided on by itself."""
    try:
        with deciding(simulation.conn):
            notices = notices_of(simulation.conn, [row for own in by_alert.values() for row in own])
            sent = [
                simulation.of_alert([notice for notice in notices if notice.alert_id == alert_id])
                for alert_id in by_alert
            ]
    except Undecidable:
        if len(by_alert) == 1:
            result.undecided += by_alert
        else:
            for alert_id, own in by_alert.items():
                _add_alerts(result, simulation, {alert_id: own})
    else:
        for one in sent:
            result.add(one)


class _Simulation:
    """The receivers, and the silences and muted addresses as they are now."""

    def __init__(self, conn: Connection, config: DeliveryConfig, end: datetime) -> None:
        self.conn = conn
        self.end = end
        self.around = surroundings(conn)
        every = config.receivers.values()
        self.receivers = [receiver for receiver in every if not isinstance(receiver.target, KafkaTopic)]
        self.planners = {own.name: Planner(conn.engine, config, own) for own in self.receivers}

    def of_alert(self, notices: Sequence[Notice], until: datetime | None = None) -> list[tuple[str, Sent]]:
        """Return the messages about an alert until an instant, with *notices* in their order."""
        end = until or self.end
        return [(receiver.name, sent) for receiver in self.receivers for sent in self._to(receiver, notices, end)]

    def of_clearing(self, notice: Notice, at: datetime) -> Iterator[tuple[str, Sent]]:
        """Yield the messages of a clearing: to each address that was told of any alert about the person."""
        told = set()
        for person in sorted(notice.facets.subjects):
            for rows in notices_by_alert(self.conn, alerts_about(self.conn, person)).values():
                sent = self.of_alert(notices_of(self.conn, rows), at)
                told |= {(name, message.address) for name, message in sent if message.at <= at}
        kind: MessageKind = "cleared" if notice.kind == "cleared" else "cleared_withdrawn"
        for name, address in sorted(told):
            yield name, Sent(address, kind, notice.notice_id, at)

    def _to(self, receiver: Receiver, notices: Sequence[Notice], end: datetime) -> Iterator[Sent]:
        written: list[tuple[Earlier, Sent]] = []
        dropped: set[int] = set()
        for notice in notices:
            at = parse_instant(notice.content["life"][-1]["at"])
            if at > end:
                break
            around = self._around(at)
            earlier = [
                own._replace(is_told=sent.at <= at, is_waiting=sent.at > at)
                for own, sent in written
                if own.number not in dropped
            ]
            meets = self.planners[receiver.name].audience(notice, around, at)
            decision = decide(notice, meets, earlier, at)
            dropped |= {number for number, _ in decision.dropped}
            for message in decision.messages:
                sent = self._sent(receiver, notice, message, at)
                if message.kind == "open":
                    sent = sent._replace(routes=tuple(route.index for route in meets.routes))
                number = len(written)
                own = Earlier(number, message.address, message.kind, is_waiting=True, is_told=False)
                written.append((own._replace(not_before=message.not_before), sent))
        yield from (sent for own, sent in written if own.number not in dropped)

    def _sent(self, receiver: Receiver, notice: Notice, message: Decided, at: datetime) -> Sent:
        """Return *message* with the instant at which it goes, unless the alert ends before."""
        when, in_digest = at, message.why == DIGEST
        if message.why == WAIT and message.not_before is not None:
            when = message.not_before
        if message.why in {WAIT, SILENCE}:
            when = self._after_silences(notice, when)
        if message.why in {WAIT, SILENCE, DIGEST} and (digest_at := next_digest(receiver, when)):
            when, in_digest = digest_at, True
        return Sent(message.address, message.kind, notice.notice_id, when, in_digest)

    def _after_silences(self, notice: Notice, at: datetime) -> datetime:
        """Return the first instant from *at* on at which no silence holds *notice*."""
        ends = sorted(over for silence in self.around.silences if (over := _over(silence)) > at)
        instants = (
            instant for instant in (at, *ends) if not is_silenced(notice, self._around(instant).silences, instant)
        )
        return next(instants)

    def _around(self, at: datetime) -> Surroundings:
        """Return the silences that held at an instant, and the addresses that are muted now."""
        held = [
            silence._replace(ended=None) for silence in self.around.silences if silence.since <= at < _over(silence)
        ]
        return Surroundings(held, self.around.muted)


def _over(silence: SilenceRow) -> datetime:
    return min(silence.until, silence.ended.at) if silence.ended else silence.until
