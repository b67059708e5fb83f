"""An HTTP server on the loopback interface that answers as a test wants it, well or badly."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple, TypeAlias

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Received(NamedTuple):
    """A request that arrived."""

    line: str
    headers: Message
    body: bytes


Behaviour: TypeAlias = Callable[[socket.socket], None]
"""A function that answers a request, after it has arrived."""


class Server:
    """A server that receives requests one after the other. It answers with *behaviour*."""

    def __init__(self, behaviour: Behaviour, port: int = 0, certificate: Path | None = None) -> None:
        self.behaviour = behaviour
        self.requests: list[Received] = []
        self.names: list[str | None] = []
        self._context = self._tls(certificate) if certificate else None
        self._stopped = Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(0.02)
        self.port = self._listener.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def url(self, host: str = "127.0.0.1") -> str:
        """Return the URL of a hook with a secret in its path."""
        return f"{'https' if self._context else 'http'}://{host}:{self.port}/hook/T0PSECRET?key=T0PSECRET"

    def stop(self) -> None:
        """Stop it, and free its port."""
        self._stopped.set()
        self._thread.join()
        self._listener.close()

    def _tls(self, certificate: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _, name, __: self.names.append(name)
        return context

    def _serve(self) -> None:
        while not self._stopped.is_set():
            with suppress(OSError):
                connection, _ = self._listener.accept()
                with connection:
                    connection.settimeout(5)
                    self._answer(connection)

    def _answer(self, plain: socket.socket) -> None:
        with self._context.wrap_socket(plain, server_side=True) if self._context else plain as connection:
            self.requests.append(_read(connection))
            self.behaviour(connection)


@contextmanager
def server(behaviour: Behaviour, port: int = 0, certificate: Path | None = None) -> Iterator[Server]:
    """Run a server that answers with *behaviour*, with TLS if there is a *certificate*."""
    running = Server(behaviour, port, certificate)
    try:
        yield running
    finally:
        running.stop()


def sending(answer: bytes) -> Behaviour:
    """Return a behaviour that sends *answer*, and closes."""
    return lambda connection: connection.sendall(answer)


def answering(status: int, *headers: str) -> Behaviour:
    """Return a behaviour that answers with *status* and an empty body."""
    lines = [f"HTTP/1.1 {status} Answer", *headers, "Content-Length: 0", "", ""]
    return sending("\r\n".join(lines).encode())


def dripping(answer: bytes, pause_seconds: float) -> Behaviour:
    """Return a behaviour that sends a byte of *answer* at a time, until the client is gone."""

    def drip(connection: socket.socket) -> None:
        for index in range(len(answer)):
            connection.sendall(answer[index : index + 1])
            time.sleep(pause_seconds)

    return drip


def silent(connection: socket.socket) -> None:
    """Do not answer, until the client is gone."""
    connection.recv(1)


def _read(connection: socket.socket) -> Received:
    content = b""
    while b"\r\n\r\n" not in content:
        content += _some(connection)
    head, _, body = content.partition(b"\r\n\r\n")
    line, _, fields = head.partition(b"\r\n")
    headers = BytesParser().parsebytes(fields, headersonly=True)
    while len(body) < int(headers.get("Content-Length", "0")):
        body += _some(connection)
    return Received(line.decode(), headers, body)


def _some(connection: socket.socket) -> bytes:
    some = connection.recv(65_536)
    if not some:
        raise ConnectionError("closed within the request")
    return some
