"""Charts of throughput and resources: CPU, memory and start time."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.charts.style import COLOURS, LEVEL, titled
from benchmarks.measurement import (
    FLOORS,
    NAMES,
    PEERS,
    VARIANTS,
    Measurement,
    idle_mib,
    measured,
    measurement,
    operations,
    start_seconds,
    subjects,
)
from benchmarks.results import Experiment, Results


def throughput(results: Results, experiment: Experiment) -> go.Figure | None:
    """Compare requests/s."""
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
    return titled(figure, "Requests per second head to head", results, experiment, "higher is better", 480)


def limits(results: Results, experiment: Experiment) -> go.Figure | None:
    """Compare memory and CPU with the limits of each deployment."""
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
                    textposition=["inside" if each > 0.3 else "outside" for each in values],
                    insidetextanchor="end",
                    textangle=0,
                    textfont={"size": 10},
                    cliponaxis=False,
                    row=1,
                    col=column,
                )
    figure.add_hline(y=1, line={"color": LEVEL, "dash": "dash", "width": 1}, layer="below")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_layout(uniformtext={"minsize": 9, "mode": "show"})
    figure.update_yaxes(title="of the deployment's limit", row=1, col=1)
    what = "Memory and CPU against the limit"
    return titled(figure, what, results, experiment, "dashed: the limit", 480)


def _memory(one: Measurement) -> float:
    return one.memory_mib.middle


def _cores(one: Measurement) -> float:
    return one.cores.middle


def cpu(results: Results) -> go.Figure | None:
    """Compare CPU per request of the service and its peers, with the floor as a line."""
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
        figure.update_xaxes(title="server CPU a request, µs", range=[0, most * 1.25], tickformat=",", **place)
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
    hint = "lower is better; floor: a static answer and a query; →: longer than shown"
    return titled(figure, what, results, "comparison", hint, 800)


def _end_of_axis(values: list[float]) -> float:
    """Return the greatest value, unless it would squeeze all others. Its bar is then cut off at the end, and marked."""
    *_, second, first = [0, 0, *sorted(values)]
    return 1.25 * second if 0 < 2 * second < first else first


def footprint(results: Results) -> go.Figure | None:
    """Compare idle memory and start time."""
    shown = [each for each in reversed((*VARIANTS, *PEERS)) if any(one.subject == each for one in results.starts)]
    if not shown:
        return None
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    for column, title, values in (
        (1, "idle memory (PSS), MiB", [idle_mib(results, each) for each in shown]),
        (2, "start to first answer, s", [start_seconds(results, each) for each in shown]),
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
