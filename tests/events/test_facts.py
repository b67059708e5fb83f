"""The times of a fact, its place in world order, and its state after a correction."""

from datetime import UTC, datetime

from events.decode import decode, restore
from events.facts import make_fact, replace_data
from tests.support.strategies import BARE, NOW, envelope, event


def test_world_order_is_latest_earliest_rank_published_id() -> None:
    """The order of the design, with an undated fact last; arrival plays no part."""
    in_order = [
        decode(envelope(id="5", data={**BARE, "occurred": "../2022-04-20"})),
        decode(envelope(id="4", data={**BARE, "occurred": "2022-04-20"})),
        decode(envelope(id="9", type="Wanted")),
        decode(envelope(id="1")),
        decode(envelope(id="10")),
        decode(envelope(id="0", data={**BARE, "published": "2022-04-28"})),
        decode(envelope(id="0", data={**BARE, "published": "2022-04-27/2022-04-29"})),
        decode(envelope(id="0", data={**BARE, "published": "2022-04-29"})),
        decode(envelope(id="0", data={**BARE, "published": "2022-04"})),
        decode(envelope(id="0", type="Released")),
        decode(envelope(id="0", data={**BARE, "occurred": "XXXX-04-25"})),
    ]

    backwards = in_order[::-1]
    assert in_order == sorted(backwards, key=lambda fact: fact.order)


def test_what_begins_after_it_was_published_is_announced() -> None:
    """It keeps its own time. A span that only ends later is cut."""
    ahead = decode(event(occurred="2022-05-01"))
    vague = decode(event(occurred="2022"))

    assert ahead.announced
    assert (datetime(2022, 5, 2, tzinfo=UTC), datetime(2022, 4, 28, tzinfo=UTC)) == (
        ahead.occurred.latest,
        vague.occurred.latest,
    )


def test_a_corrected_fact_keeps_its_identity_and_takes_the_times_of_its_new_data() -> None:
    """Only the fields of the correction change."""
    fact = restore(envelope(), NOW)
    data = {**BARE, "occurred": "2022-04-26"}

    assert replace_data(fact, data, fact.recorded) == make_fact(
        id="fact-1",
        type="Detained",
        subject="kz-bukharbaev",
        source="urn:example:desk",
        version="1",
        data=data,
        recorded=NOW,
    )
    assert fact.order < replace_data(fact, data, fact.recorded).order
