"""People with alerts of each kind, and the acknowledgement of one of them by the command."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.builders import described, detained, dismissed, investigated
from tests.support.reading import answer, ask

if TYPE_CHECKING:
    from subprocess import CompletedProcess

SILENT = dismissed("2022-03-27", subject="silent")
LATE = investigated("2022-04-20", subject="late", recorded="2022-09-01T00:00:00Z")
ARRESTED = (dismissed("2022-05-01", subject="arrested"), detained("2022-06-01", subject="arrested", case="c"))
EVERYBODY = (
    described("2022-01-01", subject="silent", name="Sam", agency="Полиция"),
    SILENT,
    dismissed("2022-03-27", subject="late"),
    *ARRESTED,
    LATE,
)


def alert_of(folder: Path, subject: str) -> dict[str, Any]:
    """The one alert about *subject*."""
    (alert,) = answer(f"alerts --all --subject {subject}", folder)
    assert isinstance(alert, dict)
    return alert


def acknowledge(folder: Path, subject: str = "silent") -> "CompletedProcess[str]":
    """Acknowledge the alert about *subject*."""
    words = ["alerts", "ack", alert_of(folder, subject)["alert_id"], "--by", "ann", "--note", "asked the ministry"]
    return ask(words, folder)
