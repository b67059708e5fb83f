"""
A stand-in for Slack's Web API, written from its documentation: chat.postMessage and chat.update.

It keeps the messages of its channels, and answers each call as documented, or as the test says.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any, Final, NamedTuple

from services.delivery.channels.slack import SlackChannel
from services.delivery.config.model import Slack

TOKEN: Final = "xoxb-1-right"  # noqa: S105 - that of the stand-in
CHANNEL: Final = "C0123"


class Fault(NamedTuple):
    """
    An answer other than the documented one.

    Attributes:
        status, body, headers: the answer; status 0: the connection is closed.
        seconds: the time before it.
        is_done: whether the call takes effect before.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0
    is_done: bool = False


class Workspace:
    """
    A workspace with one channel.

    Attributes:
        messages: the present messages of the channel, by their `ts`, in order.
        calls: the methods called, with their arguments.
        faults: the next answers of a method, which come before the documented ones.
    """

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.faults: dict[str, list[Fault]] = {}
        self.stopped = threading.Event()

    def error(self, method: str, name: str) -> None:
        """Let the next call of *method* fail with the error *name*."""
        self.faults[method] = [Fault(200, json.dumps({"ok": False, "error": name}).encode())]

    def answer(self, method: str, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the documented answer, and do what the method does."""
        self.calls.append((method, arguments))
        text, ts = arguments.get("text", ""), arguments.get("ts")
        error = None
        if token != f"Bearer {TOKEN}":
            error = "invalid_auth" if token else "not_authed"
        elif arguments.get("channel") != CHANNEL:
            error = "channel_not_found"
        elif not text:
            error = "no_text"
        elif method == "chat.update" and ts not in self.messages:
            error = "message_not_found"
        elif method == "chat.update" and len(text) > 4000:
            error = "msg_too_long"
        if error is not None:
            return {"ok": False, "error": error}
        if method == "chat.update":
            self.messages[str(ts)]["text"] = text
        else:
            ts = f"{1503435956 + len(self.messages)}.000247"
            self.messages[ts] = dict(arguments)
        return {"ok": True, "channel": CHANNEL, "ts": ts}


class _Handler(BaseHTTPRequestHandler):
    workspace: Workspace

    def do_POST(self) -> None:
        """Answer a call."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        method = self.path.removeprefix("/api/")
        assert self.headers["Content-Type"] == "application/json; charset=utf-8"
        faults = self.workspace.faults.get(method, [])
        fault = faults.pop(0) if faults else Fault(200, is_done=True)
        if fault.is_done:
            answer = self.workspace.answer(method, self.headers.get("Authorization", ""), json.loads(body))
            fault = fault._replace(body=fault.body or json.dumps(answer).encode())
        self.workspace.stopped.wait(fault.seconds)
        if fault.status:
            self._write(fault)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the library
        """Log nothing."""

    def _write(self, fault: Fault) -> None:
        self.send_response(fault.status)
        for name, value in fault.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(fault.body)))
        self.end_headers()
        self.wfile.write(fault.body)


@contextmanager
def slack_at(workspace: Workspace, port: int = 0) -> Iterator[str]:
    """Run the API of *workspace* in a thread, and yield its base URL."""
    handler = type("_WorkspaceHandler", (_Handler,), {"workspace": workspace})
    workspace.stopped.clear()
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/"
        finally:
            workspace.stopped.set()
            server.shutdown()
            thread.join()


def slack_channel(api: str, token: str = TOKEN, channel: str = CHANNEL, seconds: float = 10) -> SlackChannel:
    """Return the way to the channel at *api*."""
    return SlackChannel(Slack(channel, "SLACK", api), token, [ip_network("127.0.0.0/8")], seconds)
