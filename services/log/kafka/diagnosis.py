"""Find the reason why Kafka cannot be used: its address, TLS and the login are tried one by one."""

import logging
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kafka.errors import KafkaError

from events.errors import Unreachable
from services.settings import Settings

from .clients import open_admin, tls_context

CONNECT_SECONDS = 3.0
PAUSE_SECONDS = 0.2
LOGIN_SECONDS = 5.0
DEFAULT_PORT = 9092

# Kafka's simplest request, ApiVersions (18) version 0. A broker answers it before any login.
_REQUEST = struct.pack(">hhih", 18, 0, 1, -1)
_REPLY_HEAD = 5
_TLS_ALERT = b"\x15\x03"

_PROTOCOL = "CASETRAIL_KAFKA_SECURITY_PROTOCOL"

# OpenSSL's numbers of the faults of a certificate.
_UNTRUSTED = {18, 19, 20, 21}
_OTHER_NAME = {62, 64}
_EXPIRED, _NOT_YET = 10, 9


class Diagnosis(NamedTuple):
    """
    The reason why Kafka cannot be used.

    Attributes:
        what: the finding, the address first.
        wanted: the next step.
        temporary: whether it can end without a change on this machine, such as once the broker is up.
    """

    what: str
    wanted: str
    temporary: bool = False

    def error(self) -> Unreachable:
        """Return the error to raise."""
        return Unreachable(f"Kafka at {self.what}", self.wanted)


def diagnose(settings: Settings, seconds: float = LOGIN_SECONDS) -> Diagnosis | None:
    """
    Return the reason why Kafka cannot be used.

    None means that a broker answers, accepts the login, and can be reached at the address that it advertises.

    Args:
        settings: the settings.
        seconds: how long the broker has to accept the login.

    Raises:
        BadInput: if a certificate or a key of the settings cannot be read.
    """
    context = _context(settings)
    return _at_every_address(settings, context) or _at_login(settings, context, seconds)


def await_answer(settings: Settings, seconds: float) -> None:
    """
    Return as soon as a broker answers.

    Call it before a client is made, because a client that finds no broker leaves sockets behind.

    Raises:
        Unreachable: if none answers in *seconds*, or if the reason is not temporary.
        BadInput: if a certificate or a key of the settings cannot be read.
    """
    context = _context(settings)
    end = time.monotonic() + seconds
    while diagnosis := _at_every_address(settings, context):
        if not diagnosis.temporary or time.monotonic() > end:
            raise diagnosis.error()
        time.sleep(PAUSE_SECONDS)


def unreachable(settings: Settings, problem: KafkaError) -> Unreachable:
    """Return the error for a client that failed with *problem*, with the diagnosis if there is one."""
    diagnosis = diagnose(settings)
    return diagnosis.error() if diagnosis else Unreachable(f"Kafka at {settings.kafka_bootstrap_servers}: {problem}")


def refused(settings: Settings, messages: list[str]) -> Diagnosis:
    """
    Return the reason why a broker that answers refuses the client.

    Args:
        settings: the settings.
        messages: the client's error, then the messages that `client_warnings` has collected.
    """
    place = settings.kafka_bootstrap_servers
    text = "\n".join(messages)
    mechanism = settings.kafka_sasl_mechanism
    another = "set CASETRAIL_KAFKA_SASL_MECHANISM to one it takes"
    if "UnsupportedSaslMechanism" in text:
        return Diagnosis(f"{place}: takes no login by {mechanism}", another)
    if "IllegalSaslState" in text:
        wanted = f"set {_PROTOCOL}=PLAINTEXT or SSL, or use the port that takes a login"
        return Diagnosis(f"{place}: takes no login on this port", wanted)
    login = settings.kafka_security_protocol.startswith("SASL")
    known = "set CASETRAIL_KAFKA_SASL_USERNAME and CASETRAIL_KAFKA_SASL_PASSWORD as the broker knows them"
    if login and "SaslAuthenticationFailed" in text:
        return Diagnosis(f"{place}: refuses the login of {settings.kafka_sasl_username} by {mechanism}", known)
    if login and "socket disconnected" in text:
        # The broker sends the reason and closes the connection. The client may see the end before it reads the reason.
        what = f"{place}: closes the connection at the login of {settings.kafka_sasl_username} by {mechanism}"
        return Diagnosis(what, f"{known}, or {another}, or {_PROTOCOL}=PLAINTEXT or SSL without a login")
    if not login:
        wanted = f"set {_PROTOCOL}=SASL_PLAINTEXT or SASL_SSL if it requires a login, or read the broker's log"
        return Diagnosis(f"{place}: closes the connection or does not answer", wanted)
    return Diagnosis(f"{place}: {messages[-1]}", "read the broker's log")


@contextmanager
def client_warnings() -> Iterator[list[str]]:
    """Collect the warnings of kafka-python in the block: the reason is in its logs and not in its errors."""
    messages: list[str] = []
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("kafka.net")
    logger.addHandler(listener)
    try:
        yield messages
    finally:
        logger.removeHandler(listener)


def addresses(settings: Settings) -> list[tuple[str, int]]:
    """Return the addresses of the settings, each as host and port."""
    return [_address(address.strip()) for address in settings.kafka_bootstrap_servers.split(",")]


def at_address(host: str, port: int, context: ssl.SSLContext | None) -> Diagnosis | None:
    """
    Return the reason why no broker answers at an address, or None if one answers.

    Args:
        host: the name or address of the machine.
        port: the port.
        context: the TLS context; None without TLS.
    """
    place = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS) as plain:
            return _over_tls(plain, host, place, context) if context else _in_the_clear(plain, place)
    except socket.gaierror:
        wanted = "correct the name, or add it to DNS or to this machine's /etc/hosts"
        return Diagnosis(f"{place}: no machine has that name", wanted, temporary=True)
    except TimeoutError:
        wanted = "check that no firewall is in between, and that the broker is running"
        return Diagnosis(f"{place}: does not answer", wanted, temporary=True)
    except ConnectionRefusedError:
        wanted = "start the broker, or correct the address and port"
        return Diagnosis(f"{place}: nothing listens there", wanted, temporary=True)
    except OSError as problem:
        what = f"{place}: cannot be reached: {problem.strerror or problem}"
        return Diagnosis(what, "check the network in between", temporary=True)


def _context(settings: Settings) -> ssl.SSLContext | None:
    return tls_context(settings) if settings.kafka_security_protocol.endswith("SSL") else None


def _at_every_address(settings: Settings, context: ssl.SSLContext | None) -> Diagnosis | None:
    """Return the diagnosis of the first address, or None if a broker answers at any of them."""
    first = None
    for host, port in addresses(settings):
        diagnosis = at_address(host, port, context)
        if diagnosis is None:
            return None
        first = first or diagnosis
    return first


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, DEFAULT_PORT
    return host.strip("[]"), int(port)


def _in_the_clear(plain: socket.socket, place: str) -> Diagnosis | None:
    try:
        head = _answer_head(plain)
    except ConnectionError:
        head = b""
    if head and not head.startswith(_TLS_ALERT):
        return _not_kafka(head, place)
    what = f"{place}: speaks TLS, and {_PROTOCOL} says that it does not"
    # A broker that is stopping closes connections too.
    return Diagnosis(what, f"set {_PROTOCOL}=SSL, or SASL_SSL with a login", temporary=not head)


def _over_tls(plain: socket.socket, host: str, place: str, context: ssl.SSLContext) -> Diagnosis | None:
    try:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            return _not_kafka(_answer_head(secure), place)
    except ssl.SSLCertVerificationError as problem:
        return _bad_certificate(problem, place)
    except (ssl.SSLEOFError, ConnectionError):
        return _speaks_plaintext(place, temporary=True)
    except ssl.SSLError as problem:
        if "ALERT" in (problem.reason or ""):
            wanted = "set CASETRAIL_KAFKA_SSL_CERT_FILE and CASETRAIL_KAFKA_SSL_KEY_FILE to one that the broker trusts"
            return Diagnosis(f"{place}: requires a client certificate that it trusts", wanted)
        return _speaks_plaintext(place, temporary=False)


def _answer_head(connection: socket.socket) -> bytes:
    """Send a first request and return the first bytes of the answer, or none if the connection was closed instead."""
    connection.sendall(struct.pack(">i", len(_REQUEST)) + _REQUEST)
    return connection.recv(_REPLY_HEAD)


def _not_kafka(head: bytes, place: str) -> Diagnosis | None:
    # An answer begins with its length. The first byte of the length is zero.
    if head.startswith(b"\0"):
        return None
    return Diagnosis(f"{place}: the program that listens there is not Kafka", "correct the address and port")


def _speaks_plaintext(place: str, *, temporary: bool) -> Diagnosis:
    what = f"{place}: does not speak TLS, and {_PROTOCOL} says that it does"
    wanted = f"set {_PROTOCOL}=PLAINTEXT, or SASL_PLAINTEXT with a login, or use the port where it speaks TLS"
    return Diagnosis(what, wanted, temporary)


def _bad_certificate(problem: ssl.SSLCertVerificationError, place: str) -> Diagnosis:
    reason = problem.verify_message
    if problem.verify_code in _OTHER_NAME:
        wanted = "use a name that its certificate has, or install a certificate that has this name"
        return Diagnosis(f"{place}: its certificate is for another name: {reason}", wanted)
    if problem.verify_code in {_EXPIRED, _NOT_YET}:
        wanted = "renew it, or correct the clock of this machine"
        return Diagnosis(f"{place}: its certificate is not valid at this time: {reason}", wanted)
    if problem.verify_code in _UNTRUSTED:
        wanted = "set CASETRAIL_KAFKA_SSL_CA_FILE to the certificate of the authority that signed it"
        return Diagnosis(f"{place}: its certificate is signed by an authority not trusted here: {reason}", wanted)
    return Diagnosis(f"{place}: its certificate is not valid: {reason}", "install another one")


def _at_login(settings: Settings, context: ssl.SSLContext | None, seconds: float) -> Diagnosis | None:
    """Connect a client as for work, and check that the brokers can be reached at the addresses they advertise."""
    with client_warnings() as messages:
        try:
            with open_admin(settings, seconds) as (_, brokers):
                advertised = set(brokers) - set(addresses(settings))
        except KafkaError as problem:
            return refused(settings, [str(problem), *messages])
    failed = [at_address(host, port, context) for host, port in sorted(advertised)]
    if advertised and all(failed):
        first = next(diagnosis for diagnosis in failed if diagnosis).what
        return Diagnosis(
            f"{settings.kafka_bootstrap_servers}: answers, and redirects to {first}",
            "set the broker's advertised.listeners to an address that can be reached from here",
        )
    return None
