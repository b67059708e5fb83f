"""
The effect of each decision on the counts of a case (docs/design.md, 3.4).

A decision concerns the counts that its charges name. For a decision without names, the docstring of each function says
which counts it concerns. Each function returns the stage that the case reaches by the decision, or None.
"""

from collections.abc import Callable, Mapping
from typing import Final

from events.facts import Fact

from .counts import DECIDED, Count, Counts

Named = list[Count] | None
"""The counts that a decision names; None if it names none."""
Effect = Callable[[Counts, Fact, int, Named], str | None]


def convict(counts: Counts, fact: Fact, place: int, named: Named) -> str | None:
    """Convict of the undecided counts and those on appeal; else of acquitted ones, if no count is convicted yet."""
    if named is not None:
        concerned = named
    else:
        concerned = _pending(counts, fact)
        if not concerned and not any(count.status == "convicted" for count in counts.all):
            concerned = [count for count in counts.all if count.status == "acquitted" and count.final is None]
    if not concerned and fact.data.get("final", False):
        concerned = [count for count in counts.all if count.status == "convicted"]
    for count in concerned:
        count.decide("convicted", fact, place)
    return "convicted" if any(count.status == "convicted" for count in concerned) else None


def acquit(counts: Counts, fact: Fact, place: int, named: Named) -> str | None:
    """Acquit of the undecided counts and those on appeal; else of those convicted and not final."""
    if named is not None:
        concerned = named
    else:
        concerned = _pending(counts, fact)
        concerned = concerned or [count for count in counts.all if count.status == "convicted" and count.final is None]
    if not concerned and fact.data.get("final", False):
        concerned = [count for count in counts.all if count.status == "acquitted"]
    for count in concerned:
        count.decide("acquitted", fact, place)
    return None


def sentence(counts: Counts, fact: Fact, place: int, named: Named) -> str | None:
    """Note the sentence on the convicted counts; if there is none, the only undecided count becomes convicted."""
    if named is not None:
        concerned = named
    else:
        concerned = [count for count in counts.all if count.status == "convicted"]
        undecided = [count for count in counts.all if count.status == "undecided"]
        if not concerned and len(undecided) == 1:
            concerned = undecided
    sentenced = [count for count in concerned if count.status in {"convicted", "undecided"}]
    surprising = [count for count in sentenced if count.status == "undecided"]
    if surprising or not sentenced:
        counts.flag("never_convicted", fact)
    for count in sentenced:
        count.sentence = fact
    for count in surprising:
        count.decide("convicted", fact, place)
    return "convicted" if surprising else None


def appeal(counts: Counts, fact: Fact, place: int, named: Named) -> str | None:
    """Put on appeal the convicted counts that are not final, else the acquitted ones; the prosecution appeals both."""
    del place
    among = counts.all if named is None else named
    decided = [count for count in among if count.status in DECIDED]
    pending = [count for count in decided if count.final is None]
    if named is None and fact.data.get("by") != "prosecution":
        pending = [count for count in pending if count.status == "convicted"] or pending
    for count in pending:
        count.appeal = count.appeal or fact
    if decided and not pending:
        counts.flag("appeal_after_final", fact)
        return None
    if not decided:
        counts.flag("no_verdict", fact)
    return "appeal"


def uphold(counts: Counts, fact: Fact, place: int, named: Named) -> str | None:
    """End the appeal of the counts on appeal, else concern the decided ones; the verdicts stay."""
    concerned = _concerned(counts, named, lambda count: count.appeal is not None, lambda count: count.status in DECIDED)
    concerned = [count for count in concerned if count.status in DECIDED]
    if not concerned:
        counts.flag("no_verdict", fact)
    for count in concerned:
        count.leave_appeal(fact, place)
        if fact.data.get("final", False):
            count.finish(fact, place)
    return None


def overturn(counts: Counts, fact: Fact, place: int, named: Named) -> str | None:
    """Set aside the verdicts of the counts on appeal, else of convicted and pardoned ones, else of acquitted ones."""
    outcome = fact.data.get("outcome", "remitted")
    concerned = _concerned(
        counts,
        named,
        lambda count: count.appeal is not None,
        lambda count: count.stands_convicted,
        lambda count: count.status == "acquitted",
    )
    if not any(count.status in DECIDED or count.stands_convicted for count in concerned):
        counts.flag("no_verdict", fact)
    for count in concerned:
        if outcome == "acquitted":
            count.final = count.verdict = None
            count.decide("acquitted", fact, place)
        elif outcome == "ended":
            count.end("closed", fact, place, rehabilitating=bool(fact.data.get("rehabilitating", False)))
        else:
            count.reopen(fact, place)
    return "overturned" if outcome == "remitted" or not concerned else None


def finish(counts: Counts, fact: Fact, place: int, named: Named) -> str | None:
    """Make final the verdicts that are not on appeal; if there is none, those on appeal."""
    concerned = _concerned(
        counts,
        named,
        lambda count: count.status in DECIDED and count.appeal is None,
        lambda count: count.appeal is not None,
    )
    concerned = [count for count in concerned if count.status in DECIDED]
    if not concerned:
        counts.flag("no_verdict", fact)
    for count in concerned:
        count.leave_appeal(fact, place)
        count.finish(fact, place)
    return None


def drop(counts: Counts, fact: Fact, place: int, named: Named) -> str | None:
    """
    End the undecided counts; if there is none, the other counts that have not ended.

    On a ground that clears, end all that have not ended. A case that is closed on such a ground also ends its finally
    convicted counts.
    """
    clears = bool(fact.data.get("rehabilitating", False))
    is_closed = fact.type == "CaseClosed"
    among = counts.all if named is None else named
    undecided = [count for count in counts.all if count.status == "undecided"]
    if named is None and undecided and not clears:
        # After a plea or a mixed verdict the rest is dropped. A conviction that stands is not meant.
        among = undecided
    concerned = [count for count in among if count.is_open or (is_closed and clears and count.is_finally_convicted)]
    if not concerned:
        counts.flag("already_ended", fact)
    for count in concerned:
        count.end("closed" if is_closed else "dropped", fact, place, rehabilitating=clears)
    return None


def forgive(counts: Counts, fact: Fact, place: int, named: Named) -> str | None:
    """Pardon or amnesty the convicted and undecided counts; a partial pardon only changes a sentence."""
    if fact.data.get("scope") == "partial":
        return None
    forgivable = frozenset({"convicted", "undecided"})
    for count in _concerned(counts, named, lambda count: count.status in forgivable):
        if count.status in forgivable:
            count.end("amnestied" if fact.type == "Amnestied" else "pardoned", fact, place)
    return None


def annul_pardon(counts: Counts, fact: Fact, place: int, named: Named) -> str | None:
    """Undo a pardon; it had left the verdict and its finality."""
    concerned = _concerned(counts, named, lambda count: count.status == "pardoned")
    pardoned = [count for count in concerned if count.status == "pardoned"]
    if not pardoned:
        counts.flag("not_pardoned", fact)
    for count in pardoned:
        count.unforgive(place)
    return None


EFFECTS: Final[Mapping[str, Effect]] = {
    "Convicted": convict,
    "Acquitted": acquit,
    "Sentenced": sentence,
    "AppealFiled": appeal,
    "VerdictUpheld": uphold,
    "VerdictOverturned": overturn,
    "VerdictFinal": finish,
    "ChargesDropped": drop,
    "CaseClosed": drop,
    "Amnestied": forgive,
    "Pardoned": forgive,
    "PardonAnnulled": annul_pardon,
}
"""The effect of each type of decision."""


def _concerned(counts: Counts, named: Named, *choices: Callable[[Count], bool]) -> list[Count]:
    """Return the counts that are *named*, else those that fit the first of *choices* that any count fits."""
    if named is not None:
        return named
    for choice in choices:
        if concerned := [count for count in counts.all if choice(count)]:
            return concerned
    return []


def _pending(counts: Counts, fact: Fact) -> list[Count]:
    """Return the counts that wait for a verdict; flag *fact* if there are several, since it names none."""
    concerned = [count for count in counts.all if count.status == "undecided" or count.appeal is not None]
    if len(concerned) > 1:
        counts.flag("counts_not_named", fact)
    return concerned
