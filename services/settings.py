"""All settings: ``CASETRAIL_*`` variables, or the same in a file ``.env`` in the working directory."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from events.errors import BadInput
from projections.projector.derive import CACHE_FACTS
from projections.rules.files.loading import WrittenRules, load, load_written, pack, written_pack
from projections.rules.rulebook import Rulebook
from projections.tables.schema import TOPIC
from services.values import mail_address, smtp_url, topic_name, zone

# A name, an IPv4 address or an IPv6 one in brackets, and a port.
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/]+)(:(?P<port>[0-9]{1,5}))?")

_KINDS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")
_FILE = "sqlite:///FILE"
_DATABASES = f"{_FILE} or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME"

# The rest of a URL after the user and the password, as SQLAlchemy parses it: a password ends at the first @.
_AFTER_PASSWORD = re.compile(r"(?:[^:/]*(?::[^@]*)?@)?(.*)", re.DOTALL)

_DELIVERY = Path("delivery.yaml")


class KafkaSettings(BaseSettings):
    """The settings of the log in Kafka: connection, topics and projectors."""

    kafka_bootstrap_servers: str = Field(
        "127.0.0.1:9092", description="The first brokers to contact: HOST:PORT, with commas between several."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    kafka_ssl_ca_file: Path | None = Field(
        None, description="With SSL: the certificates to trust, as PEM. The default is those of the system."
    )
    kafka_ssl_cert_file: Path | None = Field(
        None, description="With SSL: our own certificate, as PEM, if the broker requires one."
    )
    kafka_ssl_key_file: Path | None = Field(None, description="With SSL: the key of our own certificate, as PEM.")
    kafka_ssl_key_password: SecretStr | None = Field(None, description="With SSL: the password of that key.")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="With SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."
    )
    kafka_sasl_username: str | None = Field(None, description="With SASL: our login.")
    kafka_sasl_password: SecretStr | None = Field(None, description="With SASL: the password.")

    kafka_topic: str = Field(TOPIC, description="The topic of facts.")
    kafka_alerts_topic: str = Field("casetrail.alerts.v1", description="The topic to which notices of alerts go.")
    kafka_status_topic: str = Field(
        "casetrail.status.v1",
        description="The topic to which the statuses of people go, if a receiver in delivery.yaml names it.",
    )
    kafka_partitions: int = Field(
        6,
        ge=1,
        description="The number of partitions with which `topics create` makes a topic. It limits the number of "
        "projectors.",
    )
    kafka_replication: int | None = Field(
        None, ge=1, description="The number of replicas with which it makes a topic. The default is the broker's."
    )
    kafka_publish_timeout_seconds: float = Field(
        30.0,
        gt=0,
        description="How long `publish` waits for the broker to acknowledge lines before it names those that are not "
        "accepted.",
    )

    kafka_group: str = Field(
        "casetrail.projectors",
        description="The consumer group of the projectors. Each database needs its own, and is refused in that of "
        "another database.",
    )
    kafka_session_timeout_seconds: float = Field(
        10.0,
        ge=1,
        description="Seconds without a heartbeat until a projector loses its partitions to the others.",
    )
    stall_seconds: float = Field(
        30.0,
        gt=0,
        description="Seconds without progress, while records or a partition wait, after which a projector makes a new "
        "Kafka client.",
    )


class Settings(KafkaSettings):
    """
    All settings of an installation.

    Each field is set by a variable: the field's name in capitals after ``CASETRAIL_``.
    """

    model_config = SettingsConfigDict(env_prefix="CASETRAIL_", env_file=".env", extra="ignore")

    database_url: str = Field(
        "sqlite:///casetrail.db",
        description="SQLAlchemy URL of the database: sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.",
    )
    log: Literal["local", "kafka"] = Field(
        "local", description="The log of facts: `local`, a table of the same database, or `kafka`."
    )
    rules: Path | None = Field(
        None, description="A rule file, or a folder of them. The default is the rules that ship with casetrail."
    )
    delivery: Path | None = Field(
        None,
        description="The file of receivers and routes. The default is `./delivery.yaml`; without it, nobody is told.",
    )
    smtp: str | None = Field(
        None, description="The mail server of receivers that name none: smtp://HOST:PORT or smtps://HOST:PORT."
    )
    mail_from: str | None = Field(None, description="The sender of mail to receivers that name none.")
    zone: str = Field("UTC", description="The IANA time zone of dates without a time, and of times on pages.")
    tell_backfilled: bool = Field(
        default=False,
        description="Whether notices are also written of alerts that a new rule finds in old history.",
    )
    source: str = Field(
        "urn:casetrail:cli",
        description="The source of the facts that `casetrail correct` and `retract` publish, as a URI.",
    )
    batch_records: int = Field(
        8000,
        ge=1,
        le=10_000,
        description="The most records projected in one transaction. Batches grow with the backlog.",
    )
    cache_facts: int = Field(
        CACHE_FACTS,
        ge=0,
        description="How many facts a projector keeps in memory, and for how many more people the fold; about 2 kB "
        "each.",
    )
    clock_margin_seconds: float = Field(
        2.0, ge=0, description="How far the clocks of this machine and of the database may differ before work stops."
    )
    poll_seconds: float = Field(0.1, gt=0, le=60, description="How long the service waits when there is nothing to do.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that the service logs: debug, info, warning or error."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`json`, `console` (for people), or `auto`: console on a terminal, else JSON."
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="The port of /metrics, /livez and /readyz of each process. They are not served if it is not set.",
    )
    metrics_address: str = Field("127.0.0.1", description="The address on which they are served.")


def load_settings(**instead: str) -> Settings:
    """
    Read the settings.

    Args:
        instead: values for fields, instead of those of the variables.

    Raises:
        BadInput: if a value does not fit; it names the variable and the value that would fit.
    """
    try:
        settings = Settings(**instead)  # type: ignore[arg-type]
    except ValidationError as problem:
        first = problem.errors()[0]
        field = str(first["loc"][0])
        # As in "Input should be a valid integer, unable to parse string as an integer".
        wanted = first["msg"].removeprefix("Input should be ").partition(", unable")[0]
        raise BadInput(f'"{first["input"]}" does not fit', wanted, variable(field)) from None
    for field, what, wanted in _unfit(settings):
        raise BadInput(what, wanted, variable(field))
    return settings


def load_rules(settings: Settings) -> Rulebook:
    """
    Return the rules to put in force: those of CASETRAIL_RULES, or the pack.

    Raises:
        RulesError: with all problems of the files.
    """
    return load(settings.rules) if settings.rules else pack()


def load_written_rules(settings: Settings) -> WrittenRules:
    """
    Return the same rules as they were written, with their tests.

    Raises:
        RulesError: with all problems of the files.
    """
    return load_written(settings.rules) if settings.rules else written_pack()


def delivery_file(settings: Settings) -> Path | None:
    """Return the file of CASETRAIL_DELIVERY, or `./delivery.yaml` if it exists; None: nobody is told of anything."""
    return settings.delivery or (_DELIVERY if _DELIVERY.exists() else None)


def variable(field: str) -> str:
    """Return the name of the variable that sets *field*."""
    return f"CASETRAIL_{field.upper()}"


def without_secrets(url: str) -> str:
    """Return the database URL *url* without its password and without the values of its options."""
    if not _has_plain_parts(url):
        return "***"
    try:
        parsed = make_url(url)
    except ArgumentError:
        return "***"
    return parsed.set(query=dict.fromkeys(parsed.query, "...")).render_as_string(hide_password=True)


def _unfit(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield each field that does not fit, alone or with the others: its name, the problem, and the wanted value."""
    for what, wanted in _unfit_database(settings.database_url):
        yield "database_url", what, wanted
    protocol = settings.kafka_security_protocol
    if protocol.startswith("SASL"):
        for field, wanted in (("kafka_sasl_username", "the login"), ("kafka_sasl_password", "the password")):
            if not getattr(settings, field):
                yield field, f"not set, and {variable('kafka_security_protocol')} is {protocol}", wanted
    if settings.kafka_ssl_key_file and not settings.kafka_ssl_cert_file:
        what = f"not set, and {variable('kafka_ssl_key_file')} is"
        yield "kafka_ssl_cert_file", what, "the certificate of that key, as PEM"
    for address in settings.kafka_bootstrap_servers.split(","):
        fits = _ADDRESS.fullmatch(address.strip())
        if fits is None or int(fits["port"] or 1) not in range(1, 65_536):
            yield (
                "kafka_bootstrap_servers",
                "an address with a password" if "@" in address else f'"{address.strip()}" is not an address',
                "HOST:PORT, with commas between several",
            )
    yield from _unfit_names(settings)
    yield from _refused("smtp", settings.smtp, smtp_url)
    yield from _refused("mail_from", settings.mail_from, mail_address)
    yield from _refused("zone", settings.zone, zone)


def _refused(field: str, value: str | None, check: Callable[[str], object]) -> Iterator[tuple[str, str, str]]:
    """Yield the same for the *value* of *field* if it is set and *check* refuses it."""
    try:
        if value is not None:
            check(value)
    except BadInput as problem:
        yield field, problem.what, problem.wanted


def _unfit_database(url: str) -> Iterator[tuple[str, str]]:
    """Yield the problem of the database's URL, without any part that could be a password, and the wanted value."""
    kind, divided, _ = url.partition("://")
    if not divided:
        yield "not the URL of a database", _DATABASES
    elif kind not in _KINDS:
        yield f'"{kind}" is not a kind of database that casetrail knows', _DATABASES
    elif not _has_plain_parts(url):
        # The end of the password is unknown, so no part of the URL may be shown.
        wanted = "USER:PASSWORD@HOST:PORT in it, with @ : / ? % in a password as %40 %3A %2F %3F %25"
        yield "not the URL of a database", wanted
    elif kind.startswith("sqlite"):
        yield from _unfit_file(url)


def _unfit_file(url: str) -> Iterator[tuple[str, str]]:
    """Yield the same for the URL of a SQLite database, which has to be a file that several processes can share."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return  # the opening of the database reports it
    file, options = parsed.database or "", url.partition("?")[2]
    if parsed.host or parsed.username:
        yield "a machine in the URL of a SQLite database", f"{_FILE}, with three slashes before the file"
    elif file.startswith("file:"):
        yield "a URI in SQLite's own form as the file", f"{_FILE} with the file's plain name"
    elif options:
        # With mode=ro no row can be written. With mode=memory or immutable, rows are lost or not seen.
        yield f'"?{options}" after the file', f"{_FILE} alone: casetrail chooses how it opens it"
    elif file in {"", ":memory:"}:
        yield f"{url} is a database in memory", f"{_FILE}: every command is a process of its own"
    elif file.endswith("/") or os.path.isdir(file):  # noqa: PTH112 - true or false, where pathlib can raise
        yield f"{file} is a folder", f"a file in it, such as sqlite:///{Path(file) / 'casetrail.db'}"
    elif os.path.exists(file) and not os.path.isfile(file):  # noqa: PTH110, PTH113 - likewise
        yield f"{file} is not a file", _FILE


def _has_plain_parts(url: str) -> bool:
    """Return whether a database's URL has the parts that it shows: an @ in a password would divide it elsewhere."""
    try:
        make_url(url)
    except ArgumentError:
        return True  # the opening of the database reports it
    except ValueError:
        return False
    rest = _AFTER_PASSWORD.fullmatch(url.partition("://")[2])
    return url.startswith("sqlite") or rest is None or "@" not in rest[1]


def _unfit_names(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield the same as `_unfit` for the names of topics and the group, by the rules of Kafka."""
    for field in ("kafka_topic", "kafka_alerts_topic", "kafka_status_topic"):
        yield from _refused(field, getattr(settings, field), topic_name)
    if not settings.kafka_group.strip():
        yield "kafka_group", f'"{settings.kafka_group}" is not a name for a group', "a name that is not empty"
    facts, notices, statuses = settings.kafka_topic, settings.kafka_alerts_topic, settings.kafka_status_topic
    yield from _same("kafka_alerts_topic", notices, "notices", {"facts": facts})
    yield from _same("kafka_status_topic", statuses, "statuses", {"facts": facts, "notices": notices})


def _same(field: str, topic: str, content: str, others: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the same if *topic*, with this *content*, is one of *others*, by their contents."""
    for other, name in others.items():
        if topic == name:
            yield field, f"{topic} is the topic of {other} too", f"a topic for {content} only"
        elif topic.replace(".", "_") == name.replace(".", "_"):
            what = f"{topic} and {name} are the same to Kafka, for which a dot equals an underscore"
            yield field, what, "names that differ in more"
