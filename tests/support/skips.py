"""Tests that cannot run, because a database server or a broker is missing."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(requirement: str) -> NoReturn:
    """
    Skip the running test, and repeat *requirement* at the end of the run; in CI, fail.

    Args:
        requirement: the missing program and the way to install it, in one line.
    """
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must test everything: {requirement}", pytrace=False)
    pytest.skip(requirement)
