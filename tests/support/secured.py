"""A broker with a listener for every mistake that a client can make with TLS, certificates and logins."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from services.settings import Settings
from tests.support.certificates import authority, signed
from tests.support.kafka import Broker, free_port

USER, PASSWORD = "desk", "swordfish"

PROTOCOLS = {
    "PLAINTEXT": "PLAINTEXT",
    "CONTROLLER": "PLAINTEXT",
    "SSL": "SSL",
    "SASL_SSL": "SASL_SSL",
    "SASL_PLAINTEXT": "SASL_PLAINTEXT",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "PLAINTEXT",
}
"""The protocol of each listener. ELSEWHERE sends its clients on to a machine that does not exist."""

PROPERTIES = """
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map={protocols}
ssl.keystore.type=PEM
ssl.keystore.location={home}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={home}/ca.pem
listener.name.mutual.ssl.client.auth=required
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location={home}/expired.pem
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.sasl_plaintext.sasl.enabled.mechanisms=SCRAM-SHA-256
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
"""


class Secured:
    """
    The secured broker while it runs.

    Args:
        broker: the broker.
        ports: the port of each listener, by its name.
    """

    def __init__(self, broker: Broker, ports: dict[str, int]) -> None:
        self.broker = broker
        self.ports = ports

    def file(self, name: str) -> Path:
        """Return the file of a certificate: ca, other (which signed nothing), broker, expired or client."""
        return self.broker.home / f"{name}.pem"

    def settings(self, listener: str, protocol: str | None = None, host: str = "127.0.0.1", **more: Any) -> Settings:
        """
        Return settings that are right for *listener*, except for the arguments.

        Args:
            listener: its name.
            protocol: another protocol.
            host: another name of the machine.
            more: fields of the settings without ``kafka_``; None leaves a field out.
        """
        defaults: dict[str, Any] = {
            "bootstrap_servers": f"{host}:{self.ports[listener]}",
            "security_protocol": protocol or PROTOCOLS[listener],
            "ssl_ca_file": self.file("ca"),
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_username": USER,
            "sasl_password": PASSWORD,
        }
        fields = {f"kafka_{name}": value for name, value in (defaults | more).items() if value is not None}
        return Settings(log="kafka", **fields)


@contextmanager
def secured_broker() -> Iterator[Secured]:
    """Run the secured broker during the block."""
    with tempfile.TemporaryDirectory(prefix="casetrail-secured-") as folder:
        home = Path(folder)
        for name in ("ca", "other"):
            authority(home, name)
        signed(home, "broker", "ca")
        signed(home, "client", "ca")
        signed(home, "expired", "ca", days=0)
        broker = Broker(home)
        others = free_port()
        ports = dict(zip(PROTOCOLS, [*range(broker.port, broker.port + 4), *range(others, others + 4)], strict=True))
        (home / "server.properties").write_text(_properties(home, ports))
        try:
            broker.start()
            _let_in(broker.address)
            yield Secured(broker, ports)
        finally:
            broker.kill()


def _properties(home: Path, ports: dict[str, int]) -> str:
    listeners = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
    return PROPERTIES.format(
        listeners=",".join(listeners.values()),
        advertised=",".join((listeners | {"ELSEWHERE": "ELSEWHERE://nowhere.invalid:9092"}).values()),
        protocols=",".join(f"{name}:{protocol}" for name, protocol in PROTOCOLS.items()),
        home=home,
        module="org.apache.kafka.common.security",
        user=USER,
        password=PASSWORD,
    )


def _let_in(address: str) -> None:
    """Create the user for SCRAM; PLAIN has it in the properties."""
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            credential = UserScramCredentialUpsertion(USER, mechanism, PASSWORD, iterations=4096)
            assert {USER: None} == admin.alter_user_scram_credentials([credential])
