"""
Values that the settings and `delivery.yaml` share: zones, mail addresses, URLs, names of topics.

A problem never quotes a URL: its user, path or query can be a secret.
"""

import re
from functools import cache
from typing import Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from events.errors import BadInput
from events.text import near_words, quote

# The names of topics that Kafka accepts. The broker makes a folder of the name, so "." and ".." are not among them.
_TOPIC_NAME: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,249}")

_TEMPLATE: Final = re.compile(r"[{}]|\$\(|%\(")
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL_PART: Final = r"(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`|~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`|~-]+)*"
_MAIL_ADDRESS: Final = re.compile(rf"(?=.{{3,254}}\Z){_LOCAL_PART}@{_LABEL}(?:\.{_LABEL})*")
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:[._]{_LABEL})*\.?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+")
# Besides what no URL may contain, the backslash: some libraries read it as a slash, and so find another host.
_NOT_IN_URLS: Final = re.compile(r"[^!-~]|[\\<>\"^`]")
_LONGEST_URL: Final = 2000
WEB_WANTED: Final = "the URL itself, such as https://desk.example/hook"
_SMTP_WANTED: Final = "smtp://HOST:PORT or smtps://HOST:PORT, such as smtp://mail.example:587"


def is_template(text: str) -> bool:
    """Return whether *text* has a place for a value in it, such as ``{{name}}``, ``${NAME}`` or ``%(name)s``."""
    return bool(_TEMPLATE.search(text))


def zone(name: str) -> ZoneInfo:
    """
    Return the time zone of *name*.

    Raises:
        BadInput: if the IANA has no zone of this name.
    """
    zones = _zones()
    if name in zones:
        return ZoneInfo(name)
    near = near_words(name, zones, most=1, cutoff=0.75)
    wanted = near[0] if near else "the name of a zone of the IANA, such as Asia/Almaty or UTC"
    raise BadInput(f"{quote(name)} is not a time zone", wanted)


def mail_address(text: str) -> str:
    """
    Return *text* if it is one plain mail address, in ASCII and without a name beside it.

    Raises:
        BadInput: if it is not. A blank or a line break could add headers to a mail.
    """
    if _MAIL_ADDRESS.fullmatch(text):
        return text
    if is_template(text):
        what = "a template is in this address"
    else:  # with one of these it can be a URL with a login
        what = f"{'this' if ':' in text or '/' in text else quote(text)} is not a mail address"
    raise BadInput(what, "one address alone, such as desk@example.org")


def web_url(text: str) -> str:
    """
    Return *text* if it is a URL of HTTP or HTTPS without a login.

    Raises:
        BadInput: if it is not.
    """
    parts = _url(text, WEB_WANTED)
    if parts.scheme not in {"http", "https"}:
        raise BadInput("the scheme of this URL is not https", WEB_WANTED)
    if "#" in text:
        raise BadInput("a # is in this URL", "the URL without it, since no server receives the rest")
    return text


def smtp_url(text: str) -> str:
    """
    Return *text* if it is the URL of a mail server without a login.

    Raises:
        BadInput: if it is not.
    """
    parts = _url(text, _SMTP_WANTED)
    if parts.scheme not in {"smtp", "smtps"}:
        raise BadInput("the scheme of this URL is not smtp or smtps", _SMTP_WANTED)
    if parts.path.strip("/") or "?" in text or "#" in text:
        raise BadInput("something stands behind the host of this URL", _SMTP_WANTED)
    return text


def topic_name(text: str) -> str:
    """
    Return *text* if Kafka accepts it as the name of a topic.

    Raises:
        BadInput: if it does not.
    """
    if _TOPIC_NAME.fullmatch(text):
        return text
    wanted = "1 to 249 of A-Z, a-z, 0-9, dot, underscore and hyphen, and not . or .. alone"
    raise BadInput(f"{quote(text)} is not a name for a topic", wanted)


def _url(text: str, wanted: str) -> SplitResult:
    """Return the parts of a URL that has a host, a port that exists, and no login."""
    if is_template(text):
        raise BadInput("a template is in this URL", wanted)
    if not text:
        raise BadInput("nothing is here", wanted)
    if len(text) > _LONGEST_URL:
        raise BadInput(f"this URL has over {_LONGEST_URL} characters", wanted)
    if _NOT_IN_URLS.search(text):
        raise BadInput("a blank, or a character that no URL has, is in it", wanted)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # a port that is not a number, or brackets around no address
        parts, host, port = SplitResult("", "", "", "", ""), "", 0
    if "@" in parts.netloc:
        raise BadInput("a login is in this URL", f"{wanted}; secrets have keys of their own")
    if not _HOST.fullmatch(host) or port == 0 or parts.netloc.endswith(":"):
        raise BadInput("this is not a URL with a host", wanted)
    return parts


@cache
def _zones() -> frozenset[str]:
    # Not ZoneInfo(name) for any name: it opens a file of this name, and raises errors of files.
    return frozenset(available_timezones())
