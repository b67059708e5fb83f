"""The bytes of a mail: a text and its HTML, in which words from outside stay words."""

import re
from email.message import EmailMessage

import pytest

from services.delivery.channels.cleaning import clean, one_line
from services.delivery.channels.mime import html, mail_bytes, message_id
from services.delivery.message import Text
from tests.support.mail import SENDER, parsed
from tests.support.messages import SOURCE, TEXT, message

HOSTILE = "Ann\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script>\u202e\u2066\x00<img src=https://evil.example/a>"


def mail_of(text: Text) -> EmailMessage:
    """Return the mail with these words."""
    return parsed(mail_bytes(message(text=text), SENDER))


def part(mail: EmailMessage, kind: str) -> str:
    """Return the text or the HTML of *mail*."""
    body = mail.get_body((kind,))
    assert isinstance(body, EmailMessage)
    content: str = body.get_content()
    return content.replace("\r\n", "\n")


def test_the_text_holds_all_words() -> None:
    """A reader of plain text misses nothing."""
    assert f"{TEXT.plain}\n" == part(mail_of(TEXT), "plain")


def test_the_html_holds_all_words_and_links_the_source() -> None:
    """The source is one click away."""
    page = part(mail_of(TEXT), "html")

    assert '<html lang="en">' in page
    assert "<strong>Ann Example: dismissed on 2022-03-27, and no follow-up since</strong>" in page
    assert "Reported by News: " in page
    assert '<a href="https://news.example/1?a=1&amp;b=2" rel="noreferrer">' in page


@pytest.mark.parametrize(
    "text", [Text(HOSTILE, (), "en"), Text("x", (HOSTILE,), "en", (SOURCE, "javascript:alert(1)"))]
)
def test_a_hostile_name_stays_a_name(text: Text) -> None:
    """It adds no header, no tag, no link and no image, and it turns no other text around."""
    mail = mail_of(text)
    page = part(mail, "html")

    assert mail["Bcc"] is None
    assert ["desk@example.org"] == [str(address) for address in mail["To"].addresses]
    assert set() == {"script", "img", "a"} & set(re.findall(r"<([a-z]+)", page))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert set() == set("\u202e\u2066\x00") & set(f"{mail['Subject']}{page}{part(mail, 'plain')}")


def test_an_isolated_name_is_isolated_in_html() -> None:
    """A name between the two characters that isolate its direction stands in the element that does so."""
    page = html(
        Text("\u2068علي\u2069: dismissed", ("\u2068<b>\u2069, \u2068https://news.example/\u2069",), "en", (SOURCE,))
    )

    assert "<title>علي: dismissed</title>" in page
    assert "<strong><bdi>علي</bdi>: dismissed</strong>" in page
    assert "<bdi>&lt;b&gt;</bdi>, <bdi>https://news.example/</bdi>" in page


def test_only_urls_of_sources_become_links() -> None:
    """A name that looks like a URL, and a URL that is not http, are no links."""
    page = html(Text("x", ("javascript:x https://evil.example/ https://a.example/1 https://a.example/",), "en",
                     ("javascript:x", "https://[", "https://a.example/", "https://a.example/1")))  # fmt: skip

    assert ["https://a.example/1", "https://a.example/"] == re.findall('href="([^"]*)"', page)


@pytest.mark.parametrize(("language", "times"), [("ru", 1), ("kk", 4)])
def test_names_and_words_may_be_in_any_script(language: str, times: int) -> None:
    """The bytes are ASCII, so that every server takes them, and the words arrive as they were."""
    text = Text("Әлия Құдайбергенова қызметінен босатылды " * times, ("Ұлттық бюро\n.нүкте", "阿丽娅"), language)
    data = mail_bytes(message(text=text), SENDER)
    mail = parsed(data)

    assert data.isascii()
    assert max(map(len, data.splitlines())) < 200
    assert (text.title.strip(), language) == (mail["Subject"], mail["Content-Language"])
    assert f"{text.plain}\n" == part(mail, "plain")


def test_a_message_id_belongs_to_one_notice_and_address() -> None:
    """Two addresses of one receiver get mails of their own."""
    ids = {message_id(message(**fields), SENDER) for fields in ({}, {"address": "b@example.org"}, {"notice_id": "n"})}

    assert 3 == len(ids)
    assert all(re.fullmatch(r"<[0-9a-f]{32}@example\.org>", name) for name in ids)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb\u2028c\x85d\te", "a\nb\nc\nd\te"),
        ("\u2068a\u2069\u2068b", "\u2068a\u2069b"),
        ("\u2068a\u202eb\u2069\u2069", "\u2068ab\u2069"),
        ("\u2068a\u2068b\u2069c\u2069", "a\u2068b\u2069c"),
        ("\ud800x\x1b[0m", " x [0m"),
    ],
)
def test_text_is_cleaned(text: str, cleaned: str) -> None:
    """Pairs around names stay; everything else that turns a line around or controls a terminal goes."""
    assert cleaned == clean(text)
    assert "\n" not in one_line(text)
