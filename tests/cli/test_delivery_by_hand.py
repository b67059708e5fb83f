"""`casetrail delivery resend`, `bounced`, `enable`, `mute` and `unmute`, on messages of a real outbox."""

from pathlib import Path

import pytest

from tests.support.alerted import ARRESTED
from tests.support.builders import acquitted, charged, retracted
from tests.support.reading import answer, ask, database_with
from tests.support.served import MAIL, Served
from tests.support.telling import NEVER, UNREACHABLE

END = retracted(ARRESTED[1], "2022-07-01")
ANN, BEN = "ann@desk.example", "ben@desk.example"


def opened(folder: Path, *answers: object) -> Served:
    """Return receivers that were sent an opening; those of mail answered *answers*."""
    served = Served(folder)
    served.inboxes["desk"].answers = [*answers]  # type: ignore[list-item]
    return served.project(*ARRESTED)


def notice(served: Served) -> str:
    """Return the id of the first notice."""
    return str(served.rows()[0]["notice_id"])


def states(served: Served, receiver: str = "desk") -> list[tuple[str, str, str]]:
    """Return the address, the kind and the state of each message to *receiver*, in their order."""
    return [(row["address"], row["kind"], row["state"]) for row in served.rows() if row["receiver"] == receiver]


def test_a_notice_that_was_given_up_is_sent_again_under_its_id(tmp_path: Path) -> None:
    """Only the address that did not get it is sent it. The first row stays, and the second arrives."""
    served = opened(tmp_path, NEVER)
    sent = answer(f"delivery resend {notice(served)[:8]}", tmp_path)
    served.settle()

    assert {"notice_id": notice(served), "queued": [{"receiver": "desk", "address": ANN}], "refused": []} == sent
    assert [(ANN, "open", "given_up"), (BEN, "open", "delivered"), (ANN, "open", "delivered")] == states(served)
    assert {notice(served)} == {row["notice_id"] for row in served.rows()}
    first, again = served.inboxes["desk"].messages
    assert (BEN, ANN, first.notice_id, None) == (first.address, again.address, again.notice_id, again.earlier)


def test_a_receiver_that_is_named_may_have_the_notice_already(tmp_path: Path) -> None:
    """It gets the notice once more, and its end once."""
    served = opened(tmp_path)
    refused = ask(f"delivery resend {notice(served)}", tmp_path)
    done = ask(f"delivery resend {notice(served)} --receiver chat", tmp_path)
    waiting = ask(f"delivery resend {notice(served)} --receiver chat", tmp_path)
    served.settle().project(END)

    assert (1, 0, 1) == (refused.returncode, done.returncode, waiting.returncode)
    assert "was given up for nobody (--receiver sends it to one of chat, desk all the same)" in refused.stderr
    assert "1 message will be sent again\n" == done.stderr
    assert "casetrail: chat: it waits already (queued)\n" == waiting.stderr
    first, again, end = served.inboxes["chat"].messages
    assert ("open", "open", "retracted") == (first.kind, again.kind, end.kind)
    # A message that replied to itself would have its own Message-ID as that of the opening.
    assert (None, None) == (first.earlier, again.earlier)
    assert end.earlier
    assert first.notice_id == again.notice_id == end.earlier.notice_id


def test_nobody_is_accused_again_of_what_has_ended(tmp_path: Path) -> None:
    """An opening is refused after the end, and the end itself is sent again to those who were told of the opening."""
    served = opened(tmp_path, NEVER)
    served.inboxes["desk"].answers = [NEVER]
    served.project(END)
    done = ask(f"delivery resend {notice(served)}", tmp_path)
    end = next(row["notice_id"] for row in served.rows() if row["kind"] == "retracted")
    again = answer(f"delivery resend {end}", tmp_path)
    served.settle()

    assert 1 == done.returncode
    assert (
        f"casetrail: desk {ANN}: the alert is retracted, and nobody is accused again of what has ended" in done.stderr
    )
    assert [{"receiver": "desk", "address": BEN}] == again["queued"]
    assert (BEN, "retracted", "delivered") == states(served)[-1]
    assert ["open", "retracted"] == [message.kind for message in served.inboxes["desk"].messages]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("resend 87ddf79b", 1, "no notice 87ddf79b is known (`casetrail delivery show ALERT`"),
        ("resend 87d", 2, '"87d" is too short (want the id, or at least its first 8 characters)'),
        ("resend NOTICE --receiver other", 2, '--receiver: "other" is not a receiver (want desk, chat)'),
        ("resend NOTICE --receiver chat", 1, "was not planned for chat (but for desk)"),
        ("resend --open other", 2, 'RECEIVER: "other" is not a receiver (want desk, chat)'),
        ("resend --open desk --receiver desk", 2, "--open does not go with --receiver"),
        ("bounced 87ddf79b ann@desk.example", 1, "no notice 87ddf79b is known"),
        ("bounced NOTICE eve@desk.example", 1, "was not sent to eve@desk.example (sent to ann@desk.example, ben@"),
        ("enable other", 1, "no notifier has served other (`casetrail delivery list` lists the receivers)"),
        ("mute eve", 2, 'ADDRESS: "eve" is not a mail address (want one address alone, such as desk@example.org)'),
        ("unmute eve@desk.example", 1, "eve@desk.example is not muted"),
    ],
)
def test_a_wrong_word_is_named_with_the_next_step(tmp_path: Path, words: str, code: int, message: str) -> None:
    """Nothing is written, and the exit code says whether the words or the state of things are wrong."""
    served = Served(tmp_path, MAIL.replace("rule: dismissal-before-arrest", "rule: relatives")).project(*ARRESTED)
    before = served.rows()
    done = ask(f"delivery {words.replace('NOTICE', notice(served))}", tmp_path)

    assert code == done.returncode
    assert message in done.stderr
    assert before == served.rows()


@pytest.mark.parametrize(
    ("text", "command", "message"),
    [
        (MAIL.replace(f"[{ANN}, {BEN}]", BEN), "list", f"desk {ANN}: the address is not in delivery.yaml any more"),
        (MAIL.replace("desk:", "other:").replace("to: desk", "to: other"), "list", "desk: it is not in delivery.yaml"),
        (MAIL, f"mute {ANN}", f"desk {ANN}: the address is muted (`casetrail delivery unmute {ANN}`)"),
    ],
)
def test_an_opening_goes_to_no_address_that_has_left(tmp_path: Path, text: str, command: str, message: str) -> None:
    """An address or a receiver that was removed, or is muted, gets no opening by hand either."""
    served = opened(tmp_path, NEVER)
    served.configure(text)
    ask(f"delivery {command}", tmp_path)
    done = ask(f"delivery resend {notice(served)}", tmp_path)

    assert 1 == done.returncode
    assert message in done.stderr
    assert 3 == len(served.rows())


def test_a_bounced_opening_is_told_to_nobody_and_so_is_its_end(tmp_path: Path) -> None:
    """The end that waits is dropped for this address alone. To record the bounce again changes nothing."""
    served = opened(tmp_path)
    served.inboxes["desk"].answers = [UNREACHABLE]
    served.project(END)
    bounced = [answer(f"delivery bounced {notice(served)[:8]} {ANN.upper()}", tmp_path) for _ in range(2)]
    served.settle(hours=1)

    assert [(True, 1), (False, 0)] == [(one["recorded"], one["dropped"]) for one in bounced]
    assert [(ANN, "open", "given_up"), (BEN, "open", "delivered"), (ANN, "retracted", "dropped")] == states(served)[:3]
    assert (BEN, "retracted", "delivered") == states(served)[3]
    row = next(row for row in served.rows() if row["receiver"] == "desk")
    assert ("bounced", None) == (row["why"], row["told_at"])
    assert f"by hand (told {row['tried_at']:%Y-%m-%d}" in row["last_answer"]
    assert row["last_answer"].endswith(": 250 ok)")
    assert 1 == next(row["given_up"] for row in answer("delivery list", tmp_path) if row["receiver"] == "desk")


def test_an_address_that_had_the_opening_keeps_its_end_when_the_end_bounces(tmp_path: Path) -> None:
    """Its end is given up, and can be sent again."""
    served = opened(tmp_path).project(END)
    end = served.rows()[-1]["notice_id"]
    ask(f"delivery bounced {end} {ANN}", tmp_path)
    again = answer(f"delivery resend {end}", tmp_path)
    served.settle()

    assert [{"receiver": "desk", "address": ANN}] == again["queued"]
    assert (ANN, "retracted", "delivered") == states(served)[-1]


def test_a_digest_that_bounced_is_sent_again_by_its_messages(tmp_path: Path) -> None:
    """None of its alerts was told. They wait for the next digest, since messages of one do not go alone."""
    digest = MAIL.replace('smtp: "', 'digest: {at: "08:00", zone: Asia/Almaty}, smtp: "').replace(f", {BEN}", "")
    served = Served(tmp_path, digest).project(*ARRESTED).settle(days=1)
    own = next(row["notice_id"] for row in served.rows() if row["kind"] == "digest")
    ask(f"delivery bounced {own} {ANN}", tmp_path)
    kinds = [(row["kind"], row["state"], row["told_at"]) for row in served.rows() if row["receiver"] == "desk"]
    again = answer(f"delivery resend {own}", tmp_path)
    waits = served.rows()[-1]
    served.settle(days=1)

    assert [("open", "given_up", None), ("digest", "given_up", None)] == kinds
    assert [{"receiver": "desk", "address": ANN}] == again["queued"]
    assert ("open", "queued", "digest") == (waits["kind"], waits["state"], waits["why"])
    assert ["digest", "digest"] == [message.kind for message in served.inboxes["desk"].messages]


def test_a_clearing_is_sent_again_while_it_is_true(tmp_path: Path) -> None:
    """Once it is set aside, only the news of that can be sent again."""
    case = {"subject": "arrested", "case": "c"}
    acquittal = acquitted("2022-08-01", final=True, **case)
    served = opened(tmp_path).project(charged("2022-06-10", **case))
    served.inboxes["chat"].answers = [NEVER, NEVER]
    served.project(acquittal)
    cleared = next(row["notice_id"] for row in served.rows() if (row["kind"], row["state"]) == ("cleared", "given_up"))
    again = answer(f"delivery resend {cleared}", tmp_path)
    served.settle().project(retracted(acquittal, "2022-09-01"))
    refused = ask(f"delivery resend {cleared} --receiver chat", tmp_path)

    assert [{"receiver": "chat", "address": ""}] == again["queued"]
    assert ("", "cleared", "delivered") in states(served, "chat")
    assert "chat: the presumption of the person has changed since" in refused.stderr


def test_a_receiver_that_is_enabled_is_tried_at_once(tmp_path: Path) -> None:
    """A notice is not sent again to a receiver that is disabled. Once it is enabled, it gets what waits."""
    gone = UNREACHABLE._replace(outcome="gone", answer="410")
    served = opened(tmp_path)
    served.inboxes["chat"].answers = [gone]
    served.project(END)
    refused = ask(f"delivery resend {notice(served)} --receiver chat", tmp_path)
    enabled = [answer("delivery enable chat", tmp_path) for _ in range(2)]
    served.settle()

    assert "chat: it is disabled (`casetrail delivery enable chat`)" in refused.stderr
    assert [{"receiver": "chat", "before": "disabled"}, {"receiver": "chat", "before": "ok"}] == enabled
    assert "retracted" == served.inboxes["chat"].messages[-1].kind


def test_an_opening_that_was_given_up_is_among_the_open_alerts(tmp_path: Path) -> None:
    """The address that did not get it is sent it once, and the other one is not sent it again."""
    served = opened(tmp_path, NEVER)
    sent = [answer("delivery resend --open desk", tmp_path) for _ in range(2)]
    served.settle()

    assert [[{"receiver": "desk", "address": ANN}], []] == [one["queued"] for one in sent]
    assert [None, None] == [one["notice_id"] for one in sent]
    assert (ANN, "open", "delivered") == states(served)[-1]


def test_an_address_is_muted_once(tmp_path: Path) -> None:
    """An address is muted and unmuted, in any case of its letters, and unmuting it again is a finding."""
    database_with(tmp_path).dispose()
    words = (f"mute {ANN}", f"mute {ANN.upper()}", f"unmute {ANN.title()}", f"unmute {ANN}")
    said = [answer(f"delivery {word}", tmp_path) for word in words]

    assert [(True, True), (True, False), (False, True), (False, False)] == [
        (one["muted"], one["changed"]) for one in said
    ]
    assert 1 == ask(f"delivery unmute {ANN}", tmp_path).returncode
