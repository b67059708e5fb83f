"""The real service with a real webhook and a real mail server, over kills, trouble and takeovers."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.tables.delivery.schema import deliveries
from tests.support.builders import Line, described, detained, dismissed, investigated, retracted, rows
from tests.support.installation import Installation, stop, verified
from tests.support.mail import LOGIN, Inbox, mail_server, port_of
from tests.support.waiting import wait_until
from tests.support.webhook_server import OK, Server, sending, server
from tests.support.webhooks import SECRET

pytestmark = pytest.mark.slow

NAME = "Анна Пример"


def career(subject: str = "kz-a") -> list[Line]:
    """Return a person with a name, a dismissal and an investigation: the next arrest opens an alert."""
    return [
        described("2022-01-01", subject=subject, name=NAME),
        dismissed("2022-03-27", subject=subject),
        investigated("2022-04-20", subject=subject),
    ]


def arrest(subject: str = "kz-a") -> Line:
    """Return the arrest of a person."""
    return detained("2022-05-20", subject=subject)


def withdrawal(subject: str = "kz-a") -> Line:
    """Return the retraction of that arrest."""
    return retracted(arrest(subject), "2022-06-01")


@pytest.fixture
def hook() -> Iterator[Server]:
    """A webhook that accepts everything."""
    with server(sending(OK)) as running:
        yield running


@pytest.fixture
def inbox() -> Inbox:
    """The mails that arrived."""
    return Inbox()


@pytest.fixture
def mail_port(inbox: Inbox) -> Iterator[int]:
    """The port of a mail server that asks for a login."""
    with mail_server(inbox, auth_require_tls=False, authenticator=inbox.log_in) as running:
        yield port_of(running)


@pytest.fixture
def place(tmp_path: Path, database_url: str, hook: Server, mail_port: int) -> Iterator[Installation]:
    """An installation on each kind of database, in whose logs no secret and no name may appear."""
    installation = Installation(tmp_path, database_url, f"http://127.0.0.1:{hook.port}/hook/T0PSECRET", mail_port)
    yield installation
    installation.engine.dispose()
    log = installation.logged.decode()
    assert "message_tried" in log
    assert [] == [secret for secret in (SECRET, SECRET[6:], "T0PSECRET", LOGIN.password) if secret in log]
    assert [] == [name for name in (*NAME.split(), ascii(NAME)[1:5], "kz-a", "kz-b", "desk@example.org") if name in log]


def test_an_alert_and_its_retraction_arrive_once_over_a_kill_and_a_rebuild(
    place: Installation, hook: Server, inbox: Inbox
) -> None:
    """The webhook verifies, the mail of the end replies to that of the opening, and nothing is sent again."""
    place.publish(*career())
    with place.running() as service:
        place.served_by(service)
        place.publish(arrest())
        wait_until(lambda: ["delivered"] * 2 == [row["state"] for row in rows(place.engine, deliveries)])
        service.process.send_signal(signal.SIGKILL)
        service.process.wait(60)
    place.publish(withdrawal())
    place.command("backtest facts-1.ndjson")
    place.lose_ownership()
    with place.running() as service:
        wait_until(lambda: ["delivered"] * 4 == [row["state"] for row in rows(place.engine, deliveries)])
        stop(service)
    place.command("rebuild")
    with place.running() as service:
        place.publish(*career("kz-b"), arrest("kz-b"))
        wait_until(lambda: ["delivered"] * 6 == [row["state"] for row in rows(place.engine, deliveries)])
        stop(service)

    (opened, first), (ended, last), _ = verified(hook)
    assert ["alert.open", "alert.retracted"] == [first["type"], last["type"]]
    assert first["data"]["alert"]["alert_id"] == last["data"]["alert"]["alert_id"]
    assert first["data"]["sequence"] < last["data"]["sequence"]
    assert [opened, ended] == [row["notice_id"] for row in place.messages("desk-hook")][:2]
    opening, end, _ = inbox.mails
    assert NAME in opening["Subject"]
    assert (None, opening["Message-ID"]) == (opening["In-Reply-To"], end["In-Reply-To"])
    assert [LOGIN.user.encode()] * 3 == inbox.logins
