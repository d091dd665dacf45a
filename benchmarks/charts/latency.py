"""Charts of response times: all quantiles, by their distance from 1."""

from collections.abc import Sequence
from math import log10

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.charts.style import LEVEL, add_line, titled
from benchmarks.judge import CONTROL
from benchmarks.measurement import ALONE, DEPLOYMENTS, LEVELS_MS, NAMES, PYTHON_PEERS, measured, operations
from benchmarks.results import Experiment, Results
from benchmarks.statistics import SHARES

RATE = "2,000/s"
_TICKS_MS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)


def article(results: Results, experiment: Experiment) -> go.Figure | None:
    """Compare all quantiles of the article's deployments, with the service levels."""
    return _quantiles(results, experiment, DEPLOYMENTS, None, "All quantiles of the response time")


def fixed_rate(results: Results) -> go.Figure | None:
    """Compare all quantiles of the subjects that were measured at a fixed rate, and of the control."""
    what = f"All quantiles of the response time, {RATE} in an open loop, from when a request was due"
    return _quantiles(results, "matrix", ("service", ALONE, *PYTHON_PEERS, CONTROL), RATE, what)


def _quantiles(
    results: Results, experiment: Experiment, chosen: Sequence[str], load: str | None, what: str
) -> go.Figure | None:
    """Draw a panel per operation and a line per subject. A quantile that failures reach has no point."""
    asked = [each for each in operations(results, experiment) if each != "keyed-post"]
    found = {each: measured(results, experiment, chosen, each, load) for each in asked}
    if not any(found.values()):
        return None
    columns = 2 if len(asked) == 4 else len(asked)
    rows = -(-len(asked) // columns)
    titles = [NAMES[each] for each in asked]
    figure = make_subplots(
        rows, columns, shared_yaxes="all", subplot_titles=titles, horizontal_spacing=0.03, vertical_spacing=0.14
    )
    places = [-log10(1 - share) for share in SHARES]
    for index, (operation, of) in enumerate(found.items()):
        place = {"row": 1 + index // columns, "col": 1 + index % columns}
        for subject, one in of.items():
            told = zip(places, map(one.quantile, SHARES), strict=True)
            points = [(x, ms) for x, ms in told if ms is not None and ms != float("inf")]
            add_line(figure, place, subject, chosen.index(subject), points)
        if experiment != "matrix" and operation in LEVELS_MS:
            figure.add_scatter(  # not add_hline: on a logarithmic axis it places its text wrongly
                name="service level",
                legendgroup="service level",
                showlegend=not index,
                x=[0, 5],
                y=[LEVELS_MS[operation]] * 2,
                mode="lines",
                line={"color": LEVEL, "dash": "dash", "width": 1},
                **place,
            )
        figure.update_xaxes(
            tickvals=places,
            ticktext=[f"{100 * share:g}" for share in SHARES],
            range=[places[0] - 0.2, places[-1] + 0.2],
            title="percentile" if place["row"] == rows else None,
            **place,
        )
        figure.update_yaxes(title="response time, ms" if place["col"] == 1 else None, **place)
    figure.update_yaxes(type="log", tickvals=_TICKS_MS, ticktext=[f"{each:,g}" for each in _TICKS_MS])
    samples = [each for of in found.values() for one in of.values() for each in one.rounds]
    return titled(figure, what, samples, "lower is better", 190 + 330 * rows)
