"""The parts of `delivery.yaml`, checked, as frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

Language: TypeAlias = Literal["en", "ru", "kk"]
Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Digest:
    """The hour of a daily digest, in a time zone."""

    at: time
    zone: ZoneInfo


@dataclass(frozen=True)
class Webhook:
    """A URL that receives Standard Webhooks, signed with the secret of this name."""

    url: str
    secret: str


@dataclass(frozen=True)
class Mail:
    """
    Addresses that receive mail.

    Attributes:
        addresses: the addresses, each of which is recorded by itself.
        smtp: the URL of the mail server, such as `smtp://mail.example:587`; None: the setting CASETRAIL_SMTP.
        sender: the address of the sender; None: the setting CASETRAIL_MAIL_FROM.
        user: the login; None: no login.
        password: the name of the secret with the password; None: no login.
        digest: the hour of one message a day; None: a message for each notice.
    """

    addresses: tuple[str, ...]
    smtp: str | None = None
    sender: str | None = None
    user: str | None = None
    password: str | None = None
    digest: Digest | None = None


@dataclass(frozen=True)
class Slack:
    """A channel of Slack, by its id; the secret of this name is the token of a bot. *api* is the base URL."""

    channel: str
    token: str
    api: str = "https://slack.com/api/"


@dataclass(frozen=True)
class Apprise:
    """Another chat service: the secret of this name is a URL of apprise."""

    url_secret: str


@dataclass(frozen=True)
class Feed:
    """An Atom and JSON feed of this name."""

    name: str


@dataclass(frozen=True)
class KafkaTopic:
    """A Kafka topic: that of the alerts, or that of the status rows (`status`)."""

    topic: str


KINDS: Final[Mapping[type, str]] = {
    Webhook: "webhook",
    Mail: "mail",
    Slack: "slack",
    Apprise: "apprise",
    Feed: "feed",
    KafkaTopic: "kafka",
}
"""The key of each kind of target in the file."""

Target: TypeAlias = Webhook | Mail | Slack | Apprise | Feed | KafkaTopic


@dataclass(frozen=True)
class Receiver:
    """
    A receiver.

    Attributes:
        name: its name in the file, under which everything about it is recorded.
        target: the way to it.
        language: the language of its texts.
        allow: networks that its connections may reach although they are not public.
    """

    name: str
    target: Target
    language: Language = "en"
    allow: tuple[Network, ...] = ()

    @property
    def kind(self) -> str:
        """The key of its target in the file."""
        return KINDS[type(self.target)]


@dataclass(frozen=True)
class Route:
    """
    A route: a notice that fits goes to all receivers of `to`. A condition that is empty fits everything.

    Attributes:
        index: its place in the file, from 1.
        to: names of receivers.
        severity, rule, jurisdiction, agency, region, subject, type: the values that fit.
        watchlist: names of watchlists; the alert is about a person on one of them.
        wait: how long an opening is held, so that one that is retracted meanwhile is never sent.
        remind: the interval of reminders of an open alert; None: no reminders.
        weekly: whether its receivers are told each week that nothing happened.
    """

    index: int
    to: tuple[str, ...]
    severity: frozenset[str] = frozenset()
    rule: frozenset[str] = frozenset()
    jurisdiction: frozenset[str] = frozenset()
    agency: frozenset[str] = frozenset()
    region: frozenset[str] = frozenset()
    subject: frozenset[str] = frozenset()
    type: frozenset[str] = frozenset()
    watchlist: frozenset[str] = frozenset()
    wait: timedelta = timedelta()
    remind: timedelta | None = None
    weekly: bool = False


@dataclass(frozen=True)
class DeliveryConfig:
    """
    The whole configuration.

    Attributes:
        receivers: the receivers, by their names.
        routes: the routes, in the order of the file.
        watchlists: the people of each watchlist, by its name.
        operators: the receivers that are told when another receiver fails.
        heartbeat: the URL that is pinged while everything is within limits; None: none.
        heartbeat_allow: networks that this connection may reach although they are not public.
    """

    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    watchlists: Mapping[str, frozenset[str]] = field(default_factory=dict)
    operators: tuple[str, ...] = ()
    heartbeat: str | None = None
    heartbeat_allow: tuple[Network, ...] = ()
