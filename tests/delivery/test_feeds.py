"""A feed: complete by its archives, each alert once and in its latest state, with nothing but text and sources."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5
from xml.etree.ElementTree import Element, fromstring

import feedparser
import pytest
from sqlalchemy import Engine, update
from structlog.testing import capture_logs

from events.errors import BadInput
from projections.tables.database import write_transaction
from projections.tables.schema import outbox
from services.delivery.channels.feed import FeedChannel
from services.delivery.config.model import Feed, Receiver, Route
from services.delivery.feeds.atom import atom
from services.delivery.feeds.json_feed import json_feed
from services.delivery.feeds.page import Entry, Page
from services.delivery.feeds.serving import export_feed, feed_page
from services.delivery.message import Message, Text
from services.delivery.receiver_worker import ReceiverWorker
from tests.support.builders import rows
from tests.support.statements import executed
from tests.support.telling import START, Desk

FEED = Receiver("desk", Feed("news"))
EVERYTHING = (Route(1, ("desk",)),)
ATOM, XHTML = "{http://www.w3.org/2005/Atom}", "{http://www.w3.org/1999/xhtml}"


class Newsroom(Desk):
    """A desk with a feed, and its readers."""

    def __init__(self, routes: tuple[Route, ...] = EVERYTHING, engine: Engine | None = None) -> None:
        super().__init__(FEED, routes, engine)

    def start(self, owner: str = "one") -> ReceiverWorker:
        """Return a notifier that serves the feed."""
        worker = super().start(owner)
        worker.sender.channel, worker.sender.is_bursting = FeedChannel(), False
        return worker

    def tell(self, *changes: tuple[str, str]) -> None:
        """Write the notices of *changes*, each an alert and its state, a minute later, and serve the feed."""
        self.now += timedelta(minutes=1)
        for alert, state in changes:
            self.notice(alert_id(alert), state, subject=f"person of {alert}")
        self.settle(1000)

    def page(self, number: int | None = None, form: str = "atom") -> bytes:
        """Return a page of the feed, with its number as its address."""
        return feed_page(self.engine, FEED, number, form, lambda number: f"page:{number or 'now'}")

    def entries(self) -> list[tuple[str, str]]:
        """Return the id and the kind of each entry, as a reader gets them that follows the links to the archives."""
        return [(entry.id, entry.tags[0].term) for page in self._pages() for entry in page.entries]

    def items(self) -> list[tuple[str, str]]:
        """Return the same from the JSON Feed."""
        items, address = [], "page:now"
        while address:
            page = json.loads(self.page(number_of(address), "json"))
            items += [(item["id"], item["tags"][0]) for item in page["items"]]
            address = page.get("next_url", "")
        return items

    def _pages(self) -> Iterator[feedparser.FeedParserDict]:
        address = "page:now"
        while address:
            page = feedparser.parse(self.page(number_of(address)))
            assert not page.bozo
            yield page
            address = next((link.href for link in page.feed.links if link.rel == "prev-archive"), "")


def number_of(address: str) -> int | None:
    """Return the number of the page at *address*."""
    place = address.removeprefix("page:")
    return None if place == "now" else int(place)


def alert_id(name: str) -> str:
    """Return the id of the alert *name*."""
    return str(uuid5(NAMESPACE_URL, name))


def urn(name: str) -> str:
    """Return the id of its entry."""
    return UUID(alert_id(name)).urn


@pytest.fixture
def newsroom() -> Newsroom:
    """A feed that gets everything."""
    return Newsroom()


def test_a_reader_of_all_pages_has_each_alert_once_in_its_latest_state(engine: Engine) -> None:
    """Alerts end, and open again, while their first message is in an old archive."""
    newsroom = Newsroom(engine=engine)
    names = [f"a{n}" for n in range(120)]
    newsroom.tell(*((name, "open") for name in names))
    newsroom.tell(*((name, "retracted") for name in names[:30]))
    newsroom.tell((names[0], "open"))
    newsroom.tell(("late", "open"))
    expected = {urn(name): "open" for name in (*names[30:], "late")}
    expected |= dict.fromkeys(map(urn, names[1:30]), "retracted") | {urn(names[0]): "change"}
    entries, items = newsroom.entries(), newsroom.items()

    assert len(expected) == len(entries)
    assert expected == dict(entries)
    assert entries == items
    assert [urn("late"), urn(names[0])] == [entry for entry, _ in entries[:2]]


def test_an_archive_loses_the_entries_that_changed_and_gets_no_others(newsroom: Newsroom) -> None:
    """A reader that keeps an archive sees the change on the current page, under the same id and with a later date."""
    newsroom.tell(*((f"a{n}", "open") for n in range(150)))
    before = feedparser.parse(newsroom.page(1))
    newsroom.tell(("a7", "resolved"))
    after = feedparser.parse(newsroom.page(1))
    (changed,) = [entry for entry in feedparser.parse(newsroom.page()).entries if entry.id == urn("a7")]
    (kept,) = [entry for entry in before.entries if entry.id == urn("a7")]

    assert [entry for entry in before.entries if entry.id != urn("a7")] == after.entries
    assert kept.published == changed.published
    assert kept.updated < changed.updated
    assert before.feed.id == after.feed.id


def test_the_current_page_is_never_nearly_empty(newsroom: Newsroom) -> None:
    """It has the last full page too, and links to archives only when there are some."""
    sizes: list[int] = []
    archives = []
    for n in (99, 1, 49, 1):
        newsroom.tell(*((f"{len(sizes)} {k}", "open") for k in range(n)))
        page = feedparser.parse(newsroom.page())
        sizes.append(len(page.entries))
        archives.append([link.href for link in page.feed.links if link.rel == "prev-archive"])

    assert [99, 50, 99, 50] == sizes
    assert [[], ["page:1"], ["page:1"], ["page:2"]] == archives


def test_a_page_is_read_by_the_same_number_of_statements_for_any_number_of_entries(newsroom: Newsroom) -> None:
    """A reader that polls a page of a hundred alerts asks the database no more than one of a single alert."""
    counts = []
    for n in (1, 98):
        newsroom.tell(*((f"{n} {k}", "open") for k in range(n)))
        newsroom.cleared(f"person of {n} 0")
        newsroom.settle()
        with executed(newsroom.engine) as statements:
            newsroom.page()
        counts.append(len(statements))

    assert counts[0] == counts[1] < 20


def test_an_entry_that_cannot_be_worded_any_more_is_left_out_of_its_page(engine: Engine) -> None:
    """The others stay readable, the log names it, and it comes back once its row is whole."""
    newsroom = Newsroom(engine=engine)
    newsroom.tell(*((alert, "open") for alert in "abc"))
    (row,) = [row for row in rows(engine, outbox) if row["alert_id"] == alert_id("b")]
    here = update(outbox).where(outbox.c.n == row["n"])
    with write_transaction(engine) as conn:
        conn.execute(here.values(notice=row["notice"] | {"life": []}))
    with capture_logs() as logs:
        damaged = newsroom.items()
    with write_transaction(engine) as conn:
        conn.execute(here.values(notice=row["notice"]))

    assert [(urn(alert), "open") for alert in "ca"] == damaged
    assert 3 == len(newsroom.items())
    (entry,) = [entry for entry in logs if entry["event"] == "entry_not_worded"]
    assert entry["fault"].startswith("IndexError in notices.py:")


def test_an_archive_names_its_neighbours_and_says_that_it_is_one(newsroom: Newsroom) -> None:
    """These are the links and the mark of RFC 5005."""
    newsroom.tell(*((f"a{n}", "open") for n in range(200)))
    pages = {number: newsroom.page(number) for number in (None, 1, 2, 3)}
    links = {
        number: {link.rel: link.href for link in feedparser.parse(page).feed.links} for number, page in pages.items()
    }
    mark = "{http://purl.org/syndication/history/1.0}archive"

    assert {"self": "page:now", "prev-archive": "page:3"} == links[None]
    assert {"self": "page:1", "current": "page:now", "next-archive": "page:2"} == links[1]
    assert {"self": "page:3", "current": "page:now", "prev-archive": "page:2"} == links[3]
    assert [None] == [number for number, page in pages.items() if parsed(page).find(mark) is None]


@pytest.mark.parametrize(("state", "first"), [("resolved", "Ended: "), ("retracted", "Correction, no longer stated: ")])
def test_the_entry_of_an_ended_alert_says_so_first(newsroom: Newsroom, state: str, first: str) -> None:
    """The earlier sentence stands only as the one that was said until then."""
    newsroom.tell(("a", "open"))
    (opened,) = feedparser.parse(newsroom.page()).entries
    newsroom.notice(alert_id("a"), state, explanation="Was said until 2026-01-05: a was dismissed.")
    newsroom.wait(minutes=5)
    (ended,) = feedparser.parse(newsroom.page()).entries
    (item,) = json.loads(newsroom.page(form="json"))["items"]

    assert (opened.id, opened.published) == (ended.id, ended.published)
    assert not opened.title.startswith(first)
    assert ended.title.startswith(first)
    assert item["title"] == ended.title
    assert item["content_text"].index("2026-01-05 12:00 UTC") < item["content_text"].index("It was said until")
    assert 1 == item["content_text"].count("a was dismissed")
    assert state == item["_casetrail"]["kind"]


def test_an_opening_that_was_held_is_new_when_it_comes(engine: Engine) -> None:
    """A route let it wait, and a page of others came before: it stands first, and in no archive that was read."""
    newsroom = Newsroom((Route(1, ("desk",), rule=frozenset({"slow"}), wait=timedelta(minutes=5)), *EVERYTHING), engine)
    newsroom.routes = (newsroom.routes[0], Route(2, ("desk",), rule=frozenset({"r"})))
    newsroom.worker.close()
    newsroom.worker = newsroom.start()
    newsroom.notice(alert_id("held"), "open", rule="slow")
    newsroom.tell(*((f"a{n}", "open") for n in range(120)))
    archived = newsroom.page(1)
    newsroom.wait(minutes=6)
    entries = newsroom.entries()

    assert 121 == len(entries)
    assert urn("held") == entries[0][0]
    assert archived == newsroom.page(1)


def test_a_clearing_has_one_entry_and_dates_the_alerts_of_the_person(newsroom: Newsroom) -> None:
    """The text of an alert names the presumption, so its entry changes too; that of another person does not."""
    newsroom.tell(("a", "open"), ("b", "open"))
    before = {entry.id: entry for entry in feedparser.parse(newsroom.page()).entries}
    newsroom.cleared("person of a")
    newsroom.wait(minutes=5)
    cleared = {entry.id: entry for entry in feedparser.parse(newsroom.page()).entries}
    newsroom.cleared("person of a", "cleared_withdrawn")
    newsroom.wait(minutes=5)
    withdrawn = {entry.id: entry for entry in feedparser.parse(newsroom.page()).entries}
    (clearing,) = cleared.keys() - before.keys()

    assert cleared.keys() == withdrawn.keys()
    assert ("cleared", "cleared_withdrawn") == tuple(page[clearing].tags[0].term for page in (cleared, withdrawn))
    dates = [page[urn("a")].updated for page in (before, cleared, withdrawn)]
    assert dates == sorted(set(dates))
    assert 1 == len({page[urn("b")].updated for page in (before, cleared, withdrawn)})


def test_two_notifiers_one_after_the_other_number_the_places_without_a_gap(newsroom: Newsroom) -> None:
    """The second one continues where the first one ended."""
    newsroom.tell(("a", "open"))
    newsroom.restart("two")
    newsroom.tell(("b", "open"))

    assert [urn("b"), urn("a")] == [entry for entry, _ in newsroom.entries()]


def parsed(page: bytes) -> Element:
    """Return the root of an Atom document."""
    return fromstring(page)  # noqa: S314 - our own


def page_of(*body: str, title: str = "t", links: tuple[str, ...] = ()) -> Page:
    """Return a page with one entry."""
    text = Text(title, body, "kk", links)
    message = Message("desk", "", "open", alert_id("n"), 3, START, {"alert_id": alert_id("a")}, ("p",), text)
    entry = Entry(UUID(alert_id("a")), message, START, START)
    return Page("news", UUID(alert_id("feed")), "kk", None, 0, START, (entry,))


def test_only_web_addresses_of_sources_become_links() -> None:
    """A name that looks like a link or like markup is text, and a script is no link."""
    links = ("https://source.example/a?b=1&c=2", "javascript:alert(1)")
    body = "<b>Name</b> https://name.example\nhttps://source.example/a?b=1&c=2 javascript:alert(1)\x00\uffff"
    page = page_of(body, title="<i>who</i>", links=links)
    content = parsed(atom(page, str)).find(f"{ATOM}entry/{ATOM}content/{XHTML}div")
    assert content is not None
    item = json.loads(json_feed(page, str))["items"][0]

    assert [links[0]] == [link.get("href") for link in content.iter(f"{XHTML}a")]
    assert f"<b>Name</b> https://name.example{links[0]} javascript:alert(1) " == "".join(content.itertext())
    assert "<i>who</i>" == feedparser.parse(atom(page, str)).entries[0].title.replace("&lt;", "<").replace("&gt;", ">")
    assert 1 == item["content_html"].count("<a ")
    assert "&lt;b&gt;Name" in item["content_html"]
    assert "<br>" in item["content_html"]


def test_names_are_isolated_and_the_language_is_named() -> None:
    """A name that is written from right to left does not turn the date behind it."""
    page = page_of("\u2068שם\u2069 2026-01-05")
    feed = parsed(atom(page, str))
    item = json.loads(json_feed(page, str))["items"][0]

    assert ["שם"] == [name.text for name in feed.iter(f"{XHTML}bdi")]
    assert "kk" == feed.get("{http://www.w3.org/XML/1998/namespace}lang")
    assert "<bdi>שם</bdi> 2026-01-05" in item["content_html"]


def test_the_json_feed_has_the_shape_of_its_format(newsroom: Newsroom) -> None:
    """By https://jsonfeed.org/version/1.1: the fields that must be there, and the fields of our own."""
    newsroom.tell(*((f"a{n}", "open") for n in range(100)))
    page = json.loads(newsroom.page(form="json"))
    item = page["items"][0]

    assert ("https://jsonfeed.org/version/1.1", "news", "page:now", "page:1", "en") == tuple(
        page[name] for name in ("version", "title", "feed_url", "next_url", "language")
    )
    assert {"name"} == set(page["authors"][0])
    assert {"id", "title", "content_html", "content_text", "date_published", "date_modified", "language", "tags"} | {
        "_casetrail"
    } == set(item)
    assert {"kind", "notice_id", "sequence", "alert_id", "subject_ids"} == set(item["_casetrail"])
    assert "next_url" not in json.loads(newsroom.page(1, "json"))


def test_a_feed_without_entries_is_one(newsroom: Newsroom) -> None:
    """Readers can subscribe before there is an alert; a page that does not exist is named."""
    page = feedparser.parse(newsroom.page())

    assert (False, [], "news") == (bool(page.bozo), page.entries, page.feed.title)
    with pytest.raises(BadInput, match="the feed has no page 1"):
        newsroom.page(1)


def test_an_export_writes_the_pages_that_changed(newsroom: Newsroom, tmp_path: Path) -> None:
    """The files link to one another, by the base URL if there is one; nothing else is left in the folder."""
    newsroom.tell(*((f"a{n}", "open") for n in range(150)))
    first = export_feed(newsroom.engine, FEED, tmp_path, "https://desk.example/feeds/")
    again = export_feed(newsroom.engine, FEED, tmp_path, "https://desk.example/feeds/")
    newsroom.tell(("a0", "resolved"))
    changed = export_feed(newsroom.engine, FEED, tmp_path, "https://desk.example/feeds/")
    feed = feedparser.parse((tmp_path / "news.atom").read_bytes()).feed
    links = {link.rel: link.href for link in feed.links}

    assert (3, 6) == first
    assert (3, 0) == again
    assert (3, 4) == changed
    names = [f"news{place}.{form}" for place in ("", ".1", ".2") for form in ("atom", "json")]
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    base = "https://desk.example/feeds/"
    assert {"self": f"{base}news.atom", "prev-archive": f"{base}news.2.atom"} == links
