"""Prints a summary of a run: all its rounds, those included that are thrown away."""

from rich.console import Console
from rich.table import Table

from benchmarks import judge
from benchmarks.measurement import Measurement
from benchmarks.results import Results, Sample

_COLUMNS = (
    "load",
    "operation",
    "subject",
    "good",
    "CPU/request",
    "generator",
    "requests/s",
    "p50",
    "p99",
    "p99.9",
    "bound",
)


def show(results: Results) -> None:
    """Print a table for each experiment: medians of the rounds, quantiles of all rounds together, failures."""
    tables: dict[str, Table] = {}
    for cell, samples in judge.cells(results).items():
        told = judge.faults(samples)
        subjects: dict[str, list[Sample]] = {}
        for each in samples:
            subjects.setdefault(each.subject, []).append(each)
        table = tables.setdefault(cell.experiment, Table(*_COLUMNS, title=cell.experiment))
        for subject, rounds in subjects.items():
            one = Measurement(tuple(rounds))
            table.add_row(
                cell.load, cell.operation, subject, f"{sum(not told[each.round] for each in rounds)} of {len(rounds)}",
                f"{one.cpu_us.middle:.1f} µs", f"{one.generator_us:.1f} µs" if one.generator_us else "–",
                f"{one.per_second.middle:,.0f}" + f", {one.failed_share:.2%} failed" * bool(one.failed),
                *(f"{one.at(share):.2f} ms" for share in (0.5, 0.99, 0.999)), one.bound,
            )  # fmt: skip
    for table in tables.values():
        Console(width=175).print(table)
