"""A mail server that refuses, drops or delays at each step of a conversation."""

import time

import pytest

from services.delivery.channels.smtp import Limits
from services.delivery.message import Attempt
from tests.support.mail import DRIP, DROP, HANG, Inbox, channel, content, mail_server, port_of, scripted_server
from tests.support.messages import message, resolved

STEPS = ["connection", "EHLO", "MAIL", "RCPT", "DATA", "message"]


def tried(replies: dict[str, str], limits: Limits | None = None) -> Attempt:
    """Return the result of a try to send a mail to a server with these replies."""
    with scripted_server(replies) as url:
        return channel(url, limits=limits).send(message())


@pytest.mark.parametrize("code", ["421", "451", "500"])
@pytest.mark.parametrize("step", STEPS[:5])
def test_a_refusal_that_is_not_about_the_address_stops_all_mails(step: str, code: str) -> None:
    """The receiver has trouble, nothing is given up, and the answer is kept."""
    attempt = tried({step: f"{code} 4.3.0 not today"})

    assert ("failed", False) == (attempt.outcome, attempt.sent_whole)
    assert f"{code} 4.3.0 not today" in attempt.answer


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("550 5.1.1 no such person", "impossible"),
        ("553 no such person", "impossible"),
        ("550 5.7.1 relaying denied", "rejected"),
        ("552 5.2.2 mailbox full", "rejected"),
        ("450 4.2.1 mailbox busy", "rejected"),
        ("452 4.2.2 mailbox full", "rejected"),
        ("530 5.7.0 log in first", "failed"),
    ],
)
def test_the_refusal_of_an_address_holds_up_no_other(reply: str, outcome: str) -> None:
    """An unknown address is given up; a full mailbox is tried again, while the other addresses get their mail."""
    attempt = tried({"RCPT": reply})

    assert (outcome, False, f"RCPT: {reply}") == (attempt.outcome, attempt.sent_whole, attempt.answer)


@pytest.mark.parametrize(("reply", "outcome"), [("554 5.6.0 spam", "rejected"), ("451 4.3.0 disk full", "failed")])
def test_a_message_refused_after_it_was_sent_counts_as_told(reply: str, outcome: str) -> None:
    """Some servers pass on a message that they refuse; so its end goes to the same address."""
    attempt = tried({"message": reply})

    assert (outcome, True, f"message: {reply}") == (attempt.outcome, attempt.sent_whole, attempt.answer)


@pytest.mark.parametrize("step", STEPS)
def test_a_dropped_connection_is_a_failure(step: str) -> None:
    """Only the address that got the whole message counts as told."""
    attempt = tried({step: DROP})

    assert ("failed", step == "message") == (attempt.outcome, attempt.sent_whole)
    assert "closed" in attempt.answer


@pytest.mark.parametrize("step", ["connection", "MAIL", "message"])
def test_a_slow_server_is_left_in_time(step: str) -> None:
    """A server that sends a byte now and then never lets one read time out, so the whole try has a limit."""
    start = time.monotonic()
    attempt = tried({step: DRIP}, Limits(0.2, 0.3))

    assert ("failed", step == "message") == (attempt.outcome, attempt.sent_whole)
    assert "not done within 0.3 s" == attempt.answer
    assert time.monotonic() - start < 2


def test_a_server_that_hangs_is_left_in_time() -> None:
    """One step has a limit too."""
    attempt = tried({"MAIL": HANG}, Limits(0.1, 20))

    assert ("failed", False, "timed out") == (attempt.outcome, attempt.sent_whole, attempt.answer)


def test_a_server_that_never_says_goodbye_has_the_mail() -> None:
    """The message was accepted before."""
    attempt = tried({"QUIT": DRIP}, Limits(0.1, 0.2))

    assert "delivered" == attempt.outcome


def test_an_answer_is_one_short_line() -> None:
    """A server's words can neither flood the table of deliveries nor break its lines, and do not repeat the address."""
    attempt = tried({"RCPT": f"550-desk@example.org\x1b[31m\u202e unknown\r\n550 {'x' * 400}"})

    assert "RCPT: 550 … [31m unknown xxx" in attempt.answer
    assert 200 == len(attempt.answer)


@pytest.mark.parametrize(
    "address",
    ["", "desk", "desk@", "a\r\nRCPT TO:<b@example.org>@example.org", "a>b@example.org", "a\u202e@example.org"],
)
def test_an_address_that_is_none_is_given_up(address: str) -> None:
    """Nothing that is no address becomes a part of a command."""
    inbox = Inbox()
    with mail_server(inbox) as server:
        attempt = channel(f"smtp://127.0.0.1:{port_of(server)}").send(message(address=address))

    assert ("impossible", False) == (attempt.outcome, attempt.sent_whole)
    assert [] == inbox.envelopes


def test_a_line_with_a_dot_does_not_end_the_mail() -> None:
    """Stored bytes with such a line arrive whole."""
    inbox = Inbox()
    with mail_server(inbox) as server:
        channel(f"smtp://127.0.0.1:{port_of(server)}").send(resolved(stored=b"Subject: x\r\n\r\n.\r\n..y\r\nz\r\n"))

    assert [b"Subject: x\r\n\r\n.\r\n..y\r\nz\r\n"] == [content(envelope) for envelope in inbox.envelopes]
