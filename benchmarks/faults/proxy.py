"""A proxy between the program and PostgreSQL that cuts connections at the worst moment: around a COMMIT."""

import socket
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from benchmarks.servers import free_port

Moment = Literal["before", "during", "after"]
"""
The moment of a cut.

Before: the COMMIT never arrives. During: it arrives, and the client is gone. After: it is done, and its answer is lost.
"""

COMMIT = b"COMMIT"
CHUNK = 65_536


class Proxy:
    """
    A proxy on a port of its own that forwards bytes both ways.

    Attributes:
        port: its port on 127.0.0.1.
        cuts: the number of connections that were cut, by the moment.
    """

    def __init__(self, target: int) -> None:
        """Forward to the port *target* of 127.0.0.1."""
        self.port = free_port()
        self.cuts: Counter[str] = Counter()
        self._target = target
        self._armed: list[Moment] = []
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, moments: Sequence[Moment]) -> None:
        """Cut the next connections that commit, one at each of the *moments*."""
        with self._lock:
            self._armed += moments

    def close(self) -> None:
        """Accept no more connections."""
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            _Pair(self, client, server).start()

    def moment(self) -> Moment | None:
        """Return the moment for a cut of a connection that is about to commit; None for no cut."""
        with self._lock:
            if not self._armed:
                return None
            moment = self._armed.pop(0)
            self.cuts[moment] += 1
            return moment


class _Pair:
    """The two ends of one connection."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._ends_with_the_answer = False

    def start(self) -> None:
        for work in (self._ask, self._answer):
            threading.Thread(target=work, daemon=True).start()

    def _ask(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(CHUNK):
                moment = self._proxy.moment() if COMMIT in data else None
                if moment == "before":
                    break
                self._ends_with_the_answer = moment == "after"
                self._server.sendall(data)
                if moment == "during":
                    break
        self._cut()

    def _answer(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(CHUNK):
                if self._ends_with_the_answer:
                    break
                self._client.sendall(data)
        self._cut()

    def _cut(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
