"""The few kinds of error that casetrail raises, under one parent: the place, the finding and the wanted value."""

from typing import Self


class CasetrailError(Exception):
    """
    Parent of every error that casetrail raises on purpose.

    Args:
        what: the finding, in words that quote it.
        wanted: the value that would have been right, or the next step; may be empty.
        where: the place, such as ``facts.ndjson:12``, ``data.occurred`` or ``partition 3``; may be empty.
    """

    def __init__(self, what: str, wanted: str = "", where: str = "") -> None:
        super().__init__(what, wanted, where)
        self.what = what
        self.wanted = wanted
        self.where = where

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}{self._in_brackets()}"

    def _in_brackets(self) -> str:
        return f" ({self.wanted})" if self.wanted else ""


class BadInput(CasetrailError):
    """
    A value from outside is not as it should be.

    Here ``wanted`` is the value that would have been right, with an example where that helps.
    """

    def _in_brackets(self) -> str:
        return f" (want {self.wanted})" if self.wanted else ""

    def at(self, where: str) -> Self:
        """Return the same error at the place *where*; the inner place, if any, stays in the words."""
        what = f"{self.where}: {self.what}" if self.where else self.what
        return type(self)(what, self.wanted, where)


class BadDate(BadInput):
    """A date that is not EDTF, or not in one of the forms that casetrail accepts."""


class Unreadable(BadInput):
    """
    A record that is not a fact, or not one that this release can read; the projector parks it.

    ``code`` is stable and gives the reason in one word: ``not_json``, ``not_utf8``, ``too_large``, ``too_deep``,
    ``nul``, ``surrogate``, ``unknown_type``, ``unknown_version``, ``invalid``.
    """

    def __init__(self, what: str, wanted: str, where: str = "", code: str = "invalid") -> None:
        super().__init__(what, wanted, where)
        self.code = code

    def at(self, where: str) -> "Unreadable":
        """Return the same error at the place *where*."""
        what = f"{self.where}: {self.what}" if self.where else self.what
        return Unreadable(what, self.wanted, where, self.code)


class Infrastructure(CasetrailError):
    """
    The database, the log or the machine failed; the data is not at fault.

    Here ``wanted`` is the next step, such as ``run `casetrail init```.
    """


class Unreachable(CasetrailError):
    """The log does not answer now; it may answer in a moment. ``wanted`` is the next step."""
