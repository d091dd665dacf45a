"""Draws the charts of a results file with Plotly: interactive in one HTML file, and as still pictures."""

from pathlib import Path

import plotly.graph_objects as go
import plotly.io

from benchmarks.charts.latency import distribution, open_loop, quantiles
from benchmarks.charts.resources import cpu, footprint, limits, throughput
from benchmarks.charts.sizes import size
from benchmarks.charts.style import WIDTH, finished
from benchmarks.measurement import operations
from benchmarks.results import Experiment, Results


def charts(results: Results) -> dict[str, go.Figure]:
    """Return the charts of all experiments in the results, by the names of their pictures."""
    made: dict[str, go.Figure | None] = {}
    both: list[tuple[Experiment, str]] = [("article", ""), ("cluster", "cluster-")]
    for experiment, prefix in both:
        made[f"{prefix}throughput"] = throughput(results, experiment)
        for operation in operations(results, experiment):
            made[f"{prefix}latency-{operation}"] = distribution(results, experiment, operation)
        made[f"{prefix}quantiles"] = quantiles(results, experiment)
        made[f"{prefix}limits"] = limits(results, experiment)
    made["quantiles-open-loop"] = open_loop(results)
    made["cpu"] = cpu(results)
    made["quantiles-comparison"] = quantiles(results, "comparison")
    made["footprint"] = footprint(results)
    made["sizing"] = size(results)
    return {name: finished(figure, results) for name, figure in made.items() if figure}


def page(results: Results, file: Path) -> None:
    """Write all interactive charts to one HTML file that works offline."""
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=not index, config={"displaylogo": False})
        for index, figure in enumerate(charts(results).values())
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    head = "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Benchmark</title></head><body>"
    file.write_text("\n".join([head, *parts, "</body></html>"]), encoding="utf-8")


def stills(results: Results, folder: Path) -> list[str]:
    """Write a picture of each chart, and return the names.

    Raises:
        SystemExit: there is no Chrome or Chromium to draw them.
    """
    made = charts(results)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        plotly.io.write_images(
            list(made.values()),
            [folder / f"{name}.svg" for name in made],
            width=WIDTH,
            height=[figure.layout.height for figure in made.values()],
        )
    except RuntimeError as missing:
        if "Chrome" not in str(missing):
            raise
        raise SystemExit(
            "Still pictures need Chrome or Chromium, and none was found. Install one, or name one that is not on "
            "PATH by BROWSER_PATH; then `python -m benchmarks.report build/bench/results.json` draws them without "
            "measuring anew."
        ) from missing
    return list(made)
