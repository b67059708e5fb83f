"""Archives of the project, built in the test's folder."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.places import ROOT


def build(source: Path, target: str, into: Path) -> Path:
    """Build *target* (wheel or sdist) of the project in *source*, offline, with the installed build backend."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = into.iterdir()
    return built


def contents(wheel: Path) -> set[str]:
    """Return the names of the files in *wheel*, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def wanted() -> set[str]:
    """Return the names of the files that the wheel must hold, from the checkout."""
    packages = {folder: folder for folder in ("events", "projections", "services")}
    return {
        f"{into}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, into in {**packages, "alembic": "services/migrations"}.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
