"""`casetrail delivery preview`: the counts are those of what was sent, and nothing is written."""

import json
from collections import Counter
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from projections.correlator.chain_entries import NewSilence
from projections.correlator.correlator import add_silence
from projections.tables.database import write_transaction
from projections.tables.schema import outbox
from tests.support.alerted import ARRESTED, EVERYBODY
from tests.support.builders import acquitted, charged, dismissed, instant, retracted
from tests.support.noticed import at
from tests.support.reading import answer, ask, database_with
from tests.support.served import MAIL, Served

CHARGED = charged("2022-05-10", subject="arrested", case="c")
CLEARED = acquitted("2022-08-01", subject="arrested", case="c", final=True)
TAKEN_BACK = retracted(EVERYBODY[1], "2022-09-10")
FACTS = [line if "recorded" in line else at(line) for line in (*EVERYBODY, CHARGED, CLEARED, TAKEN_BACK)]
STORY = sorted(FACTS, key=itemgetter("recorded"))
FEED = MAIL + "  - {to: [desk, chat], severity: warning}\n"


def counts(preview: Any) -> dict[str, dict[str, int]]:
    """Return the numbers that are not zero, by receiver."""
    names = ("openings", "changes", "ends", "clearings", "digests")
    return {own["receiver"]: {name: own[name] for name in names if own[name]} for own in preview["receivers"]}


def sent(served: Served) -> dict[str, dict[str, int]]:
    """Return the numbers of messages that the notifiers sent, likewise."""
    names = {"open": "openings", "change": "changes", "cleared": "clearings", "cleared_withdrawn": "clearings"}
    found: dict[str, Counter[str]] = {name: Counter() for name in served.inboxes}
    for name, inbox in served.inboxes.items():
        found[name].update(names.get(message.kind, "ends") for message in inbox.messages)
    return {name: dict(own) for name, own in found.items()}


@pytest.mark.parametrize("text", [MAIL, FEED], ids=["mail", "two routes"])
def test_a_preview_counts_what_was_sent(tmp_path: Path, text: str) -> None:
    """Openings, ends and clearings are those that the notifiers sent while it happened, address by address."""
    served = Served(tmp_path, text)
    for line in STORY:
        served.project(line)
    served.project(until="2022-10-01")
    preview = answer("delivery preview --days 365", tmp_path)
    before = served.rows()

    assert {"openings", "ends", "clearings"} == {name for own in sent(served).values() for name in own}
    assert sent(served) == counts(preview)
    assert preview["notices"] == len({row["notice_id"] for row in before})
    openings = {row["notice_id"] for row in before if row["kind"] == "open"}
    assert len(openings) == preview["routes"][0]["notices"]
    assert before == served.rows()


def test_a_preview_needs_no_notifier_and_counts_the_last_days(tmp_path: Path) -> None:
    """The days are those before the end of the log, not before today. Routes are counted by themselves."""
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01").dispose()
    (tmp_path / "delivery.yaml").write_text(MAIL, "utf-8")
    last, whole = answer("delivery preview --days 40", tmp_path), answer("delivery preview --days 365", tmp_path)
    text = ask("delivery preview --days 365", tmp_path)

    assert ("2022-08-23T00:00:00Z", "2022-10-02T00:00:00Z") == (last["since"], last["until"])
    assert {"desk": {"ends": 2}, "chat": {}} == counts(last)
    assert {"desk": {"openings": 6, "ends": 2}, "chat": {"openings": 1}} == counts(whole)
    assert (1, 4) == (last["notices"], whole["notices"])
    assert [3, 1] == [route["notices"] for route in whole["routes"]]
    assert text.stdout.startswith("This would have sent 4 notices in the last 365 days, until 2022-10-02T00:00:00Z.\n")
    assert "reminders are not counted" in text.stderr


@pytest.mark.parametrize(
    ("receiver", "expected"),
    [
        ('digest: {at: "08:00", zone: UTC}, ', {"openings": 4, "digests": 4}),
        ("", {"openings": 6, "ends": 2}),
    ],
)
def test_digests_are_counted_as_mails(tmp_path: Path, receiver: str, expected: dict[str, int]) -> None:
    """An alert that ended before its digest is left out; the days of the digests are known."""
    facts = [*ARRESTED, *EVERYBODY[:3], EVERYBODY[-1] | {"recorded": "2022-07-03T01:00:00Z"}]
    database_with(tmp_path, *facts, passed="2022-10-01").dispose()
    (tmp_path / "delivery.yaml").write_text(MAIL.replace("from:", f"{receiver}from:"), "utf-8")

    assert expected == counts(answer("delivery preview --days 365", tmp_path))["desk"]


def test_a_silence_holds_what_opened_while_it_held(tmp_path: Path) -> None:
    """It counts from its beginning to its end by the clock of the log, and not for what opened before."""
    engine = database_with(tmp_path, *ARRESTED, dismissed("2022-03-27", subject="silent"), passed="2022-10-01")
    since, until = instant("2022-06-10"), instant("2023-01-01")
    add_silence(engine, "local", NewSilence(None, "silent", None, until, "ann", "known", since))
    add_silence(engine, "local", NewSilence(None, "arrested", None, until, "ann", "known", since))
    engine.dispose()
    (tmp_path / "delivery.yaml").write_text(MAIL, "utf-8")

    assert {"desk": {"openings": 2}, "chat": {"openings": 1}} == counts(answer("delivery preview --days 365", tmp_path))


def test_a_notice_that_is_damaged_is_named_and_the_others_are_counted(tmp_path: Path) -> None:
    """The counts leave its alert out, and the exit code says so."""
    engine = database_with(tmp_path, *EVERYBODY, passed="2022-10-01")
    with write_transaction(engine) as conn:
        row = conn.execute(select(outbox).where(outbox.c.alert_id.is_not(None)).limit(1)).one()
        damaged = update(outbox).where(outbox.c.notice_id == row.notice_id)
        conn.execute(damaged.values(notice=row.notice | {"subjects": 7}))
    engine.dispose()
    (tmp_path / "delivery.yaml").write_text(MAIL, "utf-8")
    done = ask("delivery preview --days 365 --json", tmp_path)
    found = json.loads(done.stdout)

    assert (1, [row.alert_id]) == (done.returncode, found["undecided"])
    assert 3 == found["notices"]
    assert f"that cannot be decided on, and are not counted: 1, first {row.alert_id}" in done.stderr


def test_an_empty_database_and_a_missing_file_say_the_next_step(tmp_path: Path) -> None:
    """Without a file nothing can be counted, and without facts the log has no end."""
    database_with(tmp_path).dispose()
    missing = ask("delivery preview", tmp_path)
    (tmp_path / "delivery.yaml").write_text(MAIL, "utf-8")
    unread = ask("delivery preview", tmp_path)
    database_with(tmp_path, passed="2022-10-01").dispose()
    empty = answer("delivery preview", tmp_path)

    assert (2, 1) == (missing.returncode, unread.returncode)
    assert "there is no delivery.yaml (want a file with receivers and routes)" in missing.stderr
    assert "the log was not read to any instant yet (run `casetrail project`)" in unread.stderr
    assert (0, {"desk": {}, "chat": {}}) == (empty["notices"], counts(empty))
