"""The style of all charts: a colour per subject, a title with the number of samples, and a mark on a quick run."""

from statistics import median
from typing import Final

import plotly.graph_objects as go

from benchmarks.measurement import FLOORS, PEERS
from benchmarks.results import Results, Sample

# From Okabe and Ito, and Tol's muted scheme: distinguishable with colour blindness.
_PALETTE: Final = ("#117733", "#44AA99", "#882255", "#999933", "#AA4499", "#CC6677", "#332288", "#DDCC77", "#661100")
COLOURS: Final = {
    "bare": "#0072B2",
    "gunicorn-1": "#E69F00",
    "gunicorn-11": "#D55E00",
    "gunicorn-1-max-requests": "#CC79A7",
    "service": "#0072B2",  # the same program as bare
    "service-without-coalescing": "#56B4E9",
    **{peer: _PALETTE[index % len(_PALETTE)] for index, peer in enumerate(PEERS)},
    **dict.fromkeys(FLOORS, "#777777"),
}
DASHES: Final = ("solid", "dash", "dot", "dashdot")
MARKERS: Final = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "pentagon", "hexagon", "bowtie")
LEVEL: Final = "#444444"
QUICK: Final = "not to be quoted"
WIDTH: Final = 1000


def titled(figure: go.Figure, what: str, samples: list[Sample], hint: str, height: int) -> go.Figure | None:
    """Add a title that describes the chart and the number of samples. Return None if there are no samples."""
    if not samples:
        return None
    seconds, millions = median(each.seconds for each in samples), sum(each.requests for each in samples) / 1e6
    told = f"{len(samples):,} loads of {seconds:.1f} s, {millions:,.2f} million requests"
    figure.update_layout(title=f"{what}<br><sup>{told}{'; ' * bool(hint)}{hint}</sup>", height=height)
    return figure


def line(subject: str, index: int) -> dict[str, object]:
    """Return the look of a subject's line, with another dash and marker for each index."""
    return {
        "line": {"dash": DASHES[index % len(DASHES)], "width": 2},
        "marker": {"color": COLOURS[subject], "symbol": MARKERS[index % len(MARKERS)], "size": 8},
        "mode": "lines+markers",
    }


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
