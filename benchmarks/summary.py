"""Prints a summary of a run."""

from collections import Counter
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.results import Results, Sample, quantile, together


def show(results: Results) -> None:
    """Print a table with medians of the rounds, and with quantiles and failures of all rounds together."""
    table = Table(
        *(
            [
                "experiment",
                "subject",
                "operation",
                "rate",
                "requests/s",
                "p50",
                "p99",
                "p99.9",
                "failures",
                "CPU",
                "memory",
                "CPU/request",
            ]
        )
    )
    measurements: dict[tuple[str, str, str, float], list[Sample]] = {}
    for each in results.samples:
        key = (each.experiment, each.subject, each.operation, each.peak_share or 0)
        measurements.setdefault(key, []).append(each)
    for (experiment, subject, operation, share), samples in measurements.items():
        histogram, failed = together(samples), sum((Counter(each.failures) for each in samples), Counter[str]()).total()
        quantiles = (f"{quantile(histogram, part, failed):.1f} ms" for part in (0.5, 0.99, 0.999))
        cpu, memory = (
            median(each.cpu_seconds / each.seconds for each in samples),
            median(each.memory_mib for each in samples),
        )
        limit = results.limits.get(subject) if experiment in {"article", "cluster"} else None
        table.add_row(
            experiment, subject, operation.upper(), f"{share:.0%}" if share else "",
            f"{median(each.per_second for each in samples):,.0f}", *quantiles,
            f"{failed / sum(each.requests for each in samples):.2%}",
            f"{cpu / limit[0]:.0%} of {limit[0]:g}" if limit else f"{cpu:.2f}",
            f"{memory / limit[1]:.0%} of {limit[1]:g} MiB" if limit else f"{memory:.0f} MiB",
            f"{median(each.cpu_us for each in samples):.0f} µs",
        )  # fmt: skip
    Console(width=160).print(table)
