"""The bytes of a mail: headers that tie the mails about one alert together, a text and its HTML."""

import re
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, Policy
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from events.errors import BadInput
from services.delivery.message import Earlier, Message, Text

from .cleaning import ISOLATED, clean, one_line, pieces

_TEMPLATES: Final = Path(__file__).with_name("templates")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


class _Verbatim(UnstructuredHeader, BaseHeader):
    """
    A header for programs, on one line.

    Folding breaks it: of a References that is longer than 78 characters, Python makes encoded words (=?utf-8?q?...),
    and no mail program recognises the thread.
    """

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


class _Subject(UnstructuredHeader, BaseHeader):
    """The subject, folded by another class: this one loses blanks between encoded words on Python 3.11."""

    def fold(self, *, policy: Policy) -> str:
        charset = "us-ascii" if self.isascii() else "utf-8"
        return f"Subject: {Header(self, charset, header_name='Subject').encode(linesep=policy.linesep)}{policy.linesep}"


def _policy() -> "EmailPolicy[EmailMessage]":
    headers = HeaderRegistry()
    for name in ("message-id", "references", "in-reply-to", "list-unsubscribe"):
        headers.map_to_type(name, _Verbatim)
    headers.map_to_type("subject", _Subject)
    # With 7bit, no server has to support 8BITMIME: the email library chooses quoted-printable or base64.
    return SMTP.clone(header_factory=headers, cte_type="7bit")


_POLICY: Final = _policy()


def mail_bytes(message: Message, sender: str) -> bytes:
    """
    Return *message* as a mail to its address, ready for the DATA command.

    The same message makes the same bytes, so that a try repeats those of an earlier one. They are ASCII, unless the
    local part of an address is not: then they need SMTPUTF8.

    Raises:
        BadInput: if one of the two addresses is none.
    """
    to, by = parse_address(message.address), parse_address(sender)
    is_ascii = f"{to.username}{by.username}".isascii()
    mail = EmailMessage(_POLICY if is_ascii else _POLICY.clone(utf8=True))
    mail["Date"] = message.at
    mail["From"] = by
    mail["To"] = to
    mail["Subject"] = one_line(message.text.title)
    mail["Message-ID"] = _id(message.notice_id, message.address, by.domain)
    if message.earlier is not None:
        mail["In-Reply-To"] = mail["References"] = _opening_id(message.earlier, message.address, by.domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Unsubscribe"] = f"<mailto:{quote(by.addr_spec, safe='@')}?subject=unsubscribe>"
    mail["X-Casetrail-Notice"] = one_line(message.notice_id)
    mail["X-Casetrail-Sequence"] = str(message.sequence)
    mail.set_content(clean(message.text.plain))
    mail.add_alternative(html(message.text), subtype="html")
    mail.set_boundary(
        f"=_{_digest(message.notice_id, message.address)}"
    )  # a random one would make other bytes on each try
    mail["Content-Language"] = message.text.language  # the library removes it when it adds a part
    return mail.as_bytes()


def message_id(message: Message, sender: str) -> str:
    """Return the Message-ID of *message*: a hash of its notice and its address, the same on every try."""
    return _id(message.notice_id, message.address, parse_address(sender).domain)


def parse_address(address: str) -> Address:
    """
    Return a mail address with its domain in ASCII.

    Raises:
        BadInput: if it is none.
    """
    local, _, domain = address.rpartition("@")
    wrong = BadInput(f"{address!r} is not a mail address", "such as desk@example.org")
    if not address.isprintable():
        raise wrong
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
        # The library checks the grammar of ASCII alone. RFC 6531 adds the other characters to those of a word.
        checked = Address(addr_spec=f"{_NOT_ASCII.sub('x', local)}@{ascii_domain}")
    except (ValueError, MessageError, IndexError) as error:
        raise wrong from error
    return checked if local.isascii() else Address(username=local, domain=ascii_domain)


def html(text: Text) -> str:
    """Return *text* as an HTML page without images, styles or scripts from elsewhere; its links are the sources'."""
    return _template().render(
        language=text.language,
        title=ISOLATED.sub(r"\1", one_line(text.title)),
        heading=list(pieces(one_line(text.title), ())),
        paragraphs=[list(pieces(clean(paragraph), text.links)) for paragraph in text.body],
    )


@cache
def _template() -> Template:
    loader = FileSystemLoader(_TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("mail.html")


def _opening_id(earlier: Earlier, address: str, domain: str) -> str:
    """Return the Message-ID of the opening. If none is recorded, no answer came, and it follows from the notice."""
    recorded = earlier.message_id or earlier.reference
    return one_line(recorded) if recorded else _id(earlier.notice_id, address, domain)


def _id(notice_id: str, address: str, domain: str) -> str:
    return f"<{_digest(notice_id, address)}@{domain}>"


def _digest(notice_id: str, address: str) -> str:
    return sha256(f"{notice_id}\0{address}".encode()).hexdigest()[:32]
