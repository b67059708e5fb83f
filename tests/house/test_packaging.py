"""The wheel holds every file of the checkout that the program needs, and no other."""

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.places import ROOT
from tests.support.wheels import build, contents, wanted

VERBATIM = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""The SHA-256 of the text that the Apache Software Foundation publishes (LICENSE-2.0.txt)."""

MIGRATE = """
import sys
from sqlalchemy import inspect
import services.database
from projections.tables.database import open_database
engine = open_database(sys.argv[1])
services.database.migrate(engine)
print(services.database.__file__)
print(len(inspect(engine).get_table_names()))
"""

pytestmark = pytest.mark.slow


def unpack(sdist: Path, into: Path) -> None:
    """
    Unpack *sdist* file by file.

    Debian's Python 3.11.2 has no filter for extraction yet, and later versions warn without one.
    """
    with tarfile.open(sdist) as archive:
        for member in archive:
            data = archive.extractfile(member)
            if data is not None:
                (into / member.name).parent.mkdir(parents=True, exist_ok=True)
                (into / member.name).write_bytes(data.read())


def test_the_wheel_carries_the_code_the_rules_and_the_migrations(tmp_path: Path) -> None:
    """The wheel has all files of the program, no tests, and no folder named alembic."""
    built = contents(build(ROOT, "wheel", tmp_path))

    assert built == wanted()
    assert {"services/migrations/env.py", "services/migrations/script.py.mako"} <= built
    assert any(name.startswith("projections/rules/pack/") and name.endswith(".yaml") for name in built)


def test_the_wheel_carries_the_licence(tmp_path: Path) -> None:
    """The wheel holds the verbatim text, and its name in the metadata."""
    with zipfile.ZipFile(build(ROOT, "wheel", tmp_path)) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        fields = archive.read(metadata).decode().partition("\n\n")[0].splitlines()
        licence = archive.read(metadata.replace("METADATA", "licenses/LICENSE"))

    assert {"License-Expression: Apache-2.0", "License-File: LICENSE"} <= set(fields)
    assert (ROOT / "LICENSE").read_bytes() == licence
    assert VERBATIM == hashlib.sha256(licence).hexdigest()


def test_a_wheel_from_the_source_archive_is_the_same(tmp_path: Path) -> None:
    """A build from the source archive has the same files."""
    for folder in ("sdist", "source", "wheel"):
        (tmp_path / folder).mkdir()
    unpack(build(ROOT, "sdist", tmp_path / "sdist"), tmp_path / "source")
    (source,) = (tmp_path / "source").iterdir()

    assert contents(build(source, "wheel", tmp_path / "wheel")) == wanted()


def test_the_installed_program_finds_its_migrations(tmp_path: Path, sqlite_url: str) -> None:
    """The installed program creates a database from the wheel alone, without a checkout."""
    (tmp_path / "wheel").mkdir()
    with zipfile.ZipFile(build(ROOT, "wheel", tmp_path / "wheel")) as archive:
        archive.extractall(tmp_path / "installed")  # noqa: S202 - the archive was built by this test

    process = subprocess.run(
        [sys.executable, "-c", MIGRATE, sqlite_url],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.stderr == ""
    place, tables = process.stdout.splitlines()
    assert Path(place).is_relative_to(tmp_path)
    assert int(tables) > 1
