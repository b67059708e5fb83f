"""Webhooks to a real server: signatures, the meaning of each answer, and servers that behave badly."""

import logging
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, get_args

import pytest
import standardwebhooks

from events.errors import BadInput
from services.delivery.channels.addresses import Resolver
from services.delivery.channels.exchange import Answer
from services.delivery.channels.webhook import TYPES, WebhookChannel, attempt
from services.delivery.config.model import Webhook
from services.delivery.message import Attempt, Message, MessageKind, Text
from tests.delivery.test_addresses import Names
from tests.support.certificates import authority, signed
from tests.support.webhook_server import OK, Server, answering, dripping, sending, server, silent

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
NEXT_SECRET = b64encode(bytes(range(100, 132))).decode()
NOW = datetime(2022, 8, 3, 12, 30, tzinfo=UTC)
AT = datetime(2022, 8, 1, 6, 0, tzinfo=UTC)
CUT = "closed before the end of the answer"
MESSAGE = Message(
    receiver="desk-hook",
    address="",
    kind="open",
    notice_id="notice-1",
    sequence=7,
    at=AT,
    alert={"alert_id": "alert-1", "state": "open"},
    subject_ids=("kz-a",),
    text=Text("Анна Пример: dismissed", ("She is presumed innocent.",), "en"),
    data={"route": 1},
)


def send(
    url: str, secrets: Sequence[str] = (SECRET,), message: Message = MESSAGE, seconds: float = 5, **more: Any
) -> Attempt:
    """Return the result of one try to send *message* to *url*."""
    channel = WebhookChannel(Webhook(url, "DESK"), secrets, more.pop("allow", LOOPBACK), seconds=seconds, **more)
    result = channel.send(message)
    channel.close()
    return result


def send_to(running: Server, **more: Any) -> Attempt:
    """Return the result of one try to send a message to a server."""
    return send(running.url(), **more)


def test_a_webhook_verifies_with_the_library() -> None:
    """A receiver that uses the library accepts the request, and reads the notice in its body."""
    with server(sending(OK)) as desk:
        result = send_to(desk)
    [request] = desk.requests
    body = standardwebhooks.Webhook(SECRET).verify(request.body, dict(request.headers.items()))

    assert Attempt("delivered", "200", sent_whole=True) == result
    assert request.line == "POST /hook/T0PSECRET?key=T0PSECRET HTTP/1.1"
    assert request.headers["Host"] == f"127.0.0.1:{desk.port}"
    assert request.headers["Content-Type"] == "application/json"
    assert body == {
        "type": "alert.open",
        "timestamp": "2022-08-01T06:00:00Z",
        "data": {
            "route": 1,
            "notice_id": "notice-1",
            "sequence": 7,
            "alert": {"alert_id": "alert-1", "state": "open"},
            "text": "Анна Пример: dismissed\n\nShe is presumed innocent.",
            "language": "en",
            "subjects": ["kz-a"],
        },
    }


def test_a_secret_that_is_rotated_signs_twice() -> None:
    """While a secret has two values, receivers with either of them accept the request, and others do not."""
    with server(sending(OK)) as desk:
        send_to(desk, secrets=(SECRET, NEXT_SECRET))
    [request] = desk.requests
    headers = dict(request.headers.items())

    assert 2 == len(headers["webhook-signature"].split(" "))
    for secret in (SECRET, NEXT_SECRET):
        standardwebhooks.Webhook(secret).verify(request.body, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(b"another").verify(request.body, headers)


def test_each_try_has_the_same_id_and_body_and_its_own_time() -> None:
    """A try an hour later has the same id and body, and a new timestamp and signature."""
    with server(sending(OK)) as desk:
        for hour in range(2):
            send_to(desk, clock=lambda hour=hour: NOW + timedelta(hours=hour))
    first, second = (request.headers for request in desk.requests)

    assert first["webhook-id"] == second["webhook-id"] == "notice-1"
    assert 3600 == int(second["webhook-timestamp"]) - int(first["webhook-timestamp"])
    assert first["webhook-signature"] != second["webhook-signature"]
    assert desk.requests[0].body == desk.requests[1].body


def test_every_kind_of_message_has_a_type() -> None:
    """Each kind has a type; an alert that opens again is an opening too."""
    assert set(get_args(MessageKind)) == TYPES.keys()
    assert TYPES["open"] == TYPES["change"]


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        *((status, "delivered", str(status)) for status in (200, 201, 202, 204)),
        *((status, "failed", f"redirect refused ({status})") for status in (300, 301, 302, 303, 304, 307, 308)),
        *((status, "rejected", str(status)) for status in (400, 413, 422)),
        (410, "gone", "410"),
        *((status, "failed", str(status)) for status in (401, 403, 404, 408, 409, 429, 500, 502, 503, 599)),
    ],
)
def test_each_status_has_its_outcome(status: int, outcome: str, words: str) -> None:
    """The status decides whether the message, the receiver or nothing has trouble. No redirect is followed."""
    with server(sending(OK)) as elsewhere, server(answering(status, f"Location: {elsewhere.url()}")) as desk:
        result = send_to(desk)

    assert (outcome, words, True, None) == (
        result.outcome,
        result.answer,
        result.sent_whole,
        result.retry_after_seconds,
    )
    assert [] == elsewhere.requests
    assert 1 == len(desk.requests)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("0", 0), ("120", 120), (" 7 ", 7), ("86401", 86_400), ("9" * 5000, 86_400)),
        *(("Wed, 03 Aug 2022 12:31:00 GMT", 60), ("Wed, 03 Aug 2022 12:31:00 -0000", 60)),
        *(("Wed, 03 Aug 2022 12:29:00 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400)),
        *(("", None), ("-1", None), ("1.5", None), ("soon", None), ("٣", None), ("Fri, 99 Dec 2022 1:1:1 GMT", None)),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400),
    ],
)
def test_the_receiver_may_ask_for_a_pause(text: str, seconds: float | None) -> None:
    """With 429 and 503 a pause in seconds or until a date counts, up to a day; with other answers it does not."""
    for status in (429, 503):
        assert seconds == attempt(Answer(status, {"Retry-After": text}, b"", sent_whole=True), NOW).retry_after_seconds
    assert attempt(Answer(500, {"Retry-After": text}, b"", sent_whole=True), NOW).retry_after_seconds is None


def test_a_pause_is_read_from_a_real_answer() -> None:
    """The header is found in any case of its name."""
    with server(answering(503, "retry-after: 30")) as desk:
        assert Attempt("failed", "503", sent_whole=True, retry_after_seconds=30) == send_to(desk)


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


def test_a_body_that_drips_is_given_up_in_time() -> None:
    """The limit holds after the headers too."""
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

    def drip(connection: socket.socket) -> None:
        connection.sendall(body)
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
        ("https://desk.example/", Names(["8.8.8.8", "10.0.0.1"])),
        ("http://desk.example/", Names(["8.8.8.8"])),
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


@pytest.mark.parametrize("secret", ["", "whsec_", "correct horse", "naïve", "whsec_B", "Zz-Z_", "whsk_" + NEXT_SECRET])
def test_a_secret_that_is_not_base64_is_refused_without_quoting_it(secret: str) -> None:
    """The error names the variable and the wanted form."""
    with pytest.raises(BadInput) as problem:
        send("https://desk.example/", secrets=(SECRET, secret))

    assert "CASETRAIL_SECRET_DESK: a value of this secret is not base64" in str(problem.value)
    assert secret in {"", "whsec_"} or secret not in str(problem.value)


def test_neither_logs_nor_answers_have_a_secret_or_a_name(caplog: pytest.LogCaptureFixture) -> None:
    """A server that repeats everything that it received in its answer gets none of it into our logs."""
    caplog.set_level(logging.DEBUG)
    results = []

    def echo(connection: socket.socket) -> None:
        words = f"Анна Пример {SECRET} T0PSECRET".encode()
        connection.sendall(b"HTTP/1.1 500 " + words + b"\r\nBroken header " + words + b"\r\n\r\n" + words)

    for behaviour in (echo, sending("Анна T0PSECRET\r\n\r\n".encode()), silent):
        with server(behaviour) as desk:
            results.append(send_to(desk, seconds=0.3))
    lines = f"{results} {caplog.text}"

    assert ["500", "not an answer of HTTP", "timeout"] == [result.answer for result in results]
    assert [] == [word for word in ("Анна", SECRET, SECRET[6:], "T0PSECRET") if word in lines]
