"""Compares the project's goals with the results: met or missed."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.measurement import FLOORS, LEVEL_SHARE, PEERS, idle_mib, measured, measurement, start_seconds
from benchmarks.results import Operation, Results
from benchmarks.sizing import at_planned_load

SAMPLES_FOR_TAIL = 99_000
"""Least number of requests for a p99.9. 100,000 are planned, minus those in the first moments of a load."""

P999_MS: dict[Operation, float] = {"get": 20, "post": 30, "put": 40}


@dataclass(frozen=True)
class Goal:
    """One goal. A figure that is not in the results is None.

    Attributes:
        at_most: the bound, in the unit of the goal.
        below: whether the figure has to be below the bound, not equal to it.
        why: the source of the bound, if the bound itself was measured.
    """

    what: str
    unit: str
    found: float | None
    at_most: float | None
    below: bool = False
    why: str = ""

    @property
    def verdict(self) -> str:
        if self.found is None or self.at_most is None:
            return "not measured"
        met = self.found < self.at_most if self.below else self.found <= self.at_most
        return "met" if met else "**missed**"


def goals(results: Results) -> list[Goal]:
    """Return all goals that a benchmark measures, in the order of the issue."""
    return [
        *_cpu(results),
        *_database(results),
        *_page(results),
        *_footprint(results),
        *_tail(results),
        *_processes(results),
        *_connections(results),
    ]


def _cpu(results: Results) -> Iterator[Goal]:
    service, alone = _cpu_us(results, "service", "get"), _cpu_us(results, "service-without-coalescing", "get")
    floors = [_cpu_us(results, each, "get") for each in FLOORS]
    floor = None if None in floors else sum(each for each in floors if each)
    parts = " + ".join(f"{each:.0f} µs" for each in floors if each)
    yield Goal("GET by id: at most the floor, a static response plus a query", "µs", service, floor, why=parts)
    far = floor and 1.7 * floor
    yield Goal("GET by id without coalescing: at most 1.7 times the floor", "µs", alone, far)
    fastest = _fastest_peer(results, "get")
    yield Goal(
        "GET by id: less than half of every peer", "µs", service, fastest and fastest[1] / 2, True, _peer(fastest)
    )
    writes: tuple[Operation, ...] = ("post", "put")
    for operation in writes:
        fastest = _fastest_peer(results, operation)
        own = _cpu_us(results, "service", operation)
        yield Goal(
            f"{operation.upper()}: less than every peer", "µs", own, fastest and fastest[1], True, _peer(fastest)
        )


def _database(results: Results) -> Iterator[Goal]:
    ours, alone = (
        measurement(results, "comparison", each, "get") for each in ("service", "service-without-coalescing")
    )
    statement = alone.database_cpu_us.middle if alone else None
    yield Goal(
        "PostgreSQL's CPU per GET: at most a third of one statement per request",
        "µs",
        ours.database_cpu_us.middle if ours else None,
        statement and statement / 3,
        why=f"{statement:.0f} µs without coalescing" if statement else "",
    )


def _page(results: Results) -> Iterator[Goal]:
    get, page = (_cpu_us(results, "service", each) for each in _GET_AND_PAGE)
    yield Goal("a page of 50: at most 2.5 times a GET by id", "µs", page, get and 2.5 * get)


_GET_AND_PAGE: tuple[Operation, Operation] = ("get", "page")


def _footprint(results: Results) -> Iterator[Goal]:
    idle, start = idle_mib(results, "service"), start_seconds(results, "service")
    yield Goal("idle memory (PSS)", "MiB", idle.middle if idle else None, 45)
    yield Goal("time from start to ready", "s", start.middle if start else None, 0.6)


def _tail(results: Results) -> Iterator[Goal]:
    for operation, bound in P999_MS.items():
        one = at_planned_load(results, operation)
        enough = one and one.requests >= SAMPLES_FOR_TAIL
        reservation = results.taken["open-loop"].reservation if one else ""
        yield Goal(
            f"{operation.upper()}: p99.9 at 70 % of the peak",
            "ms",
            one.quantile(LEVEL_SHARE) if one and enough else None,
            bound,
            why="; ".join(filter(None, [f"{one.requests:,} requests" if one else "", reservation])),
        )


def _processes(results: Results) -> Iterator[Goal]:
    one, two = (_cpu_us(results, each, "get") for each in ("service", "service-two-processes"))
    yield Goal("CPU per GET with two processes, relative to one process", "×", two / one if one and two else None, 1.05)


def _connections(results: Results) -> Iterator[Goal]:
    full, four = (measurement(results, "comparison", each, "get") for each in ("service", "service-four-connections"))
    ratio = full.per_second.middle / four.per_second.middle if full and four else None
    yield Goal("GETs/s with the default pool, relative to a pool of 4 connections", "×", ratio, 1.05)


def _cpu_us(results: Results, subject: str, operation: Operation) -> float | None:
    one = measurement(results, "comparison", subject, operation)
    return one.cpu_us.middle if one else None


def _fastest_peer(results: Results, operation: Operation) -> tuple[str, float] | None:
    found = {peer: one.cpu_us.middle for peer, one in measured(results, "comparison", PEERS, operation).items()}
    return min(found.items(), key=lambda each: each[1]) if found else None


def _peer(fastest: tuple[str, float] | None) -> str:
    return f"{fastest[0]} takes {fastest[1]:.0f} µs" if fastest else ""
