"""A folder with `delivery.yaml` and a database, whose receivers are in memory, for commands about deliveries."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from projections.tables.delivery.schema import deliveries
from services.delivery.composing import Composer
from services.delivery.config.loading import load_delivery
from services.delivery.operational import Weeks
from services.delivery.planning import Planner
from services.delivery.receiver_worker import ReceiverWorker
from services.delivery.sending import Sender
from tests.support import builders
from tests.support.builders import Line, Row, instant, rows
from tests.support.reading import answer, database_with
from tests.support.telling import Inbox

MAIL = """\
receivers:
  desk: {mail: [ann@desk.example, ben@desk.example], from: c@desk.example, smtp: "smtp://mail.example"}
  chat: {webhook: "https://chat.example/", secret: CHAT}
routes:
  - {to: desk}
  - {to: chat, rule: dismissal-before-arrest}
"""
"""Two receivers: one of mail that gets everything, and a webhook that gets the alerts of one rule."""


class Served:
    """
    The receivers of *text*, each served by a notifier in this process, and facts that open alerts.

    Args:
        folder: an empty folder.
        text: the content of `delivery.yaml`.

    Attributes:
        inboxes: the receivers in memory, by their names.
        now: the notifiers' clock.
    """

    def __init__(self, folder: Path, text: str = MAIL) -> None:
        self.folder = folder
        self.engine = database_with(folder)
        self.projector = builders.projector(self.engine)
        self.now = datetime.now(UTC)
        self.configure(text)
        self.inboxes = {name: Inbox() for name in self.config.receivers}
        self.workers = [self._worker(name) for name in self.inboxes]
        self.settle()

    def configure(self, text: str) -> None:
        """Write another `delivery.yaml`, which the commands read, and the notifiers do not."""
        (self.folder / "delivery.yaml").write_text(text, "utf-8")
        self.config = load_delivery(self.folder / "delivery.yaml")

    def project(self, *lines: Line, until: str | None = None) -> "Served":
        """Project *lines*, advance the watermark to *until*, and let the notifiers work."""
        if lines:
            builders.project(self.projector, lines)
        if until:
            self.projector.advance_watermark(instant(until), instant(until))
        return self.settle()

    def settle(self, **time: float) -> "Served":
        """Let *time* pass, and let the notifiers work until they have nothing more to do."""
        self.now += timedelta(**time)
        for worker in self.workers:
            while worker.turn(lambda: True):
                pass
        return self

    def rows(self) -> list[Row]:
        """Return the rows of ``deliveries``, in the order of their receivers and numbers."""
        return rows(self.engine, deliveries)

    def shown(self, own: str, *names: str) -> list[Any]:
        """Return the values of *names* in each message that `delivery show` prints."""
        return [tuple(row[name] for name in names) for row in answer(f"delivery show {own}", self.folder)]

    def _worker(self, name: str) -> ReceiverWorker:
        receiver = self.config.receivers[name]
        sender = Sender(self.engine, self.inboxes[name], Composer(receiver), lambda: self.now)
        planner = Planner(self.engine, self.config, receiver)
        return ReceiverWorker(self.engine, "one", planner, sender, Weeks(ZoneInfo("UTC"), "t"))
