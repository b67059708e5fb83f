"""One thing that `casetrail doctor` looked at."""

from typing import Literal, NamedTuple

DATA, USAGE, INFRASTRUCTURE = 1, 2, 3
"""Exit codes of errors: in the data or the rules, in the settings, in the machine around them."""


class Check(NamedTuple):
    """
    One thing that was looked at.

    Attributes:
        name: one word for it.
        state: how it is.
        found: what was found.
        advice: what to do about it; empty where it is well.
        code: the exit code that an error of it means.
    """

    name: str
    state: Literal["ok", "warning", "error"]
    found: str
    advice: str = ""
    code: int = INFRASTRUCTURE


class Extent(NamedTuple):
    """What a partition of the log holds: the offsets of its first record, and after its last."""

    start: int
    end: int
