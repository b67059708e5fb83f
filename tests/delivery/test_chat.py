"""Messages to other chat services, by apprise: new ones only, with the short id of the alert."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from events.errors import BadInput
from services.delivery.channels.chat import AppriseChannel
from tests.support.messages import RESOLVED, TITLE, message, resolved

PATH = "tok3n"


@contextmanager
def chat_service(status: int = 200, seconds: float = 0) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Run a service that takes JSON; yield its URL for apprise, and what it got."""
    posts: list[dict[str, Any]] = []
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            stopped.wait(seconds)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the library
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"json://127.0.0.1:{server.server_port}/{PATH}", posts
        finally:
            stopped.set()
            server.shutdown()
            thread.join()


def test_each_message_names_its_alert() -> None:
    """The short id ties the end to the opening, where a service has no threads."""
    with chat_service() as (url, posts):
        attempts = [AppriseChannel(url).send(each) for each in (message(), resolved("x"), message(alert=None))]

    assert [("delivered", True)] * 3 == [(attempt.outcome, attempt.sent_whole) for attempt in attempts]
    assert [f"[0190aaaa] {TITLE}", f"[0190aaaa] {RESOLVED.title}", f"[notice-1] {TITLE}"] == [p["title"] for p in posts]
    assert ["This alert has ended."] == [posts[1]["message"]]


def test_a_refusal_is_tried_again() -> None:
    """The library does not say whether the service got the message, so its end goes there too."""
    with chat_service(status=500) as (url, posts):
        attempt = AppriseChannel(url).send(message())

    assert ("failed", True, "not accepted", 1) == (attempt.outcome, attempt.sent_whole, attempt.answer, len(posts))


def test_a_slow_service_is_left_in_time() -> None:
    """The limit holds even while apprise itself waits longer."""
    with chat_service(seconds=20) as (url, _):
        attempt = AppriseChannel(url, seconds=0.2).send(message())

    assert ("failed", True, "not done within 0.2 s") == (attempt.outcome, attempt.sent_whole, attempt.answer)


@pytest.mark.parametrize("url", ["", "no url", f"nosuch://{PATH}", f"json://{PATH}:port:x/"])
def test_a_url_that_apprise_does_not_know_is_refused(url: str) -> None:
    """The error names the secret and does not quote it."""
    with pytest.raises(BadInput, match="CASETRAIL_SECRET_CHAT: this is not a URL") as error:
        AppriseChannel(url, "CASETRAIL_SECRET_CHAT")

    assert PATH not in str(error.value)


def test_no_log_line_has_the_url(caplog: pytest.LogCaptureFixture) -> None:
    """The URL is a secret: apprise and its HTTP client log nothing, whatever happens."""
    caplog.set_level(logging.NOTSET)
    with chat_service() as (url, _):
        AppriseChannel(url).send(message())
    AppriseChannel(url).send(message())
    with pytest.raises(BadInput):
        AppriseChannel(f"nosuch://{PATH}")

    assert PATH not in caplog.text


def test_the_extra_is_named_if_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(BadInput, match=r"apprise is not installed \(want install casetrail\[chat\]\)"):
        AppriseChannel("json://127.0.0.1/")
