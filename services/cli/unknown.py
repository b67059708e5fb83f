"""The answer to an id that no person has."""

from sqlalchemy import Connection

from projections.queries.subjects import near
from projections.subjects.view import AsOf
from services.words.terms import safe

from .output import say


def say_unknown(conn: Connection, subject_id: str, moment: AsOf) -> None:
    """Say on stderr that nobody is known as *subject_id* at *moment*, and which ids are near."""
    when = " at that instant" if moment.known_at else ""
    others = near(conn, subject_id)
    # Whoever is known now was not mistyped.
    meant = ", ".join(map(safe, others)) if subject_id not in others else ""
    say(f"casetrail: {safe(subject_id)} is not known{when}" + (f" (known and near: {meant})" if meant else ""))
