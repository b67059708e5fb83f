"""Pauses after failures in a row."""

import pytest

from services.runtime.backoff import PAUSE_SECONDS, Backoff, jittered


def test_each_failure_in_a_row_has_a_longer_pause_up_to_a_limit() -> None:
    """Each pause differs from its base by at most a half."""
    backoff = Backoff()
    pauses = [backoff.fail() for _ in range(len(PAUSE_SECONDS) + 2)]

    bases = [*PAUSE_SECONDS, PAUSE_SECONDS[-1], PAUSE_SECONDS[-1]]
    assert all(base / 2 <= pause <= base * 1.5 for base, pause in zip(bases, pauses, strict=True))
    assert len(pauses) == backoff.failures


def test_a_success_ends_the_pause_and_begins_with_the_shortest_again() -> None:
    """A later failure does not count the earlier ones."""
    backoff = Backoff()
    before = backoff.is_pausing
    for _ in PAUSE_SECONDS:
        backoff.fail()
    during = backoff.is_pausing
    backoff.reset()

    assert (False, True, False) == (before, during, backoff.is_pausing)
    assert backoff.fail() <= 1.5 * PAUSE_SECONDS[0]


def test_a_pause_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lasts as long as `fail` returned."""
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    backoff = Backoff()
    seconds = backoff.fail()
    now += seconds

    assert not backoff.is_pausing


def test_two_pauses_after_one_failure_differ() -> None:
    """Two processes that failed together do not try again together."""
    assert len({jittered(1.0) for _ in range(10)}) > 1
