"""The lag of a replica is the age of the newest position of the primary that the replica has replayed."""

import math

import pytest

from chassis.postgres.replication_lag import PrimaryPositions


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The time, which a test may change."""
    time = {"now": 100.0}
    monkeypatch.setattr("chassis.postgres.replication_lag.time.monotonic", lambda: time["now"])
    return time


def test_it_is_the_age_of_the_newest_position_that_is_replayed(at: dict[str, float]) -> None:
    positions = PrimaryPositions(10)
    assert positions.lag(1000) == math.inf  # none is known
    positions.add(91, 100)
    positions.add(95, 200)
    assert [positions.lag(replayed) for replayed in (99, 100, 199, 200, 500)] == [math.inf, 9, 9, 5, 5]


def test_a_position_that_stays_is_no_lag(at: dict[str, float]) -> None:
    positions = PrimaryPositions(10)
    for time in range(1, 99):
        positions.add(time, 200)
    assert positions.lag(200) == 2


def test_it_grows_while_the_primary_is_away_up_to_the_longest(at: dict[str, float]) -> None:
    positions = PrimaryPositions(10)
    positions.add(99, 200)
    at["now"] = 109
    assert positions.lag(200) == 10
    at["now"] = 109.5
    assert positions.lag(200) == math.inf


def test_what_a_failover_has_lost_is_no_position(at: dict[str, float]) -> None:
    positions = PrimaryPositions(10)
    positions.add(95, 100)
    positions.add(97, 200)
    positions.add(99, 150)
    assert [positions.lag(replayed) for replayed in (100, 149, 150, 200)] == [5, 5, 1, 1]
