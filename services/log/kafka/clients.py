"""How each of kafka-python's clients reaches the broker, as the settings have it."""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.net.compat import KafkaNetClient
from pydantic import SecretStr

from events.errors import BadInput
from services.settings import Settings

API_VERSION = (4, 0)
"""Given, a client comes to be at once and finds its broker when it needs it; asked for, it fails where none answers."""

# What its clients log is for a service's logs; a command says itself what is wrong.
logging.getLogger("kafka").addHandler(logging.NullHandler())


class Connected(NamedTuple):
    """An administrator's client, and where the brokers say that they are: (host, port) each."""

    client: KafkaAdminClient
    brokers: list[tuple[str, int]]


def options(settings: Settings) -> dict[str, Any]:
    """
    Return what every client is given: where the broker is, how it is trusted and who we are.

    Raises:
        BadInput: naming the variable, if a certificate or a key cannot be read.
    """
    protocol = settings.kafka_security_protocol
    given: dict[str, Any] = {
        "bootstrap_servers": [each.strip() for each in settings.kafka_bootstrap_servers.split(",")],
        "security_protocol": protocol,
        "client_id": "casetrail",
        "reconnect_backoff_max_ms": 1000,
    }
    if protocol.endswith("SSL"):
        given["ssl_context"] = trust(settings)
    if protocol.startswith("SASL"):
        given |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            # kafka-python takes these for SCRAM as well.
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": _secret(settings.kafka_sasl_password),
        }
    return given


def open_consumer(settings: Settings, **more: Any) -> KafkaConsumer:  # noqa: ANN401 - kafka-python's own options
    """Return a consumer that reads from where it is told to and nowhere else, and commits nothing by itself."""
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
    """Return a producer whose records are acknowledged by all replicas in step, once and in order."""
    return KafkaProducer(
        **options(settings),
        api_version=API_VERSION,
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        **more,
    )


@contextmanager
def admin(settings: Settings, seconds: float) -> Iterator[Connected]:
    """
    Connect an administrator's client while the block runs.

    Args:
        settings: the settings.
        seconds: how long it tries to connect, and how long each answer may take.

    Raises:
        KafkaError: if it cannot connect, or whatever it says within the block.
    """
    made: list[KafkaNetClient] = []

    def net(**configs: Any) -> KafkaNetClient:  # noqa: ANN401 - the client's own options
        made.append(KafkaNetClient(**configs))
        return made[-1]

    milliseconds = int(seconds * 1000)
    try:
        client = KafkaAdminClient(
            **options(settings), bootstrap_timeout_ms=milliseconds, request_timeout_ms=milliseconds, kafka_client=net
        )
        yield Connected(client, [(each.host, each.port) for each in made[0].cluster.brokers()])
    finally:
        # A client that fails to connect leaves its thread behind, and who waits for a broker makes many.
        for each in made:
            each.close()


def trust(settings: Settings) -> ssl.SSLContext:
    """
    Return what TLS needs: whom we trust, and our own certificate where there is one.

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
        # Without a password given, one that is asked for at the terminal would be waited for.
        password = _secret(settings.kafka_ssl_key_password) or ""
        try:
            context.load_cert_chain(settings.kafka_ssl_cert_file, settings.kafka_ssl_key_file, password)
        except OSError as problem:
            given = settings.kafka_ssl_key_file or settings.kafka_ssl_cert_file
            what = "a certificate with its key, and CASETRAIL_KAFKA_SSL_KEY_PASSWORD where it has one"
            raise _unreadable("SSL_CERT_FILE", given, problem, what) from None
    return context


def _unreadable(variable: str, path: Path, problem: OSError, wanted: str) -> BadInput:
    return BadInput(f"{path}: {problem.strerror or problem}", f"{wanted}, as PEM", f"CASETRAIL_KAFKA_{variable}")


def _secret(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
