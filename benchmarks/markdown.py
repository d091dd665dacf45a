"""Formats parts of the benchmark's page: pictures, and table cells with figures."""

from collections.abc import Collection, Iterable

from benchmarks.measurement import Measurement
from benchmarks.results import Experiment
from benchmarks.statistics import Estimate, percent


def left_out(title: str, experiment: Experiment) -> list[str]:
    command = "make bench TARGET=cluster" if experiment == "cluster" else f"make bench ONLY={experiment}"
    return [f"## {title}", "", f"Not in these results; `{command}` measures it.", ""]


def images(there: Collection[str], names: Iterable[str]) -> list[str]:
    return [
        line for name in names if name in there for line in (f"![{name.replace('-', ' ')}](benchmarks/{name}.svg)", "")
    ]


def quantile_cells(one: Measurement) -> tuple[str, ...]:
    told = (one.quantile(share) for share in (0.5, 0.99, 0.999))
    return tuple("–" if each is None else "never" if each == float("inf") else f"{each:,.1f}" for each in told)


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


def share_cell(share: float) -> str:
    return percent(share, 3) if share else "0"


def span_cell(values: Iterable[float]) -> str:
    least, *_, most = sorted([*values] * 2)
    return f"{least:,.0f}" if round(least) == round(most) else f"{least:,.0f} to {most:,.0f}"
