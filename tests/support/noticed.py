"""Databases with notices in their outbox, and the texts of these notices."""

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from sqlalchemy import Engine

from projections.queries.notices import Background, background_of
from projections.rules.files.loading import pack
from projections.tables.schema import outbox
from services.words.messages.loading import languages
from services.words.messages.notices import AlertNotice, word_notice
from services.words.text import Text
from tests.support.builders import (
    Line,
    acquitted,
    appointed,
    charged,
    convicted,
    corrected,
    described,
    detained,
    dismissed,
    instant,
    made_final,
    project,
    projector,
    retracted,
    rows,
    stated,
)
from tests.support.correlating import House

LANGUAGES = languages()
POST = {"post": "head", "agency": "Customs", "region": "North", "jurisdiction": "KZ"}


def notices(engine: Engine) -> list[Any]:
    """Return the notices of alerts in the outbox, in their order."""
    return [row["notice"] for row in rows(engine, outbox) if row["kind"] == "notice"]


def told(*lines: Line, until: str = "2022-12-01") -> Engine:
    """Return a database with the notices of *lines* and of a silence until *until*."""
    writer = projector(clock="2021-01-01")
    project(writer, lines)
    writer.advance_watermark(instant(until), instant(until))
    return writer.engine


def background(engine: Engine) -> Background:
    """Return the facts and the people of every notice of an alert in the outbox."""
    with engine.connect() as conn:
        return background_of(conn, notices(engine))


def texts(engine: Engine, language: str = "en") -> list[Text]:
    """Return the text of every notice of an alert in the outbox, in their order."""
    known = background(engine)
    return [word_notice(AlertNotice(content["state"], content), known, language) for content in notices(engine)]


def at(line: Line) -> Line:
    """Return a fact that was recorded at noon of the day on which it was published."""
    return line | {"recorded": f"{line['data']['published']}T12:00:00Z"}


def everything() -> Engine:
    """Return a database with alerts of the whole pack in each state, about people of each standing before the law."""
    lines = [line for letter in "abcdefgh" for line in _life(letter)]
    return House(rules=pack()).judge(sorted(lines, key=itemgetter("recorded")), "2024-01-01").engine


def _life(letter: str) -> Iterable[Line]:
    """Return the facts about one person of `everything`."""
    case = f"case {letter}"
    own: dict[str, Any] = {"subject": letter}
    ended = dismissed("2022-03-01", **own, **POST)
    charge = charged("2022-04-01", case=case, **own)
    stories = {
        "a": (ended,),
        "b": (ended, retracted(ended, "2023-08-01")),
        "c": (ended, stated("Accused", "2022-07-01", case=case, **own), detained("2023-08-01", case=case, **own)),
        "d": (charge, dismissed("2023-08-01", **own, **POST)),
        "e": (charge, convicted("2022-09-01", case=case, **own)),
        "f": (charge, convicted("2022-09-01", case=case, **own), made_final("2022-10-01", case=case, **own)),
        "g": (charge, acquitted("2022-09-01", case=case, final=True, **own)),
        "h": (ended, corrected(ended, "2023-08-01", occurred="2023-07-01", published="2023-07-01"), charge),
    }
    held = [detained(f"2022-06-0{1 + 'efg'.index(letter)}", case=case, **own)] if letter in "efg" else []
    first = [described("2021-01-01", name=f"Person {letter.upper()}", **own), appointed("2021-02-01", **own, **POST)]
    return map(at, [*first, *stories[letter], *held])
