"""The databases of the tests are empty, and each test has its own."""

import pytest
from sqlalchemy import create_engine, inspect, text


def test_a_database_for_a_test_is_empty_and_its_own(database_url: str) -> None:
    """It has only the tables that the test creates, so no test depends on another."""
    engine = create_engine(database_url)

    assert inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE mine (n integer)"))

    assert inspect(engine).get_table_names() == ["mine"]
    engine.dispose()


@pytest.mark.parametrize("again", [1, 2])
def test_a_table_of_one_test_does_not_exist_in_the_next(database_url: str, again: int) -> None:
    """Every test can create the same table."""
    engine = create_engine(database_url)

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE mine (n integer)"))
        connection.execute(text("INSERT INTO mine VALUES (:n)"), {"n": again})
        assert connection.execute(text("SELECT n FROM mine")).scalars().all() == [again]
    engine.dispose()
