"""The real service with a real webhook and a real mail server, over kills, trouble and takeovers."""

import signal
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.tables.delivery.schema import deliveries, receivers
from tests.support.builders import Line, described, detained, dismissed, investigated, retracted, rows
from tests.support.installation import Installation, stop, verified
from tests.support.mail import LOGIN, Inbox, mail_server, port_of
from tests.support.waiting import wait_until
from tests.support.webhook_server import OK, Server, sending, server, silent
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


def leaks(text: str) -> list[str]:
    """Return the secrets, and the names, ids and addresses of people, that *text* has."""
    secrets = (SECRET, SECRET.removeprefix("whsec_"), "T0PSECRET", LOGIN.password)
    # A log can also have the escapes of a name, or its bytes in base64.
    names = [form for name in NAME.split() for form in (name, ascii(name)[1:-1], b64encode(name.encode()).decode()[:8])]
    return [word for word in (*secrets, *names, "kz-a", "kz-b", "kz-c", "desk@example.org") if word in text]


def delivered(place: Installation, count: int) -> bool:
    """Return whether there are *count* messages, and all were delivered."""
    return ["delivered"] * count == [row["state"] for row in rows(place.engine, deliveries)]


def has_mailed(place: Installation) -> bool:
    """Return whether the one mail was delivered, and this is recorded."""
    return ["delivered"] == [row["state"] for row in place.messages("desk-mail")]


def failing(place: Installation) -> bool:
    """Return whether the webhook fails."""
    return ["desk-hook"] == [row["receiver"] for row in rows(place.engine, receivers) if row["state"] == "failing"]


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
    assert b"message_tried" in installation.logged
    assert [] == leaks(installation.logged.decode())


def test_an_alert_and_its_retraction_arrive_once_over_a_kill_and_a_rebuild(
    place: Installation, hook: Server, inbox: Inbox
) -> None:
    """The webhook verifies, the mail of the end replies to that of the opening, and nothing is sent again."""
    place.publish(*career())
    with place.running() as service:
        place.served_by(service)
        place.publish(arrest())
        wait_until(lambda: delivered(place, 2))
        service.process.send_signal(signal.SIGKILL)
        service.process.wait(60)
    place.publish(withdrawal())
    place.command("backtest facts-1.ndjson")
    place.lose_ownership()
    with place.running() as service:
        wait_until(lambda: delivered(place, 4))
        pages = place.metrics()
        stop(service)
    place.command("rebuild")
    with place.running() as service:
        place.publish(*career("kz-b"), arrest("kz-b"))
        wait_until(lambda: delivered(place, 6))
        stop(service)

    assert [] == leaks(pages)
    (opened, first), (ended, last), _ = verified(hook)
    assert ["alert.open", "alert.retracted"] == [first["type"], last["type"]]
    assert first["data"]["alert"]["alert_id"] == last["data"]["alert"]["alert_id"]
    assert first["data"]["sequence"] < last["data"]["sequence"]
    assert [opened, ended] == [row["notice_id"] for row in place.messages("desk-hook")][:2]
    opening, end, _ = inbox.mails
    assert NAME in opening["Subject"]
    assert (None, opening["Message-ID"]) == (opening["In-Reply-To"], end["In-Reply-To"])
    assert [LOGIN.user.encode()] * 3 == inbox.logins


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_message_without_an_answer_is_repeated_and_trouble_is_caught_up_in_order(
    place: Installation, hook: Server, inbox: Inbox
) -> None:
    """The repeat has the same id. Mail goes on while the webhook is down, and later all arrives in order."""
    place.publish(*career("kz-a"), *career("kz-b"))
    hook.behaviour = silent
    with place.running() as service:
        place.served_by(service)
        place.publish(arrest("kz-a"))
        # The mail too, since a kill before its answer is recorded would repeat it.
        wait_until(lambda: len(hook.requests) == 1 and has_mailed(place))
        service.process.send_signal(signal.SIGKILL)
        service.process.wait(60)
    hook.behaviour = sending(OK)
    place.lose_ownership()
    with place.running() as service:
        wait_until(lambda: delivered(place, 2))
        hook.stop()
        place.publish(arrest("kz-b"), withdrawal("kz-a"))
        wait_until(lambda: failing(place) and len(inbox.mails) == 3)
        with server(sending(OK), port=hook.port) as again:
            wait_until(lambda: delivered(place, 6))
        stop(service)

    (first, opened), (second, repeated) = verified(hook)
    assert (first, opened) == (second, repeated)
    stamps = [int(request.headers["webhook-timestamp"]) for request in hook.requests]
    assert stamps[0] < stamps[1]
    assert [first, *(own for own, _ in verified(again))] == [row["notice_id"] for row in place.messages("desk-hook")]
    assert {"alert.open", "alert.retracted"} == {body["type"] for _, body in verified(again)}
    assert not failing(place)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_frozen_notifier_is_replaced_and_sends_nothing_when_it_wakes(
    place: Installation, hook: Server, inbox: Inbox
) -> None:
    """Of two processes on one database each notice comes once, before, during and after the freeze."""
    place.publish(*career("kz-a"), *career("kz-b"), *career("kz-c"))
    place.command("project")
    with place.running("run notifier") as first:
        place.served_by(first)
        with place.running("run notifier") as second:
            place.publish(arrest("kz-a"))
            place.command("project")
            wait_until(lambda: delivered(place, 2))
            first.process.send_signal(signal.SIGSTOP)
            place.lose_ownership()
            place.publish(arrest("kz-b"))
            place.command("project")
            wait_until(lambda: delivered(place, 4))
            first.process.send_signal(signal.SIGCONT)
            place.publish(arrest("kz-c"))
            place.command("project")
            wait_until(lambda: delivered(place, 6))
            wait_until(lambda: place.logged.count(b"receiver_lost") == 2)
            for service in (first, second):
                stop(service)

    ids = [row["notice_id"] for row in place.messages("desk-hook")]
    assert ids == [own for own, _ in verified(hook)]
    assert 3 == len(ids) == len(inbox.mails)
