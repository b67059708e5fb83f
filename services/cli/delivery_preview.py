"""delivery preview: the messages that delivery.yaml would have led to in the last days."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any

import typer
from typing_extensions import TypedDict

from events.edtf import format_instant
from projections.correlator.progress import watermarks_of
from projections.queries.previewed import changed_count
from projections.tables.database import snapshot
from services.delivery.config.loading import load_delivery
from services.delivery.config.model import KafkaTopic, Receiver
from services.log.open import topic_of
from services.settings import load_settings

from .app import database
from .bar import bar
from .delivery_file import configured_file
from .layout import Column, show
from .options import JsonOption
from .output import FINDINGS, emit, fail, say

_COUNTS = ("openings", "changes", "ends", "clearings")
_COUNT_OF = {
    "open": "openings",
    "change": "changes",
    "resolved": "ends",
    "retracted": "ends",
    "superseded": "ends",
    "cleared": "clearings",
    "cleared_withdrawn": "clearings",
}


class PreviewedRouteJson(TypedDict):
    """A route, by its place in the file from 1, and the number of notices of openings that it sends."""

    route: int
    to: list[str]
    notices: int


class PreviewedReceiverJson(TypedDict):
    """A receiver and the messages to its addresses, by kind; *digests* is the number of mails that carry others."""

    receiver: str
    kind: str
    openings: int
    changes: int
    ends: int
    clearings: int
    digests: int


class PreviewJson(TypedDict):
    """
    The notices that would have been sent from *since* to *until*, the end of the log as far as it is read.

    *undecided* has the ids of alerts, and of notices of clearings, that are damaged and not counted.
    """

    since: str
    until: str
    notices: int
    routes: list[PreviewedRouteJson]
    receivers: list[PreviewedReceiverJson]
    undecided: list[str]


def preview(
    days: Annotated[int, typer.Option(min=1, max=36500, help="The number of days before the end of the log.")] = 90,
    as_json: JsonOption = False,
) -> None:
    """
    Count the messages that delivery.yaml would have sent.

    Nothing is written or sent. The alerts of the last days are decided on again, by the clock of the log, as if each
    receiver had been there from the beginning and had accepted each message. Reminders, weekly reports and messages
    about trouble are not counted, nor is it known which openings would have come as one summary.
    """
    from services.delivery.by_hand.preview import preview as previewed  # noqa: PLC0415 - it takes long to load

    config, settings = load_delivery(configured_file()), load_settings()
    with snapshot(database(settings)) as conn:
        end = watermarks_of(conn, topic_of(settings)).horizon
        if end is None:
            fail("the log was not read to any instant yet (run `casetrail project`)", FINDINGS)
        start = end - timedelta(days=days)
        with bar("alerts", changed_count(conn, start)) as advance:
            found = previewed(conn, config, start, end, advance)
    counted = [own for own in config.receivers.values() if not isinstance(own.target, KafkaTopic)]
    receivers = [_receiver(own, found.kinds, found.digests[own.name]) for own in counted]
    routes: list[PreviewedRouteJson] = [
        {"route": route.index, "to": [*route.to], "notices": found.routes[route.index]} for route in config.routes
    ]
    value: PreviewJson = {
        "since": format_instant(start),
        "until": format_instant(end),
        "notices": found.notices,
        "routes": routes,
        "receivers": receivers,
        "undecided": found.undecided,
    }
    if as_json:
        emit(value)
    else:
        _print(value, days)
    if found.undecided:
        number, first = len(found.undecided), found.undecided[0]
        fail(f"alerts and clearings that cannot be decided on, and are not counted: {number}, first {first}", FINDINGS)


def _receiver(receiver: Receiver, kinds: Counter[tuple[str, str]], digests: int) -> PreviewedReceiverJson:
    counts: Counter[str] = Counter()
    for kind, name in _COUNT_OF.items():
        counts[name] += kinds[receiver.name, kind]
    return {
        "receiver": receiver.name,
        "kind": receiver.kind,
        "openings": counts["openings"],
        "changes": counts["changes"],
        "ends": counts["ends"],
        "clearings": counts["clearings"],
        "digests": digests,
    }


def _print(value: PreviewJson, days: int) -> None:
    notices = f"{value['notices']} notice{'s' if value['notices'] != 1 else ''}"
    print(f"This would have sent {notices} in the last {days} days, until {value['until']}.\n")
    _table(("receiver", "kind", *_COUNTS, "digests"), value["receivers"])
    print()
    _table(("route", "to", "notices"), ({**route, "to": ", ".join(route["to"])} for route in value["routes"]))
    say("a route counts openings: ends go to those who were told, whatever the routes are; reminders are not counted")


def _table(names: tuple[str, ...], rows: Iterable[Any]) -> None:
    if not show([Column(name) for name in names], ([row[name] for name in names] for row in rows)):
        say(f"there is no {names[0]}")
