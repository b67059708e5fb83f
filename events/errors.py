"""The few kinds of error casetrail raises, under one parent."""


class CasetrailError(Exception):
    """Parent of every error that casetrail raises on purpose."""


class BadInput(CasetrailError):
    """
    Something from outside is not what was wanted.

    Args:
        what: what was found, in words that quote it.
        wanted: what would have been right, with an example where that helps.
        where: the place, such as ``facts.ndjson:12`` or ``data.occurred``; may be empty.
    """

    def __init__(self, what: str, wanted: str, where: str = "") -> None:
        super().__init__(what, wanted, where)
        self.what = what
        self.wanted = wanted
        self.where = where

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        wanted = f" (want {self.wanted})" if self.wanted else ""
        return f"{place}{self.what}{wanted}"

    def at(self, where: str) -> "BadInput":
        """Return the same error, said of *where*; the inner place, if any, stays in the words."""
        what = f"{self.where}: {self.what}" if self.where else self.what
        return type(self)(what, self.wanted, where)


class BadDate(BadInput):
    """A date that is not EDTF, or not one of the forms casetrail takes."""


class Unreadable(BadInput):
    """
    A record that is not a fact this release can read; the projector parks it.

    ``code`` is stable and says why in one word: ``not_json``, ``not_utf8``, ``too_large``, ``too_deep``,
    ``nul``, ``surrogate``, ``unknown_type``, ``unknown_version``, ``invalid``.
    """

    def __init__(self, what: str, wanted: str, where: str = "", code: str = "invalid") -> None:
        super().__init__(what, wanted, where)
        self.code = code

    def at(self, where: str) -> "Unreadable":
        """Return the same error, said of *where*."""
        what = f"{self.where}: {self.what}" if self.where else self.what
        return Unreadable(what, self.wanted, where, self.code)


class Infrastructure(CasetrailError):
    """The database, the log or the machine did not do its part; the data is not at fault."""


class Unreachable(CasetrailError):
    """The log does not answer now; it may in a moment."""
