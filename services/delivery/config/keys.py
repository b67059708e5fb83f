"""The keys of `delivery.yaml`: one model for each kind of receiver, and one for routes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from projections.rules.values import FactTypes, Jurisdictions

from . import values
from .model import Apprise, Digest, Feed, KafkaTopic, Mail, Receiver, Route, Slack, Target, Webhook

WANTED: Final[Mapping[str, str]] = {
    "receivers": "names of receivers, each with its keys, such as desk: {webhook: URL, secret: NAME}",
    "routes": "a list of routes, such as [{to: desk}]",
    "watchlists": "names of watchlists, each with its file, such as ministers: watchlists/ministers.txt",
    "to": "the name of a receiver, or a list of them",
    "secret": values.SECRET_WANTED,
    "token": values.SECRET_WANTED,
    "digest": "{at: HOUR, zone: ZONE}, such as {at: 08:00, zone: Asia/Almaty}",
    "at": "hours and minutes, such as 08:00",
    "zone": "the name of a zone of the IANA, such as Asia/Almaty or UTC",
    "url": "the URL to ping",
    "heartbeat": "the URL to ping, or {url: URL, allow: [NETWORK]}",
}
"""The wanted values of keys that can be missing, or hold a value of another kind."""


class Keys(BaseModel):
    """The keys of a mapping of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def known(cls) -> tuple[str, ...]:
        """Return the keys as they are written in the file."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())


class ReceiverKeys(Keys):
    """The keys of a receiver. The first key in the order of `known` that is its own is the name of its kind."""

    def target(self) -> Target:
        """Return the way to the receiver."""
        raise NotImplementedError

    def receiver(self, name: str) -> Receiver:
        """Return the receiver with its *name*."""
        common = {key: value for key, value in self if key in {"language", "allow"}}
        return Receiver(name, self.target(), **common)


class Worded(ReceiverKeys):
    """Those of a receiver that texts are sent to."""

    language: values.Spoken = "en"


class Connected(Worded):
    """Those of a receiver that casetrail itself connects to. URLs behind `allow` are judged by it."""

    allow: values.Networks = ()


class WebhookKeys(Connected):
    """Those of a webhook."""

    webhook: values.WebUrl
    secret: values.SecretName

    def target(self) -> Webhook:
        """Return the URL and the name of its secret."""
        return Webhook(self.webhook, self.secret)


class DigestKeys(Keys):
    """Those of a digest."""

    at: values.Hour
    zone: values.Zone


class MailKeys(Connected):
    """Those of mail."""

    mail: values.MailAddresses
    smtp: values.SmtpUrl | None = None
    sender: values.MailAddress | None = Field(None, alias="from")
    user: values.Login | None = None
    password: values.SecretName | None = None
    digest: DigestKeys | None = None

    @model_validator(mode="after")
    def _logs_in_with_both(self) -> Self:
        if (self.user is None) != (self.password is None):
            alone, other = ("user", "password") if self.password is None else ("password", "user")
            words = {"what": f"{alone} is here without {other}", "wanted": "both, or neither of them", "at": alone}
            raise PydanticCustomError("rule", "{what}", words)
        return self

    def target(self) -> Mail:
        """Return the addresses and the mail server."""
        digest = Digest(self.digest.at, self.digest.zone) if self.digest else None
        return Mail(self.mail, self.smtp, self.sender, self.user, self.password, digest)


class SlackKeys(Connected):
    """Those of a channel of Slack."""

    slack: values.Channel
    token: values.SecretName
    api: values.WebUrl = Slack.api

    def target(self) -> Slack:
        """Return the channel; the base URL ends with a slash."""
        return Slack(self.slack, self.token, self.api.rstrip("/") + "/")


class AppriseKeys(Worded):
    """Those of another chat service. Apprise opens its own connections, so `allow` would have no effect."""

    apprise: values.SecretName

    def target(self) -> Apprise:
        """Return the name of the secret."""
        return Apprise(self.apprise)


class FeedKeys(Worded):
    """Those of a feed."""

    feed: values.Name

    def target(self) -> Feed:
        """Return the name of the feed."""
        return Feed(self.feed)


class KafkaKeys(ReceiverKeys):
    """Those of a topic."""

    kafka: values.Topic

    def target(self) -> KafkaTopic:
        """Return the topic."""
        return KafkaTopic(self.kafka)


class RouteKeys(Keys):
    """Those of a route. The names of receivers and watchlists are in the context of a validation."""

    to: values.Receivers
    severity: values.Severities = frozenset()
    rule: values.Rules = frozenset()
    jurisdiction: Jurisdictions = frozenset()
    agency: values.Texts = frozenset()
    region: values.Texts = frozenset()
    subject: values.Subjects = frozenset()
    type: FactTypes = frozenset()
    watchlist: values.Watchlists = frozenset()
    wait: values.Wait = timedelta()
    remind: values.Reminder | None = None
    weekly: values.Truth = False

    def route(self, index: int) -> Route:
        """Return the route with its place in the file."""
        return Route(index=index, **dict(self))


class OperatorKeys(Keys):
    """The list `operators`."""

    operators: values.Receivers


class HeartbeatKeys(Keys):
    """Those of the heartbeat."""

    allow: values.Networks = ()
    url: values.WebUrl


KINDS: Final[Mapping[str, type[ReceiverKeys]]] = {
    "webhook": WebhookKeys,
    "mail": MailKeys,
    "slack": SlackKeys,
    "apprise": AppriseKeys,
    "feed": FeedKeys,
    "kafka": KafkaKeys,
}
"""The kinds of receivers, by the key that names the target."""
RECEIVER_KEYS: Final = tuple(dict.fromkeys(key for kind in KINDS.values() for key in kind.known()))
"""The keys that some receiver can have."""
TOP_KEYS: Final = ("receivers", "routes", "watchlists", "operators", "heartbeat")
PARTS: Final[Mapping[str, type[Keys]]] = {"digest": DigestKeys}
"""The mappings within a receiver."""
