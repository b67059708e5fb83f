"""The parts of a status in words: posts, counts of a case, custody, searches and measures, each with its facts."""

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
# The fields that are equal in two counts if one charge was split into them.
_CHARGE: Final = ("count_id", "article", "title", "amount", "currency")


class Statement(NamedTuple):
    """One sentence about a person, and the ids of the facts that support it, the most important first."""

    text: str
    fact_ids: tuple[str, ...]


def posts(status: Row, view: SubjectView) -> Iterator[Statement]:
    """Yield each present and each former post, with its status and the date on which that began."""
    for post in status["posts"]:
        began = post["began"]
        others = [
            f"ground: “{safe(post['ground'])}”" if post["ground"] else "",
            _until(post["status"], post["until"]) if post["status"] == "suspended" else "",
            _held_since(view, began) if began and began["fact_id"] != post["fact_id"] else "",
        ]
        wording = [f"{_post_status(post)}{_since(view, post)}", *filter(None, others)]
        yield Statement("; ".join(wording), _ids(post["fact_id"], began and began["fact_id"], post["words_fact_id"]))


def post_words(post: Row) -> str:
    """Return the words of one post: post, agency, region and jurisdiction, as one source states them."""
    wording = ", ".join(safe(post[name]) for name in ("post", "agency", "region") if post[name])
    where = f" ({safe(post['jurisdiction'])})" if post["jurisdiction"] else ""
    acting = "acting " if post["acting"] and wording else "acting in " if post["acting"] else ""
    return f"{acting}{wording or 'a post that no source names'}{where}"


def described(status: Row) -> str:
    """Return the post, agency, region and jurisdiction of the row; empty if none is known."""
    wording = ", ".join(safe(status[name]) for name in ("post", "agency", "region", "jurisdiction") if status[name])
    words_of = ("post", "agency", "region")
    shown = [post for post in status["posts"] if all(post[name] == status[name] for name in words_of)]
    has_ended = bool(shown) and not any(post["status"] in HELD for post in shown)
    return f"former {wording}" if has_ended and any(status[name] for name in words_of) else wording


def holds(status: Row, view: SubjectView) -> Iterator[Statement]:
    """Yield the custody in each case, with its ordered end, and with a note if no release was reported."""
    for hold in status["custody_cases"]:
        state = hold["status"]
        others = [
            f"by {safe(hold['authority'])}" if hold["authority"] else "",
            f"at {safe(hold['place'])}" if hold["place"] and state not in NO_LONGER_HELD else "",
            _until(state, hold["until"]) if state not in NO_LONGER_HELD else "",
            "the case ended without a conviction, and no release was reported" if is_unreleased(hold) else "",
        ]
        wording = [f"{case_words(hold)}: {custody_words(state)}{_since(view, hold)}", *filter(None, others)]
        yield Statement("; ".join(wording), _ids(hold["fact_id"], hold["until_fact_id"]))


def searches(status: Row, view: SubjectView) -> Iterator[Statement]:
    """Yield each search that has not ended: its scope, the country, the case, the authority."""
    for search in status["searches"]:
        others = [
            f"jurisdiction {safe(search['jurisdiction'])}" if search["jurisdiction"] else "",
            f"by {safe(search['authority'])}" if search["authority"] else "",
            "" if search["counted"] else "the case ended without a conviction, and no end of the search was reported",
        ]
        scope = f"{words(search['scope'])} search" if search["scope"] else "search"
        wording = [f"{case_words(search)}: {scope}{_since(view, search)}", *filter(None, others)]
        yield Statement("; ".join(wording), _ids(search["fact_id"]))


def measures(status: Row, view: SubjectView) -> Iterator[Statement]:
    """Yield each measure that has not ended."""
    for measure in status["measures"]:
        kind = "measure" if measure["kind"] in {None, "other"} else words(measure["kind"])
        others = [
            f"by {safe(measure['authority'])}" if measure["authority"] else "",
            f"programme {safe(measure['program'])}" if measure["program"] else "",
            f"in case {safe(measure['case_id'])}" if measure["case_id"] else "",
            _until("in force", measure["until"]),
        ]
        title = f" “{safe(measure['title'])}”" if measure["title"] else ""
        wording = [f"{kind}{title}{_since(view, measure)}", *filter(None, others)]
        yield Statement("; ".join(wording), _ids(measure["fact_id"]))


def case_title(case: Row, status: Row) -> str:
    """Return a case with its kind, its stage, and whether it is open."""
    kind = "" if case["kind"] == "criminal" else f" ({safe(case['kind'])})"
    suspended = "; the investigation is suspended" if case["suspended"] else ""
    return f"Case {safe(case['case_id'])}{kind}: {case_stage(case, status)}{suspended}"


def case_stage(case: Row, status: Row) -> str:
    """Return the stage of a case; if its counts ended in different ways, each of these ends."""
    text = stage_of(case)
    if case["open"]:
        return f"open, {text}"
    if text.startswith("ended: "):
        return f"ended: {_ends(case) or text.removeprefix('ended: ')}"
    return f"{text}; ended by the death" if is_dead(status) else text


def counts(case: Row, view: SubjectView) -> Iterator[Statement]:
    """Yield each count of a case with its disposition; a count that was replaced has the word for that."""
    for count in case["counts"]:
        head, tail = disposition(count, case, view)
        name = "the whole case" if whole(count) else _count_words(count, case, view)
        facts = _ids(count["fact_id"], count["verdict_fact_id"], count["final_fact_id"], count["charge_fact_id"])
        yield Statement(f"{name}: {head}{tail}", facts)


def sentence(case: Row, view: SubjectView) -> Iterator[Statement]:
    """Yield the sentence of a case, if there is one."""
    if wording := sentence_words(case, view):
        yield Statement(wording, _ids(case["sentence_fact_id"]))


def case_words(part: Row) -> str:
    """Return the case that a hold or a search belongs to."""
    return f"in case {safe(part['case_id'])}" if part["case_id"] else "no case named"


def waiting_words(row: Row) -> str:
    """Return the number of records that wait about the person of a status or an alert; empty if none waits."""
    number = row["unread"]
    if not number:
        return ""
    return "1 record about this person waits" if number == 1 else f"{number} records about this person wait"


def unread_words(row: Row) -> str:
    """Return `waiting_words` with the commands that list the records; empty if none waits."""
    waiting = waiting_words(row)
    where = "in conflict or not readable: see `casetrail conflicts` and `casetrail parked list`"
    return f"{waiting}, {where}" if waiting else ""


def was_held(status: Row) -> bool:
    """Return whether the row's custody is about a hold. The custody of a dead person without a hold is not."""
    is_over = status["custody"]["status"] == "deceased"
    return not is_over or any(hold["status"] == "deceased" for hold in status["custody_cases"])


def track_words(track: str, cell: Row, view: SubjectView) -> str:
    """Return one cell of the row: ``Service: dismissed, since 2022-03-27``."""
    say = {"service": service_words, "custody": custody_words}.get(track, words)
    # The cell is about the person. `service_words` has the words for a post that ended by the death.
    status = "deceased" if track == "service" and cell["status"] == "deceased" else say(cell["status"])
    return f"{track.capitalize()}: {status}{_since(view, cell)}"


def _ends(case: Row) -> str:
    """Return the ends of the counts of an ended case; empty if all have the same end."""
    groups: dict[str, list[Row]] = {}
    ends = {count["status"] for count in stated(case)}
    # Only an allegation without a charge can be withdrawn. A closed count beside it counts as an allegation too.
    noun = "allegation" if "withdrawn" in ends and ends <= {"withdrawn", "closed"} else "charge"
    for count in stated(case):
        stage = "final" if count["status"] == "convicted" else count["status"]
        groups.setdefault(stage_words(stage, case["kind"]).removeprefix("ended: "), []).append(count)
    if len(groups) <= 1:
        return ""
    return ", ".join(f"{text}{on_counts(alike, case, noun)}" for text, alike in groups.items())


def _post_status(post: Row) -> str:
    """Return a post with its status; a post that no source names is not called former."""
    status, is_held = service_words(post["status"]), post["status"] in HELD
    if is_held or any(post[name] for name in ("post", "agency", "region")):
        return f"{'' if is_held else 'former '}{post_words(post)}: {status}"
    unnamed = post_words({**post, "acting": False})
    return f"{status} from {unnamed}" if post["status"] in _LEFT else f"{unnamed}: {status}"


def _count_words(count: Row, case: Row, view: SubjectView) -> str:
    """Return the words of a count; a sum that a source stated for several counts together is followed by "in all"."""
    charges = data_of(view, count["charge_fact_id"]).get("charges", ())
    stated_so = [charge for charge in charges if all(charge.get(name) == count[name] for name in _CHARGE)]
    alike = [
        other for other in case["counts"] if all(other[name] == count[name] for name in ("charge_fact_id", *_CHARGE))
    ]
    if count["amount"] is None or not stated_so or len(alike) <= len(stated_so):
        return charge_words(count)
    return charge_words(count, f"{sum_words(count)} in all")


def _since(view: SubjectView, cell: Row) -> str:
    since = since_words(view, cell)
    agreeing = f"; {cell['facts']} facts say so" if cell.get("facts", 1) > 1 else ""
    return f", since {since}{agreeing}" if since else agreeing


def _held_since(view: SubjectView, began: Row) -> str:
    since = since_words(view, began)
    return f"held since {since}" if since else ""


def _until(status: str, until: str | None) -> str:
    return f"{words(status)} until {safe(until)} as ordered, nothing newer is known" if until else ""


def _ids(*fact_ids: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fact_id for fact_id in fact_ids if fact_id))
