"""Draws the dashboard's panels at their places in Grafana, with the dashboard's queries."""

import json
import urllib.parse
import urllib.request
from datetime import datetime
from math import isfinite
from typing import Any

import plotly.graph_objects as go
import yaml
from plotly.subplots import make_subplots

from harness.example import EXAMPLE
from harness.repository import REPOSITORY
from tools.pictures.files import PICTURES

_NAMES = {"NAMESPACE_NAME": "shop", "INTERNAL_NAME": "order-desk-internal", "$__rate_interval": "15s"}
_UNITS = {"reqps": "/s", "s": "s", "percentunit": ".0%", "short": ""}
_COLUMNS = 24  # the width of Grafana's grid


def _panels() -> list[dict[str, Any]]:
    """Return the panels of the chart, and those of the order desk's own metrics."""
    values = yaml.safe_load((EXAMPLE / "deploy" / "values.yaml").read_text(encoding="utf-8"))
    [dashboard] = [each["data"]["orders.json"] for each in values["extraObjects"]]
    text = (REPOSITORY / "chart" / "dashboards" / "service.json").read_text(encoding="utf-8")
    for name, value in _NAMES.items():
        text = text.replace(name, value)
    return [*json.loads(text)["panels"], *json.loads(dashboard)["panels"]]


def _series(url: str, expression: str, begun: float, ended: float) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode({"query": expression, "start": begun, "end": ended, "step": 1})
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{query}", timeout=30) as response:
        return list(json.load(response)["data"]["result"])


def _legend(form: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        form = form.replace(f"{{{{{name}}}}}", value)
    return form


def draw(url: str, begun: float, ended: float) -> None:
    """Write dashboard.svg from the data of a Prometheus.

    Args:
        url: the address of the Prometheus.
        begun: the start of the time range, as a Unix timestamp.
        ended: the end of the time range.

    Panels are placed in rows of equal height. Each row has as many panels as fit into the grid.
    """
    panels = _panels()
    across = _COLUMNS // panels[0]["gridPos"]["w"]
    rows = -(-len(panels) // across)
    figure = make_subplots(rows, across, subplot_titles=[panel["title"] for panel in panels], vertical_spacing=0.045)
    for number, panel in enumerate(panels):
        row, column = number // across + 1, number % across + 1
        legend = f"legend{number + 1}" if number else "legend"
        highest = 0.0  # the legend is drawn above the highest value
        for target in panel["targets"]:
            for series in _series(url, target["expr"], begun, ended):
                times = [datetime.fromtimestamp(time) for time, _ in series["values"]]
                values = [float(value) for _, value in series["values"]]
                highest = max([highest, *filter(isfinite, values)])
                name = _legend(target["legendFormat"], series["metric"])
                figure.add_trace(go.Scatter(x=times, y=values, name=name, legend=legend, line_width=1.2), row, column)
        unit = _UNITS[panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "short")]
        form = {"tickformat": unit} if unit.startswith(".") else {"ticksuffix": f" {unit}".rstrip()}
        figure.update_xaxes(row=row, col=column, range=[datetime.fromtimestamp(begun), datetime.fromtimestamp(ended)])
        figure.update_yaxes(row=row, col=column, range=[0, 1.5 * highest or 1], **form)
        x, y = figure.get_subplot(row, column).xaxis.domain[1], figure.get_subplot(row, column).yaxis.domain[1]
        figure.update_layout(
            {
                legend: {
                    "x": x,
                    "y": y,
                    "xanchor": "right",
                    "yanchor": "top",
                    "font_size": 9,
                    "bgcolor": "rgba(255,255,255,0.7)",
                }
            }
        )
    figure.update_annotations(font_size=12)
    figure.update_layout(template="plotly_white", font_size=10, margin={"t": 30, "b": 20, "l": 50, "r": 10})
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure.write_image(PICTURES / "dashboard.svg", width=1000, height=230 * rows)
