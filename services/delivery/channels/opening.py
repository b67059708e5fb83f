"""Opens the way to a receiver, with its secrets."""

from typing import assert_never

from events.errors import BadInput
from services.delivery.config.model import Apprise, Feed, KafkaTopic, Mail, Receiver, Slack, Webhook
from services.delivery.config.secrets import Secrets
from services.delivery.message import Channel
from services.settings import Settings


def open_channel(receiver: Receiver, settings: Settings, secrets: Secrets) -> Channel:
    """
    Return the way to *receiver*.

    Raises:
        BadInput: if a secret or a setting is missing.
    """
    target = receiver.target
    match target:
        case Webhook():
            return WebhookChannel(receiver, secrets.values(target.secret))
        case Mail():
            return _mail(receiver, target, settings, secrets)
        case Slack():
            return SlackChannel(receiver, target, *secrets.values(target.token)[:1])
        case Apprise():
            return AppriseChannel(*secrets.values(target.url_secret)[:1])
        case Feed():
            return FeedChannel()
        case KafkaTopic():
            raise BadInput("a topic of Kafka has no messages of its own", "another kind of receiver", receiver.name)
        case _:
            assert_never(target)
