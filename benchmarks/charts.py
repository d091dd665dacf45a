"""The charts of a results file, by Plotly: interactive in one HTML file, and as still pictures."""

from collections import Counter
from math import log10
from pathlib import Path

import plotly.graph_objects as go
import plotly.io
from plotly.subplots import make_subplots

from benchmarks import sizing
from benchmarks.measurement import (
    FLOORS,
    LEVEL_SHARE,
    LEVELS_MS,
    PEERS,
    VARIANTS,
    Measurement,
    measured,
    measurement,
    operations,
    peak_shares,
    subjects,
)
from benchmarks.results import STEP_MS, Experiment, Operation, Results
from benchmarks.statistics import SHARES

COLOURS = {  # by Okabe and Ito, and Tol's muted ones: told apart by the colour-blind, too
    "bare": "#0072B2",
    "gunicorn-1": "#E69F00",
    "gunicorn-11": "#D55E00",
    "gunicorn-1-max-requests": "#CC79A7",
    "service": "#0072B2",  # the same program as bare
    "service-without-coalescing": "#56B4E9",
    "service-two-processes": "#332288",
    "service-4-connections": "#88CCEE",
    "blacksheep": "#AA4499",
    "aiohttp": "#117733",
    "litestar": "#999933",
    "fastapi": "#44AA99",
    "fastapi-sqlalchemy": "#882255",
    "floor-static": "#777777",
    "floor-query": "#BBBBBB",
}
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "pentagon", "hexagon", "triangle-down")
DASHES = ("solid", "dash", "dot", "dashdot")
NAMES: dict[Operation, str] = {"get": "GET", "post": "POST", "put": "PUT", "page": "page of 50"}
LEVEL = "#444444"
TICKS_MS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)
QUICK = "quick run, not to be quoted"
WIDTH = 1000


def charts(results: Results) -> dict[str, go.Figure]:
    """All charts for which the results have an experiment, by the names of their pictures."""
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
    return {name: _finished(figure, results) for name, figure in made.items() if figure}


def throughput(results: Results, experiment: Experiment) -> go.Figure | None:
    """Requests/s head to head."""
    asked, figure = operations(results, experiment), go.Figure()
    for subject in subjects(results, experiment):
        found = [
            (NAMES[each], one.per_second) for each in asked if (one := measurement(results, experiment, subject, each))
        ]
        figure.add_bar(
            name=subject,
            x=[name for name, _ in found],
            y=[one.middle for _, one in found],
            error_y={
                "array": [one.high - one.middle for _, one in found],
                "arrayminus": [one.middle - one.low for _, one in found],
                "thickness": 1.2,
            },
            text=[f"{one.middle:,.0f}" for _, one in found],
            textposition="inside",
            insidetextanchor="start",
            textangle=0,
            marker_color=COLOURS[subject],
        )
    figure.update_yaxes(title="successful answers, 1/s", rangemode="tozero", tickformat=",")
    return _titled(figure, "Requests per second head to head", results, experiment, "higher is better", 480)


def distribution(results: Results, experiment: Experiment, operation: Operation) -> go.Figure | None:
    """Response times within the 99.9th percentile in buckets of 1 ms, a row a subject."""
    found = measured(results, experiment, subjects(results, experiment), operation)
    if not found:
        return None
    figure = make_subplots(rows=len(found), cols=1, shared_xaxes=True, vertical_spacing=0.03)
    ends = {subject: one.quantile(LEVEL_SHARE) for subject, one in found.items()}
    for row, (subject, one) in enumerate(found.items(), 1):
        end = ends[subject]
        buckets = Counter[int]()
        for step, count in one.histogram.items():
            if end is None or (step + 1) * STEP_MS <= end:
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
        lost = f", {one.failed_share:.2%} failed" if one.failed else ""
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
    return _titled(figure, what, results, experiment, "", 140 + 110 * len(found), operation)


def quantiles(results: Results, experiment: Experiment) -> go.Figure | None:
    """All quantiles of a closed loop head to head, a column an operation."""
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
    return _titled(figure, what, results, experiment, "lower is better", 190 + 330 * rows)


def open_loop(results: Results) -> go.Figure | None:
    """All quantiles at fixed rates, a row a share of the peak, a column an operation."""
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
        subplot_titles=[f"{NAMES[each]} at {share:.0%} of the peak" for share in shares for each in asked],
    )
    for row, share in enumerate(shares, 1):
        for column, operation in enumerate(asked, 1):
            chosen = subjects(results, "open-loop")
            _quantile_lines(figure, results, "open-loop", chosen, operation, share, row, column)
    _same_range(figure)
    what = "All quantiles head to head, open loop"
    return _titled(
        figure, what, results, "open-loop", "from the intended start; lower is better", 190 + 230 * len(shares)
    )


def _same_range(figure: go.Figure) -> None:
    values = [y for trace in figure.data for y in trace.y]
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
    """A line a subject: quantiles on an axis of their distance from 1; what failures reach has no point."""
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
        # Not add_hline: on an axis of logarithms it puts its words elsewhere.
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


def limits(results: Results, experiment: Experiment) -> go.Figure | None:
    """Memory and CPU against a deployment's limit."""
    asked = operations(results, experiment)
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=["memory under load", "CPU under load"], horizontal_spacing=0.09
    )
    for subject in subjects(results, experiment):
        found = [(NAMES[each], one) for each in asked if (one := measurement(results, experiment, subject, each))]
        cores, mebibytes = results.limits.get(subject, (0.0, 0.0))
        for column, limit, of in ((1, mebibytes, _memory), (2, cores, _cores)):
            if limit:
                values = [of(one) / limit for _, one in found]
                figure.add_bar(
                    name=subject,
                    legendgroup=subject,
                    showlegend=column == 1,
                    marker_color=COLOURS[subject],
                    x=[name for name, _ in found],
                    y=values,
                    text=[f"{each:.0%}" for each in values],
                    textposition="outside",
                    textangle=0,
                    textfont={"size": 11},
                    cliponaxis=False,
                    row=1,
                    col=column,
                )
    figure.add_hline(y=1, line={"color": LEVEL, "dash": "dash", "width": 1}, layer="below")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(title="of the deployment's limit", row=1, col=1)
    what = "Memory and CPU against the limit"
    return _titled(figure, what, results, experiment, "dashed: the limit", 480)


def _memory(one: Measurement) -> float:
    return one.memory_mib.middle


def _cores(one: Measurement) -> float:
    return one.cores.middle


def cpu(results: Results) -> go.Figure | None:
    """CPU a request of the service and its peers, with the floors as lines."""
    asked = operations(results, "comparison")
    if not asked:
        return None
    figure = make_subplots(
        rows=2, cols=2, subplot_titles=[NAMES[each] for each in asked], horizontal_spacing=0.22, vertical_spacing=0.16
    )
    for index, operation in enumerate(asked):
        place = {"row": 1 + index // 2, "col": 1 + index % 2}
        found = measured(results, "comparison", reversed((*VARIANTS, *PEERS)), operation)
        estimates = [one.cpu_us for one in found.values()]
        figure.add_bar(
            orientation="h",
            y=list(found),
            x=[one.middle for one in estimates],
            marker_color=[COLOURS[each] for each in found],
            error_x={
                "array": [one.high - one.middle for one in estimates],
                "arrayminus": [one.middle - one.low for one in estimates],
                "thickness": 1.2,
            },
            text=[f"  {one.middle:,.0f}" for one in estimates],
            textposition="outside",
            cliponaxis=False,
            showlegend=False,
            **place,
        )
        most = max((one.high for one in estimates), default=1)
        figure.update_xaxes(title="server CPU a request, µs", range=[0, most * 1.25], **place)
        floors = measured(results, "comparison", FLOORS, operation)
        if len(floors) == len(FLOORS):
            floor = sum(one.cpu_us.middle for one in floors.values())
            figure.add_vline(x=floor, line={"color": LEVEL, "dash": "dash", "width": 1.5}, **place)
            figure.add_annotation(
                text=f"dashed: the floor, {floor:.0f} µs",
                xref="x domain",
                yref="y domain",
                x=0.99,
                y=0.97,
                showarrow=False,
                xanchor="right",
                yanchor="top",
                font={"size": 12, "color": LEVEL},
                **place,
            )
    what = "CPU per request, the service and its peers"
    return _titled(figure, what, results, "comparison", "lower is better; floor: a static answer and a query", 800)


def footprint(results: Results) -> go.Figure | None:
    """Idle memory and time to start."""
    shown = [each for each in reversed((*VARIANTS, *PEERS)) if any(one.subject == each for one in results.starts)]
    if not shown:
        return None
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    for column, title, values in (
        (1, "idle memory (PSS), MiB", [sizing.idle_mib(results, each) for each in shown]),
        (2, "start to first answer, s", [sizing.start_seconds(results, each) for each in shown]),
    ):
        figure.add_bar(
            orientation="h",
            y=shown,
            x=[one.middle if one else 0 for one in values],
            marker_color=[COLOURS[each] for each in shown],
            text=[f"  {one.middle:.3g}" if one else "" for one in values],
            textposition="outside",
            cliponaxis=False,
            showlegend=False,
            row=1,
            col=column,
        )
        figure.update_xaxes(title=title, range=[0, 1.15 * max(one.middle for one in values if one)], row=1, col=column)
    starts = min(sum(one.subject == each for one in results.starts) for each in shown)
    figure.update_layout(
        height=440, title=f"Memory and start<br><sup>medians of at least {starts} starts; lower is better</sup>"
    )
    return figure


def size(results: Results) -> go.Figure | None:
    """Cores and pods by the rate of GETs, measured points and arithmetic."""
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
                    y=log10(values[-1]),
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
        textposition="bottom right",
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
    figure.update_yaxes(title="pods; connections", row=2, col=1)
    figure.update_layout(
        height=640,
        margin={"r": 170},
        title=f"Sizing<br><sup>points: measured; solid: by the rules, up to the {measured_to:,.0f} GETs/s that were "
        "measured; dotted: arithmetic</sup>",
    )
    return figure


def _rates(least: float, most: float) -> list[float]:
    return [least * (most / least) ** (index / 120) for index in range(121)]


def _ms(value: float | None) -> str:
    return "–" if value is None else "∞" if value == float("inf") else f"{value:.1f} ms"


def _titled(
    figure: go.Figure,
    what: str,
    results: Results,
    experiment: Experiment,
    hint: str,
    height: int,
    operation: Operation | None = None,
) -> go.Figure | None:
    """With a title that says what and of how many samples; None where there are none."""
    samples = [
        each
        for each in results.samples
        if each.experiment == experiment and (not operation or each.operation == operation)
    ]
    if not samples:
        return None
    rounds, requests = max(each.round for each in samples), sum(each.requests for each in samples)
    seconds = sorted(each.seconds for each in samples)[len(samples) // 2]
    where = {"cluster": "on a cluster, ", "article": "", "open-loop": "", "comparison": ""}[experiment]
    connections = max(each.connections for each in samples)
    load = "" if experiment == "open-loop" else f"{connections} connections, "
    told = f"{where}{load}{rounds} rounds of {seconds:.0f} s, {requests / 1e6:,.2f} million requests"
    figure.update_layout(title=f"{what}<br><sup>{told}{'; ' * bool(hint)}{hint}</sup>", height=height)
    return figure


def _finished(figure: go.Figure, results: Results) -> go.Figure:
    margin = {"l": 80, "r": 30, "t": 110, "b": 60}
    figure.update_layout(
        template="plotly_white",
        width=WIDTH,
        font={"family": "DejaVu Sans, Verdana, sans-serif", "size": 13},
        barmode="group",
        legend={"orientation": "h", "yanchor": "top", "y": -70 / (figure.layout.height - 170), "x": 0},
        margin={side: figure.layout.margin[side] or size for side, size in margin.items()},
    )
    if figure.layout.showlegend is not False and any(trace.showlegend is not False for trace in figure.data):
        figure.update_layout(height=figure.layout.height + 60, margin_b=120)
    if results.quick:
        figure.add_annotation(
            text=QUICK,
            xref="paper",
            yref="paper",
            x=0.5,
            y=0.5,
            showarrow=False,
            textangle=-20,
            opacity=0.25,
            font={"size": 52, "color": "#AA0000"},
        )
    return figure


def page(results: Results, file: Path) -> None:
    """Writes all charts, interactive, into one HTML file that needs no network."""
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=not index, config={"displaylogo": False})
        for index, figure in enumerate(charts(results).values())
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    head = "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Benchmark</title></head><body>"
    file.write_text("\n".join([head, *parts, "</body></html>"]), encoding="utf-8")


def stills(results: Results, folder: Path) -> list[str]:
    """Writes a picture of each chart, and gives their names.

    Raises:
        SystemExit: no Chrome or Chromium is there to draw them.
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
