"""`delivery.yaml` as it is loaded, its watchlists, and the gaps that a correct file can have."""

from datetime import time, timedelta
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.delivery.config.check import UnknownRule, Unserved, unserved
from services.delivery.config.loading import DeliveryError, load_delivery
from services.delivery.config.model import (
    Apprise,
    DeliveryConfig,
    Digest,
    Feed,
    KafkaTopic,
    Mail,
    Receiver,
    Route,
    Slack,
    Webhook,
)
from services.delivery.config.watchlists import Watchlist, read_watchlist
from tests.support.delivery import EXAMPLE, folder_with_list


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with the watchlist of the example."""
    monkeypatch.chdir(folder_with_list(tmp_path))
    return tmp_path


def loaded(text: str) -> DeliveryConfig:
    """Return the configuration that *text* describes."""
    Path("delivery.yaml").write_text(text, "utf-8")
    return load_delivery(Path("delivery.yaml"))


def test_every_kind_of_receiver_is_loaded() -> None:
    """The receivers stand in the order of the file, with the defaults of the keys that they leave out."""
    local = (ip_network("127.0.0.0/8"),)
    digest = Digest(time(8), ZoneInfo("Asia/Almaty"))

    assert [
        Receiver("desk-hook", Webhook("https://desk.example/hook", "DESK_HOOK")),
        Receiver("desk-mail", Mail(("desk@example.org",), digest=digest)),
        Receiver("desk-slack", Slack("C0123", "DESK_SLACK", "https://slack.com/api/")),
        Receiver("desk-feed", Feed("desk")),
        Receiver("stream", KafkaTopic("casetrail.alerts.v1")),
        Receiver("test-hook", Webhook("http://127.0.0.1:9000/", "TEST"), allow=local),
        Receiver("chat", Apprise("CHAT")),
    ] == list(loaded(EXAMPLE).receivers.values())


def test_routes_and_the_rest_are_loaded() -> None:
    """A single word is a list of one, a track stands for its types, and a watchlist is its people."""
    config = loaded(EXAMPLE)
    first, second = config.routes

    assert first == Route(
        1,
        ("desk-hook", "desk-mail"),
        severity=frozenset({"warning", "critical"}),
        wait=timedelta(minutes=5),
        remind=timedelta(days=14),
    )
    assert second == Route(
        2,
        ("desk-slack",),
        rule=frozenset({"dismissed-without-follow-up"}),
        jurisdiction=frozenset({"KZ"}),
        agency=frozenset({"Ministry of Health"}),
        subject=frozenset({"kz-1"}),
        type=second.type,
        watchlist=frozenset({"ministers"}),
        weekly=True,
    )
    assert {"Detained", "Arrested"} < second.type
    assert {"ministers": frozenset({"kz-1"})} == config.watchlists
    assert (("desk-mail",), "https://watch.example/ping") == (config.operators, config.heartbeat)


def test_a_mail_server_and_networks_of_a_receiver_are_loaded() -> None:
    """The keys of mail, the base URL of Slack with its slash, and the networks of the heartbeat."""
    config = loaded(
        """\
receivers:
  m: {mail: [a@b.example, c@d.example], smtp: "smtps://mail.example:465", from: e@f.example, user: u, password: P}
  s: {slack: G01, token: T, api: "http://10.1.2.3/api", allow: [10.1.0.0/16, "fd00::/8", 192.0.2.1], language: kk}
heartbeat: {url: "http://10.1.2.3/ping", allow: 10.1.0.0/16}
"""
    )
    networks = tuple(map(ip_network, ("10.1.0.0/16", "fd00::/8", "192.0.2.1/32")))

    assert Mail(("a@b.example", "c@d.example"), "smtps://mail.example:465", "e@f.example", "u", "P") == (
        config.receivers["m"].target
    )
    assert Receiver("s", Slack("G01", "T", "http://10.1.2.3/api/"), "kk", networks) == config.receivers["s"]
    assert ("http://10.1.2.3/ping", networks[:1]) == (config.heartbeat, config.heartbeat_allow)


def test_watchlists_are_found_from_the_folder_of_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory makes no difference."""
    (folder / "delivery.yaml").write_text(EXAMPLE, "utf-8")
    monkeypatch.chdir("/")

    assert {"ministers": {"kz-1"}} == load_delivery(folder / "delivery.yaml").watchlists


@pytest.mark.parametrize(
    "content", [b"kz-1\nkz 2#3\n", b"\xef\xbb\xbf# all\r\n\r\n  # of them\r\nkz-1\r\nkz 2#3", b"kz-1\nkz 2#3\n \nkz-1"]
)
def test_a_watchlist_has_an_id_a_line(content: bytes) -> None:
    """Comments, blank lines, a mark of the byte order, line ends of Windows and repetitions make no difference."""
    Path("list.txt").write_bytes(content)

    assert Watchlist(frozenset({"kz-1", "kz 2#3"}), ()) == read_watchlist(Path("list.txt"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"kz-1\nkz-2 \n", "2:5: blanks are behind the id (want the line without them)"),
        (b"kz-1\n\tkz-2\n", "2:1: blanks are before the id (want the id at the start of its line)"),
        (b"kz-1 # the first\n", "1:6: a comment is behind an id (want the comment on a line of its own)"),
        (b"kz-1\nkz\x07-2\n", '2:1: "kz\\u0007-2" is not a subject id (want SUBJECT)'),
        ("kz\u200b-1\n".encode(), '1:1: "kz\\u200b-1" is not a subject id (want SUBJECT)'),
        (b"x" * 256, f'1:1: "{"x" * 79}... is not a subject id (want SUBJECT)'),
        (b"kz-1\n\xd0\x96\xff\n", "2:2: the file is not UTF-8 (want a file saved as UTF-8)"),
    ],
)
def test_a_wrong_line_of_a_watchlist_has_its_place(content: bytes, problem: str) -> None:
    """The problem names the watchlist, and not `delivery.yaml`."""
    Path("lists/ministers.txt").write_bytes(content)
    subject = "a subject id, as facts have it: at most 255 characters, without blanks at its ends"

    with pytest.raises(DeliveryError) as refused:
        loaded(EXAMPLE)
    assert f"lists/ministers.txt:{problem.replace('SUBJECT', subject)}" == str(refused.value)


def test_a_watchlist_with_many_wrong_lines_names_the_first() -> None:
    """A file of another kind does not fill the terminal."""
    Path("list.txt").write_text("kz-1 \n" * 1000, "utf-8")
    problems = read_watchlist(Path("list.txt")).problems

    assert 21 == len(problems)
    assert "list.txt:21:1: 980 more lines are wrong" == str(problems[-1]).partition(" (")[0]


def test_a_watchlist_of_a_million_people_loads() -> None:
    """All ids are there, and none is checked alone, which would take several times as long."""
    Path("list.txt").write_text("".join(f"kz-{number}\n" for number in range(1_000_000)), "utf-8")
    subjects, problems = read_watchlist(Path("list.txt"))

    assert (1_000_000, ()) == (len(subjects), problems)


SEVERITIES = {"dismissed-without-follow-up": "critical", "long-remand": "info"}


def test_gaps_of_a_correct_file_are_listed() -> None:
    """A rule is served if a route can fit it by its id and its severity; the others are listed with the rest."""
    text = EXAMPLE.replace("[dismissed-without-follow-up]", "[dismissed-without-folow-up, quite-another]")
    text = text.replace("watchlists: {", "watchlists: {spare: lists/none.txt, ")
    Path("lists/none.txt").write_text("# nobody yet\n", "utf-8")

    assert Unserved(
        rules=("long-remand",),
        watchlists=("spare",),
        empty_watchlists=("spare",),
        receivers=("desk-feed", "test-hook", "chat"),  # a topic of Kafka has no routes
        unknown_rules=(
            UnknownRule(2, "dismissed-without-folow-up", "dismissed-without-follow-up"),
            UnknownRule(2, "quite-another", None),
        ),
    ) == unserved(loaded(text), SEVERITIES)


def test_a_route_of_an_empty_watchlist_serves_no_rule() -> None:
    """It can fit no alert as long as nobody is on the list."""
    text = "receivers: {a: {feed: a}}\nroutes: [{to: a, watchlist: w}]\nwatchlists: {w: w.txt}\n"
    Path("w.txt").write_text("", "utf-8")
    assert tuple(SEVERITIES) == unserved(loaded(text), SEVERITIES).rules

    Path("w.txt").write_text("kz-1\n", "utf-8")
    assert () == unserved(loaded(text), SEVERITIES).rules


def test_without_routes_nothing_is_served() -> None:
    """Every rule and every receiver is listed."""
    config = loaded("receivers: {a: {feed: a}}\n")

    assert Unserved(tuple(SEVERITIES), (), (), ("a",), ()) == unserved(config, SEVERITIES)


def test_the_example_of_the_contract_loads() -> None:
    """Its quotes, its comments and its flow mappings are read as they are written."""
    config = loaded(
        """\
receivers:
  desk-hook:  {webhook: "https://desk.example/hook", secret: DESK_HOOK}       # Standard Webhooks
  desk-mail:  {mail: [desk@example.org], digest: {at: "08:00", zone: Asia/Almaty}, language: en}
  desk-slack: {slack: "C0123", token: DESK_SLACK}                             # threads
  desk-feed:  {feed: desk}                                                    # Atom and JSON Feed
  stream:     {kafka: casetrail.alerts.v1}
  test-hook:  {webhook: "http://127.0.0.1:9000/", secret: TEST, allow: ["127.0.0.0/8"]}
routes:                                       # every route that fits sends; none is a fall-through
  - to: [desk-hook, desk-mail]
    severity: [warning, critical]
  - to: desk-slack
    rule: [dismissed-without-follow-up]
    jurisdiction: KZ                          # also: agency, region, subject, type, watchlist
    watchlist: ministers
watchlists: {ministers: lists/ministers.txt}  # a subject id a line
"""
    )

    expected = loaded(EXAMPLE).receivers
    assert {name: receiver for name, receiver in expected.items() if name != "chat"} == config.receivers
    assert [("desk-hook", "desk-mail"), ("desk-slack",)] == [route.to for route in config.routes]
    assert ((), None) == (config.operators, config.heartbeat)
