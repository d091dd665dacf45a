"""Formats the figures of the benchmark's pages, and puts them into a page."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.measurement import NAMES, Measurement
from benchmarks.results import Experiment, Results
from benchmarks.statistics import Estimate, percent


def renewed(page: str, figures: Mapping[str, Sequence[str]]) -> str:
    """Return a page with other figures between its comments.

    Raises:
        KeyError: the page has figures of an unknown name.
    """
    enclosed = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
    return enclosed.sub(lambda found: found[1] + "\n".join(["", *figures[found[2]], found[3]]), page)


def missing(experiment: Experiment) -> list[str]:
    command = "make bench TARGET=cluster" if experiment == "cluster" else f"make bench ONLY={experiment}"
    return [f"Not in these results; `{command}` measures it.", ""]


def quantile_cells(one: Measurement) -> tuple[str, ...]:
    return tuple(milliseconds_cell(one.quantile(share)) for share in (0.5, 0.99, 0.999))


def milliseconds_cell(value: float | None) -> str:
    return "–" if value is None else "never" if value == float("inf") else f"{value:,.{2 if value < 10 else 1}f}"


def estimate_cell(value: Estimate) -> str:
    """Format an estimate, with its interval if the rounds differ."""
    middle, low, high = (figure_cell(each) for each in (value.middle, value.low, value.high))
    return middle if low == high else f"{middle} ({low}–{high})"


def figure_cell(value: float) -> str:
    """Format a figure with three digits, or without decimals."""
    if value == float("inf"):
        return "never"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def multiple_cell(value: float | None) -> str:
    return "–" if value is None else f"{figure_cell(value)} ×"


def share_cell(share: float) -> str:
    return percent(share, 3) if share else "0"


def span_cell(values: Iterable[float]) -> str:
    least, *_, most = sorted([*values] * 2)
    return f"{least:,.1f}" if round(least, 1) == round(most, 1) else f"{least:,.1f} to {most:,.1f}"


def failures(results: Results, experiment: Experiment) -> list[str]:
    """Describe the failures of all rounds: their kinds and counts."""
    kinds: dict[str, Counter[str]] = {}
    for each in results.samples:
        if each.experiment == experiment and each.failures:
            kinds.setdefault(f"{each.subject} {NAMES[each.operation]}", Counter()).update(each.failures)
    told = (
        f"{what} {', '.join(f'{count:,} × {kind}' for kind, count in counts.most_common())}"
        for what, counts in kinds.items()
    )
    return [f"Failures: {'; '.join(told) or 'none'}.", ""]
