"""The style of all charts: a colour per subject, a title with the number of samples, and a mark on a quick run."""

from collections.abc import Sequence
from statistics import median
from typing import Final

import plotly.graph_objects as go

from benchmarks.judge import CONTROL
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


def add_line(
    figure: go.Figure,
    place: dict[str, int],
    subject: str,
    index: int,
    points: Sequence[tuple[float, float]],
    **more: object,
) -> None:
    """Add a subject's line to a panel, with another dash and marker for each index, and name it in the legend once."""
    figure.add_scatter(
        name="static answer" if subject == CONTROL else subject,
        legendgroup=subject,
        showlegend=all(each.legendgroup != subject for each in figure.data),
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="lines+markers",
        line={"dash": DASHES[index % len(DASHES)], "width": 2},
        marker={"color": COLOURS[subject], "symbol": MARKERS[index % len(MARKERS)], "size": 8},
        **place,
        **more,
    )


def finished(figure: go.Figure, results: Results) -> go.Figure:
    """Give a chart the common layout, room for a legend if it has one, and a mark if it is of a quick run."""
    legend = 60 * any(each.showlegend for each in figure.data)
    figure.update_layout(
        template="plotly_white",
        width=WIDTH,
        font={"family": "DejaVu Sans, Verdana, sans-serif", "size": 13},
        legend={"orientation": "h", "yanchor": "top", "y": -70 / (figure.layout.height - 170), "x": 0},
        margin={"l": 80, "r": 30, "t": 110, "b": 60 + legend},
        height=figure.layout.height + legend,
    )
    if results.quick:
        font, at = {"size": 52, "color": "#AA0000"}, {"xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
        figure.add_annotation(text=QUICK, showarrow=False, textangle=-20, opacity=0.25, font=font, **at)
    return figure
