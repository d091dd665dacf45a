"""The style of all charts: a colour per subject, a title with the number of samples, and a mark on a quick run."""

import plotly.graph_objects as go

from benchmarks.results import Experiment, Operation, Results

COLOURS = {  # from Okabe and Ito, and Tol's muted scheme: distinguishable with colour blindness
    "bare": "#0072B2",
    "gunicorn-1": "#E69F00",
    "gunicorn-11": "#D55E00",
    "gunicorn-1-max-requests": "#CC79A7",
    "service": "#0072B2",  # the same program as bare
    "service-without-coalescing": "#56B4E9",
    "service-two-processes": "#332288",
    "service-four-connections": "#88CCEE",
    "blacksheep": "#AA4499",
    "aiohttp": "#117733",
    "litestar": "#999933",
    "fastapi": "#44AA99",
    "fastapi-sqlalchemy": "#882255",
    "floor-static": "#777777",
    "floor-query": "#BBBBBB",
}
LEVEL = "#444444"
QUICK = "quick run, not to be quoted"
WIDTH = 1000


def titled(
    figure: go.Figure,
    what: str,
    results: Results,
    experiment: Experiment,
    hint: str,
    height: int,
    operation: Operation | None = None,
) -> go.Figure | None:
    """Add a title that describes the chart and the number of samples. Return None if there are no samples."""
    samples = [
        each
        for each in results.samples
        if each.experiment == experiment
        and (not operation or each.operation == operation)
        and (experiment != "open-loop" or each.peak_share)  # without the loads that found the peak
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


def finished(figure: go.Figure, results: Results) -> go.Figure:
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
