"""Draws the charts of a results file with Plotly."""

from pathlib import Path

import plotly.graph_objects as go
import plotly.io

from benchmarks.charts.latency import article, fixed_rate
from benchmarks.charts.resources import cpu, cpu_by_connections
from benchmarks.charts.style import WIDTH, finished
from benchmarks.results import Results


def charts(results: Results) -> dict[str, go.Figure]:
    """Return the charts of all experiments in the results, by the names of their pictures."""
    made = {
        "cpu-connections": cpu_by_connections(results),
        "cpu": cpu(results),
        "latency": fixed_rate(results),
        "article": article(results, "article"),
        "cluster": article(results, "cluster"),
    }
    return {name: finished(figure, results) for name, figure in made.items() if figure}


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
