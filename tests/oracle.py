"""
A second opinion: the design's sections 4 to 6 read literally, as plainly and as slowly as possible.

Everything is worked out anew from the whole set of facts at every instant that could matter; nothing is carried
on, cached or ordered cleverly, and nothing of `projections` is used. What the design leaves open follows what the
docstrings there promise: an open case only goes forward, a verdict is never guessed, a pardon undoes no final
conviction, what a correction speaks of cannot be corrected.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any, NamedTuple

from events.edtf import Span
from events.facts import Fact, replace_data
from events.vocabulary import RANK, TRACK_OF, data_problem

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
HOURS_TO_SPARE = timedelta(hours=14)

SERVICE = {
    "Appointed": "in_office", "Transferred": "in_office", "SuspensionLifted": "in_office", "Reinstated": "in_office",
    "DismissalAnnulled": "in_office", "Suspended": "suspended", "Resigned": "resigned", "Retired": "retired",
    "Removed": "removed", "Dismissed": "dismissed", "LeftOffice": "left_office", "Died": "deceased",
}  # fmt: skip
CUSTODY = {
    "Detained": "detained", "Arrested": "remanded", "HouseArrested": "house_arrest", "Bailed": "bailed",
    "Released": "released", "Extradited": "extradited", "Imprisoned": "imprisoned", "SentenceServed": "sentence_served",
}  # fmt: skip
NOT_WANTED = {"WantedCancelled", "Detained", "Arrested", "Extradited", "Imprisoned", "Died"}
OPEN = [
    "accused", "materials_referred", "investigation", "suspect", "charged", "indicted", "trial", "convicted", "appeal",
]  # fmt: skip
STEPS = {
    "Accused": "accused", "MaterialsReferred": "materials_referred", "InvestigationOpened": "investigation",
    "InvestigationSuspended": "investigation", "InvestigationResumed": "investigation", "SuspectNamed": "suspect",
    "Charged": "charged", "ChargesAmended": "charged", "Indicted": "indicted", "TrialOpened": "trial",
    "AppealFiled": "appeal",
}  # fmt: skip
ENDS = {
    "ChargesDropped": "dropped", "CaseClosed": "closed", "Acquitted": "acquitted", "Amnestied": "amnestied",
    "Pardoned": "pardoned", "VerdictOverturned": "overturned",
}  # fmt: skip


class Silence(NamedTuple):
    """``absent ... for``, with the exceptions of the rule that ships."""

    id: str
    on: frozenset[str]
    absent: frozenset[str]
    wait: timedelta
    settle: timedelta
    custody: frozenset[str]
    open_cases: int


class Following(NamedTuple):
    """``then ... within``."""

    id: str
    on: frozenset[str]
    then: frozenset[str]
    within: timedelta
    certain: bool


class Cell(NamedTuple):
    """A word, since when (earliest, latest), the fact it rests on, and how many agree."""

    word: str
    earliest: datetime | None
    latest: datetime | None
    fact_id: str
    facts: int


Life = list[tuple[str, datetime]]


def certainly_before(a: Span, b: Span) -> bool:
    """A.latest <= B.earliest, nothing marked, and 14 hours to spare between a day and a date-time."""
    if a.marked or b.marked or a.latest is None or b.earliest is None:
        return False
    return a.latest + (HOURS_TO_SPARE if a.latest_exact != b.earliest_exact else timedelta(0)) <= b.earliest


def possibly_before(a: Span, b: Span) -> bool:
    """A.earliest < B.latest."""
    return a.dated and b.dated and (a.earliest or FIRST) < (b.latest or LAST)


def in_force(facts: Sequence[Fact]) -> tuple[list[Fact], set[tuple[str, str]]]:
    """The facts about the world that corrections and retractions leave, with the data in force; and the flags."""
    known = {fact.id: fact for fact in facts}
    about = {fact.id: fact.data["fact_id"] for fact in facts if TRACK_OF[fact.type] == "meta"}
    flags = set()

    def in_cycle(name: str) -> bool:
        at, seen = about.get(name), {name}
        while at in about and at not in seen:
            seen.add(at)
            at = about[at]
        return at == name

    def current(fact: Fact) -> Fact | None:
        if in_cycle(fact.id):
            flags.add(("correction_cycle", fact.id))
            return None
        speaking = [now for other in facts if about.get(other.id) == fact.id and (now := current(other))]
        if any(other.type == "Retracted" for other in speaking):
            return None
        best = None
        for other in speaking:
            new = other.data["data"]
            fits = data_problem(fact.type, new) is None and new.get("fact_id") == about.get(fact.id, new.get("fact_id"))
            if not fits:
                flags.add(("correction_misfit", other.id))
            elif best is None or _published(other) > _published(best):
                best = other
        if fact.id in about and about[fact.id] not in known:
            flags.add(("target_missing", fact.id))
        return replace_data(fact, best.data["data"]) if best else fact

    left = [current(fact) for fact in facts]
    return [fact for fact in left if fact and TRACK_OF[fact.type] != "meta"], flags


def _published(fact: Fact) -> tuple[datetime, datetime, str]:
    return (fact.published.latest or LAST, fact.published.earliest or FIRST, fact.id)


def world(facts: Sequence[Fact], at: datetime) -> list[Fact]:
    """The facts that count at *at*, in world order."""
    counting = [
        fact
        for fact in in_force(facts)[0]
        if fact.occurred.dated and not (fact.announced and (fact.occurred.latest or LAST) > at)
    ]
    return sorted(
        counting,
        key=lambda f: (f.occurred.latest or LAST, f.occurred.earliest or FIRST, RANK[f.type], *_published(f)),
    )


def status(counting: Sequence[Fact]) -> dict[str, Any]:
    """The words of the three tracks that *counting*, in world order, leave, each with its cell."""
    served = [(SERVICE[fact.type], fact) for fact in counting if fact.type in SERVICE]
    held = [(CUSTODY[fact.type], fact) for fact in counting if fact.type in CUSTODY]
    case_ids = dict.fromkeys(fact.data["case_id"] for fact in counting if TRACK_OF[fact.type] == "case")
    cases = {
        case_id: _Case([f for f in counting if TRACK_OF[f.type] == "case" and f.data["case_id"] == case_id])
        for case_id in case_ids
    }
    found: dict[str, Any] = {"service": _run(served), "custody": _run(held), "wanted": _wanted(counting)}
    opened = [case for case in cases.values() if case.is_open]
    ended = [case for case in cases.values() if case.cells and not case.is_open]
    # Of two at the same stage, and of two that ended, the one of which it was said last.
    last = max(opened or ended, key=lambda case: (OPEN.index(case.stage) if opened else 0, case.last), default=None)
    found |= {"stage": _run(last.cells) if last else None, "open_cases": len(opened)}
    found |= {"presumption": _presumption(cases.values(), opened, ended), "cases": cases}
    found["headline"] = _headline(found)
    return found


def _run(cells: Sequence[tuple[str, Fact]]) -> Cell | None:
    """The last word, since the first fact of the unbroken run of it."""
    if not cells:
        return None
    run = [fact for _, fact in takewhile(lambda cell: cell[0] == cells[-1][0], reversed(cells))]
    return Cell(cells[-1][0], run[-1].occurred.earliest, run[-1].occurred.latest, run[-1].id, len(run))


def _wanted(counting: Sequence[Fact]) -> Cell | None:
    since = [*takewhile(lambda fact: fact.type not in NOT_WANTED, reversed(counting))][::-1]
    cells: list[tuple[str, Fact]] = []
    for fact in since:
        if fact.type == "Wanted":
            cells.append((fact.data.get("scope") or (cells[-1][0] if cells else "national"), fact))
    return _run(cells)


class _Case:
    """One case: the words it went through with their facts, and the verdict so far."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.cells: list[tuple[str, Fact]] = []
        self.verdict = ""
        self.final = self.rehabilitating = False
        self.charges: list[Any] = next((fact.data["charges"] for fact in reversed(facts) if "charges" in fact.data), [])
        self.authority = next((fact.data["authority"] for fact in reversed(facts) if "authority" in fact.data), None)
        for fact in facts:
            word = self._word(fact)
            if word:
                self.cells.append((word, fact))

    @property
    def stage(self) -> str:
        return self.cells[-1][0] if self.cells else ""

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN

    @property
    def last(self) -> tuple[Any, ...]:
        return self.cells[-1][1].order

    @property
    def clears(self) -> bool:
        return self.stage in {"acquitted", "dropped", "overturned"} or (self.stage == "closed" and self.rehabilitating)

    def _word(self, fact: Fact) -> str | None:  # noqa: PLR0911 - a list of cases, one a line or two
        kind = fact.type
        if kind in STEPS:
            if self.cells and not self.is_open:
                self.final = False
                self.verdict = self.verdict if kind == "AppealFiled" else ""
                return STEPS[kind]
            return None if self.is_open and OPEN.index(STEPS[kind]) < OPEN.index(self.stage) else STEPS[kind]
        if kind in ENDS:
            self.rehabilitating = fact.data.get("rehabilitating", False)
            if kind in {"Acquitted", "VerdictOverturned"}:
                self.verdict, self.final = ("acquitted" if kind == "Acquitted" else ""), False
            return ENDS[kind]
        if kind == "AllegationWithdrawn":
            return "dropped" if self.stage == "accused" else None
        if kind in {"Convicted", "Sentenced"}:
            if self.verdict == "convicted" and (self.final or kind == "Sentenced"):
                return None
            self.verdict, self.final = "convicted", False
            return "convicted"
        if not self.verdict or (kind == "VerdictUpheld" and self.final):
            return None
        self.final = self.final or kind == "VerdictFinal"
        return "final" if self.final and self.verdict == "convicted" else self.verdict


def _presumption(cases: Iterable[_Case], opened: Sequence[_Case], ended: Sequence[_Case]) -> str:
    if any(case.verdict == "convicted" and case.final for case in cases):
        return "convicted"
    if any(case.verdict == "convicted" for case in opened):
        return "convicted_not_final"
    return "cleared" if ended and not opened and all(case.clears for case in ended) else "presumed_innocent"


def _headline(found: dict[str, Any]) -> str:
    service, custody = (found[track].word if found[track] else "unknown" for track in ("service", "custody"))
    if service == "deceased":
        return "deceased"
    if custody not in {"unknown", "released"}:
        return str(custody)
    return (found["stage"].word if found["stage"] else None) or ("wanted" if found["wanted"] else service)


def value(rule: Silence | Following, anchor_id: str, known: Sequence[Fact], at: datetime) -> str:
    """Whether the finding of *rule* at the anchor is void, ended or standing at *at*, given the facts *known*."""
    counting = world(known, at)
    anchor = next((fact for fact in counting if fact.id == anchor_id and fact.type in rule.on), None)
    if anchor is None:
        return "void"
    others = [fact for fact in counting if fact is not anchor]
    if isinstance(rule, Following):
        return "standing" if any(_completes(rule, anchor, fact) for fact in others) else "void"
    before = status(counting[: counting.index(anchor)])
    if (before["custody"] and before["custody"].word in rule.custody) or before["open_cases"] >= rule.open_cases:
        return "void"
    undated = [fact for fact in in_force(known)[0] if not fact.occurred.dated and fact.type in rule.absent]
    deadline = (anchor.occurred.latest or LAST) + rule.wait
    if undated or at < deadline + rule.settle:
        return "void"
    follows = [fact for fact in others if fact.type in rule.absent]
    if any((f.occurred.earliest or FIRST) < deadline and possibly_before(anchor.occurred, f.occurred) for f in follows):
        return "void"
    limit = Span(
        None, deadline, latest_exact=anchor.occurred.latest_exact, earliest_exact=False, marked=False, dated=True
    )
    return "ended" if any(certainly_before(limit, fact.occurred) for fact in follows) else "standing"


def _completes(rule: Following, anchor: Fact, follow: Fact) -> bool:
    if follow.type not in rule.then:
        return False
    a, b = anchor.occurred, follow.occurred
    if rule.certain:
        near = a.earliest is not None and b.latest is not None and b.latest - a.earliest <= rule.within
        return near and certainly_before(a, b)
    far = a.latest is not None and b.earliest is not None and b.earliest - a.latest >= rule.within
    return possibly_before(a, b) and not far


def lives(rule: Silence | Following, ledger: Sequence[Fact], until: datetime) -> dict[str, Life]:
    """
    The life of each alert of *rule* about one person, by its anchor: (state, at) each.

    Args:
        rule: the pattern.
        ledger: the person's facts in the order in which they were recorded.
        until: the watermark at the end.
    """
    found: dict[str, Life] = {}
    known: list[Fact] = []
    for at in sorted({fact.recorded for fact in ledger} | _instants(rule, ledger)):
        for fact in ledger:
            if fact.recorded == at <= until:
                known.append(fact)
                _step(rule, known, at, found, still_coming=True)
        # Strictly past the instant: every record stamped with it is in.
        if at < until:
            _step(rule, known, at, found, still_coming=False)
    return {anchor: life for anchor, life in found.items() if life}


def _instants(rule: Silence | Following, ledger: Sequence[Fact]) -> set[datetime]:
    """Every instant at which time alone could change a value, whatever is known by then."""
    versions = [fact for n in range(len(ledger)) for fact in in_force(ledger[: n + 1])[0]]
    ends = {fact.occurred.latest for fact in versions if fact.occurred.latest is not None}
    return ends | ({end + rule.wait + rule.settle for end in ends} if isinstance(rule, Silence) else set())


def _step(
    rule: Silence | Following, known: Sequence[Fact], at: datetime, found: dict[str, Life], *, still_coming: bool
) -> None:
    for anchor in {fact.id: None for fact in known if fact.type in rule.on}:
        life = found.setdefault(anchor, [])
        state = life[-1][0] if life else ""
        now = value(rule, anchor, known, at)
        if now == "standing" and state != "open" and not (isinstance(rule, Silence) and still_coming):
            life.append(("open", at))
        elif now == "ended" and state in {"open", "retracted"}:
            life.append(("resolved", at))
        elif now == "void" and state in {"open", "resolved"}:
            life.append(("retracted", at))
