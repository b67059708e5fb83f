"""Opens the way to a receiver, with its secrets."""

from typing import assert_never

from events.errors import BadInput
from services.delivery.config.model import Apprise, Feed, KafkaTopic, Mail, Receiver, Slack, Webhook
from services.delivery.config.secrets import PREFIX, Secrets
from services.delivery.message import Channel
from services.settings import Settings

from .chat import AppriseChannel
from .feed import FeedChannel
from .mail import MailChannel
from .slack import SlackChannel
from .smtp import Login
from .webhook import WebhookChannel


def open_channel(receiver: Receiver, settings: Settings, secrets: Secrets) -> Channel:
    """
    Return the way to *receiver*.

    Raises:
        BadInput: if a secret or a setting is missing or wrong.
    """
    target = receiver.target
    match target:
        case Webhook():
            return WebhookChannel(target, secrets.values(target.secret), receiver.allow)
        case Mail():
            return _mail(receiver, target, settings, secrets)
        case Slack():
            return SlackChannel(target, secrets.values(target.token)[0], receiver.allow)
        case Apprise():
            return AppriseChannel(secrets.values(target.url_secret)[0], PREFIX + target.url_secret)
        case Feed():
            return FeedChannel()
        case KafkaTopic():
            raise BadInput("a topic of Kafka has no messages of its own", "another kind of receiver", receiver.name)
        case _:
            assert_never(target)


def _mail(receiver: Receiver, target: Mail, settings: Settings, secrets: Secrets) -> Channel:
    smtp, sender = target.smtp or settings.smtp, target.sender or settings.mail_from
    place = f"receiver {receiver.name}"
    if smtp is None:
        raise BadInput("no mail server is named", "smtp: in the receiver, or CASETRAIL_SMTP", place)
    if sender is None:
        raise BadInput("no sender is named", "from: in the receiver, or CASETRAIL_MAIL_FROM", place)
    # A password may have blanks; it is not rotated as a signature is.
    login = Login(target.user, " ".join(secrets.values(target.password))) if target.user and target.password else None
    return MailChannel(smtp, sender, login, receiver.allow)
