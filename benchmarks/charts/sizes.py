"""The sizing chart: the measured points, the sizes by the rules, and the extrapolation."""

from math import log10

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks import sizing
from benchmarks.charts.style import COLOURS, LEVEL
from benchmarks.results import Results


def size(results: Results) -> go.Figure | None:
    """Plot cores and pods by the rate of GETs, with the measured points and the extrapolation."""
    costs = sizing.costs(results)
    if not costs:
        return None
    measured_to = sizing.measured_to(results)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    for name, dash, rates in (
        ("measured range", "solid", _rates(100, measured_to)),
        ("arithmetic beyond it", "dot", _rates(measured_to, 100_000)),
    ):
        plans = [sizing.plan(costs, sizing.Rates(get=rate)) for rate in rates]
        for row, label, colour, values in (
            (1, "the service's CPU", COLOURS["service"], [one.service_cores for one in plans]),
            (1, "PostgreSQL's CPU", COLOURS["gunicorn-1"], [one.database_cores for one in plans]),
            (2, "pods", COLOURS["service"], [one.pods for one in plans]),
            (2, "database connections", COLOURS["gunicorn-1"], [one.connections for one in plans]),
        ):
            figure.add_scatter(
                name=f"{label}, {name}",
                x=rates,
                y=values,
                mode="lines",
                line={"color": colour, "dash": dash, "width": 2, "shape": "hv" if row == 2 else "linear"},
                showlegend=False,
                row=row,
                col=1,
            )
            if dash == "dot":
                figure.add_annotation(
                    text=label,
                    x=log10(100_000),
                    y=log10(values[-1] or 1),
                    xanchor="left",
                    showarrow=False,
                    xshift=6,
                    font={"color": colour},
                    row=row,
                    col=1,
                )
    points = [one for one in sizing.points(results) if one[0] >= 100]
    figure.add_scatter(
        x=[rate for rate, _, _ in points],
        y=[cores for _, cores, _ in points],
        mode="markers",
        showlegend=False,
        marker={"color": COLOURS["service"], "size": 7},
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=[rate for rate, _, _ in points],
        y=[cores for _, _, cores in points],
        mode="markers",
        showlegend=False,
        marker={"color": COLOURS["gunicorn-1"], "size": 7},
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=[100, 100_000],
        y=[sizing.MAX_CONNECTIONS] * 2,
        mode="lines+text",
        line={"color": LEVEL, "dash": "dash", "width": 1},
        text=[f"max_connections {sizing.MAX_CONNECTIONS}"],
        textposition="top right",
        showlegend=False,
        row=2,
        col=1,
    )
    figure.update_xaxes(
        type="log", range=[2, 5.02], tickvals=sizing.TABLE, ticktext=[f"{each:,}" for each in sizing.TABLE]
    )
    figure.update_xaxes(title="GETs by id, 1/s", row=2, col=1)
    decades = [10.0**power for power in range(-4, 4)]
    figure.update_yaxes(type="log", tickvals=decades, ticktext=[f"{each:g}" for each in decades])
    figure.update_yaxes(title="cores", row=1, col=1)
    most = max(sizing.MAX_CONNECTIONS, *(y for trace in figure.data for y in trace.y))
    figure.update_yaxes(title="pods; connections", range=[log10(1.5), log10(2 * most)], row=2, col=1)
    figure.update_layout(
        height=640,
        margin={"r": 170},
        title=f"Sizing<br><sup>points: measured; solid: by the rules, up to the {measured_to:,.0f} GETs/s that were "
        "measured; dotted: arithmetic</sup>",
    )
    return figure


def _rates(least: float, most: float) -> list[float]:
    return [least * (most / least) ** (index / 120) for index in range(121)]
