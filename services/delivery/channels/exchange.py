"""
One request over HTTP to a checked address, and its answer.

No redirect is followed, nothing is tried twice, no cookie is kept, and proxy variables are ignored.
"""

import logging
import socket
import ssl
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from http.client import HTTPException, RemoteDisconnected
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from events.errors import CasetrailError
from services.delivery.config.model import Network

from .addresses import RefusedAddress, Resolver, checked_addresses, connect_to, outside, shut_down_after

# It logs the URL and the headers of an answer that it cannot parse, and the path of a URL can be a secret.
logging.getLogger("urllib3.connection").disabled = True

SECONDS: Final = 10.0
"""The limit of a request, from the resolution of the name to the last byte of the answer."""

KEPT_BYTES: Final = 65_536
"""The part of an answer that is read. The connection is closed at its end."""


class Request(NamedTuple):
    """A request. The path and the query of its URL can be secrets, so no error and no log line quotes them."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None


class Answer(NamedTuple):
    """
    An answer.

    Attributes:
        status: the status code.
        headers: the headers, found in any case of their names.
        body: the first `KEPT_BYTES` of the body.
        sent_whole: whether the whole request was sent before the server answered.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_whole: bool


class NoAnswer(CasetrailError):
    """No whole answer came in time. `sent_whole`: whether the whole request was sent before."""

    def __init__(self, what: str, *, sent_whole: bool) -> None:
        super().__init__(what)
        self.sent_whole = sent_whole


class Exchange:
    """
    The way to the servers of one receiver.

    Args:
        allow: networks that may be reached although they are not public.
        resolver: None: `socket.getaddrinfo`.
        seconds: the limit of a request.
    """

    def __init__(
        self, allow: Collection[Network] = (), resolver: Resolver | None = None, seconds: float = SECONDS
    ) -> None:
        self._allow = allow
        self._resolver = resolver
        self._seconds = seconds
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    def send(self, request: Request) -> Answer:
        """
        Send *request* once, and return the answer.

        Raises:
            RefusedAddress: if an address of the server is neither public nor allowed, or `http://` is not allowed.
            NoAnswer: if no whole answer came in time.
        """
        url, end = urlsplit(request.url), time.monotonic() + self._seconds
        try:
            plain = self._connected(url, end)
        except OSError as error:
            raise NoAnswer(_words(error, end), sent_whole=False) from None
        with closing(plain), shut_down_after(plain, end - time.monotonic()):
            try:
                connection = self._over(plain, url, end)
            except OSError as error:
                raise NoAnswer(_words(error, end), sent_whole=False) from None
            with closing(connection):
                return _exchanged(connection, request, end)

    def _connected(self, url: SplitResult, end: float) -> socket.socket:
        """Return a connection to an address of the host of *url*."""
        host, port = url.hostname or "", url.port or (80 if url.scheme == "http" else 443)
        addresses = checked_addresses(host, port, self._allow, end - time.monotonic(), self._resolver)
        if url.scheme != "https" and outside(addresses, self._allow):
            raise RefusedAddress("http:// is for addresses under allow", "use https://")
        return connect_to(addresses, end - time.monotonic())

    def _over(self, plain: socket.socket, url: SplitResult, end: float) -> HTTPConnection:
        """Return an HTTP connection over *plain*, with TLS for the name in *url* if that is https."""
        host, seconds = (url.hostname or "").rstrip("."), max(end - time.monotonic(), 0.001)
        plain.settimeout(seconds)
        if url.scheme == "https":
            connection: HTTPConnection = HTTPSConnection(host, url.port, timeout=seconds)
            connection.sock = self._tls.wrap_socket(plain, server_hostname=host)
        else:
            connection = HTTPConnection(host, url.port, timeout=seconds)
            connection.sock = plain
        return connection


def _exchanged(connection: HTTPConnection, request: Request, end: float) -> Answer:
    sent_whole = False
    try:
        sent_whole = _sent(connection, request)
        response = connection.getresponse()
        with closing(response):
            body = response.read(KEPT_BYTES)
    except (OSError, HTTPException, HTTPError) as error:
        raise NoAnswer(_words(error, end), sent_whole=sent_whole) from None
    return Answer(response.status, response.headers, body, sent_whole)


def _sent(connection: HTTPConnection, request: Request) -> bool:
    """Send *request*; return whether all of it was sent."""
    url = urlsplit(request.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    headers = {"User-Agent": "casetrail", "Connection": "close", **request.headers}
    try:
        connection.request(request.method, target, request.body, headers, preload_content=False, decode_content=False)
    except ConnectionError:
        # A server may refuse a request before it has read all of it, and its answer says why.
        return False
    return True


def _words(error: Exception, end: float) -> str:
    """Return a line about *error* without anything that the server wrote."""
    match error:
        case _ if isinstance(error, TimeoutError) or time.monotonic() >= end:
            words = "timeout"
        case socket.gaierror():
            words = f"the name of the host is not resolved: {error.strerror}"
        case ssl.SSLCertVerificationError():
            words = f"TLS: certificate: {error.verify_message}"
        case ssl.SSLError():
            words = f"TLS: {error.reason or 'no handshake'}"
        case RemoteDisconnected():
            words = "closed without an answer"
        case OSError():
            words = f"connection: {error.strerror or error}"
        case HTTPError():
            words = "closed within the answer"
        case _:
            words = "not an answer of HTTP"
    return words
