"""Requests to real servers that behave badly, to addresses that are refused, and by TLS."""

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from services.delivery.channels.addresses import Resolver
from services.delivery.channels.webhook import WebhookChannel
from services.delivery.config.model import Webhook
from services.delivery.message import Attempt
from tests.delivery.test_addresses import Names
from tests.support.certificates import authority, signed
from tests.support.webhook_server import OK, Server, dripping, sending, server, silent
from tests.support.webhooks import LOOPBACK, MESSAGE, SECRET, send, send_to

UNROUTED = "2002:808:808::1"  # counts as public, and leads nowhere: a broken check sends nothing to a stranger
CUT = "closed before the end of the answer"


def test_a_large_answer_is_not_read_to_its_end() -> None:
    """Of 5 MB, the server gets rid of less than it would have sent, and its status counts."""
    broken = threading.Event()

    def pour(connection: socket.socket) -> None:
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + bytes(50_000_000))
        except OSError:
            broken.set()

    with server(pour) as desk:
        assert Attempt("delivered", "200", sent_whole=True) == send_to(desk)
    assert broken.is_set()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", CUT),
        (b"HTTP/1.1 200", CUT),
        (b"HTTP/1.1 200 OK\r\n", CUT),
        (b"HTTP/1.1 200 OK\r\nContent-Le", CUT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", CUT),
        (OK[:-1], CUT),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", CUT),
        (b"220 mail.example ESMTP\r\n", "not an answer of HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", "not an answer of HTTP"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", "not an answer of HTTP"),
    ],
)
def test_an_answer_that_is_cut_or_strange_is_a_failure(answer: bytes, words: str) -> None:
    """The whole message was sent, and nobody can say that it was accepted."""
    with server(sending(answer)) as desk:
        assert Attempt("failed", words, sent_whole=True) == send_to(desk)


@pytest.mark.parametrize(
    "behaviour", [silent, dripping(OK, 0.05), dripping(OK[:-2] + b"ok", 0.02)], ids=["silent", "slow", "less slow"]
)
def test_a_slow_answer_is_given_up_in_time(behaviour: Any) -> None:
    """The limit holds for all of the answer, although each byte comes in time."""
    start = time.monotonic()
    with server(behaviour) as desk:
        result = send_to(desk, seconds=0.4)
        took = time.monotonic() - start

    assert Attempt("failed", "timeout", sent_whole=True) == result
    assert 0.3 < took < 1.5


@pytest.mark.parametrize("header", [b"Content-Length: 1000", b"Content-Type: text/plain"])
def test_a_body_that_drips_is_given_up_in_time(header: bytes) -> None:
    """The limit holds after the headers too, whether they announce a length or not."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n")
        dripping(b"x" * 1000, 0.05)(connection)

    start = time.monotonic()
    with server(drip) as desk:
        assert Attempt("failed", "timeout", sent_whole=True) == send_to(desk, seconds=0.3)
        assert time.monotonic() - start < 1.5


def test_a_server_that_reads_nothing_was_not_told() -> None:
    """A message that did not fit into the buffers of the network was not sent as a whole."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        large = MESSAGE._replace(data={"more": "x" * 20_000_000})
        assert Attempt("failed", "timeout", sent_whole=False) == send(url, message=large, seconds=0.5)


def test_a_server_may_answer_before_it_has_read_everything() -> None:
    """The answer to a message that is too large counts, although the server closes at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        large = MESSAGE._replace(data={"more": "x" * 20_000_000})
        result = send(f"http://127.0.0.1:{listener.getsockname()[1]}/", message=large)
        thread.join()

    assert Attempt("rejected", "413", sent_whole=False) == result


def test_a_server_that_was_killed_gets_the_message_when_it_is_back() -> None:
    """Without a server the message is not sent at all; the next try arrives under the same id."""
    with server(sending(OK)) as desk:
        channel = WebhookChannel(Webhook(desk.url(), "DESK"), (SECRET,), LOOPBACK)
        assert "delivered" == channel.send(MESSAGE).outcome
    assert Attempt("failed", "connection: Connection refused", sent_whole=False) == channel.send(MESSAGE)
    with server(sending(OK), desk.port) as restarted:
        assert "delivered" == channel.send(MESSAGE).outcome

    assert desk.requests[0].headers["webhook-id"] == restarted.requests[0].headers["webhook-id"]


@pytest.mark.parametrize(
    ("url", "resolver"),
    [
        ("http://127.0.0.1:9/", None),
        ("https://2130706433/", None),
        ("https://[::ffff:7f00:1]/", None),
        ("https://[::1]/", None),
        ("https://169.254.169.254/latest", None),
        ("https://desk.example/", Names([UNROUTED, "10.0.0.1"])),
        ("http://desk.example/", Names([UNROUTED])),
    ],
)
def test_an_address_that_is_not_allowed_is_refused(url: str, resolver: Resolver | None) -> None:
    """Nothing is sent to an address that is not public, nor over http:// to one that is."""
    result = send(url, allow=(), resolver=resolver)

    assert ("refused", False) == (result.outcome, result.sent_whole)
    assert result.answer.startswith("address refused: ")


def test_a_name_that_is_rebound_between_two_questions_gains_nothing() -> None:
    """The server at the first address receives the message, with the name as its host; no second question is asked."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    with server(sending(OK)) as desk:
        assert "delivered" == send(desk.url("rebinding.example"), resolver=names).outcome

    assert f"rebinding.example:{desk.port}" == desk.requests[0].headers["Host"]
    assert [["127.0.0.2"]] == names.answers


def test_a_name_that_is_not_resolved_is_a_failure() -> None:
    """The resolver's trouble is that of the receiver, and may pass."""

    def failing(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    words = "the name of the host is not resolved: Name or service not known"

    assert Attempt("failed", words, sent_whole=False) == send("https://desk.example/", resolver=failing)


def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name again, and so it is not used."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    with server(sending(OK)) as desk:
        assert "delivered" == send_to(desk).outcome


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and certificates of desk.example: one in force, one expired, one not trusted."""
    folder = tmp_path_factory.mktemp("certificates")
    authority(folder, "ca")
    authority(folder, "other-ca")
    signed(folder, "desk", "ca", names="DNS:desk.example")
    signed(folder, "expired", "ca", names="DNS:desk.example", days=-1)
    signed(folder, "other", "other-ca", names="DNS:desk.example")
    return folder


@pytest.fixture
def trust(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the authority `ca` alone, as an operator can."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))


def send_by_tls(certificate: Path, host: str = "desk.example") -> tuple[Attempt, Server]:
    """Return the result of one try by TLS to a server with *certificate*, and the server."""
    with server(sending(OK), certificate=certificate) as desk:
        return send(desk.url(host), resolver=Names(["127.0.0.1"])), desk


@pytest.mark.usefixtures("trust")
def test_tls_is_checked_for_the_name(certificates: Path) -> None:
    """The connection goes to the checked address, and the certificate is that of the name, which the server is told."""
    result, desk = send_by_tls(certificates / "desk.pem")

    assert Attempt("delivered", "200", sent_whole=True) == result
    assert ["desk.example"] == desk.names
    assert f"desk.example:{desk.port}" == desk.requests[0].headers["Host"]


@pytest.mark.usefixtures("trust")
@pytest.mark.parametrize(
    ("certificate", "host", "words"),
    [
        ("desk", "other.example", "Hostname mismatch, certificate is not valid for 'other.example'."),
        ("expired", "desk.example", "certificate has expired"),
        ("other", "desk.example", "unable to get local issuer certificate"),
    ],
)
def test_a_wrong_certificate_is_a_failure(certificates: Path, certificate: str, host: str, words: str) -> None:
    """The message is not sent to a server whose certificate is of another name, has expired or is not trusted."""
    result, desk = send_by_tls(certificates / f"{certificate}.pem", host)

    assert Attempt("failed", f"TLS: certificate: {words}", sent_whole=False) == result
    assert [] == desk.requests


def test_tls_with_a_server_that_has_none_is_a_failure() -> None:
    """A server without TLS, and one that never begins with it, are failures within the limit."""
    with server(sending(OK)) as desk:
        answer = send(desk.url().replace("http:", "https:"), seconds=1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent_answer = send(f"https://127.0.0.1:{listener.getsockname()[1]}/", seconds=0.3)

    assert ("failed", False) == (answer.outcome, answer.sent_whole)
    assert Attempt("failed", "timeout", sent_whole=False) == silent_answer
