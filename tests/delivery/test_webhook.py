"""Webhooks to a real server: their signatures and bodies, the meaning of each answer, and their secrets."""

import logging
import socket
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
import standardwebhooks

from events.errors import BadInput
from services.delivery.channels.exchange import Answer
from services.delivery.channels.webhook import TYPES, attempt
from services.delivery.message import Attempt, MessageKind
from tests.support.webhook_server import OK, answering, sending, server, silent
from tests.support.webhooks import SECRET, send, send_to

NEXT_SECRET = b64encode(bytes(range(100, 132))).decode()
NOW = datetime(2022, 8, 3, 12, 30, tzinfo=UTC)


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
