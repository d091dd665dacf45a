"""Compares the project's goals with the results: met or missed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.judge import CONTROL
from benchmarks.markdown import figure_cell, milliseconds_cell
from benchmarks.measurement import (
    ALONE,
    FLOOR_LOAD,
    FLOORS,
    LEVEL_SHARE,
    NAMES,
    PEAK_SHARE,
    PYTHON_PEERS,
    Measurement,
    footprint,
    loads,
    measured,
    measurement,
)
from benchmarks.results import Operation, Results, load_in_words

OPERATIONS: tuple[Operation, ...] = ("get", "post", "put", "page")
MOST_ALONE = 1.05
"""Of the best Python peer's CPU per GET, without coalescing."""
OF_LITESTAR = 0.9
IDLE_MIB, START_SECONDS = 50, 0.5
TAILS: dict[Operation, float] = {"get": 5, "post": 8, "put": 8}
"""p99.9 at 70 % of the peak, as a multiple of the control's at the same rate in the same rounds."""
TAIL_REQUESTS = 70_000
"""Least number of requests for that. 100,000 are planned, in rounds of which some may be thrown away."""


@dataclass(frozen=True)
class Goal:
    """One goal. A figure that is not in the results is None.

    Attributes:
        found: the figure, or the lower end of its interval where the interval decides.
        at_most: the bound, in the unit of the goal.
        why: the source of the bound, if the bound itself was measured.
        told: the figures in short, if it is the goal of a cell.
    """

    what: str
    unit: str
    found: float | None
    at_most: float | None
    why: str = ""
    told: str = ""

    @property
    def verdict(self) -> str:
        if self.found is None or self.at_most is None:
            return "not measured"
        return "met" if self.found <= self.at_most else "**missed**"


def goals(results: Results) -> list[Goal]:
    """Return all goals that a benchmark measures, in the order of the page."""
    return [*(cell(results, each, load) for each in OPERATIONS for load in loads(results, "matrix")), *others(results)]


def cell(results: Results, operation: Operation, load: str) -> Goal:
    """Return the goal of a cell: CPU a request at or below every Python peer's, within the interval of their ratio."""
    own = measurement(results, "matrix", "service", operation, load)
    peers = measured(results, "matrix", PYTHON_PEERS, operation, load)
    best = best_peer(results, operation, load)
    ratios = [own.cpu_ratio(each) for each in peers.values()] if own else []
    most = max((each.low for each in ratios), default=None)
    goal = Goal(f"{NAMES[operation]}, {load}: at most every Python peer", "×", most, 1, best[0] if best else "")
    if not (own and best):
        return replace(goal, told=figure_cell(own.cpu_us.middle) if own else "–")
    relation = "<" if max(each.high for each in ratios) < 1 else "≈" if goal.verdict == "met" else ">"
    told = f"{figure_cell(own.cpu_us.middle)} {relation} {figure_cell(best[1].cpu_us.middle)} {best[0]}"
    return replace(goal, told=f"**{told}**" if relation == ">" else told)


def others(results: Results) -> list[Goal]:
    """Return the goals beyond those of the cells."""
    return [*_ratios(results), *_floor(results), *_footprint(results), *_tails(results)]


def best_peer(
    results: Results, operation: Operation, load: str, peers: Sequence[str] = PYTHON_PEERS
) -> tuple[str, Measurement] | None:
    """Return the peer with the least CPU per request, and its name."""
    found = measured(results, "matrix", peers, operation, load)
    return min(found.items(), key=lambda each: each[1].cpu_us.middle) if found else None


def multiple(results: Results, one: Measurement, share: float) -> float | None:
    """Return a quantile as a multiple of the control's in the same rounds."""
    first = one.rounds[0]
    control = measurement(results, first.experiment, CONTROL, first.operation, first.load)
    own, usual = one.quantile(share), control.quantile(share) if control else None
    return own / usual if own and usual else None


def _ratios(results: Results) -> Iterator[Goal]:
    """Compare the CPU of two subjects at each load. The load with the highest ratio counts."""
    compared: tuple[tuple[str, float, Operation, str, Sequence[str]], ...] = (
        ("GET by id without coalescing, of the best Python peer's", MOST_ALONE, "get", ALONE, PYTHON_PEERS),
        ("page of 50, of Litestar's", OF_LITESTAR, "page", "service", ("litestar",)),
    )
    for what, bound, operation, subject, peers in compared:
        ratios = {}
        for load in loads(results, "matrix"):
            own = measurement(results, "matrix", subject, operation, load)
            if own and (best := best_peer(results, operation, load, peers)):
                told = f"{load}: {own.cpu_us.middle:.0f} µs, {best[0]} {best[1].cpu_us.middle:.0f} µs"
                ratios[told] = own.cpu_ratio(best[1]).middle
        worst = max(ratios, key=lambda each: ratios[each], default="")
        yield Goal(f"{what} CPU, at worst", "×", ratios.get(worst), bound, worst)


def _floor(results: Results) -> Iterator[Goal]:
    service = measurement(results, "matrix", "service", "get", FLOOR_LOAD)
    floors = [one.cpu_us.middle for one in measured(results, "matrix", FLOORS, "get", FLOOR_LOAD).values()]
    what = f"GET by id, {FLOOR_LOAD}: at most the floor, a static response plus a query"
    found, bound = service.cpu_us.middle if service else None, sum(floors) if len(floors) == len(FLOORS) else None
    yield Goal(what, "µs", found, bound, " + ".join(f"{each:.0f} µs" for each in floors))


def _footprint(results: Results) -> Iterator[Goal]:
    idle, start = (footprint(results, "service", each) for each in ("idle_mib", "seconds"))
    yield Goal("idle memory (PSS)", "MiB", idle.middle if idle else None, IDLE_MIB)
    yield Goal("time from start to ready", "s", start.middle if start else None, START_SECONDS)


def _tails(results: Results) -> Iterator[Goal]:
    for operation, bound in TAILS.items():
        one = measurement(results, "tails", "service", operation)
        found = multiple(results, one, LEVEL_SHARE) if one and one.requests >= TAIL_REQUESTS else None
        told, load = "", load_in_words(0, peak_share=PEAK_SHARE)
        if one:
            p50, p999 = (milliseconds_cell(one.quantile(share)) for share in (0.5, LEVEL_SHARE))
            load, rate, share = one.rounds[0].load, one.rounds[0].rate or 0, one.rounds[0].peak_share or 1
            told = f"{rate:,.0f}/s; p50 {p50} ms, p99.9 {p999} ms; {one.requests:,} requests"
            told += "; more would fill the core of PostgreSQL and the load" * (share < PEAK_SHARE)
        what = f"{NAMES[operation]} at {load}: p99.9, of the control's at the same rate"
        yield Goal(what, "×", found, bound, told)
