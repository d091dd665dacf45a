"""Statistics over rounds: the median with its confidence interval, and quantiles if there are enough samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import comb
from statistics import median

from benchmarks.results import quantile


def percent(share: float, digits: int = 0) -> str:
    """Format a share. One that is too small for the digits is written as `< …`, not as 0."""
    least = 10.0**-digits
    return f"< {least:.{digits}f} %" if 0 < 100 * share < least / 2 else f"{100 * share:.{digits}f} %"


SHARES = (0.5, 0.9, 0.99, 0.999, 0.9999)
"""The quantiles that are reported."""

CONFIDENCE = 0.95
LEAST_BEYOND = 10
"""A quantile is reported if at least this many requests lie beyond it."""


@dataclass(frozen=True)
class Estimate:
    """The median of the rounds; it lies between `low` and `high` with the probability `coverage`."""

    middle: float
    low: float
    high: float
    coverage: float


def estimate(rounds: Sequence[float]) -> Estimate:
    """Return the median and its confidence interval.

    Raises:
        ValueError: there is no round.
    """
    if not rounds:
        raise ValueError("no round to estimate from")
    ordered, count = sorted(rounds), len(rounds)
    covered = _coverages(count)
    least = max([0, *(k for k, each in enumerate(covered) if each >= CONFIDENCE)])
    return Estimate(median(ordered), ordered[least], ordered[count - 1 - least], covered[least])


def _coverages(count: int) -> list[float]:
    """Return, for each k, how likely the median lies between the values k places from either end, counted from 0."""
    outside = accumulate(comb(count, below) for below in range(max(1, count // 2)))
    return [1 - each / (1 << (count - 1)) for each in outside]


def told_quantile(histogram: Mapping[int, int], share: float, failures: int) -> float | None:
    """Return a quantile in ms: infinite if failures reach it, None if too few requests lie beyond it."""
    beyond = (1 - share) * (sum(histogram.values()) + failures)
    return quantile(histogram, share, failures) if round(beyond, 6) >= LEAST_BEYOND else None
