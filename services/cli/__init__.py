"""The ``casetrail`` command."""

import gc

# What is loaded stays: to look through it for cycles, over and over while it grows, takes a tenth of the time to begin.
gc.disable()
from .app import main  # noqa: E402

gc.enable()

__all__ = ["main"]
