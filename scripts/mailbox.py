"""
A mail server for trying casetrail: it accepts every mail on this machine, prints it, and sends it nowhere.

It prints the parts that a reader sees: the people, the subject and the text. A reply names the mail it answers by its
number. Usage: ``make mailbox``, or ``python scripts/mailbox.py [PORT]``. The port is 2525 if none is named.
"""

import email.policy
import socketserver
import sys
import threading
from collections.abc import Iterator
from typing import Final

PORT: Final = 2525
LINE_BYTES: Final = 65_536
RULER: Final = "─" * 80

_numbers: dict[str, int] = {}
"""The number of each mail, by its Message-ID."""
_printing = threading.Lock()


class Conversation(socketserver.StreamRequestHandler):
    """One connection of a sender, by SMTP."""

    timeout = 60

    def handle(self) -> None:
        """Answer each command until the sender leaves."""
        self._answer("220 mailbox")
        while line := self.rfile.readline(LINE_BYTES):
            match line.split()[0].upper() if line.split() else b"":
                case b"EHLO":
                    self._answer("250-mailbox", "250-8BITMIME", "250 SMTPUTF8")
                case b"DATA":
                    self._answer("354 end with a dot")
                    show(b"".join(self._message()))
                    self._answer("250 accepted")
                case b"QUIT":
                    self._answer("221 goodbye")
                    return
                case b"HELO" | b"MAIL" | b"RCPT" | b"RSET" | b"NOOP":
                    self._answer("250 accepted")
                case _:
                    self._answer("502 not supported here")

    def _message(self) -> Iterator[bytes]:
        """Yield the lines of a mail up to the dot. A line that begins with a dot has come with one more."""
        while (line := self.rfile.readline(LINE_BYTES)) not in {b"", b".\r\n"}:
            yield line.removeprefix(b".")

    def _answer(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class Mailbox(socketserver.ThreadingTCPServer):
    """The server, which only this machine reaches."""

    allow_reuse_address = True
    daemon_threads = True


def show(content: bytes) -> None:
    """Print the mail *content*. A mail that is sent again keeps its number."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    body = mail.get_body(("plain",))
    with _printing:
        number = _numbers.setdefault(str(mail["Message-ID"]), len(_numbers) + 1)
        answered = _numbers.get(str(mail["In-Reply-To"]))
        lines = [
            RULER,
            f"Mail {number}" + (f", a reply to mail {answered}" if answered else ""),
            *(f"{name}: {mail[name]}" for name in ("From", "To", "Subject")),
            "",
            body.get_content().strip() if body else "(no text)",
        ]
        # In one piece, so that a reader of the output never has a part of a mail.
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Receive mails until Ctrl-C."""
    port = int(arguments[0]) if arguments else PORT
    try:
        with Mailbox(("127.0.0.1", port), Conversation) as server:
            print(f"Mails to smtp://127.0.0.1:{server.server_address[1]} are printed here. Ctrl-C ends it.", flush=True)
            server.serve_forever()
    except KeyboardInterrupt:
        print()
    except OSError as error:
        sys.exit(f"mailbox: port {port}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
