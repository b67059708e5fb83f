"""Mail by a real mail server: encrypted, after a login, with headers that tie the mails of an alert together."""

from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from events.errors import BadInput
from services.delivery.channels.mime import mail_bytes, message_id
from services.delivery.channels.smtp import MailServer, parse_server
from services.delivery.message import Earlier
from tests.support.certificates import authority, signed
from tests.support.mail import ELSEWHERE, HOST, LOGIN, SENDER, Inbox, channel, content, mail_server, parsed, port_of
from tests.support.messages import AT, TITLE, message, resolved

EVERYWHERE = "0.0.0.0/8"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an authority, and a certificate of each address."""
    folder = tmp_path_factory.mktemp("certificates")
    authority(folder, "ca")
    signed(folder, "elsewhere", "ca", names=f"IP:{ELSEWHERE}")
    signed(folder, "other", "ca", names="IP:127.0.0.9")
    return folder


@pytest.fixture
def trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the authority, as OpenSSL's own variable allows."""
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))


def test_a_mail_arrives_with_all_headers() -> None:
    """The headers name the notice, sender and address, and say that no person wrote the mail."""
    inbox = Inbox()
    with mail_server(inbox) as server:
        attempt = channel(f"smtp://{HOST}:{port_of(server)}").send(message())

    (mail,) = inbox.mails
    assert ("delivered", True, "queued as 1") == (attempt.outcome, attempt.sent_whole, attempt.answer)
    assert attempt.reference == mail["Message-ID"] == message_id(message(), SENDER)
    assert {
        "From": SENDER,
        "To": "desk@example.org",
        "Subject": TITLE,
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<mailto:{SENDER}?subject=unsubscribe>",
        "Content-Language": "en",
        "X-Casetrail-Notice": "notice-1",
        "X-Casetrail-Sequence": "1",
        "References": None,
        "In-Reply-To": None,
    } == {name: mail[name] for name in (
        *("From", "To", "Subject", "Auto-Submitted", "List-Unsubscribe", "Content-Language"),
        *("X-Casetrail-Notice", "X-Casetrail-Sequence", "References", "In-Reply-To"),
    )}  # fmt: skip
    assert AT == parsedate_to_datetime(mail["Date"])


def test_the_end_replies_to_the_opening() -> None:
    """A mail program shows the end below the opening, however long the name of the sender's domain is."""
    first = message_id(message(), f"casetrail@{'long.' * 20}example.org")
    inbox = Inbox()
    with mail_server(inbox) as server:
        channel(f"smtp://{HOST}:{port_of(server)}").send(resolved(message_id=first))

    (mail,) = inbox.mails
    assert (first, first) == (mail["In-Reply-To"], mail["References"])
    assert f"References: {first}\r\n".encode() in content(inbox.envelopes[0])


@pytest.mark.parametrize(
    "earlier", [Earlier("notice-1", None), Earlier("notice-1", None, message_id(message(), SENDER))]
)
def test_the_end_replies_to_an_opening_without_an_answer(earlier: Earlier) -> None:
    """A server that dropped the connection may have the opening, whose Message-ID follows from its notice."""
    mail = parsed(mail_bytes(resolved()._replace(earlier=earlier), SENDER))

    assert message_id(message(), SENDER) == mail["References"]


def test_the_bytes_of_a_digest_are_kept() -> None:
    """Its notices may change until the next try; one to a wrong address has no bytes."""
    way = channel(f"smtp://{HOST}")
    digest = message(kind="digest")

    assert [mail_bytes(digest, SENDER), None, None] == [
        way.compose(each) for each in (digest, message(), digest._replace(address="x"))
    ]


def test_each_try_sends_the_same_bytes() -> None:
    """A receiver that got a mail twice can recognise it; stored bytes are repeated, whatever the words are now."""
    stored = mail_bytes(message(kind="digest"), SENDER)
    inbox = Inbox()
    with mail_server(inbox) as server:
        way = channel(f"smtp://{HOST}:{port_of(server)}")
        for again in (message(), message(), resolved(stored=stored)):
            way.send(again)

    one, two, three = (content(envelope) for envelope in inbox.envelopes)
    assert one == two == mail_bytes(message(), SENDER)
    assert stored == three


@pytest.mark.usefixtures("trusted")
def test_a_server_elsewhere_gets_mail_after_starttls(folder: Path) -> None:
    """The connection is encrypted before the login, and the certificate is that of the host."""
    inbox = Inbox()
    with mail_server(
        inbox, certificate=folder / "elsewhere.pem", auth_required=True, authenticator=inbox.log_in
    ) as server:
        attempt = channel(f"smtp://{ELSEWHERE}:{port_of(server)}", login=LOGIN, allow=EVERYWHERE).send(message())

    assert ("delivered", [True], [b"casetrail"]) == (attempt.outcome, inbox.encrypted, inbox.logins)


@pytest.mark.usefixtures("trusted")
def test_a_server_may_begin_with_tls(folder: Path) -> None:
    """`smtps:` begins with TLS."""
    inbox = Inbox()
    with mail_server(inbox, certificate=folder / "elsewhere.pem", tls=True) as server:
        attempt = channel(f"smtps://{ELSEWHERE}:{port_of(server)}", allow=EVERYWHERE).send(message())

    assert ("delivered", 1) == (attempt.outcome, len(inbox.envelopes))


def test_a_server_elsewhere_must_encrypt() -> None:
    """Without STARTTLS, nothing is sent to a server on another machine."""
    inbox = Inbox()
    with mail_server(inbox) as server:
        attempt = channel(f"smtp://{ELSEWHERE}:{port_of(server)}", allow=EVERYWHERE).send(message())

    assert ("failed", False) == (attempt.outcome, attempt.sent_whole)
    assert "STARTTLS: the server does not offer it" in attempt.answer
    assert [] == inbox.envelopes


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_of_another_host_is_refused(folder: Path, scheme: str) -> None:
    """A server that shows the certificate of another host gets no mail and no password."""
    inbox = Inbox()
    with mail_server(inbox, certificate=folder / "other.pem", tls=scheme == "smtps") as server:
        attempt = channel(f"{scheme}://{ELSEWHERE}:{port_of(server)}", login=LOGIN, allow=EVERYWHERE).send(message())

    assert "failed" == attempt.outcome
    assert "certificate verify failed" in attempt.answer
    assert ([], []) == (inbox.envelopes, inbox.logins)


def test_a_server_on_this_machine_may_have_any_certificate(folder: Path) -> None:
    """A local relay is encrypted where it offers that, and seldom has a certificate for localhost."""
    inbox = Inbox()
    with mail_server(inbox, certificate=folder / "other.pem", require_starttls=True) as server:
        attempt = channel(f"smtp://{HOST}:{port_of(server)}").send(message())

    assert ("delivered", [True]) == (attempt.outcome, inbox.encrypted)


@pytest.mark.parametrize("password", ["wrong", "пароль"])
def test_a_wrong_password_is_a_trouble_of_all_messages(password: str) -> None:
    """Nothing is given up for it, and the answer does not repeat it."""
    inbox = Inbox()
    with mail_server(inbox, auth_require_tls=False, authenticator=inbox.log_in) as server:
        way = channel(f"smtp://{HOST}:{port_of(server)}", login=LOGIN._replace(password=password))
        attempt = way.send(message())

    assert ("failed", False) == (attempt.outcome, attempt.sent_whole)
    assert password not in attempt.answer


def test_an_address_that_is_not_allowed_is_refused() -> None:
    """The check of addresses holds for mail servers too, those of this machine included."""
    inbox = Inbox()
    with mail_server(inbox) as server:
        attempt = channel(f"smtp://{HOST}:{port_of(server)}", allow="10.0.0.0/8").send(message())

    assert ("refused", False) == (attempt.outcome, attempt.sent_whole)
    assert "allow" in attempt.answer
    assert [] == inbox.envelopes


def test_an_address_in_cyrillic_needs_a_server_that_takes_it() -> None:
    """Only the local part of an address needs SMTPUTF8: its domain has an ASCII form."""
    inbox, plain = Inbox(), Inbox()
    with mail_server(inbox) as server, mail_server(plain, enable_SMTPUTF8=False) as old_server:
        ways = [channel(f"smtp://{HOST}:{port_of(each)}") for each in (server, old_server)]
        to = ["редакция@пример.example", "desk@пример.example"]
        outcomes = [way.send(message(address=address)).outcome for way in ways for address in to]

    assert ["delivered", "delivered", "rejected", "delivered"] == outcomes
    assert [["редакция@xn--e1afmkfd.example"], ["desk@xn--e1afmkfd.example"]] == [e.rcpt_tos for e in inbox.envelopes]
    assert ["desk@xn--e1afmkfd.example"] == [mail["To"] for mail in plain.mails]


def test_a_server_that_was_killed_gets_the_mail_after_its_restart() -> None:
    """A try without a server fails, and the next one uses a new connection."""
    inbox = Inbox()
    with mail_server(inbox) as server:
        port = port_of(server)
        way = channel(f"smtp://{HOST}:{port}")
        outcomes = [way.send(message()).outcome]
    outcomes.append(way.send(message()).outcome)
    with mail_server(inbox, port=port):
        outcomes.append(way.send(message()).outcome)

    assert ["delivered", "failed", "delivered"] == outcomes
    assert 2 == len(inbox.envelopes)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", MailServer("mail.example", 587, tls=False)),
        ("smtps://mail.example/", MailServer("mail.example", 465, tls=True)),
        ("smtp://[::1]:25", MailServer("::1", 25, tls=False)),
    ],
)
def test_a_url_names_the_server(url: str, server: MailServer) -> None:
    """The port may be left out."""
    assert server == parse_server(url)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example:587",
        "http://mail.example",
        "smtp://",
        "smtp://a:99999",
        "smtp://u:p@a",
        "smtp://a/path",
        "smtp://[a",
    ],
)
def test_a_wrong_url_is_refused(url: str) -> None:
    """A URL with a login is refused too: passwords never stand in delivery.yaml."""
    with pytest.raises(BadInput, match="want") as error:
        parse_server(url)

    assert "u:p" not in str(error.value)
