"""A literal reading of docs/design.md, 3.4: one case and its counts after the events in world order."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from tests.oracle.model_counts import Charge, Count, changes, matches, overturnable, settle, waits
from tests.oracle.model_posts import Flag
from tests.oracle.model_time import Event, begins_after

STEPS = {
    "Accused": "accused", "MaterialsReferred": "materials_referred", "InvestigationOpened": "investigation",
    "InvestigationSuspended": "investigation", "InvestigationResumed": "investigation", "SuspectNamed": "suspect",
    "Charged": "charged", "ChargesAmended": "charged", "Indicted": "indicted", "TrialOpened": "trial",
}  # fmt: skip
WEIGHT = {
    "accused": 0, "materials_referred": 1, "investigation": 2, "suspect": 3, "charged": 4, "overturned": 4,
    "indicted": 5, "trial": 6, "convicted": 7, "appeal": 8,
}  # fmt: skip
RESUMES = {
    "InvestigationResumed", "SuspectNamed", "Charged", "ChargesAmended", "Indicted", "TrialOpened", "Convicted",
    "Acquitted", "Sentenced",
}  # fmt: skip
ABOUT_VERDICTS = {
    "Sentenced", "SentenceChanged", "AppealFiled", "VerdictUpheld", "VerdictOverturned", "VerdictFinal",
    "ReviewRequested", "ReviewRefused", "Amnestied", "Pardoned", "PardonAnnulled",
}  # fmt: skip
DECISIONS = {
    "Convicted", "Acquitted", "ChargesDropped", "CaseClosed", "Amnestied", "Pardoned", "VerdictOverturned",
}  # fmt: skip


@dataclass
class Case:
    """One case of one person."""

    flag: Flag
    counts: list[Count] = field(default_factory=list)
    kind: str | None = None
    kind_event: Event | None = None
    stage: tuple[str, Event] | None = None
    suspended: Event | None = None
    sentence: Event | None = None
    charges: Event | None = None
    authority: Event | None = None
    was_open: bool = False

    @property
    def open(self) -> bool:
        """Return whether a count is undecided, convicted and not final, or on appeal."""
        return any(count.open for count in self.counts)

    @property
    def last_end(self) -> Event:
        """Return the event that ended a case that is not open."""
        counts = [count for count in self.counts if count.status != "replaced"] or self.counts
        return max((count.end for count in counts), key=lambda event: event.pos)

    @property
    def shown_stage(self) -> tuple[str, Event] | None:
        """Return the stage, open or ended, and the event on which it rests."""
        if self.open or not self.counts:
            return self.stage
        final = [count.end for count in self.counts if count.finally_convicted]
        if final:
            return "final", max(final, key=lambda event: event.pos)
        counts = [count for count in self.counts if count.status != "replaced"] or self.counts
        last = max(enumerate(counts), key=lambda pair: (pair[1].end.pos, pair[0]))[1]
        return last.status, last.end

    def read(self, event: Event) -> None:
        """Apply one event of the case track."""
        self._describe(event)
        ended = bool(self.counts) and not self.open
        self.was_open = self.open
        opens_again = ended and event.type in STEPS
        if opens_again and not self._follows_the_end(event):
            self.flag("order_unknown", event)
            self._state(event, [], whole_only=True)
            return
        self.counts = self.counts or [Count(event)]
        named = self._named(event)
        if opens_again:
            self._open_again(event, named)
        else:
            if event.type in STEPS:
                self._step(STEPS[event.type], event)
            if event.type in ACTS:
                ACTS[event.type](self, event, named)
        if event.type == "InvestigationSuspended":
            self.suspended = self.suspended or event
        if event.type in RESUMES or not self.open:
            self.suspended = None
        if event.type in {"Acquitted", "VerdictOverturned"} and not any(c.stands_convicted for c in self.counts):
            self.sentence = None

    def _describe(self, event: Event) -> None:
        kind = event.data.get("kind")
        if kind:
            if self.kind not in {None, kind}:
                self.flag("kind_differs", event)
            self.kind, self.kind_event = kind, event
        self.charges = event if "charges" in event.data else self.charges
        self.authority = event if "authority" in event.data else self.authority
        if event.type in {"Sentenced", "SentenceChanged"}:
            self.sentence = event

    def _follows_the_end(self, event: Event) -> bool:
        end = self.last_end
        return end.id in event.behind or begins_after(event.span, end.span)

    def _step(self, stage: str, event: Event, *, back: bool = False) -> None:
        """Set the stage if it is the first one or a further one, or if the case goes *back* to it."""
        now = self.stage[0] if self.stage else None
        if now is None or back or WEIGHT[stage] > WEIGHT[now]:
            self.stage = stage, event

    def _named(self, event: Event) -> list[Count] | None:
        """Return the counts that the charges name, after adding unknown ones; None if the event names no charges."""
        if "charges" not in event.data:
            return None
        matched: list[tuple[Count, Charge]] = []
        unknown = []
        for charge in event.data["charges"]:
            matching = [count for count in self.counts if matches(count.charge, charge)]
            if len(matching) > 1:
                self.flag("count_ambiguous", event)
                matching = [c for c in matching if waits(event, c)] or matching
            matched += [(count, charge) for count in matching if count not in [other for other, _ in matched]]
            unknown += [] if matching else [charge]
        undecided = [count for count in self.counts if count.status == "undecided"]
        worded = any(count.charge for count in self.counts)
        if unknown and worded and event.type not in STEPS:
            self.flag("count_unknown", event)
        if unknown and worded and event.type in ABOUT_VERDICTS:
            standing = [count for count in self.counts if count.status != "replaced"]
            return [count for count, _ in matched] if matched or len(standing) > 1 else None
        added = self._state(event, unknown)
        if event.type == "Convicted" and not matched and len(undecided) == 1 and undecided[0] in self.counts:
            undecided[0].become("replaced", event)
        return [part for count, charge in matched for part in self._split(count, charge, event)] + added

    def _state(self, event: Event, charges: Sequence[Charge], *, whole_only: bool = False) -> list[Count]:
        """Add *charges* as counts; if the whole case is a count, they take its place and its state."""
        wholes = [count for count in self.counts if not count.charge]
        whole = next((count for count in wholes if count.open), wholes[0] if wholes else None)
        later = (
            whole and event.type in STEPS and whole.status != "undecided" and begins_after(event.span, whole.since.span)
        )
        if later:
            whole = None
        if whole_only:
            charges = event.data.get("charges", []) if whole and len(self.counts) == 1 else []
        added = []
        for charge in charges:
            count = copy(whole) if whole else Count(event)
            count.charge, count.charge_event, count.n = charge, event, charge.get("counts", 1)
            added.append(count)
        if whole and added:
            at = self.counts.index(whole)
            self.counts[at : at + 1] = added
        else:
            self.counts += added
        return added

    def _split(self, count: Count, charge: Charge, event: Event) -> list[Count]:
        """
        Return the part of *count* that a decision on fewer counts concerns.

        The rest is inserted behind it, unchanged.
        """
        if event.type in DECISIONS and charge.get("counts", count.n) < count.n and changes(event, count):
            rest = copy(count)
            count.n = charge["counts"]
            rest.n -= count.n
            self.counts.insert(self.counts.index(count) + 1, rest)
        return [count]

    def _open_again(self, event: Event, named: Sequence[Count] | None) -> None:
        without = {"dropped", "closed", "withdrawn", "pardoned", "amnestied"}
        pool = [count for count in self.counts if count.status in without] if named is None else named
        for count in pool:
            if count.status in {*without, "replaced"} and count.verdict is None:
                count.become("undecided", event)
        if not any(count.status == "undecided" for count in self.counts):
            self.counts.append(Count(event))
        self.stage = STEPS[event.type], event

    def _pool(self, named: Sequence[Count] | None) -> list[Count]:
        return [*(self.counts if named is None else named)]

    def amend(self, event: Event, named: Sequence[Count] | None) -> None:
        """Replace the undecided counts that the new charges do not name."""
        for count in self.counts:
            if named is not None and count not in named and count.status == "undecided":
                count.become("replaced", event)

    def decide(self, event: Event, named: Sequence[Count] | None) -> None:
        """Convict or acquit."""
        verdict = event.type.lower()
        if named is None:
            targets = [count for count in self.counts if count.status == "undecided" or count.appeal]
            if len(targets) > 1:
                self.flag("counts_not_named", event)
            other = "acquitted" if verdict == "convicted" else "convicted"
            convicted = verdict == "convicted" and any(count.status == "convicted" for count in self.counts)
            if not targets and not convicted:
                targets = [count for count in self.counts if count.status == other]
            if event.data.get("final") and not any(not count.final for count in targets):
                targets = [count for count in self.counts if count.status == verdict]
        else:
            targets = [*named]
        targets = [count for count in targets if not count.final]
        for count in targets:
            if count.status == verdict and not count.appeal:
                count.final = event if event.data.get("final") else None
            else:
                count.decide(verdict, event)
        if targets and verdict == "convicted":
            self._step("convicted", event)

    def sentenced(self, event: Event, named: Sequence[Count] | None) -> None:
        """Add a sentence to the convicted counts."""
        pool = self._pool(named)
        convicted = [count for count in pool if count.status == "convicted"]
        undecided = [count for count in pool if count.status == "undecided"]
        if named is None and (convicted or len(undecided) > 1):
            undecided = []
        for count in undecided:
            count.decide("convicted", event)
            self._step("convicted", event)
            self.flag("never_convicted", event)
        if not convicted and not undecided:
            self.flag("never_convicted", event)
        for count in convicted + undecided:
            count.sentence = event

    def appeal(self, event: Event, named: Sequence[Count] | None) -> None:
        """Put counts on appeal."""
        pool = [count for count in self._pool(named) if count.decided]
        targets = [count for count in pool if not count.final]
        convicted = [count for count in targets if count.status == "convicted"]
        if named is None and convicted and event.data.get("by") != "prosecution":
            targets = convicted
        for count in targets:
            count.appeal = count.appeal or event
        if pool and not targets:
            self.flag("appeal_after_final", event)
            return
        if not pool:
            self.flag("no_verdict", event)
        self._step("appeal", event)

    def uphold(self, event: Event, named: Sequence[Count] | None) -> None:
        """Keep the verdict as it is."""
        decided = [count for count in self._pool(named) if count.decided]
        targets = [count for count in decided if count.appeal] or decided
        if not targets:
            self.flag("no_verdict", event)
        for count in targets:
            settle(count, event)
            if event.data.get("final"):
                count.final = count.final or event

    def finish(self, event: Event, named: Sequence[Count] | None) -> None:
        """Make verdicts final."""
        decided = [count for count in self._pool(named) if count.decided]
        targets = [count for count in decided if not count.appeal] if named is None else decided
        if not decided:
            self.flag("no_verdict", event)
        for count in targets or decided:
            settle(count, event)
            count.final = count.final or event

    def overturn(self, event: Event, named: Sequence[Count] | None) -> None:
        """Set verdicts aside."""
        pool = [count for count in self._pool(named) if overturnable(count)]
        targets = [*(named or ())]
        if named is None:
            appealed = [count for count in pool if count.appeal]
            targets = appealed or [count for count in pool if count.status != "acquitted"] or pool
        outcome = event.data.get("outcome", "remitted")
        for count in targets:
            if outcome == "acquitted":
                count.decide("acquitted", event)
            else:
                count.become("undecided" if outcome == "remitted" else "closed", event)
                count.rehabilitated = outcome == "ended" and event.data.get("rehabilitating", False)
        if not pool:
            self.flag("no_verdict", event)
        if not targets or outcome == "remitted":
            self._step("overturned", event, back=True)

    def mistrial(self, event: Event, _named: Sequence[Count] | None) -> None:
        """Return the stage to the trial."""
        if self.open:
            self._step("trial", event, back=True)

    def close(self, event: Event, named: Sequence[Count] | None) -> None:
        """Drop the charges, or close the case."""
        clears = event.data.get("rehabilitating", False)
        pool = self._pool(named)
        undecided = [count for count in pool if count.status == "undecided"]
        if named is None and undecided and not clears:
            pool = undecided
        targets = [count for count in pool if changes(event, count)]
        for count in targets:
            count.become("dropped" if event.type == "ChargesDropped" else "closed", event)
            count.rehabilitated = clears
        if not targets:
            self.flag("already_ended", event)

    def withdraw(self, event: Event, _named: Sequence[Count] | None) -> None:
        """Withdraw the allegation, if the case is not further than that."""
        if self.open and self.stage and self.stage[0] == "accused":
            for count in self.counts:
                if count.open:
                    count.become("withdrawn", event)

    def pardon(self, event: Event, named: Sequence[Count] | None) -> None:
        """Pardon or amnesty the counts, which ends them and keeps the verdict."""
        if event.data.get("scope") == "partial":
            return
        for count in self._pool(named):
            if count.status in {"convicted", "undecided"}:
                count.before_pardon = count.status, count.since
                count.status, count.since, count.appeal = event.type.lower(), event, None

    def unpardon(self, event: Event, named: Sequence[Count] | None) -> None:
        """Undo a pardon."""
        targets = [count for count in self._pool(named) if count.status == "pardoned" and count.before_pardon]
        for count in targets:
            assert count.before_pardon
            count.status, count.since = count.before_pardon
        if not targets:
            self.flag("not_pardoned", event)


ACTS: Mapping[str, Callable[[Case, Event, Sequence[Count] | None], None]] = {
    "ChargesAmended": Case.amend,
    "Convicted": Case.decide,
    "Acquitted": Case.decide,
    "Sentenced": Case.sentenced,
    "AppealFiled": Case.appeal,
    "VerdictUpheld": Case.uphold,
    "VerdictFinal": Case.finish,
    "VerdictOverturned": Case.overturn,
    "MistrialDeclared": Case.mistrial,
    "ChargesDropped": Case.close,
    "CaseClosed": Case.close,
    "AllegationWithdrawn": Case.withdraw,
    "Amnestied": Case.pardon,
    "Pardoned": Case.pardon,
    "PardonAnnulled": Case.unpardon,
}
