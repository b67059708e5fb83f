"""The decisions of one case in words: the court and the day of each, and the verdicts that were set aside."""

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


def ruling(view: SubjectView, fact_id: str | None, *, court: bool = False) -> str:
    """
    Return the court and the day of a decision, such as `` by High Court on 2020-07-28``.

    Args:
        view: the person's facts.
        fact_id: the fact; for None the words are empty.
        court: whether to state that the court is not named, if the fact names none.
    """
    data = data_of(view, fact_id)
    if not data:
        return ""
    if "authority" in data:
        return f" by {safe(data['authority'])} {on_words(data['occurred'])}"
    return f" {on_words(data['occurred'])}{' by a court not named' if court else ''}"


def case_facts(view: SubjectView, case_id: str) -> list[Fact]:
    """Return the facts of one case in world order; several reports of one event count once."""
    facts = [fact for fact in view.world if TRACK_OF[fact.type] == "case" and fact.data["case_id"] == case_id]
    alike: dict[tuple[str, Any], list[Fact]] = {}
    for fact in facts:
        alike.setdefault((fact.type, fact.data.get("plea")), []).append(fact)
    reports = {report for several in alike.values() for report in grouped(several, _tied)}
    return [fact for fact in facts if fact.id not in reports]


def decision_lines(case: Mapping[str, Any], view: SubjectView, reviews: frozenset[str]) -> Iterator[str]:
    """
    Yield a sentence for each plea, appeal, ruling on a verdict, pardon and review of a case, in world order.

    Args:
        case: the case as a status row has it.
        view: the person's facts.
        reviews: the ids of appeals after a final verdict: these are requests for review.
    """
    facts = case_facts(view, case["case_id"])
    undone = _undone(facts, view)
    pardons = any(fact.type == "PardonAnnulled" for fact in facts)
    for fact in facts:
        match fact.type:
            case "PleaEntered":
                yield _plea(fact)
            case "AppealFiled" | "ReviewRequested":
                yield _request(fact, view, is_review=fact.type == "ReviewRequested" or fact.id in reviews)
            case "Pardoned":
                yield from _pardon(case, fact, view, is_annulled=pardons)
            case type_ if type_ in _RULINGS:
                yield f"{_RULINGS[type_].format(terms(case).verdict).capitalize()}{ruling(view, fact.id)}."
            case type_ if type_ == "VerdictOverturned" or (type_ in _VERDICTS and fact.id in undone):
                yield _set_aside(case, fact, undone.get(fact.id, ()), view)


def _request(fact: Fact, view: SubjectView, *, is_review: bool) -> str:
    side = _SIDES.get(str(fact.data.get("by", "")))
    by = f"{side} {on_words(fact.data['occurred'])}" if side else ruling(view, fact.id)
    return f"{'Review requested' if is_review else 'Appeal filed'}{by}."


def _pardon(case: Mapping[str, Any], fact: Fact, view: SubjectView, *, is_annulled: bool) -> Iterator[str]:
    """Yield a pardon that the counts do not show: a pardon in part, or one that may have been annulled."""
    by = ruling(view, fact.id)
    if fact.data.get("scope") == "partial":
        yield f"Pardoned in part{by}: the sentence was changed, the {terms(case).verdict} was not."
    elif is_annulled:
        yield f"Pardoned{by}."


def _plea(fact: Fact) -> str:
    wording = _PLEAS.get(fact.data.get("plea", ""), "Entered a plea")
    agreed = ", as part of an agreement with the prosecution" if fact.data.get("bargain") else ""
    return f"{wording} {on_words(fact.data['occurred'])}{agreed}."


def _set_aside(case: Mapping[str, Any], fact: Fact, undone: Sequence[Fact], view: SubjectView) -> str:
    legal = terms(case)
    heads = {"Convicted": legal.guilty, "Acquitted": legal.acquitted}
    verdicts = [f"{heads.get(verdict.type, 'sentenced')}{ruling(view, verdict.id, court=True)}" for verdict in undone]
    outcome = _OUTCOMES.get(fact.data.get("outcome", ""), "")
    which = f": {' and '.join(dict.fromkeys(verdicts))}" if verdicts else " (no source here says which)"
    return f"{legal.verdict.capitalize()} set aside{ruling(view, fact.id)}{outcome}{which}."


def _undone(facts: Sequence[Fact], view: SubjectView) -> dict[str, list[Fact]]:
    """
    Return the verdicts that later decisions of one case set aside, by the id of the later decision.

    The case is folded again, since only the fold assigns each decision to counts.
    """
    undone: dict[str, list[Fact]] = {}
    if not facts:
        return undone
    case = Case(_unflagged, view.history.placing.is_behind, facts[0])
    for place, fact in enumerate(facts):
        before = [(count, count.status, count.verdict, count.verdict_by) for count in case.counts.all]
        case.advance(fact, place)
        for count, status, verdict, by in before:
            is_overturned = fact.type == "VerdictOverturned" and count.status != status
            if by is not None and (count.verdict != verdict or is_overturned):
                undone.setdefault(fact.id, []).append(by)
    return undone


def _unflagged(code: str, fact: Fact) -> None:
    """Ignore the flag: the row has it."""


def _tied(one: Fact, other: Fact) -> bool:
    return other.id in one.data.get("after", ()) or one.id in other.data.get("after", ())
