"""A measurement with all its rounds, for charts and tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from benchmarks.results import STEP_MS, Experiment, Operation, Results, Sample, together
from benchmarks.statistics import Estimate, estimate, told_quantile

OPERATIONS: tuple[Operation, ...] = ("get", "post", "put", "page")
NAMES: dict[Operation, str] = {"get": "GET", "post": "POST", "put": "PUT", "page": "page of 50"}
DEPLOYMENTS = ("bare", "gunicorn-1", "gunicorn-11", "gunicorn-1-max-requests")
"""The article's deployments, and one that shows how many requests `max_requests` loses."""

VARIANTS = ("service", "service-without-coalescing", "service-two-processes", "service-four-connections")
PEERS = ("blacksheep", "aiohttp", "litestar", "fastapi", "fastapi-sqlalchemy")
FLOORS = ("floor-static", "floor-query")

LEVELS_MS: dict[Operation, float] = {"get": 100, "post": 150, "put": 200}
"""The article's service levels: a share of `LEVEL_SHARE` of the requests is answered within this time."""

LEVEL_SHARE = 0.999


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
        within = round(milliseconds / STEP_MS)
        late = sum(count for step, count in self.histogram.items() if step >= within)
        return (late + self.failed) / self.requests


def measurement(
    results: Results, experiment: Experiment, subject: str, operation: Operation, peak_share: float | None = None
) -> Measurement | None:
    """Return the measurement, or None if it is not in the results."""
    found = [each for each in results.of(experiment, subject, operation, peak_share) if each.requests]
    return Measurement(tuple(found)) if found else None


def measured(
    results: Results,
    experiment: Experiment,
    subjects: Iterable[str],
    operation: Operation,
    peak_share: float | None = None,
) -> dict[str, Measurement]:
    """Return the measurement of each of the subjects that is in the results."""
    found = {subject: measurement(results, experiment, subject, operation, peak_share) for subject in subjects}
    return {subject: one for subject, one in found.items() if one}


def operations(results: Results, experiment: Experiment) -> list[Operation]:
    """Return the operations of an experiment, in the order of `OPERATIONS`."""
    asked = {each.operation for each in results.samples if each.experiment == experiment}
    return [each for each in OPERATIONS if each in asked]


def subjects(results: Results, experiment: Experiment) -> list[str]:
    """Return the subjects of an experiment, in the order of the pages."""
    found = {each.subject for each in results.samples if each.experiment == experiment}
    return [each for each in (*DEPLOYMENTS, *VARIANTS, *PEERS, *FLOORS) if each in found]


def peak_shares(results: Results) -> list[float]:
    """Return the shares of the peak at which the open loop ran."""
    return sorted({each.peak_share for each in results.samples if each.peak_share is not None})


def idle_mib(results: Results, subject: str) -> Estimate | None:
    """Estimate the idle memory of a subject from its starts, in MiB."""
    found = [each.idle_mib for each in results.starts if each.subject == subject]
    return estimate(found) if found else None


def start_seconds(results: Results, subject: str) -> Estimate | None:
    """Estimate the time from the command to the first answer from the starts of a subject."""
    found = [each.seconds for each in results.starts if each.subject == subject]
    return estimate(found) if found else None
