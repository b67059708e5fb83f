"""`casetrail delivery check`, `list` and `test`."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.alerted import ARRESTED
from tests.support.mail import Inbox, mail_server, port_of
from tests.support.reading import answer, ask, database_with
from tests.support.served import Served
from tests.support.telling import NEVER


class Picky(Inbox):
    """
    A mail server that knows all addresses but those that are *unknown*.

    Attributes:
        unknown: the addresses that it refuses.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unknown: set[str] = set()

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any) -> str:  # noqa: N802
        """Refuse an address that is unknown."""
        del server, session
        if address in self.unknown:
            return "550 5.1.1 no such person"
        envelope.rcpt_tos.append(address)
        return "250 ok"


def test_a_check_names_missing_secrets_and_the_parts_without_effect(tmp_path: Path) -> None:
    """A missing secret is a finding, since the service would not start. The other gaps are warnings."""
    database_with(tmp_path).dispose()
    (tmp_path / "all.txt").write_text("o-1\n", "utf-8")
    (tmp_path / "delivery.yaml").write_text(
        "receivers:\n"
        "  hook: {webhook: https://desk.example/, secret: HOOK}\n"
        "  feed: {feed: desk}\n"
        "watchlists: {all: all.txt}\n"
        "routes: [{to: hook, rule: [relatives, relativs]}]\n",
        "utf-8",
    )
    without = ask("delivery check", tmp_path)
    secret = b64encode(bytes(24)).decode()
    checked = ask("delivery check", tmp_path, CASETRAIL_SECRET_HOOK=secret)

    assert (1, 0) == (without.returncode, checked.returncode)
    assert "casetrail: receiver hook: CASETRAIL_SECRET_HOOK: not set" in without.stderr
    assert "no problems" not in without.stderr
    assert "warning: no route sends the rule dismissed-without-follow-up\n" in checked.stderr
    assert "warning: no route sends the rule relatives\n" not in checked.stderr
    assert "warning: no route names the watchlist all\n" in checked.stderr
    assert "warning: no route names the receiver feed\n" in checked.stderr
    assert "warning: route 1 names a rule that is not in force: relativs (perhaps relatives)\n" in checked.stderr


@pytest.mark.parametrize(
    ("log", "found"),
    [
        ("kafka", "other.v1 is not a topic of casetrail (want casetrail.alerts.v1 or casetrail.status.v1)"),
        ("local", "the receiver is a topic of Kafka, and the log is local (want CASETRAIL_LOG=kafka)"),
    ],
)
def test_a_check_names_a_topic_with_which_the_service_would_not_start(tmp_path: Path, log: str, found: str) -> None:
    """As doctor does. It asks no broker."""
    database_with(tmp_path).dispose()
    (tmp_path / "delivery.yaml").write_text("receivers:\n  stream: {kafka: other.v1}\nroutes: []\n", "utf-8")
    checked = ask("delivery check", tmp_path, CASETRAIL_LOG=log)

    assert 1 == checked.returncode
    assert f"casetrail: receiver stream: {found}\n" in checked.stderr


def test_a_check_prints_problems_and_warnings_as_json(tmp_path: Path) -> None:
    """A problem of the file has its place, and a missing secret has none."""
    database_with(tmp_path).dispose()
    file = tmp_path / "delivery.yaml"
    file.write_text("receivers:\n  hook: {webhook: https://desk.example/, secret: HOOK}\nroutes: []\n", "utf-8")
    gaps = answer("delivery check", tmp_path)
    file.write_text("receivers:\n  hook: {webhok: https://desk.example/}\n", "utf-8")
    wrong = answer("delivery check", tmp_path)

    missing = {"file": "delivery.yaml", "line": None, "column": None, "kind": "problem"}
    assert missing.items() <= gaps[0].items()
    assert "receiver hook: CASETRAIL_SECRET_HOOK: not set" == gaps[0]["what"]
    assert {"what": "no route names the receiver hook", "kind": "warning"}.items() <= gaps[-1].items()
    assert {("delivery.yaml", 2, "problem")} == {(own["file"], own["line"], own["kind"]) for own in wrong}


def test_a_test_goes_to_each_address_and_is_not_recorded(tmp_path: Path) -> None:
    """Each address has its own answer. One that is refused is a finding, and the others get their mail."""
    database_with(tmp_path).dispose()
    inbox = Picky()
    with mail_server(inbox) as running:
        (tmp_path / "delivery.yaml").write_text(
            "receivers:\n  desk:\n    mail: [ann@desk.example, ben@desk.example]\n    from: c@desk.example\n"
            f'    smtp: "smtp://127.0.0.1:{port_of(running)}"\n    allow: [127.0.0.0/8]\n'
            "  news: {feed: news}\nroutes: []\n",
            "utf-8",
        )
        tested = answer("delivery test desk", tmp_path)
        inbox.unknown = {"ann@desk.example"}
        done = ask("delivery test desk", tmp_path)

    assert ["ann@desk.example", "ben@desk.example"] == [own["address"] for own in tested["results"]]
    assert {"delivered"} == {own["outcome"] for own in tested["results"]}
    assert ["ann@desk.example", "ben@desk.example", "ben@desk.example"] == [mail["To"] for mail in inbox.mails]
    assert 1 == done.returncode
    assert done.stderr.startswith("casetrail: ann@desk.example: impossible: RCPT: 550 ")
    assert "\nben@desk.example: delivered: " in done.stderr
    assert [] == answer("delivery list", tmp_path)


@pytest.mark.parametrize(
    ("receiver", "message"),
    [
        ("other", 'RECEIVER: "other" is not a receiver (want news)'),
        ("news", "RECEIVER: news is a feed, which sends nothing (want another receiver; `casetrail delivery feed news"),
    ],
)
def test_a_receiver_that_cannot_be_tested_is_named(tmp_path: Path, receiver: str, message: str) -> None:
    """The exit code is that of a wrong word."""
    database_with(tmp_path).dispose()
    (tmp_path / "delivery.yaml").write_text("receivers: {news: {feed: news}}\nroutes: []\n", "utf-8")
    done = ask(f"delivery test {receiver}", tmp_path)

    assert 2 == done.returncode
    assert message in done.stderr


def test_a_list_has_each_receiver_with_its_counts(tmp_path: Path) -> None:
    """Messages are counted address by address, and a list without receivers says so."""
    served = Served(tmp_path)
    served.inboxes["desk"].answers = [NEVER]
    served.project(*ARRESTED)
    listed = {row["receiver"]: row for row in answer("delivery list", tmp_path)}
    text = ask("delivery list", tmp_path).stdout

    assert (1, 1, 0) == tuple(listed["desk"][name] for name in ("delivered", "given_up", "queued"))
    assert (1, 0, 0) == tuple(listed["chat"][name] for name in ("delivered", "given_up", "queued"))
    assert ["receiver", "kind", "state", "queued", "held", "delivered", "given_up"] == text.split()[:7]


def test_a_list_without_receivers_says_so(tmp_path: Path) -> None:
    """No notifier has served a receiver of the file yet."""
    database_with(tmp_path).dispose()

    assert "no notifier has served a receiver yet\n" == ask("delivery list", tmp_path).stderr
