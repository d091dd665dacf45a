"""`make bench-guard` detects a request that became more expensive, and reports nothing for an unchanged one."""

from benchmarks.ratio import ALLOWED, refusal
from benchmarks.statistics import Estimate

RECORDED = {"GET × 4": 2.0, "POST × 64": 3.0}


def exactly(ratio: float) -> Estimate:
    return Estimate(ratio, ratio, ratio, 0.96)


def test_a_request_that_is_more_than_a_tenth_dearer_is_refused_with_a_way_on() -> None:
    why = refusal({"GET × 4": Estimate(2.5, 2.4, 2.6, 0.96), "POST × 64": exactly(3)}, RECORDED)
    assert "GET × 4: 2.50 (2.40 to 2.60 with 96%)" in why
    assert "+25% from 2.00" in why
    assert "POST" not in why
    assert "make bench-guard RECORD=1" in why


def test_what_stays_within_the_allowance_passes() -> None:
    for ratio in (1.0, 2.0, 2.0 * ALLOWED):
        assert refusal({"GET × 4": exactly(ratio)}, RECORDED) == ""


def test_a_cell_that_is_not_recorded_is_not_refused() -> None:
    assert refusal({"PUT × 4": exactly(9)}, RECORDED) == ""
