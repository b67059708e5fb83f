"""Why Kafka cannot be reached, in plain words: its address, TLS and the login, each tried by itself."""

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

from .clients import admin, trust

CONNECT_SECONDS = 3.0
PAUSE_SECONDS = 0.2
LOGIN_SECONDS = 5.0
DEFAULT_PORT = 9092

# Kafka's simplest question, ApiVersions (18) version 0: a broker answers it before any login.
_QUESTION = struct.pack(">hhih", 18, 0, 1, -1)
_REPLY_HEAD = 5
_TLS_ALERT = b"\x15\x03"

_PROTOCOL = "CASETRAIL_KAFKA_SECURITY_PROTOCOL"

# By OpenSSL's numbers of what is wrong with a certificate.
_UNTRUSTED = {18, 19, 20, 21}
_OTHER_NAME = {62, 64}
_EXPIRED, _NOT_YET = 10, 9


class Trouble(NamedTuple):
    """
    Why Kafka cannot be used.

    Attributes:
        found: what is wrong, the address first.
        advice: what to do about it.
        passing: whether it is gone once the broker is up and well, with nothing changed here.
    """

    found: str
    advice: str
    passing: bool = False

    def __str__(self) -> str:
        return f"Kafka at {self.found} ({self.advice})"


def trouble(settings: Settings, seconds: float = LOGIN_SECONDS) -> Trouble | None:
    """
    Return why Kafka cannot be used, or None if it can: a broker answers, lets us in, and is where it says it is.

    Args:
        settings: the settings.
        seconds: how long the broker has to let us in.

    Raises:
        BadInput: if a certificate or a key of the settings cannot be read.
    """
    context = _context(settings)
    return _at_every_address(settings, context) or _at_login(settings, context, seconds)


def await_answer(settings: Settings, seconds: float) -> None:
    """
    Return as soon as a broker answers.

    Before a client is made, since one that finds nobody leaves sockets behind.

    Raises:
        Unreachable: if none does in that time, or there is something in the way that will not pass.
        BadInput: if a certificate or a key of the settings cannot be read.
    """
    context = _context(settings)
    end = time.monotonic() + seconds
    while found := _at_every_address(settings, context):
        if not found.passing or time.monotonic() > end:
            raise Unreachable(str(found))
        time.sleep(PAUSE_SECONDS)


def why(settings: Settings, problem: KafkaError) -> str:
    """Say in one sentence why Kafka could not be used, where a client said no more than *problem*."""
    return str(trouble(settings) or f"Kafka at {settings.kafka_bootstrap_servers}: {problem}")


def refused(settings: Settings, said: list[str]) -> Trouble:
    """
    Return why a broker that answers does not let us in.

    Args:
        settings: the settings.
        said: what the client said and what was `overheard` meanwhile.
    """
    place = settings.kafka_bootstrap_servers
    everything = "\n".join(said)
    mechanism = settings.kafka_sasl_mechanism
    if "UnsupportedSaslMechanism" in everything:
        return Trouble(f"{place}: takes no login by {mechanism}", "CASETRAIL_KAFKA_SASL_MECHANISM: one that it takes")
    if "IllegalSaslState" in everything:
        return Trouble(
            f"{place}: takes no login there", f"{_PROTOCOL}=PLAINTEXT or SSL, or the port where it takes one"
        )
    login = settings.kafka_security_protocol.startswith("SASL")
    known = "CASETRAIL_KAFKA_SASL_USERNAME, CASETRAIL_KAFKA_SASL_PASSWORD: as the broker knows them"
    if login and "SaslAuthenticationFailed" in everything:
        return Trouble(f"{place}: does not let {settings.kafka_sasl_username} in by {mechanism}", known)
    if login and "socket disconnected" in everything:
        # The broker says why and closes the connection, and the client may see the end before it has read the answer.
        found = f"{place}: ends the login of {settings.kafka_sasl_username} by {mechanism} without a word"
        others = f"CASETRAIL_KAFKA_SASL_MECHANISM: one that it takes; {_PROTOCOL}=PLAINTEXT or SSL if it wants no login"
        return Trouble(found, f"{known}; {others}")
    if not login:
        advice = f"if it wants a login, {_PROTOCOL}=SASL_PLAINTEXT or SASL_SSL; else see the broker's log"
        return Trouble(f"{place}: closes the connection or does not answer", advice)
    return Trouble(f"{place}: {said[-1]}", "see the broker's log")


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Give what kafka-python logs while the block runs: the reason is in its logs and not in its errors."""
    said: list[str] = []
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("kafka.net")
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)


def addresses(settings: Settings) -> list[tuple[str, int]]:
    """Return where the settings say that Kafka is: host and port each."""
    return [_address(each.strip()) for each in settings.kafka_bootstrap_servers.split(",")]


def at_address(host: str, port: int, context: ssl.SSLContext | None) -> Trouble | None:
    """
    Return why no broker answers there, or None if one does.

    Args:
        host: its name or address.
        port: its port.
        context: with TLS, whom to trust.
    """
    place = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS) as plain:
            return _over_tls(plain, host, place, context) if context else _in_the_clear(plain, place)
    except socket.gaierror:
        advice = "correct the name, or see that DNS or /etc/hosts knows it here"
        return Trouble(f"{place}: no machine has that name", advice, passing=True)
    except TimeoutError:
        advice = "see that no firewall is between, and that the broker is well"
        return Trouble(f"{place}: does not answer", advice, passing=True)
    except ConnectionRefusedError:
        advice = "start the broker, or correct the address and port"
        return Trouble(f"{place}: nothing listens there", advice, passing=True)
    except OSError as problem:
        advice = "see the network between"
        return Trouble(f"{place}: cannot be reached: {problem.strerror or problem}", advice, passing=True)


def _context(settings: Settings) -> ssl.SSLContext | None:
    return trust(settings) if settings.kafka_security_protocol.endswith("SSL") else None


def _at_every_address(settings: Settings, context: ssl.SSLContext | None) -> Trouble | None:
    """Return what is wrong at the first address, or None where one of them is well."""
    first = None
    for host, port in addresses(settings):
        found = at_address(host, port, context)
        if found is None:
            return None
        first = first or found
    return first


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, DEFAULT_PORT
    return host.strip("[]"), int(port)


def _in_the_clear(plain: socket.socket, place: str) -> Trouble | None:
    try:
        head = _asked(plain)
    except ConnectionError:
        head = b""
    if head and not head.startswith(_TLS_ALERT):
        return _not_kafka(head, place)
    found = f"{place}: speaks TLS, and {_PROTOCOL} says that it does not"
    # One that is just stopping closes connections too.
    return Trouble(found, f"{_PROTOCOL}=SSL, or SASL_SSL with a login", passing=not head)


def _over_tls(plain: socket.socket, host: str, place: str, context: ssl.SSLContext) -> Trouble | None:
    try:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            return _not_kafka(_asked(secure), place)
    except ssl.SSLCertVerificationError as problem:
        return _mistrusted(problem, place)
    except (ssl.SSLEOFError, ConnectionError):
        return _speaks_plaintext(place, passing=True)
    except ssl.SSLError as problem:
        if "ALERT" in (problem.reason or ""):
            advice = "CASETRAIL_KAFKA_SSL_CERT_FILE and CASETRAIL_KAFKA_SSL_KEY_FILE: one that the broker trusts"
            return Trouble(f"{place}: wants a certificate of ours, or another than that", advice)
        return _speaks_plaintext(place, passing=False)


def _asked(connection: socket.socket) -> bytes:
    """Return how the answer to a first question begins; nothing where the connection was closed instead."""
    connection.sendall(struct.pack(">i", len(_QUESTION)) + _QUESTION)
    return connection.recv(_REPLY_HEAD)


def _not_kafka(head: bytes, place: str) -> Trouble | None:
    # An answer begins with its length, of which the first byte is zero.
    if head.startswith(b"\0"):
        return None
    return Trouble(f"{place}: what listens there is not Kafka", "correct the address and port")


def _speaks_plaintext(place: str, *, passing: bool) -> Trouble:
    found = f"{place}: does not speak TLS, and {_PROTOCOL} says that it does"
    advice = f"{_PROTOCOL}=PLAINTEXT, or SASL_PLAINTEXT with a login; or the port where it speaks TLS"
    return Trouble(found, advice, passing)


def _mistrusted(problem: ssl.SSLCertVerificationError, place: str) -> Trouble:
    if problem.verify_code in _OTHER_NAME:
        advice = "use a name that its certificate has, or give it one that has this name"
        return Trouble(f"{place}: its certificate is for another name: {problem.verify_message}", advice)
    if problem.verify_code in {_EXPIRED, _NOT_YET}:
        advice = "renew it (or see that the clock of this machine is right)"
        return Trouble(f"{place}: its certificate is not valid at this time: {problem.verify_message}", advice)
    if problem.verify_code in _UNTRUSTED:
        advice = "CASETRAIL_KAFKA_SSL_CA_FILE: the certificate of whoever signed it"
        return Trouble(f"{place}: its certificate is signed by nobody whom we trust: {problem.verify_message}", advice)
    return Trouble(f"{place}: its certificate is not good: {problem.verify_message}", "give it another")


def _at_login(settings: Settings, context: ssl.SSLContext | None, seconds: float) -> Trouble | None:
    """Let a client connect as it does for work, and see whether the brokers can be reached where they say they are."""
    with overheard() as said:
        try:
            with admin(settings, seconds) as (_, brokers):
                told = set(brokers) - set(addresses(settings))
        except KafkaError as problem:
            return refused(settings, [str(problem), *said])
    failed = [at_address(host, port, context) for host, port in sorted(told)]
    if told and all(failed):
        found = next(each for each in failed if each).found
        return Trouble(
            f"{settings.kafka_bootstrap_servers}: answers, and sends us on to {found}",
            "the broker's advertised.listeners must name an address that can be reached from here",
        )
    return None
