"""A message, and one try to send it as a webhook."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from services.delivery.channels.webhook import WebhookChannel
from services.delivery.config.model import Webhook
from services.delivery.message import Attempt, Message, Text
from tests.support.webhook_server import Server

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
AT = datetime(2022, 8, 1, 6, 0, tzinfo=UTC)
MESSAGE = Message(
    receiver="desk-hook",
    address="",
    kind="open",
    notice_id="notice-1",
    sequence=7,
    at=AT,
    alert={"alert_id": "alert-1", "state": "open"},
    subject_ids=("kz-a",),
    text=Text("Анна Пример: dismissed", ("She is presumed innocent.",), "en"),
    data={"route": 1},
)


def send(
    url: str, secrets: Sequence[str] = (SECRET,), message: Message = MESSAGE, seconds: float = 5, **more: Any
) -> Attempt:
    """Return the result of one try to send *message* to *url*."""
    channel = WebhookChannel(Webhook(url, "DESK"), secrets, more.pop("allow", LOOPBACK), seconds=seconds, **more)
    result = channel.send(message)
    channel.close()
    return result


def send_to(running: Server, **more: Any) -> Attempt:
    """Return the result of one try to send a message to a server."""
    return send(running.url(), **more)
