"""
Chat services other than Slack, by apprise, which is an extra.

Each message is a new one, and its title begins with the short id of the alert. apprise opens its own connections: it
neither passes the check of addresses nor ignores proxy variables, so only an operator can name its URL, as a secret.
"""

import logging
from typing import Final

from events.errors import BadInput
from services.delivery.message import Attempt, Message

from .cleaning import clean, one_line

SECONDS: Final = 30.0
_ID_CHARACTERS: Final = 8

# Both log URLs, which are secrets here: apprise those that it cannot parse, and urllib3 the path of each request.
for _name in ("apprise", "urllib3.connectionpool"):
    logging.getLogger(_name).disabled = True


class AppriseChannel:
    """
    A way to one chat service.

    Args:
        url: the URL of apprise.
        secret: the name of the variable with the URL, for errors.
        seconds: the limit of a try. apprise leaves a longer one to a thread.

    Raises:
        BadInput: if apprise is not installed, or does not know the URL. The error does not quote it.
    """

    def __init__(self, url: str, secret: str = "", seconds: float = SECONDS) -> None:
        try:
            import apprise  # noqa: PLC0415 - an extra, and it takes long to load
        except ModuleNotFoundError as error:
            raise BadInput("apprise is not installed", "install casetrail[chat]", secret) from error
        asset = apprise.AppriseAsset(app_id="casetrail", storage_mode="memory", http_redirects=False)
        service = apprise.Apprise.instantiate(url, asset=asset)
        if service is None:
            raise BadInput("this is not a URL that apprise knows", "such as tgram://TOKEN/CHAT", secret)
        self._way = apprise.Apprise(service, asset=asset)
        self._seconds = seconds

    def compose(self, message: Message) -> None:
        """Keep no bytes: each try makes its own."""

    def send(self, message: Message) -> Attempt:
        """
        Send *message* once.

        apprise does not tell a service that refuses a message from one that accepts it and does not answer. So after
        each try, the receiver counts as told.
        """
        paragraphs = [clean(paragraph) for paragraph in message.text.body]
        title = one_line(message.text.title)
        result = self._way.notify(
            body="\n\n".join(paragraphs) or title,
            title=f"[{short_id(message)}] {title}",
            body_format="text",
            timeout=self._seconds,
        )
        if result:
            return Attempt("delivered", "accepted", sent_whole=True)
        words = f"not done within {self._seconds:g} s" if result.status.name == "TIMEOUT" else "not accepted"
        return Attempt("failed", words, sent_whole=True)

    def close(self) -> None:
        """Do nothing: apprise closes its connections itself."""


def short_id(message: Message) -> str:
    """Return the beginning of the id of the alert, or of the notice if it is not about one alert."""
    name = message.notice_id if message.alert is None else str(message.alert["alert_id"])
    return name[:_ID_CHARACTERS]
