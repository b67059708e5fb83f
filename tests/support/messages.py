"""Messages of alerts, as the channels get them."""

from datetime import UTC, datetime
from typing import Any

from services.delivery.message import Earlier, Message, Text

TITLE = "Ann Example: dismissed on 2022-03-27, and no follow-up since"
SOURCE = "https://news.example/1?a=1&b=2"
TEXT = Text(TITLE, (f"Reported by News: {SOURCE}", "She is presumed innocent."), "en", (SOURCE,))
RESOLVED = Text("Resolved: Ann Example was detained", ("This alert has ended.",), "en")
AT = datetime(2022, 8, 3, 12, 30, tzinfo=UTC)


def message(**fields: Any) -> Message:
    """Return the opening of an alert, for one mail address, with *fields* in place of its own."""
    opening = Message(
        receiver="desk",
        address="desk@example.org",
        kind="open",
        notice_id="notice-1",
        sequence=1,
        at=AT,
        alert={"alert_id": "0190aaaa-bbbb-cccc-dddd-eeeeffff0001"},
        subject_ids=("ann",),
        text=TEXT,
    )
    return opening._replace(**fields)


def resolved(reference: str | None = None, message_id: str | None = None, **fields: Any) -> Message:
    """Return the end of the alert, for an address that was told of its opening."""
    earlier = Earlier("notice-1", reference, message_id)
    end = {"kind": "resolved", "notice_id": "notice-2", "sequence": 2, "text": RESOLVED, "latest": RESOLVED}
    return message(**end, earlier=earlier, **fields)
