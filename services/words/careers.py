"""The parts of a status in words: posts held, counts of a case, custody, searches and measures, each with its facts."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from projections.subjects.view import SubjectView

from .facts import data_of, since_words
from .terms import charge_words, custody_words, safe, service_words, stage_words, sum_words, words
from .verdicts import (
    NO_LONGER_HELD,
    disposition,
    is_dead,
    is_unreleased,
    on_counts,
    sentence_words,
    stage_of,
    stated,
    whole,
)

Row = Mapping[str, Any]

HELD: Final = frozenset({"in_office", "suspended"})
_LEFT: Final = frozenset({"removed", "dismissed", "resigned", "retired"})
# The fields that two counts have in common where one charge was split.
_CHARGE: Final = ("count_id", "article", "title", "amount", "currency")


class Statement(NamedTuple):
    """One sentence on a person, and the ids of the facts on which it rests, the most telling first."""

    text: str
    fact_ids: tuple[str, ...]


def posts(status: Row, told: SubjectView) -> Iterator[Statement]:
    """Yield each post held, and each former one, with how and since when."""
    for post in status["posts"]:
        began = post["began"]
        others = [
            f"ground: “{safe(post['ground'])}”" if post["ground"] else "",
            _until(post["status"], post["until"]) if post["status"] == "suspended" else "",
            _held_since(told, began) if began and began["fact_id"] != post["fact_id"] else "",
        ]
        said = [f"{_post_status(post)}{_since(told, post)}", *filter(None, others)]
        yield Statement("; ".join(said), _ids(post["fact_id"], began and began["fact_id"], post["words_fact_id"]))


def post_words(post: Row) -> str:
    """Return the words of one post held: post, agency, region, as one source has them."""
    said = ", ".join(safe(post[name]) for name in ("post", "agency", "region") if post[name])
    where = f" ({safe(post['jurisdiction'])})" if post["jurisdiction"] else ""
    acting = "acting " if post["acting"] and said else "acting in " if post["acting"] else ""
    return f"{acting}{said or 'a post that no source names'}{where}"


def described(status: Row) -> str:
    """Return the post, agency, region and jurisdiction that the row shows; nothing where none is known."""
    said = ", ".join(safe(status[name]) for name in ("post", "agency", "region", "jurisdiction") if status[name])
    words_of = ("post", "agency", "region")
    shown = [post for post in status["posts"] if all(post[name] == status[name] for name in words_of)]
    has_ended = bool(shown) and not any(post["status"] in HELD for post in shown)
    return f"former {said}" if has_ended and any(status[name] for name in words_of) else said


def holds(status: Row, told: SubjectView) -> Iterator[Statement]:
    """Yield the custody in each case, with the end that was ordered, and with a release that nobody reported."""
    for hold in status["custody_cases"]:
        state = hold["status"]
        others = [
            f"by {safe(hold['authority'])}" if hold["authority"] else "",
            f"at {safe(hold['place'])}" if hold["place"] and state not in NO_LONGER_HELD else "",
            _until(state, hold["until"]) if state not in NO_LONGER_HELD else "",
            "the case ended without a conviction, and no release was reported" if is_unreleased(hold) else "",
        ]
        said = [f"{case_words(hold)}: {custody_words(state)}{_since(told, hold)}", *filter(None, others)]
        yield Statement("; ".join(said), _ids(hold["fact_id"], hold["until_fact_id"]))


def searches(status: Row, told: SubjectView) -> Iterator[Statement]:
    """Yield each search that stands: its scope, the country, the case, the authority."""
    for search in status["searches"]:
        others = [
            f"jurisdiction {safe(search['jurisdiction'])}" if search["jurisdiction"] else "",
            f"by {safe(search['authority'])}" if search["authority"] else "",
            "" if search["counted"] else "the case ended without a conviction, and no end of the search was reported",
        ]
        scope = f"{words(search['scope'])} search" if search["scope"] else "search"
        said = [f"{case_words(search)}: {scope}{_since(told, search)}", *filter(None, others)]
        yield Statement("; ".join(said), _ids(search["fact_id"]))


def measures(status: Row, told: SubjectView) -> Iterator[Statement]:
    """Yield each measure that stands."""
    for measure in status["measures"]:
        kind = "measure" if measure["kind"] in {None, "other"} else words(measure["kind"])
        others = [
            f"by {safe(measure['authority'])}" if measure["authority"] else "",
            f"programme {safe(measure['program'])}" if measure["program"] else "",
            f"in case {safe(measure['case_id'])}" if measure["case_id"] else "",
            _until("in force", measure["until"]),
        ]
        title = f" “{safe(measure['title'])}”" if measure["title"] else ""
        said = [f"{kind}{title}{_since(told, measure)}", *filter(None, others)]
        yield Statement("; ".join(said), _ids(measure["fact_id"]))


def case_title(case: Row, status: Row) -> str:
    """Return a case with its kind, its stage, and whether it is open."""
    kind = "" if case["kind"] == "criminal" else f" ({safe(case['kind'])})"
    suspended = "; the investigation is suspended" if case["suspended"] else ""
    return f"Case {safe(case['case_id'])}{kind}: {case_stage(case, status)}{suspended}"


def case_stage(case: Row, status: Row) -> str:
    """Return the stage of a case; where its counts ended in different ways, each of them."""
    text = stage_of(case)
    if case["open"]:
        return f"open, {text}"
    if text.startswith("ended: "):
        return f"ended: {_ends(case) or text.removeprefix('ended: ')}"
    return f"{text}; ended by the death" if is_dead(status) else text


def counts(case: Row, told: SubjectView) -> Iterator[Statement]:
    """Yield each count of a case, with where it stands; a charge that was replaced says so."""
    for count in case["counts"]:
        head, tail = disposition(count, case, told)
        name = "the whole case" if whole(count) else _count_words(count, case, told)
        facts = _ids(count["fact_id"], count["verdict_fact_id"], count["final_fact_id"], count["charge_fact_id"])
        yield Statement(f"{name}: {head}{tail}", facts)


def sentence(case: Row, told: SubjectView) -> Iterator[Statement]:
    """Yield the sentence of a case, if there is one."""
    if said := sentence_words(case, told):
        yield Statement(said, _ids(case["sentence_fact_id"]))


def case_words(part: Row) -> str:
    """Return the case that a hold or a search belongs to."""
    return f"in case {safe(part['case_id'])}" if part["case_id"] else "no case named"


def waiting_words(row: Row) -> str:
    """Return how many records wait about the person of a status or of an alert; nothing where none does."""
    number = row["unread"]
    if not number:
        return ""
    return "1 record about this person waits" if number == 1 else f"{number} records about this person wait"


def unread_words(row: Row) -> str:
    """Return how many records wait about that person, and where they are read; nothing where none does."""
    waiting = waiting_words(row)
    where = "in conflict or not readable: see `casetrail conflicts` and `casetrail parked list`"
    return f"{waiting}, {where}" if waiting else ""


def was_held(status: Row) -> bool:
    """Return whether the row's custody speaks of a hold: that of the dead who were in none says no more than death."""
    is_over = status["custody"]["status"] == "deceased"
    return not is_over or any(hold["status"] == "deceased" for hold in status["custody_cases"])


def track_words(track: str, cell: Row, told: SubjectView) -> str:
    """Return one cell of the row: ``Service: dismissed, since 2022-03-27``."""
    say = {"service": service_words, "custody": custody_words}.get(track, words)
    # The row speaks of the person, its posts say of which of them.
    status = "deceased" if track == "service" and cell["status"] == "deceased" else say(cell["status"])
    return f"{track.capitalize()}: {status}{_since(told, cell)}"


def _ends(case: Row) -> str:
    """Return how the counts of an ended case ended, if not all in one way."""
    groups: dict[str, list[Row]] = {}
    ends = {count["status"] for count in stated(case)}
    # Only what nobody charged can be withdrawn. Beside a withdrawal, a closed count is taken for such a one as well.
    noun = "allegation" if "withdrawn" in ends and ends <= {"withdrawn", "closed"} else "charge"
    for count in stated(case):
        stage = "final" if count["status"] == "convicted" else count["status"]
        groups.setdefault(stage_words(stage, case["kind"]).removeprefix("ended: "), []).append(count)
    if len(groups) <= 1:
        return ""
    return ", ".join(f"{text}{on_counts(alike, case, noun)}" for text, alike in groups.items())


def _post_status(post: Row) -> str:
    """Return a post with how it is held or how it ended; one that no source names is not called former."""
    status, is_held = service_words(post["status"]), post["status"] in HELD
    if is_held or any(post[name] for name in ("post", "agency", "region")):
        return f"{'' if is_held else 'former '}{post_words(post)}: {status}"
    unnamed = post_words({**post, "acting": False})
    return f"{status} from {unnamed}" if post["status"] in _LEFT else f"{unnamed}: {status}"


def _count_words(count: Row, case: Row, told: SubjectView) -> str:
    """Return the words of a count; a sum that was stated for several counts together says so."""
    charges = data_of(told, count["charge_fact_id"]).get("charges", ())
    stated_so = [charge for charge in charges if all(charge.get(name) == count[name] for name in _CHARGE)]
    alike = [
        other for other in case["counts"] if all(other[name] == count[name] for name in ("charge_fact_id", *_CHARGE))
    ]
    if count["amount"] is None or not stated_so or len(alike) <= len(stated_so):
        return charge_words(count)
    return charge_words(count, f"{sum_words(count)} in all")


def _since(told: SubjectView, cell: Row) -> str:
    since = since_words(told, cell)
    agreeing = f"; {cell['facts']} facts say so" if cell.get("facts", 1) > 1 else ""
    return f", since {since}{agreeing}" if since else agreeing


def _held_since(told: SubjectView, began: Row) -> str:
    since = since_words(told, began)
    return f"held since {since}" if since else ""


def _until(status: str, until: str | None) -> str:
    return f"{words(status)} until {safe(until)} as ordered, nothing newer is known" if until else ""


def _ids(*fact_ids: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fact_id for fact_id in fact_ids if fact_id))
