"""`correct --set FIELD=VALUE`: a value is read as its field wants it, and refused in words of its field."""

import pytest

from events.vocabulary import data_problem
from services.publish.corrections import changed

PERSON = {"occurred": "2022", "published": "2022", "sources": [{"title": "Decree"}]}
CHARGE = PERSON | {"case_id": "c-1", "charges": [{"title": "Fraud", "amount": 5}]}


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("born=74", '"74" is not a date (want EDTF'),
        ("born=true", '"true" is not a date'),
        ("born=19740101", '"19740101" is not a date'),
        ("occurred=2022.5", '"2022.5" is not a date'),
        ("published=74", '"74" is not a date'),
        ("aliases=5", "5 does not fit (want an array)"),
        ("aliases=[5]", "5 does not fit (want a string)"),
        ("sources.0.credibility=9", "9 does not fit (want 6 or less)"),
        ("sources.0.retrieved=5", '"5" is not a date'),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_words_of_its_field(assignment: str, said: str) -> None:
    """A number where a date is wanted is answered with the date, and not with the kind of JSON it is not."""
    assert said in str(data_problem("SubjectDescribed", changed("SubjectDescribed", PERSON, [assignment], [])))


def test_a_field_is_read_by_itself_while_others_are_still_to_be_mended() -> None:
    """The assignments follow one another, and the first may leave what the next one puts right."""
    assigned = ["occurred=2022-13", "ref=191", "charges.0.amount=7", "occurred=2022"]
    after = changed("Charged", CHARGE, assigned, [])

    assert ("2022", "191", 7) == (after["occurred"], after["ref"], after["charges"][0]["amount"])
    assert data_problem("Charged", after) is None
