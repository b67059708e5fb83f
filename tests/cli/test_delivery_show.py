"""`casetrail delivery show` and the messages of `alerts show`: the address, the instant, the state and the reason."""

from pathlib import Path

import pytest
from sqlalchemy import insert

from projections.tables.delivery.schema import deliveries
from tests.support.alerted import ARRESTED, EVERYBODY, alert_of
from tests.support.reading import answer, ask, database_with
from tests.support.served import MAIL, Served
from tests.support.telling import NEVER, NOT_NOW

DIGEST = MAIL.replace('smtp: "', 'digest: {at: "08:00", zone: Asia/Almaty}, smtp: "')


def test_each_address_has_its_own_row_in_both_commands(tmp_path: Path) -> None:
    """The state, the reason and the answer are those of the address. The start of either id is enough."""
    served = Served(tmp_path)
    served.inboxes["desk"].answers = [NOT_NOW, NEVER]
    served.project(*ARRESTED)
    alert = alert_of(tmp_path, "arrested")
    shown = answer(f"delivery show {alert['alert_id'][:8].upper()}", tmp_path)
    text = ask(f"alerts show {alert['alert_id']}", tmp_path).stdout

    assert [
        ("chat", "", "delivered"),
        ("desk", "ann@desk.example", "queued"),
        ("desk", "ben@desk.example", "given_up"),
    ] == [(row["receiver"], row["address"], row["state"]) for row in shown]
    assert ("550", "refused for good", None) == tuple(shown[2][key] for key in ("last_answer", "why", "told_at"))
    assert shown[0]["told_at"]
    assert shown[1]["told_at"]
    assert shown == answer(f"delivery show {shown[0]['notice_id'][:9]}", tmp_path)
    assert alert | {"deliveries": shown} == answer(f"alerts show {alert['alert_id']}", tmp_path)
    assert text.endswith(ask(f"delivery show {alert['alert_id']}", tmp_path).stdout)
    assert "refused for good" in text.partition("\nMessages:\n")[2]


def test_a_digest_shows_the_messages_that_it_carries(tmp_path: Path) -> None:
    """Each message of a digest names it, and the digest names each of its messages."""
    served = Served(tmp_path, DIGEST)
    served.project(*ARRESTED).settle(days=1)
    shown = served.shown(alert_of(tmp_path, "arrested")["alert_id"], "receiver", "carried_by")
    (digest, *_) = [own for receiver, own in shown if receiver == "desk"]

    assert ("chat", None) in shown
    assert {("digest", None, "delivered"), ("open", digest, "delivered")} == {
        *served.shown(digest, "kind", "carried_by", "state")
    }


def test_an_alert_of_which_nobody_was_told_is_no_error(tmp_path: Path) -> None:
    """The alert is known, and the list is empty."""
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01")
    alert = alert_of(tmp_path, "arrested")["alert_id"]
    done = ask(f"delivery show {alert}", tmp_path)

    assert (0, "", "nobody was told\n") == (done.returncode, done.stdout, done.stderr)
    assert [] == answer(f"delivery show {alert}", tmp_path)


@pytest.mark.parametrize(
    ("own", "code", "message"),
    [
        ("87ddf79b", 1, "87ddf79b is neither an alert nor a notice (want the id of one;"),
        ("87d", 2, '"87d" is too short (want the id, or at least its first 8 characters)'),
    ],
)
def test_an_id_of_nothing_is_an_error(tmp_path: Path, own: str, code: int, message: str) -> None:
    """It is named, and so is the next step. An empty list would say that nobody was told."""
    database_with(tmp_path)
    done = ask(f"delivery show {own} --json", tmp_path)

    assert (code, "") == (done.returncode, done.stdout)
    assert message in done.stderr


def test_a_long_record_is_shown_in_part_and_says_so(tmp_path: Path) -> None:
    """A table has a thousand rows, and a message names the ways to see the others."""
    served = Served(tmp_path)
    served.project(*ARRESTED)
    alert = alert_of(tmp_path, "arrested")["alert_id"]
    row = next(row for row in served.rows() if row["receiver"] == "chat")
    others = [row | {"number": number, "notice_id": str(number)} for number in range(2, 1003)]
    with served.engine.begin() as conn:
        conn.execute(insert(deliveries), others)
    done = ask(f"delivery show {alert}", tmp_path)

    assert 2 + 1000 == done.stdout.count("\n")
    assert "the first 1000 messages are shown; `casetrail delivery show --json` prints all" in done.stderr
    assert 1004 == len(answer(f"delivery show {alert}", tmp_path))
    limited = ask(f"delivery show {alert} --limit 2", tmp_path)
    assert (2 + 2, "") == (limited.stdout.count("\n"), limited.stderr)
