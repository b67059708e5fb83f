"""delivery: the receivers, and the messages to each of them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from projections.queries.deliveries import ReceiverJson, deliveries_of_alert, deliveries_of_notice, receiver_json
from projections.tables.database import snapshot
from projections.tables.delivery.operation import receiver_counts
from services.settings import load_settings

from .app import app, database
from .delivery_by_hand import bounced, enable, mute, resend, unmute
from .delivery_check import check, try_receiver
from .delivery_feed import feed
from .delivery_preview import preview
from .delivery_rows import show_deliveries
from .found import find_either
from .layout import Column, show
from .options import JsonOption, LimitOption
from .output import emit_array, say

delivery_app = typer.Typer(
    epilog="\b\nExample:\n  casetrail delivery list",
    no_args_is_help=True,
    help="Show and steer the messages to people.",
)
app.add_typer(delivery_app, name="delivery")
delivery_app.command("check", epilog="\b\nExample:\n  casetrail delivery check")(check)


@delivery_app.command("list", epilog="\b\nExample:\n  casetrail delivery list --json")
def list_receivers(as_json: JsonOption = False) -> None:
    """List the receivers and their messages."""
    with snapshot(database(load_settings())) as conn:
        counts = receiver_counts(conn)
    rows = [receiver_json(own, datetime.now(UTC)) for own in counts]
    if as_json:
        emit_array(rows)
    elif not show([Column(name) for name in ReceiverJson.__annotations__], (_cells(row) for row in rows)):
        say("no notifier has served a receiver yet")


@delivery_app.command(
    "show",
    epilog="\b\nExamples:\n  casetrail delivery show 87ddf79b\n  casetrail delivery show 87ddf79b --json",
)
def show_messages(
    own: Annotated[str, typer.Argument(metavar="NOTICE|ALERT", help="Its id, or at least the first 8 characters.")],
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show the messages about a notice or an alert.

    There is one for each address, with its state, the last answer, and the instant at which it was first sent whole.
    """
    with snapshot(database(load_settings())) as conn:
        alert, notice_id = find_either(conn, own)
        if alert is not None:
            rows = deliveries_of_alert(conn, alert["alert_id"], limit)
        else:
            assert notice_id is not None, "an id is that of an alert or of a notice"
            rows = deliveries_of_notice(conn, notice_id, limit)
        if as_json:
            emit_array(rows)
        elif not show_deliveries(rows, limit) and limit != 0:
            say("nobody was told")


def _cells(row: ReceiverJson) -> Iterable[Any]:
    return ("" if value is None else value for value in row.values())


delivery_app.command("preview", epilog="\b\nExample:\n  casetrail delivery preview --days 30")(preview)
delivery_app.command("test", epilog="\b\nExample:\n  casetrail delivery test desk")(try_receiver)
delivery_app.command(
    "resend",
    epilog="\b\nExamples:\n  casetrail delivery resend 87ddf79b\n  casetrail delivery resend --open desk",
)(resend)
delivery_app.command("bounced", epilog="\b\nExample:\n  casetrail delivery bounced 87ddf79b ann@example.org")(bounced)
delivery_app.command("feed", epilog="\b\nExample:\n  casetrail delivery feed desk --out feeds")(feed)
delivery_app.command("enable", epilog="\b\nExample:\n  casetrail delivery enable desk")(enable)
delivery_app.command("mute", epilog="\b\nExample:\n  casetrail delivery mute ann@example.org")(mute)
delivery_app.command("unmute", epilog="\b\nExample:\n  casetrail delivery unmute ann@example.org")(unmute)
