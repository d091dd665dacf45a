"""Charts of response times: their distribution, and a comparison of all quantiles."""

from collections import Counter
from math import log10

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.charts.style import COLOURS, LEVEL, titled
from benchmarks.measurement import (
    FLOORS,
    LEVEL_SHARE,
    LEVELS_MS,
    NAMES,
    measured,
    measurement,
    operations,
    peak_shares,
    subjects,
)
from benchmarks.results import STEP_MS, Experiment, Operation, Results, quantile
from benchmarks.statistics import SHARES, percent

MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "pentagon", "hexagon", "triangle-down")
DASHES = ("solid", "dash", "dot", "dashdot")
TICKS_MS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)


def distribution(results: Results, experiment: Experiment, operation: Operation) -> go.Figure | None:
    """Plot response times within the 99.9th percentile in buckets of 1 ms, one row per subject."""
    found = measured(results, experiment, subjects(results, experiment), operation)
    if not found:
        return None
    figure = make_subplots(rows=len(found), cols=1, shared_xaxes=True, vertical_spacing=0.03)
    for row, (subject, one) in enumerate(found.items(), 1):
        end = one.quantile(LEVEL_SHARE)
        last = quantile(one.histogram, LEVEL_SHARE)
        buckets = Counter[int]()
        for step, count in one.histogram.items():
            if (step + 1) * STEP_MS <= last:
                buckets[int(step * STEP_MS + STEP_MS / 2)] += count
        times = range(min(buckets, default=0), max(buckets, default=0) + 1)
        shares = [buckets[each] / one.requests for each in times]
        figure.add_scatter(
            name=subject,
            x=list(times),
            y=shares,
            line={"shape": "hv", "width": 1},
            fill="tozeroy",
            marker_color=COLOURS[subject],
            row=row,
            col=1,
        )
        lost = f", {percent(one.failed_share, 2)} failed" if one.failed else ""
        figure.add_annotation(
            text=f"<b>{subject}</b>  p50 {_ms(one.quantile(0.5))}, p99.9 {_ms(end)}{lost}",
            xref="x domain",
            yref="y domain",
            x=0.995,
            y=0.96,
            showarrow=False,
            xanchor="right",
            yanchor="top",
            bgcolor="white",
            row=row,
            col=1,
        )
        figure.update_yaxes(tickformat=".1~%", rangemode="tozero", nticks=4, row=row, col=1)
        if operation in LEVELS_MS:
            figure.add_vline(x=LEVELS_MS[operation], line={"color": LEVEL, "dash": "dash", "width": 1}, row=row, col=1)
    figure.update_yaxes(title="share of requests", row=(len(found) + 1) // 2, col=1)
    figure.update_xaxes(title="response time, ms, in buckets of 1 ms; dashed: the service level", row=len(found), col=1)
    figure.update_layout(showlegend=False)
    what = f"{NAMES[operation]}: response times within the 99.9th percentile"
    return titled(figure, what, results, experiment, "", 140 + 110 * len(found), operation)


def _ms(value: float | None) -> str:
    return "–" if value is None else "∞" if value == float("inf") else f"{value:.1f} ms"


def quantiles(results: Results, experiment: Experiment) -> go.Figure | None:
    """Compare all quantiles of a closed loop, one column per operation."""
    asked = operations(results, experiment)
    if not asked:
        return None
    columns = 2 if len(asked) == 4 else len(asked)
    rows = -(-len(asked) // columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_yaxes="all",
        subplot_titles=[NAMES[each] for each in asked],
        horizontal_spacing=0.03,
        vertical_spacing=0.14,
    )
    chosen = [each for each in subjects(results, experiment) if each not in FLOORS]
    for index, operation in enumerate(asked):
        _quantile_lines(figure, results, experiment, chosen, operation, None, 1 + index // columns, 1 + index % columns)
    _same_range(figure)
    what = "All quantiles head to head, closed loop"
    return titled(figure, what, results, experiment, "lower is better", 190 + 330 * rows)


def open_loop(results: Results) -> go.Figure | None:
    """Compare all quantiles at fixed rates, one row per share of the peak, one column per operation."""
    asked, shares = operations(results, "open-loop"), peak_shares(results)
    if not asked:
        return None
    figure = make_subplots(
        rows=len(shares),
        cols=len(asked),
        shared_yaxes="all",
        shared_xaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.07,
        subplot_titles=[f"{NAMES[each]} at {percent(share)} of the peak" for share in shares for each in asked],
    )
    for row, share in enumerate(shares, 1):
        for column, operation in enumerate(asked, 1):
            chosen = subjects(results, "open-loop")
            _quantile_lines(figure, results, "open-loop", chosen, operation, share, row, column)
    _same_range(figure)
    what = "All quantiles head to head, open loop"
    return titled(
        figure, what, results, "open-loop", "from the intended start; lower is better", 190 + 230 * len(shares)
    )


def _same_range(figure: go.Figure) -> None:
    values = [y for trace in figure.data for y in trace.y]
    if values:
        figure.update_yaxes(range=[log10(min(values)) - 0.1, log10(max(values)) + 0.1])


def _quantile_lines(
    figure: go.Figure,
    results: Results,
    experiment: Experiment,
    chosen: list[str],
    operation: Operation,
    peak_share: float | None,
    row: int,
    column: int,
) -> None:
    """Draw one line per subject: quantiles by their distance from 1. A quantile that failures reach has no point."""
    for index, subject in enumerate(chosen):
        one = measurement(results, experiment, subject, operation, peak_share)
        if one:
            told = [(share, one.quantile(share)) for share in SHARES]
            points = [(-log10(1 - share), ms) for share, ms in told if ms is not None and ms != float("inf")]
            figure.add_scatter(
                name=subject,
                legendgroup=subject,
                showlegend=row == column == 1,
                mode="lines+markers",
                x=[x for x, _ in points],
                y=[y for _, y in points],
                line={"dash": DASHES[index % len(DASHES)], "width": 2},
                marker={"color": COLOURS[subject], "symbol": MARKERS[index % len(MARKERS)], "size": 8},
                row=row,
                col=column,
            )
    if operation in LEVELS_MS and experiment != "comparison":
        # Not add_hline: on a logarithmic axis it places its text wrongly.
        figure.add_scatter(
            x=[0, 5],
            y=[LEVELS_MS[operation]] * 2,
            mode="lines",
            line={"color": LEVEL, "dash": "dash", "width": 1},
            name="service level",
            legendgroup="service level",
            showlegend=row == column == 1,
            row=row,
            col=column,
        )
    places = [-log10(1 - share) for share in SHARES]
    figure.update_xaxes(
        tickvals=places,
        ticktext=[f"{100 * share:g}" for share in SHARES],
        range=[places[0] - 0.2, places[-1] + 0.2],
        title="percentile" if row == len(figure._grid_ref) else None,
        row=row,
        col=column,
    )
    figure.update_yaxes(
        type="log",
        tickvals=TICKS_MS,
        ticktext=[f"{each:,g}" for each in TICKS_MS],
        row=row,
        col=column,
        title="response time, ms" if column == 1 else None,
    )
