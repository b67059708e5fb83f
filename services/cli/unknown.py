"""The message about an id that no person has."""

from sqlalchemy import Connection

from projections.queries.subjects import similar_ids
from projections.subjects.view import AsOf
from services.words.terms import safe

from .output import say


def say_unknown(conn: Connection, subject_id: str, moment: AsOf) -> None:
    """Print on stderr that *subject_id* is not known at *moment*, with ids that are spelled like it."""
    when = " at that instant" if moment.known_at else ""
    others = similar_ids(conn, subject_id)
    # An id that is known now is not misspelled: then no other id is meant.
    meant = ", ".join(map(safe, others)) if subject_id not in others else ""
    say(f"casetrail: {safe(subject_id)} is not known{when}" + (f" (similar ids: {meant})" if meant else ""))
