"""delivery resend, bounced, enable, mute, unmute: messages sent again, bounces, receivers and addresses."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import Engine
from typing_extensions import TypedDict

from events.errors import BadInput
from projections.tables.database import snapshot, write_transaction
from projections.tables.delivery import by_hand
from projections.tables.delivery.again import past_messages
from services.delivery.config.loading import load_delivery
from services.delivery.config.model import DeliveryConfig
from services.settings import load_settings
from services.values import mail_address
from services.words.terms import safe

from .app import database
from .delivery_file import Name, configured_file, known_receiver
from .found import find_notice
from .options import JsonOption
from .output import FINDINGS, emit, fail, say

if TYPE_CHECKING:
    from services.delivery.by_hand.sending_again import Again

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="A mail address.")]
NoticeId = Annotated[str, typer.Argument(metavar="NOTICE", help="Its id, or at least the first 8 characters.")]


class TargetJson(TypedDict):
    """A receiver, and one of its addresses; empty: it has one address, or all are meant."""

    receiver: str
    address: str


class RefusedJson(TargetJson):
    """A receiver and an address to which a notice is not sent again, and the reason."""

    why: str


class ResentJson(TypedDict):
    """The messages that `delivery resend` queued and refused; *notice_id* is null with `--open`."""

    notice_id: str | None
    queued: list[TargetJson]
    refused: list[RefusedJson]


class BouncedJson(TypedDict):
    """The bounce of a mail. *recorded* is false if it was recorded before; *dropped* messages are not sent now."""

    notice_id: str
    address: str
    recorded: bool
    dropped: int


class EnabledJson(TypedDict):
    """A receiver that is enabled, and its state before: ok, failing, disabled or refused."""

    receiver: str
    before: str


class MutedJson(TypedDict):
    """An address, whether it is muted now, and whether the command changed that."""

    address: str
    muted: bool
    changed: bool


def resend(
    own: Annotated[
        str, typer.Argument(metavar="NOTICE|RECEIVER", help="The id of a notice, or with --open a receiver.")
    ],
    is_open: Annotated[
        bool, typer.Option("--open", help="Send the receiver the open alerts of which it was not told.")
    ] = False,
    receiver: Annotated[
        str | None, typer.Option(metavar="RECEIVER", help="Only this one, even if it has the notice already.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Send a notice again, or the alerts that are open.

    A notice goes again to each address for which it was given up, under the same id. Nobody is told of an opening after
    the end. With --open, routes, silences and muted addresses count as for an alert that opens now. The running
    notifier sends the messages.
    """
    if is_open and receiver is not None:
        raise BadInput("--open does not go with --receiver", "`casetrail delivery resend --open RECEIVER`")
    config = load_delivery(configured_file())
    engine = database(load_settings())
    sent = _resend_open(engine, config, own) if is_open else _resend_notice(engine, config, own, receiver)
    if as_json:
        emit(sent)
    for one in sent["refused"]:
        say(f"casetrail: {safe(_words(one))}: {safe(one['why'])}")
    if not is_open and not sent["queued"]:
        raise typer.Exit(FINDINGS)
    number = len(sent["queued"])
    say(f"{number} message{'s' if number != 1 else ''} will be sent{f' to {own}' if is_open else ' again'}")
    if sent["refused"]:
        raise typer.Exit(FINDINGS)


def bounced(notice: NoticeId, address: Address, as_json: JsonOption = False) -> None:
    """
    Record that a mail bounced: its address was not told.

    The message counts as given up. An address that was told of nothing else about the alert is told of no end.
    """
    from services.delivery.by_hand.bouncing import bounce  # noqa: PLC0415 - it takes long to load

    engine = database(load_settings())
    with snapshot(engine) as conn:
        notice_id = find_notice(conn, notice)
    result = bounce(engine, notice_id, address, datetime.now(UTC))
    if result.outcome == "not sent":
        others = f"sent to {', '.join(map(safe, result.addresses))}" if result.addresses else "no mail was sent"
        advice = f"`casetrail delivery show {notice_id}`"
        fail(f"the notice {notice_id} was not sent to {safe(address)} ({others}; see {advice})", FINDINGS)
    is_new = result.outcome == "recorded"
    if as_json:
        emit(BouncedJson(notice_id=notice_id, address=address, recorded=is_new, dropped=result.dropped))
    also = f"; messages that are not sent now: {result.dropped}" if result.dropped else ""
    say(f"{safe(address)} did not get the notice {notice_id}{also}" if is_new else "this bounce was recorded before")


def enable(name: Name, as_json: JsonOption = False) -> None:
    """Try the messages to a receiver again at once."""
    from projections.tables.delivery.tries import receiver_state  # noqa: PLC0415 - beside the lock that it needs

    with by_hand.locked(database(load_settings()), name) as conn:
        if conn is None:
            fail(f"no notifier has served {safe(name)} (`casetrail delivery list` lists the receivers)", FINDINGS)
        before = receiver_state(conn, name).state
        by_hand.enable(conn, name, datetime.now(UTC))
    if as_json:
        emit(EnabledJson(receiver=name, before=before))
    say(f"{name} is enabled")


def mute(address: Address, as_json: JsonOption = False) -> None:
    """Send an address no more openings. It still gets the end of each alert that it knows."""
    try:
        mail_address(address)
    except BadInput as problem:
        raise BadInput(problem.what, problem.wanted, "ADDRESS") from None
    with write_transaction(database(load_settings())) as conn:
        changed = by_hand.mute(conn, address, datetime.now(UTC))
    if as_json:
        emit(MutedJson(address=address, muted=True, changed=changed))
    say(f"{safe(address)} is muted{'' if changed else ' already'}")


def unmute(address: Address, as_json: JsonOption = False) -> None:
    """Send an address openings again."""
    with write_transaction(database(load_settings())) as conn:
        changed = by_hand.unmute(conn, address)
    if as_json:
        emit(MutedJson(address=address, muted=False, changed=changed))
    if not changed:
        fail(f"{safe(address)} is not muted", FINDINGS)
    say(f"{safe(address)} is not muted any more")


def _resend_open(engine: Engine, config: DeliveryConfig, name: str) -> ResentJson:
    from services.delivery.by_hand.open_alerts import resend_open  # noqa: PLC0415 - it takes long to load

    again = resend_open(engine, config, known_receiver(config, name), datetime.now(UTC))
    if again is None:
        fail(f"no notifier has served {safe(name)} (start `casetrail run`)", FINDINGS)
    return _resent(None, again)


def _resend_notice(engine: Engine, config: DeliveryConfig, start: str, receiver: str | None) -> ResentJson:
    from services.delivery.by_hand.sending_again import resend_notice  # noqa: PLC0415 - it takes long to load

    if receiver is not None:
        known_receiver(config, receiver, "--receiver")
    with snapshot(engine) as conn:
        notice_id = find_notice(conn, start)
        rows = past_messages(conn, notice_id)
    if not rows:
        fail(f"the notice {notice_id} was planned for nobody (a route that fits sends later ones)", FINDINGS)
    names = sorted({row.receiver for row in rows})
    if receiver is not None and receiver not in names:
        fail(f"the notice {notice_id} was not planned for {safe(receiver)} (but for {', '.join(names)})", FINDINGS)
    if receiver is None and not any(row.state == "given_up" for row in rows):
        advice = f"--receiver sends it to one of {', '.join(names)} all the same"
        fail(f"the notice {notice_id} was given up for nobody ({advice})", FINDINGS)
    again = resend_notice(engine, config, notice_id, receiver, datetime.now(UTC))
    return _resent(notice_id, again)


def _resent(notice_id: str | None, again: "Again") -> ResentJson:
    queued = [TargetJson(receiver=name, address=address) for name, address in again.queued]
    refused = [RefusedJson(receiver=one.receiver, address=one.address, why=one.why) for one in again.refused]
    return ResentJson(notice_id=notice_id, queued=queued, refused=refused)


def _words(target: TargetJson) -> str:
    return f"{target['receiver']} {target['address']}".strip()
