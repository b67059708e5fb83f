"""The standing of a person before the law, case by case, in sentences that state no more than the facts prove."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from events.facts import Fact
from projections.subjects.view import SubjectView

from .decisions import OTHER, case_facts, decision_lines, ruling, terms
from .facts import data_of, fact_words
from .terms import STAGES, charge_words, on_words, parts_words, safe, stage_words, words

Row = Mapping[str, Any]

NO_LONGER_HELD: Final = frozenset({"released", "sentence_served", "deceased"})
_NAMED_CHARGES: Final = 3
# The steps of a case before a charge, and the ends that need no charge.
_ALLEGING: Final = frozenset(
    {
        *("Accused", "MaterialsReferred", "InvestigationOpened", "InvestigationSuspended", "InvestigationResumed"),
        *("SuspectNamed", "AllegationWithdrawn", "CaseClosed"),
    }
)
_ALLEGED_STAGES: Final = frozenset({"accused", "materials_referred", "investigation", "suspect", "withdrawn"})
# These facts state or presuppose that a court found the person guilty.
_SAYS_GUILTY: Final = frozenset(
    {"Convicted", "Sentenced", "SentenceChanged", "Imprisoned", "Paroled", "SentenceServed"}
)
# These facts presuppose a verdict: a verdict of guilty, unless the case is known to have had an acquittal.
_SAYS_VERDICT: Final = frozenset(
    {
        *("AppealFiled", "VerdictUpheld", "VerdictOverturned", "VerdictFinal"),
        *("ReviewRequested", "ReviewRefused", "Pardoned", "PardonAnnulled"),
    }
)
# If no verdict of guilty stands after a sentence, one of these facts after the sentence removed it.
_UNDONE_BY: Final = frozenset({"VerdictOverturned", "Acquitted", "CaseClosed", "ChargesDropped"})
_ENDS: Final = {
    "dropped": "charges dropped",
    "closed": "case closed",
    "withdrawn": "allegation withdrawn",
    "amnestied": "amnestied",
    "pardoned": "pardoned",
    "replaced": "replaced by other charges",
}
_ENDS_OF_A_CHARGE: Final = {"dropped": "proceedings dropped", "closed": "proceedings closed"}


class Disposition(NamedTuple):
    """The words before and after the number of counts: ``found guilty`` ... ``by COURT on DAY``."""

    head: str
    tail: str


def law_lines(status: Row, view: SubjectView) -> Iterator[str]:
    """Yield a person's standing before the law: a line for all criminal cases, then one for each case of any kind."""
    yield standing(status, view)
    for case in status["cases"]:
        yield f"{_name(case)}: {case_sentence(case, status, view)}"


def standing(status: Row, view: SubjectView) -> str:
    """Return a person's standing before the law over all criminal cases, in one line that names the cases."""
    criminal = [case for case in status["cases"] if case["kind"] == "criminal"]
    is_open = [case for case in criminal if case["open"]]
    match status["presumption"]:
        case "convicted":
            final = [case for case in criminal if any(map(finally_convicted, case["counts"]))]
            rest = [case for case in is_open if case not in final]
            presumed = f" Presumed innocent{_in(rest)}: no verdict there is final." if rest else ""
            return f"Convicted by a final verdict{_in(final)}.{presumed}"
        case "convicted_not_final":
            guilty = [case for case in criminal if any(map(_found_guilty, case["counts"]))]
            return f"Found guilty{_in(guilty)}, not final: presumed innocent until a verdict is."
        case "cleared":
            withdrawn = any(count["status"] == "withdrawn" for case in criminal for count in case["counts"])
            left_out = " (withdrawn allegations aside)" if withdrawn else ""
            return f"Cleared: every charge ended by acquittal or on a ground that rehabilitates{left_out}."
        case _:
            return _presumed(status, criminal, view)


def case_sentence(case: Row, status: Row, view: SubjectView) -> str:
    """
    Return the sentences on one case: each verdict with court, day and counts, the sentence, the verdicts set aside.

    Args:
        case: the case as the row has it.
        status: the row, for its flags, its holds and the death.
        view: the person's facts.
    """
    sentences = [f"{_capital(text)}." for text in _verdicts(case, view)]
    if sentence := sentence_words(case, view):
        sentences.append(f"{_capital(sentence)}.")
    if case["suspended"]:
        sentences.append(f"The investigation is suspended{_since(view, case['suspended_fact_id'])}.")
    reviews = frozenset(flag["fact_id"] for flag in status["anomalies"] if flag["code"] == "appeal_after_final")
    sentences += dict.fromkeys(decision_lines(case, view, reviews))
    if is_dead(status) and any(map(_undecided, case["counts"])):
        sentences.append(f"The death ended the case without a final {terms(case).verdict}.")
    sentences += _unreleased(case, status)
    return " ".join(sentences) or "Only custody or a search is known in it."


def disposition(count: Row, case: Row, view: SubjectView) -> Disposition:
    """Return the disposition of one count of *case*, with the court and the day of each decision."""
    status, legal = count["status"], terms(case)
    verdict = _verdict(count, case, view)
    if status == "undecided":
        return Disposition(f"no {legal.verdict}", ": alleged")
    if status in {"convicted", "acquitted"}:
        return verdict
    # No court decided on a replaced charge: the fact that replaced it is about the other charges.
    end = "" if status == "replaced" else ruling(view, count["fact_id"])
    if _type(view, count["fact_id"]) == "VerdictOverturned":
        return Disposition(f"case ended, the {legal.verdict} set aside", f"{end}{_ground(count)}")
    if count["verdict"] is None:
        head = _ENDS[status] if whole(count) else _ENDS_OF_A_CHARGE.get(status, _ENDS[status])
        without = f", without a {legal.verdict}" if status in {"amnestied", "pardoned"} else _ground(count)
        return Disposition(head, f"{end}{without}")
    if count["rehabilitated"]:
        earlier = f"after an earlier {legal.verdict}{ruling(view, count['verdict_fact_id'], court=True)}"
        return Disposition("rehabilitated", f"{end} ({_ENDS[status]}), {earlier}")
    return Disposition(verdict.head, f"{verdict.tail}; then {_ENDS[status]}{end}")


def on_counts(alike: Sequence[Row], case: Row, noun: str = "charge") -> str:
    """
    Return the number of counts of *case* that share a decision, with the charges if they are few.

    Empty if the whole case is one count. The total is left out if other charges replaced some counts: a source with
    other words for the charges counts them in another way.

    Args:
        alike: the counts that share the decision.
        case: their case.
        noun: the word for one count: charge, or allegation if the person was not charged.
    """
    live = stated(case)
    if not live or any(whole(count) for count in alike):
        return ""
    part, total = (sum(count["counts"] for count in counts) for counts in (alike, live))
    titles = list(dict.fromkeys(f"“{_title(count)}”" for count in alike))
    named = f" ({', '.join(titles)})" if len(titles) <= _NAMED_CHARGES else ""
    if total == 1:
        return f" on the {noun} of {titles[0]}"
    unit = "count" if any(count["counts"] > 1 for count in live) else noun
    if any(count["status"] == "replaced" for count in case["counts"]):
        return f" on {part} {unit}{'' if part == 1 else 's'}{named}"
    return f" on {'all' if part == total else f'{part} of'} {total} {unit}s{named}"


def sentence_words(case: Row, view: SubjectView) -> str:
    """Return the sentence of a case in words and in parts, with a note if no verdict supports it; empty if none."""
    parts = parts_words(case["parts"] or ())
    wording = "; ".join(filter(None, (f"“{safe(case['sentence'])}”" if case["sentence"] else "", parts)))
    if not wording:
        return ""
    by = ruling(view, case["sentence_fact_id"])
    if any(count["verdict"] == "convicted" and not count["rehabilitated"] for count in case["counts"]):
        return f"sentence{by}: {wording}"
    is_undone = any(fact.type in _UNDONE_BY for fact in _behind(case, view))
    why = f"of a {terms(case).verdict} that no longer stands" if is_undone else "on which counts is not known"
    return f"sentence{by}, {why}: {wording}"


def stage_of(case: Row) -> str:
    """
    Return the stage of a case, as far as its counts agree with it.

    A stage never goes back, so it may outlast the verdict or the appeal in its name.
    """
    if not case["stage"]:
        return "known only from custody or a search"
    stage, live = case["stage"]["status"], stated(case)
    text = stage_words(stage, case["kind"])
    if not case["open"]:
        return f"{text}, in part" if len({count["status"] for count in live}) > 1 else text
    guilty = any(count["status"] == "convicted" and not count["final"] for count in live)
    if _is_acquittal_on_appeal(case):
        is_whole = all(count["verdict"] == "acquitted" or finally_convicted(count) for count in live)
        text = f"{terms(case).acquitted}{'' if is_whole else ' in part'}, on appeal"
    elif stage == "appeal" and live and not any(count["on_appeal"] for count in live):
        text = f"{stage_words('convicted', case['kind']) if guilty else 'not decided on every charge'}, after an appeal"
    elif stage == "convicted" and not guilty:
        text = "not decided on every charge"
    elif stage not in STAGES and any(count["verdict"] for count in live):
        text = f"{words(stage)} (no {terms(case).verdict} on some charges)"
    if any(map(finally_convicted, live)):
        final = stage_words("final", case["kind"]).removeprefix("ended: ")
        return f"{text}; {final} on others"
    return text


def stated(case: Row) -> list[Row]:
    """Return the counts of a case, without those that other charges replaced."""
    return [count for count in case["counts"] if count["status"] != "replaced"]


def whole(count: Row) -> bool:
    """Return whether a count stands for the whole case because no charge is stated."""
    return not (count["title"] or count["article"] or count["count_id"])


def finally_convicted(count: Row) -> bool:
    """Return whether a final verdict of guilty stands for a count; a pardon does not undo it."""
    return bool(count["verdict"] == "convicted" and count["final"] and not count["rehabilitated"])


def is_unreleased(hold: Row) -> bool:
    """Return whether a hold is left out of the row: its case ended without a conviction, and no release is known."""
    return not hold["counted"] and hold["status"] not in NO_LONGER_HELD


def is_dead(status: Row) -> bool:
    """Return whether the person died."""
    return bool(status["service"]["status"] == "deceased")


def _is_acquittal_on_appeal(case: Row) -> bool:
    """Return whether the case is open only because of appeals against acquittals."""
    pending = [count for count in stated(case) if _undecided(count)]
    return bool(pending) and all(count["verdict"] == "acquitted" and count["on_appeal"] for count in pending)


def _verdict(count: Row, case: Row, view: SubjectView) -> Disposition:
    """Return the verdict on a count as it was, without a later end of the count."""
    legal = terms(case)
    by = ruling(view, count["verdict_fact_id"], court=True)
    # A Sentenced without a Convicted shows that no source reported the verdict, not that there was none.
    by += ", as the sentence implies" if _type(view, count["verdict_fact_id"]) == "Sentenced" else ""
    by += ", in the person's absence" if count["in_absentia"] else ""
    appeal = "; on appeal" if count["on_appeal"] else ""
    if count["verdict"] == "acquitted":
        final = f" by a final {legal.verdict}" if count["final"] else ""
        after = f" after an earlier {legal.verdict} of guilty" if count["rehabilitated"] and legal is not OTHER else ""
        return Disposition(f"{legal.acquitted}{final}", f"{by}{after}{appeal}")
    if not count["final"]:
        open_ = "on appeal, no" if count["on_appeal"] else "no"
        return Disposition(legal.guilty, f"{by}; {open_} final {legal.verdict} is known")
    day = data_of(view, count["final_fact_id"]).get("occurred")
    later = f", final {on_words(day)}" if day and count["final_fact_id"] != count["verdict_fact_id"] else ""
    word = "finally decided against the person" if legal is OTHER else "convicted by a final verdict"
    return Disposition(word, f"{by}{later}")


def _verdicts(case: Row, view: SubjectView) -> Iterator[str]:
    """Yield the stage while no count is decided, then a clause for each group of counts with one disposition."""
    groups: dict[Disposition, list[Row]] = {}
    counts = stated(case)
    noun = _noun(case, view)
    if case["stage"] and all(count["status"] == "undecided" for count in counts):
        yield stage_of(case)
        # For a whole case the stage has stated it.
        counts = [count for count in counts if not whole(count)]
    for count in counts:
        groups.setdefault(disposition(count, case, view), []).append(count)
    for (head, tail), alike in groups.items():
        on = on_counts(alike, case, noun)
        if on and alike[0]["status"] == "withdrawn" and head == _ENDS["withdrawn"]:
            number = sum(count["counts"] for count in alike)
            yield f"{on.removeprefix(' on ')} {'was' if number == 1 else 'were'} withdrawn{tail}"
        else:
            yield f"{head}{on}{tail}"


def _noun(case: Row, view: SubjectView) -> str:
    """Return the word for a count: allegation if the person was not charged, else charge."""
    types = {fact.type for fact in case_facts(view, case["case_id"])}
    is_alleged = types <= _ALLEGING if types else case["stage"] and case["stage"]["status"] in _ALLEGED_STAGES
    return "allegation" if is_alleged else "charge"


def _ground(count: Row) -> str:
    return " on a ground that rehabilitates" if count["rehabilitated"] else ""


def _presumed(status: Row, criminal: Sequence[Row], view: SubjectView) -> str:
    if not criminal:
        return "Presumed innocent."
    known = [case for case in criminal if case["stage"] or case["counts"]]
    proven = any(count["verdict"] == "convicted" for case in criminal for count in case["counts"])
    if proven or _may_have_been_proven(status, view):
        wording = "no verdict of guilty is known to stand"
    else:
        # If only custody is known, there is nothing that a court could have found proven.
        wording = "no court has found it proven" if known else ""
    if is_dead(status):
        return f"{'; '.join(filter(None, ('Died without a final conviction: presumed innocent', wording)))}."
    pending = [case for case in known if case["open"]]
    is_appeal = bool(pending) and all(map(_is_acquittal_on_appeal, pending))
    what = "an acquittal is on appeal" if is_appeal else "what follows is accusation" if pending else ""
    reasons = "; ".join(filter(None, (what, wording)))
    return f"Presumed innocent: {reasons}." if reasons else "Presumed innocent."


def _may_have_been_proven(status: Row, view: SubjectView) -> bool:
    """Return whether a fact of a criminal case states or presupposes a verdict of guilty, even if it sets no status."""
    others = {case["case_id"] for case in status["cases"] if case["kind"] != "criminal"}
    facts = [*view.world, *view.history.undated, *view.history.announced]
    own = [fact for fact in facts if fact.data.get("case_id") not in others]
    acquitted = {fact.data["case_id"] for fact in own if fact.type == "Acquitted"}
    return any(
        fact.type in _SAYS_GUILTY or (fact.type in _SAYS_VERDICT and fact.data["case_id"] not in acquitted)
        for fact in own
    )


def _unreleased(case: Row, status: Row) -> Iterator[str]:
    if any(hold["case_id"] == case["case_id"] and is_unreleased(hold) for hold in status["custody_cases"]):
        yield "No release was reported."
    if any(search["case_id"] == case["case_id"] and not search["counted"] for search in status["searches"]):
        yield "No end of the search was reported."


def _behind(case: Row, view: SubjectView) -> Iterable[Fact]:
    """Return the facts of a case after its sentence, in world order."""
    facts = case_facts(view, case["case_id"])
    at = next((at for at, fact in enumerate(facts) if fact.id == case["sentence_fact_id"]), -1)
    return facts[at + 1 :]


def _since(view: SubjectView, fact_id: str | None) -> str:
    return f" ({fact_words(view, fact_id)})" if fact_id else ""


def _name(case: Row) -> str:
    kind = "" if case["kind"] == "criminal" else f"{case['kind']} "
    return _capital(f"{kind}case {safe(case['case_id'])}")


def _in(cases: Sequence[Row]) -> str:
    names = [safe(case["case_id"]) for case in cases]
    if not names:
        return ""
    return f" in case{'s' if len(names) > 1 else ''} {' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))}"


def _title(count: Row) -> str:
    return charge_words({name: count[name] for name in ("count_id", "article", "title") if count[name]})


def _found_guilty(count: Row) -> bool:
    return bool(count["verdict"] == "convicted" and not count["final"] and not count["rehabilitated"])


def _undecided(count: Row) -> bool:
    return bool(
        count["status"] == "undecided" or count["on_appeal"] or (count["status"] == "convicted" and not count["final"])
    )


def _type(view: SubjectView, fact_id: str | None) -> str | None:
    line = view.facts.get(fact_id) if fact_id else None
    return line.fact.type if line else None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
