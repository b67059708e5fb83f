"""A conversation with a mail server by SMTP: to a checked address, encrypted, and within a bounded time."""

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from events.errors import BadInput
from services.delivery.config.model import Network

from .addresses import checked_addresses, connect_to, shut_down_after

_PORTS: Final = {"smtp": 587, "smtps": 465}
_DOT: Final = re.compile(rb"^\.", re.MULTILINE)


class MailServer(NamedTuple):
    """The next server of our mails; `tls`: the connection begins with TLS, rather than with STARTTLS."""

    host: str
    port: int
    tls: bool


class Login(NamedTuple):
    """The name and the password by which a server knows us."""

    user: str
    password: str


@dataclass(frozen=True)
class Limits:
    """The longest time of one step of a conversation, and of all steps together."""

    step_seconds: float = 10.0
    total_seconds: float = 30.0


class Unwanted(Exception):
    """
    The server's answer to a step was not the wanted one.

    Args:
        step: the command, or *message* for the answer to the message itself.
        code: the code of the reply; 0: the server does not support the step.
        text: the words of the reply.
    """

    def __init__(self, step: str, code: int, text: str) -> None:
        super().__init__(step, code, text)
        self.step = step
        self.code = code
        self.text = text

    def __str__(self) -> str:
        return f"{self.step}: {self.code} {self.text}" if self.code else f"{self.step}: {self.text}"


def parse_server(url: str) -> MailServer:
    """
    Return the server of `smtp://HOST:PORT` (STARTTLS) or `smtps://HOST:PORT` (TLS).

    Raises:
        BadInput: if *url* is neither.
    """
    wanted = "smtp://mail.example:587 or smtps://mail.example:465"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadInput(f"{error}", wanted) from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise BadInput("the URL of the mail server is not one", wanted)
    if parts.username is not None or parts.password is not None:
        raise BadInput("the URL of the mail server contains a login", "`user:` and `password:` beside it")
    return MailServer(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "smtps")


class Session(smtplib.SMTP):
    """
    One conversation, for one message.

    Attributes:
        sent_whole: whether the whole message was sent.
    """

    def __init__(self, server: MailServer, allow: Collection[Network], limits: Limits) -> None:
        # A name of our own, because the library would ask the name service for one, without a limit of time.
        super().__init__(local_hostname="localhost")
        self.sent_whole = False
        self._server = server
        self._host = server.host  # starttls() compares the certificate with it
        self._allow = allow
        self._step_seconds = limits.step_seconds
        self._end = time.monotonic() + limits.total_seconds
        self._limit = ExitStack()
        self._is_loopback = False

    def begin(self, login: Login | None) -> None:
        """
        Connect, encrypt and log in.

        Raises:
            RefusedAddress: if the server's address may not be reached.
            Unwanted: if the server refuses a step.
            OSError, smtplib.SMTPException: if the connection or the login fails.
        """
        _accept("connection", 220, self.connect(self._server.host, self._server.port))
        _accept("EHLO", 250, self.ehlo())
        if not self._server.tls and self.has_extn("starttls"):
            self.starttls(context=_unchecked() if self._is_loopback else ssl.create_default_context())
            _accept("EHLO", 250, self.ehlo())
        elif not self._server.tls and not self._is_loopback:
            raise Unwanted("STARTTLS", 0, "the server does not offer it, and only this machine's own may do without")
        if login is not None:
            self.login(*login)

    def deliver(self, sender: str, address: str, data: bytes) -> str:
        """
        Hand over the message *data*, and return the server's answer.

        Raises:
            Unwanted: if the server refuses a step.
            OSError, smtplib.SMTPException: if the connection fails.
        """
        options = () if data.isascii() else ("SMTPUTF8", "BODY=8BITMIME")
        if options and not self.has_extn("smtputf8"):
            raise Unwanted("SMTPUTF8", 0, "the server does not support it, and an address needs it")
        _accept("MAIL", 250, self.mail(sender, options))
        _accept("RCPT", 250, self.rcpt(address))
        _accept("DATA", 354, self.docmd("DATA"))
        self.send(_DOT.sub(b"..", data) + b".\r\n")
        self.sent_whole = True
        return _accept("message", 250, self.getreply())

    def end(self) -> None:
        """Close the connection; a server that does not answer the farewell has its message all the same."""
        try:
            with suppress(OSError, smtplib.SMTPException):
                self.quit()
        finally:
            self.close()
            self._limit.close()

    @property
    def is_over(self) -> bool:
        """Whether the time of the conversation is over."""
        return time.monotonic() >= self._end

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        del timeout
        addresses = checked_addresses(host, port, self._allow, self._seconds_left())
        self._is_loopback = all(address.ip.is_loopback for address in addresses)
        sock = connect_to(addresses, self._seconds_left())
        self._limit.enter_context(shut_down_after(sock, self._end - time.monotonic()))
        sock.settimeout(self._step_seconds)
        own = ip_address(sock.getsockname()[0])
        self.local_hostname = f"[{own}]" if own.version == 4 else f"[IPv6:{own}]"  # noqa: PLR2004
        return ssl.create_default_context().wrap_socket(sock, server_hostname=host) if self._server.tls else sock

    def _seconds_left(self) -> float:
        return min(self._step_seconds, self._end - time.monotonic())


def _accept(step: str, wanted: int, reply: tuple[int, bytes]) -> str:
    """Return the words of *reply*, if its code is of the wanted hundred."""
    code, text = reply[0], reply[1].decode("utf-8", "replace")
    if code // 100 != wanted // 100:
        raise Unwanted(step, code, text)
    return text


def _unchecked() -> ssl.SSLContext:
    """
    Return a context that takes every certificate, for a server on this machine.

    It might be plain as well, and the certificate of a local relay seldom names localhost.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
