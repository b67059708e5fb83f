"""The sentences of alerts across people."""

from datetime import timedelta

import pytest

from projections.across.sentences import CountTold, PairTold, count_sentence, pair_sentence
from projections.rules.language_words import cleared_since
from projections.rules.limits import Applied
from tests.support.across import counting, relating
from tests.support.builders import arrested, detained, fact, wanted
from tests.support.rules import english


def test_a_group() -> None:
    """The number, the group as its source writes it, and fields of the first and the last fact."""
    told = CountTold(3, "Customs {name}", fact(detained("2022-02-01")), fact(arrested("2022-03")))
    sentence = count_sentence(english(counting()), told)

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

    assert pair_sentence(english(relating()), PairTold(*names, anchor, relation, then)) == sentence


def test_a_limit_in_both() -> None:
    """The value that was applied is given in words, with its law."""
    anchor, limit = fact(detained("2022-02-01")), Applied(timedelta(days=31), "Code, article 3")
    text = "in {limit.value} ({limit.source})"

    assert count_sentence(text, CountTold(3, "G", anchor, anchor, limit)) == "in 31 days (Code, article 3)"
    assert pair_sentence(text, PairTold("", "", anchor, "", None, limit)) == "in 31 days (Code, article 3)"


def test_a_pair_that_was_retracted() -> None:
    """Without a follow-up, the sentence names the subject and the anchor alone."""
    told = PairTold("Ann", "", fact(detained("2022-02-01")), "", None)

    assert (
        pair_sentence("{name} ({subject}): not so after {anchor.occurred}.", told)
        == "Ann (a): not so after 2022-02-01."
    )
