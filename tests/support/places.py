"""Folders of the checkout that tests read, and tests of each file."""

from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(__file__).parent / "cases"
GOLDEN = Path(__file__).parent / "golden"


def each_path(paths: Iterable[Path]) -> pytest.MarkDecorator:
    """Parametrise a test by *paths*, with ids relative to the project."""
    return pytest.mark.parametrize("path", [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths])
