"""The ``casetrail`` command."""

from .loading import loading

with loading():
    from .app import main

__all__ = ["main"]
