"""Mail to one address at a time, through the operator's mail server."""

import smtplib
from collections.abc import Collection
from contextlib import suppress
from typing import Final, Literal, TypeAlias

from events.errors import BadInput
from services.delivery.config.model import Network
from services.delivery.message import Attempt, Message

from .addresses import RefusedAddress
from .cleaning import short_answer
from .mime import mail_bytes, message_id, parse_address
from .smtp import Limits, Login, Session, Unwanted, parse_server

Trouble: TypeAlias = Literal["failed", "rejected", "impossible", "refused"]

_PERMANENT: Final = 500
_ABOUT_THE_ADDRESS: Final = frozenset({501, 510, 511, 550, 551, 552, 553, 554, 556})
_MAILBOX_BUSY_OR_FULL: Final = frozenset({450, 452})
# Of RFC 3463: policies, such as "relaying denied", and a full mailbox. Both may end, so the message is tried again.
_MAY_END: Final = ("5.7.", "5.2.2")


class MailChannel:
    """
    A way to addresses by SMTP. *Delivered* means that the next server accepted the message.

    Args:
        smtp: the URL of the mail server.
        sender: the address of the sender.
        login: the login; None: none.
        allow: networks in which the mail server may be although they are not public.
        limits: the longest time of a try.

    Raises:
        BadInput: if the URL or the sender is wrong.
    """

    def __init__(
        self,
        smtp: str,
        sender: str,
        login: Login | None = None,
        allow: Collection[Network] = (),
        limits: Limits | None = None,
    ) -> None:
        self._server = parse_server(smtp)
        self._sender = parse_address(sender).addr_spec
        self._allow = allow
        self._login = login
        self._limits = limits or Limits()

    def compose(self, message: Message) -> bytes | None:
        """Return the bytes of a digest or a summary, whose notices may change until the next try."""
        if message.kind not in {"digest", "summary"}:
            return None
        with suppress(BadInput):  # a wrong address, which the try tells
            return mail_bytes(message, self._sender)
        return None

    def send(self, message: Message) -> Attempt:
        """Try once to hand *message* to the mail server."""
        try:
            address = parse_address(message.address).addr_spec
        except BadInput as error:
            return Attempt("impossible", short_answer(str(error)), sent_whole=False)
        data = message.stored if message.stored is not None else mail_bytes(message, self._sender)
        secret = self._login.password if self._login is not None else None
        session = Session(self._server, self._allow, self._limits)
        try:
            session.begin(self._login)
            answer = session.deliver(self._sender, address, data)
        except (RefusedAddress, Unwanted, OSError, smtplib.SMTPException, UnicodeError) as error:
            outcome, words = explained(error)
            words = f"not done within {self._limits.total_seconds:g} s" if session.is_over else words
            return Attempt(outcome, short_answer(words, secret, address), session.sent_whole)
        finally:
            session.end()
        reference = message_id(message, self._sender)
        return Attempt("delivered", short_answer(answer, secret, address), sent_whole=True, reference=reference)

    def close(self) -> None:
        """Do nothing: each message has a connection of its own."""


def explained(error: Exception) -> tuple[Trouble, str]:
    """Return the outcome of a try that ended with *error*, and its words."""
    match error:
        case RefusedAddress():
            return "refused", str(error)
        case Unwanted():
            return extent(error), str(error)
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=bytes(text)):
            return "failed", f"{code} {text.decode('utf-8', 'replace')}"
        case UnicodeError():
            return "failed", "the host or the login has characters that SMTP cannot send"
        case _:
            # The library puts a sentence of its own in place of the reason for which a connection broke.
            return "failed", str(error.__context__ or error)


def extent(refusal: Unwanted) -> Trouble:
    """
    Return whether a refusal is about all messages, about this one, or about this one for ever.

    A full mailbox and a message that is taken for spam hold up no other address.
    """
    match refusal.step, refusal.code:
        case "RCPT", code if code in _ABOUT_THE_ADDRESS:
            return "rejected" if refusal.text.startswith(_MAY_END) else "impossible"
        case "RCPT", code if code in _MAILBOX_BUSY_OR_FULL:
            return "rejected"
        case "message", code if code >= _PERMANENT:
            return "rejected"
        case "SMTPUTF8", _:
            return "rejected"
        case _:
            return "failed"
