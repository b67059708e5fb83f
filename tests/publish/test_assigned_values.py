"""`correct --set FIELD=VALUE`: a value is read by the type of its field, and a refusal names the field's form."""

import pytest

from events.vocabulary import data_problem
from services.publish.assignments import apply_changes

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
    """A number in the place of a date is refused with the form of a date, not with a type of JSON."""
    assert said in str(data_problem("SubjectDescribed", apply_changes("SubjectDescribed", PERSON, [assignment], [])))


def test_a_field_is_read_by_itself_while_others_are_still_to_be_mended() -> None:
    """A later assignment may correct an error that an earlier one left."""
    assigned = ["occurred=2022-13", "ref=191", "charges.0.amount=7", "occurred=2022"]
    after = apply_changes("Charged", CHARGE, assigned, [])

    assert ("2022", "191", 7) == (after["occurred"], after["ref"], after["charges"][0]["amount"])
    assert data_problem("Charged", after) is None
