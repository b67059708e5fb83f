"""The one alert or notice with an id that begins with a given text."""

from typing import NamedTuple

from sqlalchemy import Connection

from events.errors import BadInput
from projections.alerts.shapes import AlertJson
from projections.queries.alerts import alerts_like
from projections.queries.deliveries import notices_like
from services.words.terms import safe

from .output import FINDINGS, fail

SHORTEST_PREFIX = 8


class Found(NamedTuple):
    """An alert, or a notice without it; exactly one of them is not None."""

    alert: AlertJson | None
    notice_id: str | None


def find_alert(conn: Connection, start: str) -> AlertJson:
    """Return the one alert with an id that begins with *start*. If there is not exactly one, end with exit code 1."""
    _check_length(start)
    matches = alerts_like(conn, start.lower())
    if not matches:
        fail(f"no alert {safe(start)} is known (`casetrail alerts --all` lists all alerts)", FINDINGS)
    if len(matches) > 1:
        fail(f"more than one alert begins with {safe(start)} (type more of its id)", FINDINGS)
    return matches[0]


def find_notice(conn: Connection, start: str) -> str:
    """Return the one id of a notice that begins with *start*. If there is not exactly one, end with exit code 1."""
    _check_length(start)
    notices = notices_like(conn, start.lower())
    if not notices:
        fail(
            f"no notice {safe(start)} is known (`casetrail delivery show ALERT` lists the notices of an alert)",
            FINDINGS,
        )
    if len(notices) > 1:
        fail(f"more than one notice begins with {safe(start)} (type more of its id)", FINDINGS)
    return notices[0]


def find_either(conn: Connection, start: str) -> Found:
    """Return the one alert or notice with an id that begins so. If there is not exactly one, end with exit code 1."""
    _check_length(start)
    alerts, notices = alerts_like(conn, start.lower()), notices_like(conn, start.lower())
    if not alerts and not notices:
        what = f"{safe(start)} is neither an alert nor a notice"
        fail(f"{what} (want the id of one; `casetrail alerts --all` lists all alerts)", FINDINGS)
    if len(alerts) + len(notices) > 1:
        fail(f"more than one alert or notice begins with {safe(start)} (type more of its id)", FINDINGS)
    return Found(alerts[0], None) if alerts else Found(None, notices[0])


def _check_length(start: str) -> None:
    if len(start) < SHORTEST_PREFIX:
        raise BadInput(f'"{safe(start)}" is too short', f"the id, or at least its first {SHORTEST_PREFIX} characters")
