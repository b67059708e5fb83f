"""How each of kafka-python's clients reaches the broker, as the settings have it."""

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from services.settings import Settings

API_VERSION = (4, 0)
"""Given, a client comes to be at once and finds its broker when it needs it; asked for, it fails where none answers."""


def options(chosen: Settings) -> dict[str, Any]:
    """Return what every client is given: where the broker is, how it is trusted and who we are."""
    protocol = chosen.kafka_security_protocol
    given: dict[str, Any] = {
        "bootstrap_servers": [each.strip() for each in chosen.kafka_bootstrap_servers.split(",")],
        "security_protocol": protocol,
        "client_id": "casetrail",
        "reconnect_backoff_max_ms": 1000,
    }
    if protocol.endswith("SSL"):
        given |= {
            "ssl_cafile": _path(chosen.kafka_ssl_ca_file),
            "ssl_certfile": _path(chosen.kafka_ssl_cert_file),
            "ssl_keyfile": _path(chosen.kafka_ssl_key_file),
            "ssl_password": _secret(chosen.kafka_ssl_key_password),
        }
    if protocol.startswith("SASL"):
        given |= {
            "sasl_mechanism": chosen.kafka_sasl_mechanism,
            # kafka-python takes these for SCRAM as well.
            "sasl_plain_username": chosen.kafka_sasl_username,
            "sasl_plain_password": _secret(chosen.kafka_sasl_password),
        }
    return given


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _secret(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
