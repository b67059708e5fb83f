"""The order of arrival, the size of batches and a rebuild change no status, for whole careers."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.projector.rebuild import rebuild
from tests.oracle.careers import careers
from tests.support.builders import Line, Row, database, instant, project, projector, statuses
from tests.support.rules import dismissals

STAMPED = "2025-01-01T00:00:00Z"
END = instant("2040")


def concluded(batches: Sequence[Sequence[Line]], cache_facts: int = 200_000) -> tuple[list[Row], list[object]]:
    """Return the statuses after *batches*, all recorded at one instant, and the rows that a rebuild would change."""
    held = projector(engine := database())
    held.set_cache_limit(cache_facts)
    for batch in batches:
        if batch:
            project(held, batch, STAMPED)
    held.advance_watermark(END, END)
    result = statuses(engine), list[object](rebuild(engine, dismissals(), lambda _: None, exchange=False))
    engine.dispose()
    return result


@settings(max_examples=60, derandomize=True)
@given(st.data(), careers())
def test_a_career_is_the_same_in_any_order_and_any_batches(data: st.DataObject, lines: list[Line]) -> None:
    """A career leads to the same rows one by one with a tiny cache or all at once, and a rebuild changes none."""
    shuffled = data.draw(st.permutations(lines))
    cut = data.draw(st.integers(0, len(lines)))
    one_by_one = [[line] for line in shuffled[:cut]]

    whole, rebuilt = concluded([lines])
    parts, rebuilt_from_parts = concluded([*one_by_one, shuffled[cut:]], cache_facts=2)

    assert whole == parts
    assert [] == rebuilt == rebuilt_from_parts
