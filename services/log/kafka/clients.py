"""kafka-python's clients, opened as the settings say."""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from pydantic import SecretStr

from events.errors import BadInput
from services.settings import Settings

API_VERSION = (4, 0)
"""With a version, a client is made at once. Without one it asks a broker first, and fails if none answers."""

# A service shows the logs of kafka-python. A command prints its own error instead.
logging.getLogger("kafka").addHandler(logging.NullHandler())


class Connected(NamedTuple):
    """An administrator's client, and the addresses that the brokers advertise, each as (host, port)."""

    client: KafkaAdminClient
    brokers: list[tuple[str, int]]


def options(settings: Settings) -> dict[str, Any]:
    """
    Return the options of every client: the broker's address, TLS and the login.

    Raises:
        BadInput: naming the variable, if a certificate or a key cannot be read.
    """
    protocol = settings.kafka_security_protocol
    shared: dict[str, Any] = {
        "bootstrap_servers": [address.strip() for address in settings.kafka_bootstrap_servers.split(",")],
        "security_protocol": protocol,
        "client_id": "casetrail",
        "reconnect_backoff_max_ms": 1000,
    }
    if protocol.endswith("SSL"):
        shared["ssl_context"] = tls_context(settings)
    if protocol.startswith("SASL"):
        shared |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            # kafka-python uses these names for SCRAM as well.
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": _secret(settings.kafka_sasl_password),
        }
    return shared


def open_consumer(settings: Settings, **more: Any) -> KafkaConsumer:  # noqa: ANN401 - kafka-python's own options
    """Return a consumer that reads only from positions it was set to, and commits nothing by itself."""
    return KafkaConsumer(
        **options(settings),
        api_version=API_VERSION,
        enable_auto_commit=False,
        auto_offset_reset="none",
        allow_auto_create_topics=False,
        metrics_enabled=False,
        **more,
    )


def open_producer(settings: Settings, **more: Any) -> KafkaProducer:  # noqa: ANN401 - kafka-python's own options
    """Return a producer that writes records once and in order, acknowledged by all in-sync replicas."""
    return KafkaProducer(
        **options(settings),
        api_version=API_VERSION,
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        **more,
    )


def flushed(producer: KafkaProducer, seconds: float) -> bool:
    """Send what *producer* holds; return whether everything has its answer within *seconds*."""
    try:
        producer.flush(seconds)
    except KafkaTimeoutError:
        return False
    return True


@contextmanager
def open_admin(settings: Settings, seconds: float) -> Iterator[Connected]:
    """
    Yield a connected administrator's client, and close it after the block.

    Args:
        settings: the settings.
        seconds: how long the client tries to connect, and how long each answer may take.

    Raises:
        KafkaError: if it cannot connect, and any that the block raises.
    """
    connections: list[KafkaNetClient] = []

    def net(**configs: Any) -> KafkaNetClient:  # noqa: ANN401 - the client's own options
        connections.append(KafkaNetClient(**configs))
        return connections[-1]

    milliseconds = int(seconds * 1000)
    try:
        client = KafkaAdminClient(
            **options(settings), bootstrap_timeout_ms=milliseconds, request_timeout_ms=milliseconds, kafka_client=net
        )
        yield Connected(client, [(broker.host, broker.port) for broker in connections[0].cluster.brokers()])
    finally:
        # A client that fails to connect leaves its thread behind. Waiting for a broker makes many clients.
        for connection in connections:
            connection.close()


def tls_context(settings: Settings) -> ssl.SSLContext:
    """
    Return the TLS context: the trusted authorities, and the client certificate if there is one.

    Raises:
        BadInput: naming the variable, if a certificate or a key cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.kafka_ssl_ca_file:
        try:
            context.load_verify_locations(settings.kafka_ssl_ca_file)
        except OSError as problem:
            raise _unreadable("SSL_CA_FILE", settings.kafka_ssl_ca_file, problem, "certificates") from None
    else:
        context.load_default_certs()
    if settings.kafka_ssl_cert_file:
        # Without a password, OpenSSL would ask for one at the terminal and wait.
        password = _secret(settings.kafka_ssl_key_password) or ""
        try:
            context.load_cert_chain(settings.kafka_ssl_cert_file, settings.kafka_ssl_key_file, password)
        except OSError as problem:
            path = settings.kafka_ssl_key_file or settings.kafka_ssl_cert_file
            wanted = "a certificate with its key, and CASETRAIL_KAFKA_SSL_KEY_PASSWORD if the key has a password"
            raise _unreadable("SSL_CERT_FILE", path, problem, wanted) from None
    return context


def _unreadable(variable: str, path: Path, problem: OSError, wanted: str) -> BadInput:
    return BadInput(f"{path}: {problem.strerror or problem}", f"{wanted}, as PEM", f"CASETRAIL_KAFKA_{variable}")


def _secret(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
