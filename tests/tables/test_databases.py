"""The databases that the tests run on are what they claim to be."""

import pytest
from sqlalchemy import create_engine, inspect, text


def test_a_database_for_a_test_is_empty_and_its_own(database_url: str) -> None:
    """Nothing is in it but what the test puts there, so no test can lean on another."""
    engine = create_engine(database_url)

    assert inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE mine (n integer)"))

    assert inspect(engine).get_table_names() == ["mine"]
    engine.dispose()


@pytest.mark.parametrize("again", [1, 2])
def test_what_one_test_left_the_next_does_not_find(database_url: str, again: int) -> None:
    """The same table can be made in every test."""
    engine = create_engine(database_url)

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE mine (n integer)"))
        connection.execute(text("INSERT INTO mine VALUES (:n)"), {"n": again})
        assert connection.execute(text("SELECT n FROM mine")).scalars().all() == [again]
    engine.dispose()
