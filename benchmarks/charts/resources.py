"""Charts of CPU and memory."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.charts.style import COLOURS, LEVEL, line, titled
from benchmarks.goals import ALONE
from benchmarks.judge import CONTROL
from benchmarks.measurement import (
    FLOORS,
    NAMES,
    PEERS,
    SERVICES,
    measured,
    measurement,
    middle,
    operations,
    subjects,
)
from benchmarks.results import Experiment, Operation, Results

_OPERATIONS: tuple[Operation, ...] = ("get", "post", "put", "page")


def cpu_by_connections(results: Results) -> go.Figure | None:
    """Plot CPU per request over the connections of a closed loop, one line per subject that has several of them."""
    figure = make_subplots(2, 2, subplot_titles=[NAMES[each] for each in _OPERATIONS], vertical_spacing=0.16)
    loads = {each.load: each.connections for each in results.samples if each.experiment == "matrix" and not each.rate}
    samples, named = [], set[str]()
    for index, operation in enumerate(_OPERATIONS):
        place = {"row": 1 + index // 2, "col": 1 + index % 2}
        for number, subject in enumerate(("service", ALONE, *PEERS, CONTROL)):
            found = {
                connections: one.cpu_us
                for load, connections in sorted(loads.items(), key=lambda each: each[1])
                if (one := measurement(results, "matrix", subject, operation, load))
            }
            if len(found) > 1 and (subject != CONTROL or operation == "get"):
                figure.add_scatter(
                    name=subject if subject != CONTROL else "static answer",
                    legendgroup=subject,
                    showlegend=subject not in named,
                    x=list(found),
                    y=[one.middle for one in found.values()],
                    error_y={
                        "array": [one.high - one.middle for one in found.values()],
                        "arrayminus": [one.middle - one.low for one in found.values()],
                        "thickness": 1,
                    },
                    **line(subject, number),
                    **place,
                )
                named.add(subject)
                samples += results.of("matrix", subject, operation)
        ticks = sorted(loads.values())
        figure.update_xaxes(type="log", tickvals=ticks, title="connections" if index > 1 else None, **place)
        figure.update_yaxes(rangemode="tozero", title="CPU a request, µs" if index % 2 == 0 else None, **place)
    if not named:
        return None
    return titled(figure, "CPU a request over connections", samples, "lower is better; bars: the interval", 740)


def cpu(results: Results) -> go.Figure | None:
    """Compare CPU per request of the service and all peers in the middle of the matrix, with the floor as a line."""
    load = middle(results)
    if not load:
        return None
    titles = [NAMES[each] for each in _OPERATIONS]
    figure = make_subplots(2, 2, subplot_titles=titles, horizontal_spacing=0.22, vertical_spacing=0.16)
    samples = []
    for index, operation in enumerate(_OPERATIONS):
        place = {"row": 1 + index // 2, "col": 1 + index % 2}
        found = measured(results, "matrix", reversed((*SERVICES, *PEERS)), operation, load)
        estimates = [one.cpu_us for one in found.values()]
        most = _end_of_axis([one.high for one in estimates])
        figure.add_bar(
            orientation="h",
            y=list(found),
            x=[min(one.middle, most) for one in estimates],
            marker_color=[COLOURS[each] for each in found],
            error_x={
                "array": [one.high - one.middle if one.high <= most else 0 for one in estimates],
                "arrayminus": [one.middle - one.low if one.high <= most else 0 for one in estimates],
                "thickness": 1.2,
            },
            showlegend=False,
            **place,
        )
        figure.add_scatter(  # right of the error bars, which would cross text on the bars
            mode="text",
            y=list(found),
            x=[min(one.high, most) for one in estimates],
            text=[f"\N{EN SPACE}{one.middle:,.0f}{' →' * (one.middle > most)}" for one in estimates],
            textposition="middle right",
            cliponaxis=False,
            hoverinfo="skip",
            showlegend=False,
            **place,
        )
        figure.update_xaxes(title="CPU a request, µs", range=[0, most * 1.25], tickformat=",", **place)
        samples += [each for one in found.values() for each in one.rounds]
    hint = "lower is better; →: longer than shown"
    return titled(figure, f"CPU a request with {load}, the service and its peers", samples, hint, 800)


def _end_of_axis(values: list[float]) -> float:
    """Return the greatest value, unless it would squeeze all others. Its bar is then cut off at the end, and marked."""
    *_, second, first = [0, 0, *sorted(values)]
    return 1.25 * second if 0 < 2 * second < first else first


def limits(results: Results, experiment: Experiment) -> go.Figure | None:
    """Compare memory and CPU with the limits of each deployment."""
    titles = ["memory under load", "CPU under load"]
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.09)
    samples = []
    for subject in (each for each in subjects(results, experiment) if each not in FLOORS):
        found = {
            NAMES[each]: one
            for each in operations(results, experiment)
            if (one := measurement(results, experiment, subject, each))
        }
        cores, mebibytes = results.limits.get(subject, (0.0, 0.0))
        memory = [one.memory_mib.middle / mebibytes for one in found.values() if mebibytes]
        used = [one.cores.middle / cores for one in found.values() if cores]
        for column, values in ((1, memory), (2, used)):
            figure.add_bar(
                name=subject,
                legendgroup=subject,
                showlegend=column == 1,
                marker_color=COLOURS[subject],
                x=list(found),
                y=values,
                text=[f"{each:.0%}" for each in values],
                textposition=["inside" if each > 0.3 else "outside" for each in values],
                insidetextanchor="end",
                textangle=0,
                textfont={"size": 10},
                cliponaxis=False,
                row=1,
                col=column,
            )
        samples += [each for one in found.values() for each in one.rounds]
    figure.add_hline(y=1, line={"color": LEVEL, "dash": "dash", "width": 1}, layer="below")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_layout(uniformtext={"minsize": 9, "mode": "show"})
    figure.update_yaxes(title="of the deployment's limit", row=1, col=1)
    return titled(figure, "Memory and CPU against the limit", samples, "dashed: the limit", 480)
