"""Secrets by their names, never shown, and the settings of delivery."""

import traceback
from pathlib import Path

import pytest

from events.errors import BadInput
from services.delivery.config.secrets import Secrets
from services.operate.doctor.doctor import examine
from services.settings import delivery_file, load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder, which has no `.env`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_secret_is_the_value_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks stand between several values while it is rotated."""
    monkeypatch.setenv("CASETRAIL_SECRET_DESK_HOOK", "new-hunter2  old-hunter2\n")
    monkeypatch.setenv("CASETRAIL_SECRET_ONE", "hunter2")

    assert ("new-hunter2", "old-hunter2") == Secrets().values("DESK_HOOK")
    assert ("hunter2",) == Secrets().values("ONE")


def test_a_secret_can_be_in_a_file_or_in_the_file_of_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is above `.env`, as for other settings."""
    (folder / "secret.txt").write_text("new\nold\n", "utf-8")
    (folder / ".env").write_text("CASETRAIL_SECRET_A_FILE=secret.txt\nCASETRAIL_SECRET_B=b\nCASETRAIL_SECRET_C=c\n")
    monkeypatch.setenv("CASETRAIL_SECRET_C", "environment")
    secrets = Secrets()

    assert (("new", "old"), ("b",), ("environment",)) == tuple(map(secrets.values, "ABC"))


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({}, "A: not set (want the secret, or CASETRAIL_SECRET_A_FILE with the path of a file that holds it)"),
        ({"A": ""}, "A: not set (want the secret, or CASETRAIL_SECRET_A_FILE with the path of a file that holds it)"),
        ({"A": " \n"}, "A: only blanks are here (want the secret)"),
        ({"A": "hunter2", "A_FILE": "hunter2.txt"}, "A: CASETRAIL_SECRET_A_FILE is set too (want one of the two)"),
        ({"A_FILE": "hunter2"}, "A_FILE: the file is not readable: No such file or directory (want PATH)"),
        ({"A_FILE": "."}, "A_FILE: the file is not readable: Is a directory (want PATH)"),
        ({"A_FILE": "hunter2\0"}, "A_FILE: this is not a path (want PATH)"),
        ({"A_FILE": "bytes"}, "A_FILE: the file is not UTF-8 (want PATH)"),
        ({"A_FILE": "large"}, "A_FILE: the file is over 64 kB (want PATH)"),
        ({"A_FILE": "empty"}, "A_FILE: only blanks are here (want the secret)"),
    ],
)
def test_a_secret_that_is_missing_is_told_by_its_variable(variables: dict[str, str], problem: str) -> None:
    """The error names the variable. Neither it, nor its cause, nor a repr has a part of the value or of the path."""
    Path("bytes").write_bytes(b"hunter2\xff")
    Path("large").write_text("hunter2 " * 10_000, "utf-8")
    Path("empty").write_text("\n", "utf-8")
    secrets = Secrets({f"casetrail_secret_{name}": value for name, value in variables.items()})

    with pytest.raises(BadInput) as refused:
        secrets.values("A")
    assert f"CASETRAIL_SECRET_{problem.replace('PATH', 'the path of a file with the secret')}" == str(refused.value)
    assert (None, None) == (refused.value.__cause__, refused.value.__context__)
    assert "hunter2" not in f"{secrets!r} {secrets} {refused.value!r} {traceback.format_exception(refused.value)}"


def test_the_doctor_knows_variables_of_secrets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are no mistyped settings, and no value is shown."""
    (folder / ".env").write_text("CASETRAIL_SECRET_B_FILE=hunter2\n")
    monkeypatch.setenv("CASETRAIL_SECRET_DESK_HOOK", "hunter2")
    checks = {check.name: check for check in examine()}

    assert "ok" == checks["settings"].state
    assert not any("hunter2" in str(check) for check in checks.values())


def test_the_delivery_file_is_that_of_the_folder_or_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default counts only if it exists. A file that is named counts always, so that a wrong path is an error."""
    assert delivery_file(load_settings()) is None

    (folder / "delivery.yaml").touch()
    assert Path("delivery.yaml") == delivery_file(load_settings())

    monkeypatch.setenv("CASETRAIL_DELIVERY", "other.yaml")
    assert Path("other.yaml") == delivery_file(load_settings())


def test_the_settings_of_mail_and_the_zone_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Good values are taken as they are; the zone is UTC if none is set."""
    assert (None, None, "UTC") == (load_settings().smtp, load_settings().mail_from, load_settings().zone)

    monkeypatch.setenv("CASETRAIL_SMTP", "smtp://mail.example:587")
    monkeypatch.setenv("CASETRAIL_MAIL_FROM", "desk@example.org")
    monkeypatch.setenv("CASETRAIL_ZONE", "Asia/Almaty")
    settings = load_settings()
    assert ("smtp://mail.example:587", "desk@example.org", "Asia/Almaty") == (
        settings.smtp,
        settings.mail_from,
        settings.zone,
    )


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("SMTP", "smtp://desk:hunter2@mail.example", "a login is in this URL (want smtp://HOST:PORT or "),
        ("SMTP", "https://mail.example", "the scheme of this URL is not smtp or smtps (want smtp://HOST:PORT or "),
        ("SMTP", "smtp://mail.example/hunter2", "something stands behind the host of this URL (want smtp://HOST:PORT "),
        ("SMTP", "", "nothing is here (want smtp://HOST:PORT or "),
        ("MAIL_FROM", "Desk <desk@example.org>", '"Desk <desk@example.org>" is not a mail address (want one address '),
        (
            "MAIL_FROM",
            "desk@example.org\r\nBcc",
            '"desk@example.org\\r\\nBcc" is not a mail address (want one address ',
        ),
        ("ZONE", "Asia/Almatty", '"Asia/Almatty" is not a time zone (want Asia/Almaty)'),
        ("ZONE", "../zone", '"../zone" is not a time zone (want the name of a zone of the IANA, '),
    ],
)
def test_a_wrong_setting_of_delivery_is_told(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    """The error names the variable and the wanted value, and no URL."""
    monkeypatch.setenv(f"CASETRAIL_{variable}", value)

    with pytest.raises(BadInput) as refused:
        load_settings()
    assert str(refused.value).startswith(f"CASETRAIL_{variable}: {problem}")
    assert "hunter2" not in str(refused.value)
