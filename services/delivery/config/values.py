"""The values of `delivery.yaml`, each checked alone. No problem quotes a secret, a URL or the name of a secret."""

import re
from collections.abc import Callable, Collection
from datetime import time, timedelta
from ipaddress import ip_network
from typing import Annotated, Final, TypeVar, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from events.errors import BadInput
from events.fields import Id
from events.text import quote, quote_briefly
from projections.rules import values as rule_values
from projections.rules.files.yaml_source import nearest
from services.values import mail_address, smtp_url, topic_name, web_url, zone

from .model import Language, Network
from .secrets import FILE_SUFFIX, PREFIX, is_secret_name

T = TypeVar("T")

NAME: Final = re.compile("[a-z0-9-]{1,60}")
NAME_WANTED: Final = "1 to 60 small letters, digits and hyphens, such as desk-mail"
SUBJECT_WANTED: Final = "a subject id, as facts have it: at most 255 characters, without blanks at its ends"
SECRET_WANTED: Final = f"its name, such as DESK_HOOK; the secret itself belongs in {PREFIX}DESK_HOOK"
OUTSIDE_WANTED: Final = (
    "a file without secrets: secret, token, password and apprise take the name of one, and apprise a URL that is secret"
)
ALLOW_WANTED: Final = "networks that connections may reach although they are not public, such as [10.1.0.0/16]"

# The forms of tokens that services give out, and URLs that are secrets as a whole.
_SECRET: Final = re.compile(
    r"whsec_\w|xox[a-z]-|xapp-|gh[a-z]_\w{20}|-----BEGIN |hooks\.slack\.com/|discord(app)?\.com/api/webhooks/|/bot\d+:"
    r"|[?&;]([a-z_-]*(token|secret|passw(or)?d|signature)|(api[_-]?)?key|sig)=",
    re.IGNORECASE,
)
_HOUR: Final = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")
_CHANNEL: Final = re.compile("[CDGU][A-Z0-9]{2,30}")
_LOGIN: Final = re.compile("[!-~]{1,255}")
_MONTHS: Final = re.compile("P([0-9]{1,4}M)")
_SHORTEST_REMINDER: Final = timedelta(hours=1)
_SUBJECT: Final = TypeAdapter(Id)
_wrong = rule_values.wrong


def looks_secret(text: str) -> bool:
    """Return whether *text* has the form of a token or of a URL that is itself a secret."""
    return bool(_SECRET.search(text))


def is_subject_id(text: str) -> bool:
    """Return whether a fact can have *text* as its subject."""
    try:
        _SUBJECT.validate_python(text)
    except ValidationError:
        return False
    return True


def _checked(check: Callable[[str], object], wanted: str) -> BeforeValidator:
    """Return the validator that takes a text, passes it through *check*, and has *wanted* for other values."""

    def validate(value: object) -> object:
        if not isinstance(value, str) or not value:
            raise _wrong(f"{quote_briefly(value) if value else 'nothing'} is here", wanted)
        try:
            return check(value)
        except BadInput as problem:
            raise _wrong(problem.what, problem.wanted) from None

    return BeforeValidator(validate)


def _fits(pattern: re.Pattern[str], kind: str, wanted: str) -> BeforeValidator:
    """Return the validator of a text that *pattern* matches as a whole. Its problem quotes nothing."""

    def check(text: str) -> str:
        if pattern.fullmatch(text):
            return text
        raise BadInput(f"this is not {kind}", wanted)

    return _checked(check, wanted)


def _one_of(kind: str, known: Collection[str]) -> BeforeValidator:
    words = f"one of {', '.join(known)}"

    def check(text: str) -> str:
        if text in known:
            return text
        raise BadInput(f"{quote(text)} is not {kind}", nearest(text, known, words))

    return _checked(check, words)


def _existing(kind: str, key: str) -> BeforeValidator:
    """Return the validator of a name among those that the context has under *key*; None: they are not known."""

    def validate(name: object, info: ValidationInfo) -> object:
        context = info.context or {}
        names: Collection[str] | None = context[key]
        if key == "receivers" and name in context["topics"]:
            raise _wrong(
                f"{name} is a topic of Kafka, which gets all notices without a route", "a receiver of another kind"
            )
        if isinstance(name, str) and (names is None or name in names):
            return name
        known = f"one of {', '.join(names)}" if names else f"a name under {key}"
        what = quote(name) if isinstance(name, str) else quote_briefly(name)
        raise _wrong(f"{what} is not a {kind}", nearest(str(name), names or (), known))

    return BeforeValidator(validate)


def _listed(value: object) -> object:
    if value in ("", [], {}) or not isinstance(value, str | list):
        raise _wrong(f"{quote_briefly(value) if value else 'nothing'} is here", "a word or a list of words")
    return [value] if isinstance(value, str) else value


def _once_each(values: tuple[T, ...]) -> tuple[T, ...]:
    for index, value in enumerate(values):
        if value in values[:index]:
            words = {"what": f"{quote(str(value))} is here twice", "wanted": "each of them once", "at": index}
            raise PydanticCustomError("rule", "{what}", words)
    return values


def _secret_name(value: object) -> str:
    if isinstance(value, str) and is_secret_name(value):
        return value
    if isinstance(value, str) and is_secret_name(value.removesuffix(FILE_SUFFIX)):
        raise _wrong("this name ends in _FILE", "the name without it: variables in _FILE hold the path of a file")
    raise _wrong("this is not the name of a secret", SECRET_WANTED)


def _https_or_allowed(url: str, info: ValidationInfo) -> str:
    # If `allow` has a problem of its own, it is not in the data.
    if url[:5].lower() == "http:" and not info.data.get("allow", True):
        raise _wrong("http:// is for networks under allow", "https://, or allow with the networks of this address")
    return url


def _network(text: str) -> Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise BadInput(f"{quote(text)} is not a network", "addresses and a length, such as 10.1.0.0/16") from None
    if network.prefixlen == 0:
        raise BadInput(f"{text} is every address", "the networks of this receiver")
    if "/" in text and network.network_address != ip_network(text.partition("/")[0]).network_address:
        raise BadInput(f"{text} is an address in a network", f"{network}, or {text.partition('/')[0]}")
    return network


def _hour(text: str) -> time:
    if _HOUR.fullmatch(text):
        return time.fromisoformat(text)
    raise BadInput(f"{quote(text)} is not a time of day", "hours and minutes, from 00:00 to 23:59")


def _subject(text: str) -> str:
    if is_subject_id(text):
        return text
    raise BadInput(f"{quote(text)} is not a subject id", SUBJECT_WANTED)


def _no_months(value: object) -> object:
    months = _MONTHS.fullmatch(value) if isinstance(value, str) else None
    if months:
        raise _wrong(f"P{months[1]} is a number of months, which have no fixed length", f"PT{months[1]} for minutes")
    return value


def _not_too_often(interval: timedelta) -> timedelta:
    if interval >= _SHORTEST_REMINDER:
        return interval
    raise _wrong("the interval is under an hour", "PT1H or longer, such as P14D")


_LISTED: Final = BeforeValidator(_listed)
_ONCE: Final = AfterValidator(_once_each)
_HTTPS: Final = AfterValidator(_https_or_allowed)

WebUrl = Annotated[str, _HTTPS, _checked(web_url, "a URL, such as https://desk.example/hook")]
SmtpUrl = Annotated[str, _checked(smtp_url, "a URL, such as smtp://mail.example:587")]
MailAddress = Annotated[str, _checked(mail_address, "a mail address, such as desk@example.org")]
MailAddresses = Annotated[tuple[MailAddress, ...], _LISTED, _ONCE]
SecretName = Annotated[str, BeforeValidator(_secret_name)]
Login = Annotated[str, _fits(_LOGIN, "a login", "1 to 255 characters of ASCII without blanks")]
Name = Annotated[str, _fits(NAME, "a name for a feed", NAME_WANTED)]
Topic = Annotated[str, _checked(topic_name, "the name of a topic, such as casetrail.alerts.v1")]
Channel = Annotated[str, _fits(_CHANNEL, "the id of a channel", "the id that Slack shows, such as C0123, and no #name")]
Hour = Annotated[time, _checked(_hour, "hours and minutes, such as 08:00")]
Zone = Annotated[ZoneInfo, _checked(zone, "a zone, such as Asia/Almaty")]
Spoken = Annotated[Language, _one_of("a language of messages", get_args(Language))]
Networks = Annotated[tuple[Annotated[Network, _checked(_network, ALLOW_WANTED)], ...], _LISTED, _ONCE]
Receivers = Annotated[tuple[Annotated[str, _existing("receiver", "receivers")], ...], _LISTED, _ONCE]
Watchlists = Annotated[frozenset[Annotated[str, _existing("watchlist", "watchlists")]], _LISTED]
Severities = Annotated[frozenset[rule_values.Severity], _LISTED]
Rules = Annotated[frozenset[rule_values.Id], _LISTED]
Texts = Annotated[frozenset[rule_values.Text], _LISTED]
Subjects = Annotated[frozenset[Annotated[str, _checked(_subject, SUBJECT_WANTED)]], _LISTED]
Wait = Annotated[rule_values.Wait, BeforeValidator(_no_months)]
Reminder = Annotated[Wait, AfterValidator(_not_too_often)]
Truth = Annotated[bool, _one_of("true or false", ("true", "false"))]
