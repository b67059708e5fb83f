"""delivery: the receivers, and the messages to each of them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from events.errors import BadInput
from projections.queries.deliveries import deliveries_of_alert, deliveries_of_notice, owed_ends, receiver_json
from projections.tables.database import snapshot
from projections.tables.delivery.operation import receiver_counts
from services.delivery.config.check import unserved
from services.delivery.config.loading import DeliveryError, load_delivery
from services.delivery.config.model import DeliveryConfig, KafkaTopic
from services.delivery.config.secrets import Secrets
from services.delivery.message import Message
from services.settings import Settings, load_rules, load_settings
from services.words.messages.operations import word_test
from services.words.terms import safe

from .app import app, database
from .delivery_by_hand import bounced, enable, mute, resend, unmute
from .delivery_feed import feed
from .delivery_file import Name, configured_file, known_receiver
from .delivery_preview import preview
from .delivery_rows import show_deliveries
from .found import find_either
from .layout import Column, show
from .options import JsonOption, LimitOption
from .output import FINDINGS, emit_array, fail, say

delivery_app = typer.Typer(
    epilog="\b\nExample:\n  casetrail delivery list",
    no_args_is_help=True,
    help="Show and steer the messages to people.",
)
app.add_typer(delivery_app, name="delivery")


@delivery_app.command("check", epilog="\b\nExample:\n  casetrail delivery check")
def check(file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="The file.")] = None) -> None:
    """
    Check delivery.yaml.

    A secret or a setting that is missing is a problem. Rules, watchlists and receivers without a route are listed, and
    removed receivers that are owed an end.
    """
    settings = load_settings()
    try:
        config = load_delivery(configured_file(file))
    except DeliveryError as problem:
        fail(str(problem), FINDINGS)
    missing = [*_missing(settings, config)]
    for line in missing:
        say(f"casetrail: {line}")
    for warning in _warnings(settings, config):
        say(f"warning: {warning}")
    if missing:
        raise typer.Exit(FINDINGS)
    say(f"receivers: {len(config.receivers)}, routes: {len(config.routes)}, no problems")


@delivery_app.command("list", epilog="\b\nExample:\n  casetrail delivery list --json")
def list_receivers(as_json: JsonOption = False) -> None:
    """List the receivers and their messages."""
    with snapshot(database(load_settings())) as conn:
        counts = receiver_counts(conn)
    rows = [receiver_json(own, datetime.now(UTC)) for own in counts]
    names = ("receiver", "kind", "state", "queued", "held", "delivered", "given_up", "oldest_seconds", "last_answer")
    _print(rows, names, "no notifier has served a receiver yet", as_json=as_json)


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


@delivery_app.command("test", epilog="\b\nExample:\n  casetrail delivery test desk")
def test(name: Name) -> None:
    """Send one message that is marked as a test, at once."""
    from services.delivery.channels.opening import open_channel  # noqa: PLC0415 - the channels take long to load

    receiver = known_receiver(load_delivery(configured_file()), name)
    channel = open_channel(receiver, load_settings(), Secrets())
    address = getattr(receiver.target, "addresses", ("",))[0]
    text = word_test(name, receiver.language)
    message = Message(name, address, "test", str(uuid4()), 0, datetime.now(UTC), None, (), text)
    attempt = channel.send(message._replace(stored=channel.compose(message)))
    channel.close()
    if attempt.outcome != "delivered":
        fail(f"{attempt.outcome}: {safe(attempt.answer)}", FINDINGS)
    say(f"delivered: {safe(attempt.answer)}")


def _missing(settings: Settings, config: DeliveryConfig) -> Iterator[str]:
    """Yield the secrets and the settings without which `casetrail run` would not start."""
    from services.delivery.channels.opening import open_channel  # noqa: PLC0415 - the channels take long to load

    secrets = Secrets()
    for receiver in config.receivers.values():
        if not isinstance(receiver.target, KafkaTopic):
            try:
                open_channel(receiver, settings, secrets).close()
            except BadInput as problem:
                yield f"receiver {receiver.name}: {problem}"


def _warnings(settings: Settings, config: DeliveryConfig) -> Iterator[str]:
    """Yield the parts of the file that have no effect, the rules that reach nobody, and the receivers owed an end."""
    rules = {rule.id: rule.severity for rule in load_rules(settings).every if not rule.is_trial}
    gaps = unserved(config, rules)
    lists: Mapping[str, Iterable[str]] = {
        "no route sends the rule": gaps.rules,
        "no route names the watchlist": gaps.watchlists,
        "nobody is on the watchlist": gaps.empty_watchlists,
        "no route names the receiver": gaps.receivers,
    }
    yield from (f"{words} {name}" for words, names in lists.items() for name in names)
    for gap in gaps.unknown_rules:
        near = f" (perhaps {gap.nearest})" if gap.nearest else ""
        yield f"route {gap.route} names a rule that is not in force: {safe(gap.rule)}{near}"
    with snapshot(database(settings)) as conn:
        for owed in owed_ends(conn, [*config.receivers]):
            yield f"{owed['receiver']} was removed, and was told of open alerts: {owed['alerts']}"


def _print(rows: Iterable[Any], names: tuple[str, ...], nothing: str, *, as_json: bool) -> None:
    if as_json:
        emit_array(rows)
    elif not show(
        [Column(name) for name in names],
        (["" if row[name] is None else str(row[name]) for name in names] for row in rows),
    ):
        say(nothing)


delivery_app.command("preview", epilog="\b\nExample:\n  casetrail delivery preview --days 30")(preview)
delivery_app.command(
    "resend",
    epilog="\b\nExamples:\n  casetrail delivery resend 87ddf79b\n  casetrail delivery resend --open desk",
)(resend)
delivery_app.command("bounced", epilog="\b\nExample:\n  casetrail delivery bounced 87ddf79b ann@example.org")(bounced)
delivery_app.command("feed", epilog="\b\nExample:\n  casetrail delivery feed desk --out feeds")(feed)
delivery_app.command("enable", epilog="\b\nExample:\n  casetrail delivery enable desk")(enable)
delivery_app.command("mute", epilog="\b\nExample:\n  casetrail delivery mute ann@example.org")(mute)
delivery_app.command("unmute", epilog="\b\nExample:\n  casetrail delivery unmute ann@example.org")(unmute)
