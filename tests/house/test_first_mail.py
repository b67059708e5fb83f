"""The tutorial of docs/first-mail.md: each of its commands works, and each of its mails arrives at its mailbox."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, time
from email.message import EmailMessage
from pathlib import Path
from smtplib import SMTP
from typing import Any

import pytest
from sqlalchemy import update

from projections.tables.database import open_database, write_transaction
from projections.tables.delivery.schema import deliveries, receivers
from services.delivery.config.loading import load_delivery
from services.delivery.config.model import Mail
from tests.support.builders import rows
from tests.support.commands import Running, start
from tests.support.places import ROOT
from tests.support.reading import ask
from tests.support.waiting import wait_until

PAGE = (ROOT / "docs" / "first-mail.md").read_text("utf-8")
TRYING, REAL = PAGE.split("\n## 9. ")
BLOCKS = re.findall(r"```(sh|yaml|text)\n(.*?)```", TRYING, re.DOTALL)
PREPARING = {"make install", 'export PATH="$PWD/.venv/bin:$PATH"', "make mailbox"}
RULER = "─" * 80 + "\n"
# All dates but those of the invented facts: the reader sees others.
DAY = re.compile(r"(?!2026-03)\d{4}-\d\d-\d\d( \d\d:\d\d)?")


@contextmanager
def mailbox(output: Path) -> Iterator[str]:
    """Run the mailbox of the page on a free port, and yield its first line."""
    command = [sys.executable, str(ROOT / "scripts" / "mailbox.py"), "0"]
    with output.open("wb") as file, subprocess.Popen(command, stdout=file) as process:
        try:
            wait_until(lambda: output.read_text("utf-8").endswith("\n"))
            yield output.read_text("utf-8")
        finally:
            process.kill()


class Reader:
    """
    A reader of the page.

    Args:
        folder: the folder with the database and the examples.
        output: the output of the mailbox.
        first_line: its first line.
        stack: ends the service.
    """

    def __init__(self, folder: Path, output: Path, first_line: str, stack: ExitStack) -> None:
        self.folder = folder
        self.output = output
        self.first_line = first_line
        self.stack = stack
        self.port = re.findall(r":(\d+) ", first_line)[0]
        self.received = 0
        self.service: Running | None = None
        self.engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")

    def follow(self, kind: str, text: str) -> None:
        """Follow a block of the page."""
        if kind == "yaml":
            (self.folder / "delivery.yaml").write_text(text.replace("2525", self.port), "utf-8")
        elif kind == "text" and text.startswith("Mail "):
            self.receive(text)
        elif kind == "text":
            assert text.replace("2525", self.port) == self.first_line
        else:
            for line in text.replace("\\\n", " ").splitlines():
                self.type(line)

    def type(self, line: str) -> None:
        """Type a command; the service runs in a terminal of its own."""
        if line == "casetrail run":
            self.restart()
        elif line not in PREPARING:
            program, *arguments = shlex.split(line)
            if arguments[:2] == ["silence", "end"]:
                assert self.received == len(self.mails())
                arguments[2] = json.loads(ask("silence list --json", self.folder).stdout)[0]["silence_id"][:8]
            done = ask(arguments, self.folder)
            assert ("casetrail", 0) == (program, done.returncode), f"{line}: {done.stderr}"
            if arguments[:2] == ["silence", "list"]:
                wait_until(lambda: "silence" in self.reasons())

    def restart(self) -> None:
        """Stop the service and start it again, until it serves the receiver."""
        if self.service is not None:
            self.service.process.terminate()
            assert 0 == self.service.end()[0]
        self.service = self.stack.enter_context(start("run", self.folder))
        wait_until(lambda: rows(self.engine, receivers) != [])

    def receive(self, text: str) -> None:
        """Wait for the mail of which the page shows the parts *text*. The hour of a digest is brought forward."""
        if "Subject: Digest of " in text:
            wait_until(lambda: "digest" in self.reasons())
            assert self.received == len(self.mails())
            with write_transaction(self.engine) as conn:
                conn.execute(
                    update(deliveries).where(deliveries.c.why == "digest").values(not_before=datetime.now(UTC))
                )
        self.received += 1
        wait_until(lambda: len(self.mails()) >= self.received)
        mail = DAY.sub("DAY", self.mails()[self.received - 1])
        parts = [re.escape(DAY.sub("DAY", part.strip())) for part in re.split(r"(?m)^\.\.\.$", text)]
        assert re.match(".*".join(parts), mail, re.DOTALL), mail

    def mails(self) -> list[str]:
        """Return the mails that were printed in full."""
        return self.output.read_text("utf-8").split(RULER)[1:]

    def reasons(self) -> set[Any]:
        """Return the reasons for which messages wait."""
        return {row["why"] for row in rows(self.engine, deliveries)}


def test_a_reader_of_the_page_gets_each_mail_that_it_shows(tmp_path: Path) -> None:
    """The alert, the correction as a reply to it, nothing during the silence, and the digest arrive, and no more."""
    output = tmp_path / "mails.txt"
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    with mailbox(output) as first_line, ExitStack() as stack:
        assert 0 == ask("init", tmp_path).returncode
        reader = Reader(tmp_path, output, first_line, stack)
        for kind, text in BLOCKS:
            reader.follow(kind, text)
        reader.engine.dispose()

    assert 5 == len(reader.mails()) == len(re.findall(r"(?m)^Mail \d", TRYING))


def test_the_page_names_everything_of_a_real_mail_server(tmp_path: Path) -> None:
    """The last file of the page is right, and its password is the secret that the page sets."""
    (file,) = re.findall(r"```yaml\n(.*?)```", REAL, re.DOTALL)
    (tmp_path / "delivery.yaml").write_text(file, "utf-8")
    target = load_delivery(tmp_path / "delivery.yaml").receivers["desk"].target

    assert isinstance(target, Mail)
    assert f"export CASETRAIL_SECRET_{target.password}_FILE=" in REAL


def test_the_digest_of_the_page_is_at_its_hour(tmp_path: Path) -> None:
    """The line that the page adds to the receiver is a digest."""
    files = [text for kind, text in BLOCKS if kind == "yaml"]
    (tmp_path / "delivery.yaml").write_text(files[-1], "utf-8")
    target = load_delivery(tmp_path / "delivery.yaml").receivers["desk"].target

    assert isinstance(target, Mail)
    assert target.digest is not None
    assert time(8) == target.digest.at
    assert {"desk"} == set(load_delivery(tmp_path / "delivery.yaml").receivers)


def test_the_mailbox_prints_a_mail_as_it_was_written(tmp_path: Path) -> None:
    """Lines that begin with a dot arrive whole, and a mail that is sent again keeps its number."""
    output = tmp_path / "mails.txt"
    mail = EmailMessage()
    for name, value in {"From": "a@x.example", "To": "b@x.example", "Subject": "Größe", "Message-ID": "<1@x>"}.items():
        mail[name] = value
    mail.set_content(".\n..a\ngröße\n")
    with mailbox(output) as first_line, SMTP("127.0.0.1", int(re.findall(r":(\d+) ", first_line)[0])) as client:
        for _ in range(2):
            client.send_message(mail)
        printed = output.read_text("utf-8").removeprefix(first_line)

    assert 2 * f"{RULER}Mail 1\nFrom: a@x.example\nTo: b@x.example\nSubject: Größe\n\n.\n..a\ngröße\n" == printed


@pytest.mark.parametrize(("variable", "port"), [((), "2525"), (("MAIL_PORT=2626",), "2626")])
def test_make_starts_the_mailbox(variable: tuple[str, ...], port: str) -> None:
    """The target of the page starts the script, on the port of the page if no other is named."""
    printed = subprocess.run(["make", "-n", "mailbox", *variable], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "scripts/mailbox.py" in printed.stdout
    assert port in printed.stdout or f"PORT: Final = {port}" in (ROOT / "scripts" / "mailbox.py").read_text("utf-8")
