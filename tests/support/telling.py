"""A receiver in memory, an outbox written by hand, and a notifier with a clock of its own."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, delete, insert, update

from projections.alerts.alert import Alert
from projections.tables.bulk import store
from projections.tables.database import write_transaction
from projections.tables.delivery.schema import deliveries, delivery_people, receivers
from projections.tables.schema import LIVE, ledger, outbox, partitions, relays
from services.delivery.composing import Composer
from services.delivery.config.model import DeliveryConfig, Receiver, Route
from services.delivery.message import Attempt, Message
from services.delivery.operational import Weeks
from services.delivery.planning import Planner
from services.delivery.receiver_worker import ReceiverWorker
from services.delivery.sending import Sender
from tests.support.builders import database

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
ACCEPTED = Attempt("delivered", "250 ok", sent_whole=True)
UNREACHABLE = Attempt("failed", "connection refused", sent_whole=False)
UNANSWERED = Attempt("failed", "no answer", sent_whole=True)
NOT_NOW = Attempt("rejected", "422", sent_whole=True)
NEVER = Attempt("impossible", "550", sent_whole=False)


class Killed(BaseException):
    """
    The notifier is killed during a try.

    Args:
        sent_whole: whether the receiver has the whole message by then.
    """

    def __init__(self, *, sent_whole: bool) -> None:
        self.sent_whole = sent_whole


class Inbox:
    """
    A receiver that keeps the messages that reach it.

    Attributes:
        answers: the answers to the next tries; then it accepts all.
        messages: the messages that reached it whole, in their order.
        on_try: called with each message that is tried and the answer to it.
    """

    def __init__(self) -> None:
        self.answers: list[Attempt | Killed] = []
        self.messages: list[Message] = []
        self.on_try: Callable[[Message, Attempt | Killed], None] | None = None

    def compose(self, message: Message) -> bytes | None:
        """Return the notices of a digest or a summary, as a mail would hold them."""
        return json.dumps(message.data["notices"]).encode() if "notices" in message.data else None

    def send(self, message: Message) -> Attempt:
        """Keep *message*, if the next answer says that it was sent whole."""
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if self.on_try is not None:
            self.on_try(message, answer)
        if answer.sent_whole:
            self.messages.append(message)
        if isinstance(answer, Killed):
            raise answer
        return answer

    def close(self) -> None:
        """Do nothing."""


def emptied(engine: Engine) -> Engine:
    """Return *engine* without the rows of an earlier desk."""
    with write_transaction(engine) as conn:
        for table in (deliveries, delivery_people, receivers, relays, outbox, partitions, ledger):
            conn.execute(delete(table))
    return engine


class Desk:
    """
    A database with an outbox, one receiver, and notifiers that serve it.

    Args:
        receiver: the receiver.
        routes: its routes.
        engine: an empty database; None: a new one in memory.
        operators: the receivers that are told of failures.
    """

    def __init__(
        self,
        receiver: Receiver,
        routes: Sequence[Route],
        engine: Engine | None = None,
        operators: tuple[str, ...] = (),
    ) -> None:
        self.engine = engine or database()
        self.operators = operators
        self.receiver = receiver
        self.routes = tuple(routes)
        self.inbox = Inbox()
        self.now = START
        self._count = 0
        with write_transaction(self.engine) as conn:
            values = dict.fromkeys(("position", "epoch", "seq", "notices", "read", "applied"), 0)
            values |= dict.fromkeys(("duplicate", "conflict", "parked", "forwarded"), 0)
            conn.execute(insert(partitions).values(topic="t", partition=0, hash="", **values))
        self.worker = self.start()
        self.settle()
        with write_transaction(self.engine) as conn:
            conn.execute(update(receivers).values(added_at=START))

    def start(self, owner: str = "one") -> ReceiverWorker:
        """Return a notifier with the present configuration."""
        config = DeliveryConfig({self.receiver.name: self.receiver}, self.routes, operators=self.operators)
        sender = Sender(self.engine, self.inbox, Composer(self.receiver), lambda: self.now)
        planner, weeks = Planner(self.engine, config, self.receiver), Weeks(ZoneInfo("UTC"), "t")
        return ReceiverWorker(self.engine, owner, planner, sender, weeks)

    def restart(self, owner: str) -> None:
        """Start another notifier with the present configuration, once the one before has lost the receiver."""
        with write_transaction(self.engine) as conn:
            conn.execute(update(receivers).values(owned_until=datetime(2000, 1, 1, tzinfo=UTC)))
        self.worker = self.start(owner)

    def notice(self, alert: str, state: str, subject: str = "p", **content: Any) -> str:
        """Write the notice of a change of *alert* into the outbox; return its id."""
        change = {"state": state, "at": "2026-01-05T12:00:00Z", "cause": "deadline", "fact_id": None}
        body = {
            "alert_id": alert,
            "rule": "r",
            "rule_version": "1",
            "severity": "warning",
            "subject_id": subject,
            "state": state,
            "anchor": "f",
            "evidence": [],
            "group_by": None,
            "group": None,
            "subjects": [subject],
            "in_doubt": False,
            "unread": 0,
            "explanation": f"{alert} {state}",
            "life": [change],
            "trial": False,
        }
        return self._write("notice", body | content, alert, subject)

    def cleared(self, subject: str, kind: str = "cleared", **content: Any) -> str:
        """Write the notice that *subject* is cleared into the outbox; return its id."""
        body = {"subject_id": subject, "subjects": [subject], "fact_id": None}
        return self._write(kind, body | content, None, subject)

    def stand(self, alert: str, state: str) -> None:
        """Write the row of *alert*, in *state*."""
        known = Alert(
            alert_id=alert,
            rule="r",
            rule_version="1",
            severity="warning",
            subject_id="p",
            state=state,
            anchor="f",
            evidence=(),
            explanation="s",
            changes=1,
            opened_at=self.now,
            changed_at=self.now,
            first_anchor="f",
            trial=False,
            told=True,
            said="s",
        )
        with write_transaction(self.engine) as conn:
            store(conn, LIVE.alerts, [known], replace=True)

    def read_up_to(self, watermark: datetime) -> None:
        """Set the watermark of the partition."""
        with write_transaction(self.engine) as conn:
            conn.execute(update(partitions).values(watermark=watermark))

    def settle(self, turns: int = 50) -> None:
        """Let the notifier work until it has nothing more to do now."""
        for _ in range(turns):
            if not self.worker.turn(lambda: True):
                return

    def wait(self, **time: float) -> None:
        """Let time pass, and the notifier work."""
        self.now += timedelta(**time)
        self.settle()

    def sent(self) -> list[tuple[str, str]]:
        """Return the kind and the alert of each message that arrived whole, in their order."""
        return [(message.kind, (message.alert or {}).get("alert_id", "")) for message in self.inbox.messages]

    def _write(self, kind: str, content: Mapping[str, Any], alert: str | None, subject: str) -> str:
        self._count += 1
        own = str(uuid5(NAMESPACE_URL, str(self._count)))
        with write_transaction(self.engine) as conn:
            row = {"partition": 0, "n": self._count, "kind": kind, "notice_id": own, "subject_id": subject}
            conn.execute(insert(outbox).values(**row, alert_id=alert, notice={**content, "notice_id": own}))
            conn.execute(update(partitions).values(notices=self._count))
        return own
