"""
A literal reading of the key `steps`: every tuple of events is tried, and instants are found by elimination.

It is as plain and as slow as possible. Nothing of `projections` is used.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise, product
from typing import Any, NamedTuple

from events.edtf import Span
from events.facts import Fact
from tests.oracle.model_time import LAST, SPARE, Event, Statement, in_force, later, possibly_before, slack

NO_TIME = timedelta(0)
SECOND = timedelta(seconds=1)


class Step(NamedTuple):
    """
    A step of a chain.

    Attributes:
        then: the types of its fact.
        within: the time since the step before.
        same: whether its fact names the case of the anchor.
        authority: the authority of its fact; "": any.
        as_anchor, as_before: whether it has the authority of the anchor, or of the step before.
    """

    then: frozenset[str]
    within: timedelta
    same: bool = False
    authority: str = ""
    as_anchor: bool = False
    as_before: bool = False


class Quiet(NamedTuple):
    """The silence at the end of a chain. Its conditions are those of a step."""

    then: frozenset[str]
    wait: timedelta
    settle: timedelta
    same: bool = False
    authority: str = ""
    as_anchor: bool = False
    as_before: bool = False


class Chain(NamedTuple):
    """A rule with steps, and the exceptions of the rules of the other oracle."""

    id: str
    on: frozenset[str]
    steps: tuple[Step, ...]
    whole: timedelta | None
    certain: bool
    quiet: Quiet | None = None
    service: frozenset[str] = frozenset()
    custody: frozenset[str] = frozenset()
    stage: frozenset[str] = frozenset()
    jurisdiction: frozenset[str] = frozenset()

    @property
    def waits(self) -> bool:
        """Return whether time alone can change an answer."""
        return self.quiet is not None

    @property
    def delays(self) -> set[timedelta]:
        """Return the times after an end of a fact at which an answer can change."""
        return set() if self.quiet is None else {self.quiet.settle, self.quiet.wait + self.quiet.settle}

    def value(
        self,
        anchor: Event,
        events: Sequence[Event],
        facts: Sequence[Fact],
        at: datetime,
        is_cleared_of: Callable[[Sequence[Event]], bool],
    ) -> str:
        """Return the value of the rule from *anchor* on at *at*: void, ended or standing."""
        first = first_chain(self, anchor, events, facts)
        if first is None:
            return "void"
        if self.quiet is None:
            return "ended" if is_cleared_of((anchor, *first)) else "standing"
        return _silence(self, self.quiet, (anchor, *first), events, facts, at)


def first_chain(rule: Chain, anchor: Event, events: Sequence[Event], facts: Sequence[Fact]) -> tuple[Event, ...] | None:
    """Return the first chain of *events* from *anchor* in world order, without it; None: there is none."""
    statements = {fact.id: fact for fact in in_force(facts)[0]}
    found = [
        chain
        for chain in product(*([event for event in events if event.type in step.then] for step in rule.steps))
        if len({anchor.id, *(event.id for event in chain)}) == len(chain) + 1
        and (_is_certain if rule.certain else is_possible)(rule, [event.span for event in (anchor, *chain)])
        and all(
            _holds(step, (anchor, *chain)[: place + 1], event, statements) is True
            for place, (step, event) in enumerate(zip(rule.steps, chain, strict=True))
        )
    ]
    return min(found, key=lambda chain: [event.pos for event in chain], default=None)


def _is_certain(rule: Chain, spans: Sequence[Span]) -> bool:
    for before, after in pairwise(spans):
        if before.marked or after.marked or before.latest is None or after.earliest is None:
            return False
        if later(before.latest, slack(before.latest_exact, after.earliest_exact)) > after.earliest:
            return False
    limits = [(before, after, step.within) for before, after, step in zip(spans, spans[1:], rule.steps, strict=False)]
    if rule.whole is not None:
        limits.append((spans[0], spans[-1], rule.whole))
    return all(
        before.earliest is not None
        and after.latest is not None
        and after.latest - before.earliest + slack(before.earliest_exact, after.latest_exact) <= within
        for before, after, within in limits
    )


class _Inequality(NamedTuple):
    """The sum of each variable, times its factor, is at most *bound*, or less if *strict*."""

    factors: tuple[tuple[str, int], ...]
    bound: Fraction
    strict: bool


def is_possible(rule: Chain, spans: Sequence[Span]) -> bool:
    """Return whether one choice of instants fulfils all orders and lengths, with one shift of all days."""
    names = [f"t{number}" for number in range(len(spans))]
    spare = Fraction(SPARE // SECOND)
    left = [_at_most({"day": 1}, spare, strict=True), _at_most({"day": -1}, spare, strict=True)]
    for name, span in zip(names, spans, strict=True):
        if not span.dated:
            return False
        if span.latest is not None:
            left.append(_at_most({name: 1} | ({} if span.latest_exact else {"day": -1}), _seconds(span.latest)))
        if span.earliest is not None:
            left.append(_at_most({name: -1} | ({} if span.earliest_exact else {"day": 1}), -_seconds(span.earliest)))
    for before, after, step in zip(names, names[1:], rule.steps, strict=False):
        left.append(_at_most({before: 1, after: -1}, Fraction(0), strict=True))
        left.append(_at_most({after: 1, before: -1}, Fraction(step.within // SECOND), strict=True))
    if rule.whole is not None:
        left.append(_at_most({names[-1]: 1, names[0]: -1}, Fraction(rule.whole // SECOND), strict=True))
    for name in (*names, "day"):
        left = _without(name, left)
    return all(one.bound > 0 or (one.bound == 0 and not one.strict) for one in left)


def _seconds(instant: datetime) -> Fraction:
    since = instant - datetime(2022, 1, 1, tzinfo=instant.tzinfo)
    return Fraction(since // timedelta(microseconds=1), 1_000_000)


def _at_most(factors: Mapping[str, int], bound: Fraction, *, strict: bool = False) -> _Inequality:
    return _Inequality(tuple(sorted((name, factor) for name, factor in factors.items() if factor)), bound, strict)


def _without(name: str, inequalities: Sequence[_Inequality]) -> list[_Inequality]:
    """Return the inequalities that hold exactly if some value of *name* fulfils all of *inequalities*."""
    kept = [one for one in inequalities if name not in dict(one.factors)]
    upper = [one for one in inequalities if dict(one.factors).get(name, 0) > 0]
    lower = [one for one in inequalities if dict(one.factors).get(name, 0) < 0]
    for above, below in product(upper, lower):
        a, b = dict(above.factors), dict(below.factors)
        up, down = a[name], -b[name]
        factors = {key: down * a.get(key, 0) + up * b.get(key, 0) for key in a | b}
        kept.append(_at_most(factors, down * above.bound + up * below.bound, strict=above.strict or below.strict))
    tightest: dict[Any, _Inequality] = {}
    for one in kept:
        other = tightest.get(one.factors)
        if other is None or (one.bound, not one.strict) < (other.bound, not other.strict):
            tightest[one.factors] = one
    return [*tightest.values()]


def _holds(
    step: Step | Quiet, before: Sequence[Event], event: Event, statements: Mapping[str, Statement]
) -> bool | None:
    """Return whether one report each of the anchor, the step before and *event* fulfil the conditions; None: open."""
    anchor, previous = before[0], before[-1]
    answers = set()
    for one in _reports(anchor, statements):
        for two in [one] if len(before) == 1 else _reports(previous, statements):
            for three in _reports(event, statements):
                checks = list(_checks(step, one, two, three))
                answers.add(False if False in checks else None if None in checks else True)
    return True if True in answers else False if False in answers else None


def _checks(step: Step | Quiet, anchor: Statement, before: Statement, own: Statement) -> Iterator[bool | None]:
    def equal(one: object, other: object) -> bool | None:
        return None if one is None or other is None else one == other

    authority = own.data.get("authority")
    if step.same:
        yield equal(anchor.data.get("case_id"), own.data.get("case_id"))
    if step.authority:
        yield equal(authority, step.authority)
    if step.as_anchor:
        yield equal(authority, anchor.data.get("authority"))
    if step.as_before:
        yield equal(authority, before.data.get("authority"))


def _reports(event: Event, statements: Mapping[str, Statement]) -> list[Statement]:
    return [statements[name] for name in event.reports]


def _silence(  # noqa: PLR0913, PLR0917 - the parts of a silence
    rule: Chain,
    quiet: Quiet,
    chain: Sequence[Event],
    events: Sequence[Event],
    facts: Sequence[Fact],
    at: datetime,
) -> str:
    """Return the value of the silence behind the last of *chain* at *at*."""
    statements = {fact.id: fact for fact in in_force(facts)[0]}
    start = chain[-1]
    starts = rule.on | (rule.steps[-1].then if rule.steps else frozenset())
    ending = quiet.then | ({"Died"} - starts)

    def counts(event: Event) -> bool | None:
        return True if event.type not in quiet.then else _holds(quiet, chain, event, statements)

    for fact in statements.values():
        if not fact.span.dated and fact.type in ending and counts(_alone(fact)) is not False:
            return "void"
    deadline = later(start.span.latest or LAST, quiet.wait)
    if at < later(deadline, quiet.settle):
        return "void"
    value = "standing"
    for event in events:
        if event.type not in ending or event.id in {one.id for one in chain}:
            continue
        if not possibly_before(start.span, event.span) or (counted := counts(event)) is False:
            continue
        spare = slack(start.span.latest_exact, event.span.earliest_exact)
        if event.span.earliest is None or event.span.earliest < later(deadline, spare):
            return "void"
        value = "ended" if counted else value
    return value


def _alone(fact: Statement) -> Event:
    return Event(fact.id, fact.type, fact.data, fact.span, fact.published, (), frozenset({fact.id}), frozenset())
