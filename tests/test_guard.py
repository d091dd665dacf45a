"""`make bench-guard` detects a request that became more expensive, and reports nothing for an unchanged one."""

from benchmarks.ratio import ALLOWED, refusal
from benchmarks.statistics import Estimate


def test_a_request_that_is_more_than_a_tenth_dearer_is_refused_with_a_way_on() -> None:
    why = refusal(Estimate(2.5, 2.4, 2.6, 0.96), recorded=2.0)
    assert "dearer: 2.50 (2.40 to 2.60 with 96%)" in why
    assert "+25% from 2.00" in why
    assert "make bench-guard RECORD=1" in why


def test_what_stays_within_the_allowance_passes() -> None:
    for ratio in (1.0, 2.0, 2.0 * ALLOWED):
        assert refusal(Estimate(ratio, ratio, ratio, 0.96), recorded=2.0) == ""
