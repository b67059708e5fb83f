"""Messages to a channel of Slack: one thread for each alert, whose first message shows the latest state."""

from collections.abc import Iterator

import pytest

from events.errors import BadInput
from services.delivery.channels.slack import UPDATE_CHARACTERS, SlackChannel, words
from services.delivery.config.model import Slack
from services.delivery.message import Text
from tests.support.messages import RESOLVED, SOURCE, TEXT, TITLE, message, resolved
from tests.support.slack import CHANNEL, TOKEN, Fault, Workspace, slack_at, slack_channel

POST = "chat.postMessage"
UPDATE = "chat.update"


@pytest.fixture
def workspace() -> Workspace:
    """Return a workspace with an empty channel."""
    return Workspace()


@pytest.fixture
def api(workspace: Workspace) -> Iterator[str]:
    """Run the API of the workspace."""
    with slack_at(workspace) as url:
        yield url


def told(api: str) -> str:
    """Post the opening; return its timestamp."""
    attempt = slack_channel(api).send(message())
    assert attempt.outcome == "delivered"
    assert attempt.reference is not None
    return attempt.reference


def test_an_opening_is_posted(workspace: Workspace, api: str) -> None:
    """The message has all words, its source as a link, no preview of it, and the ids for programs."""
    first = told(api)

    assert {
        first: {
            "channel": CHANNEL,
            "text": f"{TITLE}\n\nReported by News: <{SOURCE.replace('&', '&amp;')}>\n\nShe is presumed innocent.",
            "parse": "none",
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {
                "event_type": "casetrail_notice",
                "event_payload": {"notice_id": "notice-1", "sequence": 1, "kind": "open"},
            },
        }
    } == workspace.messages


def test_an_end_edits_the_first_message_and_replies_in_its_thread(workspace: Workspace, api: str) -> None:
    """A reader of the channel sees the latest state, and a follower of the thread gets a message."""
    first = told(api)
    attempt = slack_channel(api).send(resolved(first))

    (opening, reply) = workspace.messages.items()
    end = RESOLVED.plain
    assert (first, end) == (opening[0], opening[1]["text"])
    assert (attempt.reference, end, first) == (reply[0], reply[1]["text"], reply[1]["thread_ts"])
    assert ("delivered", True) == (attempt.outcome, attempt.sent_whole)


def test_a_message_without_a_latest_state_only_replies(workspace: Workspace, api: str) -> None:
    """The first message stays as it is; the base URL may end without a slash."""
    first = told(api)
    slack_channel(api.rstrip("/")).send(resolved(first)._replace(latest=None))

    assert [(POST, None), (POST, first)] == [(method, call.get("thread_ts")) for method, call in workspace.calls]


def test_a_try_after_a_failed_reply_edits_again(workspace: Workspace, api: str) -> None:
    """The edit is the same on each try, so it does no harm."""
    first = told(api)
    workspace.faults[POST] = [Fault(503)]
    outcomes = [slack_channel(api).send(resolved(first)).outcome for _ in range(2)]

    assert ["failed", "delivered"] == outcomes
    assert [POST, UPDATE, UPDATE, POST] == [method for method, _ in workspace.calls]
    assert 2 == len(workspace.messages)


def test_a_failed_edit_sends_no_reply(workspace: Workspace, api: str) -> None:
    """The reply comes with the next try: the first message must not go on saying the old state."""
    first = told(api)
    workspace.faults[UPDATE] = [Fault(0)]
    attempt = slack_channel(api).send(resolved(first))

    assert ("failed", False) == (attempt.outcome, attempt.sent_whole)
    assert [POST] == [method for method, _ in workspace.calls]


@pytest.mark.parametrize("error", ["cant_update_message", "edit_window_closed"])
def test_the_end_is_told_even_if_the_first_message_cannot_be_edited(workspace: Workspace, api: str, error: str) -> None:
    """Some workspaces forbid edits after a time."""
    first = told(api)
    workspace.error(UPDATE, error)
    attempt = slack_channel(api).send(resolved(first))

    assert "delivered" == attempt.outcome
    assert [None, first] == [post.get("thread_ts") for post in workspace.messages.values()]


def test_the_end_of_a_deleted_message_is_posted_alone(workspace: Workspace, api: str) -> None:
    """Somebody deleted the first message, and its readers are told all the same."""
    first = told(api)
    workspace.messages.clear()
    attempt = slack_channel(api).send(resolved(first))

    assert "delivered" == attempt.outcome
    assert [None] == [post.get("thread_ts") for post in workspace.messages.values()]


def test_a_pause_that_slack_asks_for_is_reported(workspace: Workspace, api: str) -> None:
    """HTTP 429 has a header with the seconds."""
    workspace.faults[POST] = [Fault(429, b'{"ok":false,"error":"ratelimited"}', (("Retry-After", "30"),))]
    attempt = slack_channel(api).send(message())

    assert ("failed", False, 30.0) == (attempt.outcome, attempt.sent_whole, attempt.retry_after_seconds)
    assert f"{POST}: ratelimited" == attempt.answer


@pytest.mark.parametrize(
    ("error", "outcome", "sent_whole"),
    [
        *((name, "failed", False) for name in ("invalid_auth", "token_revoked", "channel_not_found", "is_archived")),
        *((name, "failed", False) for name in ("not_in_channel", "missing_scope", "an_error_of_next_year")),
        *((name, "rejected", False) for name in ("msg_too_long", "no_text", "metadata_too_large")),
        *((name, "failed", True) for name in ("fatal_error", "internal_error")),
    ],
)
def test_an_error_of_one_message_holds_up_no_other(
    workspace: Workspace, api: str, error: str, outcome: str, *, sent_whole: bool
) -> None:
    """An error of the token or of the channel stops all messages, and nothing is given up for it."""
    workspace.error(POST, error)
    attempt = slack_channel(api).send(message())

    assert (outcome, sent_whole, f"{POST}: {error}") == (attempt.outcome, attempt.sent_whole, attempt.answer)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(0, is_done=True),
        Fault(500, b"oops", is_done=True),
        Fault(200, b"<html>", is_done=True),
        Fault(200, b"[1]", is_done=True),
        Fault(302, b"moved", (("Location", "http://127.0.0.1:1/"),), is_done=True),
        Fault(200, seconds=5, is_done=True),
    ],
)
def test_a_post_without_an_answer_counts_as_told(workspace: Workspace, api: str, fault: Fault) -> None:
    """It may stand in the channel, so its end belongs there too."""
    workspace.faults[POST] = [fault]
    attempt = slack_channel(api, seconds=0.3).send(message())

    assert ("failed", True) == (attempt.outcome, attempt.sent_whole)
    assert 1 == len(workspace.messages)


def test_slack_gets_the_message_after_it_was_down(workspace: Workspace) -> None:
    """A try without a server fails, and the next one succeeds."""
    with slack_at(workspace) as api:
        way = slack_channel(api)
    port = int(api.split(":")[2].split("/")[0])
    attempts = [way.send(message())]
    with slack_at(workspace, port):
        attempts.append(way.send(message()))

    assert [("failed", False), ("delivered", True)] == [(a.outcome, a.sent_whole) for a in attempts]


def test_an_address_that_is_not_allowed_is_refused(workspace: Workspace, api: str) -> None:
    """The check of addresses holds for the API too."""
    attempt = SlackChannel(Slack(CHANNEL, "SLACK", api), TOKEN).send(message())

    assert ("refused", False) == (attempt.outcome, attempt.sent_whole)
    assert [] == workspace.calls


def test_a_wrong_token_is_in_no_answer(api: str) -> None:
    """The answer names Slack's error alone."""
    assert f"{POST}: invalid_auth" == slack_channel(api, "xoxb-wrong").send(message()).answer


@pytest.mark.parametrize("token", ["xoxb-\r\nX: y", "xoxb-токен"])
def test_a_token_that_none_can_be_is_refused(token: str) -> None:
    """It could add a header to the request; the error does not quote it."""
    with pytest.raises(BadInput, match="CASETRAIL_SECRET_SLACK: this has characters") as error:
        slack_channel("http://127.0.0.1:1/", token=token)

    assert token not in str(error.value)


def test_a_hostile_name_stays_a_name() -> None:
    """It calls nobody, links nothing and turns no other text around."""
    text = Text("\u2068<!channel>\u202e\n&amp;\u2069: dismissed", ("<https://evil.example|click>",), "en", ("x>|y",))

    assert "\u2068&lt;!channel&gt; &amp;amp;\u2069: dismissed\n\n&lt;https://evil.example|click&gt;" == words(
        text, 1000
    )


def test_a_long_text_keeps_its_title_and_its_presumption() -> None:
    """An edit takes 4,000 characters; the evidence gives way."""
    text = TEXT._replace(body=("e" * 3000, "f" * 1500, *TEXT.body))

    assert ["title", "…", "f", "R", "S"] == [
        "title" if part == TITLE else part[0] for part in words(text, UPDATE_CHARACTERS).split("\n\n")
    ]
    assert TITLE == words(Text(TITLE, (), "en"), 10)
