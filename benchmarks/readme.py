"""Writes the README's section on speed from the results."""

from benchmarks.markdown import estimate_cell
from benchmarks.measurement import NAMES, PEERS, measured, measurement, operations
from benchmarks.results import Results
from harness.markdown import table

BEGIN = "<!-- benchmarks.report writes from here -->"
END = "<!-- to here -->"

_ALONE = "service-without-coalescing"


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
    asked = operations(results, "comparison")
    rows = []
    for subject in ("service", _ALONE, *PEERS):
        found = [measurement(results, "comparison", subject, each) for each in asked]
        rows.append((subject, *(estimate_cell(one.cpu_us) if one else "–" for one in found)))
    return [
        (
            "CPU time per request, measured for all subjects in the same run. The service has all default features on: "
            "access log, metrics, request id, validation, deadline, in-flight limit, ETag. The other frameworks run "
            "without access log, metrics, request id, limits and deadlines."
        ),
        "",
        *table(("CPU per request, µs", *(NAMES[each] for each in asked)), rows),
        *_coalescing(results),
        "![CPU per request](docs/benchmarks/cpu.svg)",
        "",
        (
            "See [docs/benchmarks.md](docs/benchmarks.md) for all figures, the method, the goals that were missed, and "
            "the claims of the 2019 article, measured again."
        ),
        "",
    ]


def _coalescing(results: Results) -> list[str]:
    """Explain the lead in GETs, and compare the service without coalescing with the best peer."""
    alone = measurement(results, "comparison", _ALONE, "get")
    peers = measured(results, "comparison", PEERS, "get")
    if not (alone and peers):
        return []
    name, best = min(peers.items(), key=lambda each: each[1].cpu_us.middle)
    if alone.cpu_us.high < best.cpu_us.low:
        verdict = "So the service without coalescing needs less than the best of the other frameworks"
    elif alone.cpu_us.low > best.cpu_us.high:
        verdict = "So the service without coalescing needs more than the best of the other frameworks"
    else:
        verdict = "The intervals overlap, so this is a tie with the best of the other frameworks"
    return [
        (
            f"The service leads in GETs because it coalesces reads: reads by id that wait for a free connection at the "
            f"same time are sent as one statement. This run had {alone.rounds[0].connections} clients; with few "
            f"concurrent requests there is nothing to coalesce. With one statement per read (`{_ALONE}`) a GET takes "
            f"{estimate_cell(alone.cpu_us)} µs, in {name} {estimate_cell(best.cpu_us)} µs. {verdict}."
        ),
        "",
    ]
