"""Mail servers: a real one with TLS and logins, and one that refuses, drops or delays at a step of our choice."""

import socket
import ssl
import threading
import time
from asyncio import Server
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from services.delivery.channels.mail import MailChannel
from services.delivery.channels.smtp import Limits, Login

SENDER: Final = "casetrail@example.org"
LOGIN: Final = Login("casetrail", "correct horse")
HOST: Final = "127.0.0.1"
# Connections to it reach this machine, although it is not a loopback address: it stands for a server elsewhere.
ELSEWHERE: Final = "0.0.0.0"  # noqa: S104
DROP: Final = "drop"
DRIP: Final = "drip"
HANG: Final = "hang"
_DRIP_SECONDS: Final = 0.02
_REPLIES: Final = {"connection": "220 ready", "DATA": "354 go on", "QUIT": "221 bye"}


class Inbox:
    """The mails that a server accepted."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.logins: list[bytes] = []
        self.encrypted: list[bool] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail."""
        del server
        self.envelopes.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return "250 queued as 1"

    def log_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """Accept the one login."""
        del server, session, envelope, mechanism
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login)
        right = (data.login.decode(), data.password.decode()) == LOGIN
        return AuthResult(success=right, handled=False)

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails, parsed."""
        return [parsed(content(envelope)) for envelope in self.envelopes]


def content(envelope: Envelope) -> bytes:
    """Return the bytes of a mail as they were sent."""
    data = envelope.original_content
    assert isinstance(data, bytes)
    return data


def parsed(data: bytes) -> EmailMessage:
    """Return the mail that *data* are."""
    return message_from_bytes(data, policy=policy.default)


def port_of(controller: Controller) -> int:
    """Return the port on which the server listens."""
    assert isinstance(controller.server, Server)
    port: int = controller.server.sockets[0].getsockname()[1]
    return port


@contextmanager
def mail_server(inbox: Inbox, port: int = 0, certificate: Path | None = None, **options: Any) -> Iterator[Controller]:
    """
    Run a real mail server in a thread.

    Args:
        inbox: its mails.
        port: its port; 0: a free one.
        certificate: the PEM file of its certificate: it offers STARTTLS, or TLS if *options* say `tls=True`.
        options: other options of aiosmtpd.
    """
    names: dict[str, Any] = {"ready_timeout": 20, **options}
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        names["ssl_context" if names.pop("tls", False) else "tls_context"] = context
    controller = _Controller(inbox, hostname=ELSEWHERE, port=port, **names)
    controller.start()
    try:
        yield controller
    finally:
        controller.stop()


class _Controller(Controller):
    """A controller on a free port: the library's own asks for the port 0 to see that it listens."""

    def _trigger_server(self) -> None:
        socket.create_connection((HOST, port_of(self)), 5).close()


@contextmanager
def scripted_server(replies: Mapping[str, str]) -> Iterator[str]:
    """
    Run a server that answers each step with the reply for it, and yield its URL.

    The steps are *connection*, the commands, and *message*. `DROP` closes the connection; `DRIP` sends a byte of
    the reply now and then, and never the end; `HANG` sends no reply.
    """
    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=_answer_all, args=(listener, {**_REPLIES, **replies}))
        thread.start()
        yield f"smtp://{HOST}:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _answer_all(listener: socket.socket, replies: Mapping[str, str]) -> None:
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            return
        with closing(conn), suppress(OSError):
            _answer(conn, replies)


def _answer(conn: socket.socket, replies: Mapping[str, str]) -> None:
    with conn.makefile("rb") as lines:
        going = _reply(conn, replies["connection"])
        while going and (line := lines.readline()):
            verb = line.decode().split()[0].upper()
            going = _reply(conn, replies.get(verb, "250 well"))
            if verb == "DATA" and replies[verb].startswith("354") and going:
                while lines.readline() not in {b".\r\n", b""}:
                    pass
                going = _reply(conn, replies.get("message", "250 queued"))


def _reply(conn: socket.socket, reply: str) -> bool:
    if reply == DRIP:
        conn.sendall(b"250-")
        while True:
            conn.sendall(b".")
            time.sleep(_DRIP_SECONDS)
    if reply not in {DROP, HANG}:
        conn.sendall(reply.encode() + b"\r\n")
    return reply != DROP


def channel(
    url: str, login: Login | None = None, allow: str = "127.0.0.0/8", limits: Limits | None = None
) -> MailChannel:
    """Return a channel to the server at *url*."""
    return MailChannel(url, SENDER, login, [ip_network(allow)], limits)
