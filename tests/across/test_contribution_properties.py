"""The contributions of one person, fact by fact in any order, compared with those of the whole history."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import BEGINNING
from projections.across.contribution import Contribution, added_by_last, contributions_of
from projections.history.history import History
from projections.subjects.fold import Fold, Step
from tests.support.across import counting, relating
from tests.support.builders import Line, fact, stated

TYPES = ("Appointed", "Dismissed", "Suspended", "Detained", "Arrested", "Released", "SubjectDescribed", "Wanted")
DATES = ("2022-01-05", "2022-02", "2022-02-10", "2022-02-11~", "2022-03-01T10:00:00Z", "2022-04-01", "XXXX-04-01")
RULES = [
    *(counting(2, by=by, on=["Detained", "Arrested", "Dismissed"]) for by in ("agency", "post", "jurisdiction")),
    counting(2, unless={"custody": ["detained"]}),
    relating(over=["Released"]),
]


@st.composite
def lines(draw: st.DrawFn) -> list[Line]:
    """Facts of one person about posts in two agencies, and about custody."""
    drawn = []
    for number in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(TYPES))
        data: dict[str, Any] = {}
        if kind in {"Appointed", "Dismissed", "Suspended", "SubjectDescribed"}:
            data |= {name: draw(st.sampled_from(["X", "Y"])) for name in ("post", "agency") if draw(st.booleans())}
        if draw(st.booleans()):
            data["jurisdiction"] = draw(st.sampled_from(["KZ", "KG"]))
        drawn.append(stated(kind, draw(st.sampled_from(DATES)), id=f"f{number}", published="2022-05-01", **data))
    return drawn


@settings(max_examples=200, deadline=None)
@given(lines())
def test_fact_by_fact_has_the_result_of_the_whole(drawn: list[Line]) -> None:
    """A fact at the end adds to the contributions before it, and after any other fact all are looked at."""
    for rule in RULES:
        fold, kept = Fold(History((), BEGINNING), rule.on), list[Contribution]()
        for line in drawn:
            step = fold.apply(fact(line))
            assert step is not None
            kept = [*kept, *added_by_last(rule, step)] if step.last else contributions_of(rule, step)

        whole = History(map(fact, drawn), fact(drawn[-1]).recorded)
        expected = contributions_of(rule, Step(whole, Fold(whole, rule.on).status, None))
        assert sorted(expected) == sorted(kept)
