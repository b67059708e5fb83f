"""Why the database cannot be reached or fails, in plain words and in one."""

from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

# What PostgreSQL and its client say, and what to do about it; the first that fits counts.
_ADVICE = (
    ("password authentication failed", "correct the user or the password in CASETRAIL_DATABASE_URL"),
    ("no password supplied", "CASETRAIL_DATABASE_URL=postgresql+psycopg://USER:PASSWORD@HOST/NAME, or a ~/.pgpass"),
    ("no pg_hba.conf entry", "let this user come from this machine: the server's pg_hba.conf"),
    ("does not exist", "make it (CREATE ROLE, CREATE DATABASE), or correct CASETRAIL_DATABASE_URL"),
    ("does not support SSL", "without ?sslmode=require in CASETRAIL_DATABASE_URL, or turn TLS on in the server"),
    ("certificate", "name whom to trust: ?sslmode=verify-full&sslrootcert=FILE in CASETRAIL_DATABASE_URL"),
    ("failed to resolve host", "correct the name of the machine, or see that DNS or /etc/hosts knows it here"),
    ("could not translate host", "correct the name of the machine, or see that DNS or /etc/hosts knows it here"),
    ("Connection refused", "start the server, or correct the machine and the port in CASETRAIL_DATABASE_URL"),
    ("No such file or directory", "start the server, or name its machine: CASETRAIL_DATABASE_URL has none"),
    ("timeout", "see that no firewall is between, and that the server is well"),
    ("too many clients", "raise the server's max_connections, or run fewer processes"),
    ("starting up", "wait a moment"),
    ("permission denied", "let this user use the schema and its tables (GRANT)"),
)


def database_trouble(problem: DBAPIError) -> tuple[str, str]:
    """Return what the database said, in one line, and what to do about it."""
    said = " ".join(str(problem.orig).split())
    advice = next((advice for words, advice in _ADVICE if words in said), "see that it runs and is reachable")
    return f"does not answer: {said}", advice


def failed_with(problem: Exception) -> str:
    """
    Return what has failed, for a log: the kind of *problem*, and what the database says of it.

    That is a code, PostgreSQL's or SQLite's; words only PostgreSQL's of a connection that failed, since others may hold
    what is in rows.
    """
    kind, said = type(problem).__name__, getattr(problem, "orig", None)
    code: Any = getattr(said, "sqlstate", None) or getattr(said, "sqlite_errorname", None)
    if code is None and isinstance(said, psycopg.Error):
        code = " ".join(str(said).split())
    return f"{kind}: {code}" if code else kind
