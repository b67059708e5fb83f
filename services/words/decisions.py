"""The decisions of one case in words: the court and the day of each, and which of them were set aside."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from events.facts import Fact
from events.vocabulary import TRACK_OF
from projections.history.reports import grouped
from projections.subjects.view import SubjectView
from projections.tracks.cases import Case

from .facts import data_of
from .terms import on_words, safe

_PLEAS: Final = {"guilty": "Pleaded guilty", "not_guilty": "Pleaded not guilty", "no_contest": "Pleaded no contest"}
_SIDES: Final = {"prosecution": " by the prosecution", "defence": " by the defence"}
_VERDICTS: Final = frozenset({"Convicted", "Acquitted"})
_RULINGS: Final = {
    "ReviewRefused": "review refused",
    "VerdictUpheld": "{} upheld",
    "MistrialDeclared": "mistrial declared",
    "SentenceChanged": "sentence changed",
    "PardonAnnulled": "pardon annulled",
}
_OUTCOMES: Final = {
    "remitted": ", sent back to a court",
    "acquitted": ", with an acquittal in its place",
    "ended": ", and the case ended",
}


class Terms(NamedTuple):
    """The words for decisions of one kind of case; only a criminal case has verdicts."""

    verdict: str
    guilty: str
    acquitted: str


CRIMINAL: Final = Terms("verdict", "found guilty", "ACQUITTED")
OTHER: Final = Terms("decision", "decided against the person", "DECIDED FOR THE PERSON")


def terms(case: Mapping[str, Any]) -> Terms:
    """Return the words for the decisions of *case*."""
    return CRIMINAL if case["kind"] == "criminal" else OTHER


def ruling(told: SubjectView, fact_id: str | None, *, court: bool = False) -> str:
    """
    Return by whom and when a fact was decided, such as `` by High Court on 2020-07-28``.

    Args:
        told: the story that has the fact.
        fact_id: the fact; None gives nothing.
        court: whether to say that the court is not named, where it is not.
    """
    data = data_of(told, fact_id)
    if not data:
        return ""
    if "authority" in data:
        return f" by {safe(data['authority'])} {on_words(data['occurred'])}"
    return f" {on_words(data['occurred'])}{' by a court not named' if court else ''}"


def case_facts(told: SubjectView, case_id: str) -> list[Fact]:
    """Return the facts of one case in world order, the reports of one event once."""
    facts = [fact for fact in told.world if TRACK_OF[fact.type] == "case" and fact.data["case_id"] == case_id]
    alike: dict[tuple[str, Any], list[Fact]] = {}
    for fact in facts:
        alike.setdefault((fact.type, fact.data.get("plea")), []).append(fact)
    reports = {report for several in alike.values() for report in grouped(several, _tied)}
    return [fact for fact in facts if fact.id not in reports]


def decision_lines(case: Mapping[str, Any], told: SubjectView, reviews: frozenset[str]) -> Iterator[str]:
    """
    Yield a sentence for each plea, appeal, ruling on a verdict, pardon and review of a case, in world order.

    Args:
        case: the case as a status row has it.
        told: the story that has its facts.
        reviews: ids of appeals that came after a final verdict, and are requests for review.
    """
    facts = case_facts(told, case["case_id"])
    undone = _undone(facts, told)
    pardons = any(fact.type == "PardonAnnulled" for fact in facts)
    for fact in facts:
        match fact.type:
            case "PleaEntered":
                yield _plea(fact)
            case "AppealFiled" | "ReviewRequested":
                yield _request(fact, told, is_review=fact.type == "ReviewRequested" or fact.id in reviews)
            case "Pardoned":
                yield from _pardon(case, fact, told, is_annulled=pardons)
            case type_ if type_ in _RULINGS:
                yield f"{_RULINGS[type_].format(terms(case).verdict).capitalize()}{ruling(told, fact.id)}."
            case type_ if type_ == "VerdictOverturned" or (type_ in _VERDICTS and fact.id in undone):
                yield _set_aside(case, fact, undone.get(fact.id, ()), told)


def _request(fact: Fact, told: SubjectView, *, is_review: bool) -> str:
    side = _SIDES.get(str(fact.data.get("by", "")))
    by = f"{side} {on_words(fact.data['occurred'])}" if side else ruling(told, fact.id)
    return f"{'Review requested' if is_review else 'Appeal filed'}{by}."


def _pardon(case: Mapping[str, Any], fact: Fact, told: SubjectView, *, is_annulled: bool) -> Iterator[str]:
    """Yield a pardon that the counts do not show: one in part, and one that may have been annulled."""
    by = ruling(told, fact.id)
    if fact.data.get("scope") == "partial":
        yield f"Pardoned in part{by}: the sentence was changed, the {terms(case).verdict} was not."
    elif is_annulled:
        yield f"Pardoned{by}."


def _plea(fact: Fact) -> str:
    said = _PLEAS.get(fact.data.get("plea", ""), "Entered a plea")
    agreed = ", as part of an agreement with the prosecution" if fact.data.get("bargain") else ""
    return f"{said} {on_words(fact.data['occurred'])}{agreed}."


def _set_aside(case: Mapping[str, Any], fact: Fact, undone: Sequence[Fact], told: SubjectView) -> str:
    known = terms(case)
    heads = {"Convicted": known.guilty, "Acquitted": known.acquitted}
    of = [f"{heads.get(each.type, 'sentenced')}{ruling(told, each.id, court=True)}" for each in undone]
    outcome = _OUTCOMES.get(fact.data.get("outcome", ""), "")
    which = f": {' and '.join(dict.fromkeys(of))}" if of else " (no source here says which)"
    return f"{known.verdict.capitalize()} set aside{ruling(told, fact.id)}{outcome}{which}."


def _undone(facts: Sequence[Fact], told: SubjectView) -> dict[str, list[Fact]]:
    """
    Return the verdicts that later decisions of one case set aside, by the id of the decision that did.

    The fold is asked, since only it knows of which counts each decision speaks.
    """
    undone: dict[str, list[Fact]] = {}
    if not facts:
        return undone
    case = Case(_unflagged, told.history.placing.is_behind, facts[0])
    for place, fact in enumerate(facts):
        before = [(count, count.status, count.verdict, count.verdict_by) for count in case.counts.all]
        case.advance(fact, place)
        for count, status, verdict, by in before:
            is_overturned = fact.type == "VerdictOverturned" and count.status != status
            if by is not None and (count.verdict != verdict or is_overturned):
                undone.setdefault(fact.id, []).append(by)
    return undone


def _unflagged(code: str, fact: Fact) -> None:
    """Take no flag: the row has them."""


def _tied(one: Fact, other: Fact) -> bool:
    return other.id in one.data.get("after", ()) or one.id in other.data.get("after", ())
