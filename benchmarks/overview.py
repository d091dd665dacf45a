"""The figures of README.md and docs/benchmarks.md."""

from statistics import median

from benchmarks import goals, judge
from benchmarks.markdown import estimate_cell, figure_cell, missing, span_cell
from benchmarks.measurement import ALONE, MIDDLE, NAMES, PEERS, SERVICES, closed_loads, loads, measurement, operations
from benchmarks.results import Operation, Results
from benchmarks.statistics import estimate, percent
from harness.markdown import table

CHARTS = ("cpu-connections", "cpu", "latency")


def figures(results: Results) -> dict[str, list[str]]:
    """Return the lines of each part of the pages, by its name."""
    return {
        "speed": _speed(results),
        "goals": [*_cells(results), *_goals(results)],
        "charts": [line for each in CHARTS for line in (f"![{each.replace('-', ' ')}](benchmarks/{each}.svg)", "")],
        "coalescing": [_coalescing(results), ""],
        "machine": table(
            ("machine and versions", ""),
            [(name.replace("_", " "), value) for name, value in (*results.machine.items(), *results.versions.items())],
        ),
    }


def _speed(results: Results) -> list[str]:
    """GET at every number of connections; the others at the one where all subjects were measured."""
    asked = [each for each in operations(results, "matrix") if each not in {"get", "keyed-post"}]
    columns: list[tuple[Operation, str]] = [("get", load) for load in closed_loads(results)]
    columns += [(each, MIDDLE) for each in asked]
    rows = []
    for subject in (*SERVICES, *PEERS):
        found = [measurement(results, "matrix", subject, operation, load) for operation, load in columns]
        if any(found):
            rows.append((subject, *(estimate_cell(one.cpu_us) if one else "–" for one in found)))
    return table(("CPU per request, µs", *(f"{NAMES[operation]}, {load}" for operation, load in columns)), rows)


def _cells(results: Results) -> list[str]:
    if not (shown := loads(results, "matrix")):
        return missing("matrix")
    cells = [(NAMES[each], *(goals.cell(results, each, load).told for load in shown)) for each in goals.OPERATIONS]
    return table(("", *shown), cells)


def _goals(results: Results) -> list[str]:
    rows = []
    for each in goals.others(results):
        bound = "–" if each.at_most is None else f"≤ {figure_cell(each.at_most)} {each.unit}"
        found = "–" if each.found is None else f"{figure_cell(each.found)} {each.unit}"
        rows.append((each.what, bound, found, each.verdict, each.why or "–"))
    return table(("goal", "bound", "measured", "verdict", "notes"), rows)


def _coalescing(results: Results) -> str:
    """Compare the service without coalescing with the best peer."""
    told = []
    for load in closed_loads(results):
        alone, best = measurement(results, "matrix", ALONE, "get", load), goals.best_peer(results, "get", load)
        if alone and best:
            name, peer = best
            ratio = alone.cpu_ratio(peer)
            verdict = "less than" if ratio.high < 1 else "more than" if ratio.low > 1 else "as much as"
            told.append(
                f"{estimate_cell(alone.cpu_us)} µs with {load}, {verdict} {name}'s {estimate_cell(peer.cpu_us)} µs"
            )
    return f"Without coalescing (`{ALONE}`) a GET takes {'; '.join(told)}." if told else missing("matrix")[0]


def runs(results: Results) -> list[str]:
    """Return a table of the experiments, with the number of rounds that have to be thrown away."""
    rows = []
    for experiment, taken in results.taken.items():
        cells = {cell: of for cell, of in judge.cells(results).items() if cell.experiment == experiment}
        samples = [each for of in cells.values() for each in of]
        told = [fault for of in cells.values() for fault in judge.faults(of).values()]
        good = min((judge.good_rounds(of) for of in cells.values()), default=0)
        costs = [each.conditions.generator_us for each in samples if each.conditions]
        if samples:
            rows.append((
                experiment, taken.commit, taken.at, str(good), percent(estimate(range(good or 1)).coverage, 1),
                f"{len([*filter(None, told)])} of {len(told)}" if costs else "not judged",
                span_cell(each.seconds for each in samples),
                f"{sum(each.requests for each in samples):,}",
                figure_cell(median(costs)) if costs else "–",
            ))  # fmt: skip
    head = (
        "experiment", "commit", "started at", "good rounds", "interval coverage", "rounds thrown away",
        "seconds per load", "requests", "generator, µs a request",
    )  # fmt: skip
    return table(head, rows)
