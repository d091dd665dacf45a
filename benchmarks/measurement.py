"""A measurement with all its rounds, for charts and tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from benchmarks.peers.environment import COMMANDS
from benchmarks.results import Experiment, Operation, Results, Sample, load_in_words, together
from benchmarks.statistics import Estimate, estimate, told_quantile

NAMES: dict[Operation, str] = {
    "get": "GET", "post": "POST", "put": "PUT", "page": "page of 50", "keyed-post": "POST with a key",
}  # fmt: skip
OPERATIONS: tuple[Operation, ...] = (*NAMES,)
DEPLOYMENTS = ("bare", "gunicorn-1", "gunicorn-11", "gunicorn-1-max-requests")
"""The article's deployments, and one that shows how many requests `max_requests` loses."""

ALONE = "service-without-coalescing"
SERVICES = ("service", ALONE)
FLOORS = ("floor-static", "floor-query")
FLOOR_LOAD = load_in_words(64)
PEERS = tuple(name for name in COMMANDS if name not in FLOORS)
PYTHON_PEERS = tuple(name for name in PEERS if name != "go")

MIDDLE = load_in_words(16)
"""The load at which all peers are measured; some are measured at all loads."""

LEVELS_MS: dict[Operation, float] = {"get": 100, "post": 150, "put": 200}
"""The article's service levels: a share of `LEVEL_SHARE` of the requests is answered within this time."""

LEVEL_SHARE = 0.999
PEAK_SHARE = 0.7
"""The rate of the tails, of the peak; less where the load's core would be full."""
LOADS_CORE = "load's core"
_USED_UP = 0.9  # of a core


@dataclass(frozen=True)
class Measurement:
    """The rounds of one subject, operation and load; there is at least one."""

    rounds: tuple[Sample, ...]

    @cached_property
    def histogram(self) -> dict[int, int]:
        return dict(together(self.rounds))

    @property
    def requests(self) -> int:
        return sum(each.requests for each in self.rounds)

    @property
    def failed(self) -> int:
        return sum(sum(each.failures.values()) for each in self.rounds)

    @property
    def failed_share(self) -> float:
        return self.failed / self.requests

    @property
    def lost_share(self) -> float:
        """Share of requests that got no answer: the failed requests without those that have a status."""
        lost = sum(count for each in self.rounds for kind, count in each.failures.items() if not kind.isdigit())
        return lost / self.requests

    @property
    def per_second(self) -> Estimate:
        """Successful answers per second."""
        return estimate([each.per_second for each in self.rounds])

    @property
    def cpu_us(self) -> Estimate:
        """CPU time of the subject per request, in µs."""
        return estimate([each.cpu_us for each in self.rounds])

    def cpu_ratio(self, other: "Measurement") -> Estimate:
        """CPU time per request, as a multiple of another subject's in the same rounds.

        Raises:
            ValueError: they have no round in common.
        """
        others = {each.round: each.cpu_us for each in other.rounds}
        return estimate([each.cpu_us / others[each.round] for each in self.rounds if each.round in others])

    @property
    def database_cpu_us(self) -> Estimate:
        """CPU time of PostgreSQL per request, in µs."""
        return estimate([each.database_cpu_us for each in self.rounds])

    @property
    def cores(self) -> Estimate:
        """Number of cores that the subject used."""
        return estimate([each.cpu_seconds / each.seconds for each in self.rounds])

    @property
    def memory_mib(self) -> Estimate:
        """Proportional set size at the end of a round, in MiB."""
        return estimate([each.memory_mib for each in self.rounds])

    def quantile(self, share: float) -> float | None:
        """Return a quantile in ms: infinite if failures reach it, None if there are too few samples."""
        return told_quantile(self.histogram, share, self.failed)

    def missed_share(self, milliseconds: float) -> float:
        """Return the share of requests that failed or took longer."""
        late = sum(count for end, count in self.histogram.items() if end > 1000 * milliseconds)
        return (late + self.failed) / self.requests

    @property
    def bound(self) -> str:
        """What was used up during the load: the server's or the load's cores, or none."""
        judged = [each.conditions.load_core for each in self.rounds if each.conditions]
        if self.cores.middle >= _USED_UP:
            return "server"
        return LOADS_CORE if judged and estimate(judged).middle >= _USED_UP else "–"


def measurement(
    results: Results, experiment: Experiment, subject: str, operation: Operation, load: str | None = None
) -> Measurement | None:
    """Return the measurement, or None if it is not in the results."""
    found = [each for each in results.of(experiment, subject, operation, load) if each.requests]
    return Measurement(tuple(found)) if found else None


def measured(
    results: Results, experiment: Experiment, subjects: Iterable[str], operation: Operation, load: str | None = None
) -> dict[str, Measurement]:
    """Return the measurement of each of the subjects that is in the results."""
    found = {subject: measurement(results, experiment, subject, operation, load) for subject in subjects}
    return {subject: one for subject, one in found.items() if one}


def operations(results: Results, experiment: Experiment) -> list[Operation]:
    """Return the operations of an experiment, in the order of `OPERATIONS`."""
    asked = {each.operation for each in results.samples if each.experiment == experiment}
    return [each for each in OPERATIONS if each in asked]


def subjects(results: Results, experiment: Experiment) -> list[str]:
    """Return the subjects of an experiment, in the order of the pages."""
    found = {each.subject for each in results.samples if each.experiment == experiment}
    return [each for each in (*DEPLOYMENTS, *SERVICES, *PEERS, *FLOORS) if each in found]


def loads(results: Results, experiment: Experiment) -> list[str]:
    """Return the loads of an experiment: closed loops by their connections, then open loops by their rates."""
    found = {each.load: (each.rate or 0, each.connections) for each in results.samples if each.experiment == experiment}
    return sorted(found, key=lambda load: found[load])


def closed_loads(results: Results) -> list[str]:
    """Return the closed loops of the matrix, by their connections."""
    return [each for each in loads(results, "matrix") if "connection" in each]


def footprint(results: Results, subject: str, attribute: str) -> Estimate | None:
    """Estimate an attribute of the footprints of a subject."""
    found = [getattr(each, attribute) for each in results.footprints if each.subject == subject]
    return estimate(found) if found else None
