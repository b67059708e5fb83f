"""The sentences of alerts across people."""

import pytest

from projections.across.sentences import cleared_since, count_sentence, pair_sentence
from tests.support.across import counting, relating
from tests.support.builders import arrested, detained, fact, wanted


def test_a_group() -> None:
    """The number, the group as its source writes it, and fields of the first and the last fact."""
    sentence = count_sentence(counting(), 3, "Customs {name}", fact(detained("2022-02-01")), fact(arrested("2022-03")))

    assert sentence == "3 officials of Customs {name} were detained from 2022-02-01 to 2022-03."


@pytest.mark.parametrize(
    ("cleared", "people", "count", "words"),
    [
        (0, 3, 3, ""),
        (1, 3, 3, " 1 of them was cleared since."),
        (2, 3, 3, " 2 of them were cleared since."),
        (1, 5, 3, " 1 of the 5 people in its evidence was cleared since."),
        (4, 5, 3, " 4 of the 5 people in its evidence were cleared since."),
    ],
)
def test_the_cleared(cleared: int, people: int, count: int, words: str) -> None:
    """The number of the cleared never speaks of other people than the sentence does."""
    assert cleared_since(cleared, people, count) == words


@pytest.mark.parametrize(
    ("names", "relation", "sentence"),
    [
        (("Ann", "Bob"), "sibling", "Ann was detained; sibling Bob (a) was wanted."),
        (("", ""), "parent", "a was detained; parent b (a) was wanted."),
        (("Ann", "Bob"), "by", "Ann was detained; accuser Bob (a) was wanted."),
    ],
)
def test_a_pair(names: tuple[str, str], relation: str, sentence: str) -> None:
    """The names of both, or their ids, and the relation in words."""
    anchor, then = fact(detained("2022-02-01")), fact(wanted("2022-03-01", subject="b"))

    assert pair_sentence(relating(), names, anchor, relation, then) == sentence
