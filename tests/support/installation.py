"""An installation with receivers: its folder, its database, the commands on it, and all that its service logs."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any

import standardwebhooks
from sqlalchemy import update

from projections.tables.database import open_database, write_transaction
from projections.tables.delivery.schema import deliveries, receivers
from services.database import migrate
from tests.support.builders import Line, Row, rows
from tests.support.commands import SECONDS, Running, ndjson, run, start
from tests.support.mail import LOGIN, SENDER
from tests.support.waiting import wait_until
from tests.support.webhook_server import Server
from tests.support.webhooks import SECRET

CONFIGURATION = """\
receivers:
  desk-hook: {{webhook: "{hook}", secret: DESK, allow: [127.0.0.0/8]}}
  desk-mail:
    {{mail: [desk@example.org], smtp: "smtp://127.0.0.1:{mail}", from: {sender}, user: {user}, password: MAIL,
     allow: [127.0.0.0/8]}}
routes:
  - to: [desk-hook, desk-mail]
    rule: dismissal-before-arrest
"""


class Installation:
    """
    A folder with `delivery.yaml`, for a webhook and a mail receiver, and a migrated database.

    Args:
        folder: an empty folder.
        url: the address of an empty database.
        hook: the URL of the webhook.
        mail: the port of the mail server.

    Attributes:
        logged: all that the services wrote to their logs.
    """

    def __init__(self, folder: Path, url: str, hook: str, mail: int) -> None:
        self.folder = folder
        self.engine = open_database(url)
        self.logged = b""
        self._published = 0
        self.env = {
            "CASETRAIL_DATABASE_URL": url,
            "CASETRAIL_SECRET_DESK": SECRET,
            "CASETRAIL_SECRET_MAIL": LOGIN.password,
            "CASETRAIL_LOG_LEVEL": "debug",
            "CASETRAIL_METRICS_PORT": "0",
        }
        migrate(self.engine)
        text = CONFIGURATION.format(hook=hook, mail=mail, sender=SENDER, user=LOGIN.user)
        (folder / "delivery.yaml").write_text(text, "utf-8")

    def command(self, words: str) -> str:
        """Run a command to its success, and return its output."""
        done = run(words, self.folder, env=self.env)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def publish(self, *facts: Line) -> None:
        """Publish *facts*."""
        self._published += 1
        path = self.folder / f"facts-{self._published}.ndjson"
        path.write_text("".join(f"{json.dumps(fact)}\n" for fact in facts), "utf-8")
        self.command(f"publish {path.name}")

    @contextmanager
    def running(self, words: str = "run") -> Iterator[Running]:
        """Run a service during the block, and keep its log. It is killed at the end, if it did not end before."""
        with start(words, self.folder, self.env) as service:
            reader = Thread(target=self._keep, args=(service,))
            reader.start()
            try:
                yield service
            finally:
                service.process.kill()
                reader.join()

    def served_by(self, service: Running) -> None:
        """Wait until *service* or another one serves both receivers: a new one begins at the end of the outbox."""

        def is_served() -> bool:
            assert service.process.poll() is None, self.logged.decode()
            return {"desk-hook", "desk-mail"} == {row["receiver"] for row in rows(self.engine, receivers)}

        wait_until(is_served)

    def lose_ownership(self) -> None:
        """Let the minute pass for which a notifier owns its receivers without a sign of life."""
        with write_transaction(self.engine) as conn:
            conn.execute(update(receivers).values(owned_until=datetime(2000, 1, 1, tzinfo=UTC)))

    def messages(self, receiver: str) -> list[Row]:
        """Return the messages to *receiver*, in their order."""
        own = [row for row in rows(self.engine, deliveries) if row["receiver"] == receiver]
        return sorted(own, key=lambda row: row["number"])

    def metrics(self) -> str:
        """Return the metrics of the service that was started last."""
        entries = [entry for entry in ndjson(self.logged.decode()) if entry["event"] == "metrics_served"]
        with closing(HTTPConnection(entries[-1]["address"], entries[-1]["port"], timeout=SECONDS)) as connection:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()

    def _keep(self, service: Running) -> None:
        while part := service.stderr.read(65_536):
            self.logged += part


def stop(service: Running) -> None:
    """End *service* cleanly."""
    service.process.terminate()
    assert 0 == service.process.wait(60)


def verified(hook: Server) -> Sequence[tuple[str, Any]]:
    """Return the id and the body of each request that arrived, after the check of its signature."""
    library = standardwebhooks.Webhook(SECRET)
    return [
        (request.headers["webhook-id"], library.verify(request.body, dict(request.headers.items())))
        for request in hook.requests
    ]
