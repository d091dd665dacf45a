"""Writes the README's section on speed from the results."""

from benchmarks.markdown import estimate_cell
from benchmarks.measurement import (
    ALONE,
    NAMES,
    PEERS,
    PYTHON_PEERS,
    closed_loads,
    measured,
    measurement,
    middle,
    operations,
)
from benchmarks.results import Operation, Results
from harness.markdown import table

BEGIN = "<!-- benchmarks.report writes from here -->"
END = "<!-- to here -->"


def renewed(readme: str, results: Results) -> str:
    """Return the README with an updated section on speed.

    Raises:
        ValueError: the README lacks the two comments that enclose the section.
    """
    before, begun, rest = readme.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"The README needs the lines {BEGIN} and {END}, for the section on speed between them.")
    return "\n".join([before + BEGIN, "", *_section(results), END + after])


def _section(results: Results) -> list[str]:
    columns = _columns(results)
    rows = []
    for subject in ("service", ALONE, *PEERS):
        found = [measurement(results, "matrix", subject, operation, load) for operation, load in columns]
        if any(found):
            rows.append((subject, *(estimate_cell(one.cpu_us) if one else "–" for one in found)))
    return [
        (
            "CPU time per request, measured for all subjects in the same rounds. The service has all default features "
            "on: access log, metrics, request id, validation, deadline, in-flight limit, ETag. The others run without "
            "access log, metrics, request id, limits and deadlines."
        ),
        "",
        *reservation(results),
        *table(("CPU per request, µs", *(f"{NAMES[operation]}, {load}" for operation, load in columns)), rows),
        *(line for each in coalescing(results) for line in (each, "")),
        f"![CPU per request](docs/benchmarks/{'cpu-connections' if len(closed_loads(results)) > 1 else 'cpu'}.svg)",
        "",
        (
            "See [docs/benchmarks.md](docs/benchmarks.md) for the goals, those that were missed among them, and the "
            "method; behind it are latencies, all loads, and the claims of the 2019 article, measured again."
        ),
        "",
    ]


def _columns(results: Results) -> list[tuple[Operation, str]]:
    """GET at every number of connections; the others at the one where all subjects were measured."""
    asked = [each for each in operations(results, "matrix") if each not in {"get", "keyed-post"}]
    return [*(("get", load) for load in closed_loads(results)), *((each, middle(results)) for each in asked)]


def reservation(results: Results) -> list[str]:
    """Return the lines with the caveat about the figures of the matrix; usually none."""
    taken = results.taken.get("matrix")
    return [f"**The comparison was {taken.reservation}.**", ""] if taken and taken.reservation else []


def coalescing(results: Results) -> list[str]:
    """Say what coalescing is and when it does nothing, and compare the service without it with the best peer."""
    told = []
    for load in closed_loads(results):
        alone = measurement(results, "matrix", ALONE, "get", load)
        peers = measured(results, "matrix", PYTHON_PEERS, "get", load)
        if alone and peers:
            name, best = min(peers.items(), key=lambda each: each[1].cpu_us.middle)
            ratio = alone.cpu_ratio(best)
            verdict = "less than" if ratio.high < 1 else "more than" if ratio.low > 1 else "as much as"
            told.append(
                f"{estimate_cell(alone.cpu_us)} µs with {load}, {verdict} {name}'s {estimate_cell(best.cpu_us)} µs"
            )
    if not told:
        return []
    what = (
        "Coalescing: reads by id that wait for a free connection at the same time are sent as one statement. It does "
        "nothing with one connection, and for reads that do not wait for each other."
    )
    return [f"{what} Without it (`{ALONE}`) a GET takes {'; '.join(told)}."]
