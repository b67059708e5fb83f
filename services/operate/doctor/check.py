"""The result of one check of `casetrail doctor`."""

from typing import Literal, NamedTuple

DATA, USAGE, INFRASTRUCTURE = 1, 2, 3
"""Exit codes of errors: in the data or the rules, in the settings, and in the infrastructure."""


class Check(NamedTuple):
    """
    The result of one check.

    Attributes:
        name: one word for the thing that was checked.
        state: the result.
        found: the finding.
        advice: the next step; empty if the state is ``ok``.
        code: the exit code of an error.
    """

    name: str
    state: Literal["ok", "warning", "error"]
    found: str
    advice: str = ""
    code: int = INFRASTRUCTURE
