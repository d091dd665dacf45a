"""Charts of the CPU of a request."""

from collections.abc import Iterable

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.charts.style import COLOURS, add_line, titled
from benchmarks.goals import OPERATIONS
from benchmarks.judge import CONTROL
from benchmarks.measurement import ALONE, MIDDLE, NAMES, PEERS, SERVICES, closed_loads, measured, measurement
from benchmarks.results import Results
from benchmarks.statistics import Estimate


def cpu_by_connections(results: Results) -> go.Figure | None:
    """Plot CPU per request over the connections of a closed loop, one line per subject that has several of them."""
    figure = make_subplots(2, 2, subplot_titles=[NAMES[each] for each in OPERATIONS], vertical_spacing=0.16)
    samples = []
    for index, operation in enumerate(OPERATIONS):
        place = {"row": 1 + index // 2, "col": 1 + index % 2}
        for number, subject in enumerate(("service", ALONE, *PEERS, CONTROL)):
            found = {
                one.rounds[0].connections: one.cpu_us
                for load in closed_loads(results)
                if (one := measurement(results, "matrix", subject, operation, load))
            }
            if len(found) > 1 and (subject != CONTROL or operation == "get"):
                points = [(connections, one.middle) for connections, one in found.items()]
                add_line(figure, place, subject, number, points, error_y=_interval(found.values()))
                samples += results.of("matrix", subject, operation)
                figure.update_xaxes(tickvals=list(found), **place)
        figure.update_xaxes(type="log", title="connections" if index > 1 else None, **place)
        figure.update_yaxes(rangemode="tozero", title="CPU a request, µs" if index % 2 == 0 else None, **place)
    return titled(figure, "CPU a request over connections", samples, "lower is better; bars: the interval", 740)


def cpu(results: Results) -> go.Figure | None:
    """Compare CPU per request of the service and all peers at the load where all were measured."""
    titles = [NAMES[each] for each in OPERATIONS]
    figure = make_subplots(2, 2, subplot_titles=titles, horizontal_spacing=0.22, vertical_spacing=0.16)
    samples = []
    for index, operation in enumerate(OPERATIONS):
        found = measured(results, "matrix", reversed((*SERVICES, *PEERS)), operation, MIDDLE)
        middles = [one.cpu_us.middle for one in found.values()]
        # The longest bar is cut off if it would squeeze all others.
        *_, second, first = [0, 0, *sorted(middles)]
        most = 1.25 * second if 0 < 2 * second < first else first
        figure.add_bar(
            orientation="h",
            y=list(found),
            x=[min(each, most) for each in middles],
            marker_color=[COLOURS[each] for each in found],
            error_x=_interval([one.cpu_us for one in found.values()], most),
            text=[f"{each:,.0f}{' →' * (each > most)}" for each in middles],
            textposition="inside",
            insidetextanchor="start",
            showlegend=False,
            row=1 + index // 2,
            col=1 + index % 2,
        )
        samples += [each for one in found.values() for each in one.rounds]
    figure.update_xaxes(title="CPU a request, µs", rangemode="tozero", tickformat=",")
    what = f"CPU a request with {MIDDLE}, the service and its peers"
    return titled(figure, what, samples, "lower is better; →: longer than shown", 800)


def _interval(estimates: Iterable[Estimate], most: float = float("inf")) -> dict[str, object]:
    """Return error bars, without those of values that are cut off."""
    shown = [each if each.high <= most else Estimate(0, 0, 0, 0) for each in estimates]
    above, below = [each.high - each.middle for each in shown], [each.middle - each.low for each in shown]
    return {"array": above, "arrayminus": below, "thickness": 1.2}
